//! Digests, in hexadecimal.

use std::fmt::Write;

use sha1::{Digest, Sha1};
use sha2::Sha256;

pub(super) fn sha1(text: &str) -> String {
    hex(&Sha1::digest(text))
}

pub(super) fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes every text");
    }
    text
}
