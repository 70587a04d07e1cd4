//! Certificates, logs and timestamps of a world of our own, and each thing that can be wrong with them.

mod entries;
mod timestamps;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{ExtendedKeyUsagePurpose, PublicKeyData as _, SanType, SigningKey as _};
use serde_json::{Value, json};
use wharf_signature::{
    Identity, LogFault, Purpose, Refusal, SignatureSource, Signer, Timestamp, TrustRoot, VerifiedSignature,
};

use wharf_testing::sigstore::{
    BEGAN, ISSUER, LOGGED, NOW, REPOSITORY, SUBJECT, Wanted, World, base64, hex, pem, sha256,
};

const ARTIFACT: &[u8] = b"a manifest";

/// A world, and a bundle in it with which nothing is wrong.
struct Setting {
    world: World,
    root: Value,
    bundle: Value,
}

impl Setting {
    fn new() -> Self {
        Self::with(&Wanted::default())
    }

    fn with(wanted: &Wanted) -> Self {
        let world = World::new();
        let certificate = world.certificate(wanted);
        let bundle = world.bundle(&certificate, &hex(&sha256(ARTIFACT)));
        Self {
            root: world.trusted_root(),
            world,
            bundle,
        }
    }

    fn verify(&self) -> Result<VerifiedSignature, Refusal> {
        let root = TrustRoot::from_json(self.root.to_string().as_bytes()).unwrap();
        verify(&self.bundle, Some(&root))
    }

    fn entry(&mut self) -> &mut Value {
        &mut self.bundle["verificationMaterial"]["tlogEntries"][0]
    }

    fn body(&mut self) -> Vec<u8> {
        STANDARD
            .decode(self.entry()["canonicalizedBody"].as_str().unwrap())
            .unwrap()
    }

    /// Logs something else, properly.
    fn log(&mut self, body: &[u8]) {
        *self.entry() = self.world.entry(body, LOGGED);
    }

    fn signature(&self) -> Vec<u8> {
        let signature = self.bundle["dsseEnvelope"]["signatures"][0]["sig"]
            .as_str()
            .unwrap();
        STANDARD.decode(signature).unwrap()
    }

    fn stamp(&mut self, timestamp: &[u8]) {
        self.bundle["verificationMaterial"]["timestampVerificationData"] =
            json!({ "rfc3161Timestamps": [{ "signedTimestamp": base64(timestamp) }] });
    }
}

fn verify(bundle: &Value, root: Option<&TrustRoot>) -> Result<VerifiedSignature, Refusal> {
    let json = bundle.to_string();
    outcome(SignatureSource::Bundle(json.as_bytes()), root)
}

fn outcome(source: SignatureSource<'_>, root: Option<&TrustRoot>) -> Result<VerifiedSignature, Refusal> {
    let mut checked = crate::verify(ARTIFACT, source, &[], root, Purpose::Signature);
    match checked.refused.pop() {
        Some(refused) => Err(refused.refusal),
        None => Ok(checked.verified.remove(0)),
    }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn somebody() -> Signer {
    Signer::Identity(Identity {
        issuer: ISSUER.to_owned(),
        subject: SUBJECT.to_owned(),
        repository: Some(REPOSITORY.to_owned()),
    })
}

#[test]
fn a_bundle_tells_who_signed_when_and_where_it_is_logged() {
    let setting = Setting::new();
    let verified = setting.verify().unwrap();
    assert_eq!(verified.signer, somebody());
    assert_eq!(verified.signed_at, Some(at(LOGGED)));
    assert_eq!(
        verified.annotations,
        BTreeMap::from([("team".to_owned(), "platform".to_owned())])
    );
    let log = verified.log.unwrap();
    assert_eq!((log.index, log.integrated_time), (123_456, Some(at(LOGGED))));
    assert_eq!(
        log.log,
        hex(&sha256(&setting.world.log.subject_public_key_info()))
    );
}

#[test]
fn the_older_layout_tells_the_same() {
    let world = World::new();
    let certificate = world.certificate(&Wanted::default());
    let payload = json!({
        "critical": {
            "identity": { "docker-reference": "registry.example/greet" },
            "image": { "docker-manifest-digest": format!("sha256:{}", hex(&sha256(ARTIFACT))) },
            "type": "cosign container image signature",
        },
        "optional": null,
    })
    .to_string();
    let signature = world.signer.sign(payload.as_bytes()).unwrap();
    let body = json!({
        "apiVersion": "0.0.1", "kind": "hashedrekord",
        "spec": {
            "data": { "hash": { "algorithm": "sha256", "value": hex(&sha256(payload.as_bytes())) } },
            "signature": {
                "content": base64(&signature),
                "publicKey": { "content": base64(pem(&certificate).as_bytes()) },
            },
        },
    })
    .to_string();
    let bundle = json!({
        "SignedEntryTimestamp": base64(&world.promise(body.as_bytes(), LOGGED, 77)),
        "Payload": {
            "body": base64(body.as_bytes()), "integratedTime": LOGGED, "logIndex": 77,
            "logID": hex(&sha256(&world.log.subject_public_key_info())),
        },
    });
    let annotation = |key: &str, value: String| (format!("dev.{key}"), value);
    let mut annotations = BTreeMap::from([
        annotation("cosignproject.cosign/signature", base64(&signature)),
        annotation("sigstore.cosign/certificate", pem(&certificate)),
        annotation("sigstore.cosign/bundle", bundle.to_string()),
    ]);
    let root = crate::root_of(&world);
    let check = |annotations: &BTreeMap<String, String>| {
        let source = SignatureSource::SimpleSigning {
            payload: payload.as_bytes(),
            annotations,
        };
        outcome(source, Some(&root))
    };
    let verified = check(&annotations).unwrap();
    assert_eq!(
        (verified.signer, verified.signed_at),
        (somebody(), Some(at(LOGGED)))
    );
    assert_eq!(verified.log.unwrap().index, 77);

    let other = bundle.to_string().replace("\"logIndex\":77", "\"logIndex\":78");
    annotations.insert("dev.sigstore.cosign/bundle".to_owned(), other);
    assert_eq!(check(&annotations), Err(LogFault::BadPromise.into()));
    annotations.remove("dev.sigstore.cosign/bundle");
    assert_eq!(check(&annotations), Err(Refusal::NoTrustedTime));
}

#[test]
fn what_is_wrong_with_a_certificate_is_told() {
    let with = |change: fn(&mut Wanted)| {
        let mut wanted = Wanted::default();
        change(&mut wanted);
        Setting::with(&wanted).verify()
    };
    assert_eq!(
        with(|wanted| wanted.began = BEGAN + 61),
        Err(Refusal::CertificateNotYetValid {
            made: at(LOGGED),
            began: at(BEGAN + 61)
        })
    );
    assert_eq!(
        with(|wanted| wanted.usage = ExtendedKeyUsagePurpose::ServerAuth),
        Err(Refusal::BadCertificate {
            reason: "it is for another use"
        })
    );
    assert_eq!(
        with(|wanted| wanted.subject = None),
        Err(Refusal::BadCertificate {
            reason: "it names nobody"
        })
    );
    assert_eq!(
        with(|wanted| wanted.subject = Some(SanType::DnsName("a.example".try_into().unwrap()))),
        Err(Refusal::BadCertificate {
            reason: "it does not name exactly one subject that can be read"
        })
    );
    assert_eq!(
        with(|wanted| wanted.issuer = None),
        Err(Refusal::BadCertificate {
            reason: "it does not say who vouches for its subject"
        })
    );
    assert_eq!(
        with(|wanted| wanted.logged = false),
        Err(Refusal::CertificateNotLogged {
            reason: "it carries none"
        })
    );
    let mail =
        with(|wanted| wanted.subject = Some(SanType::Rfc822Name("a@acme.example".try_into().unwrap())));
    assert!(
        matches!(mail.unwrap().signer, Signer::Identity(Identity { subject, .. }) if subject == "a@acme.example")
    );
    assert!(matches!(
        with(|wanted| wanted.repository = None).unwrap().signer,
        Signer::Identity(Identity { repository: None, .. })
    ));
}

#[test]
fn a_signature_after_the_end_of_its_certificate_is_refused() {
    let mut setting = Setting::new();
    let body = setting.body();
    *setting.entry() = setting.world.entry(&body, BEGAN + 601);
    assert_eq!(
        setting.verify(),
        Err(Refusal::CertificateExpired {
            made: at(BEGAN + 601),
            ended: at(BEGAN + 600)
        })
    );
    *setting.entry() = setting.world.entry(&body, NOW + 301);
    assert_eq!(
        setting.verify(),
        Err(Refusal::FromTheFuture {
            made: at(NOW + 301),
            now: at(NOW)
        })
    );
}

#[test]
fn who_is_not_in_the_root_of_trust_is_not_believed() {
    let other = World::new().trusted_root();
    let with = |part: &str| {
        let mut setting = Setting::new();
        setting.root[part] = other[part].clone();
        (
            setting.verify(),
            hex(&sha256(&setting.world.log.subject_public_key_info())),
        )
    };
    assert_eq!(with("certificateAuthorities").0, Err(Refusal::UnknownAuthority));
    let (outcome, log) = with("tlogs");
    assert_eq!(outcome, Err(Refusal::UnknownLog { log }));
    assert_eq!(
        with("ctlogs").0,
        Err(Refusal::CertificateNotLogged {
            reason: "it is of no log that the root of trust has"
        })
    );
    let setting = Setting::new();
    assert_eq!(verify(&setting.bundle, None), Err(Refusal::NoTrustRoot));

    // A log's identifier with another's key.
    let mut setting = Setting::new();
    setting.root["tlogs"][0]["publicKey"] = other["tlogs"][0]["publicKey"].clone();
    assert_eq!(setting.verify(), Err(LogFault::BadPromise.into()));
    let mut setting = Setting::new();
    setting.root["ctlogs"][0]["publicKey"] = other["ctlogs"][0]["publicKey"].clone();
    assert_eq!(
        setting.verify(),
        Err(Refusal::CertificateNotLogged {
            reason: "the log did not sign it"
        })
    );
    // All of them, but not any more, or not yet.
    for (pointer, expected) in [
        (
            "/tlogs/0/publicKey/validFor",
            Refusal::LogNotInUse { made: at(LOGGED) },
        ),
        ("/certificateAuthorities/0/validFor", Refusal::UnknownAuthority),
        (
            "/ctlogs/0/publicKey/validFor",
            Refusal::CertificateNotLogged {
                reason: "the log did not sign it",
            },
        ),
    ] {
        for validity in [
            json!({ "end": "2026-01-14T23:59:59Z" }),
            json!({ "start": "2026-01-15T00:01:01Z" }),
        ] {
            let mut setting = Setting::new();
            *setting.root.pointer_mut(pointer).unwrap() = validity;
            assert_eq!(setting.verify(), Err(expected.clone()), "{pointer}");
        }
    }
    // A root without logs of certificates does not ask for them.
    let mut setting = Setting::with(&Wanted {
        logged: false,
        ..Wanted::default()
    });
    setting.root["ctlogs"] = json!([]);
    assert!(setting.verify().is_ok());
}

#[test]
fn a_signature_of_something_else_is_refused() {
    let mut setting = Setting::new();
    let digits = hex(&sha256(ARTIFACT));
    let text = STANDARD
        .decode(setting.bundle["dsseEnvelope"]["payload"].as_str().unwrap())
        .unwrap();
    let text = String::from_utf8(text).unwrap();
    let change = |setting: &mut Setting, from: &str, to: &str| {
        setting.bundle["dsseEnvelope"]["payload"] = base64(text.replacen(from, to, 1).as_bytes()).into();
        setting.verify()
    };
    assert_eq!(
        change(&mut setting, &digits, &"00".repeat(32)),
        Err(Refusal::OtherDigest {
            signed: format!("sha256:{}", "00".repeat(32)),
            wanted: format!("sha256:{digits}"),
        })
    );
    assert_eq!(
        change(&mut setting, "platform", "platforn"),
        Err(Refusal::BadSignature)
    );
    assert!(matches!(
        change(&mut setting, "{", "["),
        Err(Refusal::BadJson { .. })
    ));
    assert!(matches!(
        change(&mut setting, "Statement/v1", "Statement/v9"),
        Err(Refusal::Malformed { .. })
    ));
}

/// Text and numbers of a piece of JSON, by their pointers.
fn leaves(value: &Value, at: &str, into: &mut Vec<String>) {
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(key, value)| leaves(value, &format!("{at}/{key}"), into)),
        Value::Array(list) => {
            list.iter()
                .enumerate()
                .for_each(|(index, value)| leaves(value, &format!("{at}/{index}"), into));
        }
        _ => into.push(at.to_owned()),
    }
}

#[test]
fn every_field_of_a_bundle_counts() {
    let mut setting = Setting::new();
    assert!(setting.verify().is_ok());
    let good = setting.bundle.clone();
    let mut pointers = Vec::new();
    leaves(&good, "", &mut pointers);
    assert!(pointers.len() > 15, "{pointers:?}");
    for pointer in pointers {
        let text = good.pointer(&pointer).and_then(Value::as_str).unwrap().to_owned();
        let middle = text.len() / 2;
        for place in [0, middle, text.len() - 1] {
            let mut bytes = text.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            let Ok(changed) = String::from_utf8(bytes) else {
                continue;
            };
            setting.bundle = good.clone();
            *setting.bundle.pointer_mut(&pointer).unwrap() = changed.into();
            assert!(setting.verify().is_err(), "{pointer} at {place}");
        }
    }
}
