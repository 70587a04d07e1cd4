//! The names of registries.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use super::shown;

/// The name of a registry, with its port where one is given: `registry.example:5000`. Lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistryHost(String);

/// What people write for it.
const DOCKER_HUB: &str = "docker.io";
/// Where it is.
const DOCKER_HUB_API: &str = "registry-1.docker.io";

impl RegistryHost {
    /// The registry of names without one.
    pub fn docker_hub() -> Self {
        Self(DOCKER_HUB.to_owned())
    }

    /// Whether this is the registry of names without one.
    pub fn is_docker_hub(&self) -> bool {
        self.0 == DOCKER_HUB
    }

    /// As it is written in references.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host and the port, if there is one, that its requests go to.
    pub fn authority(&self) -> &str {
        if self.is_docker_hub() {
            DOCKER_HUB_API
        } else {
            &self.0
        }
    }
}

impl fmt::Display for RegistryHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RegistryHost {
    type Err = RegistryHostError;

    fn from_str(text: &str) -> Result<Self, RegistryHostError> {
        let wrong = || RegistryHostError { host: shown(text) };
        let (name, port) = split_port(text).ok_or_else(wrong)?;
        let is_name = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => is_domain(name),
        };
        let is_port = port.is_none_or(|port| {
            port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
        if !is_name || !is_port {
            return Err(wrong());
        }
        let host = text.to_ascii_lowercase();
        Ok(match host.as_str() {
            "index.docker.io" | DOCKER_HUB_API => Self::docker_hub(),
            _ => Self(host),
        })
    }
}

/// The host and the port, of which the colons of an IPv6 address are no part.
fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    if text.starts_with('[') {
        let end = text.find(']')? + 1;
        return match text.get(end..)? {
            "" => Some((text, None)),
            rest => Some((&text[..end], Some(rest.strip_prefix(':')?))),
        };
    }
    Some(match text.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (text, None),
    })
}

fn is_domain(name: &str) -> bool {
    let good = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(good)
}

/// A text that names no registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{host} is no registry: it is a name or an address, with a port where one is needed, as `registry.example:5000`"
)]
pub struct RegistryHostError {
    /// The text, quoted and shortened.
    pub host: String,
}
