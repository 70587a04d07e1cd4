//! Signatures of real tools, of a world of our own with its own authority and log, and of those who mean harm.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cosign;
mod hostile;
mod keyless;
mod real_cosign;

use wharf_plugin::ContentDigest;
use wharf_signature::{
    Artifact, Checked, PublicKey, Purpose, SignatureSource, Timestamp, TrustRoot, Verifier,
};
use wharf_testing::sigstore::World;

/// What becomes of one signature.
fn verify(
    bytes: &[u8],
    source: SignatureSource<'_>,
    keys: &[PublicKey],
    root: Option<&TrustRoot>,
    purpose: Purpose<'_>,
) -> Checked {
    let digest = ContentDigest::sha256_of(bytes);
    let artifact = Artifact::new(&digest, bytes).expect("it is the digest of these bytes");
    let now = Timestamp::from_unix_seconds(wharf_testing::sigstore::NOW);
    Verifier::new(root, now).verify(artifact, purpose, &[source], keys)
}

/// The root of trust that believes a world.
fn root_of(world: &World) -> TrustRoot {
    TrustRoot::from_json(world.trusted_root().to_string().as_bytes()).expect("a world writes a good root")
}
