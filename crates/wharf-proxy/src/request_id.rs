//! Ids for requests, made without a lock and nearly without an allocation.

use std::hash::{BuildHasher, Hasher, RandomState};

use bytes::{Bytes, BytesMut};
use http::HeaderValue;

/// `xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx`
const LENGTH: usize = 36;
/// How many ids share one allocation.
const BATCH: usize = 64;

/// One worker's source of ids: random UUIDs (version 4), as Envoy's users expect in `x-request-id`.
///
/// The generator is seeded from the operating system and is fast, not secret: an id names a request, it protects
/// nothing.
#[derive(Debug)]
pub struct RequestIds {
    state: u64,
    batch: BytesMut,
}

impl Default for RequestIds {
    fn default() -> RequestIds {
        RequestIds::new()
    }
}

impl RequestIds {
    /// A new source, different from every other.
    pub fn new() -> RequestIds {
        RequestIds {
            state: RandomState::new().build_hasher().finish(),
            batch: BytesMut::new(),
        }
    }

    /// The next id.
    pub fn next_id(&mut self) -> HeaderValue {
        if self.batch.capacity() < LENGTH {
            self.batch = BytesMut::with_capacity(LENGTH * BATCH);
        }
        let text = uuid_text(self.random(), self.random());
        self.batch.extend_from_slice(&text);
        let id: Bytes = self.batch.split().freeze();
        HeaderValue::from_maybe_shared(id).expect("hexadecimal digits and dashes are a header value")
    }

    /// splitmix64: every state gives another number, in an order that looks random.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

fn uuid_text(high: u64, low: u64) -> [u8; LENGTH] {
    const VERSION_4: u128 = 0x4 << 76;
    const VARIANT: u128 = 0b10 << 62;
    const FREE: u128 = !((0xf << 76) | (0b11 << 62));
    let uuid = (((u128::from(high) << 64) | u128::from(low)) & FREE) | VERSION_4 | VARIANT;
    let bytes = uuid.to_be_bytes();
    let mut text = [b'-'; LENGTH];
    let mut at = 0;
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        const HEX: &[u8; 16] = b"0123456789abcdef";
        text[at] = HEX[usize::from(byte >> 4)];
        text[at + 1] = HEX[usize::from(byte & 15)];
        at += 2;
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_uuids_of_version_4() {
        let text = uuid_text(0x0123_4567_89ab_cdef, 0xffff_0000_ffff_0000);
        assert_eq!(
            std::str::from_utf8(&text).unwrap(),
            "01234567-89ab-4def-bfff-0000ffff0000"
        );
    }

    #[test]
    fn ids_do_not_repeat_within_a_worker_or_between_workers() {
        let mut workers = [RequestIds::new(), RequestIds::new()];
        let ids: HashSet<HeaderValue> = (0..2_000)
            .flat_map(|_| workers.each_mut().map(RequestIds::next_id))
            .collect();
        assert_eq!(ids.len(), 4_000);
    }
}
