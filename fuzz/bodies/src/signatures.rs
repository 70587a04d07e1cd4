//! Signatures, and what they are checked with.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use wharf_plugin::{ContentDigest, PlainReference, Reference, ReferencePattern};
use wharf_signature::{
    Artifact, PrivateKey, PublicKey, Purpose, SignatureSource, SubjectRegex, Timestamp, TrustRoot, Verifier,
};

/// The manifest that the corpus's bundles sign.
const MANIFEST: &[u8] = include_bytes!("../../../crates/wharf-signature/tests/data/manifest.json");

static ROOT: LazyLock<TrustRoot> = LazyLock::new(TrustRoot::public);

/// Reads the bytes as a bundle, as a layer of the older layout with annotations behind its first NUL, as a root of trust,
/// and as keys. No signature is good, since no key is; each that is refused is refused with a reason and a hint. Short
/// texts are patterns and expressions as well.
pub fn signatures(bytes: &[u8]) {
    let (layer, annotations) = split(bytes);
    let sources = [
        SignatureSource::Bundle(bytes),
        SignatureSource::SimpleSigning {
            payload: layer,
            annotations: &annotations,
        },
        SignatureSource::Envelope {
            envelope: layer,
            annotations: &annotations,
        },
    ];
    let digest = ContentDigest::sha256_of(MANIFEST);
    let artifact = Artifact::new(&digest, MANIFEST).expect("it is the digest of the manifest");
    let verifier = Verifier::new(Some(&ROOT), Timestamp::from_unix_seconds(1_800_000_000));
    for purpose in [Purpose::Signature, Purpose::Attestation { predicate_type: "a" }] {
        let checked = verifier.verify(artifact, purpose, &sources, &[]);
        assert!(checked.verified.is_empty(), "nobody is believed here");
        for refused in checked.refused {
            assert!(!refused.refusal.to_string().is_empty() && !refused.refusal.hint().is_empty());
        }
    }
    let _ = TrustRoot::from_json(bytes);
    let _ = PublicKey::from_spki_der(bytes);
    let _ = PrivateKey::from_pkcs8(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = PublicKey::from_pem(text);
        let _ = PrivateKey::from_pem(text, None);
        if text.len() <= 256 {
            check_short(text);
        }
    }
}

fn split(bytes: &[u8]) -> (&[u8], BTreeMap<String, String>) {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (layer, annotations) = bytes.split_at(end);
    let annotations = annotations.get(1..).unwrap_or_default();
    (layer, serde_json::from_slice(annotations).unwrap_or_default())
}

/// A pattern is written as it is read, and matches what it is the whole of.
fn check_short(text: &str) {
    let _ = SubjectRegex::new(text);
    let pattern = text.parse::<ReferencePattern>();
    if let Ok(pattern) = &pattern {
        assert_eq!(pattern.to_string().parse().as_ref(), Ok(pattern));
    }
    if let Ok(reference) = text.parse::<Reference>()
        && let Ok(plain) = PlainReference::of(&reference)
    {
        let all: ReferencePattern = "**".parse().expect("it is a pattern");
        assert!(all.matches(&plain));
        let _ = pattern.map(|pattern| pattern.matches(&plain));
    }
}
