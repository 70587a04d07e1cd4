//! DSSE envelopes, and the in-toto statements in them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wharf_plugin::ContentDigest;

use crate::pem::{decode_base64, encode_base64};
use crate::refusal::Refusal;

/// The payload type of in-toto statements.
pub(crate) const IN_TOTO: &str = "application/vnd.in-toto+json";
/// What cosign's newer signatures state: nothing but that somebody signed.
pub(crate) const COSIGN_SIGN: &str = "https://sigstore.dev/cosign/sign/v1";

const STATEMENTS: [&str; 2] = [
    "https://in-toto.io/Statement/v1",
    "https://in-toto.io/Statement/v0.1",
];

/// An envelope with one signature.
pub(crate) struct Envelope {
    pub(crate) payload_type: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

/// An envelope as it is written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EnvelopeFile {
    payload: String,
    payload_type: String,
    signatures: Vec<SignatureFile>,
}

#[derive(Serialize, Deserialize)]
struct SignatureFile {
    sig: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    keyid: String,
}

impl EnvelopeFile {
    pub(crate) fn read(&self) -> Result<Envelope, Refusal> {
        let malformed = |part| Refusal::Malformed { part };
        // With several it would have to be said whose counts; Sigstore's bundles have one.
        let [signature] = self.signatures.as_slice() else {
            return Err(malformed("the one signature of the envelope"));
        };
        Ok(Envelope {
            payload_type: self.payload_type.clone(),
            payload: decode_base64(&self.payload).ok_or(malformed("the payload of the envelope"))?,
            signature: decode_base64(&signature.sig).ok_or(malformed("the signature of the envelope"))?,
        })
    }

    pub(crate) fn write(payload: &[u8], signature: &[u8]) -> Self {
        Self {
            payload: encode_base64(payload),
            payload_type: IN_TOTO.to_owned(),
            signatures: vec![SignatureFile {
                sig: encode_base64(signature),
                keyid: String::new(),
            }],
        }
    }
}

/// What is signed of an envelope: its type and its payload, each behind its length.
pub(crate) fn pre_authentication(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// What somebody states about something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What kind of statement it is: `https://slsa.dev/provenance/v1`.
    pub predicate_type: String,
    /// What is stated.
    pub predicate: Value,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StatementFile {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
    #[serde(default)]
    predicate: Value,
}

#[derive(Serialize, Deserialize)]
struct Subject {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(default)]
    digest: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    annotations: Option<BTreeMap<String, Value>>,
}

/// The most subjects of a statement.
const MOST_SUBJECTS: usize = 1024;

impl StatementFile {
    pub(crate) fn of(
        digest: &ContentDigest,
        predicate_type: &str,
        predicate: Value,
        annotations: Option<&BTreeMap<String, String>>,
    ) -> Self {
        let (algorithm, digits) = parts(digest);
        let annotations = annotations.map(|annotations| {
            annotations
                .iter()
                .map(|(key, value)| (key.clone(), Value::String(value.clone())))
                .collect()
        });
        Self {
            kind: "https://in-toto.io/Statement/v1".to_owned(),
            subject: vec![Subject {
                name: String::new(),
                digest: BTreeMap::from([(algorithm, digits)]),
                annotations,
            }],
            predicate_type: predicate_type.to_owned(),
            predicate,
        }
    }
}

/// What a statement says about a digest, and the annotations that it has for it.
pub(crate) fn statement_about(
    envelope: &Envelope,
    digest: &ContentDigest,
) -> Result<(Statement, BTreeMap<String, String>), Refusal> {
    if envelope.payload_type != IN_TOTO {
        return Err(Refusal::UnknownFormat {
            media_type: envelope.payload_type.chars().take(100).collect(),
        });
    }
    let file: StatementFile = serde_json::from_slice(&envelope.payload)
        .map_err(|error| Refusal::bad_json("the statement in the envelope", &error))?;
    if !STATEMENTS.contains(&file.kind.as_str()) || file.subject.len() > MOST_SUBJECTS {
        return Err(Refusal::Malformed {
            part: "the statement in the envelope",
        });
    }
    let (algorithm, digits) = parts(digest);
    let is_about = |subject: &&Subject| subject.digest.get(&algorithm) == Some(&digits);
    let Some(subject) = file.subject.iter().find(is_about) else {
        let other = file
            .subject
            .first()
            .and_then(|subject| subject.digest.first_key_value())
            .map_or_else(
                || "nothing".to_owned(),
                |(algorithm, digits)| format!("{algorithm}:{digits}"),
            );
        return Err(Refusal::OtherDigest {
            signed: other.chars().take(200).collect(),
            wanted: digest.to_string(),
        });
    };
    let annotations = strings(subject.annotations.as_ref().into_iter().flatten());
    let statement = Statement {
        predicate_type: file.predicate_type,
        predicate: file.predicate,
    };
    Ok((statement, annotations))
}

/// Those of some values that are text.
pub(crate) fn strings<'v>(values: impl Iterator<Item = (&'v String, &'v Value)>) -> BTreeMap<String, String> {
    values
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

fn parts(digest: &ContentDigest) -> (String, String) {
    let text = digest.to_string();
    let (algorithm, digits) = text.split_once(':').unwrap_or(("", &text));
    (algorithm.to_owned(), digits.to_owned())
}
