//! Numbers and names in the fields of a header.

use super::HeaderFault;

/// The bytes of a field; none where the block is too short for it, which no block is.
pub(super) fn field(block: &[u8], start: usize, length: usize) -> &[u8] {
    block.get(start..start.saturating_add(length)).unwrap_or_default()
}

/// Text up to the first NUL.
pub(super) fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A number that is not negative: octal digits between blanks, or big-endian bytes behind one whose highest bit is set.
pub(super) fn number(field: &[u8], name: &'static str) -> Result<u64, HeaderFault> {
    let fault = HeaderFault::Number { field: name };
    let Some((&first, rest)) = field.split_first() else {
        return Ok(0);
    };
    if first & 0x80 != 0 {
        if first & 0x40 != 0 {
            return Err(fault);
        }
        let start = u64::from(first & 0x3f);
        return rest.iter().try_fold(start, |value, byte| {
            value
                .checked_mul(256)
                .and_then(|value| value.checked_add(u64::from(*byte)))
                .ok_or(fault)
        });
    }
    let blank = |byte: &u8| matches!(*byte, b' ' | 0);
    let start = field.iter().position(|byte| !blank(byte)).unwrap_or(field.len());
    let digits = text(field.get(start..).unwrap_or_default());
    let end = digits
        .iter()
        .rposition(|byte| *byte != b' ')
        .map_or(0, |last| last + 1);
    digits
        .get(..end)
        .unwrap_or_default()
        .iter()
        .try_fold(0_u64, |value, byte| match byte {
            b'0'..=b'7' => value
                .checked_mul(8)
                .and_then(|value| value.checked_add(u64::from(byte - b'0')))
                .ok_or(fault),
            _ => Err(fault),
        })
}

/// A number in decimal digits alone.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |value, byte| match byte {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}
