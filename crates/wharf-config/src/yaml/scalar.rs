//! What a word in the text means: text, a number, a truth value or nothing.

/// A scalar as it was written. What it means is decided by YAML 1.2's core schema, so that `no` and `on` are text.
#[derive(Debug)]
pub(crate) struct Scalar {
    text: String,
    /// Written without quotes, so that it may mean something else than text.
    plain: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScalarKind {
    Null,
    Bool,
    Integer,
    Float,
    Text,
}

impl ScalarKind {
    pub(crate) const fn with_article(self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool => "a truth value",
            Self::Integer => "a number",
            Self::Float => "a decimal number",
            Self::Text => "text",
        }
    }
}

impl Scalar {
    pub(crate) const fn new(text: String, plain: bool) -> Self {
        Self { text, plain }
    }

    /// The text as it stands there, after escapes.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it was written without quotes.
    pub(crate) const fn is_plain(&self) -> bool {
        self.plain
    }

    pub(crate) fn kind(&self) -> ScalarKind {
        if !self.plain {
            return ScalarKind::Text;
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => ScalarKind::Null,
            "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => ScalarKind::Bool,
            text if integer(text).is_some() => ScalarKind::Integer,
            text if is_float(text) => ScalarKind::Float,
            _ => ScalarKind::Text,
        }
    }

    pub(crate) fn as_bool(&self) -> Option<bool> {
        (self.kind() == ScalarKind::Bool).then(|| self.text.eq_ignore_ascii_case("true"))
    }

    /// The value of an integer; `Some(None)` where it has more than 64 bits.
    pub(crate) fn as_integer(&self) -> Option<Option<i64>> {
        if self.kind() == ScalarKind::Integer {
            integer(&self.text).map(|(value, _)| value)
        } else {
            None
        }
    }

    /// The number in JSON's notation, digit for digit as it was written where JSON has such numbers.
    pub(crate) fn as_json_number(&self) -> Option<String> {
        match self.kind() {
            ScalarKind::Integer => integer(&self.text).map(|(_, decimal)| decimal),
            ScalarKind::Float => json_float(&self.text),
            _ => None,
        }
    }
}

/// The value of an integer in any of YAML's three notations if 64 bits hold it, and its decimal digits.
fn integer(text: &str) -> Option<(Option<i64>, String)> {
    if let Some((digits, radix)) = radix_digits(text) {
        if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
            return None;
        }
        // More than 128 bits are kept as text by the caller's refusal: JSON readers could not hold them either.
        let value = u128::from_str_radix(digits, radix).ok()?;
        return Some((i64::try_from(value).ok(), value.to_string()));
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_start_matches('0');
    let significant = if significant.is_empty() { "0" } else { significant };
    let decimal = format!("{sign}{significant}");
    Some((decimal.parse().ok(), decimal))
}

fn radix_digits(text: &str) -> Option<(&str, u32)> {
    let hexadecimal = text.strip_prefix("0x").map(|digits| (digits, 16));
    hexadecimal.or_else(|| text.strip_prefix("0o").map(|digits| (digits, 8)))
}

fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (
            mantissa,
            Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)),
        ),
        None => (unsigned, None),
    };
    let all_digits = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_fits = exponent.is_none_or(|digits| !digits.is_empty() && all_digits(digits));
    exponent_fits && all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty())
}

/// A float of YAML in JSON's notation: no `+` in front, digits on both sides of the point, no leading zeros.
/// `None` for infinities and NaN, which JSON does not have.
fn json_float(text: &str) -> Option<String> {
    if text.ends_with(['f', 'F', 'n', 'N']) {
        return None;
    }
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let exponent_at = unsigned.find(['e', 'E']).unwrap_or(unsigned.len());
    let (mantissa, exponent) = unsigned.split_at(exponent_at);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{sign}{whole}{point}{fraction}{exponent}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Scalar {
        Scalar::new(text.to_owned(), true)
    }

    #[test]
    fn words_mean_what_the_core_schema_says() {
        for (text, kind) in [
            ("", ScalarKind::Null),
            ("~", ScalarKind::Null),
            ("null", ScalarKind::Null),
            ("true", ScalarKind::Bool),
            ("False", ScalarKind::Bool),
            ("no", ScalarKind::Text),
            ("on", ScalarKind::Text),
            ("0", ScalarKind::Integer),
            ("-7", ScalarKind::Integer),
            ("0x1F", ScalarKind::Integer),
            ("0o17", ScalarKind::Integer),
            ("0x", ScalarKind::Text),
            ("0x+1", ScalarKind::Text),
            ("-", ScalarKind::Text),
            ("1.5", ScalarKind::Float),
            (".5", ScalarKind::Float),
            ("5.", ScalarKind::Float),
            ("1e3", ScalarKind::Float),
            ("-.inf", ScalarKind::Float),
            (".nan", ScalarKind::Float),
            (".", ScalarKind::Text),
            ("e3", ScalarKind::Text),
            ("1e", ScalarKind::Text),
            ("1.2.3", ScalarKind::Text),
            ("1_000", ScalarKind::Text),
            ("12:30", ScalarKind::Text),
            ("2024-01-01", ScalarKind::Text),
            ("٤", ScalarKind::Text),
        ] {
            assert_eq!(plain(text).kind(), kind, "{text:?}");
            assert_eq!(
                Scalar::new(text.to_owned(), false).kind(),
                ScalarKind::Text,
                "quoted {text:?}"
            );
        }
    }

    #[test]
    fn numbers_become_json_without_losing_a_digit() {
        for (text, json) in [
            ("007", Some("7")),
            ("-0", Some("-0")),
            ("+5", Some("5")),
            ("0x1F", Some("31")),
            ("0o17", Some("15")),
            (
                "123456789012345678901234567890",
                Some("123456789012345678901234567890"),
            ),
            ("1.10", Some("1.10")),
            ("+.5", Some("0.5")),
            ("5.", Some("5")),
            ("-01.50e+03", Some("-1.50e+03")),
            ("-.inf", None),
            (".NaN", None),
            ("x", None),
        ] {
            assert_eq!(plain(text).as_json_number().as_deref(), json, "{text:?}");
            if let Some(json) = json {
                assert!(serde_json::from_str::<serde_json::Value>(json).is_ok(), "{json}");
            }
        }
    }

    #[test]
    fn integers_are_read_up_to_64_bits() {
        assert_eq!(plain("-9223372036854775808").as_integer(), Some(Some(i64::MIN)));
        assert_eq!(plain("9223372036854775808").as_integer(), Some(None));
        assert_eq!(plain("1.0").as_integer(), None);
    }
}
