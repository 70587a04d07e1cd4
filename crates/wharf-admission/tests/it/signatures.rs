//! Policies that ask who signed an image, over sockets from the review to the registry.

use std::collections::BTreeMap;
use std::sync::Arc;

use rcgen::KeyPair;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use wharf_distribution::registry::RegistryClient;
use wharf_plugin::{ContentDigest, ImageReference};
use wharf_signature::{PrivateKey, SIGN_PREDICATE_TYPE, TrustRoot};
use wharf_testing::registry::{Fault, Registry, RegistryBuilder, image_manifest, registry};
use wharf_testing::sigstore::{ISSUER, SUBJECT, Wanted, World};
use wharf_trust::{RootOfTrust, attach_bundle, attach_simple};

use crate::asking::{Asked, client_of};

const CONFIG: &str = r#"{"architecture":"amd64","os":"linux"}"#;

/// A registry with the image `team/app:1`, and whoever signs it.
struct Signing {
    registry: Registry,
    client: Arc<RegistryClient>,
    runtime: Runtime,
    image: ImageReference,
}

impl Signing {
    fn new() -> Self {
        Self::with(registry())
    }

    fn with(builder: RegistryBuilder) -> Self {
        let registry = builder.image("team/app", "1", CONFIG).start();
        let image = format!("{}/team/app:1", registry.address());
        Self {
            client: client_of(&registry),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
            image: image.parse().unwrap(),
            registry,
        }
    }

    fn digest(&self) -> ContentDigest {
        ContentDigest::sha256_of(image_manifest(CONFIG.as_bytes()).as_bytes())
    }

    /// Signs as cosign 2 does. `signed` is what the signature says that it is of.
    fn sign_simple(&self, key: &PrivateKey, signed: &ContentDigest, annotations: &[(&str, &str)]) {
        let pairs = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            let pairs = pairs.iter();
            pairs
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        let layer = key
            .sign_simple(signed, self.image.repository(), &pairs(annotations))
            .unwrap();
        self.runtime
            .block_on(attach_simple(&self.client, &self.image, &self.digest(), &layer))
            .unwrap();
    }

    /// Signs as cosign 3 does.
    fn sign_bundle(&self, key: &PrivateKey) {
        self.attach(key.sign_bundle(&self.digest(), &BTreeMap::new()).unwrap());
    }

    fn attach(&self, bundle: Vec<u8>) {
        let attach = async {
            let manifest = self.client.manifest(&self.image).await.unwrap();
            attach_bundle(&self.client, &self.image, &manifest, bundle, SIGN_PREDICATE_TYPE).await
        };
        self.runtime.block_on(attach).unwrap();
    }

    /// A server with policies that ask about the image, each by its name: an operation and what it asks beside the image.
    fn asked(self, policies: &[(&str, &str, Value)]) -> Asked {
        self.asked_with(policies, |made| made)
    }

    fn asked_with(
        self,
        policies: &[(&str, &str, Value)],
        given: impl FnOnce(wharf_admission::ClusterCapabilities) -> wharf_admission::ClusterCapabilities,
    ) -> Asked {
        let image = self.image.to_string();
        let policies: Vec<_> = policies
            .iter()
            .map(|(name, operation, asked)| {
                let mut asked = asked.clone();
                // The first version has the kind as its one key, the second in `type`.
                let fields = match asked.get("type") {
                    Some(_) => &mut asked,
                    None => asked.as_object_mut().unwrap().values_mut().next().unwrap(),
                };
                fields["image"] = json!(image);
                let granted = if *name == "ungranted" {
                    "oci/v1/verify"
                } else {
                    "oci/*"
                };
                (*name, *operation, asked.to_string(), granted)
            })
            .collect();
        Asked::new(self.registry, &policies, |made| {
            given(made.with_registries(self.client))
        })
    }
}

fn key() -> PrivateKey {
    PrivateKey::from_pem(&KeyPair::generate().unwrap().serialize_pem(), None).unwrap()
}

fn by_keys(keys: &[&PrivateKey]) -> Value {
    let keys: Vec<_> = keys.iter().map(|key| key.public_key().to_pem()).collect();
    json!({ "type": "SigstorePubKeyVerify", "pub_keys": keys, "annotations": null })
}

fn by_identity() -> Value {
    json!({
        "type": "SigstoreKeylessVerify",
        "keyless": [{ "issuer": ISSUER, "subject": SUBJECT }],
        "annotations": null,
    })
}

fn trusted(digest: &ContentDigest) -> String {
    format!("{{'is_trusted':true,'digest':'{digest}'}}")
}

fn assert_refused(said: &str, why: &str) {
    let begins = "Image verification failed: missing signatures: ADDRESS/team/app:1: ";
    assert!(said.contains(begins) && said.contains(why), "{said}");
}

#[test]
fn a_signature_of_the_key_is_enough_in_either_layout() {
    let good = key();
    let asks = |good| {
        let first = json!({ "SigstorePubKeyVerify": by_keys(&[good]) });
        [
            ("first", "v1/verify", first),
            ("second", "v2/verify", by_keys(&[good])),
        ]
    };
    let simple = Signing::new();
    let digest = simple.digest();
    simple.sign_simple(&good, &digest, &[]);
    let simple = simple.asked(&asks(&good));
    assert_eq!(simple.says("first"), trusted(&digest));
    assert_eq!(simple.says("second"), trusted(&digest));

    let bundle = Signing::new();
    bundle.sign_bundle(&good);
    assert_eq!(bundle.asked(&asks(&good)).says("second"), trusted(&digest));
}

#[test]
fn another_key_another_digest_and_no_signature_are_told_apart() {
    let (good, other) = (key(), key());
    let asks = [("key", "v2/verify", by_keys(&[&good]))];

    let unsigned = Signing::new().asked(&asks).says("key");
    assert!(
        unsigned.contains("no signatures found for image: ADDRESS/team/app:1"),
        "{unsigned}"
    );

    let signing = Signing::new();
    signing.sign_simple(&other, &signing.digest(), &[]);
    assert_refused(
        &signing.asked(&asks).says("key"),
        "none of the 1 keys of the rule made it",
    );

    let signing = Signing::new();
    signing.sign_simple(&good, &ContentDigest::sha256_of(b"another"), &[]);
    assert_refused(&signing.asked(&asks).says("key"), "it is a signature of sha256:");
}

#[test]
fn all_keys_have_to_sign() {
    let (one, two) = (key(), key());
    let asks = [("both", "v2/verify", by_keys(&[&one, &two]))];
    let signing = Signing::new();
    let digest = signing.digest();
    signing.sign_simple(&one, &digest, &[]);
    let fingerprint = two.public_key().fingerprint();
    assert_refused(
        &signing.asked(&asks).says("both"),
        &format!("key {fingerprint} did not"),
    );

    let signing = Signing::new();
    signing.sign_simple(&one, &digest, &[]);
    signing.sign_simple(&two, &digest, &[]);
    assert_eq!(signing.asked(&asks).says("both"), trusted(&digest));
}

#[test]
fn annotations_have_to_be_signed() {
    let key = key();
    let with = |annotations: Value| {
        let mut asked = by_keys(&[&key]);
        asked["annotations"] = annotations;
        asked
    };
    let signing = Signing::new();
    let digest = signing.digest();
    signing.sign_simple(&key, &digest, &[("env", "prod"), ("team", "a")]);
    let asked = signing.asked(&[
        ("same", "v2/verify", with(json!({ "env": "prod" }))),
        ("other", "v2/verify", with(json!({ "env": "test" }))),
        ("more", "v2/verify", with(json!({ "env": "prod", "more": "x" }))),
    ]);
    assert_eq!(asked.says("same"), trusted(&digest));
    for policy in ["other", "more"] {
        assert_refused(&asked.says(policy), "lacks annotations that the rule asks for");
    }
}

#[test]
fn an_answer_is_kept_by_all_that_was_asked_and_an_error_is_not() {
    let key = key();
    let mut annotated = by_keys(&[&key]);
    annotated["annotations"] = json!({ "env": "prod" });
    let signing = Signing::new();
    let digest = signing.digest();
    signing.sign_simple(&key, &digest, &[]);
    let asked = signing.asked(&[
        ("key", "v2/verify", by_keys(&[&key])),
        (
            "first",
            "v1/verify",
            json!({ "SigstorePubKeyVerify": by_keys(&[&key]) }),
        ),
        ("annotated", "v2/verify", annotated),
    ]);
    let requests = || asked.registry.asked().len();
    assert_eq!(asked.says("key"), trusted(&digest));
    let first = requests();
    assert_eq!(asked.says("key"), trusted(&digest));
    assert_eq!(asked.says("first"), trusted(&digest));
    assert_eq!(requests(), first, "{:?}", asked.registry.asked());
    for _ in 0..2 {
        let before = requests();
        assert_refused(&asked.says("annotated"), "lacks annotations");
        assert!(requests() > before);
    }
}

#[test]
fn a_registry_that_does_not_answer_is_no_missing_signature() {
    let key = key();
    let asks = [("key", "v2/verify", by_keys(&[&key]))];
    let throttled = Fault::Status(429, "retry-after: 9\r\n", "");
    for part in ["/manifests/1", "/manifests/sha256-", "/referrers/"] {
        let said = Signing::with(registry().fault(part, throttled.clone()))
            .asked(&asks)
            .says("key");
        let expected =
            "ADDRESS/team/app:1: the registry ADDRESS was asked too often, and may be again in 9 s; wait";
        assert!(said.contains(expected), "{part}: {said}");
    }
}

#[test]
fn an_identity_is_believed_by_the_root_of_trust_alone() {
    let world = World::new();
    let signed = || {
        let signing = Signing::new();
        let digest = signing.digest().to_string();
        let certificate = world.certificate(&Wanted::default());
        let bundle = world.bundle(&certificate, digest.trim_start_matches("sha256:"));
        signing.attach(bundle.to_string().into_bytes());
        signing
    };
    let by_prefix = |prefix: &str| {
        json!({
            "type": "SigstoreKeylessPrefixVerify",
            "keyless_prefix": [{ "issuer": ISSUER, "url_prefix": prefix }],
        })
    };
    let asks = [
        ("identity", "v2/verify", by_identity()),
        ("prefix", "v2/verify", by_prefix("https://github.com/acme")),
        ("other", "v2/verify", by_prefix("https://github.com/acm")),
        // GitHub's own provider did not vouch for it.
        (
            "workflow",
            "v2/verify",
            json!({ "type": "SigstoreGithubActionsVerify", "owner": "acme", "repo": null }),
        ),
    ];
    let digest = Signing::new().digest();
    let public = signed().asked(&asks);
    for policy in ["identity", "prefix", "other", "workflow"] {
        assert_refused(&public.says(policy), "the root of trust does not have");
    }
    let root = TrustRoot::from_json(world.trusted_root().to_string().as_bytes()).unwrap();
    let own = signed().asked_with(&asks, |made| made.with_trust(RootOfTrust::of(root)));
    for policy in ["identity", "prefix"] {
        assert_eq!(own.says(policy), trusted(&digest));
    }
    for policy in ["other", "workflow"] {
        assert_refused(&own.says(policy), "whom the rule does not name");
    }
}

#[test]
fn what_is_not_granted_not_offered_or_no_question_asks_nobody() {
    let asked = Signing::new().asked(&[
        ("ungranted", "v2/verify", by_keys(&[&key()])),
        (
            "certificate",
            "v2/verify",
            json!({ "type": "SigstoreCertificateVerify", "certificate": [45], "require_rekor_bundle": true }),
        ),
        ("none", "v2/verify", by_keys(&[])),
    ]);
    let said = asked.says("ungranted");
    assert!(said.contains("oci/v2/verify"), "{said}");
    let said = asked.says("certificate");
    assert!(
        said.contains("does not offer oci/v2/verify with a certificate of the policy's own"),
        "{said}"
    );
    let said = asked.says("none");
    assert!(said.contains("Must provide at least one pub key"), "{said}");
    assert_eq!(asked.registry.asked(), Vec::<String>::new());
}
