//! `store`: where what was fetched is kept.

use std::path::PathBuf;

use wharf_plugin::ByteSize;

use crate::decode::{Context, Fields};
use crate::registries::decode_path;
use crate::table::{Field, Kind, PATH, Presence, Section};

/// Where plugins from registries and URLs are kept, so that a start needs no network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// The directory. None for the one that belongs to the user who runs Wharf.
    pub directory: Option<PathBuf>,
    /// What it may hold before the plugins go that were not used for longest. Default: 4GiB.
    pub size: ByteSize,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            directory: None,
            size: ByteSize::from_gib(4),
        }
    }
}

/// The store.
pub(crate) static STORE: Section = Section {
    id: "store",
    doc: "Where plugins from registries and URLs are kept with their signatures, by their digests, so that a start needs no \
          network. All is checked again when it is read.",
    fields: &[
        Field {
            key: "directory",
            kind: PATH,
            presence: Presence::Absent("`wharf/store` in the user's cache directory"),
            doc: "The directory, relative to the directory of the configuration file. Any number of processes may share it.",
        },
        Field {
            key: "size",
            kind: Kind::Size {
                min: ByteSize::from_mib(1),
                max: ByteSize::from_gib(1024),
            },
            presence: Presence::Default("4GiB"),
            doc: "What it may hold. A server that started takes away what was used least recently and no running process uses, \
                  until no more is left; `wharf prune` does the same by hand.",
        },
    ],
};

/// The store. `None` if it cannot be read.
pub(crate) fn decode_store(cx: &mut Context<'_>, root: &Fields<'_>) -> Option<StoreConfig> {
    let fields = root.section(cx, "store")?;
    let size = fields.size(cx, "size");
    let directory = match fields.item("directory") {
        Some(item) => Some(decode_path(cx, item)?),
        None => None,
    };
    Some(StoreConfig {
        directory,
        size: size?,
    })
}
