//! The entry of a log of certificates that a certificate carries (RFC 6962, sections 3.2 and 3.3).
//!
//! ```text
//! list      = u16 length, then for each: u16 length, entry
//! entry     = u8 version (0), [32] log, u64 milliseconds, u16 length of extensions, extensions,
//!             u8 hash (4 = SHA-256), u8 signature (3 = ECDSA, 1 = RSA), u16 length of signature, signature
//! signed    = u8 version (0), u8 kind (0), u64 milliseconds, u16 entry type (1),
//!             [32] SHA-256 of the issuer's key, u24 length of certificate, certificate without this list,
//!             u16 length of extensions, extensions
//! ```

use ring::digest::{SHA256, digest};

use crate::der::{self, Value};
use crate::refusal::Refusal;
use crate::time::Timestamp;
use crate::trust_root::LogKey;

use super::{Certificate, OID_SCT_LIST, Path};

/// The most entries that are looked at.
const MOST_ENTRIES: usize = 8;

struct Entry<'a> {
    log: &'a [u8],
    milliseconds: u64,
    extensions: &'a [u8],
    signature: &'a [u8],
}

/// Whether one of the logs signed that it knows a certificate.
pub(crate) fn check(certificate: &Certificate<'_>, path: &Path, logs: &[LogKey]) -> Result<(), Refusal> {
    let not = |reason| Refusal::CertificateNotLogged { reason };
    let list = certificate
        .extension(OID_SCT_LIST)
        .ok_or(not("it carries none"))?;
    let entries = entries(list).ok_or(not("those that it carries are damaged"))?;
    let mut reason = "it is of no log that the root of trust has";
    for entry in entries {
        let at = Timestamp::from_unix_seconds(entry.milliseconds / 1000);
        let known = logs.iter().filter(|log| log.id == entry.log);
        for log in known {
            reason = "the log did not sign it";
            let Some(signed) = signed(certificate, path, &entry) else {
                continue;
            };
            if log.valid.contains(at) && log.key.verifies(&signed, entry.signature) {
                return Ok(());
            }
        }
    }
    Err(not(reason))
}

fn entries(list: &[u8]) -> Option<Vec<Entry<'_>>> {
    let octets = Value::only(list, der::OCTET_STRING)?.content;
    let (mut rest, behind) = block(octets)?;
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let (entry, next) = block(rest)?;
        rest = next;
        if entries.len() == MOST_ENTRIES {
            return None;
        }
        entries.extend(parse(entry)?);
    }
    behind.is_empty().then_some(entries)
}

/// One entry; inside there is none if it is of a version that is not known.
fn parse(bytes: &[u8]) -> Option<Option<Entry<'_>>> {
    let (version, rest) = bytes.split_first()?;
    if *version != 0 {
        return Some(None);
    }
    let (log, rest) = rest.split_at_checked(32)?;
    let (milliseconds, rest) = rest.split_first_chunk::<8>()?;
    let (extensions, rest) = block(rest)?;
    // Which algorithms they are follows from the log's key.
    let (_algorithms, rest) = rest.split_at_checked(2)?;
    let (signature, rest) = block(rest)?;
    rest.is_empty().then_some(Some(Entry {
        log,
        milliseconds: u64::from_be_bytes(*milliseconds),
        extensions,
        signature,
    }))
}

/// Bytes behind their length of two bytes, and what follows.
fn block(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// What the log signed.
fn signed(certificate: &Certificate<'_>, path: &Path, entry: &Entry<'_>) -> Option<Vec<u8>> {
    let others: Vec<u8> = certificate
        .extensions
        .iter()
        .filter(|extension| extension.oid != OID_SCT_LIST)
        .flat_map(|extension| extension.whole)
        .copied()
        .collect();
    let extensions = der::encode(der::context(3), &der::encode(der::SEQUENCE, &others));
    let fields: Vec<u8> = certificate.fields.concat();
    let without = der::encode(der::SEQUENCE, &[fields, extensions].concat());
    let length = u32::try_from(without.len()).ok()?.to_be_bytes();
    let (0, length) = (*length.first()?, length.get(1..)?) else {
        return None;
    };
    let extensions_length = u16::try_from(entry.extensions.len()).ok()?;
    Some(
        [
            &[0, 0],
            entry.milliseconds.to_be_bytes().as_slice(),
            &[0, 1],
            digest(&SHA256, &path.issuer_key).as_ref(),
            length,
            &without,
            &extensions_length.to_be_bytes(),
            entry.extensions,
        ]
        .concat(),
    )
}
