//! Compiled code on disk.
//!
//! Compiling a module of 2 MB takes about a second, mapping its code a few milliseconds. So each engine that is given a
//! [`CompiledCache`] keeps what it compiles in one file for each artifact and settings:
//!
//! ```text
//! <directory>/<digest of the artifact>-<hash of the engine's settings>.cwasm   the code, its SHA-256, a magic number
//!             <the same>.lock    locked while somebody compiles it, then removed
//!             <the same>.tmp     the code while it is written, then renamed to .cwasm
//! ```
//!
//! Where the engine gives a module a memory in place of the one that it imports, the digest is that of the bytes that were
//! compiled.
//!
//! **Whom it trusts.** Compiled code is run as it is: whoever can write it can do what this process can. So the
//! directory must belong to this user and must not be writable by others, and so must each entry. What this cannot
//! defend against is this very user, who can change the program as well.
//!
//! **What it checks.** An entry is opened once. That open file is checked (regular, ours, not writable by others, its
//! SHA-256 as recorded) and that open file is mapped. Were it opened a second time by its name, it could be another
//! file than the one that was checked. Entries are never written in place but renamed over, so an open one does not
//! change. The sum is there for damage by disks and crashes, which is also why nothing is synced to disk: an entry
//! that a power failure cut short does not match its sum and is compiled again.
//!
//! **Who compiles.** A hit takes no lock. Otherwise the entry's lock is taken (`flock`, which the kernel releases
//! when a process dies, however it dies) and the entry is looked for again, so that of any number of threads and
//! processes that want the same module one compiles and the others map its code.
//!
//! **When it cannot be used**, because the directory is not private, cannot be written or is full, the module is
//! compiled without it, and the [`CacheReport`] says why. A cache never makes a compilation fail.

mod directory;
mod entry;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use wharf_plugin::{ByteSize, Digest};

use crate::module::CompileError;
use directory::Directory;
use entry::Key;

/// A directory of compiled code, and how large it may become.
///
/// Making one touches no disk; each compilation opens and checks the directory anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompiledCache {
    directory: PathBuf,
    size: ByteSize,
}

impl CompiledCache {
    /// How large a cache may become unless it is told otherwise: 1 GiB.
    pub const DEFAULT_SIZE: ByteSize = ByteSize::from_gib(1);

    /// A cache in `directory`, which is made with mode 0700 when it is first needed.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            size: Self::DEFAULT_SIZE,
        }
    }

    /// The same cache with another bound. Beyond it the entries that were used least recently are removed, but never
    /// the one that was stored last.
    #[must_use]
    pub fn with_size(mut self, size: ByteSize) -> Self {
        self.size = size;
        self
    }

    /// `$XDG_CACHE_HOME/wharf/compiled`, or `~/.cache/wharf/compiled`; `None` where the environment names neither.
    pub fn default_directory() -> Option<PathBuf> {
        let absolute = |name| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
        Some(base.join("wharf").join("compiled"))
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// How large it may become.
    pub fn size(&self) -> ByteSize {
        self.size
    }

    /// Makes the directory where it is missing and says whether it may be used, so that a host can report it once at
    /// its start rather than with each plugin.
    ///
    /// # Errors
    /// [`CompiledCacheError`] where it cannot be made or opened, or is not private.
    pub fn check(&self) -> Result<(), CompiledCacheError> {
        Directory::open(&self.directory).map(|_| ())
    }
}

/// What the cache did for one module.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheReport {
    /// There is no cache; the module was compiled.
    Off,
    /// The code was there and was mapped.
    Hit {
        /// The size of the code.
        bytes: ByteSize,
        /// How long it took to check and to map it, and to wait for another thread or process that compiled it.
        duration: Duration,
    },
    /// The module was compiled.
    Compiled {
        /// How long it took, with the storing.
        duration: Duration,
        /// Whether the code is in the cache now.
        stored: bool,
        /// What was wrong with the cache or with the entry that was there before. A deployer should hear of it.
        note: Option<CompiledCacheError>,
    },
}

/// What is wrong with a cache or an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompiledCacheError {
    /// The system refused something.
    #[error("{} cannot be {action}", path.display())]
    System {
        /// The file or directory.
        path: PathBuf,
        /// What could not be done to it, such as `opened`.
        action: &'static str,
        /// The system's reason.
        source: Errno,
    },
    /// The directory or an entry belongs to another user, who could put code into it.
    #[error("{} belongs to user {owner}, not to user {user} who runs this process", path.display())]
    ForeignOwner {
        /// The file or directory.
        path: PathBuf,
        /// The number of the user who owns it.
        owner: u32,
        /// The number of this process's user.
        user: u32,
    },
    /// Others may write to the directory or an entry, and so could put code into it.
    #[error("{} may be written by others (mode {mode:04o})", path.display())]
    WritableByOthers {
        /// The file or directory.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The entry is no regular file, was cut short or changed.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The entry.
        path: PathBuf,
        /// What does not fit.
        reason: &'static str,
    },
    /// The code is sound and the engine cannot load it.
    #[error("the engine cannot load the compiled code: {reason}")]
    Unloadable {
        /// The engine's words.
        reason: String,
    },
    /// Somebody else has held the lock of the entry for too long.
    #[error("{} has been locked for {waited:?} by another process that compiles the same module", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The code of this one module is larger than the whole cache may become.
    #[error("the compiled code of {bytes} is larger than the cache may become, {size}")]
    TooLarge {
        /// The size of the code.
        bytes: ByteSize,
        /// The bound of the cache.
        size: ByteSize,
    },
}

impl CompiledCacheError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::System { source, .. } if *source == Errno::NOSPC => "make room on the disk".to_owned(),
            Self::System { .. } => "choose a cache directory that this user can write".to_owned(),
            Self::ForeignOwner { .. } => "choose a directory of this user's own".to_owned(),
            Self::WritableByOthers { path, .. } => {
                format!("take the right away with `chmod go-w {}`", path.display())
            }
            Self::Damaged { .. } => "nothing: it has been compiled anew".to_owned(),
            Self::Unloadable { .. } => "check that the file system is not mounted with `noexec`".to_owned(),
            Self::Locked { path, .. } => format!("see which process hangs with `fuser {}`", path.display()),
            Self::TooLarge { .. } => "raise the size of the cache".to_owned(),
        }
    }
}

/// Gives the module from the cache, or compiles it and leaves it there.
pub(crate) fn load_or_compile(
    cache: Option<&CompiledCache>,
    engine: &wasmtime::Engine,
    digest: Digest,
    compile: impl FnOnce() -> Result<Vec<u8>, CompileError>,
) -> Result<(wasmtime::Module, CacheReport), CompileError> {
    let Some(cache) = cache else {
        let module = entry::load_bytes(engine, &compile()?).map_err(CompileError::Load)?;
        return Ok((module, CacheReport::Off));
    };
    let lookup = Lookup {
        cache,
        engine,
        key: Key::new(digest, engine),
        started: Instant::now(),
    };
    match Directory::open(cache.directory()) {
        Ok(directory) => lookup.run(&directory, compile),
        Err(problem) => lookup.compile_without(problem, compile),
    }
}

/// One search of the cache for one module.
struct Lookup<'a> {
    cache: &'a CompiledCache,
    engine: &'a wasmtime::Engine,
    key: Key,
    started: Instant,
}

type Outcome = Result<(wasmtime::Module, CacheReport), CompileError>;

impl Lookup<'_> {
    fn run(&self, directory: &Directory, compile: impl FnOnce() -> Result<Vec<u8>, CompileError>) -> Outcome {
        // A problem of this first look is met again under the lock, where it can be mended.
        if let Ok(Some(hit)) = self.find(directory) {
            return Ok(hit);
        }
        let lock = match directory.lock(&self.key) {
            Ok(lock) => lock,
            Err(problem) => return self.compile_without(problem, compile),
        };
        let damage = match self.find(directory) {
            Ok(Some(hit)) => return Ok(hit),
            Ok(None) => None,
            Err(problem) => Some(problem),
        };
        let code = compile()?;
        let stored = directory.store(&self.key, &code, self.cache.size);
        if stored.is_ok() {
            directory.sweep(self.cache.size, &self.key);
        }
        drop(lock);
        self.load(directory, &code, stored, damage)
    }

    /// The module of code that was just compiled: mapped from its new entry, so that processes share its pages, or from
    /// the code itself where there is no entry.
    fn load(
        &self,
        directory: &Directory,
        code: &[u8],
        stored: Result<(), CompiledCacheError>,
        damage: Option<CompiledCacheError>,
    ) -> Outcome {
        let found = stored.and_then(|()| entry::open(directory, &self.key, self.engine));
        let (mapped, stored, note) = match found {
            Ok(Some((module, _))) => (Some(module), true, damage),
            // Another process has swept it away already, which is no problem worth a note.
            Ok(None) => (None, false, damage),
            Err(problem) => (None, false, Some(problem)),
        };
        let module = match mapped {
            Some(module) => module,
            None => entry::load_bytes(self.engine, code).map_err(CompileError::Load)?,
        };
        Ok((
            module,
            CacheReport::Compiled {
                duration: self.started.elapsed(),
                stored,
                note,
            },
        ))
    }

    fn find(
        &self,
        directory: &Directory,
    ) -> Result<Option<(wasmtime::Module, CacheReport)>, CompiledCacheError> {
        let found = entry::open(directory, &self.key, self.engine)?;
        Ok(found.map(|(module, bytes)| {
            (
                module,
                CacheReport::Hit {
                    bytes,
                    duration: self.started.elapsed(),
                },
            )
        }))
    }

    fn compile_without(
        &self,
        problem: CompiledCacheError,
        compile: impl FnOnce() -> Result<Vec<u8>, CompileError>,
    ) -> Outcome {
        let module = entry::load_bytes(self.engine, &compile()?).map_err(CompileError::Load)?;
        let duration = self.started.elapsed();
        Ok((
            module,
            CacheReport::Compiled {
                duration,
                stored: false,
                note: Some(problem),
            },
        ))
    }
}

#[cfg(test)]
mod tests;
