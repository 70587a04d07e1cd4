//! From a plugin's reference to the bytes that may be compiled.
//!
//! [`fetch`] gives a [`VerifiedArtifact`], the only thing that the engine compiles. Files are read from this machine;
//! `https:` and `oci:` references are understood and refused. Nothing is executed here but the credential helpers that a
//! deployer configured.
//!
//! [`registry`] asks registries about images.

mod attachments;
mod bounded;
mod error;
mod file;
pub mod registry;
mod text;
mod verify;

use wharf_plugin::{ByteSize, Reference, VerifiedArtifact};

pub use attachments::Attachments;
pub use error::{FetchError, FileKind};
pub use verify::{CheckedSignature, NoPolicy, Refused, Subject, Verified, Verifier, Verifying};

/// The largest plugin that is fetched. Filters have a few megabytes at most; this keeps a wrong path or a hostile
/// source from filling the memory.
pub const MOST_BYTES: ByteSize = ByteSize::from_mib(64);

/// Fetches the bytes of a plugin and names them by their digest.
///
/// A `.wasm` file is taken as it is, a `.wat` file is assembled first. The file is read anew each time, so a changed
/// file is another artifact. Nobody's signature is asked for: whoever can write the file decides what runs.
///
/// This blocks the thread while the file is read.
///
/// # Errors
/// [`FetchError`] says what is wrong with the file, and [`FetchError::hint`] what to do about it.
pub fn fetch(reference: &Reference) -> Result<VerifiedArtifact, FetchError> {
    match reference {
        Reference::File(path) => {
            let bytes = file::read_module(path)?;
            Ok(VerifiedArtifact::dangerously_unverified(reference.clone(), bytes))
        }
        Reference::Https(_) | Reference::Oci(_) => Err(FetchError::NotSupportedYet {
            reference: reference.clone(),
        }),
    }
}

#[cfg(test)]
mod tests;
