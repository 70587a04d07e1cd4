//! Checkpoints: a short text that a log signs, with the size and the root of its tree.
//!
//! ```text
//! rekor.example - 123            the origin
//! 27657875                       the size of the tree
//! v+7gOn1wov…=                   its root
//! (other lines)
//!
//! — rekor.example wNI9ajBE…=     for each who signed: name, and 4 bytes of the key's identifier with the signature
//! ```

use crate::pem::decode_base64;
use crate::trust_root::LogKey;

/// What a log signed.
pub(super) struct Checkpoint {
    pub(super) tree_size: u64,
    pub(super) root: Vec<u8>,
}

/// The most signatures that are looked at; witnesses sign beside the log.
const MOST_SIGNATURES: usize = 32;

/// What a checkpoint says, if the log signed it.
pub(super) fn check(text: &str, log: &LogKey) -> Option<Checkpoint> {
    let (note, signatures) = text.split_once("\n\n")?;
    let signed = format!("{note}\n");
    let is_signed = signatures
        .lines()
        .take(MOST_SIGNATURES)
        .filter_map(signature)
        .any(|(hint, signature)| {
            log.id.get(..4) == Some(hint.as_slice()) && log.key.verifies(signed.as_bytes(), &signature)
        });
    if !is_signed {
        return None;
    }
    let mut lines = note.lines();
    lines.next()?;
    let size = lines.next()?;
    if !size.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    Some(Checkpoint {
        tree_size: size.parse().ok()?,
        root: decode_base64(lines.next()?)?,
    })
}

/// The four bytes of the key's identifier, and the signature.
fn signature(line: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let (_name, encoded) = line.strip_prefix("\u{2014} ")?.rsplit_once(' ')?;
    let mut hint = decode_base64(encoded)?;
    let signature = (hint.len() > 4).then(|| hint.split_off(4))?;
    Some((hint, signature))
}
