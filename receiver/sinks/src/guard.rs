//! Which addresses Boathook never calls, whatever a sink's URL or a name server says.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Decides on addresses. Link-local, metadata, unspecified, multicast and broadcast addresses are always refused;
/// loopback ones unless opened; private ranges are fine, since targets in the cluster have them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressGuard {
    /// Opens all loopback addresses (folder mode, sidecar).
    pub loopback: bool,
    /// Opens the loopback addresses in these networks (`--sink-allow`). Opens nothing else.
    pub allow: Vec<IpNet>,
}

/// An address that is not called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{address} is {kind}")]
pub struct Forbidden {
    /// The address as it was written or resolved.
    pub address: IpAddr,
    /// What it is.
    pub kind: ForbiddenKind,
}

/// Why an address is not called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ForbiddenKind {
    /// Its own host: everything that trusts the machine or the pod.
    #[error("a loopback address: call another one, or open it with --sink-allow")]
    Loopback,
    /// A cloud's metadata service, which hands out credentials.
    #[error("a cloud metadata address, which is never called")]
    Metadata,
    /// `169.254.0.0/16`, `fe80::/10`: services of the node.
    #[error("a link-local address, which is never called")]
    LinkLocal,
    /// `0.0.0.0/8`, `::`: the system takes them for loopback.
    #[error("an unspecified address, which is never called")]
    Unspecified,
    /// `224.0.0.0/4`, `ff00::/8`
    #[error("a multicast address, which is never called")]
    Multicast,
    /// `255.255.255.255`
    #[error("a broadcast address, which is never called")]
    Broadcast,
}

/// Metadata services outside the link-local range (those inside it are refused with it).
const METADATA: [IpAddr; 6] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), // AWS, Azure, Google, most others: named for the message
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)), // Alibaba
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),   // Azure's wire server
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),     // Oracle
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)), // AWS
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)), // Google
];

impl AddressGuard {
    /// Whether the address may be called. An IPv4 address inside an IPv6 one is judged as what it is.
    ///
    /// # Errors
    /// [`Forbidden`], with the address as given.
    pub fn check(&self, address: IpAddr) -> Result<(), Forbidden> {
        let real = unwrapped(address);
        match forbidden_kind(real) {
            None => Ok(()),
            Some(ForbiddenKind::Loopback) if self.opens(real) => Ok(()),
            Some(kind) => Err(Forbidden { address, kind }),
        }
    }

    fn opens(&self, loopback: IpAddr) -> bool {
        self.loopback || self.allow.iter().any(|network| network.contains(&loopback))
    }
}

fn forbidden_kind(address: IpAddr) -> Option<ForbiddenKind> {
    if METADATA.contains(&address) {
        return Some(ForbiddenKind::Metadata);
    }
    if address.is_loopback() {
        return Some(ForbiddenKind::Loopback);
    }
    if address.is_multicast() {
        return Some(ForbiddenKind::Multicast);
    }
    match address {
        IpAddr::V4(v4) if v4.octets()[0] == 0 => Some(ForbiddenKind::Unspecified),
        IpAddr::V4(v4) if v4.is_link_local() => Some(ForbiddenKind::LinkLocal),
        IpAddr::V4(v4) if v4.is_broadcast() => Some(ForbiddenKind::Broadcast),
        IpAddr::V6(v6) if v6.is_unspecified() => Some(ForbiddenKind::Unspecified),
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Some(ForbiddenKind::LinkLocal),
        _ => None,
    }
}

/// The IPv4 address inside an IPv6 one: mapped (`::ffff:0:0/96`), compatible (`::/96`, RFC 4291 § 2.5.5), NAT64
/// (`64:ff9b::/96`, RFC 6052) or 6to4 (`2002::/16`, RFC 3056).
fn unwrapped(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if v6.is_loopback() || v6.is_unspecified() {
        return address;
    }
    let (high, low) = match v6.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => (high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => (high, low),
        [0x2002, high, low, ..] => (high, low),
        _ => return address,
    };
    IpAddr::V4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kind(guard: &AddressGuard, address: &str) -> Option<ForbiddenKind> {
        guard.check(address.parse().unwrap()).err().map(|forbidden| forbidden.kind)
    }

    #[test]
    fn addresses_of_the_machine_and_the_cloud_are_refused() {
        for (address, expected) in [
            ("127.0.0.1", ForbiddenKind::Loopback),
            ("127.255.0.9", ForbiddenKind::Loopback),
            ("::1", ForbiddenKind::Loopback),
            ("169.254.169.254", ForbiddenKind::Metadata),
            ("fd00:ec2::254", ForbiddenKind::Metadata),
            ("fd20:ce::254", ForbiddenKind::Metadata),
            ("100.100.100.200", ForbiddenKind::Metadata),
            ("168.63.129.16", ForbiddenKind::Metadata),
            ("192.0.0.192", ForbiddenKind::Metadata),
            ("169.254.0.1", ForbiddenKind::LinkLocal),
            ("fe80::1", ForbiddenKind::LinkLocal),
            ("febf:ffff::1", ForbiddenKind::LinkLocal),
            ("0.0.0.0", ForbiddenKind::Unspecified),
            ("0.1.2.3", ForbiddenKind::Unspecified),
            ("::", ForbiddenKind::Unspecified),
            ("224.0.0.1", ForbiddenKind::Multicast),
            ("ff02::1", ForbiddenKind::Multicast),
            ("255.255.255.255", ForbiddenKind::Broadcast),
            ("::ffff:127.0.0.1", ForbiddenKind::Loopback),
            ("::127.0.0.1", ForbiddenKind::Loopback),
            ("64:ff9b::169.254.169.254", ForbiddenKind::Metadata),
            ("2002:a9fe:0001::", ForbiddenKind::LinkLocal),
        ] {
            assert_eq!(kind(&AddressGuard::default(), address), Some(expected), "{address}");
        }
    }

    #[test]
    fn public_and_private_addresses_are_called() {
        for address in [
            "93.184.216.34",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "169.253.255.255",
            "169.255.0.0",
            "2606:2800:220:1::1",
            "fd00::1",
            "::ffff:10.0.0.1",
        ] {
            assert_eq!(kind(&AddressGuard::default(), address), None, "{address}");
        }
    }

    #[test]
    fn loopback_is_opened_whole_or_by_network() {
        let whole = AddressGuard { loopback: true, allow: Vec::new() };
        assert_eq!(kind(&whole, "127.9.9.9"), None);
        assert_eq!(kind(&whole, "::1"), None);
        assert_eq!(kind(&whole, "::ffff:127.0.0.1"), None);
        let one = AddressGuard { loopback: false, allow: vec!["127.0.0.1/32".parse().unwrap()] };
        assert_eq!(kind(&one, "127.0.0.1"), None);
        assert_eq!(kind(&one, "127.0.0.2"), Some(ForbiddenKind::Loopback));
        assert_eq!(kind(&one, "::1"), Some(ForbiddenKind::Loopback));
    }

    #[test]
    fn the_refusal_says_the_address_and_what_it_is() {
        let refusal = AddressGuard::default().check("::ffff:169.254.169.254".parse().unwrap()).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "::ffff:169.254.169.254 is a cloud metadata address, which is never called"
        );
    }

    proptest! {
        #[test]
        fn an_ipv4_address_is_judged_alike_in_every_ipv6_form(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits);
            let guard = AddressGuard::default();
            let [a, b, c, d] = v4.octets().map(u16::from);
            let (high, low) = (a << 8 | b, c << 8 | d);
            let plain = guard.check(v4.into()).err().map(|forbidden| forbidden.kind);
            for v6 in [
                v4.to_ipv6_mapped(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            ] {
                prop_assert_eq!(guard.check(v6.into()).err().map(|forbidden| forbidden.kind), plain);
            }
        }

        #[test]
        fn nothing_but_loopback_can_be_opened(bits: u32) {
            let open = AddressGuard {
                loopback: true,
                allow: vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()],
            };
            let address = IpAddr::V4(Ipv4Addr::from_bits(bits));
            let closed = AddressGuard::default().check(address);
            let opened = open.check(address);
            prop_assert_eq!(opened, if address.is_loopback() { Ok(()) } else { closed });
        }

        #[test]
        fn link_local_is_refused_however_it_is_written(low: u16, open: bool) {
            let v4 = Ipv4Addr::from_bits(0xa9fe_0000 | u32::from(low));
            let guard = AddressGuard { loopback: open, allow: vec!["169.254.0.0/16".parse().unwrap()] };
            prop_assert!(guard.check(v4.into()).is_err());
            prop_assert!(guard.check(v4.to_ipv6_mapped().into()).is_err());
        }
    }
}
