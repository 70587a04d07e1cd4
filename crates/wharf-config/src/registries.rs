//! `registries`: where images are, who one is there, and when they are asked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use wharf_plugin::{PullPolicy, RegistryHost};

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::Complaint;
use crate::table::{Field, Kind, PATH, Presence, Section, TEXT, seconds};

/// Registries of images, as far as they are not like all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistriesConfig {
    /// Docker's `config.json`, or the directory that it is in. None for the user's own, where there is one.
    pub docker_config: Option<PathBuf>,
    /// Those that are reached in a way of their own.
    pub hosts: BTreeMap<RegistryHost, RegistryConfig>,
    /// When they are asked for plugins that say nothing of it. Default: for what the store does not have.
    pub pull_policy: PullPolicy,
    /// How often a server asks anew for what is always asked for. Default: 5 min.
    pub refresh_interval: Duration,
}

impl Default for RegistriesConfig {
    fn default() -> Self {
        Self {
            docker_config: None,
            hosts: BTreeMap::new(),
            pull_policy: PullPolicy::default(),
            refresh_interval: Duration::from_mins(5),
        }
    }
}

/// How one registry is reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegistryConfig {
    /// Whether it is asked over plain HTTP. Default: no.
    pub plain_http: bool,
    /// The authorities that its certificate may be from, beside those of the system.
    pub authorities: Vec<RegistryAuthority>,
    /// Registries that have the same and are asked first, in this order.
    pub mirrors: Vec<RegistryHost>,
}

/// A certificate of an authority, or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryAuthority {
    /// A file, as PEM or DER. It was not looked at yet.
    File(PathBuf),
    /// The text of such a file, as PEM.
    Pem(String),
}

/// The registries.
pub(crate) static REGISTRIES: Section = Section {
    id: "registries",
    doc: "Registries of images, which plugins and policies are fetched from and policies may ask. A registry needs to be named \
          only where it is not reached as all others are, with TLS by an authority that the system knows. HTTPS_PROXY, \
          HTTP_PROXY and NO_PROXY of the environment count.",
    fields: &[
        Field {
            key: "dockerConfig",
            kind: PATH,
            presence: Presence::Absent("`$DOCKER_CONFIG` or `~/.docker`, where there is such a file"),
            doc: "The `config.json` with the credentials, or the directory that it is in; the `.dockerconfigjson` of a pull \
                  secret of Kubernetes is one too. Credential helpers that it names are run.",
        },
        Field {
            key: "pullPolicy",
            kind: PULL_POLICY,
            presence: Presence::Default("ifNotPresent"),
            doc: "When a registry is asked for a plugin or policy that says nothing of it: for what the store does not have \
                  (`ifNotPresent`), at each start and every `refreshInterval` (`always`, for tags that move), or never \
                  (`never`, where there is no network).",
        },
        Field {
            key: "refreshInterval",
            kind: Kind::Duration {
                min: seconds(1),
                max: seconds(7 * 24 * 3600),
            },
            presence: Presence::Default("5m"),
            doc: "How often a server asks anew for what has `always`. What changed is swapped in with no request lost; where the \
                  registry cannot be asked, what runs goes on.",
        },
        Field {
            key: "hosts",
            kind: Kind::Map {
                key: "host",
                value: &Kind::Section(&REGISTRY),
            },
            presence: Presence::Absent("none"),
            doc: "Registries by their host, with its port where references have one. A registry on this machine has to be \
                  named, if only with `{}`: a name that leads to this machine or to a cloud's metadata is not followed \
                  otherwise.",
        },
    ],
};

static REGISTRY: Section = Section {
    id: "registry",
    doc: "How one registry is reached.",
    fields: &[
        Field {
            key: "plainHttp",
            kind: Kind::Bool,
            presence: Presence::Default("false"),
            doc: "Whether it is asked over plain HTTP, where anybody on the way can read the credentials and change the \
                  answers.",
        },
        Field {
            key: "ca",
            kind: Kind::Either(&[PATH, PATH_LIST]),
            presence: Presence::Absent("only the system's"),
            doc: "Files with the certificates of authorities that its own may be from, as PEM or DER, beside those of the \
                  system.",
        },
        Field {
            key: "mirrors",
            kind: Kind::List { item: &TEXT, min: 1 },
            presence: Presence::Absent("none"),
            doc: "Registries that have the same, by their host, with its port where it has one. They are asked first, in this \
                  order; where none has the plugin, the registry itself is asked. Signatures and digests count all the same.",
        },
    ],
};

/// When a registry is asked.
pub(crate) const PULL_POLICY: Kind = Kind::Choice(&["ifNotPresent", "always", "never"]);

/// The `pullPolicy` of a section; none where the key is not given and has no default.
pub(crate) fn decode_pull_policy(cx: &mut Context<'_>, fields: &Fields<'_>) -> Option<PullPolicy> {
    let item = fields.item("pullPolicy")?;
    let name = item.choice(cx, &["ifNotPresent", "always", "never"])?;
    PullPolicy::of_name(name)
}

const PATH_LIST: Kind = Kind::List { item: &PATH, min: 1 };

/// The registries. `None` if they cannot be read.
pub(crate) fn decode_registries(cx: &mut Context<'_>, root: &Fields<'_>) -> Option<RegistriesConfig> {
    let fields = root.section(cx, "registries")?;
    let docker_config = match fields.item("dockerConfig") {
        Some(item) => Some(decode_path(cx, item)?),
        None => None,
    };
    let mut hosts = BTreeMap::new();
    for (entry, item) in fields.map(cx, "hosts")? {
        let host = decode_host(cx, &entry.key, entry.key_span.clone());
        let registry = decode_registry(cx, &item);
        if let (Some(host), Some(registry)) = (host, registry) {
            hosts.insert(host, registry);
        }
    }
    let pull_policy = decode_pull_policy(cx, &fields).unwrap_or_default();
    let refresh_interval = fields.duration(cx, "refreshInterval");
    Some(RegistriesConfig {
        docker_config,
        hosts,
        pull_policy,
        refresh_interval: refresh_interval?,
    })
}

/// The host of a registry.
pub(crate) fn decode_host(
    cx: &mut Context<'_>,
    text: &str,
    span: std::ops::Range<usize>,
) -> Option<RegistryHost> {
    match text.parse() {
        Ok(host) => Some(host),
        Err(error) => {
            let complaint = Complaint::new(span, error.to_string());
            cx.error(complaint.hint("write what stands before the first `/` of its images' names"));
            None
        }
    }
}

fn decode_registry(cx: &mut Context<'_>, item: &Item<'_>) -> Option<RegistryConfig> {
    let fields = Fields::open(cx, item, &REGISTRY)?;
    let plain_http = fields.bool(cx, "plainHttp");
    let authorities = match fields.item("ca") {
        None => Some(Vec::new()),
        Some(item) if item.is_list() => item.list(cx, &PATH_LIST, 1).and_then(|items| {
            let paths: Vec<Option<PathBuf>> = items.iter().map(|item| decode_path(cx, item)).collect();
            paths.into_iter().collect()
        }),
        Some(item) => decode_path(cx, item).map(|path| vec![path]),
    };
    let authorities: Vec<RegistryAuthority> = authorities?.into_iter().map(RegistryAuthority::File).collect();
    let plain_http = plain_http?;
    if plain_http && !authorities.is_empty() {
        let complaint = Complaint::new(
            item.at.clone(),
            format!("{} has both `plainHttp` and `ca`", item.name()),
        );
        cx.error(complaint.hint("without TLS there is no certificate: remove one of them"));
        return None;
    }
    let mut mirrors = Vec::new();
    if fields.item("mirrors").is_some() {
        for mirror in fields.list(cx, "mirrors")? {
            let host = mirror.text(cx, &TEXT)?;
            mirrors.push(decode_host(cx, host, mirror.span())?);
        }
    }
    Some(RegistryConfig {
        plain_http,
        authorities,
        mirrors,
    })
}

/// The path of a file.
pub(crate) fn decode_path(cx: &mut Context<'_>, item: &Item<'_>) -> Option<PathBuf> {
    let path = item.text(cx, &PATH)?;
    if path.is_empty() || path.contains('\0') {
        let complaint = Complaint::new(item.span(), format!("{} is not a path", item.name()));
        cx.error(complaint.hint("write the name of a file, relative to the directory of this file"));
        return None;
    }
    Some(cx.resolve(path))
}
