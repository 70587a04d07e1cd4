//! A registry with a plugin, and keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use wharf_distribution::registry::{HostSettings, Manifest, RegistryClient, RegistrySettings};
use wharf_distribution::{Attachments, Refused, Subject, Verified, Verifier as _};
use wharf_plugin::{ContentDigest, ImageReference, Reference};
use wharf_signature::{
    DefaultAction, LogRule, Needs, PrivateKey, PublicKey, Rule, SIGN_PREDICATE_TYPE, SignatureRule,
    SignerGroup, SignerPattern, TrustPolicy, WantedSigner,
};
use wharf_testing::registry::{IMAGE_MANIFEST, Registry, RegistryBuilder, image_manifest};
use wharf_trust::{RootOfTrust, TrustVerifier, attach_bundle, attach_simple};

pub(crate) const REPOSITORY: &str = "plugins/greet";

pub(crate) struct Yard {
    pub(crate) registry: Registry,
    pub(crate) client: Arc<RegistryClient>,
    pub(crate) image: ImageReference,
}

/// A new key.
pub(crate) fn key() -> PrivateKey {
    let pair = rcgen::KeyPair::generate().unwrap();
    PrivateKey::from_pem(&pair.serialize_pem(), None).unwrap()
}

/// A registry with one image.
pub(crate) fn yard(registry: RegistryBuilder) -> Yard {
    let registry = registry
        .manifest(REPOSITORY, "1", IMAGE_MANIFEST, image_manifest(b"{}"))
        .start();
    let host = registry.address().to_string();
    let settings = RegistrySettings {
        hosts: BTreeMap::from([(
            host.parse().unwrap(),
            HostSettings {
                plain_http: true,
                ..HostSettings::default()
            },
        )]),
        ..RegistrySettings::default()
    };
    Yard {
        registry,
        client: Arc::new(RegistryClient::new(settings).unwrap()),
        image: format!("{host}/{REPOSITORY}:1").parse().unwrap(),
    }
}

impl Yard {
    pub(crate) async fn manifest(&self) -> Manifest {
        self.client.manifest(&self.image).await.unwrap()
    }

    pub(crate) async fn digest(&self) -> ContentDigest {
        self.manifest().await.digest
    }

    /// Signs the image in cosign's older layout.
    pub(crate) async fn sign_simple(&self, key: &PrivateKey, annotations: &[(&str, &str)]) {
        let digest = self.digest().await;
        let signed = key.sign_simple(&digest, "x", &map(annotations)).unwrap();
        attach_simple(&self.client, &self.image, &digest, &signed)
            .await
            .unwrap();
    }

    /// Signs the image as cosign 3 does.
    pub(crate) async fn sign_bundle(&self, key: &PrivateKey, annotations: &[(&str, &str)]) {
        let bundle = key.sign_bundle(&self.digest().await, &map(annotations)).unwrap();
        self.attach(bundle).await;
    }

    pub(crate) async fn attach(&self, bundle: Vec<u8>) {
        let manifest = self.manifest().await;
        attach_bundle(&self.client, &self.image, &manifest, bundle, SIGN_PREDICATE_TYPE)
            .await
            .unwrap();
    }

    /// What a policy says of the image.
    pub(crate) async fn ask(&self, policy: TrustPolicy) -> Result<Verified, Refused> {
        let manifest = self.manifest().await;
        let attachments = Attachments::of_registry(&self.client, &self.image);
        let reference = Reference::Oci(self.image.to_string());
        let subject = Subject {
            reference: &reference,
            digest: &manifest.digest,
            bytes: Some(manifest.text.as_bytes()),
            attachments: Some(&attachments),
        };
        TrustVerifier::new(policy, RootOfTrust::public())
            .verify(subject)
            .await
    }
}

pub(crate) fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// A rule by which so many of these have to agree.
pub(crate) fn rule(require: usize, keys: &[&PublicKey]) -> SignatureRule {
    let signers = keys.iter().map(|key| WantedSigner {
        signer: SignerPattern::Key((*key).clone()),
        annotations: BTreeMap::new(),
    });
    SignatureRule {
        groups: vec![SignerGroup {
            require,
            signers: signers.collect(),
        }],
        annotations: BTreeMap::new(),
        log: LogRule::default(),
    }
}

/// A policy with that rule for everything.
pub(crate) fn policy(rule: SignatureRule) -> TrustPolicy {
    TrustPolicy {
        default: DefaultAction::Deny,
        rules: vec![Rule {
            references: vec!["**".parse().unwrap()],
            needs: Needs::Signatures(rule),
        }],
    }
}

pub(crate) fn reason(refused: &Refused) -> &str {
    match refused {
        Refused::Policy { reason, .. } => reason,
        other => panic!("the policy refuses it: {other:?}"),
    }
}
