//! Timestamps (RFC 3161): an authority signed that it saw a signature at some time.
//!
//! ```text
//! response  = SEQUENCE { SEQUENCE { INTEGER status }, token }
//! token     = SEQUENCE { OID signedData, [0] SEQUENCE {
//!               INTEGER, SET digest algorithms, SEQUENCE { OID TSTInfo, [0] OCTET STRING info },
//!               [0] certificates OPTIONAL, [1] revocations OPTIONAL, SET { signer } } }
//! signer    = SEQUENCE { INTEGER, who, SEQUENCE digest algorithm, [0] attributes, SEQUENCE algorithm, OCTET STRING signature }
//! info      = SEQUENCE { INTEGER, OID policy, SEQUENCE { SEQUENCE algorithm, OCTET STRING hash }, INTEGER serial, time, … }
//! ```

use ring::digest::{Algorithm, SHA256, SHA384, SHA512, digest};

use crate::certificate::{Certificate, FOR_ANOTHER_USE, Usage};
use crate::der::{self, Value};
use crate::log::check_time;
use crate::refusal::Refusal;
use crate::time::Timestamp;
use crate::trust_root::TrustRoot;

const OID_SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
const OID_TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];
const OID_CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
const OID_MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
/// `2.16.840.1.101.3.4.2`, behind which is a number for each of the SHA-2 digests.
const OID_SHA2: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];

/// The most timestamps of one signature.
pub(crate) const MOST_TIMESTAMPS: usize = 4;
/// The most certificates that one carries.
const MOST_CERTIFICATES: usize = 8;

const fn bad(reason: &'static str) -> Refusal {
    Refusal::BadTimestamp { reason }
}

const UNKNOWN_AUTHORITY: Refusal = bad("it is of an authority that the root of trust does not have");

/// Whether a timestamp was refused only because nothing is known of its authority.
pub(crate) fn is_of_unknown_authority(refusal: &Refusal) -> bool {
    *refusal == UNKNOWN_AUTHORITY
}

/// When an authority that is believed saw this signature.
pub(crate) fn check(
    response: &[u8],
    signature: &[u8],
    root: &TrustRoot,
    now: Timestamp,
) -> Result<Timestamp, Refusal> {
    let token = parse(response).ok_or(bad("it is damaged"))?;
    let (algorithm, hash) = token.imprint;
    if digest(algorithm, signature).as_ref() != hash {
        return Err(bad("it is of another signature"));
    }
    if digest(token.digest_algorithm, token.info).as_ref() != token.info_digest {
        return Err(bad("what it says was changed"));
    }
    check_time(token.time, now)?;
    let own = root
        .timestamp_authorities
        .iter()
        .flat_map(|authority| authority.intermediates.iter().map(Vec::as_slice));
    let carried: Vec<Vec<u8>> = token.certificates.iter().map(|der| (*der).to_vec()).collect();
    let signer = own
        .chain(token.certificates.iter().copied())
        .filter_map(|der| Certificate::parse(der).ok())
        .find(|certificate| certificate.key.verifies(&token.signed, token.signature));
    let Some(signer) = signer else {
        return Err(match carried.is_empty() {
            true => UNKNOWN_AUTHORITY,
            false => bad("its authority did not sign it"),
        });
    };
    signer
        .check_path(
            &carried,
            &root.timestamp_authorities,
            token.time,
            Usage::TimeStamping,
        )
        .map_err(|refusal| match refusal {
            Refusal::CertificateExpired { .. } | Refusal::CertificateNotYetValid { .. } => {
                bad("the authority's certificate was not valid then")
            }
            FOR_ANOTHER_USE => bad("the authority's certificate is for another use"),
            // Also where the name is that of an authority that is believed, and the key is not.
            _ => UNKNOWN_AUTHORITY,
        })?;
    Ok(token.time)
}

struct Token<'a> {
    info: &'a [u8],
    imprint: (&'static Algorithm, &'a [u8]),
    time: Timestamp,
    certificates: Vec<&'a [u8]>,
    digest_algorithm: &'static Algorithm,
    info_digest: &'a [u8],
    /// What the authority signed.
    signed: Vec<u8>,
    signature: &'a [u8],
}

fn parse(response: &[u8]) -> Option<Token<'_>> {
    let mut response = Value::only(response, der::SEQUENCE)?.reader();
    let status = response.expect(der::SEQUENCE)?.reader().expect(der::INTEGER)?;
    // Granted, or granted with changes.
    matches!(status.content, [0 | 1]).then_some(())?;
    let mut token = response.expect(der::SEQUENCE)?.reader();
    response.end()?;
    (token.expect(der::OID)?.content == OID_SIGNED_DATA).then_some(())?;
    let mut data = Value::only(token.expect(der::context(0))?.content, der::SEQUENCE)?.reader();
    data.expect(der::INTEGER)?;
    data.expect(der::SET)?;
    let mut content = data.expect(der::SEQUENCE)?.reader();
    (content.expect(der::OID)?.content == OID_TST_INFO).then_some(())?;
    let info = Value::only(content.expect(der::context(0))?.content, der::OCTET_STRING)?.content;
    let mut certificates = Vec::new();
    if let Some(carried) = data.optional(der::context(0)) {
        let mut carried = carried.reader();
        while !carried.is_empty() {
            (certificates.len() < MOST_CERTIFICATES).then_some(())?;
            certificates.push(carried.expect(der::SEQUENCE)?.whole);
        }
    }
    data.optional(der::context(1));
    let signer = Value::only(data.expect(der::SET)?.content, der::SEQUENCE)?;
    data.end()?;

    let mut signer = signer.reader();
    signer.expect(der::INTEGER)?;
    signer.next()?;
    let digest_algorithm = algorithm(&signer.expect(der::SEQUENCE)?)?;
    let attributes = signer.expect(der::context(0))?;
    signer.expect(der::SEQUENCE)?;
    let signature = signer.expect(der::OCTET_STRING)?.content;
    let info_digest = info_digest(&attributes)?;
    let (imprint, time) = parse_info(info)?;
    Some(Token {
        info,
        imprint,
        time,
        certificates,
        digest_algorithm,
        info_digest,
        // They are signed as the set that they are, whose tag is left out where they stand.
        signed: der::encode(der::SET, attributes.content),
        signature,
    })
}

/// The digest that the attributes have of what was signed, which has to be a timestamp.
fn info_digest<'a>(attributes: &Value<'a>) -> Option<&'a [u8]> {
    let mut kind = None;
    let mut digest = None;
    let mut attributes = attributes.reader();
    while !attributes.is_empty() {
        let mut attribute = attributes.expect(der::SEQUENCE)?.reader();
        let oid = attribute.expect(der::OID)?.content;
        let values = attribute.expect(der::SET)?.content;
        let found = match oid {
            OID_CONTENT_TYPE => kind.replace(Value::only(values, der::OID)?.content),
            OID_MESSAGE_DIGEST => digest.replace(Value::only(values, der::OCTET_STRING)?.content),
            _ => None,
        };
        // Each of them once.
        found.is_none().then_some(())?;
    }
    (kind == Some(OID_TST_INFO)).then_some(())?;
    digest
}

type Imprint<'a> = (&'static Algorithm, &'a [u8]);

fn parse_info(info: &[u8]) -> Option<(Imprint<'_>, Timestamp)> {
    let mut info = Value::only(info, der::SEQUENCE)?.reader();
    info.expect(der::INTEGER)?;
    info.expect(der::OID)?;
    let mut imprint = info.expect(der::SEQUENCE)?.reader();
    let algorithm = algorithm(&imprint.expect(der::SEQUENCE)?)?;
    let hash = imprint.expect(der::OCTET_STRING)?.content;
    imprint.end()?;
    info.expect(der::INTEGER)?;
    let time = Timestamp::from_generalized(info.expect(der::GENERALIZED_TIME)?.content)?;
    Some(((algorithm, hash), time))
}

fn algorithm(identifier: &Value<'_>) -> Option<&'static Algorithm> {
    match identifier
        .reader()
        .expect(der::OID)?
        .content
        .strip_prefix(OID_SHA2)?
    {
        [1] => Some(&SHA256),
        [2] => Some(&SHA384),
        [3] => Some(&SHA512),
        _ => None,
    }
}
