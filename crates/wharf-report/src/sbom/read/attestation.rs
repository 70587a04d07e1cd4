//! Attestations: envelopes of in-toto and bundles of Sigstore. Signatures are not looked at.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize as _;
use serde_json::Value;

use super::SbomError;
use crate::json::{Wrapped, from_json, go_object, to_vec};

go_object! {
    /// An envelope, or a bundle with one.
    struct Outer {
        payload: String => "payload",
        envelope: Envelope => "dsseEnvelope",
    }
}

go_object! {
    /// An envelope.
    struct Envelope {
        payload: String => "payload",
    }
}

go_object! {
    /// A statement.
    struct Statement {
        predicate_type: String => "predicateType",
        predicate: Value => "predicate",
    }
}

/// The document in an attestation; none where it is no attestation.
pub(super) fn document(bytes: &[u8]) -> Result<Option<Vec<u8>>, SbomError> {
    // There may be several in one file, one a line, of which the first counts.
    let mut values = serde_json::Deserializer::from_slice(bytes);
    let Ok(outer) = Wrapped::<Outer>::deserialize(&mut values) else {
        // What is wrong is told by those who read the document.
        return Ok(None);
    };
    let payload = [outer.0.payload, outer.0.envelope.payload]
        .into_iter()
        .find(|payload| !payload.is_empty());
    let Some(payload) = payload else {
        return Ok(None);
    };
    let refuse = |reason| SbomError::Attestation { reason };
    let payload = STANDARD
        .decode(payload)
        .map_err(|_| refuse("its payload is not Base64"))?;
    let statement: Statement = from_json(&payload)?;
    let is_known = ["https://cyclonedx.org/", "https://spdx.dev/"]
        .iter()
        .any(|kind| statement.predicate_type.starts_with(kind));
    if !is_known {
        return Err(refuse("what it attests is no bill of materials"));
    }
    // The first versions of Cosign had it one level deeper.
    let predicate = statement.predicate.get("Data").unwrap_or(&statement.predicate);
    Ok(Some(to_vec(predicate)))
}
