//! A piece of a body that can be read and changed without joining what came in parts.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Chunks below this are joined with what comes after, so that a body that trickles in byte by byte does not cost a
/// chunk's overhead for each byte.
const SMALL: usize = 1024;

/// Bytes in parts. Large parts are kept as they came and never copied until a guest reads them.
#[derive(Debug, Clone, Default)]
pub struct Body {
    /// The first part; empty only where there are no bytes.
    first: Bytes,
    /// What follows it. Most bodies come in one part, so this is apart.
    rest: Option<Box<Rest>>,
    length: usize,
}

#[derive(Debug, Clone, Default)]
struct Rest {
    parts: VecDeque<Bytes>,
    /// Small chunks joined, behind the parts.
    tail: BytesMut,
}

impl Rest {
    fn push(&mut self, bytes: Bytes) {
        if bytes.len() < SMALL {
            self.tail.extend_from_slice(&bytes);
            return;
        }
        if !self.tail.is_empty() {
            self.parts.push_back(self.tail.split().freeze());
        }
        self.parts.push_back(bytes);
    }

    fn pop(&mut self) -> Bytes {
        match self.parts.pop_front() {
            Some(part) => part,
            None => self.tail.split().freeze(),
        }
    }
}

impl Body {
    /// No bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Appends bytes.
    pub fn push(&mut self, bytes: Bytes) {
        self.length += bytes.len();
        if self.length == bytes.len() {
            self.first = bytes;
        } else if !bytes.is_empty() {
            self.rest.get_or_insert_default().push(bytes);
        }
    }

    /// Puts bytes before the others.
    pub fn prepend(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        self.length += bytes.len();
        let second = std::mem::replace(&mut self.first, bytes);
        if !second.is_empty() {
            self.rest.get_or_insert_default().parts.push_front(second);
        }
    }

    /// Moves all of `other` behind these.
    pub fn append(&mut self, mut other: Self) {
        if self.is_empty() {
            *self = other;
            return;
        }
        while let Some(part) = other.pop() {
            self.push(part);
        }
    }

    /// Throws all bytes away.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes the first part away; `None` where there are no bytes.
    pub fn pop(&mut self) -> Option<Bytes> {
        if self.is_empty() {
            return None;
        }
        let next = self.rest.as_mut().map(|rest| rest.pop()).unwrap_or_default();
        let part = std::mem::replace(&mut self.first, next);
        self.length -= part.len();
        Some(part)
    }

    /// The bytes, where they are in one part.
    ///
    /// # Errors
    /// The body, where it has more than one part.
    pub fn into_single(self) -> Result<Bytes, Self> {
        if self.first.len() == self.length {
            Ok(self.first)
        } else {
            Err(self)
        }
    }

    /// Fills `target` with the bytes from `start` on.
    ///
    /// # Panics
    /// Where there are not as many; the caller has compared with [`Body::len`].
    pub fn copy_to(&self, start: usize, target: &mut [u8]) {
        let mut skip = start;
        let mut filled = 0;
        let rest = self.rest.iter().flat_map(|rest| {
            let parts = rest.parts.iter().map(|part| &part[..]);
            parts.chain([&rest.tail[..]])
        });
        for part in [&self.first[..]].into_iter().chain(rest) {
            if skip >= part.len() {
                skip -= part.len();
                continue;
            }
            let available = &part[skip..];
            let count = available.len().min(target.len() - filled);
            target[filled..filled + count].copy_from_slice(&available[..count]);
            filled += count;
            skip = 0;
        }
        assert_eq!(filled, target.len(), "the caller has compared with the length");
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        let mut body = Self::new();
        body.push(bytes);
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(body: &Body) -> Vec<u8> {
        let mut all = vec![b'?'; body.len()];
        body.copy_to(0, &mut all);
        all
    }

    #[test]
    fn parts_keep_their_order() {
        let mut body = Body::from(Bytes::from(vec![b'a'; SMALL]));
        body.push(Bytes::from_static(b"bc"));
        body.push(Bytes::from_static(b"d"));
        body.push(Bytes::from(vec![b'e'; SMALL]));
        body.prepend(Bytes::from_static(b"0"));
        let expected = [&b"0"[..], &[b'a'; SMALL], b"bcd", &[b'e'; SMALL]].concat();
        assert_eq!(contents(&body), expected);
        for start in [0, 1, SMALL, SMALL + 1, SMALL + 3, expected.len()] {
            let mut target = vec![b'?'; expected.len() - start];
            body.copy_to(start, &mut target);
            assert_eq!(target, expected[start..]);
        }
        let mut parts = Vec::new();
        assert!(body.clone().into_single().is_err());
        let mut all = Body::new();
        all.append(body.clone());
        all.append(body.clone());
        assert_eq!(contents(&all), [&expected[..], &expected].concat());
        while let Some(part) = body.pop() {
            assert!(!part.is_empty());
            parts.push(part);
        }
        assert_eq!(parts.concat(), expected);
        assert!(body.is_empty());
        body.push(Bytes::from_static(b"x"));
        assert_eq!(body.into_single().unwrap(), "x");
    }

    #[test]
    fn small_chunks_are_joined() {
        let mut body = Body::new();
        for _ in 0..1000 {
            body.push(Bytes::from_static(b"x"));
        }
        assert_eq!(body.len(), 1000);
        let parts = body.rest.as_ref().map_or(0, |rest| rest.parts.len());
        assert!(parts <= 1, "{parts} parts");
        assert_eq!(contents(&body), vec![b'x'; 1000]);
    }
}
