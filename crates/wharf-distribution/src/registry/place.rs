//! Addresses that mean something only to this machine or its cloud.
//!
//! Whoever names an image chooses the host that this process connects to, and a registry chooses it with a redirect. Neither
//! may use that to reach services of this machine or the credentials that a cloud gives its machines.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is special about an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// This machine.
    Loopback,
    /// The same wire, or what a cloud gives its machines.
    Local,
}

/// Addresses of metadata services that are not link-local.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
/// Names of the same, for where a proxy looks them up.
const METADATA_NAMES: [&str; 2] = ["metadata.google.internal", "metadata.goog"];

/// What is special about an address, if anything is.
pub(super) fn of_address(address: IpAddr) -> Option<Place> {
    match address.to_canonical() {
        IpAddr::V4(address) => of_v4(address),
        IpAddr::V6(address) => of_v6(address),
    }
}

fn of_v4(address: Ipv4Addr) -> Option<Place> {
    let is_this_network = address.octets()[0] == 0;
    if address.is_loopback() || is_this_network {
        return Some(Place::Loopback);
    }
    let is_local = address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || METADATA_V4.contains(&address);
    is_local.then_some(Place::Local)
}

fn of_v6(address: Ipv6Addr) -> Option<Place> {
    if address.is_loopback() || address.is_unspecified() {
        return Some(Place::Loopback);
    }
    if let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = address.segments() {
        // An IPv4 address behind a translator.
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        return of_v4(Ipv4Addr::new(a, b, c, d));
    }
    let is_local = address.is_unicast_link_local() || address.is_multicast() || address == METADATA_V6;
    is_local.then_some(Place::Local)
}

/// What is special about a name, as far as names tell.
pub(super) fn of_name(name: &str) -> Option<Place> {
    let name = name.trim_end_matches('.');
    if name == "localhost" || name.ends_with(".localhost") {
        Some(Place::Loopback)
    } else {
        METADATA_NAMES.contains(&name).then_some(Place::Local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_this_machine_or_its_cloud_is_known() {
        for (address, place) in [
            ("127.0.0.1", Some(Place::Loopback)),
            ("127.9.9.9", Some(Place::Loopback)),
            ("0.0.0.0", Some(Place::Loopback)),
            ("::1", Some(Place::Loopback)),
            ("::", Some(Place::Loopback)),
            ("::ffff:127.0.0.1", Some(Place::Loopback)),
            ("64:ff9b::7f00:1", Some(Place::Loopback)),
            ("169.254.169.254", Some(Place::Local)),
            ("::ffff:169.254.169.254", Some(Place::Local)),
            ("64:ff9b::a9fe:a9fe", Some(Place::Local)),
            ("fe80::1", Some(Place::Local)),
            ("fd00:ec2::254", Some(Place::Local)),
            ("168.63.129.16", Some(Place::Local)),
            ("100.100.100.200", Some(Place::Local)),
            ("224.0.0.1", Some(Place::Local)),
            ("10.0.0.1", None),
            ("192.168.0.1", None),
            ("93.184.216.34", None),
            ("fd00::1", None),
            ("2606:4700::1111", None),
        ] {
            assert_eq!(of_address(address.parse().unwrap()), place, "{address}");
        }
        assert_eq!(of_name("localhost"), Some(Place::Loopback));
        assert_eq!(of_name("a.localhost."), Some(Place::Loopback));
        assert_eq!(of_name("metadata.google.internal"), Some(Place::Local));
        assert_eq!(of_name("registry.example"), None);
    }
}
