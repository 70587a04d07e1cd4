//! The older layout of cosign: a small JSON payload is a layer, and its signature stands in the layer's annotations.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wharf_plugin::ContentDigest;

use crate::envelope::strings;
use crate::evidence::{Material, Parsed};
use crate::log::Entry;
use crate::pem::{self, decode_base64};
use crate::refusal::Refusal;

pub(crate) const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const CHAIN: &str = "dev.sigstore.cosign/chain";
const BUNDLE: &str = "dev.sigstore.cosign/bundle";
const TIMESTAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";

/// What a payload calls itself.
const KIND: &str = "cosign container image signature";
/// The most certificates of a chain.
const MOST_CERTIFICATES: usize = 8;

/// A payload, with its keys in the order in which cosign writes them.
#[derive(Serialize, Deserialize)]
struct Payload {
    critical: Critical,
    #[serde(default)]
    optional: Option<serde_json::Map<String, Value>>,
}

#[derive(Serialize, Deserialize)]
struct Critical {
    identity: PayloadIdentity,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct PayloadIdentity {
    #[serde(default)]
    docker_reference: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Image {
    docker_manifest_digest: String,
}

/// The annotations of a payload, if it is one for this digest.
pub(crate) fn annotations_for(
    payload: &[u8],
    digest: &ContentDigest,
) -> Result<BTreeMap<String, String>, Refusal> {
    let payload: Payload = serde_json::from_slice(payload)
        .map_err(|error| Refusal::bad_json("the payload of the signature", &error))?;
    if payload.critical.kind != KIND {
        return Err(Refusal::UnknownFormat {
            media_type: payload.critical.kind.chars().take(100).collect(),
        });
    }
    let signed = payload.critical.image.docker_manifest_digest;
    if signed != digest.to_string() {
        return Err(Refusal::OtherDigest {
            signed: signed.chars().take(200).collect(),
            wanted: digest.to_string(),
        });
    }
    Ok(strings(payload.optional.unwrap_or_default().iter()))
}

/// The payload for a digest, byte for byte as cosign writes it.
pub(crate) fn payload_for(
    digest: &ContentDigest,
    repository: &str,
    annotations: &BTreeMap<String, String>,
) -> Vec<u8> {
    let optional = annotations
        .iter()
        .map(|(key, value)| (key.clone(), Value::String(value.clone())))
        .collect::<serde_json::Map<_, _>>();
    let payload = Payload {
        critical: Critical {
            identity: PayloadIdentity {
                docker_reference: repository.to_owned(),
            },
            image: Image {
                docker_manifest_digest: digest.to_string(),
            },
            kind: KIND.to_owned(),
        },
        optional: (!optional.is_empty()).then_some(optional),
    };
    serde_json::to_vec(&payload).expect("text can be written as JSON")
}

/// What the annotations of a layer have to prove a signature.
pub(crate) fn parse(
    annotations: &BTreeMap<String, String>,
    signature: Option<Vec<u8>>,
) -> Result<Parsed, Refusal> {
    let malformed = |part| Refusal::Malformed { part };
    let given = |key: &str| annotations.get(key).filter(|value| !value.is_empty());
    let signature = match signature {
        Some(signature) => signature,
        None => given(SIGNATURE)
            .and_then(|signature| decode_base64(signature))
            .ok_or(malformed("the annotation with the signature"))?,
    };
    let material = match given(CERTIFICATE) {
        None => Material::Key { hint: String::new() },
        Some(certificate) => {
            let mut leaf =
                certificates(certificate).ok_or(malformed("the annotation with the certificate"))?;
            let chain = given(CHAIN).map_or(Some(Vec::new()), |chain| certificates(chain));
            Material::Certificate {
                leaf: leaf
                    .pop()
                    .filter(|_| leaf.is_empty())
                    .ok_or(malformed("the one certificate"))?,
                others: chain.ok_or(malformed("the annotation with the chain"))?,
            }
        }
    };
    let entries = match given(BUNDLE) {
        None => Vec::new(),
        Some(bundle) => vec![entry(bundle)?],
    };
    let timestamps = match given(TIMESTAMP) {
        None => Vec::new(),
        Some(timestamp) => {
            let file: TimestampFile = serde_json::from_str(timestamp)
                .map_err(|error| Refusal::bad_json("the annotation with the timestamp", &error))?;
            let response = decode_base64(&file.timestamp).ok_or(malformed("the timestamp"))?;
            vec![response]
        }
    };
    Ok(Parsed {
        signature,
        material,
        entries,
        timestamps,
    })
}

fn certificates(text: &str) -> Option<Vec<Vec<u8>>> {
    let blocks = pem::blocks(text, MOST_CERTIFICATES)?;
    let good = !blocks.is_empty() && blocks.iter().all(|block| block.label == "CERTIFICATE");
    good.then(|| blocks.into_iter().map(|block| block.bytes).collect())
}

fn entry(bundle: &str) -> Result<Entry, Refusal> {
    let file: BundleFile = serde_json::from_str(bundle)
        .map_err(|error| Refusal::bad_json("the annotation with the log entry", &error))?;
    let read = || {
        let digits = file.payload.log.as_bytes();
        let pairs = digits.chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
            u8::from_str_radix(pair, 16).ok()
        });
        Some(Entry {
            index: file.payload.index,
            log: pairs.take(65).collect::<Option<_>>()?,
            integrated: file.payload.integrated,
            body: decode_base64(&file.payload.body)?,
            promise: Some(decode_base64(&file.promise)?),
            proof: None,
        })
    };
    read().ok_or(Refusal::Malformed {
        part: "the annotation with the log entry",
    })
}

#[derive(Deserialize)]
struct BundleFile {
    #[serde(rename = "SignedEntryTimestamp")]
    promise: String,
    #[serde(rename = "Payload")]
    payload: EntryFile,
}

#[derive(Deserialize)]
struct EntryFile {
    body: String,
    #[serde(rename = "integratedTime")]
    integrated: u64,
    #[serde(rename = "logIndex")]
    index: u64,
    #[serde(rename = "logID")]
    log: String,
}

#[derive(Deserialize)]
struct TimestampFile {
    #[serde(rename = "SignedRFC3161Timestamp")]
    timestamp: String,
}
