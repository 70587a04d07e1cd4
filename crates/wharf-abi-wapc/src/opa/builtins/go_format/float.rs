//! Floating-point numbers.

use super::Directive;

/// A float has no more digits than this behind its point, so that more of them are zeros.
const MOST_FRACTION: usize = 1_100;

/// Says whether the verb is one for floats.
pub(super) fn print(out: &mut String, directive: &Directive, verb: char, number: f64) -> bool {
    let precision = directive.precision;
    let magnitude = number.abs();
    let mut digits = match verb {
        'e' | 'E' => exponent(magnitude, Some(precision.unwrap_or(6)), verb),
        'f' | 'F' => plain(magnitude, precision.unwrap_or(6)),
        'g' | 'v' => general(magnitude, precision, 'e'),
        'G' => general(magnitude, precision, 'E'),
        'b' => binary(magnitude),
        'x' | 'X' => hexadecimal(magnitude, precision, verb),
        _ => return false,
    };
    if directive.sharp && verb != 'b' {
        digits = with_point(&digits, verb, precision);
    }
    let negative = number.is_sign_negative();
    let sign = match (negative, directive.plus, directive.space) {
        (true, ..) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        (false, false, false) => "",
    };
    if directive.zero && !directive.minus && !sign.is_empty() {
        let missing = directive.missing(sign.len() + digits.len());
        digits.insert_str(0, &"0".repeat(missing));
    }
    directive.pad(out, &format!("{sign}{digits}"));
    true
}

/// `123.450`
fn plain(number: f64, precision: usize) -> String {
    let kept = precision.min(MOST_FRACTION);
    format!("{number:.kept$}") + &"0".repeat(precision - kept)
}

/// `1.2345e+02`: with so many digits behind the point, or with as many as tell it from other floats.
fn exponent(number: f64, precision: Option<usize>, letter: char) -> String {
    let kept = precision.map(|precision| precision.min(MOST_FRACTION));
    let text = match kept {
        Some(kept) => format!("{number:.kept$e}"),
        None => format!("{number:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let zeros = "0".repeat(precision.unwrap_or(0) - kept.unwrap_or(0));
    format!(
        "{mantissa}{zeros}{letter}{}",
        signed(exponent.parse().unwrap_or(0))
    )
}

/// An exponent with a sign and two digits at least.
fn signed(exponent: i32) -> String {
    format!("{exponent:+03}")
}

/// Whichever of the two is shorter, without zeros at the end.
fn general(number: f64, precision: Option<usize>, letter: char) -> String {
    let significant = precision.map(|precision| precision.clamp(1, MOST_FRACTION));
    let text = exponent(number, significant.map(|significant| significant - 1), 'e');
    shorter(&text, significant, letter)
}

/// A number that Rust wrote with an exponent and all its digits, as `%v` shows it.
pub(in super::super) fn shortest(text: &str) -> String {
    match text.strip_prefix('-') {
        Some(text) => format!("-{}", shorter(text, None, 'e')),
        None => shorter(text, None, 'e'),
    }
}

fn shorter(text: &str, significant: Option<usize>, letter: char) -> String {
    let (mantissa, power) = text.split_once('e').unwrap_or((text, "0"));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_end_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    let power: i32 = power.parse().unwrap_or(0);
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let most = match significant.and_then(|most| i32::try_from(most).ok()) {
        None => 6,
        Some(most) if most > count && count > power => count,
        Some(most) => most,
    };
    if power < -4 || power >= most {
        let point = if digits.len() > 1 { "." } else { "" };
        return format!("{}{point}{}{letter}{}", &digits[..1], &digits[1..], signed(power));
    }
    if power < 0 {
        let zeros = "0".repeat(power.unsigned_abs() as usize - 1);
        return format!("0.{zeros}{digits}");
    }
    let whole = power.unsigned_abs() as usize + 1;
    match digits.len().checked_sub(whole) {
        None | Some(0) => digits.to_owned() + &"0".repeat(whole - digits.len()),
        Some(_) => format!("{}.{}", &digits[..whole], &digits[whole..]),
    }
}

/// The mantissa as an integer and the power of two that it is multiplied with.
fn parts(number: f64) -> (u64, i32) {
    let bits = number.to_bits();
    let mantissa = bits & ((1 << 52) - 1);
    match (bits >> 52) & 0x7ff {
        0 => (mantissa, -1_074),
        exponent => (mantissa | (1 << 52), exponent as i32 - 1_075),
    }
}

/// `4503599627370496p-52`
fn binary(number: f64) -> String {
    let (mantissa, exponent) = parts(number);
    format!("{mantissa}p{exponent:+}")
}

/// `0x1.8p+01`
fn hexadecimal(number: f64, precision: Option<usize>, verb: char) -> String {
    let (mut mantissa, mut exponent) = parts(number);
    exponent = if mantissa == 0 { 0 } else { exponent + 52 };
    // One bit before the point, and 60 bits behind it.
    mantissa <<= 8;
    while mantissa != 0 && mantissa < 1 << 60 {
        mantissa <<= 1;
        exponent -= 1;
    }
    if let Some(digits) = precision.filter(|digits| *digits < 15) {
        let shift = digits * 4;
        let rest = (mantissa << shift) & ((1 << 60) - 1);
        mantissa >>= 60 - shift;
        if rest | (mantissa & 1) > 1 << 59 {
            mantissa += 1;
        }
        mantissa <<= 60 - shift;
        if mantissa & (1 << 61) != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let fraction = format!("{:015x}", mantissa & ((1 << 60) - 1));
    let fraction = match precision {
        None => fraction.trim_end_matches('0').to_owned(),
        Some(digits) if digits <= 15 => fraction[..digits].to_owned(),
        Some(digits) => fraction + &"0".repeat(digits - 15),
    };
    let point = if fraction.is_empty() { "" } else { "." };
    let text = format!("0x{}{point}{fraction}p{}", mantissa >> 60, signed(exponent));
    if verb == 'X' {
        text.to_ascii_uppercase()
    } else {
        text
    }
}

/// With `#` there is always a point, and zeros behind it up to the precision.
fn with_point(digits: &str, verb: char, precision: Option<usize>) -> String {
    let hexadecimal = matches!(verb, 'x' | 'X');
    let exponent = |c: char| matches!(c, 'p' | 'P') || (!hexadecimal && matches!(c, 'e' | 'E'));
    let end = digits.find(exponent).unwrap_or(digits.len());
    let (mut text, tail) = (digits[..end].to_owned(), &digits[end..]);
    let mut missing = match verb {
        'v' | 'g' | 'G' | 'x' => precision.unwrap_or(6),
        _ => 0,
    };
    let significant = text
        .chars()
        .filter(|c| *c != '.')
        .skip_while(|c| *c == '0')
        .count();
    missing = missing.saturating_sub(significant);
    if !text.contains('.') {
        if text == "0" {
            missing = missing.saturating_sub(1);
        }
        text.push('.');
    }
    text + &"0".repeat(missing) + tail
}
