//! Kubewarden's `sources.yaml`: registries that are not reached as all others are.
//!
//! ```yaml
//! insecure_sources: ["registry.example:5000"]
//! source_authorities:
//!   "other.example": [{ type: Path, path: /etc/ca.pem }, { type: Data, data: "-----BEGIN CERTIFICATE-----…" }]
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use wharf_plugin::RegistryHost;

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::{ConfigErrors, Diagnostic};
use crate::load::{FileKind, decode, read_text};
use crate::registries::{RegistryAuthority, RegistryConfig, decode_host, decode_path};
use crate::table::{Field, Kind, PATH, Presence, Section, TEXT};

/// The registries by their hosts.
pub type Sources = BTreeMap<RegistryHost, RegistryConfig>;

const SOURCES_FILE: FileKind = FileKind {
    what: "the file of sources",
    name: "sources.yaml",
    start: "write `insecure_sources:` or `source_authorities:`; for none of them write `{}`",
};

static SOURCES: Section = Section {
    id: "kubewardenSources",
    doc: "Registries that are not reached as all others are.",
    fields: &[
        Field {
            key: "insecure_sources",
            kind: Kind::List { item: &TEXT, min: 0 },
            presence: Presence::Absent("none"),
            doc: "Those that are asked over plain HTTP.",
        },
        Field {
            key: "source_authorities",
            kind: Kind::Map {
                key: "host",
                value: &AUTHORITIES,
            },
            presence: Presence::Absent("none"),
            doc: "Those with authorities of their own.",
        },
    ],
};

const AUTHORITIES: Kind = Kind::List {
    item: &Kind::Section(&AUTHORITY),
    min: 0,
};

static AUTHORITY: Section = Section {
    id: "kubewardenSourceAuthority",
    doc: "One authority, or several in one file.",
    fields: &[
        Field {
            key: "type",
            kind: Kind::Choice(&["Path", "Data"]),
            presence: Presence::Required,
            doc: "Whether it is in a file, or stands here.",
        },
        Field {
            key: "path",
            kind: PATH,
            presence: Presence::Absent("it stands here"),
            doc: "The file.",
        },
        Field {
            key: "data",
            kind: TEXT,
            presence: Presence::Absent("it is in a file"),
            doc: "The certificate as PEM.",
        },
    ],
};

/// Reads a `sources.yaml`, and what is doubtful in it. A registry that is in both of its lists is asked over TLS.
///
/// # Errors
/// All that is wrong with it, in one go; when it cannot be read or is larger than 1 MiB, only that.
pub fn load_sources(path: &Path) -> Result<(Sources, Vec<Diagnostic>), ConfigErrors> {
    let text = read_text(path, &SOURCES_FILE)?;
    decode(&text, path, &SOURCES_FILE, None, decode_sources)
}

fn decode_sources(cx: &mut Context<'_>, item: &Item<'_>) -> Option<Sources> {
    // Kubewarden passes over keys that it does not know.
    let fields = Fields::open_loose(cx, item, &SOURCES)?;
    let mut sources = Sources::new();
    for item in fields.list(cx, "insecure_sources")? {
        let host = item
            .text(cx, &TEXT)
            .and_then(|text| decode_host(cx, text, item.span()));
        if let Some(host) = host {
            sources.entry(host).or_default().plain_http = true;
        }
    }
    for (entry, item) in fields.map(cx, "source_authorities")? {
        let host = decode_host(cx, &entry.key, entry.key_span.clone());
        let items = item.list(cx, &AUTHORITIES, 0).unwrap_or_default();
        let authorities: Vec<_> = items
            .iter()
            .filter_map(|item| decode_authority(cx, item))
            .collect();
        if let Some(host) = host {
            let registry = sources.entry(host).or_default();
            registry.plain_http &= authorities.is_empty();
            registry.authorities.extend(authorities);
        }
    }
    Some(sources)
}

fn decode_authority(cx: &mut Context<'_>, item: &Item<'_>) -> Option<RegistryAuthority> {
    let fields = Fields::open_loose(cx, item, &AUTHORITY)?;
    let key = match fields.choice(cx, "type")? {
        "Path" => "path",
        _ => "data",
    };
    let Some(value) = fields.item(key) else {
        let message = format!("{} has no `{key}`", item.name());
        cx.error(crate::diagnostic::Complaint::new(item.at.clone(), message).hint(format!("add `{key}:`")));
        return None;
    };
    if key == "path" {
        decode_path(cx, value).map(RegistryAuthority::File)
    } else {
        let text = value.text(cx, &TEXT)?;
        Some(RegistryAuthority::Pem(text.to_owned()))
    }
}
