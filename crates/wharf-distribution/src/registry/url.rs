//! Where a request goes.

use std::fmt;
use std::net::IpAddr;

use wharf_plugin::RegistryHost;

/// A scheme, a host and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    pub(super) is_tls: bool,
    /// A name or an address, without brackets. Lower case.
    pub(super) host: String,
    pub(super) port: u16,
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) origin: Origin,
    /// Path and query.
    pub(super) target: String,
}

impl Origin {
    /// That of a registry.
    pub(super) fn of(host: &RegistryHost, is_tls: bool) -> Option<Self> {
        let authority: http::uri::Authority = host.authority().parse().ok()?;
        Some(Self::new(&authority, is_tls))
    }

    fn new(authority: &http::uri::Authority, is_tls: bool) -> Self {
        let host = authority.host();
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        Self {
            is_tls,
            host: host.to_ascii_lowercase(),
            port: authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
        }
    }

    /// The address, where the host is one.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// The host and port as a `Host` header has them.
    pub(super) fn authority(&self) -> String {
        let host = self.bracketed();
        match (self.is_tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    /// The host and port, whatever the port is.
    pub(super) fn host_and_port(&self) -> String {
        format!("{}:{}", self.bracketed(), self.port)
    }

    fn bracketed(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        }
    }

    /// The names under which a deployer may have written this host.
    pub(super) fn names(&self) -> impl Iterator<Item = RegistryHost> {
        let names = [self.authority(), self.host_and_port()];
        names.into_iter().filter_map(|name| name.parse().ok())
    }
}

impl Url {
    /// A whole URL of `http` or `https` without user and fragment.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.split('#').next().unwrap_or_default();
        let uri: http::Uri = text.parse().ok()?;
        let is_tls = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return None;
        }
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        Some(Self {
            origin: Origin::new(authority, is_tls),
            target: target.to_owned(),
        })
    }

    /// Where a `Location` leads to from here: a whole URL, one without its scheme, or a path from the root.
    pub(super) fn join(&self, location: &str) -> Option<Self> {
        if location.starts_with("//") {
            let scheme = if self.origin.is_tls { "https:" } else { "http:" };
            Self::parse(&format!("{scheme}{location}"))
        } else if location.starts_with('/') {
            Self::parse(&format!("{}{location}", self.origin))
        } else {
            Self::parse(location)
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

/// Without the query, in which a signature may be.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.target.split('?').next().unwrap_or_default();
        write!(f, "{}{path}", self.origin)
    }
}
