//! From signatures as they come to signatures that are known to be good.

use std::collections::BTreeMap;
use std::fmt;

use wharf_plugin::{ContentDigest, Digest};

use crate::bundle::{self, Content};
use crate::certificate::{Certificate, Usage, sct};
use crate::envelope::{self, COSIGN_SIGN, Envelope, EnvelopeFile, Statement};
use crate::evidence::{Evidence, Material, Parsed};
use crate::identity::Identity;
use crate::key::{KeyAlgorithm, PublicKey};
use crate::log::{LogEntry, Logged, sha256};
use crate::refusal::Refusal;
use crate::simple_signing;
use crate::time::Timestamp;
use crate::trust_root::TrustRoot;

/// The most signatures of one artifact that are looked at.
pub const MOST_SIGNATURES: usize = 100;
/// The most bytes of one signature, all that belongs to it together.
pub const MOST_SIGNATURE_BYTES: usize = 1 << 20;

/// What is signed: the bytes of a file or of a manifest, and their digest.
#[derive(Debug, Clone, Copy)]
pub struct Artifact<'a> {
    digest: &'a ContentDigest,
    bytes: &'a [u8],
}

impl<'a> Artifact<'a> {
    /// Bytes with their digest. None where it is the digest of others: then nothing can be said about them.
    pub fn new(digest: &'a ContentDigest, bytes: &'a [u8]) -> Option<Self> {
        (digest.again_of(bytes) == *digest).then_some(Self { digest, bytes })
    }

    /// The digest.
    pub fn digest(&self) -> &'a ContentDigest {
        self.digest
    }
}

/// A signature as it lies in a registry or beside a file.
#[derive(Debug, Clone, Copy)]
pub enum SignatureSource<'a> {
    /// A Sigstore bundle.
    Bundle(&'a [u8]),
    /// A layer of cosign's older `sha256-….sig` tags.
    SimpleSigning {
        /// The layer.
        payload: &'a [u8],
        /// Its annotations in the manifest.
        annotations: &'a BTreeMap<String, String>,
    },
    /// A layer of cosign's older `sha256-….att` tags.
    Envelope {
        /// The layer.
        envelope: &'a [u8],
        /// Its annotations in the manifest.
        annotations: &'a BTreeMap<String, String>,
    },
}

impl SignatureSource<'_> {
    /// All bytes that belong to it.
    fn bytes(&self) -> usize {
        let of = |annotations: &BTreeMap<String, String>| -> usize {
            annotations
                .iter()
                .map(|(key, value)| key.len() + value.len())
                .sum()
        };
        match self {
            Self::Bundle(json) => json.len(),
            Self::SimpleSigning { payload, annotations } => payload.len() + of(annotations),
            Self::Envelope {
                envelope,
                annotations,
            } => envelope.len() + of(annotations),
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// Signatures. Statements are refused: who states that something was scanned does not say that it may run.
    Signature,
    /// Statements of this type, as `https://slsa.dev/provenance/v1`.
    Attestation {
        /// The type.
        predicate_type: &'a str,
    },
}

/// Who signed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signer {
    /// Whoever has a key, by the key's fingerprint.
    Key(Digest),
    /// Whom an authority knows.
    Identity(Identity),
}

impl Signer {
    /// Whether two are one: for identities, whether provider and subject are the same.
    pub fn is_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Key(left), Self::Key(right)) => left == right,
            (Self::Identity(left), Self::Identity(right)) => {
                (&left.issuer, &left.subject) == (&right.issuer, &right.subject)
            }
            _ => false,
        }
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(fingerprint) => write!(f, "key {fingerprint}"),
            Self::Identity(identity) => identity.fmt(f),
        }
    }
}

/// A signature that is good. That its signer is wanted is for a rule to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedSignature {
    /// Who signed.
    pub signer: Signer,
    /// The entry of a log, where there is one that was checked.
    pub log: Option<LogEntry>,
    /// When it was made, as a log or a timestamp authority says: the earliest of what they say.
    pub signed_at: Option<Timestamp>,
    /// What the signer wrote beside the digest.
    pub annotations: BTreeMap<String, String>,
    /// What the signer states, where this is a statement.
    pub statement: Option<Statement>,
}

/// A signature that does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedSignature {
    /// Which of those that were given, from 0.
    pub index: usize,
    /// Why.
    pub refusal: Refusal,
}

/// What became of all signatures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// Those that are good, in the order in which they were given.
    pub verified: Vec<VerifiedSignature>,
    /// The others.
    pub refused: Vec<RefusedSignature>,
}

/// Checks signatures. It is cheap to make and keeps nothing; checking one costs well under a millisecond for each key.
#[derive(Debug, Clone, Copy)]
pub struct Verifier<'a> {
    root: Option<&'a TrustRoot>,
    now: Timestamp,
}

impl<'a> Verifier<'a> {
    /// One that believes this root of trust, now. Without one only signatures with keys can be good, and their entries of
    /// logs are not looked at.
    pub fn new(root: Option<&'a TrustRoot>, now: Timestamp) -> Self {
        Self { root, now }
    }

    /// Looks at all signatures of an artifact, at most [`MOST_SIGNATURES`], each of at most [`MOST_SIGNATURE_BYTES`].
    /// `keys` are those that a signature may be made with.
    pub fn verify(
        &self,
        artifact: Artifact<'_>,
        purpose: Purpose<'_>,
        sources: &[SignatureSource<'_>],
        keys: &[PublicKey],
    ) -> Checked {
        let mut checked = Checked::default();
        for (index, source) in sources.iter().take(MOST_SIGNATURES).enumerate() {
            match self.verify_one(artifact, purpose, *source, keys) {
                Ok(signature) => checked.verified.push(signature),
                Err(refusal) => checked.refused.push(RefusedSignature { index, refusal }),
            }
        }
        if sources.len() > MOST_SIGNATURES {
            checked.refused.push(RefusedSignature {
                index: MOST_SIGNATURES,
                refusal: Refusal::TooMany {
                    found: sources.len(),
                    most: MOST_SIGNATURES,
                },
            });
        }
        checked
    }

    fn verify_one(
        &self,
        artifact: Artifact<'_>,
        purpose: Purpose<'_>,
        source: SignatureSource<'_>,
        keys: &[PublicKey],
    ) -> Result<VerifiedSignature, Refusal> {
        if source.bytes() > MOST_SIGNATURE_BYTES {
            return Err(Refusal::TooLarge {
                bytes: source.bytes(),
                most: MOST_SIGNATURE_BYTES,
            });
        }
        let claim = Claim::read(artifact, source)?;
        claim.check_purpose(purpose)?;
        let evidence = claim.parsed.evidence(self.root, self.now)?;
        let signed_at = evidence.times.iter().min().copied();
        let (signer, log) = match &claim.parsed.material {
            Material::Key { hint } => check_key(&claim, evidence, hint, keys)?,
            Material::Certificate { leaf, others } => {
                self.check_certificate(&claim, evidence, leaf, others)?
            }
        };
        Ok(VerifiedSignature {
            signer,
            log,
            signed_at,
            annotations: claim.annotations,
            statement: claim.statement,
        })
    }

    fn check_certificate(
        &self,
        claim: &Claim,
        evidence: Evidence<'_>,
        leaf: &[u8],
        others: &[Vec<u8>],
    ) -> Result<(Signer, Option<LogEntry>), Refusal> {
        let root = self.root.ok_or(Refusal::NoTrustRoot)?;
        let certificate = Certificate::parse(leaf)?;
        if evidence.times.is_empty() {
            return Err(evidence.unknown.unwrap_or(Refusal::NoTrustedTime));
        }
        for time in &evidence.times {
            let path = certificate.check_path(others, &root.authorities, *time, Usage::CodeSigning)?;
            if !root.certificate_logs.is_empty() {
                sct::check(&certificate, &path, &root.certificate_logs)?;
            }
        }
        let identity = certificate.identity()?;
        if !certificate.key.verifies(&claim.signed, &claim.parsed.signature) {
            return Err(Refusal::BadSignature);
        }
        let log = evidence.log_entry(&claim.logged(leaf))?;
        Ok((Signer::Identity(identity), log))
    }
}

fn check_key(
    claim: &Claim,
    evidence: Evidence<'_>,
    hint: &str,
    keys: &[PublicKey],
) -> Result<(Signer, Option<LogEntry>), Refusal> {
    let made = |key: &&PublicKey| key.verifies(&claim.signed, &claim.parsed.signature);
    let Some(key) = keys.iter().find(made) else {
        let hinted = keys.iter().find(|key| key.hint() == hint);
        return Err(match hinted.map(PublicKey::algorithm) {
            Some(KeyAlgorithm::Ed25519) => Refusal::NotEd25519,
            Some(_) => Refusal::BadSignature,
            None => Refusal::WrongKey { keys: keys.len() },
        });
    };
    let log = evidence.log_entry(&claim.logged(key.spki_der()))?;
    Ok((Signer::Key(key.fingerprint()), log))
}

/// What somebody is said to have signed.
struct Claim {
    /// The bytes that the signature is over.
    signed: Vec<u8>,
    /// The payload, where they are an envelope's.
    payload: Option<Vec<u8>>,
    annotations: BTreeMap<String, String>,
    statement: Option<Statement>,
    parsed: Parsed,
}

impl Claim {
    /// Takes a signature apart that is about this artifact.
    fn read(artifact: Artifact<'_>, source: SignatureSource<'_>) -> Result<Self, Refusal> {
        match source {
            SignatureSource::Bundle(json) => match bundle::parse(json)? {
                (Content::Envelope(envelope), parsed) => Self::of_envelope(artifact, envelope, parsed),
                (Content::Message { digest }, parsed) => {
                    Self::of_message(artifact, digest.as_deref(), parsed)
                }
            },
            SignatureSource::SimpleSigning { payload, annotations } => Ok(Self {
                annotations: simple_signing::annotations_for(payload, artifact.digest)?,
                signed: payload.to_vec(),
                payload: None,
                statement: None,
                parsed: simple_signing::parse(annotations, None)?,
            }),
            SignatureSource::Envelope {
                envelope,
                annotations,
            } => {
                let file: EnvelopeFile = serde_json::from_slice(envelope)
                    .map_err(|error| Refusal::bad_json("the envelope", &error))?;
                let envelope = file.read()?;
                let parsed = simple_signing::parse(annotations, Some(envelope.signature.clone()))?;
                Self::of_envelope(artifact, envelope, parsed)
            }
        }
    }

    fn of_envelope(artifact: Artifact<'_>, envelope: Envelope, parsed: Parsed) -> Result<Self, Refusal> {
        let (statement, annotations) = envelope::statement_about(&envelope, artifact.digest)?;
        Ok(Self {
            signed: envelope::pre_authentication(&envelope.payload_type, &envelope.payload),
            payload: Some(envelope.payload),
            annotations,
            statement: (statement.predicate_type != COSIGN_SIGN).then_some(statement),
            parsed,
        })
    }

    fn of_message(artifact: Artifact<'_>, digest: Option<&[u8]>, parsed: Parsed) -> Result<Self, Refusal> {
        if let Some(digest) = digest.filter(|digest| **digest != sha256(artifact.bytes)) {
            let digits: String = digest.iter().take(32).map(|byte| format!("{byte:02x}")).collect();
            return Err(Refusal::OtherDigest {
                signed: format!("sha256:{digits}"),
                wanted: Digest::of(artifact.bytes).to_string(),
            });
        }
        Ok(Self {
            signed: artifact.bytes.to_vec(),
            payload: None,
            annotations: BTreeMap::new(),
            statement: None,
            parsed,
        })
    }

    fn check_purpose(&self, purpose: Purpose<'_>) -> Result<(), Refusal> {
        let stated = self
            .statement
            .as_ref()
            .map(|statement| statement.predicate_type.as_str());
        match (purpose, stated) {
            (Purpose::Signature, None) => Ok(()),
            (Purpose::Attestation { predicate_type }, Some(stated)) if stated == predicate_type => Ok(()),
            (Purpose::Attestation { .. }, None) => Err(Refusal::NoStatement),
            (_, Some(stated)) => Err(Refusal::OtherPredicate {
                predicate_type: stated.chars().take(200).collect(),
            }),
        }
    }

    fn logged<'c>(&'c self, verifier: &'c [u8]) -> Logged<'c> {
        Logged {
            signature: &self.parsed.signature,
            signed: &self.signed,
            payload: self.payload.as_deref(),
            verifier,
        }
    }
}
