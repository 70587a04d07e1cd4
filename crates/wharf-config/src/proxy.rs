//! `proxy`: listeners and upstreams, and what concerns the proxy as a whole.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::Complaint;
use crate::listeners::{Bound, LISTENER, ListenerConfig, decode_listeners};
use crate::table::{Field, Kind, PATH, Presence, Section, seconds};
use crate::upstreams::{ENDPOINTS, RESPONDING, UpstreamConfig, decode_upstreams};

/// The reverse proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyConfig {
    /// The number of workers, each with its own thread, listening sockets and VMs. Default: the number of cores.
    pub workers: NonZeroUsize,
    /// Where requests come in; at least one.
    pub listeners: Vec<ListenerConfig>,
    /// Where requests go, by name.
    pub upstreams: BTreeMap<String, Arc<UpstreamConfig>>,
}

/// Where the access log goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AccessLog {
    /// One line of JSON for each request on standard output. The default.
    #[default]
    Stdout,
    /// Nowhere.
    Off,
    /// One line of JSON for each request, appended to this file.
    File(PathBuf),
}

/// The proxy.
pub(crate) static PROXY: Section = Section {
    id: "proxy",
    doc: "The reverse proxy.",
    fields: &[
        Field {
            key: "workers",
            kind: Kind::Integer { min: 1, max: 1024 },
            presence: Presence::Absent("the number of cores"),
            doc: "The number of workers. Each has its own thread, listening sockets, VMs and upstream connections.",
        },
        Field {
            key: "drainTimeout",
            kind: Kind::Duration {
                min: Duration::ZERO,
                max: seconds(86_400),
            },
            presence: Presence::Default("30s"),
            doc: "How long requests that are under way may take to finish after SIGTERM.",
        },
        Field {
            key: "accessLog",
            kind: Kind::Either(&[Kind::Choice(&["stdout", "off"]), Kind::Section(&ACCESS_LOG_FILE)]),
            presence: Presence::Default("stdout"),
            doc: "Where the access log goes, one line of JSON for each request.",
        },
        Field {
            key: "listeners",
            kind: Kind::List {
                item: &Kind::Section(&LISTENER),
                min: 1,
            },
            presence: Presence::Required,
            doc: "Where requests come in.",
        },
        Field {
            key: "upstreams",
            kind: Kind::Map {
                key: "name",
                value: &Kind::Either(&[Kind::Section(&ENDPOINTS), Kind::Section(&RESPONDING)]),
            },
            presence: Presence::Absent("none"),
            doc: "Where requests go.",
        },
    ],
};

/// An access log in a file.
static ACCESS_LOG_FILE: Section = Section {
    id: "accessLogFile",
    doc: "An access log in a file.",
    fields: &[Field {
        key: "file",
        kind: PATH,
        presence: Presence::Required,
        doc: "The file, relative to the directory of the configuration file. Lines are appended.",
    }],
};

/// What the section says, which the configuration keeps in three places.
pub(crate) struct DecodedProxy {
    pub(crate) proxy: Option<ProxyConfig>,
    pub(crate) access_log: Option<AccessLog>,
    pub(crate) drain_timeout: Option<Duration>,
}

/// The proxy, or the defaults of what concerns the process where there is none.
pub(crate) fn decode_proxy(cx: &mut Context<'_>, item: Option<&Item<'_>>, bound: &mut Bound) -> DecodedProxy {
    let fields = match item {
        Some(item) => Fields::open(cx, item, &PROXY),
        None => Some(Fields::absent(&PROXY)),
    };
    let Some(fields) = fields else {
        return DecodedProxy {
            proxy: None,
            access_log: None,
            drain_timeout: None,
        };
    };
    let access_log = decode_access_log(cx, &fields);
    let drain_timeout = fields.duration(cx, "drainTimeout");
    let workers = decode_workers(cx, &fields);
    let upstreams = decode_upstreams(cx, &fields);
    let listeners = decode_listeners(cx, &fields, bound);
    let proxy = item.and(workers).map(|workers| ProxyConfig {
        workers,
        listeners,
        upstreams,
    });
    DecodedProxy {
        proxy,
        access_log,
        drain_timeout,
    }
}

fn decode_workers(cx: &mut Context<'_>, fields: &Fields<'_>) -> Option<NonZeroUsize> {
    if fields.item("workers").is_none() {
        return Some(std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN));
    }
    let workers = fields.integer(cx, "workers")?;
    usize::try_from(workers).ok().and_then(NonZeroUsize::new)
}

fn decode_access_log(cx: &mut Context<'_>, fields: &Fields<'_>) -> Option<AccessLog> {
    let Some(item) = fields.item("accessLog") else {
        return Some(AccessLog::Stdout);
    };
    if item.is_mapping() {
        let fields = Fields::open(cx, item, &ACCESS_LOG_FILE)?;
        let path = fields.text(cx, "file")?;
        if path.is_empty() || path.contains('\0') {
            let span = fields.item("file").map(Item::span).unwrap_or_default();
            cx.error(
                Complaint::new(span, "this is not a path")
                    .hint("write for example `/var/log/wharf/access.log`"),
            );
            return None;
        }
        return Some(AccessLog::File(cx.resolve(path)));
    }
    match item.plain_text() {
        Some("stdout") => Some(AccessLog::Stdout),
        Some("off") => Some(AccessLog::Off),
        _ => {
            let complaint = Complaint::new(item.span(), "`accessLog` is `stdout`, `off`, or a file");
            cx.error(complaint.hint("write `accessLog: { file: access.log }` for a file"));
            None
        }
    }
}
