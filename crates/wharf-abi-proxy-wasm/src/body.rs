//! A piece of a body that can be read and changed without joining what came in parts.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Chunks below this are joined with what comes after, so that a body that trickles in byte by byte does not cost a
/// chunk's overhead for each byte.
const SMALL: usize = 1024;

/// Bytes in parts. Large parts are kept as they came and never copied until a guest reads them.
#[derive(Debug, Clone, Default)]
pub struct Body {
    parts: VecDeque<Bytes>,
    tail: BytesMut,
    length: usize,
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
        if bytes.len() < SMALL && (!self.parts.is_empty() || !self.tail.is_empty()) {
            self.tail.extend_from_slice(&bytes);
            return;
        }
        self.seal();
        if !bytes.is_empty() {
            self.parts.push_back(bytes);
        }
    }

    /// Puts bytes before the others.
    pub fn prepend(&mut self, bytes: Bytes) {
        self.length += bytes.len();
        if !bytes.is_empty() {
            self.parts.push_front(bytes);
        }
    }

    /// Moves all of `other` behind these.
    pub fn append(&mut self, mut other: Self) {
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
        let part = match self.parts.pop_front() {
            Some(part) => part,
            None if self.tail.is_empty() => return None,
            None => self.tail.split().freeze(),
        };
        self.length -= part.len();
        Some(part)
    }

    /// Fills `target` with the bytes from `start` on.
    ///
    /// # Panics
    /// Where there are not as many; the caller has compared with [`Body::len`].
    pub fn copy_to(&self, start: usize, target: &mut [u8]) {
        let mut skip = start;
        let mut filled = 0;
        for part in self.parts.iter().map(|part| &part[..]).chain([&self.tail[..]]) {
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

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.parts.push_back(self.tail.split().freeze());
        }
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
        while let Some(part) = body.pop() {
            parts.push(part);
        }
        assert_eq!(parts.concat(), expected);
        assert!(body.is_empty());
    }

    #[test]
    fn small_chunks_are_joined() {
        let mut body = Body::new();
        for _ in 0..1000 {
            body.push(Bytes::from_static(b"x"));
        }
        assert_eq!(body.len(), 1000);
        assert!(body.parts.len() <= 1, "{} parts", body.parts.len());
        assert_eq!(contents(&body), vec![b'x'; 1000]);
    }
}
