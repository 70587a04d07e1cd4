//! Quantities with their unit spelled: `64MiB`, `50ms`.
//!
//! A bare number is refused, because its reader and its writer may think of different units.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A number of bytes, written with a binary unit: `100B`, `512KiB`, `64MiB`, `1GiB`, `1TiB`.
///
/// `Display` gives the largest unit that loses nothing, so that parsing what was displayed gives the same value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ByteSize(u64);

const BYTE_UNITS: [(&str, u64); 5] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

impl ByteSize {
    /// So many bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// So many KiB (1 024 bytes each), at most what 64 bits of bytes hold.
    pub const fn from_kib(kibibytes: u64) -> Self {
        Self(kibibytes.saturating_mul(1 << 10))
    }

    /// So many MiB (1 048 576 bytes each), at most what 64 bits of bytes hold.
    pub const fn from_mib(mebibytes: u64) -> Self {
        Self(mebibytes.saturating_mul(1 << 20))
    }

    /// So many GiB (1 073 741 824 bytes each), at most what 64 bits of bytes hold.
    pub const fn from_gib(gibibytes: u64) -> Self {
        Self(gibibytes.saturating_mul(1 << 30))
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The number of bytes as a length in memory; the largest length where it is larger than this machine can address.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, size) = BYTE_UNITS
            .into_iter()
            .find(|(_, size)| self.0 >= *size && self.0.is_multiple_of(*size))
            .unwrap_or(("B", 1));
        write!(f, "{}{unit}", self.0 / size)
    }
}

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let (number, unit) = split_quantity(text, Quantity::Size)?;
        let count: u64 = match number.parse() {
            Ok(count) => count,
            Err(_) if number.contains('.') => {
                return Err(UnitError::Fraction {
                    text: text.to_owned(),
                });
            }
            Err(_) => {
                return Err(UnitError::TooLarge {
                    text: text.to_owned(),
                });
            }
        };
        let size = unit_size(&BYTE_UNITS, unit, Quantity::Size)?;
        let bytes = count.checked_mul(size).ok_or_else(|| UnitError::TooLarge {
            text: text.to_owned(),
        })?;
        Ok(Self(bytes))
    }
}

const DURATION_UNITS: [(&str, u64); 5] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
];

/// Reads a duration with its unit: `250us`, `50ms`, `1.5s`, `2m`, `1h`. Digits below a nanosecond are dropped.
///
/// The longest is `u64::MAX` nanoseconds, about 584 years.
///
/// # Errors
/// When the number or the unit is missing or unknown, or when the duration is too long.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let (number, unit) = split_quantity(text, Quantity::Duration)?;
    let nanoseconds_each = unit_size(&DURATION_UNITS, unit, Quantity::Duration)?;
    let too_large = || UnitError::TooLarge {
        text: text.to_owned(),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole: u64 = whole.parse().map_err(|_| too_large())?;
    let whole = whole.checked_mul(nanoseconds_each).ok_or_else(too_large)?;
    let nanoseconds = whole
        .checked_add(fraction_of(fraction, nanoseconds_each))
        .ok_or_else(too_large)?;
    Ok(Duration::from_nanos(nanoseconds))
}

/// Writes a duration as [`parse_duration`] reads it, with the largest unit that loses nothing: `90s`, `1500ms`, `0s`.
///
/// A rest below a microsecond is written as a fraction of microseconds.
pub fn format_duration(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    if nanoseconds == 0 {
        return "0s".to_owned();
    }
    for (unit, size) in DURATION_UNITS {
        let size = u128::from(size);
        if nanoseconds.is_multiple_of(size) {
            return format!("{}{unit}", nanoseconds / size);
        }
    }
    format!("{}.{:03}us", nanoseconds / 1_000, nanoseconds % 1_000)
}

/// `digits` as the decimals after the point, times `scale`, rounded down.
fn fraction_of(digits: &str, scale: u64) -> u64 {
    let mut numerator = 0_u64;
    let mut denominator = 1_u64;
    // The finest unit counts here is a nanosecond of an hour, 13 decimals; what is beyond 15 cannot be seen.
    for digit in digits.bytes().take(15) {
        numerator = numerator * 10 + u64::from(digit - b'0');
        denominator *= 10;
    }
    let scaled = u128::from(numerator) * u128::from(scale) / u128::from(denominator);
    u64::try_from(scaled).expect("a proper fraction of a 64-bit scale is less than the scale")
}

/// Splits `64MiB` into `64` and `MiB`; the number is ASCII digits with at most one point between digits.
fn split_quantity(text: &str, quantity: Quantity) -> Result<(&str, &str), UnitError> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim_start_matches(' ');
    let well_formed = number.split('.').all(|digits| !digits.is_empty()) && number.matches('.').count() <= 1;
    if !well_formed {
        return Err(UnitError::NoNumber {
            text: text.to_owned(),
            quantity,
        });
    }
    if unit.is_empty() {
        return Err(UnitError::NoUnit {
            text: text.to_owned(),
            quantity,
        });
    }
    Ok((number, unit))
}

fn unit_size(units: &[(&str, u64)], unit: &str, quantity: Quantity) -> Result<u64, UnitError> {
    let known = units.iter().find(|(name, _)| *name == unit);
    known
        .map(|(_, size)| *size)
        .ok_or_else(|| UnitError::UnknownUnit {
            unit: unit.to_owned(),
            quantity,
        })
}

/// What a text was to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Bytes.
    Size,
    /// Time.
    Duration,
}

impl Quantity {
    /// How such a quantity is written.
    pub const fn usage(self) -> &'static str {
        match self {
            Self::Size => "write a whole number and one of B, KiB, MiB, GiB, TiB, for example 64MiB",
            Self::Duration => "write a number and one of us, ms, s, m, h, for example 50ms or 1.5s",
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Size => "size",
            Self::Duration => "duration",
        })
    }
}

/// A quantity that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// The text does not begin with a number (or it is negative).
    #[error("`{text}` is not a {quantity}: it has no number in front")]
    NoNumber {
        /// What was given.
        text: String,
        /// What it was to be.
        quantity: Quantity,
    },
    /// A number without a unit.
    #[error("`{text}` is not a {quantity}: the unit is missing")]
    NoUnit {
        /// What was given.
        text: String,
        /// What it was to be.
        quantity: Quantity,
    },
    /// A unit that nobody knows, for instance `MB`, which people read in two ways.
    #[error("`{unit}` is not a unit of {quantity}")]
    UnknownUnit {
        /// The unit as it was given.
        unit: String,
        /// What it was to measure.
        quantity: Quantity,
    },
    /// A fraction of bytes such as `1.5GiB`.
    #[error("`{text}` is a fraction: a size is a whole number of its unit")]
    Fraction {
        /// What was given.
        text: String,
    },
    /// More than 64 bits of bytes or of nanoseconds.
    #[error("`{text}` is larger than can be counted")]
    TooLarge {
        /// What was given.
        text: String,
    },
}

impl UnitError {
    /// What to write instead.
    pub fn hint(&self) -> String {
        match self {
            Self::NoNumber { quantity, .. } => quantity.usage().to_owned(),
            Self::NoUnit {
                text,
                quantity: Quantity::Size,
            } => format!("write `{text}B` for bytes, or `{text}MiB`"),
            Self::NoUnit {
                text,
                quantity: Quantity::Duration,
            } => {
                format!("write `{text}ms` for milliseconds, or `{text}s` for seconds")
            }
            Self::UnknownUnit { unit, quantity } => match canonical_unit(unit, *quantity) {
                Some(known) => format!("did you mean `{known}`?"),
                None => quantity.usage().to_owned(),
            },
            Self::Fraction { .. } => {
                "write it in a smaller unit, for example 1536MiB for one and a half GiB".to_owned()
            }
            Self::TooLarge { .. } => "write a smaller number".to_owned(),
        }
    }
}

/// The unit that somebody who wrote `unit` probably meant.
fn canonical_unit(unit: &str, quantity: Quantity) -> Option<&'static str> {
    let unit = unit.to_ascii_lowercase();
    let known: &[(&str, &[&str])] = match quantity {
        Quantity::Size => &[
            ("B", &["b", "byte", "bytes"]),
            ("KiB", &["k", "kb", "ki", "kib"]),
            ("MiB", &["m", "mb", "mi", "mib"]),
            ("GiB", &["g", "gb", "gi", "gib"]),
            ("TiB", &["t", "tb", "ti", "tib"]),
        ],
        Quantity::Duration => &[
            ("us", &["µs", "us", "usec", "micros", "microseconds"]),
            ("ms", &["ms", "msec", "millis", "milliseconds"]),
            ("s", &["s", "sec", "secs", "second", "seconds"]),
            ("m", &["m", "min", "mins", "minute", "minutes"]),
            ("h", &["h", "hr", "hrs", "hour", "hours"]),
        ],
    };
    known
        .iter()
        .find(|(_, spellings)| spellings.contains(&unit.as_str()))
        .map(|(canonical, _)| *canonical)
}

#[cfg(test)]
mod tests;
