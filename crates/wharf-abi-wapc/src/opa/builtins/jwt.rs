//! JSON Web Tokens: taken apart, and checked against a shared secret.
//!
//! Signatures with public keys are not checked here.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha384, Sha512};

use super::crypto::{are_equal, mac};
use super::encoding::{from_base64url, from_json, hex};
use super::{Builtin, Context, Failure, Operand, Outcome};
use crate::opa::value::Value;

pub(super) const TABLE: &[Builtin] = &[
    Builtin {
        name: "io.jwt.decode",
        arity: 1,
        run: |_, arguments| decode(arguments[0].as_str()?, MOST_NESTED),
    },
    Builtin {
        name: "io.jwt.verify_hs256",
        arity: 2,
        run: verify::<Hmac<Sha256>>,
    },
    Builtin {
        name: "io.jwt.verify_hs384",
        arity: 2,
        run: verify::<Hmac<Sha384>>,
    },
    Builtin {
        name: "io.jwt.verify_hs512",
        arity: 2,
        run: verify::<Hmac<Sha512>>,
    },
];

/// How many tokens may be in each other.
const MOST_NESTED: usize = 20;

fn parts(token: &str) -> Result<[&str; 3], Failure> {
    let parts: Vec<&str> = token.splitn(4, '.').collect();
    parts.try_into().map_err(|_| Failure::Undefined)
}

/// Header, payload and signature; the header's `cty` may say that the payload is a token itself.
fn decode(token: &str, depth: usize) -> Outcome {
    let [header, payload, signature] = parts(token)?;
    let header = object(&text(header)?)?;
    if header.field("enc").is_some() {
        return Err(Failure::Undefined);
    }
    let payload = text(payload)?;
    match header.field("cty") {
        Some(Value::String(kind)) if kind == "JWT" => {
            let limit = || Failure::Limit("more than 20 tokens are in each other");
            let depth = depth.checked_sub(1).ok_or_else(limit)?;
            return decode(payload.trim_matches(['"', '\'']), depth);
        }
        Some(Value::String(_)) | None => {}
        Some(_) => return Err(Failure::Undefined),
    }
    let payload = object(&payload)?;
    let signature = from_base64url(signature).ok_or(Failure::Undefined)?;
    Ok(Value::Array(vec![
        header,
        payload,
        Value::String(hex(&signature)),
    ]))
}

fn text(part: &str) -> Result<String, Failure> {
    let bytes = from_base64url(part).ok_or(Failure::Undefined)?;
    // Go replaces what is no UTF-8 when it reads the JSON in it.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn object(json: &str) -> Outcome {
    match from_json(json)? {
        object @ Value::Object(_) => Ok(object),
        _ => Err(Failure::Undefined),
    }
}

fn verify<M: Mac + KeyInit>(_: &mut Context, arguments: &[Value]) -> Outcome {
    let (token, secret) = (arguments[0].as_str()?, arguments[1].as_str()?);
    let [header, payload, signature] = parts(token)?;
    let expected = mac::<M>(secret.as_bytes(), format!("{header}.{payload}").as_bytes());
    let signature = from_base64url(signature).ok_or(Failure::Undefined)?;
    Ok(Value::Bool(are_equal(&signature, &expected)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, check};
    use super::*;

    /// Signed with the secret `secret`: `{"alg":"HS256","typ":"JWT"}`, `{"sub":"wharf","n":1.50}`.
    const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ3aGFyZiIsIm4iOjEuNTB9.SIGNATURE";

    fn signed() -> String {
        let (content, _) = TOKEN.rsplit_once('.').unwrap();
        let signature = mac::<Hmac<Sha256>>(b"secret", content.as_bytes());
        let encoded = call("base64url.encode_no_pad", "[\"\"]").unwrap();
        assert_eq!(encoded, "\"\"");
        format!("{content}.{}", base64url(&signature))
    }

    fn base64url(bytes: &[u8]) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
    }

    #[test]
    fn a_token_is_taken_apart() {
        let header = r#"{"alg":"HS256","typ":"JWT"}"#;
        check(&[
            (
                "io.jwt.decode",
                r#"["eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ3aGFyZiIsIm4iOjEuNTB9.AQL_"]"#,
                &format!(r#"[{header},{{"n":1.50,"sub":"wharf"}},"0102ff"]"#),
            ),
            ("io.jwt.decode", r#"["a.b"]"#, "undefined"),
            ("io.jwt.decode", r#"["e30.e30.AQ.AQ"]"#, "undefined"),
            ("io.jwt.decode", r#"["e30.e30."]"#, r#"[{},{},""]"#),
            ("io.jwt.decode", r#"["e30.W10."]"#, "undefined"),
            ("io.jwt.decode", r#"["e30.e30.a"]"#, "undefined"),
            ("io.jwt.decode", "[1]", "undefined"),
        ]);
        let encrypted = format!("{}.e30.", base64url(br#"{"enc":"x"}"#));
        check(&[("io.jwt.decode", &format!("[{encrypted:?}]"), "undefined")]);
    }

    #[test]
    fn tokens_in_tokens_are_opened_and_their_depth_is_bounded() {
        let wrap = |token: &str| {
            let header = base64url(br#"{"cty":"JWT"}"#);
            format!("{header}.{}.", base64url(format!("\"{token}\"").as_bytes()))
        };
        let twice = wrap(&wrap("e30.e30."));
        check(&[("io.jwt.decode", &format!("[{twice:?}]"), r#"[{},{},""]"#)]);
        let many = (0..21).fold("e30.e30.".to_owned(), |token, _| wrap(&token));
        assert!(matches!(
            call("io.jwt.decode", &format!("[{many:?}]")),
            Err(Failure::Limit(_))
        ));
    }

    #[test]
    fn a_signature_is_checked_against_the_secret() {
        let token = signed();
        let check = |name: &str, secret: &str| call(name, &format!("[{token:?}, {secret:?}]"));
        assert_eq!(check("io.jwt.verify_hs256", "secret").as_deref(), Ok("true"));
        assert_eq!(check("io.jwt.verify_hs256", "other").as_deref(), Ok("false"));
        assert_eq!(check("io.jwt.verify_hs384", "secret").as_deref(), Ok("false"));
        assert_eq!(check("io.jwt.verify_hs512", "secret").as_deref(), Ok("false"));
        assert_eq!(
            call("io.jwt.verify_hs256", r#"["a.b", "secret"]"#),
            Err(Failure::Undefined)
        );
    }
}
