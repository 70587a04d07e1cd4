//! How signatures lie in a registry beside what they are of.

use wharf_plugin::ContentDigest;

/// The type of a layer that is a payload of cosign's older layout.
pub const SIMPLE_SIGNING_MEDIA_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// The type of a layer that is an envelope of cosign's older layout.
pub const ENVELOPE_MEDIA_TYPE: &str = "application/vnd.dsse.envelope.v1+json";
/// The type of bundles that are written, and the artifact type of their manifests.
pub const BUNDLE_MEDIA_TYPE: &str = crate::bundle::MEDIA_TYPE;
/// What the artifact types of all manifests with bundles begin with.
pub const BUNDLE_MEDIA_TYPE_PREFIX: &str = "application/vnd.dev.sigstore.bundle";
/// The statement that is a signature, in bundles of cosign 3.
pub const SIGN_PREDICATE_TYPE: &str = crate::envelope::COSIGN_SIGN;

/// The tag of cosign's older signatures of a digest: `sha256-….sig`.
pub fn signature_tag(digest: &ContentDigest) -> String {
    format!("{}.sig", referrers_tag(digest))
}

/// The tag of cosign's older attestations of a digest: `sha256-….att`.
pub fn attestation_tag(digest: &ContentDigest) -> String {
    format!("{}.att", referrers_tag(digest))
}

/// The tag that stands in for the referrers of a digest where a registry does not list them: `sha256-…`.
pub fn referrers_tag(digest: &ContentDigest) -> String {
    digest.to_string().replacen(':', "-", 1)
}

/// The annotations of a manifest with a bundle, by which cosign finds it.
pub fn bundle_annotations(predicate_type: &str) -> [(&'static str, String); 2] {
    [
        ("dev.sigstore.bundle.content", "dsse-envelope".to_owned()),
        ("dev.sigstore.bundle.predicateType", predicate_type.to_owned()),
    ]
}
