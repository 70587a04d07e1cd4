//! What those try who mean harm: too much, too deep, too many, and bytes that were changed at random.

use std::collections::BTreeMap;

use wharf_plugin::ContentDigest;
use wharf_signature::{
    Artifact, Checked, MOST_SIGNATURE_BYTES, MOST_SIGNATURES, PublicKey, Purpose, Refusal, SignatureSource,
    Timestamp, TrustRoot, Verifier,
};

use wharf_testing::sigstore::{NOW, Wanted, World, hex, sha256};

const ARTIFACT: &[u8] = b"a manifest";
const BUNDLE: &str = include_str!("../data/cosign-3.1/p256.bundle.json");
const PAYLOAD: &str = include_str!("../data/cosign-2.5/p256.payload.json");

fn bundle(json: &[u8]) -> Refusal {
    let checked = crate::verify(
        ARTIFACT,
        SignatureSource::Bundle(json),
        &[],
        None,
        Purpose::Signature,
    );
    checked.refused[0].refusal.clone()
}

#[test]
fn what_is_no_bundle_is_told() {
    for (json, word) in [
        (&b""[..], "the bundle cannot be read"),
        (&b"{"[..], "the bundle cannot be read"),
        (&b"[]"[..], "the bundle cannot be read"),
        (&b"\xff"[..], "the bundle cannot be read"),
        (
            &br#"{"mediaType":"x","verificationMaterial":{}}"#[..],
            "not understood",
        ),
        (
            &br#"{"mediaType":"x","mediaType":"x","verificationMaterial":{}}"#[..],
            "duplicate",
        ),
    ] {
        let refusal = bundle(json).to_string();
        assert!(refusal.contains(word), "{refusal}");
    }
    let with = |from: &str, to: &str| bundle(BUNDLE.replacen(from, to, 1).as_bytes());
    let malformed = |part| Refusal::Malformed { part };
    assert_eq!(
        with("\"publicKey\"", "\"other\""),
        malformed("the certificate or key of the bundle")
    );
    assert_eq!(
        with("\"sig\":\"", "\"sig\":\"!"),
        malformed("the signature of the envelope")
    );
    assert_eq!(
        with("\"payload\":\"", "\"payload\":\"!"),
        malformed("the payload of the envelope")
    );
    assert_eq!(
        with("\"dsseEnvelope\"", "\"other\""),
        malformed("the content of the bundle")
    );
    assert_eq!(
        with("signatures\":[", "signatures\":[{\"sig\":\"\"},"),
        malformed("the one signature of the envelope")
    );
    assert_eq!(
        with(
            "{\"publicKey\"",
            "{\"tlogEntries\":[{\"canonicalizedBody\":\"\"}],\"publicKey\""
        ),
        malformed("the log entry of the bundle")
    );
}

#[test]
fn too_much_too_deep_and_too_many_are_refused() {
    let large = vec![b' '; MOST_SIGNATURE_BYTES + 1];
    assert!(matches!(bundle(&large), Refusal::TooLarge { .. }));
    let deep = format!(r#"{{"mediaType":{}"#, "[".repeat(500_000));
    assert!(matches!(bundle(deep.as_bytes()), Refusal::BadJson { .. }));
    let entries = format!(
        "{{\"tlogEntries\":[{}],\"publicKey\"",
        ["{\"canonicalizedBody\":\"\"}"; 5].join(",")
    );
    let many = BUNDLE.replacen("{\"publicKey\"", &entries, 1);
    assert_eq!(
        bundle(many.as_bytes()),
        Refusal::Malformed {
            part: "the log entry of the bundle"
        }
    );

    let digest = ContentDigest::sha256_of(ARTIFACT);
    let artifact = Artifact::new(&digest, ARTIFACT).unwrap();
    let sources = vec![SignatureSource::Bundle(b"{}"); MOST_SIGNATURES + 20];
    let verifier = Verifier::new(None, Timestamp::from_unix_seconds(NOW));
    let checked = verifier.verify(artifact, Purpose::Signature, &sources, &[]);
    assert_eq!(checked.refused.len(), MOST_SIGNATURES + 1);
    assert_eq!(
        checked.refused.last().unwrap().refusal,
        Refusal::TooMany {
            found: MOST_SIGNATURES + 20,
            most: MOST_SIGNATURES
        }
    );
}

#[test]
fn bad_annotations_of_the_older_layout_are_told() {
    let key = "dev.cosignproject.cosign/signature";
    let check = |annotations: &[(&str, &str)]| {
        let annotations: BTreeMap<String, String> = annotations
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let manifest = include_bytes!("../data/manifest.json");
        let source = SignatureSource::SimpleSigning {
            payload: PAYLOAD.as_bytes(),
            annotations: &annotations,
        };
        let checked = crate::verify(manifest, source, &[], None, Purpose::Signature);
        checked.refused[0].refusal.to_string()
    };
    for (annotations, word) in [
        (vec![], "the annotation with the signature"),
        (vec![(key, "!")], "the annotation with the signature"),
        (
            vec![(key, "AAAA"), ("dev.sigstore.cosign/certificate", "x")],
            "with the certificate",
        ),
        (
            vec![(key, "AAAA"), ("dev.sigstore.cosign/bundle", "x")],
            "the log entry cannot be read",
        ),
        (
            vec![
                (
                    "dev.sigstore.cosign/bundle",
                    r#"{"SignedEntryTimestamp":"","Payload":{"body":"","integratedTime":1,"logIndex":1,"logID":"0"}}"#,
                ),
                (key, "AAAA"),
            ],
            "with the log entry is missing or damaged",
        ),
        (
            vec![(key, "AAAA"), ("dev.sigstore.cosign/rfc3161timestamp", "{}")],
            "the timestamp cannot be read",
        ),
    ] {
        let told = check(&annotations);
        assert!(told.contains(word), "{told}");
    }
}

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % most
    }
}

/// Changes bytes, takes some away, or puts some in.
fn change(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    for _ in 0..=numbers.below(3) {
        let place = numbers.below(bytes.len());
        match numbers.below(4) {
            0 => bytes[place] = u8::try_from(numbers.below(256)).unwrap(),
            1 => bytes[place] ^= 1 << numbers.below(8),
            2 => {
                let end = (place + numbers.below(40)).min(bytes.len() - 1);
                bytes.drain(place..end);
            }
            _ => {
                let from = numbers.below(bytes.len());
                let copied: Vec<u8> = bytes[from..(from + 20).min(bytes.len())].to_vec();
                bytes.splice(place..place, copied);
            }
        }
    }
}

#[test]
fn bytes_that_were_changed_at_random_are_refused_or_say_the_same() {
    let world = World::new();
    let root = crate::root_of(&world);
    let certificate = world.certificate(&Wanted::default());
    let mut bundle = world.bundle(&certificate, &hex(&sha256(ARTIFACT)));
    let token = world.timestamp(b"x", "20260115000100Z");
    bundle["verificationMaterial"]["timestampVerificationData"] =
        serde_json::json!({ "rfc3161Timestamps": [] });
    let good = bundle.to_string().into_bytes();
    let check = |json: &[u8]| {
        crate::verify(
            ARTIFACT,
            SignatureSource::Bundle(json),
            &[],
            Some(&root),
            Purpose::Signature,
        )
    };
    let expected = check(&good).verified;
    assert_eq!(expected.len(), 1);
    let mut numbers = Numbers(0x1234_5678_9abc_def1);
    for _ in 0..2000 {
        let mut bytes = good.clone();
        change(&mut bytes, &mut numbers);
        let Checked { verified, .. } = check(&bytes);
        assert!(verified.is_empty() || verified == expected);
    }
    // What is inside Base64 is changed before it is encoded, so that the readers of certificates and tokens see it.
    let pointers = [
        ("/verificationMaterial/certificate/rawBytes", certificate),
        (
            "/verificationMaterial/tlogEntries/0/canonicalizedBody",
            b"{\"kind\":\"dsse\",\"apiVersion\":\"0.0.1\",\"spec\":{}}".to_vec(),
        ),
        (
            "/verificationMaterial/timestampVerificationData/rfc3161Timestamps",
            token,
        ),
    ];
    for (pointer, original) in pointers {
        for _ in 0..1000 {
            let mut bytes = original.clone();
            change(&mut bytes, &mut numbers);
            let encoded = wharf_testing::sigstore::base64(&bytes);
            let value = match pointer.ends_with("Timestamps") {
                true => serde_json::json!([{ "signedTimestamp": encoded }]),
                false => encoded.into(),
            };
            let mut changed = bundle.clone();
            *changed.pointer_mut(pointer).unwrap() = value;
            let Checked { verified, .. } = check(changed.to_string().as_bytes());
            assert!(verified.is_empty() || verified == expected);
        }
    }
}

#[test]
fn readers_of_keys_and_roots_take_anything() {
    let root = World::new().trusted_root().to_string().into_bytes();
    let pem = include_bytes!("../data/cosign-2.5/cosign.pub");
    let mut numbers = Numbers(0x0fed_cba9_8765_4321);
    for _ in 0..2000 {
        let mut bytes = root.clone();
        change(&mut bytes, &mut numbers);
        let _ = TrustRoot::from_json(&bytes);
        let mut bytes = pem.to_vec();
        change(&mut bytes, &mut numbers);
        let _ = PublicKey::from_pem(&String::from_utf8_lossy(&bytes));
        let _ = PublicKey::from_spki_der(&bytes);
    }
}
