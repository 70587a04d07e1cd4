//! What cosign 2.5.0 and 3.1.1 wrote, with keys that were made for these tests.

use std::collections::BTreeMap;

use wharf_plugin::ContentDigest;
use wharf_signature::{
    Artifact, PrivateKey, PublicKey, Purpose, Refusal, SignatureSource, Signer, Timestamp, VerifiedSignature,
    Verifier,
};

use wharf_testing::sigstore as world;

/// The manifest that all P-256 signatures are of.
const MANIFEST: &[u8] = include_bytes!("../data/manifest.json");
const PREDICATE: &str = "https://cosign.sigstore.dev/attestation/v1";

macro_rules! data {
    ($name:literal) => {
        include_str!(concat!("../data/", $name))
    };
}

fn key(pem: &str) -> PublicKey {
    PublicKey::from_pem(pem).unwrap()
}

/// The one signature of the manifest, or why it does not count.
fn check(
    purpose: Purpose<'_>,
    source: SignatureSource<'_>,
    key: &PublicKey,
) -> Result<VerifiedSignature, Refusal> {
    let mut checked = crate::verify(MANIFEST, source, std::slice::from_ref(key), None, purpose);
    match checked.refused.pop() {
        Some(refused) => Err(refused.refusal),
        None => Ok(checked.verified.remove(0)),
    }
}

fn annotations(json: &str) -> BTreeMap<String, String> {
    serde_json::from_str(json).unwrap()
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn what_cosign_signed_is_verified() {
    let older = annotations(data!("cosign-2.5/p256.annotations.json"));
    let older = SignatureSource::SimpleSigning {
        payload: data!("cosign-2.5/p256.payload.json").as_bytes(),
        annotations: &older,
    };
    let newer = SignatureSource::Bundle(data!("cosign-3.1/p256.bundle.json").as_bytes());
    for (source, pem, team) in [
        (older, data!("cosign-2.5/cosign.pub"), "platform"),
        (newer, data!("cosign-3.1/cosign.pub"), "harbour"),
    ] {
        let key = key(pem);
        let expected = VerifiedSignature {
            signer: Signer::Key(key.fingerprint()),
            log: None,
            signed_at: None,
            annotations: pairs(&[("team", team)]),
            statement: None,
        };
        assert_eq!(check(Purpose::Signature, source, &key), Ok(expected));
    }
}

#[test]
fn what_cosign_attested_is_verified_and_is_no_signature() {
    let none = BTreeMap::new();
    let older = SignatureSource::Envelope {
        envelope: data!("cosign-2.5/p256.attestation.json").as_bytes(),
        annotations: &none,
    };
    let newer = SignatureSource::Bundle(data!("cosign-3.1/p256.attestation.json").as_bytes());
    for (source, pem) in [
        (older, data!("cosign-2.5/cosign.pub")),
        (newer, data!("cosign-3.1/cosign.pub")),
    ] {
        let purpose = Purpose::Attestation {
            predicate_type: PREDICATE,
        };
        let verified = check(purpose, source, &key(pem)).unwrap();
        let statement = verified.statement.unwrap();
        assert_eq!(statement.predicate_type, PREDICATE);
        assert_eq!(statement.predicate["Data"], "{\"checked\":\"yes\"}\n");
        let refusal = Refusal::OtherPredicate {
            predicate_type: PREDICATE.to_owned(),
        };
        assert_eq!(check(Purpose::Signature, source, &key(pem)), Err(refusal));
    }
    let signature = SignatureSource::Bundle(data!("cosign-3.1/p256.bundle.json").as_bytes());
    let purpose = Purpose::Attestation {
        predicate_type: PREDICATE,
    };
    assert!(matches!(
        check(purpose, signature, &key(data!("cosign-3.1/cosign.pub"))),
        Err(Refusal::NoStatement)
    ));
}

#[test]
fn keys_of_all_kinds_are_verified() {
    let older = annotations(data!("cosign-2.5/ed25519.annotations.json"));
    let older = SignatureSource::SimpleSigning {
        payload: data!("cosign-2.5/ed25519.payload.json").as_bytes(),
        annotations: &older,
    };
    let newer = |bundle: &'static str| SignatureSource::Bundle(bundle.as_bytes());
    for (source, pem, manifest) in [
        (
            older,
            data!("cosign-2.5/ed25519.pub"),
            data!("cosign-2.5/ed25519.manifest.json"),
        ),
        (
            newer(data!("cosign-3.1/p384.bundle.json")),
            data!("cosign-3.1/p384.pub"),
            data!("cosign-3.1/p384.manifest.json"),
        ),
        (
            newer(data!("cosign-3.1/rsa.bundle.json")),
            data!("cosign-3.1/rsa.pub"),
            data!("cosign-3.1/rsa.manifest.json"),
        ),
    ] {
        let key = key(pem);
        let keys = std::slice::from_ref(&key);
        let checked = crate::verify(manifest.as_bytes(), source, keys, None, Purpose::Signature);
        assert_eq!(checked.refused, []);
        assert_eq!(checked.verified[0].signer, Signer::Key(key.fingerprint()));
        // The manifest of another.
        let refusal = check(Purpose::Signature, source, &key).unwrap_err();
        let expected = Refusal::OtherDigest {
            signed: ContentDigest::sha256_of(manifest.as_bytes()).to_string(),
            wanted: ContentDigest::sha256_of(MANIFEST).to_string(),
        };
        assert_eq!(refusal, expected);
    }
}

/// cosign 3 signs with Ed25519ph, which nothing in the bundle says.
#[test]
fn the_other_ed25519_is_told_apart_from_another_key() {
    let source = SignatureSource::Bundle(data!("cosign-3.1/ed25519.bundle.json").as_bytes());
    let manifest = data!("cosign-3.1/ed25519.manifest.json").as_bytes();
    let keys = [key(data!("cosign-3.1/ed25519.pub"))];
    let checked = crate::verify(manifest, source, &keys, None, Purpose::Signature);
    assert_eq!(checked.refused[0].refusal, Refusal::NotEd25519);
}

#[test]
fn a_signature_with_another_key_is_refused() {
    let bundle = SignatureSource::Bundle(data!("cosign-3.1/p256.bundle.json").as_bytes());
    let other = key(data!("cosign-2.5/cosign.pub"));
    assert_eq!(
        check(Purpose::Signature, bundle, &other),
        Err(Refusal::WrongKey { keys: 1 })
    );
    let digest = ContentDigest::sha256_of(MANIFEST);
    let artifact = Artifact::new(&digest, MANIFEST).unwrap();
    let verifier = Verifier::new(None, Timestamp::from_unix_seconds(world::NOW));
    let checked = verifier.verify(artifact, Purpose::Signature, &[bundle], &[]);
    assert_eq!(checked.refused[0].refusal, Refusal::WrongKey { keys: 0 });
    // The signer is among several.
    let keys = [other, key(data!("cosign-3.1/cosign.pub"))];
    assert_eq!(
        verifier
            .verify(artifact, Purpose::Signature, &[bundle], &keys)
            .verified
            .len(),
        1
    );
}

#[test]
fn bytes_of_another_digest_are_no_artifact() {
    let digest = ContentDigest::sha256_of(b"other");
    assert!(Artifact::new(&digest, MANIFEST).is_none());
}

#[test]
fn what_is_signed_is_verified_whatever_the_key() {
    let wanted = pairs(&[("team", "platform"), ("stage", "\"<&>\"")]);
    for private in [
        data!("cosign-2.5/cosign.key"),
        data!("cosign-3.1/p384.key"),
        data!("cosign-3.1/ed25519.key"),
        data!("cosign-3.1/rsa.key"),
    ] {
        let private = PrivateKey::from_pem(private, Some(b"harbour")).unwrap();
        let key = private.public_key();
        let digest = ContentDigest::sha256_of(MANIFEST);
        let bundle = private.sign_bundle(&digest, &wanted).unwrap();
        let simple = private
            .sign_simple(&digest, "registry.example/greet", &wanted)
            .unwrap();
        let simple = SignatureSource::SimpleSigning {
            payload: &simple.payload,
            annotations: &simple.annotations,
        };
        for source in [SignatureSource::Bundle(&bundle), simple] {
            let verified = check(Purpose::Signature, source, key).unwrap();
            assert_eq!(verified.annotations, wanted);
            assert_eq!(verified.signer, Signer::Key(key.fingerprint()));
        }
        let file = private.sign_file(MANIFEST).unwrap();
        assert!(check(Purpose::Signature, SignatureSource::Bundle(&file), key).is_ok());
        let other = private.sign_file(b"other").unwrap();
        let refusal = check(Purpose::Signature, SignatureSource::Bundle(&other), key).unwrap_err();
        assert!(matches!(refusal, Refusal::OtherDigest { .. }), "{refusal}");
        let statement = private
            .attest(&digest, "https://a.example/b", serde_json::json!({ "x": [1] }))
            .unwrap();
        let purpose = Purpose::Attestation {
            predicate_type: "https://a.example/b",
        };
        let verified = check(purpose, SignatureSource::Bundle(&statement), key).unwrap();
        assert_eq!(
            verified.statement.unwrap().predicate,
            serde_json::json!({ "x": [1] })
        );
    }
}

/// What cosign wrote, but for the signature, which is another each time.
#[test]
fn payloads_are_written_byte_for_byte_as_cosign_writes_them() {
    let private = PrivateKey::from_pem(data!("cosign-2.5/cosign.key"), Some(b"harbour")).unwrap();
    let digest = ContentDigest::sha256_of(MANIFEST);
    let simple = private
        .sign_simple(
            &digest,
            "127.0.0.1:5077/plugins/greet",
            &pairs(&[("team", "platform")]),
        )
        .unwrap();
    assert_eq!(
        String::from_utf8(simple.payload).unwrap(),
        data!("cosign-2.5/p256.payload.json")
    );

    let private = PrivateKey::from_pem(data!("cosign-3.1/cosign.key"), Some(b"harbour")).unwrap();
    let bundle = private
        .sign_bundle(&digest, &pairs(&[("team", "harbour")]))
        .unwrap();
    let mut ours: serde_json::Value = serde_json::from_slice(&bundle).unwrap();
    let mut theirs: serde_json::Value = serde_json::from_str(data!("cosign-3.1/p256.bundle.json")).unwrap();
    for bundle in [&mut ours, &mut theirs] {
        bundle["dsseEnvelope"]["signatures"][0]["sig"].take();
    }
    assert_eq!(ours.to_string(), theirs.to_string());
}
