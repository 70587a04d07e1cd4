//! Digests and keyed digests, as lower-case hexadecimal.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::encoding::hex;
use super::{Builtin, Context, Operand, Outcome};
use crate::opa::value::Value;

pub(super) const TABLE: &[Builtin] = &[
    Builtin {
        name: "crypto.hmac.equal",
        arity: 2,
        run: equal,
    },
    Builtin {
        name: "crypto.hmac.md5",
        arity: 2,
        run: keyed::<Hmac<Md5>>,
    },
    Builtin {
        name: "crypto.hmac.sha1",
        arity: 2,
        run: keyed::<Hmac<Sha1>>,
    },
    Builtin {
        name: "crypto.hmac.sha256",
        arity: 2,
        run: keyed::<Hmac<Sha256>>,
    },
    Builtin {
        name: "crypto.hmac.sha512",
        arity: 2,
        run: keyed::<Hmac<Sha512>>,
    },
    Builtin {
        name: "crypto.md5",
        arity: 1,
        run: plain::<Md5>,
    },
    Builtin {
        name: "crypto.sha1",
        arity: 1,
        run: plain::<Sha1>,
    },
    Builtin {
        name: "crypto.sha256",
        arity: 1,
        run: plain::<Sha256>,
    },
];

fn plain<D: Digest>(_: &mut Context, arguments: &[Value]) -> Outcome {
    let digest = D::digest(arguments[0].as_str()?);
    Ok(Value::String(hex(&digest)))
}

/// The message comes first, the key second.
fn keyed<M: Mac + KeyInit>(_: &mut Context, arguments: &[Value]) -> Outcome {
    let (message, key) = (arguments[0].as_str()?, arguments[1].as_str()?);
    Ok(Value::String(hex(&mac::<M>(key.as_bytes(), message.as_bytes()))))
}

/// The keyed digest of a message.
pub(super) fn mac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("such a key may have any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// Compares two texts in a time that says nothing of where they differ.
fn equal(_: &mut Context, arguments: &[Value]) -> Outcome {
    let (one, other) = (arguments[0].as_str()?, arguments[1].as_str()?);
    Ok(Value::Bool(are_equal(one.as_bytes(), other.as_bytes())))
}

/// Whether two byte strings are equal, in a time that depends on their lengths only.
pub(super) fn are_equal(one: &[u8], other: &[u8]) -> bool {
    let difference = one
        .iter()
        .zip(other)
        .fold(0, |all, (one, other)| all | (one ^ other));
    one.len() == other.len() && std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn digests_are_those_of_the_standards() {
        check(&[
            (
                "crypto.md5",
                r#"["abc"]"#,
                r#""900150983cd24fb0d6963f7d28e17f72""#,
            ),
            (
                "crypto.sha1",
                r#"["abc"]"#,
                r#""a9993e364706816aba3e25717850c26c9cd0d89d""#,
            ),
            (
                "crypto.sha256",
                r#"["abc"]"#,
                r#""ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad""#,
            ),
            (
                "crypto.sha256",
                r#"[""]"#,
                r#""e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855""#,
            ),
            ("crypto.sha256", "[1]", "undefined"),
        ]);
    }

    #[test]
    fn keyed_digests_are_those_of_rfc_2202_and_4231() {
        let arguments = r#"["what do ya want for nothing?", "Jefe"]"#;
        check(&[
            (
                "crypto.hmac.md5",
                arguments,
                r#""750c783e6ab0b503eaa86e310a5db738""#,
            ),
            (
                "crypto.hmac.sha1",
                arguments,
                r#""effcdf6ae5eb2fa2d27416d5f184df9c259a7c79""#,
            ),
            (
                "crypto.hmac.sha256",
                arguments,
                r#""5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843""#,
            ),
            (
                "crypto.hmac.sha512",
                arguments,
                r#""164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737""#,
            ),
            ("crypto.hmac.sha256", r#"["a", null]"#, "undefined"),
            ("crypto.hmac.equal", r#"["abc", "abc"]"#, "true"),
            ("crypto.hmac.equal", r#"["abc", "abd"]"#, "false"),
            ("crypto.hmac.equal", r#"["abc", "ab"]"#, "false"),
            ("crypto.hmac.equal", r#"["", 0]"#, "undefined"),
        ]);
    }
}
