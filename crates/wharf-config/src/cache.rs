//! `cache`: where compiled modules are kept.

use std::path::PathBuf;

use wharf_plugin::ByteSize;

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::Complaint;
use crate::table::{Field, Kind, PATH, Presence, Section};

/// Where compiled modules are kept between runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheConfig {
    /// The directory. None for the one that belongs to the user who runs Wharf.
    pub directory: Option<PathBuf>,
    /// What it may hold before the modules go that were not used for longest. Default: 1GiB.
    pub size: ByteSize,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            directory: None,
            size: ByteSize::from_gib(1),
        }
    }
}

/// The cache.
pub(crate) static CACHE: Section = Section {
    id: "cache",
    doc: "Where compiled modules are kept between runs. What is in it is trusted code: the directory must be writable \
          only by the user who runs Wharf.",
    fields: &[
        Field {
            key: "directory",
            kind: PATH,
            presence: Presence::Absent("`wharf` in the user's cache directory"),
            doc: "The directory, relative to the directory of the configuration file.",
        },
        Field {
            key: "size",
            kind: Kind::Size {
                min: ByteSize::from_mib(1),
                max: ByteSize::from_gib(1024),
            },
            presence: Presence::Default("1GiB"),
            doc: "What it may hold before the modules go that were not used for longest.",
        },
    ],
};

/// The cache. `None` if it cannot be read.
pub(crate) fn decode_cache(cx: &mut Context<'_>, root: &Fields<'_>) -> Option<CacheConfig> {
    let fields = root.section(cx, "cache")?;
    let size = fields.size(cx, "size");
    let directory = fields.text(cx, "directory").filter(|path| {
        let usable = !path.is_empty() && !path.contains('\0');
        if !usable {
            let span = fields.item("directory").map(Item::span).unwrap_or_default();
            cx.error(Complaint::new(span, "this is not a path").hint("write for example `/var/cache/wharf`"));
        }
        usable
    });
    Some(CacheConfig {
        directory: directory.map(|path| cx.resolve(path)),
        size: size?,
    })
}
