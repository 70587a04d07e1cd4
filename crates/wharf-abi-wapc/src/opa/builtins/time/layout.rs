//! Go's layouts: the time 15:04:05 on Monday, 2 January 2006, seven hours west of Greenwich, as it shall be written.

/// A part of a layout that stands for a part of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunk {
    LongMonth,
    Month,
    NumericMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    UnderscoreDay,
    ZeroDay,
    UnderscoreYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    UpperHalf,
    LowerHalf,
    ZoneName,
    Offset(Offset),
    /// So many digits of a second behind a point or a comma; with `trimmed` zeros at the end are left out.
    Fraction {
        separator: char,
        digits: usize,
        trimmed: bool,
    },
}

/// An offset from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offset {
    /// Written as `Z` where it is none.
    pub(super) z: bool,
    pub(super) colons: bool,
    pub(super) minutes: bool,
    pub(super) seconds: bool,
}

/// The layout that a name stands for, or the text itself.
pub(super) fn named(layout: &str) -> &str {
    match layout {
        "ANSIC" => "Mon Jan _2 15:04:05 2006",
        "UnixDate" => "Mon Jan _2 15:04:05 MST 2006",
        "RubyDate" => "Mon Jan 02 15:04:05 -0700 2006",
        "RFC822" => "02 Jan 06 15:04 MST",
        "RFC822Z" => "02 Jan 06 15:04 -0700",
        "RFC850" => "Monday, 02-Jan-06 15:04:05 MST",
        "RFC1123" => "Mon, 02 Jan 2006 15:04:05 MST",
        "RFC1123Z" => "Mon, 02 Jan 2006 15:04:05 -0700",
        "RFC3339" => "2006-01-02T15:04:05Z07:00",
        "RFC3339Nano" => "2006-01-02T15:04:05.999999999Z07:00",
        other => other,
    }
}

/// The text before the next chunk, the chunk, and what follows; without a chunk all is text.
pub(super) fn next(layout: &str) -> (&str, Option<Chunk>, &str) {
    for (at, byte) in layout.bytes().enumerate() {
        // Chunks are ASCII, so one begins where a character does.
        if !byte.is_ascii() {
            continue;
        }
        let rest = &layout[at..];
        if let Some(behind) = rest.strip_prefix("_2006") {
            return (&layout[..=at], Some(Chunk::LongYear), behind);
        }
        if let Some((chunk, length)) = at_start(rest) {
            return (&layout[..at], Some(chunk), &rest[length..]);
        }
    }
    (layout, None, "")
}

/// The chunks, those that begin like others before them.
const FIXED: [(&str, Chunk); 28] = [
    ("January", Chunk::LongMonth),
    ("Jan", Chunk::Month),
    ("Monday", Chunk::LongWeekday),
    ("Mon", Chunk::Weekday),
    ("MST", Chunk::ZoneName),
    ("01", Chunk::ZeroMonth),
    ("02", Chunk::ZeroDay),
    ("03", Chunk::ZeroHour12),
    ("04", Chunk::ZeroMinute),
    ("05", Chunk::ZeroSecond),
    ("06", Chunk::Year),
    ("002", Chunk::ZeroYearDay),
    ("15", Chunk::Hour),
    ("1", Chunk::NumericMonth),
    ("2006", Chunk::LongYear),
    ("2", Chunk::Day),
    ("_2", Chunk::UnderscoreDay),
    ("__2", Chunk::UnderscoreYearDay),
    ("3", Chunk::Hour12),
    ("4", Chunk::Minute),
    ("5", Chunk::Second),
    ("PM", Chunk::UpperHalf),
    ("pm", Chunk::LowerHalf),
    ("070000", Chunk::Offset(offset(false, true, true))),
    ("07:00:00", Chunk::Offset(offset(true, true, true))),
    ("0700", Chunk::Offset(offset(false, true, false))),
    ("07:00", Chunk::Offset(offset(true, true, false))),
    ("07", Chunk::Offset(offset(false, false, false))),
];

const fn offset(colons: bool, minutes: bool, seconds: bool) -> Offset {
    Offset {
        z: false,
        colons,
        minutes,
        seconds,
    }
}

/// The chunk that a layout begins with, and its length.
fn at_start(layout: &str) -> Option<(Chunk, usize)> {
    let first = layout.chars().next()?;
    if matches!(first, '.' | ',') {
        return fraction(layout, first);
    }
    let signed = matches!(first, '-' | 'Z');
    let searched = if signed { &layout[1..] } else { layout };
    FIXED.iter().find_map(|(text, chunk)| {
        let rest = searched.strip_prefix(text)?;
        match chunk {
            Chunk::Offset(offset) if signed => {
                let offset = Offset {
                    z: first == 'Z',
                    ..*offset
                };
                return Some((Chunk::Offset(offset), text.len() + 1));
            }
            Chunk::Offset(_) => return None,
            _ if signed => return None,
            // `Janet` and `Month` are no abbreviations.
            Chunk::Month | Chunk::Weekday if rest.starts_with(|c: char| c.is_ascii_lowercase()) => {
                return None;
            }
            _ => {}
        }
        Some((*chunk, text.len()))
    })
}

fn fraction(layout: &str, separator: char) -> Option<(Chunk, usize)> {
    let digit = layout[1..]
        .chars()
        .next()
        .filter(|digit| matches!(digit, '0' | '9'))?;
    let digits = layout[1..].chars().take_while(|c| *c == digit).count();
    let ends = !layout[1 + digits..].starts_with(|c: char| c.is_ascii_digit());
    let chunk = Chunk::Fraction {
        separator,
        digits,
        trimmed: digit == '9',
    };
    ends.then_some((chunk, digits + 1))
}
