//! `registries`: where images are, and who one is there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use wharf_plugin::RegistryHost;

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::Complaint;
use crate::table::{Field, Kind, PATH, Presence, Section};

/// Registries of images, as far as they are not like all others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegistriesConfig {
    /// Docker's `config.json`, or the directory that it is in. None for the user's own, where there is one.
    pub docker_config: Option<PathBuf>,
    /// Those that are reached in a way of their own.
    pub hosts: BTreeMap<RegistryHost, RegistryConfig>,
}

/// How one registry is reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegistryConfig {
    /// Whether it is asked over plain HTTP. Default: no.
    pub plain_http: bool,
    /// The authorities that its certificate may be from, beside those of the system.
    pub authorities: Vec<RegistryAuthority>,
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
    doc: "Registries of images, which the admission server asks for its policies. A registry needs to be named only where it \
          is not reached as all others are, with TLS by an authority that the system knows. HTTPS_PROXY, HTTP_PROXY and \
          NO_PROXY of the environment count.",
    fields: &[
        Field {
            key: "dockerConfig",
            kind: PATH,
            presence: Presence::Absent("`$DOCKER_CONFIG` or `~/.docker`, where there is such a file"),
            doc: "The `config.json` with the credentials, or the directory that it is in. Credential helpers that it names \
                  are run.",
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
    ],
};

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
    Some(RegistriesConfig { docker_config, hosts })
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
    Some(RegistryConfig {
        plain_http,
        authorities,
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
