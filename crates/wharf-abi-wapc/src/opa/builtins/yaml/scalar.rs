//! What a plain scalar is.

use super::super::go_format::float::shortest;
use super::super::time;
use crate::opa::value::{Number, Value};

/// A scalar's value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    /// A whole number, in decimal digits, and whether it fits into 63 bits.
    Int(String, bool),
    Float(f64),
    /// Whatever else it is.
    Text,
}

impl Scalar {
    /// What a scalar is that has neither a tag nor quotation marks.
    pub(super) fn of(text: &str) -> Self {
        match text {
            "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
                Self::Bool(true)
            }
            "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
                Self::Bool(false)
            }
            "" | "~" | "null" | "Null" | "NULL" => Self::Null,
            ".nan" | ".NaN" | ".NAN" => Self::Float(f64::NAN),
            ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Self::Float(f64::INFINITY),
            "-.inf" | "-.Inf" | "-.INF" => Self::Float(f64::NEG_INFINITY),
            _ if text.starts_with('.') => float(text),
            _ if text.starts_with(|c: char| matches!(c, '+' | '-' | '0'..='9')) => {
                let plain = text.replace('_', "");
                integer(&plain).unwrap_or_else(|| float(&plain))
            }
            _ => Self::Text,
        }
    }

    /// The value in JSON; `None` for what JSON has no number for.
    pub(super) fn value(&self, text: &str) -> Option<Value> {
        Some(match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(digits, _) => Value::Number(Number::parse(digits)?),
            Self::Float(float) => Value::Number(Number::parse(&json_float(*float))?),
            Self::Text => Value::string(text),
        })
    }

    /// The name that it becomes as a key of a JSON object.
    pub(super) fn key(&self, text: &str) -> Option<String> {
        match self {
            Self::Bool(value) => Some(value.to_string()),
            Self::Int(digits, true) => Some(digits.clone()),
            // Go writes a key with the digits that tell it from other floats of 32 bits.
            Self::Float(float) if float.is_nan() => Some(".nan".to_owned()),
            Self::Float(float) => Some(match *float as f32 {
                f32::INFINITY => ".inf".to_owned(),
                f32::NEG_INFINITY => "-.inf".to_owned(),
                float => shortest(&format!("{:e}", float)),
            }),
            Self::Text => Some(text.to_owned()),
            Self::Null | Self::Int(..) => None,
        }
    }
}

/// A whole number of 64 bits: decimal, or with the prefix `0x`, `0o`, `0` or `0b`.
fn integer(text: &str) -> Option<Scalar> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let signed = unsigned.len() < text.len();
    let lower = unsigned.to_ascii_lowercase();
    let prefixes = [("0x", 16), ("0o", 8), ("0b", 2), ("0", 8)];
    let prefixed = prefixes.iter().find_map(|(prefix, radix)| {
        let digits = lower.strip_prefix(prefix).filter(|digits| !digits.is_empty())?;
        Some((digits.to_owned(), *radix))
    });
    let (digits, radix) = prefixed.unwrap_or((lower, 10));
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = i128::from(u64::from_str_radix(&digits, radix).ok()?);
    let number = if text.starts_with('-') {
        -magnitude
    } else {
        magnitude
    };
    match i64::try_from(number) {
        Ok(number) => Some(Scalar::Int(number.to_string(), true)),
        // Beyond 63 bits there is no sign.
        Err(_) => (!signed).then(|| Scalar::Int(number.to_string(), false)),
    }
}

/// A decimal number with a point or an exponent.
fn float(text: &str) -> Scalar {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (
            mantissa,
            Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        ),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent));
    match text.parse() {
        Ok(float) if is_number && f64::is_finite(float) => Scalar::Float(float),
        _ => Scalar::Text,
    }
}

/// A float as Go writes it in JSON: with an exponent only where it is very small or very large.
fn json_float(float: f64) -> String {
    let magnitude = float.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = format!("{float:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let sign = if exponent.starts_with('-') { "" } else { "+" };
        return format!("{mantissa}e{sign}{exponent}");
    }
    float.to_string()
}

/// Whether a string can be written without quotation marks and be read as a string again.
pub(super) fn is_plain(text: &str) -> bool {
    Scalar::of(text) == Scalar::Text && !is_base_60(text) && !is_timestamp(text)
}

/// Minutes and seconds, as in `1:30`, are a number for some readers.
fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut parts = unsigned.split(':');
    let first = parts.next().unwrap_or_default();
    let mut rest: Vec<&str> = parts.collect();
    let Some(last) = rest.pop() else { return false };
    let (last, fraction) = last.split_once('.').unwrap_or((last, ""));
    let in_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let in_60 = |part: &&str| match part.as_bytes() {
        [digit] => digit.is_ascii_digit(),
        [tens, digit] => matches!(tens, b'0'..=b'5') && digit.is_ascii_digit(),
        _ => false,
    };
    first.starts_with(|c: char| c.is_ascii_digit())
        && in_digits(first)
        && in_digits(fraction)
        && rest.iter().all(in_60)
        && in_60(&last)
}

fn is_timestamp(text: &str) -> bool {
    const LAYOUTS: [&str; 4] = [
        "2006-1-2T15:4:5.999999999Z07:00",
        "2006-1-2t15:4:5.999999999Z07:00",
        "2006-1-2 15:4:5.999999999",
        "2006-1-2",
    ];
    let year = text.bytes().take_while(u8::is_ascii_digit).count();
    year == 4 && text[4..].starts_with('-') && LAYOUTS.iter().any(|layout| time::is_time(layout, text))
}
