//! Bytes that cannot be parted from their digest.

use bytes::Bytes;

use crate::Digest;

/// Bytes and their digest. Cloning is cheap: the bytes are shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashedBytes {
    bytes: Bytes,
    digest: Digest,
}

impl HashedBytes {
    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Their digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The bytes and their digest.
    pub fn into_parts(self) -> (Bytes, Digest) {
        (self.bytes, self.digest)
    }
}

impl From<Bytes> for HashedBytes {
    fn from(bytes: Bytes) -> Self {
        let digest = Digest::of(&bytes);
        Self { bytes, digest }
    }
}

impl From<Vec<u8>> for HashedBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<&'static [u8]> for HashedBytes {
    fn from(bytes: &'static [u8]) -> Self {
        Bytes::from_static(bytes).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_bytes_wherever_they_are_from() {
        let hashed = HashedBytes::from(b"bytes".to_vec());
        assert_eq!(hashed, HashedBytes::from(&b"bytes"[..]));
        assert_eq!(hashed, HashedBytes::from(Bytes::from_static(b"bytes")));
        assert_eq!(hashed.digest(), Digest::of(b"bytes"));
        assert_eq!(
            hashed.into_parts(),
            (Bytes::from_static(b"bytes"), Digest::of(b"bytes"))
        );
    }
}
