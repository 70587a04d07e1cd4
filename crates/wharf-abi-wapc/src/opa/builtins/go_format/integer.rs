//! Integers.

use num_bigint::{BigInt, Sign};

use super::{Directive, character, unicode};
use crate::opa::value::push_quoted;

/// Says whether the verb is one for integers.
pub(super) fn print(out: &mut String, directive: &Directive, verb: char, number: i64) -> bool {
    let magnitude = number.unsigned_abs();
    let digits = match verb {
        'd' | 'v' => magnitude.to_string(),
        'b' => format!("{magnitude:b}"),
        'o' | 'O' => format!("{magnitude:o}"),
        'x' => format!("{magnitude:x}"),
        'X' => format!("{magnitude:X}"),
        'c' => {
            directive.pad(out, character(number).encode_utf8(&mut [0; 4]));
            return true;
        }
        'q' => {
            let mut quoted = String::from('\'');
            push_quoted(&mut quoted, character(number), '\'', directive.plus);
            directive.pad(out, &(quoted + "'"));
            return true;
        }
        'U' => {
            directive.pad_with_spaces(out, &unicode(directive, number));
            return true;
        }
        _ => return false,
    };
    let sign = sign(directive.plus, directive.space, number < 0);
    let fills = directive.zero && !directive.minus;
    let least = match (directive.precision, directive.width) {
        (Some(0), _) if number == 0 => {
            directive.pad_with_spaces(out, "");
            return true;
        }
        (Some(precision), _) => precision,
        (None, Some(width)) if fills => width.saturating_sub(sign.len()),
        _ => 0,
    };
    let mut digits = filled(digits, least);
    if directive.sharp {
        match verb {
            'b' => digits.insert_str(0, "0b"),
            'o' | 'O' if !digits.starts_with('0') => digits.insert(0, '0'),
            'x' => digits.insert_str(0, "0x"),
            'X' => digits.insert_str(0, "0X"),
            _ => {}
        }
    }
    if verb == 'O' {
        digits.insert_str(0, "0o");
    }
    directive.pad_with_spaces(out, &format!("{sign}{digits}"));
    true
}

/// The same for integers that do not fit into 64 bits, for which Go has other rules in the details.
pub(super) fn print_big(out: &mut String, directive: &Directive, verb: char, number: &BigInt) -> bool {
    let magnitude = number.magnitude();
    let digits = match verb {
        'd' | 's' | 'v' => magnitude.to_str_radix(10),
        'b' => magnitude.to_str_radix(2),
        'o' | 'O' => magnitude.to_str_radix(8),
        'x' => magnitude.to_str_radix(16),
        'X' => magnitude.to_str_radix(16).to_ascii_uppercase(),
        _ => return false,
    };
    let negative = number.sign() == Sign::Minus;
    let sign = sign(directive.plus || directive.plus_v, directive.space, negative);
    let prefix = match verb {
        'O' => "0o",
        'b' if directive.sharp => "0b",
        'o' if directive.sharp => "0",
        'x' if directive.sharp => "0x",
        'X' if directive.sharp => "0X",
        _ => "",
    };
    let mut digits = filled(digits, directive.precision.unwrap_or(0));
    let missing = directive.missing(sign.len() + prefix.len() + digits.len());
    if directive.zero && !directive.minus && directive.precision.is_none() {
        digits.insert_str(0, &"0".repeat(missing));
    }
    directive.pad_with_spaces(out, &format!("{sign}{prefix}{digits}"));
    true
}

fn sign(plus: bool, space: bool, negative: bool) -> &'static str {
    match (negative, plus, space) {
        (true, ..) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        (false, false, false) => "",
    }
}

/// With zeros before it, until it has so many digits.
fn filled(digits: String, least: usize) -> String {
    match least.checked_sub(digits.len()) {
        Some(missing) if missing > 0 => "0".repeat(missing) + &digits,
        _ => digits,
    }
}
