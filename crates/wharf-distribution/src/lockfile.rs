//! `wharf.lock`: which digest each reference means, so that everybody who has the file runs the same bytes.
//!
//! ```json
//! {
//!   "version": 1,
//!   "plugins": {
//!     "oci:registry.example/team/greet:1.2": {
//!       "digest": "sha256:…",
//!       "module": "sha256:…",
//!       "layout": "cncf"
//!     }
//!   }
//! }
//! ```
//!
//! The text is the same whenever what it says is the same, so that it can be kept beside the configuration and read in reviews.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};
use wharf_plugin::{ContentDigest, Digest, Reference};

use crate::Layout;
use crate::bounded::read_bounded;
use crate::store::as_text;

/// The name of the file beside a configuration.
pub const LOCKFILE_NAME: &str = "wharf.lock";
const VERSION: u64 = 1;
/// The most bytes of a lock file: enough for tens of thousands of plugins.
const MOST_BYTES: u64 = 8 << 20;

/// Which digest each reference means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lockfile {
    plugins: BTreeMap<String, Pin>,
}

/// What a reference means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pin {
    /// The digest of the manifest or index; of a file or URL, that of its bytes.
    #[serde(with = "as_text")]
    pub digest: ContentDigest,
    /// The digest of the plugin's bytes.
    #[serde(with = "as_text")]
    pub module: Digest,
    /// In which form the plugin was there.
    pub layout: Layout,
}

/// How a lock file counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LockMode {
    /// What it says counts; what it does not name is fetched as if there were no lock file. A file of this machine may be
    /// another than it says.
    #[default]
    Prefer,
    /// Nothing is fetched that it does not name, and nothing else than it says: `--locked`.
    Require,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Text {
    version: u64,
    plugins: BTreeMap<String, Pin>,
}

/// Why a lock file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockfileError {
    /// It cannot be read or written.
    #[error("the lock file {} cannot be used", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It is not what a lock file is.
    #[error("{}:{line}:{column}: this is no lock file of Wharf: {reason}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1; 0 where the whole is meant.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
}

impl LockfileError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unusable { .. } => {
                "check the path, and that this process's user may use it; `wharf lock` writes one"
            }
            Self::Malformed { .. } => "write it anew with `wharf lock`",
        }
    }
}

impl Lockfile {
    /// Reads one.
    ///
    /// # Errors
    /// [`LockfileError`], also where there is none.
    pub fn read(path: &Path) -> Result<Self, LockfileError> {
        let bytes = read_bounded(path, MOST_BYTES).map_err(|source| LockfileError::Unusable {
            path: path.to_owned(),
            source,
        })?;
        let malformed = |line, column, reason| LockfileError::Malformed {
            path: path.to_owned(),
            line,
            column,
            reason,
        };
        let text: Text = serde_json::from_slice(&bytes).map_err(|error| {
            let whole = error.to_string();
            // Its text has the place at the end, where it is not wanted.
            let reason = whole.split(" at line ").next().unwrap_or_default().to_owned();
            malformed(error.line(), error.column(), reason)
        })?;
        if text.version != VERSION {
            let reason = format!("its version is {}, and {VERSION} is known", text.version);
            return Err(malformed(0, 0, reason));
        }
        Ok(Self {
            plugins: text.plugins,
        })
    }

    /// Writes it, as a whole or not at all.
    ///
    /// # Errors
    /// [`LockfileError::Unusable`].
    pub fn write(&self, path: &Path) -> Result<(), LockfileError> {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}", std::process::id()));
        let temporary = PathBuf::from(name);
        let written = fs::write(&temporary, self.text()).and_then(|()| fs::rename(&temporary, path));
        written.map_err(|source| {
            let _ = fs::remove_file(&temporary);
            LockfileError::Unusable {
                path: path.to_owned(),
                source,
            }
        })
    }

    /// Its text: the same for the same pins.
    pub fn text(&self) -> String {
        let text = Text {
            version: VERSION,
            plugins: self.plugins.clone(),
        };
        let mut text = serde_json::to_string_pretty(&text).expect("a lock file is texts and numbers");
        text.push('\n');
        text
    }

    /// What a reference means, where it says so.
    pub fn pin(&self, reference: &Reference) -> Option<&Pin> {
        self.plugins.get(&reference.canonical())
    }

    /// Says what a reference means.
    pub fn set(&mut self, reference: &Reference, pin: Pin) {
        self.plugins.insert(reference.canonical(), pin);
    }

    /// The references that it names, in their order, with what they mean.
    pub fn pins(&self) -> impl Iterator<Item = (&str, &Pin)> {
        self.plugins
            .iter()
            .map(|(reference, pin)| (reference.as_str(), pin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(text: &str) -> Reference {
        text.parse().unwrap()
    }

    fn lockfile() -> Lockfile {
        let mut lockfile = Lockfile::default();
        for text in ["oci:b.example/b", "file:a.wasm"] {
            let pin = Pin {
                digest: ContentDigest::sha256_of(text.as_bytes()),
                module: Digest::of(text.as_bytes()),
                layout: Layout::Cncf,
            };
            lockfile.set(&reference(text), pin);
        }
        lockfile
    }

    #[test]
    fn what_is_written_is_read_and_always_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(LOCKFILE_NAME);
        let lockfile = lockfile();
        lockfile.write(&path).unwrap();
        assert_eq!(Lockfile::read(&path).unwrap(), lockfile);
        assert_eq!(fs::read_to_string(&path).unwrap(), lockfile.text());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        let names: Vec<&str> = lockfile.pins().map(|(name, _)| name).collect();
        assert_eq!(names, ["file:a.wasm", "oci:b.example/b:latest"]);
        assert!(
            lockfile
                .pin(&reference("registry://b.example/b:latest"))
                .is_some()
        );
        assert!(lockfile.pin(&reference("oci:b.example/b:2")).is_none());
    }

    #[test]
    fn what_is_no_lock_file_is_told_with_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(LOCKFILE_NAME);
        let digest = ContentDigest::sha256_of(b"");
        for (text, reason) in [
            ("", ":1:0: "),
            ("[1, 2]", ":1:"),
            (r#"{"version": 2, "plugins": {}}"#, "its version is 2"),
            (r#"{"version": 1}"#, "missing field `plugins`"),
            (r#"{"version": 1, "plugins": {}, "x": 1}"#, "unknown field `x`"),
            (
                &format!(
                    r#"{{"version": 1, "plugins": {{"oci:a": {{"digest": "{digest}", "module": "x", "layout": "cncf"}}}}}}"#
                ),
                "this is not a digest",
            ),
        ] {
            fs::write(&path, text).unwrap();
            let error = Lockfile::read(&path).unwrap_err();
            assert!(matches!(error, LockfileError::Malformed { .. }), "{error:?}");
            assert!(error.to_string().contains(reason), "{error}");
            assert!(!error.to_string().contains(" at line "), "{error}");
        }
        let error = Lockfile::read(&directory.path().join("none")).unwrap_err();
        assert!(matches!(error, LockfileError::Unusable { .. }), "{error:?}");
    }
}
