//! From a plugin's reference to the bytes that may be compiled.
//!
//! ```text
//! Fetcher        fetcher.rs      a reference to a VerifiedArtifact: pull policy, lock file, store
//!   ├─ registry    registry.rs     the client: manifests, blobs, pushes, within bounds
//!   ├─ store       store.rs        all that was fetched, by digest, for many processes
//!   ├─ layout      layout.rs       in which form a plugin is in a registry; layer.rs looks into container images
//!   └─ verify      verify.rs       who is asked whether it may run; attachments.rs is where they find signatures
//! publish        publish.rs      a plugin pushed in a form that others read
//! provenance     provenance.rs   where a plugin is from and who signed it, as JSON
//! RemoteImages   remote.rs       images that are no plugins, which are looked at and not run
//! archive        archive.rs      what the store has, as an OCI layout in one file, and back
//! Lockfile       lockfile.rs     which digest each reference means
//! ```
//!
//! A [`VerifiedArtifact`] is the only thing that the engine compiles. Nothing is executed here but the credential helpers that a
//! deployer configured.

mod archive;
mod attachments;
mod bounded;
mod error;
mod fetcher;
mod file;
#[doc(hidden)]
pub mod fuzzing;
mod hashed;
mod layer;
mod layout;
mod lockfile;
mod provenance;
mod publish;
pub mod registry;
mod remote;
mod runtime;
mod store;
mod text;
mod verify;

pub use wharf_plugin::PullPolicy;
use wharf_plugin::{ByteSize, Reference, VerifiedArtifact};

pub use archive::{ArchiveError, Loaded, Saved};
pub use attachments::Attachments;
pub use error::{FetchError, FileKind};
pub use fetcher::{FetchLimits, FetchProgress, Fetched, Fetcher, Origin, Provenance, Pulled};
pub use layout::{Layout, LayoutError};
pub use lockfile::{LOCKFILE_NAME, LockMode, Lockfile, LockfileError, Pin};
pub use publish::{PublishError, PushFormat, Pushed, publish, publish_async};
pub use remote::{
    LayerProgress, RemoteImage, RemoteImageError, RemoteImageLimits, RemoteImages, RemoteLayer,
};
pub use store::{Hold, Pruned, Record, Store, StoreError};
pub use verify::{CheckedSignature, NoPolicy, Refused, Subject, Verified, Verifier, Verifying};

/// The largest plugin that is fetched. Filters have a few megabytes at most; this keeps a wrong path or a hostile
/// source from filling the memory.
pub const MOST_BYTES: ByteSize = ByteSize::from_mib(64);

/// Reads a plugin from a file and names its bytes by their digest: [`Fetcher`] does more.
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
        Reference::Https(_) | Reference::Oci(_) => Err(FetchError::OnlyFiles {
            reference: reference.clone(),
        }),
    }
}

#[cfg(test)]
mod tests;
