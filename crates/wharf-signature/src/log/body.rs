//! What was logged: JSON of several kinds and versions, each of which names a signature, the key or certificate that it
//! was made with, and what was signed.

use ring::digest::{SHA384, SHA512, digest};
use serde::Deserialize;
use serde_json::Value;

use crate::pem::{self, decode_base64};
use crate::refusal::LogFault;

use super::sha256;

/// What an entry has to be of.
pub(crate) struct Logged<'a> {
    /// The signature.
    pub(crate) signature: &'a [u8],
    /// The bytes that the signature is over.
    pub(crate) signed: &'a [u8],
    /// The payload, where what is signed is an envelope's.
    pub(crate) payload: Option<&'a [u8]>,
    /// The certificate, or the SubjectPublicKeyInfo of the key.
    pub(crate) verifier: &'a [u8],
}

/// Whether an entry is of this signature.
pub(super) fn check(body: &[u8], logged: &Logged<'_>) -> Result<(), LogFault> {
    let kind: Kind = serde_json::from_slice(body).map_err(|_| LogFault::UnknownKind)?;
    let claim = match (kind.kind.as_str(), kind.api_version.as_str()) {
        ("hashedrekord", "0.0.1") => hashed_1(&kind.spec),
        ("hashedrekord", "0.0.2") => hashed_2(&kind.spec),
        ("dsse", "0.0.1") => dsse_1(&kind.spec),
        ("dsse", "0.0.2") => dsse_2(&kind.spec),
        ("intoto", "0.0.2") => intoto_2(&kind.spec),
        _ => None,
    };
    let claim = claim.ok_or(LogFault::UnknownKind)?;
    let is_ours = |signed: &&Signed| signed.signature == logged.signature;
    let signed = claim
        .signatures
        .iter()
        .find(is_ours)
        .ok_or(LogFault::OtherSignature)?;
    if signed.verifier != logged.verifier {
        return Err(LogFault::OtherKey);
    }
    let hashed = match claim.of {
        Of::Signed => logged.signed,
        Of::Payload => logged.payload.ok_or(LogFault::OtherPayload)?,
    };
    if !claim.hash.is_of(hashed) {
        return Err(LogFault::OtherPayload);
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    kind: String,
    api_version: String,
    spec: Value,
}

/// What an entry says.
struct Claim {
    hash: Hash,
    of: Of,
    signatures: Vec<Signed>,
}

/// What is hashed.
enum Of {
    /// What the signature is over.
    Signed,
    /// The payload of an envelope.
    Payload,
}

struct Signed {
    signature: Vec<u8>,
    verifier: Vec<u8>,
}

struct Hash {
    algorithm: String,
    digest: Vec<u8>,
}

impl Hash {
    fn is_of(&self, bytes: &[u8]) -> bool {
        match self.algorithm.as_str() {
            "sha256" | "SHA2_256" => self.digest == sha256(bytes),
            "sha384" | "SHA2_384" => self.digest == digest(&SHA384, bytes).as_ref(),
            "sha512" | "SHA2_512" => self.digest == digest(&SHA512, bytes).as_ref(),
            _ => false,
        }
    }
}

/// The most signatures of one entry.
const MOST_SIGNATURES: usize = 16;

fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer)?.as_str()
}

fn hex_hash(value: &Value) -> Option<Hash> {
    let digits = text(value, "/value")?;
    let pairs = digits.as_bytes().chunks(2);
    let digest: Option<Vec<u8>> = pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    Some(Hash {
        algorithm: text(value, "/algorithm")?.to_owned(),
        digest: digest.filter(|digest| digest.len() * 2 == digits.len())?,
    })
}

fn base64_hash(value: &Value) -> Option<Hash> {
    Some(Hash {
        algorithm: text(value, "/algorithm")?.to_owned(),
        digest: decode_base64(text(value, "/digest")?)?,
    })
}

/// The certificate or key in a PEM text that is itself in Base64.
fn pem_verifier(encoded: &str) -> Option<Vec<u8>> {
    let text = String::from_utf8(decode_base64(encoded)?).ok()?;
    let mut blocks = pem::blocks(&text, 8)?;
    (!blocks.is_empty()).then(|| blocks.swap_remove(0).bytes)
}

/// The certificate or key of the newer versions.
fn raw_verifier(verifier: &Value) -> Option<Vec<u8>> {
    let raw =
        text(verifier, "/x509Certificate/rawBytes").or_else(|| text(verifier, "/publicKey/rawBytes"))?;
    decode_base64(raw)
}

fn all(value: Option<&Value>, read: impl Fn(&Value) -> Option<Signed>) -> Option<Vec<Signed>> {
    let values = value?.as_array()?;
    if values.len() > MOST_SIGNATURES {
        return None;
    }
    values.iter().map(read).collect()
}

fn hashed_1(spec: &Value) -> Option<Claim> {
    Some(Claim {
        hash: hex_hash(spec.pointer("/data/hash")?)?,
        of: Of::Signed,
        signatures: vec![Signed {
            signature: decode_base64(text(spec, "/signature/content")?)?,
            verifier: pem_verifier(text(spec, "/signature/publicKey/content")?)?,
        }],
    })
}

fn hashed_2(spec: &Value) -> Option<Claim> {
    let spec = spec.pointer("/hashedRekordV002")?;
    Some(Claim {
        hash: base64_hash(spec.pointer("/data")?)?,
        of: Of::Signed,
        signatures: vec![Signed {
            signature: decode_base64(text(spec, "/signature/content")?)?,
            verifier: raw_verifier(spec.pointer("/signature/verifier")?)?,
        }],
    })
}

fn dsse_1(spec: &Value) -> Option<Claim> {
    Some(Claim {
        hash: hex_hash(spec.pointer("/payloadHash")?)?,
        of: Of::Payload,
        signatures: all(spec.pointer("/signatures"), |signed| {
            Some(Signed {
                signature: decode_base64(text(signed, "/signature")?)?,
                verifier: pem_verifier(text(signed, "/verifier")?)?,
            })
        })?,
    })
}

fn dsse_2(spec: &Value) -> Option<Claim> {
    let spec = spec.pointer("/dsseV002")?;
    Some(Claim {
        hash: base64_hash(spec.pointer("/payloadHash")?)?,
        of: Of::Payload,
        signatures: all(spec.pointer("/signatures"), |signed| {
            Some(Signed {
                signature: decode_base64(text(signed, "/content")?)?,
                verifier: raw_verifier(signed.pointer("/verifier")?)?,
            })
        })?,
    })
}

/// In this kind the signature is in Base64 twice.
fn intoto_2(spec: &Value) -> Option<Claim> {
    let content = spec.pointer("/content")?;
    Some(Claim {
        hash: hex_hash(content.pointer("/payloadHash")?)?,
        of: Of::Payload,
        signatures: all(content.pointer("/envelope/signatures"), |signed| {
            let once = String::from_utf8(decode_base64(text(signed, "/sig")?)?).ok()?;
            Some(Signed {
                signature: decode_base64(&once)?,
                verifier: pem_verifier(text(signed, "/publicKey")?)?,
            })
        })?,
    })
}
