//! Numbers as they were written.

use std::borrow::Cow;
use std::cmp::Ordering;

use num_bigint::BigInt;

/// A number in the notation of JSON. It is kept as text where it is not simply an integer, since Rego's numbers have any
/// size and precision; two that are equal in value are equal however they are written, and comparing costs no more than
/// their digits.
#[derive(Debug, Clone)]
pub(crate) struct Number(Kept);

#[derive(Debug, Clone)]
enum Kept {
    /// Written as this integer is usually written.
    Integer(i64),
    Text(Box<str>),
}

/// The largest number of digits that is computed with, for numbers such as `1e999999999`.
const MOST_DIGITS: i64 = 2_000;

impl Number {
    /// The number that `text` is, where it is one in JSON's notation.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.parse() {
            // Text such as `-0` and `+1` is not what the integer is written as.
            Ok(integer) if text != "-0" && is_json(text.as_bytes()) => Some(Self(Kept::Integer(integer))),
            _ => is_json(text.as_bytes()).then(|| Self(Kept::Text(text.into()))),
        }
    }

    /// The text that it was made from.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        match &self.0 {
            Kept::Integer(integer) => Cow::Owned(integer.to_string()),
            Kept::Text(text) => Cow::Borrowed(text),
        }
    }

    /// The integer that it is written as. `1.0` and `1e2` are not written as integers.
    pub(crate) fn as_i64(&self) -> Option<i64> {
        match &self.0 {
            Kept::Integer(integer) => Some(*integer),
            Kept::Text(text) => text.parse().ok(),
        }
    }

    /// The nearest float; `None` beyond the largest.
    pub(crate) fn as_f64(&self) -> Option<f64> {
        self.text().parse().ok().filter(|float: &f64| float.is_finite())
    }

    /// The integer that it is in value, however it is written.
    pub(crate) fn to_integer(&self) -> Integer {
        let decimal = Decimal::of(&self.text());
        if decimal.digits.is_empty() {
            return Integer::Is(BigInt::ZERO);
        }
        let zeros = decimal.point - decimal.digits.len() as i64;
        if zeros < 0 {
            return Integer::Fraction;
        }
        if decimal.point > MOST_DIGITS {
            return Integer::TooLong;
        }
        let mut text = decimal.digits;
        text.resize(usize::try_from(decimal.point).unwrap_or(text.len()), b'0');
        match BigInt::parse_bytes(&text, 10) {
            Some(number) if decimal.negative => Integer::Is(-number),
            Some(number) => Integer::Is(number),
            None => Integer::Fraction,
        }
    }

    /// Whether it is written with digits alone, and perhaps a sign.
    pub(crate) fn is_written_as_integer(&self) -> bool {
        let text = self.text();
        let digits = text.strip_prefix('-').unwrap_or(&text);
        digits.bytes().all(|byte| byte.is_ascii_digit())
    }
}

/// What a number is as an integer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Integer {
    Is(BigInt),
    /// It has a fraction.
    Fraction,
    /// It is one of more than 2000 digits, which nobody computes with.
    TooLong,
}

impl From<i64> for Number {
    fn from(number: i64) -> Self {
        Self(Kept::Integer(number))
    }
}

impl From<&BigInt> for Number {
    fn from(number: &BigInt) -> Self {
        match i64::try_from(number) {
            Ok(number) => number.into(),
            Err(_) => Self(Kept::Text(number.to_string().into())),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        if let (Some(one), Some(other)) = (self.as_i64(), other.as_i64()) {
            return one.cmp(&other);
        }
        Decimal::of(&self.text()).cmp(&Decimal::of(&other.text()))
    }
}

/// A number taken apart: `0.digits × 10^point`, without zeros at either end of the digits. Zero has no digits and no sign.
#[derive(PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    point: i64,
}

impl Decimal {
    fn of(text: &str) -> Self {
        let (text, negative) = match text.strip_prefix('-') {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        // An exponent too large for its type is as good as the largest.
        let largest = if exponent.starts_with('-') {
            i64::MIN / 4
        } else {
            i64::MAX / 4
        };
        let exponent = exponent
            .parse()
            .unwrap_or(largest)
            .clamp(i64::MIN / 4, i64::MAX / 4);
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = || whole.bytes().chain(fraction.bytes());
        let leading = all().take_while(|digit| *digit == b'0').count();
        let mut digits: Vec<u8> = all().skip(leading).collect();
        digits.truncate(
            digits
                .iter()
                .rposition(|digit| *digit != b'0')
                .map_or(0, |last| last + 1),
        );
        if digits.is_empty() {
            return Self {
                negative: false,
                digits,
                point: 0,
            };
        }
        Self {
            negative,
            digits,
            point: exponent + whole.len() as i64 - leading as i64,
        }
    }

    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |one: &Self| match (one.digits.is_empty(), one.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let size = || {
            self.point
                .cmp(&other.point)
                .then_with(|| self.digits.cmp(&other.digits))
        };
        match (sign(self), sign(other)) {
            (1, 1) => size(),
            (-1, -1) => size().reverse(),
            (one, other) => one.cmp(&other),
        }
    }
}

/// Whether these bytes are a number in JSON's notation, all of them.
fn is_json(bytes: &[u8]) -> bool {
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut rest = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = &fraction[count..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = exponent
            .strip_prefix(b"+")
            .or(exponent.strip_prefix(b"-"))
            .unwrap_or(exponent);
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn only_the_notation_of_json_is_a_number() {
        for text in [
            "0",
            "-0",
            "10",
            "1.5",
            "0.0",
            "1e5",
            "1E-5",
            "1.25e+10",
            "123456789012345678901234567890",
        ] {
            assert!(Number::parse(text).is_some(), "{text}");
        }
        for text in [
            "", "-", "01", "1.", ".5", "+1", "1e", "1e+", "0x1", "1_0", " 1", "1 ", "NaN", "inf", "1e5.0",
        ] {
            assert!(Number::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn equal_values_are_equal_however_they_are_written() {
        for (one, other) in [
            ("1", "1.0"),
            ("100", "1e2"),
            ("0", "-0.0"),
            ("0", "0e999999999999999999999"),
            ("0.001", "1e-3"),
            ("12345678901234567890.5", "1.23456789012345678905e19"),
        ] {
            assert_eq!(number(one), number(other));
        }
    }

    #[test]
    fn order_is_that_of_the_values() {
        let ascending = [
            "-1e999999999999999999999",
            "-1e20",
            "-10",
            "-9.5",
            "-0.1",
            "0",
            "1e-999999999999999999999",
            "0.1",
            "0.11",
            "9.99",
            "10",
            "9223372036854775807",
            "9223372036854775808",
            "1e19",
            "1e999999999",
        ];
        for pair in ascending.windows(2) {
            assert!(number(pair[0]) < number(pair[1]), "{pair:?}");
            assert!(number(pair[1]) > number(pair[0]), "{pair:?}");
        }
    }

    #[test]
    fn integers_are_found_and_huge_ones_are_not_written_out() {
        let integer = |text: &str| number(text).to_integer();
        assert_eq!(integer("1.50e1"), Integer::Is(15.into()));
        assert_eq!(integer("-2e3"), Integer::Is((-2_000).into()));
        assert_eq!(integer("0.000"), Integer::Is(0.into()));
        assert_eq!(integer("1.5"), Integer::Fraction);
        assert_eq!(integer("1e999999999"), Integer::TooLong);
        assert_eq!((number("1.0").as_i64(), number("-7").as_i64()), (None, Some(-7)));
        assert_eq!(number("1e400").as_f64(), None);
        for text in ["-0", "-7", "1.0", "1E2", "9223372036854775808"] {
            assert_eq!(number(text).text(), text);
        }
    }
}
