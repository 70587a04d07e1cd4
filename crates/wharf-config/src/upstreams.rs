//! `proxy.upstreams`: where requests go in the end.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::{Complaint, quoted};
use crate::hosts::check_host_name;
use crate::nearest::nearest;
use crate::table::{Field, Kind, Presence, Section, TEXT, TextRule, milliseconds, seconds};

/// Where requests go, or what answers them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamConfig {
    /// Wharf answers by itself.
    Respond {
        /// The status. Default: 200.
        status: u16,
        /// The headers, names in lower case, in the order of the file. `content-length` is not among them.
        headers: Vec<(String, String)>,
        /// The body. Default: empty.
        body: String,
    },
    /// Servers that speak HTTP/1.1.
    Endpoints(EndpointsConfig),
}

/// Servers that can all answer the same requests, and how they are talked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointsConfig {
    /// `host:port` each, at least one; a host is an IP address (IPv6 between brackets) or a name. Requests go to them in turn.
    pub endpoints: Vec<String>,
    /// The time that connecting may take. Default: 1s.
    pub connect_timeout: Duration,
    /// The time until the response's headers are there. Zero for no limit. Default: 15s.
    pub request_timeout: Duration,
    /// How long a connection is kept that nobody uses. Default: 60s.
    pub idle_timeout: Duration,
    /// How many unused connections each worker keeps for each endpoint. Default: 32.
    pub max_idle: usize,
}

/// An upstream that answers by itself.
pub(crate) static RESPONDING: Section = Section {
    id: "respondingUpstream",
    doc: "An upstream without a server: Wharf answers by itself.",
    fields: &[Field {
        key: "respond",
        kind: Kind::Section(&RESPOND),
        presence: Presence::Required,
        doc: "The answer.",
    }],
};

static RESPOND: Section = Section {
    id: "respond",
    doc: "A fixed answer.",
    fields: &[
        Field {
            key: "status",
            kind: Kind::Integer { min: 200, max: 599 },
            presence: Presence::Default("200"),
            doc: "The status.",
        },
        Field {
            key: "headers",
            kind: Kind::Map {
                key: "header",
                value: &Kind::TextOrNumber,
            },
            presence: Presence::Absent("none"),
            doc: "The headers. Those that say how the message is framed, such as `content-length`, are added by Wharf and \
                  cannot be given.",
        },
        Field {
            key: "body",
            kind: TEXT,
            presence: Presence::Default(""),
            doc: "The body.",
        },
    ],
};

/// An upstream of servers.
pub(crate) static ENDPOINTS: Section = Section {
    id: "endpointsUpstream",
    doc: "An upstream of one or more servers that speak HTTP/1.1.",
    fields: &[
        Field {
            key: "endpoints",
            kind: Kind::List {
                item: &ENDPOINT,
                min: 1,
            },
            presence: Presence::Required,
            doc: "The servers, each as `host:port`. Requests go to them in turn.",
        },
        Field {
            key: "connectTimeout",
            kind: Kind::Duration {
                min: milliseconds(1),
                max: seconds(3600),
            },
            presence: Presence::Default("1s"),
            doc: "The time that connecting may take.",
        },
        Field {
            key: "requestTimeout",
            kind: Kind::Duration {
                min: Duration::ZERO,
                max: seconds(86_400),
            },
            presence: Presence::Default("15s"),
            doc: "The time until the headers of the response are there; `0s` for no limit.",
        },
        Field {
            key: "idleTimeout",
            kind: Kind::Duration {
                min: milliseconds(1),
                max: seconds(86_400),
            },
            presence: Presence::Default("60s"),
            doc: "How long a connection is kept that nobody uses.",
        },
        Field {
            key: "maxIdle",
            kind: Kind::Integer { min: 0, max: 65_536 },
            presence: Presence::Default("32"),
            doc: "How many unused connections each worker keeps for each endpoint.",
        },
    ],
};

static ENDPOINT: Kind = Kind::Text(TextRule {
    what: "a host and a port such as `127.0.0.1:9000`",
    pattern: "^[^/@\\s]+:[0-9]{1,5}$",
    example: "127.0.0.1:9000",
});

/// All upstreams that can be read; what is wrong with the others is reported.
pub(crate) fn decode_upstreams(
    cx: &mut Context<'_>,
    proxy: &Fields<'_>,
) -> BTreeMap<String, Arc<UpstreamConfig>> {
    let mut upstreams = BTreeMap::new();
    for (entry, item) in proxy.map(cx, "upstreams").unwrap_or_default() {
        if entry.key.is_empty()
            || entry.key.len() > 255
            || !entry.key.bytes().all(|byte| byte.is_ascii_graphic())
        {
            let message = format!("{} cannot be the name of an upstream", quoted(&entry.key));
            let hint = "a name has 1 to 255 visible ASCII characters and no spaces";
            cx.error(Complaint::new(entry.key_span.clone(), message).hint(hint));
        }
        let upstream = decode_upstream(cx, &item);
        upstreams.extend(upstream.map(|upstream| (entry.key.clone(), Arc::new(upstream))));
    }
    upstreams
}

fn decode_upstream(cx: &mut Context<'_>, item: &Item<'_>) -> Option<UpstreamConfig> {
    match (item.peek("respond"), item.peek("endpoints")) {
        (Some(respond), Some(endpoints)) => {
            let complaint = Complaint::new(
                endpoints.at,
                "an upstream either answers by itself or has endpoints, not both",
            );
            cx.error(
                complaint
                    .related(respond.at, "the answer is given here")
                    .hint("remove `respond` or `endpoints`"),
            );
            None
        }
        (None, None) if item.keys().is_empty() && item.is_mapping() => {
            let message = format!(
                "the upstream {} has neither `endpoints` nor `respond`",
                quoted(&item.path)
            );
            cx.error(
                Complaint::new(item.at.clone(), message)
                    .hint("add for example `endpoints: [\"127.0.0.1:9000\"]`"),
            );
            None
        }
        (None, None)
            if item
                .keys()
                .iter()
                .any(|key| nearest(key, ["endpoints", "respond"]) == Some("respond")) =>
        {
            Fields::open(cx, item, &RESPONDING);
            None
        }
        (Some(_), None) => {
            let fields = Fields::open(cx, item, &RESPONDING)?;
            decode_respond(cx, &fields)
        }
        (None, _) => {
            let fields = Fields::open(cx, item, &ENDPOINTS)?;
            decode_endpoints(cx, &fields).map(UpstreamConfig::Endpoints)
        }
    }
}

fn decode_respond(cx: &mut Context<'_>, upstream: &Fields<'_>) -> Option<UpstreamConfig> {
    let fields = upstream.section(cx, "respond")?;
    let status = fields.integer(cx, "status");
    let headers = decode_headers(cx, &fields);
    let body = fields.text(cx, "body");
    let (status, body) = (u16::try_from(status?).ok()?, body?);
    let bodiless = StatusCode::NO_CONTENT == status || StatusCode::NOT_MODIFIED == status || status == 205;
    if bodiless && !body.is_empty() {
        let span = fields.item("body").map(Item::span).unwrap_or_default();
        cx.error(
            Complaint::new(span, format!("an answer with status {status} cannot have a body"))
                .hint("remove the body"),
        );
    }
    Some(UpstreamConfig::Respond {
        status,
        headers: headers?,
        body,
    })
}

/// Headers by which a message says where it ends or how the connection goes on, which only Wharf can know.
const FRAMING_HEADERS: [&str; 8] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

fn decode_headers(cx: &mut Context<'_>, respond: &Fields<'_>) -> Option<Vec<(String, String)>> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for (entry, item) in respond.map(cx, "headers")? {
        let value = item.text(cx, &Kind::TextOrNumber);
        let Ok(name) = HeaderName::from_bytes(entry.key.as_bytes()) else {
            let message = format!("{} cannot be the name of a header", quoted(&entry.key));
            cx.error(
                Complaint::new(entry.key_span.clone(), message)
                    .hint("a name is made of letters, digits and `-`"),
            );
            continue;
        };
        if FRAMING_HEADERS.contains(&name.as_str()) {
            let message = format!("the header `{name}` is set by Wharf itself");
            cx.error(Complaint::new(entry.key_span.clone(), message).hint("remove it"));
        }
        if headers
            .iter()
            .take(MANY_HEADERS)
            .any(|(given, _)| given == name.as_str())
        {
            let message = format!("the header `{name}` is given twice: upper and lower case are the same");
            cx.error(Complaint::new(entry.key_span.clone(), message).hint("remove one of the two"));
        }
        let Some(value) = value else { continue };
        if HeaderValue::from_str(value).is_err() || value.trim() != value {
            let message = format!("{} cannot be the value of a header", quoted(value));
            let hint = "a value is one line of visible ASCII characters, with no spaces around it";
            cx.error(Complaint::new(item.span(), message).hint(hint));
        }
        headers.push((name.as_str().to_owned(), value.to_owned()));
    }
    Some(headers)
}

/// So many headers are compared for being given twice; an answer with more is refused by every client anyway.
const MANY_HEADERS: usize = 1_000;

fn decode_endpoints(cx: &mut Context<'_>, fields: &Fields<'_>) -> Option<EndpointsConfig> {
    let items = fields.list(cx, "endpoints");
    let connect_timeout = fields.duration(cx, "connectTimeout");
    let request_timeout = fields.duration(cx, "requestTimeout");
    let idle_timeout = fields.duration(cx, "idleTimeout");
    let max_idle = fields.integer(cx, "maxIdle");
    let mut endpoints = Vec::new();
    // A missing list was reported when the section was opened; an empty one here is never used.
    for item in items.unwrap_or_default() {
        let Some(text) = item.text(cx, &ENDPOINT) else {
            continue;
        };
        match check_endpoint(text) {
            Ok(()) => endpoints.push(text.to_owned()),
            Err((reason, hint)) => {
                cx.error(
                    Complaint::new(
                        item.span(),
                        format!("{} is not an endpoint: {reason}", quoted(text)),
                    )
                    .hint(hint),
                );
            }
        }
    }
    Some(EndpointsConfig {
        endpoints,
        connect_timeout: connect_timeout?,
        request_timeout: request_timeout?,
        idle_timeout: idle_timeout?,
        max_idle: usize::try_from(max_idle?).ok()?,
    })
}

/// Why a text is no `host:port`, and what to write.
fn check_endpoint(text: &str) -> Result<(), (String, String)> {
    let without_scheme = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    if let Some(rest) = without_scheme {
        let rest = rest.trim_end_matches('/');
        return Err((
            "it has a scheme".to_owned(),
            format!("write only the host and the port: `{rest}`"),
        ));
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(("the port is missing".to_owned(), format!("write `[{text}]:80`")));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        let hint = match text.parse::<u16>() {
            Ok(port) => format!("write `127.0.0.1:{port}`"),
            Err(_) => format!("write `{text}:80`"),
        };
        return Err(("it is to be a host and a port".to_owned(), hint));
    };
    if !matches!(port.parse::<u16>(), Ok(1..)) || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err((
            format!("`{port}` is not a port"),
            "a port is a number from 1 to 65535".to_owned(),
        ));
    }
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match address {
        Some(address) if address.parse::<Ipv6Addr>().is_ok() => Ok(()),
        Some(_) => Err((
            "between the brackets is no IPv6 address".to_owned(),
            "write for example `[::1]:9000`".to_owned(),
        )),
        None if host.parse::<IpAddr>().is_ok_and(|address| address.is_ipv4()) => Ok(()),
        None => {
            check_host_name(host).map_err(|reason| (reason, "write for example `127.0.0.1:9000`".to_owned()))
        }
    }
}
