//! Rates: how many requests an endpoint takes from one address, how many genuine ones in all, and of one tenant.
use std::{
    collections::BTreeSet,
    hash::{BuildHasher as _, RandomState},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

use boathook_table::Endpoint;
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock};

use crate::limits::{SOURCES_MAX, TENANT_GROUPS, TENANTS_MAX};

/// The rates of one endpoint. A minute's worth may come at once; then it refills evenly.
pub(crate) struct Gate {
    per_minute: Option<NonZeroU32>,
    per_source_per_minute: Option<NonZeroU32>,
    genuine: Option<DefaultDirectRateLimiter>,
    sources: Option<DefaultKeyedRateLimiter<IpAddr>>,
    per_tenant_per_minute: Option<NonZeroU32>,
    /// By the hash of the name.
    tenants: Option<DefaultKeyedRateLimiter<u64>>,
    hashes: RandomState,
}

/// The rate is used up; there is room again after so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait(pub(crate) Duration);

impl Gate {
    pub(crate) fn new(endpoint: &Endpoint) -> Self {
        let Endpoint { requests_per_minute, per_source_per_minute, per_tenant_per_minute, .. } = *endpoint;
        Self {
            per_minute: requests_per_minute,
            per_source_per_minute,
            genuine: requests_per_minute.map(|rate| RateLimiter::direct(Quota::per_minute(rate))),
            sources: per_source_per_minute.map(|rate| RateLimiter::keyed(Quota::per_minute(rate))),
            per_tenant_per_minute,
            tenants: per_tenant_per_minute.map(|rate| RateLimiter::keyed(Quota::per_minute(rate))),
            hashes: RandomState::new(),
        }
    }

    /// Whether its numbers are this endpoint's.
    pub(crate) fn is_for(&self, endpoint: &Endpoint) -> bool {
        (self.per_minute, self.per_source_per_minute, self.per_tenant_per_minute)
            == (endpoint.requests_per_minute, endpoint.per_source_per_minute, endpoint.per_tenant_per_minute)
    }

    /// Takes one request from this address, genuine or not.
    pub(crate) fn admit_source(&self, source: IpAddr) -> Result<(), Wait> {
        let Some(sources) = &self.sources else { return Ok(()) };
        let crowded = sources.len() >= SOURCES_MAX;
        let counted = sources.check_key(&network(source, crowded));
        counted.map_err(|until| Wait(until.wait_time_from(sources.clock().now())))
    }

    /// Takes one genuine request.
    pub(crate) fn admit_genuine(&self) -> Result<(), Wait> {
        let Some(genuine) = &self.genuine else { return Ok(()) };
        genuine.check().map_err(|until| Wait(until.wait_time_from(genuine.clock().now())))
    }

    /// Takes one genuine request with events of these tenants: it counts once for each.
    pub(crate) fn admit_tenants<'t>(&self, tenants: impl Iterator<Item = &'t str>) -> Result<(), Wait> {
        let Some(rates) = &self.tenants else { return Ok(()) };
        // A batch is mostly of one tenant.
        let distinct: BTreeSet<&str> = tenants.collect();
        for tenant in distinct {
            let hash = self.hashes.hash_one(tenant);
            let crowded = rates.len() >= TENANTS_MAX;
            let counted = rates.check_key(&if crowded { hash % TENANT_GROUPS } else { hash });
            counted.map_err(|until| Wait(until.wait_time_from(rates.clock().now())))?;
        }
        Ok(())
    }

    /// Forgets addresses and tenants whose rate has refilled.
    pub(crate) fn forget_idle(&self) {
        self.tenants.iter().for_each(|tenants| {
            tenants.retain_recent();
            tenants.shrink_to_fit();
        });
        self.sources.iter().for_each(|sources| {
            sources.retain_recent();
            sources.shrink_to_fit();
        });
    }
}

/// What counts as one address: of IPv6 the /64, since a host has all of it. When too many are known, larger networks
/// count as one (/16, /48): there are few of the first, and whoever has many of the second is one party.
fn network(source: IpAddr, crowded: bool) -> IpAddr {
    match source {
        IpAddr::V4(v4) if crowded => {
            let [a, b, ..] = v4.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, 0, 0))
        }
        IpAddr::V4(_) => source,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, if crowded { 0 } else { d }, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_with_a_whole_ipv6_network_counts_as_one_address() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(
            network(address("2001:db8:1:2:3::1"), false),
            network(address("2001:db8:1:2:ffff::9"), false)
        );
        assert_ne!(network(address("2001:db8:1:2::1"), false), network(address("2001:db8:1:3::1"), false));
        assert_ne!(network(address("192.0.2.1"), false), network(address("192.0.2.2"), false));
    }

    #[test]
    fn when_too_many_addresses_are_known_larger_networks_count_as_one() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(network(address("192.0.2.1"), true), network(address("192.0.99.2"), true));
        assert_ne!(network(address("192.0.2.1"), true), network(address("192.1.2.1"), true));
        assert_eq!(network(address("2001:db8:1:2::1"), true), network(address("2001:db8:1:3::1"), true));
    }
}
