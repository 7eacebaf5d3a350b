//! Whose deliveries take turns at a sink: those of one endpoint and tenant are one flow.
use std::num::NonZeroU64;

use crate::{
    Delivery, ObjectName,
    partition::{FNV_START, fnv},
};

/// All deliveries of one endpoint and tenant. Of one endpoint's flows the numbers are next to each other. Two flows may have the same
/// number, though that is rare: then they share their turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow(u64);

/// Bits of a tenant's hash; the endpoint's has those above, and the sign of a signed number is left free.
const TENANT_BITS: u32 = 39;
const TENANT_MASK: u64 = (1 << TENANT_BITS) - 1;
const NUMBER_MASK: u64 = i64::MAX.unsigned_abs();

impl Flow {
    /// That of what this endpoint receives for a tenant, or for none. Written in stores: all versions must agree on it.
    pub fn of(endpoint: &ObjectName, tenant: Option<&str>) -> Self {
        let endpoint = spread(endpoint.as_str().as_bytes()) << TENANT_BITS & NUMBER_MASK;
        // No tenant has the number of none.
        let tenant = tenant.map_or(0, |tenant| (spread(tenant.as_bytes()) & TENANT_MASK).max(1));
        Self(endpoint | tenant)
    }

    /// A number for the tenant, whatever the endpoint; `None` = it has none.
    pub fn tenant(self) -> Option<NonZeroU64> {
        NonZeroU64::new(self.0 & TENANT_MASK)
    }

    /// The one with this number; numbers above those of signed ones have none.
    pub fn numbered(number: i64) -> Self {
        Self(number.max(0).unsigned_abs())
    }

    /// Not negative.
    pub fn number(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }
}

impl Delivery {
    /// Its flow.
    pub fn flow(&self) -> Flow {
        Flow::of(&self.event.endpoint, self.event.tenant.as_deref())
    }
}

/// A hash of which all bits depend on all of the text.
fn spread(text: &[u8]) -> u64 {
    let hash = fnv(FNV_START, text);
    (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_right(32)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn of(endpoint: &str, tenant: Option<&str>) -> Flow {
        Flow::of(&ObjectName::new("default", endpoint), tenant)
    }

    #[test]
    fn a_flow_is_the_same_in_every_version() {
        let known = [of("a", None), of("a", Some("t")), of("b", Some("t"))].map(Flow::number);
        assert_eq!(known, [7_588_938_656_316_915_712, 7_588_938_773_948_205_147, 4_569_604_527_528_806_491]);
    }

    #[test]
    fn flows_of_one_endpoint_are_next_to_each_other_and_hardly_two_are_the_same() {
        let tenants = |endpoint| (0..10_000).map(move |tenant| of(endpoint, Some(&tenant.to_string())));
        let (a, b) = (tenants("a").collect::<BTreeSet<_>>(), tenants("b").collect::<BTreeSet<_>>());
        assert_eq!((a.len(), b.len()), (10_000, 10_000));
        assert!(a.last() < b.first() || b.last() < a.first());
        let endpoints = (0..1_000).map(|endpoint| of(&endpoint.to_string(), None)).collect::<BTreeSet<_>>();
        assert_eq!(endpoints.len(), 1_000);
        let tenant = |endpoint, tenant| of(endpoint, tenant).tenant();
        assert_eq!((tenant("a", None), tenant("a", Some("t"))), (None, tenant("b", Some("t"))));
        assert!(a.iter().all(|flow| Flow::numbered(flow.number()) == *flow));
    }
}
