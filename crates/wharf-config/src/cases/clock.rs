//! `clock`: the time that a guest sees.

use super::Clock;

/// What the clocks show where nobody says otherwise.
pub(super) const DEFAULT: &str = "2025-01-01T00:00:00Z";

/// Reads `real`, or a time in UTC such as `2025-01-31T12:30:00Z`, from 1970 to 2399.
pub(super) fn parse(text: &str) -> Option<Clock> {
    if text == "real" {
        return Some(Clock::Real);
    }
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let is_time = hour < 24 && minute < 60 && second < 60;
    let is_date = (1970..2400).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day);
    if !is_time || !is_date {
        return None;
    }
    let days = days_since_1970(year, month, day);
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some(Clock::Fixed(seconds * 1_000_000_000 + nanoseconds_of(fraction)?))
}

/// Numbers of so many digits each, with a mark between them.
fn numbers<const COUNT: usize>(text: &str, mark: char, digits: [usize; COUNT]) -> Option<[u64; COUNT]> {
    let parts: Vec<&str> = text.split(mark).collect();
    let mut numbers = [0; COUNT];
    if parts.len() != COUNT {
        return None;
    }
    for ((number, part), length) in numbers.iter_mut().zip(parts).zip(digits) {
        if part.len() != length || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    Some(numbers)
}

fn nanoseconds_of(fraction: &str) -> Option<u64> {
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{fraction:0<9}").parse().ok()
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let years: u64 = (1970..year)
        .map(|year| if is_leap(year) { 366 } else { 365 })
        .sum();
    let months: u64 = (1..month).map(|month| days_of(year, month)).sum();
    years + months + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let second = 1_000_000_000;
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-02T00:00:01Z", 86_401),
            (DEFAULT, 1_735_689_600),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("2038-01-19T03:14:08Z", 1 << 31),
            ("2399-12-31T23:59:59Z", 13_569_465_599),
        ] {
            assert_eq!(parse(text), Some(Clock::Fixed(seconds * second)), "{text}");
        }
        assert_eq!(parse("1970-01-01T00:00:00.05Z"), Some(Clock::Fixed(50_000_000)));
        assert_eq!(parse("real"), Some(Clock::Real));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "Real",
            "2025-01-01",
            "2025-01-01T00:00:00",
            "2025-01-01 00:00:00Z",
            "2025-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2025-13-01T00:00:00Z",
            "2025-00-01T00:00:00Z",
            "2025-01-00T00:00:00Z",
            "2025-01-01T24:00:00Z",
            "2025-01-01T00:60:00Z",
            "2025-01-01T00:00:60Z",
            "1969-12-31T23:59:59Z",
            "2400-01-01T00:00:00Z",
            "2025-1-1T0:0:0Z",
            "2025-01-01T00:00:00.Z",
            "2025-01-01T00:00:00.0000000000Z",
            "+025-01-01T00:00:00Z",
            "2025-01-01T00:00:00+01:00",
            "２025-01-01T00:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
