//! Reckoning with moments.

use crate::Timestamp;

/// The seconds since 1970 and the nanoseconds of a moment.
pub(crate) fn instant(moment: &Timestamp) -> (i64, u32) {
    let text = moment.as_str();
    let number = |from: usize, to: usize| text.get(from..to).and_then(|digits| digits.parse::<i64>().ok());
    let part = |from, to| number(from, to).unwrap_or_default();
    let days = days_from_civil(part(0, 4), part(5, 7), part(8, 10));
    let seconds = days * 86_400 + part(11, 13) * 3600 + part(14, 16) * 60 + part(17, 19);
    let rest = text.get(19..).unwrap_or_default();
    let end = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (fraction, offset) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let nanoseconds = fraction
        .bytes()
        .skip(1)
        .chain(std::iter::repeat(b'0'))
        .take(9)
        .fold(0, |number, digit| {
            number * 10 + u32::from(digit.wrapping_sub(b'0'))
        });
    let minutes = |from: usize| {
        let two = |from: usize| {
            offset
                .get(from..from + 2)
                .and_then(|digits| digits.parse::<i64>().ok())
                .unwrap_or_default()
        };
        two(from) * 60 + two(from + 3)
    };
    let shift = match offset.as_bytes().first() {
        Some(b'+') => minutes(1),
        Some(b'-') => -minutes(1),
        _ => 0,
    };
    (seconds - shift * 60, nanoseconds)
}

/// The moment in UTC, without parts of seconds and without an offset: `2026-01-02T03:04:05`.
pub(crate) fn utc_seconds(moment: &Timestamp) -> String {
    let (seconds, _) = instant(moment);
    let (days, time) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil_from_days(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
        time / 3600,
        time / 60 % 60,
        time % 60
    )
}

/// The days since 1970-01-01 in the Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // The year begins in March, so that the leap day is its last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

#[cfg(test)]
mod tests {
    use super::{instant, utc_seconds};
    use crate::Timestamp;

    #[test]
    fn moments_are_reckoned() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        assert_eq!(instant(&at("1970-01-01T00:00:00Z")), (0, 0));
        assert_eq!(instant(&at("2000-02-29T12:00:00.5Z")), (951_825_600, 500_000_000));
        assert_eq!(instant(&at("2000-02-29T12:00:00+01:30")), (951_820_200, 0));
        assert_eq!(instant(&at("1969-12-31T23:59:59-00:30")), (1799, 0));
        for (given, told) in [
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05"),
            ("2024-03-01T00:10:00+00:30", "2024-02-29T23:40:00"),
            ("0000-01-01T00:00:00+01:00", "-001-12-31T23:00:00"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59"),
        ] {
            assert_eq!(utc_seconds(&at(given)), told);
        }
    }
}
