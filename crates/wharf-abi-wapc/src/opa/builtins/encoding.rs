//! Hexadecimal, base64, URL queries and JSON.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{NO_PAD, PAD};

use super::{Builtin, Context, Failure, MOST_TEXT, Operand, Outcome, string_of};
use crate::opa::value::{Value, read_json};

pub(super) const TABLE: &[Builtin] = &[
    Builtin {
        name: "base64.is_valid",
        arity: 1,
        run: |_, arguments| Ok(Value::Bool(arguments[0].as_str().is_ok_and(is_base64))),
    },
    Builtin {
        name: "base64url.encode_no_pad",
        arity: 1,
        run: |_, arguments| Ok(Value::String(BASE64URL_NO_PAD.encode(arguments[0].as_str()?))),
    },
    Builtin {
        name: "hex.decode",
        arity: 1,
        run: |_, arguments| string_of(unhex(arguments[0].as_str()?).ok_or(Failure::Undefined)?),
    },
    Builtin {
        name: "hex.encode",
        arity: 1,
        run: |_, arguments| Ok(Value::String(hex(arguments[0].as_str()?.as_bytes()))),
    },
    Builtin {
        name: "json.is_valid",
        arity: 1,
        run: is_json,
    },
    Builtin {
        name: "json.marshal_with_options",
        arity: 2,
        run: marshal_with_options,
    },
    Builtin {
        name: "urlquery.decode",
        arity: 1,
        run: |_, arguments| string_of(unescaped(arguments[0].as_str()?).ok_or(Failure::Undefined)?),
    },
    Builtin {
        name: "urlquery.decode_object",
        arity: 1,
        run: decode_object,
    },
    Builtin {
        name: "urlquery.encode",
        arity: 1,
        run: |_, arguments| Ok(Value::String(escaped(arguments[0].as_str()?))),
    },
    Builtin {
        name: "urlquery.encode_object",
        arity: 1,
        run: encode_object,
    },
];

const BASE64: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT_PAD);
const BASE64URL: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT_PAD);
const BASE64URL_NO_PAD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, NO_PAD);

/// Like Go, which does not look at the bits of the last character that are of no use.
const LENIENT_PAD: base64::engine::GeneralPurposeConfig = PAD.with_decode_allow_trailing_bits(true);

/// Go's decoder passes over line ends.
fn without_line_ends(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect()
}

fn is_base64(text: &str) -> bool {
    BASE64.decode(without_line_ends(text)).is_ok()
}

/// The bytes of a text in URL-safe base64, with or without padding.
pub(super) fn from_base64url(text: &str) -> Option<Vec<u8>> {
    let padding = match (text.ends_with('='), text.len() % 4) {
        (true, _) | (_, 0) => "",
        (_, 2) => "==",
        (_, 3) => "=",
        _ => return None,
    };
    BASE64URL
        .decode(without_line_ends(&format!("{text}{padding}")))
        .ok()
}

/// Two lower-case digits for each byte.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok();
    rest.is_empty()
        .then(|| pairs.iter().map(byte).collect())
        .flatten()
}

/// As a value in the query of a URL: letters, digits and `-_.~` as they are, a space as `+`.
fn escaped(text: &str) -> String {
    let mut query = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                query.push(char::from(byte))
            }
            b' ' => query.push('+'),
            _ => {
                query.push('%');
                query.push_str(&hex(&[byte]).to_ascii_uppercase());
            }
        }
    }
    query
}

fn unescaped(query: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(query.len());
    let mut rest = query.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = str::from_utf8(rest.get(..2)?).ok()?;
                bytes.extend(unhex(digits)?);
                rest = &rest[2..];
            }
            other => bytes.push(*other),
        }
    }
    Some(bytes)
}

fn encode_object(_: &mut Context, arguments: &[Value]) -> Outcome {
    let Value::Object(fields) = json_like(&arguments[0])? else {
        return Err(Failure::Undefined);
    };
    let mut pairs = Vec::new();
    for (key, value) in fields.iter() {
        let key = escaped(key.as_str()?);
        match value {
            Value::String(text) => pairs.push(format!("{key}={}", escaped(text))),
            other => {
                for text in other.strings()? {
                    pairs.push(format!("{key}={}", escaped(text)));
                }
            }
        }
    }
    Ok(Value::String(pairs.join("&")))
}

fn decode_object(_: &mut Context, arguments: &[Value]) -> Outcome {
    let mut fields: BTreeMap<Value, Vec<Value>> = BTreeMap::new();
    for pair in arguments[0].as_str()?.split('&').filter(|pair| !pair.is_empty()) {
        // A semicolon was a separator once, so Go leaves it to nobody to guess what is meant.
        if pair.contains(';') {
            return Err(Failure::Undefined);
        }
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let text = |text| string_of(unescaped(text).ok_or(Failure::Undefined)?);
        fields.entry(text(key)?).or_default().push(text(value)?);
    }
    let fields = fields
        .into_iter()
        .map(|(key, values)| (key, Value::Array(values)));
    Ok(Value::Object(fields.collect()))
}

/// The options are `prefix`, `indent` and `pretty`; without the last, naming one of the first two asks for lines.
fn marshal_with_options(_: &mut Context, arguments: &[Value]) -> Outcome {
    let (mut prefix, mut indent, mut pretty) = ("", "\t", None);
    let options = arguments[1].as_object()?;
    for (key, value) in options.iter() {
        match key.as_str()? {
            "prefix" => prefix = value.as_str()?,
            "indent" => indent = value.as_str()?,
            "pretty" => {
                let Value::Bool(value) = value else {
                    return Err(Failure::Undefined);
                };
                pretty = Some(*value);
            }
            _ => return Err(Failure::Undefined),
        }
    }
    let in_lines = pretty.unwrap_or(!options.is_empty());
    if prefix.len() + indent.len() > 100 {
        return Err(Failure::Limit(
            "the prefix and the indentation of JSON have more than 100 bytes",
        ));
    }
    let value = json_like(&arguments[0])?;
    if !in_lines {
        return Ok(Value::String(value.json_text()));
    }
    match value.json_text_in_lines(prefix, indent, MOST_TEXT) {
        Some(text) => Ok(Value::String(format!("{prefix}{text}"))),
        None => Err(Failure::Limit("the JSON text has more than 2MiB")),
    }
}

fn is_json(_: &mut Context, arguments: &[Value]) -> Outcome {
    match arguments[0].as_str().and_then(from_json) {
        Ok(_) => Ok(Value::Bool(true)),
        Err(Failure::Undefined) => Ok(Value::Bool(false)),
        Err(other) => Err(other),
    }
}

/// The value of a JSON text.
pub(super) fn from_json(text: &str) -> Outcome {
    read_json(text).map_err(|error| match error.too_deep {
        true => Failure::Limit("a JSON text is nested more than 300 deep"),
        false => Failure::Undefined,
    })
}

/// The value without what JSON does not have.
pub(super) fn json_like(value: &Value) -> Outcome {
    let limit = || Failure::Limit("the keys that are no strings have more than 2MiB as JSON");
    value.clone().into_json_like(MOST_TEXT).ok_or_else(limit)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, check};
    use super::*;

    #[test]
    fn hexadecimal_both_ways() {
        check(&[
            ("hex.encode", r#"["a\nzé"]"#, r#""610a7ac3a9""#),
            ("hex.encode", "[1]", "undefined"),
            ("hex.decode", r#"["610A7ac3a9"]"#, r#""a\nzé""#),
            ("hex.decode", r#"["6"]"#, "undefined"),
            ("hex.decode", r#"["6g"]"#, "undefined"),
            ("hex.decode", r#"["é"]"#, "undefined"),
        ]);
        for (name, arguments) in [("hex.decode", r#"["ff"]"#), ("urlquery.decode", r#"["%ff"]"#)] {
            let given = call(name, arguments);
            assert!(matches!(given, Err(Failure::Limit(_))), "{name}: {given:?}");
        }
    }

    #[test]
    fn base64_without_padding_and_its_check() {
        check(&[
            ("base64url.encode_no_pad", r#"["a?>b"]"#, r#""YT8-Yg""#),
            ("base64url.encode_no_pad", r#"[""]"#, r#""""#),
            ("base64.is_valid", r#"["YQ=="]"#, "true"),
            ("base64.is_valid", r#"["YR==\n"]"#, "true"),
            ("base64.is_valid", r#"["YQ"]"#, "false"),
            ("base64.is_valid", r#"["-_=="]"#, "false"),
            ("base64.is_valid", "[1]", "false"),
        ]);
        assert_eq!(from_base64url("YT8-Yg"), from_base64url("YT8-Yg=="));
        assert_eq!((from_base64url("a"), from_base64url("a=")), (None, None));
    }

    #[test]
    fn url_queries_both_ways() {
        check(&[
            (
                "urlquery.encode",
                r#"["a b&c=é~-_.*"]"#,
                r#""a+b%26c%3D%C3%A9~-_.%2A""#,
            ),
            ("urlquery.decode", r#"["a+b%26c%3d%C3%A9"]"#, r#""a b&c=é""#),
            ("urlquery.decode", r#"["%4"]"#, "undefined"),
            ("urlquery.decode", r#"["%zz"]"#, "undefined"),
            ("urlquery.decode", r#"["%é"]"#, "undefined"),
            (
                "urlquery.encode_object",
                r#"[{"b":["2","1"],"a":"x y","c":{"z","w"},"d":[]}]"#,
                r#""a=x+y&b=2&b=1&c=w&c=z""#,
            ),
            ("urlquery.encode_object", r#"[{1:"a"}]"#, r#""1=a""#),
            ("urlquery.encode_object", r#"[{"a":1}]"#, "undefined"),
            ("urlquery.encode_object", r#"[{"a":[1]}]"#, "undefined"),
            ("urlquery.encode_object", "[[]]", "undefined"),
            (
                "urlquery.decode_object",
                r#"["a=1&b=x+y&a=2&&c&=d"]"#,
                r#"{"":["d"],"a":["1","2"],"b":["x y"],"c":[""]}"#,
            ),
            ("urlquery.decode_object", r#"["a;b=1"]"#, "undefined"),
            ("urlquery.decode_object", r#"["a=%x"]"#, "undefined"),
        ]);
    }

    #[test]
    fn json_is_written_with_options_and_checked() {
        check(&[
            (
                "json.marshal_with_options",
                r#"[{"a":[1,{2}]},{}]"#,
                r#""{\"a\":[1,[2]]}""#,
            ),
            (
                "json.marshal_with_options",
                r#"[{"a":[1]},{"indent":" "}]"#,
                r#""{\n \"a\": [\n  1\n ]\n}""#,
            ),
            (
                "json.marshal_with_options",
                r#"[[1],{"prefix":">"}]"#,
                r#"">[\n>\t1\n>]""#,
            ),
            (
                "json.marshal_with_options",
                r#"[[1],{"pretty":true}]"#,
                r#""[\n\t1\n]""#,
            ),
            (
                "json.marshal_with_options",
                r#"[[1],{"pretty":false,"indent":" "}]"#,
                r#""[1]""#,
            ),
            ("json.marshal_with_options", r#"[[1],{"pretty":1}]"#, "undefined"),
            ("json.marshal_with_options", r#"[[1],{"other":1}]"#, "undefined"),
            ("json.is_valid", r#"["{\"a\": [1, 2.5e3]} "]"#, "true"),
            ("json.is_valid", r#"["{1}"]"#, "false"),
            ("json.is_valid", r#"[""]"#, "false"),
            ("json.is_valid", "[{}]", "false"),
        ]);
        let long = format!(r#"[[1],{{"indent":"{}"}}]"#, " ".repeat(101));
        assert!(matches!(
            call("json.marshal_with_options", &long),
            Err(Failure::Limit(_))
        ));
        let deep = format!("[\"{}{}\"]", "[".repeat(301), "]".repeat(301));
        assert!(matches!(call("json.is_valid", &deep), Err(Failure::Limit(_))));
    }
}
