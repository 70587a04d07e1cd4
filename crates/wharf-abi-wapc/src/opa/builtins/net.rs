//! Networks in CIDR notation, with the rules of Go's package net: an IPv4 address that is written as IPv6
//! (`::ffff:1.2.3.4`) is one of IPv4. Where networks of that kind are merged OPA 1.4 stops or merges too little; here they
//! are merged like others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Builtin, Context, Failure, MOST_ELEMENTS, Operand, Outcome, set};
use crate::opa::value::Value;

pub(super) const TABLE: &[Builtin] = &[
    Builtin {
        name: "net.cidr_contains_matches",
        arity: 2,
        run: contains_matches,
    },
    Builtin {
        name: "net.cidr_expand",
        arity: 1,
        run: expand,
    },
    Builtin {
        name: "net.cidr_is_valid",
        arity: 1,
        run: |_, arguments| {
            Ok(Value::Bool(
                arguments[0]
                    .as_str()
                    .is_ok_and(|text| Network::parse(text).is_ok()),
            ))
        },
    },
    Builtin {
        name: "net.cidr_merge",
        arity: 1,
        run: merge,
    },
];

/// An address as 128 bits; those of IPv4 are mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Address(u128);

/// The bits before an IPv4 address.
const MAPPED: u128 = 0xffff << 32;

impl Address {
    fn is_v4(self) -> bool {
        self.0 >> 32 == MAPPED >> 32
    }

    fn parse(text: &str) -> Option<Self> {
        Some(Self(match text.parse().ok()? {
            IpAddr::V4(address) => MAPPED | u128::from(address.to_bits()),
            IpAddr::V6(address) => address.to_bits(),
        }))
    }

    fn text(self) -> String {
        match u32::try_from(self.0 ^ MAPPED) {
            Ok(bits) if self.is_v4() => Ipv4Addr::from_bits(bits).to_string(),
            _ => Ipv6Addr::from_bits(self.0).to_string(),
        }
    }
}

/// A network: its first address and how many of the 128 bits are its own.
#[derive(Debug, Clone, Copy)]
struct Network {
    address: Address,
    prefix: u32,
    /// Whether it was written as IPv4.
    short: bool,
}

impl Network {
    fn parse(text: &str) -> Result<Self, Failure> {
        let (address, length) = text.split_once('/').ok_or(Failure::Undefined)?;
        let short = address.parse::<Ipv4Addr>().is_ok();
        let address = Address::parse(address).ok_or(Failure::Undefined)?;
        let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
        let length: u32 = length.parse().map_err(|_| Failure::Undefined)?;
        if !digits || length > if short { 32 } else { 128 } {
            return Err(Failure::Undefined);
        }
        let prefix = if short { length + 96 } else { length };
        Ok(Self {
            address: Address(address.0 & mask(prefix)),
            prefix,
            short,
        })
    }

    /// Where the network's first address is one of IPv4, only the last bits of the mask count.
    fn contains(&self, address: Address) -> bool {
        if self.address.is_v4() != address.is_v4() {
            return false;
        }
        let mask = mask(if self.address.is_v4() {
            self.prefix.max(96)
        } else {
            self.prefix
        });
        self.address.0 & mask == address.0 & mask
    }

    fn last(&self) -> Address {
        Address(self.address.0 | !mask(self.prefix))
    }

    fn text(&self) -> String {
        let prefix = if self.address.is_v4() && (self.short || self.prefix >= 96) {
            self.prefix.saturating_sub(96)
        } else {
            self.prefix
        };
        format!("{}/{prefix}", self.address.text())
    }
}

fn mask(prefix: u32) -> u128 {
    u128::MAX.checked_shl(128 - prefix).unwrap_or(0)
}

/// Whether the network `outer` contains `inner`, which is an address or a network.
fn contains(outer: &str, inner: &str) -> Result<bool, Failure> {
    let outer = Network::parse(outer)?;
    match Address::parse(inner) {
        Some(address) => Ok(outer.contains(address)),
        None => {
            let inner = Network::parse(inner)?;
            Ok(outer.contains(inner.address) && outer.contains(inner.last()))
        }
    }
}

/// The pairs of places in both arguments where the network of the first contains that of the second.
fn contains_matches(context: &mut Context, arguments: &[Value]) -> Outcome {
    let (outers, inners) = (places(&arguments[0]), places(&arguments[1]));
    let mut matches = Vec::new();
    for outer in &outers {
        let (outer, outer_place) = outer.as_ref().map_err(Clone::clone)?;
        for inner in &inners {
            context.step()?;
            let (inner, inner_place) = inner.as_ref().map_err(Clone::clone)?;
            if contains(outer.as_str()?, inner.as_str()?)? {
                matches.push(Value::Array(vec![outer_place.clone(), inner_place.clone()]));
            }
            if matches.len() > MOST_ELEMENTS {
                return Err(Failure::Limit("more than 100000 pairs of networks match"));
            }
        }
    }
    Ok(set(matches))
}

/// The networks in an argument, each with what names it: its index, its key, or itself.
fn places(value: &Value) -> Vec<Result<(&Value, Value), Failure>> {
    fn network(element: &Value) -> Result<&Value, Failure> {
        match element {
            Value::String(_) => Ok(element),
            Value::Array(parts) => parts.first().ok_or(Failure::Undefined),
            _ => Err(Failure::Undefined),
        }
    }
    let with = |element, place: Value| Ok((network(element)?, place));
    match value {
        Value::String(_) => vec![Ok((value, value.clone()))],
        Value::Array(elements) => {
            let places = (0_usize..).map(Value::from);
            elements
                .iter()
                .zip(places)
                .map(|(element, place)| with(element, place))
                .collect()
        }
        Value::Set(elements) => elements
            .iter()
            .map(|element| with(element, element.clone()))
            .collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, element)| with(element, key.clone()))
            .collect(),
        _ => Vec::new(),
    }
}

fn expand(context: &mut Context, arguments: &[Value]) -> Outcome {
    let network = Network::parse(arguments[0].as_str()?)?;
    let (first, last) = (network.address.0, network.last().0);
    if last - first >= MOST_ELEMENTS as u128 {
        return Err(Failure::Limit("the network has more than 100000 addresses"));
    }
    let mut addresses = Vec::new();
    for address in first..=last {
        context.step()?;
        addresses.push(Value::String(Address(address).text()));
    }
    Ok(set(addresses))
}

/// A range of addresses, and the network that it was when nothing was added to it.
struct Range {
    first: Address,
    last: Address,
    network: Option<Network>,
}

/// The fewest networks that have the same addresses.
fn merge(context: &mut Context, arguments: &[Value]) -> Outcome {
    let mut ranges = Vec::new();
    for element in arguments[0].elements()? {
        context.step()?;
        let network = network_or_address(element.as_str()?)?;
        let first = Address(network.address.0 & mask(network.prefix));
        ranges.push(Range {
            first,
            last: network.last(),
            network: Some(network),
        });
    }
    ranges.sort_by_key(|range| (range.last, range.first));
    let mut merged: Vec<Range> = Vec::new();
    // From the last one back, each takes in those before it that it touches.
    for range in ranges.into_iter().rev() {
        match merged.last_mut() {
            Some(after) if before(after.first) <= range.last => {
                after.first = after.first.min(range.first);
                after.network = None;
            }
            _ => merged.push(range),
        }
    }
    let texts = merged.iter().flat_map(|range| match range.network {
        Some(network) => vec![network.text()],
        None => covering(range.first, range.last),
    });
    Ok(set(texts.map(Value::String)))
}

/// The address before this one, but for the first of its family.
fn before(address: Address) -> Address {
    match address.0 {
        0 | MAPPED => address,
        bits => Address(bits - 1),
    }
}

/// A network, or an address of IPv4, which stands for the network that its class once gave it.
fn network_or_address(text: &str) -> Result<Network, Failure> {
    match Address::parse(text) {
        None => Network::parse(text),
        Some(address) if address.is_v4() => {
            let length = match address.0 >> 24 & 0xff {
                ..0x80 => 8,
                0x80..0xc0 => 16,
                _ => 24,
            };
            Ok(Network {
                address,
                prefix: 96 + length,
                short: true,
            })
        }
        Some(_) => Err(Failure::Undefined),
    }
}

/// The networks that have just these addresses.
fn covering(first: Address, last: Address) -> Vec<String> {
    let mut networks = Vec::new();
    let mut next = first.0;
    loop {
        // The largest network that begins here and does not go beyond the last address.
        let bits = (0..=next.trailing_zeros().min(128)).rev().find(|bits| {
            let size_less_one = u128::MAX.checked_shr(128 - bits).unwrap_or(0);
            size_less_one <= last.0 - next
        });
        let bits = bits.unwrap_or(0);
        let network = Network {
            address: Address(next),
            prefix: 128 - bits,
            short: first.is_v4(),
        };
        networks.push(network.text());
        let end = network.last().0;
        if end >= last.0 {
            return networks;
        }
        next = end + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, check};
    use super::*;

    #[test]
    fn networks_are_valid_as_in_go() {
        for (text, valid) in [
            ("10.0.0.0/8", true),
            ("10.0.0.0/08", true),
            ("10.0.0.1/33", false),
            ("10.0.0.0/", false),
            ("10.0.0.0/+8", false),
            ("10.0.0.0", false),
            ("010.0.0.0/8", false),
            ("::/0", true),
            ("2001:db8::/128", true),
            ("2001:db8::/129", false),
            ("::ffff:1.2.3.4/112", true),
            ("fe80::1%eth0/64", false),
            ("", false),
        ] {
            check(&[("net.cidr_is_valid", &format!("[{text:?}]"), &valid.to_string())]);
        }
        check(&[("net.cidr_is_valid", "[1]", "false")]);
    }

    #[test]
    fn matches_are_named_by_their_places() {
        let name = "net.cidr_contains_matches";
        check(&[
            (
                name,
                r#"["10.0.0.0/8", "10.1.2.3"]"#,
                r#"{["10.0.0.0/8","10.1.2.3"]}"#,
            ),
            (
                name,
                r#"[["10.0.0.0/8","11.0.0.0/8"], {"10.1.0.0/16","12.0.0.1"}]"#,
                r#"{[0,"10.1.0.0/16"]}"#,
            ),
            (
                name,
                r#"[{"a":["10.0.0.0/8","x"]}, ["10.0.0.0/7","10.0.0.0/9"]]"#,
                r#"{["a",1]}"#,
            ),
            (name, r#"["::/0", ["1.2.3.4","2001:db8::1"]]"#, r#"{["::/0",1]}"#),
            (
                name,
                r#"["1.2.3.0/24", "::ffff:1.2.3.4"]"#,
                r#"{["1.2.3.0/24","::ffff:1.2.3.4"]}"#,
            ),
            (name, r#"[1, "10.0.0.1"]"#, "set()"),
            (name, r#"[[1], "10.0.0.1"]"#, "undefined"),
            (name, r#"[[[]], "10.0.0.1"]"#, "undefined"),
            (name, r#"["10.0.0.0/8", "x"]"#, "undefined"),
        ]);
    }

    #[test]
    fn a_network_has_its_addresses() {
        check(&[
            (
                "net.cidr_expand",
                r#"["10.0.0.5/30"]"#,
                r#"{"10.0.0.4","10.0.0.5","10.0.0.6","10.0.0.7"}"#,
            ),
            (
                "net.cidr_expand",
                r#"["2001:db8::/127"]"#,
                r#"{"2001:db8::","2001:db8::1"}"#,
            ),
            (
                "net.cidr_expand",
                r#"["255.255.255.255/32"]"#,
                r#"{"255.255.255.255"}"#,
            ),
            ("net.cidr_expand", r#"["x"]"#, "undefined"),
        ]);
        for network in ["10.0.0.0/15", "0.0.0.0/0", "::/0"] {
            let given = call("net.cidr_expand", &format!("[{network:?}]"));
            assert!(matches!(given, Err(Failure::Limit(_))), "{network}: {given:?}");
        }
    }

    #[test]
    fn networks_that_touch_are_joined() {
        let name = "net.cidr_merge";
        check(&[
            (
                name,
                r#"[["192.0.128.0/24","192.0.129.0/24"]]"#,
                r#"{"192.0.128.0/23"}"#,
            ),
            (
                name,
                r#"[{"10.0.0.0/8","10.1.0.0/16","12.0.0.0/8"}]"#,
                r#"{"10.0.0.0/8","12.0.0.0/8"}"#,
            ),
            (
                name,
                r#"[["10.0.1.0/24","10.0.2.0/24"]]"#,
                r#"{"10.0.1.0/24","10.0.2.0/24"}"#,
            ),
            (
                name,
                r#"[["192.0.2.112","193.0.0.0/8"]]"#,
                r#"{"192.0.2.112/24","193.0.0.0/8"}"#,
            ),
            (
                name,
                r#"[["2001:db8::/33","2001:db8:8000::/33"]]"#,
                r#"{"2001:db8::/32"}"#,
            ),
            (name, r#"[["0.0.0.0/1","128.0.0.0/1"]]"#, r#"{"0.0.0.0/0"}"#),
            (name, "[[]]", "set()"),
            (name, r#"[["2001:db8::1"]]"#, "undefined"),
            (name, r#"[["x"]]"#, "undefined"),
            (name, "[\"10.0.0.0/8\"]", "undefined"),
        ]);
    }
}
