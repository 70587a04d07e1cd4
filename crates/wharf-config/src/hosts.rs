//! Host patterns, by which routes choose requests.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// Which hosts a route is for: any (`*`), all below a domain (`*.example.com`), or one (`example.com`, `[::1]`).
///
/// Upper and lower case are the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// `*`: every host, and requests without one.
    Any,
    /// `*.example.com`: every name that ends in what is kept here, `.example.com`, in lower case; at any depth, but
    /// not `example.com` itself.
    Below(String),
    /// One host, in lower case.
    Exact(String),
}

impl HostPattern {
    /// Whether a request for this host is meant. The host may be followed by a port, which is ignored, and may end in
    /// a dot, which is ignored too.
    pub fn matches(&self, authority: &str) -> bool {
        let host = without_port(authority);
        let host = host.strip_suffix('.').unwrap_or(host);
        match self {
            Self::Any => true,
            Self::Exact(exact) => host.eq_ignore_ascii_case(exact),
            Self::Below(suffix) => {
                let start = host.len().checked_sub(suffix.len());
                start.is_some_and(|start| {
                    start > 0 && host.as_bytes()[start..].eq_ignore_ascii_case(suffix.as_bytes())
                })
            }
        }
    }

    /// Whether every host that `other` means is meant by this pattern too.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (_, Self::Any) => false,
            (_, Self::Exact(host)) => self.matches(host),
            (Self::Below(suffix), Self::Below(longer)) => longer.ends_with(suffix.as_str()),
            (Self::Exact(_), Self::Below(_)) => false,
        }
    }
}

/// The host of `host`, `host:port`, `[address]` or `[address]:port`.
fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port))
            if port.bytes().all(|byte| byte.is_ascii_digit())
                && (!host.contains(':') || host.ends_with(']')) =>
        {
            host
        }
        _ => authority,
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Below(suffix) => write!(f, "*{suffix}"),
            Self::Exact(host) => f.write_str(host),
        }
    }
}

impl FromStr for HostPattern {
    type Err = HostPatternError;

    fn from_str(text: &str) -> Result<Self, HostPatternError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let refuse = |reason: String| HostPatternError { reason };
        if text.parse::<Ipv6Addr>().is_ok() {
            return Err(refuse(format!(
                "an IPv6 address stands between brackets: `[{text}]`"
            )));
        }
        if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let address: Ipv6Addr = address
                .parse()
                .map_err(|_| refuse("between the brackets is no IPv6 address".to_owned()))?;
            return Ok(Self::Exact(format!("[{address}]")));
        }
        if text.contains("://") {
            return Err(refuse("a host has no scheme in front".to_owned()));
        }
        if text.contains(':') {
            return Err(refuse(
                "the port is not part of it, requests to every port are meant".to_owned(),
            ));
        }
        let (below, name) = text.strip_prefix("*.").map_or((false, text), |name| (true, name));
        if name.contains('*') {
            return Err(refuse(
                "a `*` stands for itself or in front, as in `*.example.com`".to_owned(),
            ));
        }
        check_host_name(name).map_err(refuse)?;
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        Ok(if below {
            Self::Below(format!(".{name}"))
        } else {
            Self::Exact(name)
        })
    }
}

/// A text that is no host pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct HostPatternError {
    reason: String,
}

/// Why a text cannot be the name of a host.
pub(crate) fn check_host_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("the host is empty".to_owned());
    }
    if !name.is_ascii() {
        return Err("a host is written in ASCII; other names in their `xn--` form".to_owned());
    }
    if name.len() > 253 {
        return Err("a host has at most 253 characters".to_owned());
    }
    if let Some(bad) = name
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.'))
    {
        return Err(format!("a host cannot contain {bad:?}"));
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.split('.').any(|label| label.is_empty() || label.len() > 63) {
        return Err("each part of a host between its dots has 1 to 63 characters".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> HostPattern {
        text.parse().unwrap()
    }

    #[test]
    fn patterns_match_hosts_without_regard_to_case_and_port() {
        for (text, host, matches) in [
            ("*", "", true),
            ("*", "anything:80", true),
            ("example.com", "example.com", true),
            ("Example.COM", "eXAMPLE.com:8080", true),
            ("example.com", "example.com.", true),
            ("example.com", "www.example.com", false),
            ("example.com", "", false),
            ("*.example.com", "www.example.com", true),
            ("*.example.com", "A.B.Example.com:1", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*.example.com", "notexample.com", false),
            ("*.example.com", "é.example.com", true),
            ("*.example.com", "éxample.com", false),
            ("[::1]", "[::1]:80", true),
            ("[0:0::1]", "[::1]", true),
            ("127.0.0.1", "127.0.0.1:9", true),
            ("example.com", "example.com:x", false),
        ] {
            assert_eq!(pattern(text).matches(host), matches, "{text} {host}");
        }
    }

    #[test]
    fn patterns_cover_what_they_match() {
        for (text, other, covers) in [
            ("*", "*", true),
            ("*", "a.b", true),
            ("*.b", "*", false),
            ("*.b", "a.b", true),
            ("*.b", "b", false),
            ("*.b", "*.a.b", true),
            ("*.b", "*.b", true),
            ("*.a.b", "*.b", false),
            ("a.b", "a.b", true),
            ("a.b", "*.b", false),
        ] {
            assert_eq!(pattern(text).covers(&pattern(other)), covers, "{text} {other}");
        }
    }

    #[test]
    fn bad_patterns_say_why() {
        let long = "a.".repeat(127) + "a";
        let reasons: Vec<String> = [
            "",
            "*.",
            "*example.com",
            "a.*.b",
            "example.com:80",
            "::1",
            "[x]",
            "a..b",
            "a b",
            "http://a",
            "bücher.de",
            long.as_str(),
            "a/b",
        ]
        .into_iter()
        .map(|text| text.parse::<HostPattern>().unwrap_err().to_string())
        .collect();
        expect_test::expect![[r#"
            the host is empty
            the host is empty
            a `*` stands for itself or in front, as in `*.example.com`
            a `*` stands for itself or in front, as in `*.example.com`
            the port is not part of it, requests to every port are meant
            an IPv6 address stands between brackets: `[::1]`
            between the brackets is no IPv6 address
            each part of a host between its dots has 1 to 63 characters
            a host cannot contain ' '
            a host has no scheme in front
            a host is written in ASCII; other names in their `xn--` form
            a host has at most 253 characters
            a host cannot contain '/'"#]]
        .assert_eq(&reasons.join("\n"));
    }
}
