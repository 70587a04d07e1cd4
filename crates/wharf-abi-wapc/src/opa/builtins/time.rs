//! Times: nanoseconds since 1970, in the years from 1677 to 2262, and what they are in a time zone.
//!
//! The time zones are those that are compiled in, and `Local` is UTC: a policy gives the same answer on each host.

mod calendar;
mod duration;
mod format;
mod layout;
mod parse;

use calendar::{Civil, Moment, Zone, days_in_month};
use layout::named;

use super::{Builtin, Context, Failure, Operand, Outcome};
use crate::opa::value::{Integer, Value};

pub(super) const TABLE: &[Builtin] = &[
    Builtin {
        name: "time.add_date",
        arity: 4,
        run: add_date,
    },
    Builtin {
        name: "time.clock",
        arity: 1,
        run: clock,
    },
    Builtin {
        name: "time.date",
        arity: 1,
        run: date,
    },
    Builtin {
        name: "time.diff",
        arity: 2,
        run: diff,
    },
    Builtin {
        name: "time.format",
        arity: 1,
        run: format,
    },
    Builtin {
        name: "time.now_ns",
        arity: 0,
        run: |context, _| Ok(Value::from(context.now_ns)),
    },
    Builtin {
        name: "time.parse_duration_ns",
        arity: 1,
        run: |_, arguments| Ok(Value::from(duration::parse(arguments[0].as_str()?)?)),
    },
    Builtin {
        name: "time.parse_ns",
        arity: 2,
        run: |_, arguments| parse_ns(arguments[0].as_str()?, arguments[1].as_str()?),
    },
    Builtin {
        name: "time.parse_rfc3339_ns",
        arity: 1,
        run: |_, arguments| parse_ns("RFC3339", arguments[0].as_str()?),
    },
    Builtin {
        name: "time.weekday",
        arity: 1,
        run: weekday,
    },
];

/// The most bytes of a layout.
const MOST_LAYOUT: usize = 16 << 10;

/// A time, the zone to see it in, and a layout, where the argument has one: a number of nanoseconds, or an array with them,
/// the zone and the layout.
fn moment(value: &Value) -> Result<(Moment, &str), Failure> {
    let (ns, zone, layout) = match value {
        Value::Array(parts) => (
            parts.first().ok_or(Failure::Undefined)?,
            parts.get(1),
            parts.get(2),
        ),
        other => (other, None, None),
    };
    let Integer::Is(ns) = ns.as_number()?.to_integer() else {
        return Err(Failure::Undefined);
    };
    let zone = match zone {
        Some(zone) => Zone::named(zone.as_str()?)?,
        None => Zone::UTC,
    };
    let layout = layout.map_or(Ok(""), Operand::as_str)?;
    let ns = i64::try_from(ns).map_err(|_| Failure::Undefined)?;
    Ok((Moment { ns, zone }, layout))
}

fn numbers(numbers: impl IntoIterator<Item = i64>) -> Value {
    Value::Array(numbers.into_iter().map(Value::from).collect())
}

fn date(_: &mut Context, arguments: &[Value]) -> Outcome {
    let civil = moment(&arguments[0])?.0.civil();
    Ok(numbers([civil.year, civil.month, civil.day]))
}

fn clock(_: &mut Context, arguments: &[Value]) -> Outcome {
    let civil = moment(&arguments[0])?.0.civil();
    Ok(numbers([civil.hour, civil.minute, civil.second]))
}

fn weekday(_: &mut Context, arguments: &[Value]) -> Outcome {
    let civil = moment(&arguments[0])?.0.civil();
    Ok(Value::string(civil.weekday()))
}

/// The date goes beyond the ends of months as in Go: a month after 31 January is 2 or 3 March.
fn add_date(_: &mut Context, arguments: &[Value]) -> Outcome {
    let (moment, _) = moment(&arguments[0])?;
    let civil = moment.civil();
    let add = |to: i64, index: usize| Ok(i128::from(to) + i128::from(arguments[index].as_i64()?));
    let (year, month, day) = (add(civil.year, 1)?, add(civil.month, 2)?, add(civil.day, 3)?);
    let ns = civil.with_date(year, month, day, &moment.zone)?;
    Ok(Value::from(ns))
}

/// The years, months, days, hours, minutes and seconds between two times, in the zone of the first.
fn diff(_: &mut Context, arguments: &[Value]) -> Outcome {
    let (one, _) = moment(&arguments[0])?;
    let (other, _) = moment(&arguments[1])?;
    let in_zone = |ns: i64| {
        let zone = one.zone.clone();
        Moment { ns, zone }.civil()
    };
    let (from, to): (Civil, Civil) = (in_zone(one.ns.min(other.ns)), in_zone(one.ns.max(other.ns)));
    let mut parts = [
        to.year - from.year,
        to.month - from.month,
        to.day - from.day,
        to.hour - from.hour,
        to.minute - from.minute,
        to.second - from.second,
    ];
    let rounds = [12, days_in_month(from.year, from.month), 24, 60, 60];
    // What is negative takes one of the next larger unit, from the seconds up.
    for index in (1..parts.len()).rev() {
        if parts[index] < 0 {
            parts[index] += rounds[index - 1];
            parts[index - 1] -= 1;
        }
    }
    Ok(numbers(parts))
}

fn format(_: &mut Context, arguments: &[Value]) -> Outcome {
    let (moment, layout) = moment(&arguments[0])?;
    let layout = if layout.is_empty() { "RFC3339Nano" } else { layout };
    Ok(Value::String(format::format(&moment, short(named(layout))?)))
}

fn parse_ns(layout: &str, text: &str) -> Outcome {
    let (seconds, nanosecond) = parse::parse(short(named(layout))?, text)?;
    calendar::unix_ns(seconds, nanosecond).map(Value::from)
}

/// Whether a text is a time, of whichever year, in this layout.
pub(super) fn is_time(layout: &str, text: &str) -> bool {
    parse::parse(layout, text).is_ok()
}

/// A layout that is not too long.
fn short(layout: &str) -> Result<&str, Failure> {
    match layout.len() {
        0..=MOST_LAYOUT => Ok(layout),
        _ => Err(Failure::Limit("a layout of times has more than 16KiB")),
    }
}

#[cfg(test)]
mod tests;
