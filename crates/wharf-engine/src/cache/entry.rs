//! One entry: its name, its seal, and how it becomes a module.

use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io::Read;

use rustix::fs::{Timespec, Timestamps, UTIME_NOW};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use wharf_plugin::{ByteSize, Digest};

use super::CompiledCacheError;
use super::directory::{Directory, check_private, is_regular};

/// What stands at the end of each entry. A change of the format changes the number in it.
const MAGIC: [u8; 8] = *b"WHARFC\0\x01";

/// The bytes behind the code: its SHA-256 and the magic number. They stand at the end because the engine wants the
/// code at the beginning of what it maps.
const SEAL: usize = 32 + MAGIC.len();

/// The seal of some code.
pub(super) fn seal(code: &[u8]) -> [u8; SEAL] {
    let sum: [u8; 32] = Sha256::digest(code).into();
    sealed(sum)
}

fn sealed(sum: [u8; 32]) -> [u8; SEAL] {
    let mut seal = [0; SEAL];
    seal[..32].copy_from_slice(&sum);
    seal[32..].copy_from_slice(&MAGIC);
    seal
}

/// What an entry is found by: the artifact, and everything that the engine's settings, its version, this program's
/// version and this machine's processor change in the code.
pub(super) struct Key {
    stem: String,
}

impl Key {
    pub(super) fn new(artifact: Digest, engine: &wasmtime::Engine) -> Self {
        let mut fingerprint = Fingerprint(Sha256::new());
        env!("CARGO_PKG_VERSION").hash(&mut fingerprint);
        engine.precompile_compatibility_hash().hash(&mut fingerprint);
        Self {
            stem: format!("{}-{:016x}", artifact.to_hex(), fingerprint.finish()),
        }
    }

    pub(super) fn name(&self) -> String {
        format!("{}.cwasm", self.stem)
    }

    pub(super) fn lock_name(&self) -> String {
        format!("{}.lock", self.stem)
    }

    pub(super) fn temporary_name(&self) -> String {
        format!("{}.tmp", self.stem)
    }
}

/// A hasher that gives the same in each process, which the standard library's does not promise.
struct Fingerprint(Sha256);

impl Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let sum: [u8; 32] = self.0.clone().finalize().into();
        u64::from_be_bytes(*sum.first_chunk().expect("a SHA-256 has more than eight bytes"))
    }
}

/// Opens, checks and maps the entry, and marks it as used now. `None` where there is no such entry.
pub(super) fn open(
    directory: &Directory,
    key: &Key,
    engine: &wasmtime::Engine,
) -> Result<Option<(wasmtime::Module, ByteSize)>, CompiledCacheError> {
    let name = key.name();
    let Some(file) = directory.open_file(&name)? else {
        return Ok(None);
    };
    let bytes = check(directory, &name, &file)?;
    touch(&file);
    #[expect(
        unsafe_code,
        reason = "the engine can map compiled code only on the caller's word that it is its own"
    )]
    // SAFETY: the file is one that this program wrote for an engine with the same settings. It was checked through the
    // same descriptor that is mapped: it belongs to this user, nobody else may write it, and its SHA-256 is the one
    // that was recorded with it. This program never writes to an entry that has its name.
    let module = unsafe { wasmtime::Module::deserialize_open_file(engine, file) };
    match module {
        Ok(module) => Ok(Some((module, bytes))),
        Err(error) => Err(CompiledCacheError::Unloadable {
            reason: format!("{error:#}"),
        }),
    }
}

/// The module of code that was compiled in this process.
pub(super) fn load_bytes(
    engine: &wasmtime::Engine,
    code: &[u8],
) -> Result<wasmtime::Module, CompiledCacheError> {
    #[expect(
        unsafe_code,
        reason = "the engine can load compiled code only on the caller's word that it is its own"
    )]
    // SAFETY: the engine made this code a moment ago and it has not left this process.
    let module = unsafe { wasmtime::Module::deserialize(engine, code) };
    module.map_err(|error| CompiledCacheError::Unloadable {
        reason: format!("{error:#}"),
    })
}

/// Checks an open entry from its owner to its last byte, and gives the size of the code.
fn check(directory: &Directory, name: &str, file: &File) -> Result<ByteSize, CompiledCacheError> {
    let path = directory.path_of(name);
    let damaged = |reason| CompiledCacheError::Damaged {
        path: path.clone(),
        reason,
    };
    let stat = rustix::fs::fstat(file).map_err(|source| directory.refused(name, "examined", source))?;
    if !is_regular(&stat) {
        return Err(damaged("it is not a regular file"));
    }
    check_private(&path, &stat)?;
    let length = u64::try_from(stat.st_size).unwrap_or(0);
    let code = length
        .checked_sub(SEAL as u64)
        .ok_or_else(|| damaged("it is too short"))?;
    let refused = |error: std::io::Error| {
        directory.refused(name, "read", Errno::from_io_error(&error).unwrap_or(Errno::IO))
    };
    let (sum, seal) = read_sum_and_seal(file, code).map_err(refused)?;
    if seal != sealed(sum) {
        return Err(damaged("its bytes do not match their recorded sum"));
    }
    Ok(ByteSize::from_bytes(code))
}

/// The SHA-256 of the code, and the seal behind it.
fn read_sum_and_seal(mut file: &File, code: u64) -> std::io::Result<([u8; 32], [u8; SEAL])> {
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    let mut rest = code;
    while rest > 0 {
        let part = usize::try_from(rest).unwrap_or(usize::MAX).min(buffer.len());
        file.read_exact(&mut buffer[..part])?;
        sum.update(&buffer[..part]);
        rest -= part as u64;
    }
    let mut seal = [0; SEAL];
    file.read_exact(&mut seal)?;
    Ok((sum.finalize().into(), seal))
}

/// Marks an entry as used now, by its time of change, since many file systems do not keep the time of reading.
fn touch(file: &File) {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_NOW,
    };
    // Where the file system is read-only the entry only seems older than it is.
    let _ = rustix::fs::futimens(
        file,
        &Timestamps {
            last_access: now,
            last_modification: now,
        },
    );
}
