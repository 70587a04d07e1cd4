//! Dates, clocks and time zones.

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::super::Failure;

const NS: i64 = 1_000_000_000;
const DAY: i64 = 86_400;

pub(super) const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A time zone; `None` is UTC.
#[derive(Clone)]
pub(super) struct Zone(Option<TimeZone>);

impl Zone {
    pub(super) const UTC: Self = Self(None);

    /// The zone of this name, spelled just so.
    pub(super) fn named(name: &str) -> Result<Self, Failure> {
        if matches!(name, "" | "UTC" | "Local") {
            return Ok(Self::UTC);
        }
        let zone = TimeZoneDatabase::bundled()
            .get(name)
            .map_err(|_| Failure::Undefined)?;
        match zone.iana_name() == Some(name) {
            true => Ok(Self(Some(zone))),
            false => Err(Failure::Undefined),
        }
    }

    /// The seconds that its clocks are ahead of UTC at a time, and what it is called then.
    pub(super) fn at(&self, seconds: i64) -> (i64, String) {
        let info = self.0.as_ref().and_then(|zone| {
            let timestamp = Timestamp::from_second(seconds).ok()?;
            let info = zone.to_offset_info(timestamp);
            Some((i64::from(info.offset().seconds()), info.abbreviation().to_owned()))
        });
        info.unwrap_or_else(|| (0, "UTC".to_owned()))
    }

    /// What its clocks are ahead when they show these seconds. Those that they show twice or never are taken for the time
    /// that Go takes them for.
    fn offset_of_local(&self, seconds: i64) -> i64 {
        match self.at(seconds).0 {
            0 => 0,
            offset => self.at(seconds - offset).0,
        }
    }
}

/// A time and the zone to see it in.
pub(super) struct Moment {
    pub(super) ns: i64,
    pub(super) zone: Zone,
}

impl Moment {
    pub(super) fn civil(&self) -> Civil {
        let seconds = self.ns.div_euclid(NS);
        let (offset, zone_name) = self.zone.at(seconds);
        let local = seconds + offset;
        let (days, of_day) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        let (year, month, day) = date_of(days);
        Civil {
            year,
            month,
            day,
            hour: of_day / 3_600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
            nanosecond: self.ns.rem_euclid(NS),
            days,
            offset,
            zone_name,
        }
    }
}

/// What calendar and clock show.
pub(super) struct Civil {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    pub(super) nanosecond: i64,
    /// The days since 1970.
    days: i64,
    /// The seconds that the zone is ahead of UTC.
    pub(super) offset: i64,
    pub(super) zone_name: String,
}

impl Civil {
    pub(super) fn weekday(&self) -> &'static str {
        let index = usize::try_from((self.days + 4).rem_euclid(7));
        WEEKDAYS[index.unwrap_or(0)]
    }

    pub(super) fn day_of_year(&self) -> i64 {
        self.days - days_since_1970(self.year, 1) + 1
    }

    /// The time at which this clock shows this time of the day on another date, of which month and day may be any numbers.
    pub(super) fn with_date(&self, year: i128, month: i128, day: i128, zone: &Zone) -> Result<i64, Failure> {
        let (year, month) = (year + (month - 1).div_euclid(12), (month - 1).rem_euclid(12) + 1);
        let in_reach = |number: i128, most: i128| i64::try_from(number).ok().filter(|_| number.abs() <= most);
        let year = in_reach(year, 10_000_000).ok_or(Failure::Undefined)?;
        let month = in_reach(month, 12).ok_or(Failure::Undefined)?;
        let days = i128::from(days_since_1970(year, month)) + day - 1;
        let days = in_reach(days, 1_000_000).ok_or(Failure::Undefined)?;
        let local = days * DAY + self.hour * 3_600 + self.minute * 60 + self.second;
        unix_ns(local - zone.offset_of_local(local), self.nanosecond)
    }
}

/// The nanoseconds of a time, where they fit into 64 bits.
pub(super) fn unix_ns(seconds: i64, nanosecond: i64) -> Result<i64, Failure> {
    let ns = i128::from(seconds) * i128::from(NS) + i128::from(nanosecond);
    i64::try_from(ns).map_err(|_| Failure::Undefined)
}

pub(super) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub(super) fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The days from the beginning of 1970 to that of a month.
pub(super) fn days_since_1970(year: i64, month: i64) -> i64 {
    let before = year - 1;
    let leap_days = before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400);
    let months: i64 = (1..month).map(|earlier| days_in_month(year, earlier)).sum();
    // 719162 days lie between the first days of the years 1 and 1970.
    before * 365 + leap_days - 719_162 + months
}

/// Year, month and day of a day that is counted from 1970.
fn date_of(days: i64) -> (i64, i64, i64) {
    // Not later than the year, and not much earlier, since years have 365 or 366 days.
    let mut year = 1970 + days.div_euclid(if days < 0 { 365 } else { 366 });
    while days_since_1970(year + 1, 1) <= days {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && days_since_1970(year, month + 1) <= days {
        month += 1;
    }
    (year, month, days - days_since_1970(year, month) + 1)
}
