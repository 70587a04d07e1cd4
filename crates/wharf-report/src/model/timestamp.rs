//! Moments in time.

use serde::de::{Deserializer, Error};
use serde::{Serialize, Serializer};

use crate::json::{FromGo, Wrapped};

/// A moment, as a text of RFC 3339 in the form that Go writes: `2022-04-01T23:15:00Z`, with as many digits of a second's
/// parts as are not zero at the end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(String);

/// A text that is no moment of RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is no moment such as 2022-04-01T23:15:00Z", .0.escape_debug())]
pub struct InvalidTimestamp(pub String);

impl Timestamp {
    /// Reads one.
    ///
    /// # Errors
    /// [`InvalidTimestamp`] where the text is none.
    pub fn parse(text: &str) -> Result<Self, InvalidTimestamp> {
        normalised(text)
            .map(Self)
            .ok_or_else(|| InvalidTimestamp(text.chars().take(64).collect()))
    }

    /// The moment so many seconds after the start of 1970 in UTC, before it where they are below 0, and so many nanoseconds
    /// later. `None` where that is no moment of the years 0 to 9999, or the nanoseconds are a second or more.
    pub fn from_unix(seconds: i64, nanoseconds: u32) -> Option<Self> {
        const DAY: i64 = 24 * 60 * 60;
        let (year, month, day) = date(seconds.div_euclid(DAY))?;
        let second = seconds.rem_euclid(DAY);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        if nanoseconds >= 1_000_000_000 {
            return None;
        }
        Self::parse(&format!(
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanoseconds:09}Z"
        ))
        .ok()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

fn normalised(text: &str) -> Option<String> {
    let (moment, rest) = text.split_at_checked("2022-04-01T23:15:00".len())?;
    if !is_moment(moment.as_bytes()) {
        return None;
    }
    let (fraction, offset) = match rest.strip_prefix('.') {
        Some(digits) => digits.split_at(digits.bytes().take_while(u8::is_ascii_digit).count()),
        None => ("", rest),
    };
    if rest.starts_with('.') && fraction.is_empty() || !is_offset(offset) {
        return None;
    }
    // Nanoseconds are the smallest parts.
    let fraction = fraction[..fraction.len().min(9)].trim_end_matches('0');
    let offset = if offset == "+00:00" { "Z" } else { offset };
    Some(match fraction {
        "" => format!("{moment}{offset}"),
        fraction => format!("{moment}.{fraction}{offset}"),
    })
}

fn is_moment(moment: &[u8]) -> bool {
    let shape = moment
        .iter()
        .zip(b"0000-00-00T00:00:00")
        .all(|(byte, wanted)| match wanted {
            b'0' => byte.is_ascii_digit(),
            other => byte == other,
        });
    let number = |from: usize, digits: usize| {
        moment[from..from + digits].iter().fold(0_u32, |number, digit| {
            number * 10 + u32::from(digit.wrapping_sub(b'0'))
        })
    };
    shape
        && number(5, 2).wrapping_sub(1) < 12
        && (1..=days_of(number(0, 4), number(5, 2))).contains(&number(8, 2))
        && number(11, 2) < 24
        && number(14, 2) < 60
        && number(17, 2) < 60
}

/// Year, month and day so many days after the start of 1970.
fn date(days: i64) -> Option<(i64, i64, i64)> {
    // Counted from a first of March, a leap day is the last day of its year; 400 years have the same days each time.
    const DAYS_TO_1970: i64 = 719_468;
    const DAYS_OF_400_YEARS: i64 = 146_097;
    let days = days.checked_add(DAYS_TO_1970)?;
    let (cycle, day) = (
        days.div_euclid(DAYS_OF_400_YEARS),
        days.rem_euclid(DAYS_OF_400_YEARS),
    );
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = cycle.checked_mul(400)?.checked_add(year + next_year)?;
    (0..10_000).contains(&year).then_some((year, month, day_of_month))
}

fn days_of(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn is_offset(offset: &str) -> bool {
    let number = |from: usize| offset.get(from..from + 2)?.parse::<u8>().ok();
    match offset.as_bytes() {
        b"Z" => true,
        [
            b'+' | b'-',
            b'0'..=b'9',
            b'0'..=b'9',
            b':',
            b'0'..=b'9',
            b'0'..=b'9',
        ] => number(1).is_some_and(|hours| hours < 24) && number(4).is_some_and(|minutes| minutes < 60),
        _ => false,
    }
}

impl FromGo for Timestamp {
    fn from_go<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text: Wrapped<String> = serde::Deserialize::deserialize(deserializer)?;
        Self::parse(&text.0).map_err(D::Error::custom)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}
