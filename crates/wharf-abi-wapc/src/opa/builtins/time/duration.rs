//! Lengths of time, such as `1h15m30.918s`.

use super::super::Failure;

/// The units and their nanoseconds. There are two signs for micro.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// The nanoseconds of a duration: numbers with units, one after the other, and perhaps a sign before them.
pub(super) fn parse(text: &str) -> Result<i64, Failure> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let negative = text.starts_with('-');
    let mut total: u64 = 0;
    let mut rest = unsigned;
    while !rest.is_empty() && unsigned != "0" {
        let (part, behind) = part(rest).ok_or(Failure::Undefined)?;
        total = total
            .checked_add(part)
            .filter(|total| *total <= 1 << 63)
            .ok_or(Failure::Undefined)?;
        rest = behind;
    }
    if unsigned.is_empty() {
        return Err(Failure::Undefined);
    }
    let total = i128::from(total) * if negative { -1 } else { 1 };
    i64::try_from(total).map_err(|_| Failure::Undefined)
}

/// The nanoseconds of a number with its unit, and what follows.
fn part(text: &str) -> Option<(u64, &str)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = text.split_at(digits(text));
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(digits(rest)),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let end = rest
        .find(|c: char| c == '.' || c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(end);
    let (_, ns) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let whole = if whole.is_empty() {
        0
    } else {
        whole.parse::<u64>().ok()?
    };
    let whole = whole.checked_mul(*ns).filter(|whole| *whole <= 1 << 63)?;
    let all = whole.checked_add(of_fraction(fraction, *ns))?;
    Some((all, rest))
}

/// The nanoseconds of a fraction, with the digits that 63 bits hold; those behind them say nothing in a unit of hours.
fn of_fraction(digits: &str, unit: u64) -> u64 {
    let (mut value, mut scale) = (0_u64, 1_f64);
    for digit in digits.bytes().take(19) {
        if value > (i64::MAX as u64) / 10 {
            break;
        }
        value = value * 10 + u64::from(digit - b'0');
        scale *= 10.0;
    }
    (value as f64 * (unit as f64 / scale)) as u64
}
