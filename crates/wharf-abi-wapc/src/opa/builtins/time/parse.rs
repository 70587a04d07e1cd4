//! Times out of text, with what Go's `time.Parse` lets pass.

use super::super::Failure;
use super::calendar::{MONTHS, WEEKDAYS, days_in_month, days_since_1970, is_leap};
use super::layout::{Chunk, Offset, next};

/// What the text has said so far.
#[derive(Default)]
struct Parts {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanosecond: i64,
    /// Whether it said that it is before or after noon.
    afternoon: Option<bool>,
    utc: bool,
    offset: Option<i64>,
}

/// The seconds since 1970, and the nanoseconds beside them, of a text that is written as the layout has it.
pub(super) fn parse(mut layout: &str, mut text: &str) -> Result<(i64, i64), Failure> {
    let mut parts = Parts::default();
    loop {
        let (before, chunk, rest) = next(layout);
        text = skip(text, before)?;
        let Some(chunk) = chunk else { break };
        text = parts.take(chunk, text, rest)?;
        layout = rest;
    }
    match text {
        "" => parts.finish(),
        _ => Err(Failure::Undefined),
    }
}

/// Passes over the text of the layout, in which some spaces stand for any number of them.
fn skip<'a>(mut text: &'a str, mut expected: &str) -> Result<&'a str, Failure> {
    while let Some(c) = expected.chars().next() {
        if c == ' ' {
            if !text.is_empty() && !text.starts_with(' ') {
                return Err(Failure::Undefined);
            }
            expected = expected.trim_start_matches(' ');
            text = text.trim_start_matches(' ');
            continue;
        }
        text = text.strip_prefix(c).ok_or(Failure::Undefined)?;
        expected = &expected[c.len_utf8()..];
    }
    Ok(text)
}

impl Parts {
    /// Takes what a chunk stands for off the text; `layout` is what follows the chunk.
    fn take<'a>(&mut self, chunk: Chunk, text: &'a str, layout: &str) -> Result<&'a str, Failure> {
        let digits = |most: usize, fixed: bool| number(text, most, fixed);
        let (field, value, rest) = match chunk {
            Chunk::LongMonth | Chunk::Month => {
                let (index, rest) = name(&MONTHS, chunk == Chunk::Month, text)?;
                self.month = Some(index + 1);
                return Ok(rest);
            }
            Chunk::LongWeekday | Chunk::Weekday => {
                return name(&WEEKDAYS, chunk == Chunk::Weekday, text).map(|(_, rest)| rest);
            }
            Chunk::NumericMonth | Chunk::ZeroMonth => {
                let (month, rest) = digits(2, chunk == Chunk::ZeroMonth)?;
                self.month = Some(within(month, 1, 12)?);
                return Ok(rest);
            }
            Chunk::Day | Chunk::ZeroDay => {
                let (day, rest) = digits(2, chunk == Chunk::ZeroDay)?;
                self.day = Some(day);
                return Ok(rest);
            }
            Chunk::UnderscoreDay => {
                let (day, rest) = number(text.strip_prefix(' ').unwrap_or(text), 2, false)?;
                self.day = Some(day);
                return Ok(rest);
            }
            Chunk::ZeroYearDay | Chunk::UnderscoreYearDay => return self.take_day_of_year(chunk, text),
            Chunk::Year | Chunk::LongYear => return self.take_year(chunk, text),
            Chunk::Hour => {
                let (hour, rest) = digits(2, false)?;
                (&mut self.hour, within(hour, 0, 23)?, rest)
            }
            Chunk::Hour12 | Chunk::ZeroHour12 => {
                let (hour, rest) = digits(2, chunk == Chunk::ZeroHour12)?;
                (&mut self.hour, within(hour, 0, 12)?, rest)
            }
            Chunk::Minute | Chunk::ZeroMinute => {
                let (minute, rest) = digits(2, chunk == Chunk::ZeroMinute)?;
                (&mut self.minute, within(minute, 0, 59)?, rest)
            }
            Chunk::Second | Chunk::ZeroSecond => {
                let (second, rest) = digits(2, chunk == Chunk::ZeroSecond)?;
                self.second = within(second, 0, 59)?;
                // The text may have a fraction that the layout does not name.
                return match next(layout).1 {
                    Some(Chunk::Fraction { .. }) => Ok(rest),
                    _ => Ok(self.take_fraction(rest)),
                };
            }
            Chunk::UpperHalf => return self.take_half(text, ["AM", "PM"]),
            Chunk::LowerHalf => return self.take_half(text, ["am", "pm"]),
            Chunk::ZoneName => {
                self.utc |= text.starts_with("UTC");
                return Ok(&text[zone_name_length(text)?..]);
            }
            Chunk::Offset(offset) => return self.take_offset(offset, text),
            Chunk::Fraction { trimmed: true, .. } => return Ok(self.take_fraction(text)),
            Chunk::Fraction { digits, .. } => {
                let (fraction, rest) = text.split_at_checked(digits + 1).ok_or(Failure::Undefined)?;
                self.nanosecond = nanoseconds(fraction).ok_or(Failure::Undefined)?;
                return Ok(rest);
            }
        };
        *field = value;
        Ok(rest)
    }

    fn take_year<'a>(&mut self, chunk: Chunk, text: &'a str) -> Result<&'a str, Failure> {
        let length = if chunk == Chunk::Year { 2 } else { 4 };
        let (digits, rest) = text.split_at_checked(length).ok_or(Failure::Undefined)?;
        // Of two characters the first may be a sign, as Go happens to read them.
        let unsigned = match (chunk, digits.as_bytes()) {
            (Chunk::Year, [b'-' | b'+', _]) => &digits[1..],
            _ => digits,
        };
        if !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Failure::Undefined);
        }
        let year: i64 = digits.parse().map_err(|_| Failure::Undefined)?;
        self.year = match (chunk, year) {
            (Chunk::Year, 69..) => year + 1900,
            (Chunk::Year, _) => year + 2000,
            _ => year,
        };
        Ok(rest)
    }

    fn take_day_of_year<'a>(&mut self, chunk: Chunk, text: &'a str) -> Result<&'a str, Failure> {
        let fixed = chunk == Chunk::ZeroYearDay;
        let spaces = text
            .bytes()
            .take(2)
            .take_while(|byte| !fixed && *byte == b' ')
            .count();
        let (day, rest) = number(&text[spaces..], 3, fixed)?;
        self.day_of_year = Some(day);
        Ok(rest)
    }

    fn take_half<'a>(&mut self, text: &'a str, halves: [&str; 2]) -> Result<&'a str, Failure> {
        let (half, rest) = text.split_at_checked(2).ok_or(Failure::Undefined)?;
        let index = halves
            .iter()
            .position(|known| *known == half)
            .ok_or(Failure::Undefined)?;
        // Once it was after noon, a second word does not take that back.
        self.afternoon = Some(index == 1 || self.afternoon == Some(true));
        Ok(rest)
    }

    /// A point or comma and digits, where they stand here.
    fn take_fraction<'a>(&mut self, text: &'a str) -> &'a str {
        let digits = text.bytes().skip(1).take_while(u8::is_ascii_digit).count();
        if digits > 0
            && let Some(nanosecond) = nanoseconds(&text[..=digits])
        {
            self.nanosecond = nanosecond;
            return &text[digits + 1..];
        }
        text
    }

    fn take_offset<'a>(&mut self, offset: Offset, text: &'a str) -> Result<&'a str, Failure> {
        if let Some(rest) = text.strip_prefix('Z').filter(|_| offset.z) {
            self.utc = true;
            return Ok(rest);
        }
        let bytes = text.as_bytes();
        let sign = match bytes.first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(Failure::Undefined),
        };
        let mut rest = &text[1..];
        let mut seconds = 0;
        for (wanted, unit, most) in [
            (true, 3_600, 24),
            (offset.minutes, 60, 60),
            (offset.seconds, 1, 60),
        ] {
            if !wanted {
                continue;
            }
            if offset.colons && unit != 3_600 {
                rest = rest.strip_prefix(':').ok_or(Failure::Undefined)?;
            }
            let (value, behind) = number(rest, 2, true)?;
            seconds += within(value, 0, most)? * unit;
            rest = behind;
        }
        self.offset = Some(sign * seconds);
        Ok(rest)
    }

    fn finish(mut self) -> Result<(i64, i64), Failure> {
        match self.afternoon {
            Some(true) if self.hour < 12 => self.hour += 12,
            Some(false) if self.hour == 12 => self.hour = 0,
            _ => {}
        }
        let (month, day) = self.date()?;
        within(day, 1, days_in_month(self.year, month))?;
        let days = days_since_1970(self.year, month) + day - 1;
        let seconds = days * 86_400 + self.hour * 3_600 + self.minute * 60 + self.second;
        // Go takes an offset of minus one second for none. A name alone says no offset, whatever it looks like.
        let offset = self
            .offset
            .filter(|offset| *offset != -1 && !self.utc)
            .unwrap_or(0);
        Ok((seconds - offset, self.nanosecond))
    }

    fn date(&self) -> Result<(i64, i64), Failure> {
        let Some(day_of_year) = self.day_of_year else {
            return Ok((self.month.unwrap_or(1), self.day.unwrap_or(1)));
        };
        let leap = i64::from(is_leap(self.year));
        // Go lets no day 366 pass in a common year, and no 0.
        within(day_of_year, 1, 365 + leap)?;
        let (mut month, mut day) = (1, day_of_year);
        while day > days_in_month(self.year, month) {
            day -= days_in_month(self.year, month);
            month += 1;
        }
        if self.month.is_some_and(|said| said != month) || self.day.is_some_and(|said| said != day) {
            return Err(Failure::Undefined);
        }
        Ok((month, day))
    }
}

/// The number of so many digits that a text begins with, or of fewer where their count is not fixed.
fn number(text: &str, most: usize, fixed: bool) -> Result<(i64, &str), Failure> {
    let count = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if count == 0 || (fixed && count < most) {
        return Err(Failure::Undefined);
    }
    let number = text[..count].parse().map_err(|_| Failure::Undefined)?;
    Ok((number, &text[count..]))
}

fn within(number: i64, least: i64, most: i64) -> Result<i64, Failure> {
    match (least..=most).contains(&number) {
        true => Ok(number),
        false => Err(Failure::Undefined),
    }
}

/// Which of some names a text begins with, in any case, and what follows.
fn name<'a>(names: &[&str], short: bool, text: &'a str) -> Result<(i64, &'a str), Failure> {
    for (index, name) in (0..).zip(names) {
        let name = if short { &name[..3] } else { name };
        if let Some((start, rest)) = text.split_at_checked(name.len())
            && start.eq_ignore_ascii_case(name)
        {
            return Ok((index, rest));
        }
    }
    Err(Failure::Undefined)
}

/// The nanoseconds of a fraction with its separator; digits beyond the ninth are not looked at.
fn nanoseconds(fraction: &str) -> Option<i64> {
    let digits = fraction.strip_prefix(['.', ','])?.as_bytes();
    let digits = &digits[..digits.len().min(9)];
    digits.iter().all(u8::is_ascii_digit).then(|| {
        let value = digits
            .iter()
            .fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
        value * 10_i64.pow(9 - digits.len() as u32)
    })
}

/// How much of a text looks like the abbreviation of a zone: three letters or more, Greenwich with hours, or hours alone.
fn zone_name_length(text: &str) -> Result<usize, Failure> {
    let hours = |text: &str| {
        let digits = text.bytes().skip(1).take_while(u8::is_ascii_digit).count();
        let signed = text.starts_with(['+', '-']) && digits > 0;
        let hour = text.get(1..=digits).and_then(|digits| digits.parse::<u64>().ok());
        if signed && hour.is_some_and(|hour| hour <= 23) {
            digits + 1
        } else {
            0
        }
    };
    let upper = text.bytes().take(6).take_while(u8::is_ascii_uppercase).count();
    let ends_in_t = |length: usize| text.as_bytes()[length - 1] == b'T';
    let length = match upper {
        _ if text.len() < 3 => 0,
        _ if text.starts_with("ChST") || text.starts_with("MeST") => 4,
        _ if text.starts_with("GMT") => 3 + hours(&text[3..]),
        _ if text.starts_with(['+', '-']) => hours(text),
        5 if ends_in_t(5) => 5,
        4 if ends_in_t(4) || text.starts_with("WITA") => 4,
        3 => 3,
        _ => 0,
    };
    match length {
        0 => Err(Failure::Undefined),
        length => Ok(length),
    }
}
