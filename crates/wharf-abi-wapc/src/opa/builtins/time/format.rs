//! Times as text.

use std::fmt::Write as _;

use super::calendar::{Civil, MONTHS, Moment};
use super::layout::{Chunk, Offset, next};

/// Writes a time as the layout has it.
pub(super) fn format(moment: &Moment, mut layout: &str) -> String {
    let civil = moment.civil();
    let mut text = String::new();
    while !layout.is_empty() {
        let (before, chunk, rest) = next(layout);
        text.push_str(before);
        if let Some(chunk) = chunk {
            write(&mut text, chunk, &civil).expect("a string takes any text");
        }
        layout = rest;
    }
    text
}

fn write(text: &mut String, chunk: Chunk, civil: &Civil) -> std::fmt::Result {
    let hour_12 = match civil.hour % 12 {
        0 => 12,
        hour => hour,
    };
    let afternoon = civil.hour >= 12;
    match chunk {
        Chunk::Year => write!(text, "{:02}", civil.year.abs() % 100),
        Chunk::LongYear => write!(text, "{:04}", civil.year),
        Chunk::Month => write!(text, "{}", &month(civil)[..3]),
        Chunk::LongMonth => text.write_str(month(civil)),
        Chunk::NumericMonth => write!(text, "{}", civil.month),
        Chunk::ZeroMonth => write!(text, "{:02}", civil.month),
        Chunk::Weekday => text.write_str(&civil.weekday()[..3]),
        Chunk::LongWeekday => text.write_str(civil.weekday()),
        Chunk::Day => write!(text, "{}", civil.day),
        Chunk::UnderscoreDay => write!(text, "{:2}", civil.day),
        Chunk::ZeroDay => write!(text, "{:02}", civil.day),
        Chunk::UnderscoreYearDay => write!(text, "{:3}", civil.day_of_year()),
        Chunk::ZeroYearDay => write!(text, "{:03}", civil.day_of_year()),
        Chunk::Hour => write!(text, "{:02}", civil.hour),
        Chunk::Hour12 => write!(text, "{hour_12}"),
        Chunk::ZeroHour12 => write!(text, "{hour_12:02}"),
        Chunk::Minute => write!(text, "{}", civil.minute),
        Chunk::ZeroMinute => write!(text, "{:02}", civil.minute),
        Chunk::Second => write!(text, "{}", civil.second),
        Chunk::ZeroSecond => write!(text, "{:02}", civil.second),
        Chunk::UpperHalf => text.write_str(if afternoon { "PM" } else { "AM" }),
        Chunk::LowerHalf => text.write_str(if afternoon { "pm" } else { "am" }),
        Chunk::ZoneName => text.write_str(&civil.zone_name),
        Chunk::Offset(offset) => write_offset(text, offset, civil.offset),
        Chunk::Fraction {
            separator,
            digits,
            trimmed,
        } => {
            write_fraction(text, separator, digits, trimmed, civil.nanosecond);
            Ok(())
        }
    }
}

fn month(civil: &Civil) -> &'static str {
    let index = usize::try_from(civil.month - 1);
    MONTHS[index.unwrap_or(0)]
}

fn write_offset(text: &mut String, offset: Offset, seconds: i64) -> std::fmt::Result {
    if offset.z && seconds == 0 {
        return text.write_str("Z");
    }
    // Less than a minute has no sign of its own.
    let sign = if seconds / 60 < 0 { '-' } else { '+' };
    let minutes = (seconds / 60).abs();
    let colon = if offset.colons { ":" } else { "" };
    write!(text, "{sign}{:02}", minutes / 60)?;
    if offset.minutes {
        write!(text, "{colon}{:02}", minutes % 60)?;
    }
    if offset.seconds {
        write!(text, "{colon}{:02}", (seconds % 60).abs())?;
    }
    Ok(())
}

fn write_fraction(text: &mut String, separator: char, digits: usize, trimmed: bool, nanosecond: i64) {
    let all = format!("{nanosecond:09}");
    let kept = &all[..digits.min(9)];
    let kept = if trimmed { kept.trim_end_matches('0') } else { kept };
    if !kept.is_empty() {
        text.push(separator);
        text.push_str(kept);
    }
}
