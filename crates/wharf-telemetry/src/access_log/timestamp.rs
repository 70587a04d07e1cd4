//! RFC 3339 timestamps in UTC with microseconds, with the date worked out once a second.

use std::time::{SystemTime, UNIX_EPOCH};

/// `2026-04-14T09:30:00.123456Z`
const LENGTH: usize = 27;
const SECOND_LENGTH: usize = 19;

/// Formats times; remembers the last second, because most entries of a busy worker share it.
pub(super) struct Timestamps {
    second: u64,
    text: [u8; LENGTH],
}

impl Default for Timestamps {
    fn default() -> Timestamps {
        let mut text = [b'0'; LENGTH];
        text[SECOND_LENGTH] = b'.';
        text[LENGTH - 1] = b'Z';
        let mut timestamps = Timestamps { second: 0, text };
        timestamps.write_second(0);
        timestamps
    }
}

impl Timestamps {
    /// The time as text. Times before 1970 are shown as 1970.
    pub(super) fn format(&mut self, time: SystemTime) -> &str {
        let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        if since_epoch.as_secs() != self.second {
            self.write_second(since_epoch.as_secs());
        }
        put(
            &mut self.text[SECOND_LENGTH + 1..LENGTH - 1],
            u64::from(since_epoch.subsec_micros()),
        );
        std::str::from_utf8(&self.text).expect("digits and separators are ASCII")
    }

    fn write_second(&mut self, second: u64) {
        self.second = second;
        let (year, month, day) = date_of(second / 86_400);
        let in_day = second % 86_400;
        put(&mut self.text[0..4], year);
        put(&mut self.text[5..7], month);
        put(&mut self.text[8..10], day);
        put(&mut self.text[11..13], in_day / 3_600);
        put(&mut self.text[14..16], in_day / 60 % 60);
        put(&mut self.text[17..19], in_day % 60);
        for (at, separator) in [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')] {
            self.text[at] = separator;
        }
    }
}

fn put(field: &mut [u8], mut value: u64) {
    for digit in field.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Year, month and day of a day since 1970-01-01 in the Gregorian calendar, counted in years that start in
/// March, so that the leap day is a year's last day.
fn date_of(days_since_epoch: u64) -> (u64, u64, u64) {
    const DAYS_IN_400_YEARS: u64 = 146_097;
    // From 0000-03-01 to 1970-01-01.
    let days = days_since_epoch + 719_468;
    let era = days / DAYS_IN_400_YEARS;
    let day_of_era = days % DAYS_IN_400_YEARS;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_since_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months_since_march + 2) / 5 + 1;
    let month = if months_since_march < 10 {
        months_since_march + 3
    } else {
        months_since_march - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn known_instants_are_written_as_rfc_3339_says() {
        let mut timestamps = Timestamps::default();
        for (micros, expected) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000_001, "2000-02-29T00:00:00.000001Z"),
            (1_709_251_199_999_999, "2024-02-29T23:59:59.999999Z"),
            (1_709_251_200_000_000, "2024-03-01T00:00:00.000000Z"),
            (1_735_689_599_500_000, "2024-12-31T23:59:59.500000Z"),
            (4_102_444_800_000_000, "2100-01-01T00:00:00.000000Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_micros(micros);
            assert_eq!(timestamps.format(time), expected);
        }
    }

    #[test]
    fn the_remembered_second_is_not_used_for_another_one() {
        let mut timestamps = Timestamps::default();
        let time = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        assert_eq!(timestamps.format(time), "2001-09-09T01:46:40.000000Z");
        assert_eq!(
            timestamps.format(time + Duration::from_millis(999)),
            "2001-09-09T01:46:40.999000Z"
        );
        assert_eq!(
            timestamps.format(time + Duration::from_secs(1)),
            "2001-09-09T01:46:41.000000Z"
        );
        assert_eq!(
            timestamps.format(time - Duration::from_secs(1)),
            "2001-09-09T01:46:39.000000Z"
        );
    }
}
