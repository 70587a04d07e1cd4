//! `.trivyignore.yaml`: the findings that are passed over.

use std::path::Path;

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::{Complaint, ConfigErrors, Diagnostic, quoted};
use crate::load::{FileKind, decode};
use crate::table::{Field, Kind, Presence, Section, TEXT, TextRule};

/// What a `.trivyignore.yaml` says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrivyIgnore {
    /// The vulnerabilities that are passed over.
    pub vulnerabilities: Vec<IgnoreEntry>,
    /// The misconfigurations that are passed over.
    pub misconfigurations: Vec<IgnoreEntry>,
    /// The secrets that are passed over.
    pub secrets: Vec<IgnoreEntry>,
    /// The licenses that are passed over.
    pub licenses: Vec<IgnoreEntry>,
    /// What is probably not meant, such as keys that nobody knows.
    pub warnings: Vec<Diagnostic>,
}

/// One entry of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IgnoreEntry {
    /// The id of a vulnerability, a check or a rule, or the name of a license.
    pub id: String,
    /// Patterns of paths; for all paths where there is none. They are not checked here.
    pub paths: Vec<String>,
    /// Package URLs; for all packages where there is none. They are not checked here.
    pub purls: Vec<String>,
    /// The moment from which the entry does not count any more, as RFC 3339 writes it.
    pub expired_at: Option<String>,
    /// Why it is passed over.
    pub statement: String,
    /// The line of the entry, from 1, for messages.
    pub line: usize,
}

const FILE: FileKind = FileKind {
    what: "the ignore file",
    name: ".trivyignore.yaml",
    start: "write `vulnerabilities:` and below it `- id: CVE-…`; for no entries write `{}`",
};

static ROOT: Section = Section {
    id: "trivyIgnore",
    doc: "The findings that are passed over, by their kind.",
    fields: &[
        list("vulnerabilities", "Vulnerabilities, by their ids."),
        list(
            "misconfigurations",
            "Misconfigurations, by the ids of their checks.",
        ),
        list("secrets", "Secrets, by the ids of their rules."),
        list("licenses", "Licenses, by their names."),
    ],
};

const fn list(key: &'static str, doc: &'static str) -> Field {
    Field {
        key,
        kind: ENTRIES,
        presence: Presence::Absent("none"),
        doc,
    }
}

const ENTRIES: Kind = Kind::List {
    item: &Kind::Loose(&ENTRY),
    min: 0,
};

static ENTRY: Section = Section {
    id: "trivyIgnoreEntry",
    doc: "A finding that is passed over.",
    fields: &[
        Field {
            key: "id",
            kind: Kind::TextOrNumber,
            presence: Presence::Required,
            doc: "The id of the finding.",
        },
        Field {
            key: "paths",
            kind: TEXTS,
            presence: Presence::Absent("all"),
            doc: "Patterns of the paths in which it is passed over.",
        },
        Field {
            key: "purls",
            kind: TEXTS,
            presence: Presence::Absent("all"),
            doc: "The packages for which it is passed over.",
        },
        Field {
            key: "expired_at",
            kind: MOMENT,
            presence: Presence::Absent("never"),
            doc: "The moment from which it is not passed over any more.",
        },
        Field {
            key: "statement",
            kind: TEXT,
            presence: Presence::Absent("none"),
            doc: "Why it is passed over.",
        },
    ],
};

const TEXTS: Kind = Kind::List { item: &TEXT, min: 0 };

const MOMENT: Kind = Kind::Text(TextRule {
    what: "a day such as `2030-01-31`",
    pattern: "^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?$",
    example: "2030-01-31",
});

/// Reads a `.trivyignore.yaml`. `path` is its name for messages. Keys that are not known are warned of, as Trivy passes
/// over them.
///
/// # Errors
/// All that is wrong with it, in one go; when it is larger than 1 MiB or is not YAML, only that.
pub fn parse_trivyignore_yaml(path: &Path, text: &str) -> Result<TrivyIgnore, ConfigErrors> {
    let (mut ignore, warnings) = decode(text, path, &FILE, None, decode_root)?;
    ignore.warnings = warnings;
    Ok(ignore)
}

fn decode_root(cx: &mut Context<'_>, item: &Item<'_>) -> Option<TrivyIgnore> {
    let fields = Fields::open_loose(cx, item, &ROOT)?;
    let mut entries = |key| {
        let items = fields.list(cx, key).unwrap_or_default();
        items
            .iter()
            .filter_map(|item| decode_entry(cx, item))
            .collect::<Vec<_>>()
    };
    Some(TrivyIgnore {
        vulnerabilities: entries("vulnerabilities"),
        misconfigurations: entries("misconfigurations"),
        secrets: entries("secrets"),
        licenses: entries("licenses"),
        warnings: Vec::new(),
    })
}

fn decode_entry(cx: &mut Context<'_>, item: &Item<'_>) -> Option<IgnoreEntry> {
    let fields = Fields::open_loose(cx, item, &ENTRY)?;
    let expired_at = fields.item("expired_at").and_then(|item| decode_moment(cx, item));
    Some(IgnoreEntry {
        id: fields.text(cx, "id")?,
        paths: decode_texts(cx, &fields, "paths"),
        purls: decode_texts(cx, &fields, "purls"),
        expired_at,
        statement: fields.text(cx, "statement").unwrap_or_default(),
        line: cx.line(&item.span()),
    })
}

fn decode_texts(cx: &mut Context<'_>, fields: &Fields<'_>, key: &str) -> Vec<String> {
    let items = fields.list(cx, key).unwrap_or_default();
    items
        .iter()
        .filter_map(|item| item.text(cx, &TEXT).map(str::to_owned))
        .collect()
}

/// A day or a moment in the forms that YAML has for them, as RFC 3339 writes it.
fn decode_moment(cx: &mut Context<'_>, item: &Item<'_>) -> Option<String> {
    let text = item.text(cx, &MOMENT)?;
    let moment = moment(text);
    if moment.is_none() {
        let message = format!("{} cannot be {}", item.name(), quoted(text));
        cx.error(
            Complaint::new(item.span(), message)
                .hint("write a day such as `2030-01-31`, or `2030-01-31T12:00:00Z`"),
        );
    }
    moment
}

fn moment(text: &str) -> Option<String> {
    let (day, time) = match text.find(['T', 't', ' ']) {
        Some(at) => {
            let (day, time) = text.split_at(at);
            (day, Some(time.get(1..)?))
        }
        None => (text, None),
    };
    let mut parts = day.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 || month.len() > 2 || day.len() > 2 {
        return None;
    }
    let (year, month, day) = (number(year)?, number(month)?, number(day)?);
    if !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
        return None;
    }
    let time = time.map_or_else(|| Some("00:00:00Z".to_owned()), time_of_day)?;
    Some(format!("{year:04}-{month:02}-{day:02}T{time}"))
}

fn number(text: &str) -> Option<u32> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

fn days_of(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// `1:02:03.5Z`, `01:02:03+02:00`, `01:02:03` (in UTC).
fn time_of_day(text: &str) -> Option<String> {
    let end = text.find(['Z', '+', '-']).unwrap_or(text.len());
    let (clock, offset) = text.split_at(end);
    let clock = clock.trim_end_matches([' ', '\t']);
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = whole.split(':');
    let (hour, minute, second) = (
        number(parts.next()?)?,
        number(parts.next()?)?,
        number(parts.next()?)?,
    );
    let good_fraction = fraction.len() <= 9 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 || !good_fraction {
        return None;
    }
    let dot = if fraction.is_empty() { "" } else { "." };
    let offset = match offset {
        "" | "Z" => "Z".to_owned(),
        offset => zone(offset)?,
    };
    Some(format!(
        "{hour:02}:{minute:02}:{second:02}{dot}{fraction}{offset}"
    ))
}

fn zone(offset: &str) -> Option<String> {
    let (sign, rest) = offset.split_at_checked(1)?;
    let (hours, minutes) = rest.split_once(':').unwrap_or((rest, "00"));
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then(|| format!("{sign}{hours:02}:{minutes:02}"))
}
