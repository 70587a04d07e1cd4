//! Maps as they cross the ABI (specification, "Serialization").
//!
//! ```text
//! u32le count │ count × (u32le name length, u32le value length) │ count × (name \0 value \0)
//! ```
//! An empty map is no bytes, or one zero byte, or a count of zero.

/// The most bytes that a serialized map may have, as in Envoy's host: 1 MiB.
pub const MAXIMUM_BYTES: usize = 1 << 20;
/// The most pairs that a serialized map may have, as in Envoy's host.
pub const MAXIMUM_COUNT: usize = 1024;

/// A name and its value.
pub type Pair<'a> = (&'a [u8], &'a [u8]);

/// What is wrong with a serialized map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PairsError {
    /// It is longer than [`MAXIMUM_BYTES`].
    #[error("it has {0} bytes; at most {MAXIMUM_BYTES} are taken")]
    TooLong(usize),
    /// It has more than [`MAXIMUM_COUNT`] pairs.
    #[error("it says that it has {0} pairs; at most {MAXIMUM_COUNT} are taken")]
    TooMany(u32),
    /// It ends before its pairs do.
    #[error("it ends in the middle of a pair")]
    Truncated,
    /// A name or a value does not end with a zero byte.
    #[error("a name or a value in it does not end with a zero byte")]
    NotTerminated,
    /// Bytes follow the last pair.
    #[error("{0} bytes follow its last pair")]
    TrailingBytes(usize),
}

/// Reads a serialized map. The names and values are slices of `bytes`.
///
/// # Errors
/// [`PairsError`]; nothing is read then.
pub fn decode(bytes: &[u8]) -> Result<Vec<Pair<'_>>, PairsError> {
    if bytes.len() > MAXIMUM_BYTES {
        return Err(PairsError::TooLong(bytes.len()));
    }
    if bytes.is_empty() || bytes == [0] {
        return Ok(Vec::new());
    }
    let (count, rest) = split_u32(bytes)?;
    if count as usize > MAXIMUM_COUNT {
        return Err(PairsError::TooMany(count));
    }
    let sizes_length = count as usize * 8;
    if rest.len() < sizes_length {
        return Err(PairsError::Truncated);
    }
    let (mut sizes, mut data) = rest.split_at(sizes_length);
    let mut pairs = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let (name_length, after_name) = split_u32(sizes)?;
        let (value_length, after_value) = split_u32(after_name)?;
        sizes = after_value;
        let name = split_terminated(&mut data, name_length)?;
        let value = split_terminated(&mut data, value_length)?;
        pairs.push((name, value));
    }
    if data.is_empty() {
        Ok(pairs)
    } else {
        Err(PairsError::TrailingBytes(data.len()))
    }
}

fn split_u32(bytes: &[u8]) -> Result<(u32, &[u8]), PairsError> {
    let (number, rest) = bytes.split_first_chunk::<4>().ok_or(PairsError::Truncated)?;
    Ok((u32::from_le_bytes(*number), rest))
}

fn split_terminated<'a>(data: &mut &'a [u8], length: u32) -> Result<&'a [u8], PairsError> {
    let length = length as usize;
    if data.len() <= length {
        return Err(PairsError::Truncated);
    }
    let (text, rest) = data.split_at(length);
    let Some((&0, rest)) = rest.split_first() else {
        return Err(PairsError::NotTerminated);
    };
    *data = rest;
    Ok(text)
}

/// Writes a map behind what is in `out`; an empty map writes nothing.
pub fn encode<'a>(pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone, out: &mut Vec<u8>) {
    if pairs.len() == 0 {
        return;
    }
    out.extend_from_slice(&length(pairs.len()));
    for (name, value) in pairs.clone() {
        out.extend_from_slice(&length(name.len()));
        out.extend_from_slice(&length(value.len()));
    }
    for (name, value) in pairs {
        out.extend_from_slice(name);
        out.push(0);
        out.extend_from_slice(value);
        out.push(0);
    }
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length)
        .expect("maps are bounded far below 4 GiB")
        .to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(pairs.iter().copied(), &mut out);
        out
    }

    #[test]
    fn the_bytes_of_a_map() {
        let bytes = encoded(&[(b"a", b"xyz"), (b"bc", b"")]);
        let expected = [
            &[2, 0, 0, 0][..],
            &[1, 0, 0, 0, 3, 0, 0, 0],
            &[2, 0, 0, 0, 0, 0, 0, 0],
            b"a\0xyz\0",
            b"bc\0\0",
        ]
        .concat();
        assert_eq!(bytes, expected);
        assert_eq!(decode(&bytes).unwrap(), [(&b"a"[..], &b"xyz"[..]), (b"bc", b"")]);
    }

    #[test]
    fn empty_maps() {
        assert_eq!(encoded(&[]), b"");
        for empty in [&b""[..], &[0], &[0, 0, 0, 0]] {
            assert_eq!(decode(empty).unwrap(), []);
        }
    }

    #[test]
    fn every_damaged_map_is_refused() {
        let good = encoded(&[(b"name", b"value"), (b"n", b"v")]);
        for end in 1..good.len() {
            assert!(decode(&good[..end]).is_err(), "cut at {end}");
        }
        assert_eq!(
            decode(&[&good[..], b"x"].concat()),
            Err(PairsError::TrailingBytes(1))
        );
        let huge = [&[1, 0, 0, 0][..], &[0xff; 8], b"a\0b\0"].concat();
        assert_eq!(decode(&huge), Err(PairsError::Truncated));
        assert_eq!(decode(&[0xff; 16]), Err(PairsError::TooMany(u32::MAX)));
        assert_eq!(
            decode(&vec![0; MAXIMUM_BYTES + 1]),
            Err(PairsError::TooLong(MAXIMUM_BYTES + 1))
        );
        let mut unterminated = good;
        let last = unterminated.len() - 1;
        unterminated[last] = b'!';
        assert_eq!(decode(&unterminated), Err(PairsError::NotTerminated));
    }
}
