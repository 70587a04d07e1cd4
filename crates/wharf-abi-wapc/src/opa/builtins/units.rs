//! Amounts with units, as in Kubernetes' resources.

use num_bigint::BigInt;

use super::{Builtin, Context, Failure, Operand, Outcome};
use crate::opa::value::{Number, Value};

pub(super) const TABLE: &[Builtin] = &[
    Builtin {
        name: "units.parse",
        arity: 1,
        run: parse,
    },
    Builtin {
        name: "units.parse_bytes",
        arity: 1,
        run: parse_bytes,
    },
];

/// The digits behind the point that are kept of what is no integer.
const FRACTION: u32 = 10;

/// `m` is a thousandth, `K` a thousand, `Ki` 1024, and so on; only the first letter tells `m` from `M`.
fn parse(_: &mut Context, arguments: &[Value]) -> Outcome {
    let text = arguments[0].as_str()?.replace('"', "");
    if text.contains(' ') {
        return Err(Failure::Undefined);
    }
    let (number, unit) = split(&text)?;
    let mut letters = unit.chars();
    let (first, rest) = (letters.next(), letters.as_str().to_lowercase());
    let (power, thousandth) = match (first, rest.as_str()) {
        (None, _) => (Power::One, false),
        (Some('m'), "") => (Power::One, true),
        (Some(letter), "") => (Power::Decimal(prefix(letter)?), false),
        (Some(letter), "i") => (Power::Binary(prefix(letter)?), false),
        _ => return Err(Failure::Undefined),
    };
    let mut amount = Amount::parse(number)?;
    amount.digits *= power.factor();
    if thousandth {
        // OPA multiplies with the float that is nearest to a thousandth.
        amount.digits *= BigInt::from(1_152_921_504_606_847_u64);
        return Ok(Value::Number(amount.over(&(BigInt::from(1_u64) << 60))?));
    }
    Ok(Value::Number(amount.over(&BigInt::from(1))?))
}

/// Bytes: `k`, `kb` and `Ki`, `kib` in any case; a fraction of a byte is cut off.
fn parse_bytes(_: &mut Context, arguments: &[Value]) -> Outcome {
    let text = arguments[0].as_str()?.to_lowercase().replace('"', "");
    if text.contains(' ') {
        return Err(Failure::Undefined);
    }
    let (number, unit) = split(&text)?;
    let power = match unit {
        "" => Power::One,
        _ => {
            let mut letters = unit.chars();
            let prefix = prefix(letters.next().unwrap_or_default())?;
            match letters.as_str() {
                "" | "b" => Power::Decimal(prefix),
                "i" | "ib" => Power::Binary(prefix),
                _ => return Err(Failure::Undefined),
            }
        }
    };
    let float = Float64::of(&Amount::parse(number)?);
    let bytes = float.times(&power.factor()).truncated();
    Ok(Value::Number(Number::from(&bytes)))
}

enum Power {
    One,
    Decimal(u32),
    Binary(u32),
}

impl Power {
    fn factor(&self) -> BigInt {
        match self {
            Self::One => BigInt::from(1),
            Self::Decimal(power) => BigInt::from(1_000).pow(*power),
            Self::Binary(power) => BigInt::from(1_024).pow(*power),
        }
    }
}

/// Which power of its base a letter stands for.
fn prefix(letter: char) -> Result<u32, Failure> {
    let place = "kmgtpe"
        .find(letter.to_ascii_lowercase())
        .ok_or(Failure::Undefined)?;
    Ok(u32::try_from(place).map_or(0, |place| place + 1))
}

/// The number that a text begins with, and its unit. An `e` belongs to the number where an exponent follows it.
fn split(text: &str) -> Result<(&str, &str), Failure> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'0'..=b'9' | b'.' | b'+' | b'-' => {}
            b'e' | b'E' => match bytes.get(at + 1) {
                Some(b'+' | b'-') => at += 1,
                Some(b'0'..=b'9') => {}
                _ => break,
            },
            _ => break,
        }
        at += 1;
    }
    match at.min(bytes.len()) {
        0 => Err(Failure::Undefined),
        end => Ok(text.split_at(end)),
    }
}

/// `digits × 10^exponent`.
struct Amount {
    digits: BigInt,
    exponent: i64,
}

impl Amount {
    /// A decimal number, which needs no digit before or behind its point.
    fn parse(text: &str) -> Result<Self, Failure> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse().map_err(|_| Failure::Undefined)?),
            None => (unsigned, 0_i64),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Failure::Undefined);
        }
        if digits.len() > 2_000 || exponent.unsigned_abs() > 2_000 {
            return Err(Failure::Limit("an amount has more than 2000 digits"));
        }
        let digits = BigInt::parse_bytes(digits.as_bytes(), 10).ok_or(Failure::Undefined)?;
        Ok(Self {
            digits: if text.starts_with('-') { -digits } else { digits },
            exponent: exponent - fraction.len() as i64,
        })
    }

    /// Divided by `divisor`: an integer, or with ten digits behind its point, of which the last is rounded.
    fn over(&self, divisor: &BigInt) -> Result<Number, Failure> {
        let power = |exponent: i64| BigInt::from(10).pow(u32::try_from(exponent).unwrap_or(0));
        let numerator = &self.digits * power(self.exponent);
        let denominator = divisor * power(-self.exponent);
        if (&numerator % &denominator) == BigInt::ZERO {
            return Ok(Number::from(&(numerator / denominator)));
        }
        let scaled: BigInt = numerator * power(i64::from(FRACTION)) * 2;
        let half_away = if scaled.sign() == num_bigint::Sign::Minus {
            -&denominator
        } else {
            denominator.clone()
        };
        let rounded: BigInt = (scaled + half_away) / (denominator * 2);
        let digits = format!("{:0>11}", rounded.magnitude().to_string());
        let (whole, fraction) = digits.split_at(digits.len() - FRACTION as usize);
        let sign = if self.digits.sign() == num_bigint::Sign::Minus {
            "-"
        } else {
            ""
        };
        Number::parse(&format!("{sign}{whole}.{fraction}")).ok_or(Failure::Undefined)
    }
}

/// A binary floating-point number with 64 bits, `mantissa × 2^exponent`, in which OPA computes bytes.
struct Float64 {
    mantissa: BigInt,
    exponent: i64,
}

impl Float64 {
    fn of(amount: &Amount) -> Self {
        let power = |exponent: i64| BigInt::from(10).pow(u32::try_from(exponent).unwrap_or(0));
        if amount.exponent >= 0 {
            return Self::rounded(&amount.digits * power(amount.exponent), 0, false);
        }
        // Enough bits that rounding sees all it needs, and whether anything is left of the division.
        let denominator = power(-amount.exponent);
        let shift = (denominator.bits() + 70).saturating_sub(amount.digits.bits());
        let numerator: BigInt = &amount.digits << shift;
        let rest = (&numerator % &denominator) != BigInt::ZERO;
        Self::rounded(numerator / denominator, -(shift as i64), rest)
    }

    fn times(&self, factor: &BigInt) -> Self {
        Self::rounded(&self.mantissa * factor, self.exponent, false)
    }

    /// Rounds to 64 bits, half to even. `rest` says that there is a little more than the mantissa has.
    fn rounded(mantissa: BigInt, exponent: i64, rest: bool) -> Self {
        let extra = mantissa.bits().saturating_sub(64);
        if extra == 0 {
            return Self { mantissa, exponent };
        }
        let (sign, magnitude) = mantissa.into_parts();
        let cut = &magnitude >> extra;
        let half = magnitude.bit(extra - 1);
        let below = rest || magnitude.trailing_zeros().is_some_and(|zeros| zeros < extra - 1);
        let up = half && (below || cut.bit(0));
        Self {
            mantissa: BigInt::from_biguint(sign, if up { cut + 1_u32 } else { cut }),
            exponent: exponent + extra as i64,
        }
    }

    /// The integer part.
    fn truncated(&self) -> BigInt {
        let shift = self.exponent.unsigned_abs();
        let (sign, magnitude) = self.mantissa.clone().into_parts();
        BigInt::from_biguint(
            sign,
            if self.exponent < 0 {
                magnitude >> shift
            } else {
                magnitude << shift
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, check};
    use super::*;

    #[test]
    fn amounts_have_decimal_and_binary_units() {
        for (text, expected) in [
            ("10", "10"),
            ("1K", "1000"),
            ("1k", "1000"),
            ("1Ki", "1024"),
            ("1KI", "1024"),
            ("1mi", "1048576"),
            ("1Mi", "1048576"),
            ("1M", "1000000"),
            ("1m", "0.0010000000"),
            ("100m", "0.1000000000"),
            ("1500m", "1.5000000000"),
            ("1.5Gi", "1610612736"),
            ("0.5", "0.5000000000"),
            ("-2.5k", "-2500"),
            ("5E", "5000000000000000000"),
            ("5e3", "5000"),
            ("5e-3", "0.0050000000"),
            ("\\\"1K\\\"", "1000"),
            ("1 K", "undefined"),
            ("K", "undefined"),
            ("1Kb", "undefined"),
            ("1X", "undefined"),
            ("", "undefined"),
            (".", "undefined"),
            ("1..2", "undefined"),
            ("1-2", "undefined"),
        ] {
            check(&[("units.parse", &format!("[\"{text}\"]"), expected)]);
        }
        check(&[("units.parse", "[1]", "undefined")]);
    }

    #[test]
    fn bytes_are_whole_ones() {
        for (text, expected) in [
            ("100", "100"),
            ("1kb", "1000"),
            ("1KiB", "1024"),
            ("1Ki", "1024"),
            ("0.1kb", "100"),
            ("1.23456789kb", "1234"),
            ("2.5MB", "2500000"),
            ("1eb", "1000000000000000000"),
            ("9.9999999999999999999kb", "10000"),
            ("-1.5k", "-1500"),
            ("1b", "undefined"),
            ("1 kb", "undefined"),
            ("kb", "undefined"),
        ] {
            check(&[("units.parse_bytes", &format!("[\"{text}\"]"), expected)]);
        }
    }

    #[test]
    fn amounts_of_many_digits_are_refused() {
        for name in ["units.parse", "units.parse_bytes"] {
            for text in ["1e1000000".to_owned(), "1".repeat(2_001)] {
                let given = call(name, &format!("[{text:?}]"));
                assert!(
                    matches!(given, Err(Failure::Limit(_))),
                    "{name}({text}) is {given:?}"
                );
            }
        }
    }
}
