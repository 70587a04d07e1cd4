//! The proxies of the environment: `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`.

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;

use super::place;
use super::url::Origin;

/// The proxies to go through. By default there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    https: Option<Result<Proxy, &'static str>>,
    http: Option<Result<Proxy, &'static str>>,
    exceptions: Vec<Exception>,
}

/// A proxy that speaks HTTP/1.1.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Proxy {
    /// A name or an address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// The value of `Proxy-Authorization`.
    pub(super) authorization: Option<String>,
}

/// Hosts that are reached directly.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Exception {
    All,
    /// The host itself, or with a dot in front only what is below it; and on this port, where there is one.
    Domain {
        name: String,
        port: Option<u16>,
    },
    Network {
        address: IpAddr,
        bits: u8,
    },
}

impl Proxies {
    /// Those that the environment names, in lower case or upper.
    pub fn from_environment() -> Self {
        let variable = |lower: &str, upper: &str| {
            let found = std::env::var(lower).or_else(|_| std::env::var(upper));
            found.unwrap_or_default()
        };
        Self::parse(
            &variable("https_proxy", "HTTPS_PROXY"),
            &variable("http_proxy", "HTTP_PROXY"),
            &variable("no_proxy", "NO_PROXY"),
        )
    }

    /// Those of three variables; an empty one says nothing. What is no proxy is told to whoever would go through it.
    pub fn parse(https: &str, http: &str, exceptions: &str) -> Self {
        let proxy = |text: &str| (!text.trim().is_empty()).then(|| parse_proxy(text.trim()));
        let exceptions = exceptions
            .split(',')
            .map(str::trim)
            .filter(|text| !text.is_empty());
        Self {
            https: proxy(https),
            http: proxy(http),
            exceptions: exceptions.filter_map(parse_exception).collect(),
        }
    }

    /// The proxy on the way to somebody, if there is one. This machine is never reached through one.
    pub(super) fn on_the_way_to(&self, origin: &Origin) -> Result<Option<&Proxy>, &'static str> {
        let proxy = if origin.is_tls { &self.https } else { &self.http };
        let Some(proxy) = proxy else { return Ok(None) };
        let of_address = origin.address().and_then(place::of_address);
        let is_here = of_address.or_else(|| place::of_name(&origin.host)) == Some(place::Place::Loopback);
        if is_here || self.exceptions.iter().any(|exception| exception.covers(origin)) {
            return Ok(None);
        }
        proxy.as_ref().map(Some).map_err(|reason| *reason)
    }
}

/// Without the credentials.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({}:{})", self.host, self.port)
    }
}

fn parse_proxy(text: &str) -> Result<Proxy, &'static str> {
    let rest = match text.split_once("://") {
        Some(("http", rest)) => rest,
        Some(_) => {
            return Err("it is to be an `http://` URL: proxies that speak TLS or SOCKS are not supported");
        }
        None => text,
    };
    let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (user, authority) = match rest.rsplit_once('@') {
        Some((user, authority)) => (Some(user), authority),
        None => (None, rest),
    };
    let authority: http::uri::Authority = authority.parse().map_err(|_| "its URL has no host")?;
    let host = authority.host();
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    if host.is_empty() {
        return Err("its URL has no host");
    }
    let authorization = user.map(|user| {
        let user: Vec<u8> = match user.split_once(':') {
            Some((name, password)) => [decoded(name), b":".to_vec(), decoded(password)].concat(),
            None => [decoded(user), b":".to_vec()].concat(),
        };
        format!("Basic {}", BASE64_STANDARD.encode(user))
    });
    Ok(Proxy {
        host: host.to_owned(),
        port: authority.port_u16().unwrap_or(80),
        authorization,
    })
}

fn decoded(text: &str) -> Vec<u8> {
    percent_decode_str(text).collect()
}

fn parse_exception(text: &str) -> Option<Exception> {
    if text == "*" {
        return Some(Exception::All);
    }
    if let Some((address, bits)) = text.split_once('/') {
        let address: IpAddr = address.parse().ok()?;
        let bits: u8 = bits.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        return (bits <= most).then_some(Exception::Network { address, bits });
    }
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        return Some(Exception::Network { address, bits });
    }
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => (name, Some(port.parse().ok()?)),
        None => (text, None),
    };
    let name = name.strip_prefix('*').unwrap_or(name).to_ascii_lowercase();
    Some(Exception::Domain { name, port })
}

impl Exception {
    fn covers(&self, origin: &Origin) -> bool {
        match self {
            Self::All => true,
            Self::Network { address, bits } => origin
                .address()
                .is_some_and(|other| first_bits(other, *bits) == first_bits(*address, *bits)),
            Self::Domain { name, port } => {
                let is_port = port.is_none_or(|port| port == origin.port);
                let host = origin.host.trim_end_matches('.');
                let below = match name.strip_prefix('.') {
                    Some(_) => host.ends_with(name.as_str()),
                    None => {
                        host == name
                            || host
                                .strip_suffix(name.as_str())
                                .is_some_and(|rest| rest.ends_with('.'))
                    }
                };
                is_port && !name.is_empty() && below
            }
        }
    }
}

/// The first bits of an address, and which kind of address it is.
fn first_bits(address: IpAddr, bits: u8) -> (bool, u128) {
    match address {
        IpAddr::V4(address) => {
            let whole = u128::from(u32::from(address));
            (true, whole.checked_shr(32 - u32::from(bits).min(32)).unwrap_or(0))
        }
        IpAddr::V6(address) => {
            let shift = 128 - u32::from(bits).min(128);
            (false, u128::from(address).checked_shr(shift).unwrap_or(0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::url::Url;
    use super::*;

    fn origin(text: &str) -> Origin {
        Url::parse(text).unwrap().origin
    }

    fn way<'p>(proxies: &'p Proxies, to: &str) -> Option<&'p Proxy> {
        proxies.on_the_way_to(&origin(to)).unwrap()
    }

    #[test]
    fn proxies_are_by_scheme_and_may_have_credentials() {
        let proxies = Proxies::parse("http://us%40er:p%3Aw@proxy.example:3128/", "proxy.example", "");
        let https = way(&proxies, "https://registry.example/").unwrap();
        assert_eq!((https.host.as_str(), https.port), ("proxy.example", 3128));
        assert_eq!(https.authorization.as_deref(), Some("Basic dXNAZXI6cDp3"));
        assert_eq!(format!("{https:?}"), "Proxy(proxy.example:3128)");
        let http = way(&proxies, "http://registry.example/").unwrap();
        assert_eq!((http.host.as_str(), http.port), ("proxy.example", 80));
        assert_eq!(way(&Proxies::default(), "https://registry.example/"), None);
    }

    #[test]
    fn exceptions_are_reached_directly() {
        let proxies = Proxies::parse(
            "proxy.example:3128",
            "",
            "internal.example, .corp.example,10.0.0.0/8,192.168.7.7,[fd00::1],ported.example:5000, ,*.star.example",
        );
        for (direct, to) in [
            (true, "https://internal.example/"),
            (true, "https://a.internal.example/"),
            (false, "https://notinternal.example/"),
            (true, "https://a.corp.example/"),
            (false, "https://corp.example/"),
            (true, "https://10.1.2.3/"),
            (false, "https://11.1.2.3/"),
            (true, "https://192.168.7.7:5000/"),
            (true, "https://[fd00::1]/"),
            (false, "https://[fd00::2]/"),
            (true, "https://ported.example:5000/"),
            (false, "https://ported.example/"),
            (true, "https://a.star.example/"),
            (true, "https://localhost:5000/"),
            (true, "https://127.0.0.1:5000/"),
            (false, "https://registry.example/"),
        ] {
            assert_eq!(way(&proxies, to).is_none(), direct, "{to}");
        }
        let none = Proxies::parse("proxy.example:3128", "", "*");
        assert_eq!(way(&none, "https://registry.example/"), None);
    }

    #[test]
    fn what_is_no_proxy_is_told_when_it_is_needed() {
        for text in [
            "socks5://proxy.example",
            "https://proxy.example",
            "http://",
            "http://a b",
        ] {
            let proxies = Proxies::parse(text, "", "internal.example");
            assert!(
                proxies
                    .on_the_way_to(&origin("https://registry.example/"))
                    .is_err(),
                "{text}"
            );
            assert_eq!(way(&proxies, "https://internal.example/"), None);
        }
    }
}
