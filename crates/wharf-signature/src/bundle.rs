//! Sigstore's bundles, versions 0.1 to 0.3: a signature with all that is needed to check it, in one piece of JSON.

use serde::{Deserialize, Serialize};

use crate::envelope::{Envelope, EnvelopeFile};
use crate::evidence::{Material, Parsed};
use crate::log::{Entry, MOST_ENTRIES, MOST_HASHES, Proof};
use crate::pem::decode_base64;
use crate::refusal::Refusal;
use crate::timestamp_token::MOST_TIMESTAMPS;

/// The format that is written.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

const MEDIA_TYPES: [&str; 4] = [
    MEDIA_TYPE,
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
    "application/vnd.dev.sigstore.bundle+json;version=0.2",
    "application/vnd.dev.sigstore.bundle+json;version=0.1",
];

/// The most certificates of a bundle.
const MOST_CERTIFICATES: usize = 8;

/// What a bundle signs.
pub(crate) enum Content {
    Envelope(Envelope),
    /// The bytes themselves.
    Message {
        /// Their SHA-256, where it is said.
        digest: Option<Vec<u8>>,
    },
}

/// Takes a bundle apart; nothing in it is believed.
pub(crate) fn parse(json: &[u8]) -> Result<(Content, Parsed), Refusal> {
    let file: File = serde_json::from_slice(json).map_err(|error| Refusal::bad_json("the bundle", &error))?;
    if !MEDIA_TYPES.contains(&file.media_type.as_str()) {
        return Err(Refusal::UnknownFormat {
            media_type: file.media_type.chars().take(100).collect(),
        });
    }
    let malformed = |part| Refusal::Malformed { part };
    let (content, signature) = match (file.dsse_envelope, file.message_signature) {
        (Some(envelope), None) => {
            let envelope = envelope.read()?;
            let signature = envelope.signature.clone();
            (Content::Envelope(envelope), signature)
        }
        (None, Some(message)) => {
            let signature = decode_base64(&message.signature).ok_or(malformed("the signature"))?;
            let digest = message
                .message_digest
                .filter(|digest| digest.algorithm == "SHA2_256");
            let digest = digest
                .map(|digest| decode_base64(&digest.digest).ok_or(malformed("the digest of the message")))
                .transpose()?;
            (Content::Message { digest }, signature)
        }
        _ => return Err(malformed("the content of the bundle")),
    };
    let material = file.verification_material;
    let parsed = Parsed {
        signature,
        material: read_material(&material).ok_or(malformed("the certificate or key of the bundle"))?,
        entries: read_entries(material.tlog_entries).ok_or(malformed("the log entry of the bundle"))?,
        timestamps: read_timestamps(material.timestamp_verification_data)
            .ok_or(malformed("the timestamp of the bundle"))?,
    };
    Ok((content, parsed))
}

fn read_material(file: &MaterialFile) -> Option<Material> {
    let certificate = |file: &RawBytes| decode_base64(&file.raw_bytes);
    match (&file.certificate, &file.x509_certificate_chain, &file.public_key) {
        (Some(leaf), None, None) => Some(Material::Certificate {
            leaf: certificate(leaf)?,
            others: Vec::new(),
        }),
        (None, Some(chain), None) if chain.certificates.len() <= MOST_CERTIFICATES => {
            let mut all = chain.certificates.iter().map(certificate);
            Some(Material::Certificate {
                leaf: all.next()??,
                others: all.collect::<Option<_>>()?,
            })
        }
        (None, None, Some(key)) => Some(Material::Key {
            hint: key.hint.clone(),
        }),
        _ => None,
    }
}

fn read_entries(files: Vec<EntryFile>) -> Option<Vec<Entry>> {
    (files.len() <= MOST_ENTRIES).then_some(())?;
    files.into_iter().map(read_entry).collect()
}

fn read_entry(file: EntryFile) -> Option<Entry> {
    let promise = match file.inclusion_promise {
        Some(promise) => Some(decode_base64(&promise.signed_entry_timestamp)?),
        None => None,
    };
    let proof = match file.inclusion_proof {
        Some(proof) => Some(read_proof(proof)?),
        None => None,
    };
    Some(Entry {
        index: file.log_index.number()?,
        log: decode_base64(&file.log_id?.key_id)?,
        integrated: file.integrated_time.number()?,
        body: decode_base64(&file.canonicalized_body)?,
        promise,
        proof,
    })
}

fn read_proof(file: ProofFile) -> Option<Proof> {
    (file.hashes.len() <= MOST_HASHES).then_some(())?;
    Some(Proof {
        index: file.log_index.number()?,
        tree_size: file.tree_size.number()?,
        root: decode_base64(&file.root_hash)?,
        hashes: file
            .hashes
            .iter()
            .map(|hash| decode_base64(hash))
            .collect::<Option<_>>()?,
        checkpoint: file.checkpoint?.envelope,
    })
}

fn read_timestamps(file: Option<TimestampsFile>) -> Option<Vec<Vec<u8>>> {
    let files = file.unwrap_or_default().rfc3161_timestamps.unwrap_or_default();
    (files.len() <= MOST_TIMESTAMPS).then_some(())?;
    files
        .iter()
        .map(|file| decode_base64(&file.signed_timestamp))
        .collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    media_type: String,
    verification_material: MaterialFile,
    dsse_envelope: Option<EnvelopeFile>,
    message_signature: Option<MessageFile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageFile {
    message_digest: Option<DigestFile>,
    signature: String,
}

#[derive(Deserialize)]
struct DigestFile {
    algorithm: String,
    digest: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MaterialFile {
    certificate: Option<RawBytes>,
    x509_certificate_chain: Option<ChainFile>,
    public_key: Option<KeyFile>,
    #[serde(default)]
    tlog_entries: Vec<EntryFile>,
    timestamp_verification_data: Option<TimestampsFile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawBytes {
    raw_bytes: String,
}

#[derive(Deserialize)]
struct ChainFile {
    certificates: Vec<RawBytes>,
}

#[derive(Deserialize)]
struct KeyFile {
    #[serde(default)]
    hint: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EntryFile {
    #[serde(default)]
    log_index: Number,
    log_id: Option<LogIdFile>,
    #[serde(default)]
    integrated_time: Number,
    inclusion_promise: Option<PromiseFile>,
    inclusion_proof: Option<ProofFile>,
    canonicalized_body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogIdFile {
    key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PromiseFile {
    signed_entry_timestamp: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProofFile {
    #[serde(default)]
    log_index: Number,
    #[serde(default)]
    tree_size: Number,
    root_hash: String,
    #[serde(default)]
    hashes: Vec<String>,
    checkpoint: Option<CheckpointFile>,
}

#[derive(Deserialize)]
struct CheckpointFile {
    envelope: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct TimestampsFile {
    rfc3161_timestamps: Option<Vec<TimestampFile>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TimestampFile {
    signed_timestamp: String,
}

/// A number of 64 bits, which the JSON form of protocol buffers writes as text, and some as a number. Zero is left out.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(u64),
    Text(String),
}

impl Default for Number {
    fn default() -> Self {
        Self::Number(0)
    }
}

impl Number {
    fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text
                .bytes()
                .all(|digit| digit.is_ascii_digit())
                .then(|| text.parse().ok())?,
        }
    }
}

/// A bundle of a signature with a key and without a log, as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyBundle {
    media_type: &'static str,
    verification_material: KeyMaterial,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_signature: Option<MessageOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dsse_envelope: Option<EnvelopeFile>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyMaterial {
    public_key: Hint,
}

#[derive(Serialize)]
struct Hint {
    hint: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MessageOut {
    message_digest: DigestOut,
    signature: String,
}

#[derive(Serialize)]
struct DigestOut {
    algorithm: &'static str,
    digest: String,
}

impl KeyBundle {
    pub(crate) fn envelope(hint: String, envelope: EnvelopeFile) -> Self {
        Self {
            media_type: MEDIA_TYPE,
            verification_material: KeyMaterial {
                public_key: Hint { hint },
            },
            message_signature: None,
            dsse_envelope: Some(envelope),
        }
    }

    pub(crate) fn message(hint: String, digest: String, signature: String) -> Self {
        let message_digest = DigestOut {
            algorithm: "SHA2_256",
            digest,
        };
        Self {
            media_type: MEDIA_TYPE,
            verification_material: KeyMaterial {
                public_key: Hint { hint },
            },
            message_signature: Some(MessageOut {
                message_digest,
                signature,
            }),
            dsse_envelope: None,
        }
    }

    pub(crate) fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("text and lists can be written as JSON")
    }
}
