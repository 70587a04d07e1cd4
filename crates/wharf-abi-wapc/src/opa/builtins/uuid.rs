//! UUIDs.

use super::{Builtin, Context, Failure, Operand, Outcome};
use crate::opa::value::Value;

pub(super) const TABLE: &[Builtin] = &[
    Builtin {
        name: "uuid.parse",
        arity: 1,
        run: parse,
    },
    Builtin {
        name: "uuid.rfc4122",
        arity: 1,
        run: random,
    },
];

/// The nanoseconds from the beginning of UUIDs' time, 15 October 1582, to 1970.
const EPOCH_NS: i128 = 12_219_292_800 * 1_000_000_000;

/// A random UUID (version 4), the same for the same argument as long as the evaluation lasts.
fn random(context: &mut Context, arguments: &[Value]) -> Outcome {
    let key = format!("uuid.rfc4122 {}", arguments[0].to_term());
    context.draw(key, |random| {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&random.bytes()[..16]);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = super::encoding::hex(&bytes);
        let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
        Value::String(parts.join("-"))
    })
}

fn parse(_: &mut Context, arguments: &[Value]) -> Outcome {
    let bytes = bytes_of(arguments[0].as_str()?).ok_or(Failure::Undefined)?;
    let version = bytes[6] >> 4;
    let variant = match bytes[8] >> 5 {
        0b111 => "Future",
        0b110 => "Microsoft",
        0b100 | 0b101 => "RFC4122",
        _ => "Reserved",
    };
    let mut fields = vec![
        ("variant", Value::string(variant)),
        ("version", Value::from(i64::from(version))),
    ];
    if matches!(version, 1 | 2) {
        let node: Vec<String> = bytes[10..]
            .iter()
            .map(|byte| super::encoding::hex(&[*byte]))
            .collect();
        let kind = match bytes[10] & 3 {
            0b11 => "local:multicast",
            0b01 => "global:multicast",
            0b10 => "local:unicast",
            _ => "global:unicast",
        };
        let sequence = u16::from_be_bytes([bytes[8], bytes[9]]) & 0x3fff;
        fields.extend([
            ("clocksequence", Value::from(i64::from(sequence))),
            ("macvariables", Value::string(kind)),
            ("nodeid", Value::string(node.join("-"))),
            ("time", Value::from(time_ns(&bytes))),
        ]);
    }
    if version == 2 {
        let id = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let domain = match bytes[9] {
            0 => "Person".to_owned(),
            1 => "Group".to_owned(),
            2 => "Org".to_owned(),
            other => format!("Domain{other}"),
        };
        fields.extend([
            ("id", Value::from(i64::from(id))),
            ("domain", Value::String(domain)),
        ]);
    }
    Ok(Value::object(fields))
}

/// When it was made, in nanoseconds since 1970, around the ends of 64 bits as in OPA.
fn time_ns(bytes: &[u8; 16]) -> i64 {
    let low = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let middle = u16::from_be_bytes([bytes[4], bytes[5]]);
    let high = u16::from_be_bytes([bytes[6], bytes[7]]) & 0x0fff;
    let ticks = i128::from(low) | i128::from(middle) << 32 | i128::from(high) << 48;
    (ticks * 100 - EPOCH_NS) as i64
}

/// The bytes of a UUID with hyphens, which may have braces or another sign around it or `urn:uuid:` before it, or of one
/// without hyphens.
fn bytes_of(text: &str) -> Option<[u8; 16]> {
    let bytes = text.as_bytes();
    let bare = match bytes.len() {
        36 => bytes,
        45 if bytes[..9].eq_ignore_ascii_case(b"urn:uuid:") => &bytes[9..],
        38 => &bytes[1..37],
        32 => return from_digits(bytes),
        _ => return None,
    };
    let hyphens = [8, 13, 18, 23];
    if hyphens.iter().any(|at| bare[*at] != b'-') {
        return None;
    }
    let digits = (0..36).filter(|at| !hyphens.contains(at)).map(|at| bare[at]);
    from_digits(&digits.collect::<Vec<_>>())
}

fn from_digits(digits: &[u8]) -> Option<[u8; 16]> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = [0; 16];
    for (byte, [high, low]) in bytes.iter_mut().zip(digits.as_chunks::<2>().0) {
        *byte = u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call_in, check, context};

    #[test]
    fn a_uuid_says_how_it_was_made() {
        let version_1 = r#"{"clocksequence":2650,"macvariables":"global:unicast","nodeid":"00-00-5e-00-53-01","time":1577836249070387200,"variant":"RFC4122","version":1}"#;
        check(&[
            (
                "uuid.parse",
                r#"["5ee69000-2c28-11ea-8a5a-00005e005301"]"#,
                version_1,
            ),
            (
                "uuid.parse",
                r#"["{5EE69000-2c28-11ea-8a5a-00005e005301}"]"#,
                version_1,
            ),
            (
                "uuid.parse",
                r#"["URN:uuid:5ee69000-2c28-11ea-8a5a-00005e005301"]"#,
                version_1,
            ),
            ("uuid.parse", r#"["5ee690002c2811ea8a5a00005e005301"]"#, version_1),
            (
                "uuid.parse",
                r#"["000003e8-2c28-21ea-8a01-03005e005301"]"#,
                r#"{"clocksequence":2561,"domain":"Group","id":1000,"macvariables":"local:multicast","nodeid":"03-00-5e-00-53-01","time":1577836089853642400,"variant":"RFC4122","version":2}"#,
            ),
            (
                "uuid.parse",
                r#"["00000000-0000-4000-c000-000000000000"]"#,
                r#"{"variant":"Microsoft","version":4}"#,
            ),
            (
                "uuid.parse",
                r#"["00000000-0000-0000-0000-000000000000"]"#,
                r#"{"variant":"Reserved","version":0}"#,
            ),
            (
                "uuid.parse",
                r#"["5ee69000+2c28-11ea-8a5a-00005e005301"]"#,
                "undefined",
            ),
            (
                "uuid.parse",
                r#"["5ee69000-2c28-11ea-8a5a-00005e00530g"]"#,
                "undefined",
            ),
            (
                "uuid.parse",
                r#"["éée69000-2c28-11ea-8a5a-00005e0053"]"#,
                "undefined",
            ),
            ("uuid.parse", r#"[""]"#, "undefined"),
            ("uuid.parse", "[1]", "undefined"),
        ]);
    }

    #[test]
    fn random_ones_differ_and_are_kept_for_their_keys() {
        let mut context = context();
        let mut draw = |key: &str| call_in(&mut context, "uuid.rfc4122", &format!("[{key:?}]")).unwrap();
        let (one, other, again) = (draw("a"), draw("b"), draw("a"));
        assert_eq!(one, again);
        assert_ne!(one, other);
        let parsed = call_in(&mut context, "uuid.parse", &format!("[{one}]"));
        assert_eq!(parsed.as_deref(), Ok(r#"{"variant":"RFC4122","version":4}"#));
    }
}
