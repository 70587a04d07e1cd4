//! The files in which cosign keeps private keys: JSON with a box of NaCl, whose key is made of a password by scrypt.
//!
//! ```text
//! {"kdf":{"name":"scrypt","params":{"N":65536,"r":8,"p":1},"salt":"…"},
//!  "cipher":{"name":"nacl/secretbox","nonce":"…"},"ciphertext":"…"}
//!
//! stream      = XSalsa20 of the key and the nonce
//! ciphertext  = [16] Poly1305 of what follows, by the first 32 bytes of the stream; the key, by what follows of the stream
//! ```

use poly1305::Poly1305;
use poly1305::universal_hash::KeyInit as _;
use salsa20::XSalsa20;
use salsa20::cipher::{KeyIvInit as _, StreamCipher as _};
use serde::Deserialize;

use crate::pem::decode_base64;

use super::PrivateKeyError;

/// The most memory that opening a key takes: 128 bytes for each of N, r times.
const MOST_MEMORY: u64 = 256 << 20;
/// The most rounds of that memory.
const MOST_PARALLEL: u32 = 16;

#[derive(Deserialize)]
struct File {
    kdf: Derivation,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Deserialize)]
struct Derivation {
    name: String,
    params: Parameters,
    salt: String,
}

#[derive(Deserialize)]
struct Parameters {
    #[serde(rename = "N")]
    cost: u64,
    r: u32,
    p: u32,
}

#[derive(Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

/// What is in the box.
pub(super) fn decrypt(json: &[u8], password: &[u8]) -> Result<Vec<u8>, PrivateKeyError> {
    let damaged = |reason| PrivateKeyError::Damaged { reason };
    let file: File =
        serde_json::from_slice(json).map_err(|_| damaged("it is not the JSON that it is to be"))?;
    if file.kdf.name != "scrypt" || file.cipher.name != "nacl/secretbox" {
        return Err(damaged("it is encrypted in a way that is not understood"));
    }
    let parameters =
        scrypt_parameters(&file.kdf.params).ok_or(damaged("its numbers for scrypt are out of bounds"))?;
    let salt = decode_base64(&file.kdf.salt).ok_or(damaged("its salt is no Base64"))?;
    let nonce = decode_base64(&file.cipher.nonce).and_then(|nonce| <[u8; 24]>::try_from(nonce).ok());
    let nonce = nonce.ok_or(damaged("its nonce has not 24 bytes"))?;
    let ciphertext = decode_base64(&file.ciphertext).ok_or(damaged("its content is no Base64"))?;
    let mut key = [0; 32];
    scrypt::scrypt(password, &salt, &parameters, &mut key).expect("32 bytes are a length that scrypt gives");
    open(&key, &nonce, &ciphertext).ok_or(PrivateKeyError::WrongPassword)
}

fn scrypt_parameters(written: &Parameters) -> Option<scrypt::Params> {
    let memory = written.cost.checked_mul(128)?.checked_mul(u64::from(written.r))?;
    let good = written.cost.is_power_of_two() && memory <= MOST_MEMORY && written.p <= MOST_PARALLEL;
    let log = u8::try_from(written.cost.checked_ilog2()?)
        .ok()
        .filter(|_| good)?;
    scrypt::Params::new(log, written.r, written.p).ok()
}

fn open(key: &[u8; 32], nonce: &[u8; 24], sealed: &[u8]) -> Option<Vec<u8>> {
    let (tag, content) = sealed.split_first_chunk::<16>()?;
    let mut stream = XSalsa20::new(key.into(), nonce.into());
    let mut authenticator = [0; 32];
    stream.apply_keystream(&mut authenticator);
    let expected = Poly1305::new(&authenticator.into()).compute_unpadded(content);
    // Every byte is compared, so that the time tells nothing of the tag.
    let difference = expected
        .iter()
        .zip(tag)
        .fold(0, |all, (left, right)| all | (left ^ right));
    if difference != 0 {
        return None;
    }
    let mut content = content.to_vec();
    stream.apply_keystream(&mut content);
    Some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_bounds_take_neither_memory_nor_time() {
        for (cost, r, p) in [
            (0, 8, 1),
            (3, 8, 1),
            (1 << 40, 8, 1),
            (1 << 20, 1 << 20, 1),
            (u64::MAX, 8, 1),
            (65_536, 0, 1),
            (65_536, 8, 0),
            (65_536, 8, 1 << 20),
        ] {
            assert!(
                scrypt_parameters(&Parameters { cost, r, p }).is_none(),
                "{cost} {r} {p}"
            );
        }
        assert!(
            scrypt_parameters(&Parameters {
                cost: 65_536,
                r: 8,
                p: 1
            })
            .is_some()
        );
    }

    #[test]
    fn a_box_that_was_changed_does_not_open() {
        assert_eq!(open(&[0; 32], &[0; 24], &[0; 15]), None);
        assert_eq!(open(&[0; 32], &[0; 24], &[0; 40]), None);
    }
}
