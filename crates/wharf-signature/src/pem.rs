//! Text around bytes: PEM and Base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The bytes of Base64 with padding, as Go and JavaScript write it; spaces and line breaks around it are passed over.
pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.trim()).ok()
}

/// Base64 with padding.
pub(crate) fn encode_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// A block of PEM.
pub(crate) struct Block {
    pub(crate) label: String,
    pub(crate) bytes: Vec<u8>,
}

/// The blocks of a text, at most so many. None where one is broken. What stands around blocks is passed over.
pub(crate) fn blocks(text: &str, most: usize) -> Option<Vec<Block>> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once("-----BEGIN ") {
        let (label, behind) = behind.split_once("-----")?;
        let (body, behind) = behind.split_once("-----END ")?;
        let behind = behind.strip_prefix(label)?.strip_prefix("-----")?;
        if blocks.len() == most {
            return None;
        }
        let body: String = body.split_ascii_whitespace().collect();
        blocks.push(Block {
            label: label.to_owned(),
            bytes: decode_base64(&body)?,
        });
        rest = behind;
    }
    Some(blocks)
}

/// A block with lines of 64 characters.
pub(crate) fn encode(label: &str, bytes: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    for (index, character) in encode_base64(bytes).chars().enumerate() {
        if index > 0 && index.is_multiple_of(64) {
            text.push('\n');
        }
        text.push(character);
    }
    text + &format!("\n-----END {label}-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_written_and_read() {
        let text = format!(
            "before\n{}between{}",
            encode("A KEY", &[7; 100]),
            encode("B", b"b")
        );
        let read = blocks(&text, 2).unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(
            (read[0].label.as_str(), read[0].bytes.as_slice()),
            ("A KEY", &[7; 100][..])
        );
        assert_eq!(
            (read[1].label.as_str(), read[1].bytes.as_slice()),
            ("B", &b"b"[..])
        );
        assert!(blocks(&text, 1).is_none());
        assert_eq!(blocks("none", 1).unwrap().len(), 0);
    }

    #[test]
    fn broken_blocks_are_refused() {
        for text in [
            "-----BEGIN A",
            "-----BEGIN A-----",
            "-----BEGIN A-----\nYQ==\n-----END B-----",
            "-----BEGIN A-----\nYQ\n-----END A-----",
            "-----BEGIN A-----\nYQ==\n-----END A",
        ] {
            assert!(blocks(text, 9).is_none(), "{text}");
        }
    }
}
