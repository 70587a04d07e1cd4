//! Moments, in whole seconds. The time of day is always given, never asked for.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment after 1970, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

const SECONDS_OF_A_DAY: u64 = 86_400;

impl Timestamp {
    /// So many seconds after the beginning of 1970 (UTC).
    pub const fn from_unix_seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// The seconds since the beginning of 1970 (UTC).
    pub const fn unix_seconds(self) -> u64 {
        self.0
    }

    /// The moment so many seconds later.
    #[must_use]
    pub(crate) const fn plus(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    pub(crate) fn since_epoch(self) -> Duration {
        Duration::from_secs(self.0)
    }

    /// Reads `2021-01-12T11:53:27.000Z`; fractions of a second are cut off. Other offsets are read too.
    pub(crate) fn from_rfc3339(text: &str) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let rest = rest.strip_prefix(['T', 't', ' '])?;
        let (time, rest) = rest.split_at_checked(8)?;
        let mut date = date.splitn(3, '-');
        let mut time = time.splitn(3, ':');
        let fraction = rest.strip_prefix('.').unwrap_or(rest);
        let offset = match rest.starts_with('.') {
            true => fraction.trim_start_matches(|digit: char| digit.is_ascii_digit()),
            false => rest,
        };
        let moment = civil(
            number(date.next()?, 4)?,
            number(date.next()?, 2)?,
            number(date.next()?, 2)?,
            [
                number(time.next()?, 2)?,
                number(time.next()?, 2)?,
                number(time.next()?, 2)?,
            ],
        )?;
        match offset {
            "Z" | "z" => Some(Self(moment)),
            _ => {
                let (sign, rest) = offset.split_at_checked(1)?;
                let (hours, minutes) = rest.split_once(':')?;
                let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
                if hours > 23 || minutes > 59 {
                    return None;
                }
                let seconds = (hours * 60 + minutes) * 60;
                match sign {
                    "+" => moment.checked_sub(seconds).map(Self),
                    "-" => moment.checked_add(seconds).map(Self),
                    _ => None,
                }
            }
        }
    }

    /// Reads the content of an ASN.1 `GeneralizedTime`, `20260526074221Z`, with or without fractions of a second.
    pub(crate) fn from_generalized(content: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
        let text = match text.split_once('.') {
            Some((whole, fraction)) if fraction.bytes().all(|digit| digit.is_ascii_digit()) => whole,
            Some(_) => return None,
            None => text,
        };
        if text.len() != 14 || !text.is_ascii() {
            return None;
        }
        let part = |from: usize, length: usize| number(text.get(from..from + length)?, length);
        civil(
            part(0, 4)?,
            part(4, 2)?,
            part(6, 2)?,
            [part(8, 2)?, part(10, 2)?, part(12, 2)?],
        )
        .map(Self)
    }
}

impl From<SystemTime> for Timestamp {
    /// The same moment in whole seconds. A clock that stands before 1970 gives 1970.
    fn from(time: SystemTime) -> Self {
        Self(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
    }
}

/// `2026-05-26T07:42:21Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0 / SECONDS_OF_A_DAY, self.0 % SECONDS_OF_A_DAY);
        // Days are counted in eras of 400 years that begin on a first of March, so that a leap day is a year's last.
        let days = days.saturating_add(719_468);
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        };
        let year = era.saturating_mul(400).saturating_add(year_of_era) + u64::from(month <= 2);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

fn number(text: &str, digits: usize) -> Option<u64> {
    let good = text.len() == digits && text.bytes().all(|digit| digit.is_ascii_digit());
    good.then(|| text.parse().ok()).flatten()
}

/// The seconds since 1970 of a moment in UTC. A leap second is the second before it.
fn civil(year: u64, month: u64, day: u64, [hour, minute, second]: [u64; 3]) -> Option<u64> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days_of_month = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u64::from(leap),
        1..=12 => 31,
        _ => return None,
    };
    let good = (1970..=9999).contains(&year) && (1..=days_of_month).contains(&day);
    if !good || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (year, shifted_month) = if month <= 2 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
    Some(days * SECONDS_OF_A_DAY + hour * 3600 + minute * 60 + second.min(59))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_and_written() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2021-01-12T11:53:27Z", 1_610_452_407),
            ("2026-11-29T10:55:51Z", 1_795_949_751),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            let moment = Timestamp::from_rfc3339(text).unwrap();
            assert_eq!(
                (moment.unix_seconds(), moment.to_string().as_str()),
                (seconds, text)
            );
            let generalized: String = text.chars().filter(|c| c.is_ascii_digit() || *c == 'Z').collect();
            assert_eq!(Timestamp::from_generalized(generalized.as_bytes()), Some(moment));
        }
        let same = Timestamp::from_rfc3339("2021-01-12T11:53:27Z");
        assert_eq!(Timestamp::from_rfc3339("2021-01-12T11:53:27.999Z"), same);
        assert_eq!(Timestamp::from_rfc3339("2021-01-12T13:53:27+02:00"), same);
        assert_eq!(Timestamp::from_rfc3339("2021-01-12T10:23:27.1-01:30"), same);
        assert_eq!(Timestamp::from_generalized(b"20210112115327.25Z"), same);
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "2021-01-12",
            "2021-01-12T11:53:27",
            "2021-02-29T00:00:00Z",
            "2021-13-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2021-01-12T24:00:00Z",
            "2021-01-12T11:53:27+24:00",
            "2021-01-12T11:53:27é",
            "+021-01-12T11:53:27Z",
        ] {
            assert_eq!(Timestamp::from_rfc3339(text), None, "{text}");
        }
        for text in [
            "",
            "Z",
            "20210112115327",
            "202101121153Z",
            "20210112115327.xZ",
            "2021011211532éZ",
        ] {
            assert_eq!(Timestamp::from_generalized(text.as_bytes()), None, "{text}");
        }
    }
}
