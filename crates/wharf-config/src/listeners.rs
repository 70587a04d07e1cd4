//! `proxy.listeners`: the addresses at which requests come in.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use wharf_plugin::ByteSize;

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::{Complaint, quoted};
use crate::routes::{ROUTE, RouteConfig, decode_routes};
use crate::table::{ADDRESS, Field, Kind, NAME, Presence, Section, milliseconds, seconds};

/// An address at which requests come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerConfig {
    /// The name in logs and metrics. Default: `listener-` and the place in the list from 0.
    pub name: String,
    /// Where it listens. Port 0 lets the system choose one.
    pub bind: SocketAddr,
    /// The routes, tried in order; at least one.
    pub routes: Vec<RouteConfig>,
    /// What clients may send.
    pub limits: HttpLimits,
}

/// What clients of a listener may send, and how long they may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpLimits {
    /// The request line and all headers together; more is answered with 431. Default: 60KiB.
    pub header_bytes: ByteSize,
    /// The number of headers; more is answered with 431. Default: 100.
    pub header_count: usize,
    /// What is kept of a body while a filter wants to see the whole of it; more is answered with 413. Default: 1MiB.
    pub body_buffer: ByteSize,
    /// The time from the first byte of a request to the end of its headers. Default: 10s.
    pub request_header_timeout: Duration,
    /// How long a connection is kept that has no request. Default: 60s.
    pub idle_timeout: Duration,
    /// How long a body may stand still. Default: 30s.
    pub body_idle_timeout: Duration,
}

/// One listener.
pub(crate) static LISTENER: Section = Section {
    id: "listener",
    doc: "An address at which requests come in.",
    fields: &[
        Field {
            key: "name",
            kind: NAME,
            presence: Presence::Absent("`listener-` and the place in the list, such as `listener-0`"),
            doc: "The name in logs and metrics: letters, digits and, after the first, `-`, `_`, `.` and `/`, at most 63.",
        },
        Field {
            key: "bind",
            kind: ADDRESS,
            presence: Presence::Required,
            doc: "The address and port to listen on; `0.0.0.0` or `[::]` for all addresses, port 0 for any free one.",
        },
        Field {
            key: "routes",
            kind: Kind::List {
                item: &Kind::Section(&ROUTE),
                min: 1,
            },
            presence: Presence::Required,
            doc: "Which request goes where, tried in order.",
        },
        Field {
            key: "limits",
            kind: Kind::Section(&HTTP_LIMITS),
            presence: Presence::Absent("the defaults of each limit"),
            doc: "What clients may send.",
        },
    ],
};

/// What clients may send.
static HTTP_LIMITS: Section = Section {
    id: "httpLimits",
    doc: "What clients of a listener may send, and how long they may take.",
    fields: &[
        Field {
            key: "headerBytes",
            kind: Kind::Size {
                min: ByteSize::from_kib(1),
                max: ByteSize::from_mib(1),
            },
            presence: Presence::Default("60KiB"),
            doc: "The request line and all headers together. More is answered with 431.",
        },
        Field {
            key: "headerCount",
            kind: Kind::Integer { min: 1, max: 10_000 },
            presence: Presence::Default("100"),
            doc: "The number of headers. More is answered with 431.",
        },
        Field {
            key: "bodyBuffer",
            kind: Kind::Size {
                min: ByteSize::from_bytes(0),
                max: ByteSize::from_gib(1),
            },
            presence: Presence::Default("1MiB"),
            doc: "What is kept of a body while a filter wants to see the whole of it. More is answered with 413. Bodies that \
                  no filter holds back may have any size.",
        },
        Field {
            key: "requestHeaderTimeout",
            kind: Kind::Duration {
                min: milliseconds(1),
                max: seconds(3600),
            },
            presence: Presence::Default("10s"),
            doc: "The time from the first byte of a request to the end of its headers.",
        },
        Field {
            key: "idleTimeout",
            kind: Kind::Duration {
                min: milliseconds(1),
                max: seconds(86_400),
            },
            presence: Presence::Default("60s"),
            doc: "How long a connection is kept that has no request.",
        },
        Field {
            key: "bodyIdleTimeout",
            kind: Kind::Duration {
                min: milliseconds(1),
                max: seconds(86_400),
            },
            presence: Presence::Default("30s"),
            doc: "How long a body may stand still.",
        },
    ],
};

/// The addresses that are taken so far, by port.
#[derive(Default)]
pub(crate) struct Bound(HashMap<u16, Vec<(SocketAddr, String, Range<usize>)>>);

/// The listeners; what is wrong with them is reported.
pub(crate) fn decode_listeners(
    cx: &mut Context<'_>,
    proxy: &Fields<'_>,
    bound: &mut Bound,
) -> Vec<ListenerConfig> {
    let mut listeners = Vec::new();
    let mut names: HashMap<String, Range<usize>> = HashMap::new();
    for (index, item) in proxy.list(cx, "listeners").unwrap_or_default().iter().enumerate() {
        let Some(fields) = Fields::open(cx, item, &LISTENER) else {
            continue;
        };
        let name = decode_listener_name(cx, &fields, index, item, &mut names);
        let what = format!("listener {}", quoted(name.as_deref().unwrap_or_default()));
        let bind = decode_bind(cx, &fields, &what, bound);
        let routes = decode_routes(cx, &fields, name.as_deref());
        let limits = decode_http_limits(cx, &fields);
        let listener = name.zip(bind).zip(limits);
        listeners.extend(listener.map(|((name, bind), limits)| ListenerConfig {
            name,
            bind,
            routes,
            limits,
        }));
    }
    listeners
}

fn decode_listener_name(
    cx: &mut Context<'_>,
    fields: &Fields<'_>,
    index: usize,
    item: &Item<'_>,
    names: &mut HashMap<String, Range<usize>>,
) -> Option<String> {
    let (name, span) = match fields.item("name") {
        Some(item) => (check_name(cx, item, &NAME)?, item.span()),
        None => (format!("listener-{index}"), item.at.clone()),
    };
    if let Some(first) = names.get(&name) {
        let complaint = Complaint::new(span, format!("two listeners are called {}", quoted(&name)));
        cx.error(
            complaint
                .related(first.clone(), "the first of them")
                .hint("give one of them another name"),
        );
    } else {
        names.insert(name.clone(), span);
    }
    Some(name)
}

/// A name that stands in logs and metrics.
pub(crate) fn check_name(cx: &mut Context<'_>, item: &Item<'_>, kind: &Kind) -> Option<String> {
    let name = item.text(cx, kind)?;
    let first = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    let rest = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
    if first && rest && name.len() <= 63 {
        return Some(name.to_owned());
    }
    let hint = "a name has letters, digits and, after the first, `-`, `_`, `.` and `/`, at most 63";
    cx.error(Complaint::new(item.span(), format!("{} cannot be a name", quoted(name))).hint(hint));
    None
}

/// The `bind` of a section, if it can be used and nothing else listens there. `what` names who listens.
pub(crate) fn decode_bind(
    cx: &mut Context<'_>,
    fields: &Fields<'_>,
    what: &str,
    bound: &mut Bound,
) -> Option<SocketAddr> {
    let item = fields.item("bind")?;
    let text = item.text(cx, &ADDRESS)?;
    let Ok(address) = text.parse::<SocketAddr>() else {
        let message = format!("{} is not an address and a port", quoted(text));
        cx.error(Complaint::new(item.span(), message).hint(address_hint(text)));
        return None;
    };
    if let Some(complaint) = bound.take(address, what, item.span()) {
        cx.error(complaint);
    }
    Some(address)
}

fn address_hint(text: &str) -> String {
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    match host {
        "" if port.parse::<u16>().is_ok() => {
            format!("write `0.0.0.0:{port}` for all addresses, `127.0.0.1:{port}` for this machine")
        }
        "localhost" if port.parse::<u16>().is_ok() => format!("write `127.0.0.1:{port}`"),
        _ if text.parse::<std::net::Ipv6Addr>().is_ok() => format!("write `[{text}]:8080`"),
        _ if text.parse::<std::net::IpAddr>().is_ok() => format!("add the port: `{text}:8080`"),
        _ if host.parse::<std::net::Ipv4Addr>().is_ok() => "a port is a number from 0 to 65535".to_owned(),
        _ => {
            "write an IP address and a port, for example `127.0.0.1:8080`; names are not looked up".to_owned()
        }
    }
}

impl Bound {
    /// Notes that somebody listens there; a complaint where somebody else does already.
    fn take(&mut self, address: SocketAddr, what: &str, span: Range<usize>) -> Option<Complaint> {
        // Port 0 is another free port each time.
        if address.port() == 0 {
            return None;
        }
        let others = self.0.entry(address.port()).or_default();
        if let Some((other, other_what, other_span)) =
            others.iter().find(|(other, ..)| collide(*other, address))
        {
            let complaint = Complaint::new(
                span,
                format!("{what} cannot listen on {address}: {other_what} listens on {other}"),
            );
            return Some(
                complaint
                    .related(other_span.clone(), "taken here")
                    .hint("give one of them another port"),
            );
        }
        others.push((address, what.to_owned(), span));
        None
    }
}

/// Whether two sockets cannot both be had. All addresses of IPv6 take those of IPv4 too.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let takes_all =
        |all: SocketAddr, some: SocketAddr| all.ip().is_unspecified() && (all.is_ipv6() || some.is_ipv4());
    one.ip() == other.ip() || takes_all(one, other) || takes_all(other, one)
}

fn decode_http_limits(cx: &mut Context<'_>, listener: &Fields<'_>) -> Option<HttpLimits> {
    let fields = listener.section(cx, "limits")?;
    let header_bytes = fields.size(cx, "headerBytes");
    let header_count = fields.integer(cx, "headerCount");
    let body_buffer = fields.size(cx, "bodyBuffer");
    let request_header_timeout = fields.duration(cx, "requestHeaderTimeout");
    let idle_timeout = fields.duration(cx, "idleTimeout");
    let body_idle_timeout = fields.duration(cx, "bodyIdleTimeout");
    Some(HttpLimits {
        header_bytes: header_bytes?,
        header_count: usize::try_from(header_count?).ok()?,
        body_buffer: body_buffer?,
        request_header_timeout: request_header_timeout?,
        idle_timeout: idle_timeout?,
        body_idle_timeout: body_idle_timeout?,
    })
}

#[cfg(test)]
mod tests {
    use super::collide;

    #[test]
    fn sockets_collide_where_the_system_would_refuse_the_second() {
        for (one, other, refused) in [
            ("127.0.0.1:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "127.0.0.2:1", false),
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "0.0.0.0:1", true),
            ("[::]:1", "127.0.0.1:1", true),
            ("[::]:1", "[::1]:1", true),
            ("0.0.0.0:1", "[::]:1", true),
            ("0.0.0.0:1", "[::1]:1", false),
            ("[::1]:1", "127.0.0.1:1", false),
        ] {
            assert_eq!(
                collide(one.parse().unwrap(), other.parse().unwrap()),
                refused,
                "{one} {other}"
            );
        }
    }
}
