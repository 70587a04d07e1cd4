//! The file as a whole.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use wharf_plugin::{PluginName, PluginSpec};

use crate::admission::{ADMISSION, AdmissionConfig, decode_admission};
use crate::cache::{CACHE, CacheConfig, decode_cache};
use crate::decode::{Context, Fields, Item};
use crate::diagnostic::{Complaint, quoted};
use crate::listeners::{Bound, decode_bind};
use crate::plugins::{PLUGIN, decode_plugins};
use crate::proxy::{AccessLog, DecodedProxy, PROXY, ProxyConfig, decode_proxy};
use crate::registries::{REGISTRIES, RegistriesConfig, decode_registries};
use crate::scan::{SCAN, ScanConfig, decode_scan};
use crate::store::{STORE, StoreConfig, decode_store};
use crate::table::{ADDRESS, Field, Kind, Presence, Section};
use crate::trust::{TRUST, TrustConfig, decode_trust};

/// A configuration in which everything was checked that can be checked without running anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The plugins by name. Paths of files are relative to the configuration file's directory no longer: they begin
    /// with it.
    pub plugins: BTreeMap<PluginName, Arc<PluginSpec>>,
    /// The reverse proxy, if there is one.
    pub proxy: Option<ProxyConfig>,
    /// The admission server, if there is one.
    pub admission: Option<AdmissionConfig>,
    /// The scanner, if the file has a section for it.
    pub scan: Option<ScanConfig>,
    /// The admin port, if there is one.
    pub admin: Option<AdminConfig>,
    /// Registries of images, as far as they are not like all others.
    pub registries: RegistriesConfig,
    /// Which plugins may run, by who signed them. None for all of them.
    pub trust: Option<TrustConfig>,
    /// Where what was fetched is kept.
    pub store: StoreConfig,
    /// Where compiled modules are kept.
    pub cache: CacheConfig,
    /// Where the access log goes. Default: standard output.
    pub access_log: AccessLog,
    /// How long requests that are under way may take to finish after SIGTERM. Default: 30s.
    pub drain_timeout: Duration,
}

/// The port for health, metrics and what is running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminConfig {
    /// Where it listens.
    pub bind: SocketAddr,
}

/// The version of the format that is understood.
const VERSION: i64 = 1;

/// The file.
pub(crate) static ROOT: Section = Section {
    id: "configuration",
    doc: "One file says what Wharf does. Durations and sizes have their unit spelled: `50ms`, `1s`, `64MiB`. Paths are \
          relative to the directory of the file.",
    fields: &[
        Field {
            key: "version",
            kind: Kind::Integer {
                min: VERSION,
                max: VERSION,
            },
            presence: Presence::Required,
            doc: "The version of this format.",
        },
        Field {
            key: "plugins",
            kind: Kind::Map {
                key: "name",
                value: &Kind::Section(&PLUGIN),
            },
            presence: Presence::Absent("none"),
            doc: "The plugins.",
        },
        Field {
            key: "proxy",
            kind: Kind::Section(&PROXY),
            presence: Presence::Absent("no proxy"),
            doc: "The reverse proxy.",
        },
        Field {
            key: "admission",
            kind: Kind::Section(&ADMISSION),
            presence: Presence::Absent("no admission server"),
            doc: "The server that answers the reviews of Kubernetes' API server.",
        },
        Field {
            key: "scan",
            kind: Kind::Section(&SCAN),
            presence: Presence::Absent("the defaults of each key"),
            doc: "What `wharf scan` looks at, with which modules, and what it says.",
        },
        Field {
            key: "registries",
            kind: Kind::Section(&REGISTRIES),
            presence: Presence::Absent("the defaults"),
            doc: "Registries of images, as far as they are not like all others.",
        },
        Field {
            key: "trust",
            kind: Kind::Section(&TRUST),
            presence: Presence::Absent("all plugins may run"),
            doc: "Which plugins may run, by who signed them.",
        },
        Field {
            key: "store",
            kind: Kind::Section(&STORE),
            presence: Presence::Absent("the defaults"),
            doc: "Where plugins from registries and URLs are kept.",
        },
        Field {
            key: "admin",
            kind: Kind::Section(&ADMIN),
            presence: Presence::Absent("no admin port"),
            doc: "The port for health, metrics and what is running.",
        },
        Field {
            key: "cache",
            kind: Kind::Section(&CACHE),
            presence: Presence::Absent("the defaults"),
            doc: "Where compiled modules are kept.",
        },
    ],
};

static ADMIN: Section = Section {
    id: "admin",
    doc: "The port for `/healthz`, `/readyz`, `/metrics` and `/plugins`. Whoever reaches it can read all of them.",
    fields: &[Field {
        key: "bind",
        kind: ADDRESS,
        presence: Presence::Required,
        doc: "The address and port to listen on.",
    }],
};

/// The configuration; what is wrong with it is reported, and then there may be none.
pub(crate) fn decode_root(cx: &mut Context<'_>, item: &Item<'_>) -> Option<Config> {
    if let Some(complaint) = other_version(item) {
        cx.error(complaint);
        return None;
    }
    let fields = Fields::open(cx, item, &ROOT)?;
    cx.plugins.defined = item
        .peek("plugins")
        .map(|plugins| plugins.keys())
        .unwrap_or_default();
    let upstreams = item.peek("proxy").and_then(|proxy| proxy.peek("upstreams"));
    cx.upstreams.defined = upstreams.as_ref().map(Item::keys).unwrap_or_default();
    fields.integer(cx, "version");

    let mut bound = Bound::default();
    let plugins = decode_plugins(cx, &fields);
    let DecodedProxy {
        proxy,
        access_log,
        drain_timeout,
    } = decode_proxy(cx, fields.item("proxy"), &mut bound);
    let admission = decode_admission(cx, &fields, &mut bound);
    let scan = decode_scan(cx, &fields, &plugins);
    let admin = decode_admin(cx, &fields, &mut bound);
    let registries = decode_registries(cx, &fields);
    let trust = decode_trust(cx, &fields);
    let store = decode_store(cx, &fields);
    let cache = decode_cache(cx, &fields);
    cx.report_flaws();
    warn_of_unused(cx, &fields, upstreams.as_ref());
    Some(Config {
        plugins,
        proxy,
        admission,
        scan,
        admin,
        registries: registries?,
        trust,
        store: store?,
        cache: cache?,
        access_log: access_log?,
        drain_timeout: drain_timeout?,
    })
}

/// A complaint where the file says that it has another version: then nothing else in it can be judged.
fn other_version(item: &Item<'_>) -> Option<Complaint> {
    let version = item.peek("version")?;
    let other = version.integer_value().filter(|version| *version != VERSION)?;
    let message = format!("this file has version {other}, and only version {VERSION} is understood");
    Some(Complaint::new(version.span(), message).hint(format!(
        "write `version: {VERSION}`, or use a Wharf that reads version {other}"
    )))
}

fn decode_admin(cx: &mut Context<'_>, root: &Fields<'_>, bound: &mut Bound) -> Option<AdminConfig> {
    let fields = Fields::open(cx, root.item("admin")?, &ADMIN)?;
    decode_bind(cx, &fields, "the admin port", bound).map(|bind| AdminConfig { bind })
}

/// Warns of what nothing uses; where there are errors, what was to use it may be among them.
fn warn_of_unused(cx: &mut Context<'_>, root: &Fields<'_>, upstreams: Option<&Item<'_>>) {
    if cx.has_errors() {
        return;
    }
    for plugin in root.item("plugins").map(Item::children).unwrap_or_default() {
        let name = plugin.path.strip_prefix("plugins.").unwrap_or_default();
        if !cx.plugins.is_used(name) {
            let complaint = Complaint::new(
                plugin.at.clone(),
                format!("nothing uses the plugin {}", quoted(name)),
            );
            cx.warn(
                complaint.hint("name it under `filters` of a route or under `scan.modules`, or remove it"),
            );
        }
    }
    for upstream in upstreams.map(Item::children).unwrap_or_default() {
        let name = upstream.path.strip_prefix("proxy.upstreams.").unwrap_or_default();
        if !cx.upstreams.is_used(name) {
            let complaint = Complaint::new(
                upstream.at.clone(),
                format!("nothing uses the upstream {}", quoted(name)),
            );
            cx.warn(
                complaint.hint("name it in a route or under `allow.upstreams` of a plugin, or remove it"),
            );
        }
    }
}
