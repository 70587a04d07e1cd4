//! A section of the file: its known keys, the missing ones, and their values or defaults.

use std::time::Duration;

use wharf_plugin::ByteSize;
use wharf_plugin::units::parse_duration;

use crate::diagnostic::{Complaint, quoted};
use crate::nearest::nearest;
use crate::table::{Field, Kind, Presence, Section};
use crate::yaml::{Entry, Value};

use super::{Context, Item};

/// A section of the file whose keys are known and whose required keys are there.
pub(crate) struct Fields<'n> {
    section: &'static Section,
    given: Vec<(&'static str, Item<'n>)>,
}

impl<'n> Fields<'n> {
    /// Opens a section: reports what is no mapping, unknown keys and missing ones. Keys without a value count as not
    /// given. `None` where nothing in it can be read.
    pub(crate) fn open(cx: &mut Context<'_>, item: &Item<'n>, section: &'static Section) -> Option<Self> {
        Self::read(cx, item, section, |cx, entry| {
            cx.error_with(|| unknown_key(item, entry, section));
        })
    }

    /// The same, but unknown keys are only warned of.
    pub(crate) fn open_loose(
        cx: &mut Context<'_>,
        item: &Item<'n>,
        section: &'static Section,
    ) -> Option<Self> {
        Self::read(cx, item, section, |cx, entry| {
            cx.warn_with(|| unknown_key(item, entry, section));
        })
    }

    fn read(
        cx: &mut Context<'_>,
        item: &Item<'n>,
        section: &'static Section,
        unknown: impl Fn(&mut Context<'_>, &Entry),
    ) -> Option<Self> {
        let Value::Mapping(entries) = &item.node.value else {
            item.wrong_kind(cx, &Kind::Section(section));
            return None;
        };
        let mut given = Vec::new();
        for entry in entries {
            match section.field(&entry.key) {
                Some(field) if entry.value.is_null() && !field.kind.takes_null() => {}
                Some(field) => given.push((field.key, item.child(entry))),
                None => unknown(cx, entry),
            }
        }
        let fields = Self { section, given };
        fields.report_missing(cx, item);
        Some(fields)
    }

    /// A section that is not in the file: all its keys have their defaults.
    pub(crate) const fn absent(section: &'static Section) -> Self {
        Self {
            section,
            given: Vec::new(),
        }
    }

    fn report_missing(&self, cx: &mut Context<'_>, item: &Item<'n>) {
        let required = self
            .section
            .fields
            .iter()
            .filter(|field| matches!(field.presence, Presence::Required));
        for field in required.filter(|field| self.item(field.key).is_none()) {
            let complaint =
                Complaint::new(item.at.clone(), format!("{} has no `{}`", item.name(), field.key));
            cx.error(complaint.hint(missing_hint(field)));
        }
    }

    /// The value of a key, if it is given.
    pub(crate) fn item(&self, key: &str) -> Option<&Item<'n>> {
        self.given
            .iter()
            .find(|(given, _)| *given == key)
            .map(|(_, item)| item)
    }

    /// The value of a key together with what its table says of it.
    fn field(&self, key: &str) -> (&'static Field, Option<&Item<'n>>) {
        let field = self
            .section
            .field(key)
            .expect("a decoder asks only for keys that its table has");
        (field, self.item(key))
    }

    /// Whether the table has a key.
    pub(crate) fn knows(&self, key: &str) -> bool {
        self.section.field(key).is_some()
    }

    /// The kind that the table gives for a key.
    pub(crate) fn kind(&self, key: &str) -> &'static Kind {
        &self.field(key).0.kind
    }

    /// A section below this one; one with nothing but defaults where it is not given. `None` if it cannot be read.
    pub(crate) fn section(&self, cx: &mut Context<'_>, key: &str) -> Option<Self> {
        let (field, item) = self.field(key);
        let Kind::Section(section) = field.kind else {
            wrong_table(field)
        };
        item.map_or_else(
            || Some(Fields::absent(section)),
            |item| Fields::open(cx, item, section),
        )
    }

    pub(crate) fn text(&self, cx: &mut Context<'_>, key: &str) -> Option<String> {
        let (field, item) = self.field(key);
        match item {
            Some(item) => item.text(cx, &field.kind).map(str::to_owned),
            None => default_of(field).map(str::to_owned),
        }
    }

    pub(crate) fn bool(&self, cx: &mut Context<'_>, key: &str) -> Option<bool> {
        let (field, item) = self.field(key);
        item.map_or_else(
            || default_of(field).map(|default| default == "true"),
            |item| item.bool(cx),
        )
    }

    pub(crate) fn integer(&self, cx: &mut Context<'_>, key: &str) -> Option<i64> {
        let (field, item) = self.field(key);
        let Kind::Integer { min, max } = field.kind else {
            wrong_table(field)
        };
        match item {
            Some(item) => item.integer(cx, &field.kind, min, max),
            None => default_of(field)?.parse().ok(),
        }
    }

    pub(crate) fn size(&self, cx: &mut Context<'_>, key: &str) -> Option<ByteSize> {
        let (field, item) = self.field(key);
        let Kind::Size { min, max } = field.kind else {
            wrong_table(field)
        };
        match item {
            Some(item) => item.quantity(cx, &field.kind, str::parse, min..=max),
            None => default_of(field)?.parse().ok(),
        }
    }

    pub(crate) fn duration(&self, cx: &mut Context<'_>, key: &str) -> Option<Duration> {
        let (field, item) = self.field(key);
        let Kind::Duration { min, max } = field.kind else {
            wrong_table(field)
        };
        match item {
            Some(item) => item.quantity(cx, &field.kind, parse_duration, min..=max),
            None => parse_duration(default_of(field)?).ok(),
        }
    }

    pub(crate) fn choice(&self, cx: &mut Context<'_>, key: &str) -> Option<&'static str> {
        let (field, item) = self.field(key);
        let Kind::Choice(words) = field.kind else {
            wrong_table(field)
        };
        item.map_or_else(|| default_of(field), |item| item.choice(cx, words))
    }

    /// Bytes for a guest; none where the key is not given.
    pub(crate) fn payload(&self, cx: &mut Context<'_>, key: &str) -> Option<Vec<u8>> {
        self.field(key)
            .1
            .map_or_else(|| Some(Vec::new()), |item| item.payload(cx))
    }

    /// The items of a list; none where the key is not given.
    pub(crate) fn list(&self, cx: &mut Context<'_>, key: &str) -> Option<Vec<Item<'n>>> {
        let (field, item) = self.field(key);
        let Kind::List { min, .. } = field.kind else {
            wrong_table(field)
        };
        item.map_or_else(|| Some(Vec::new()), |item| item.list(cx, &field.kind, min))
    }

    /// The entries of a mapping with free keys; none where the key is not given.
    pub(crate) fn map(&self, cx: &mut Context<'_>, key: &str) -> Option<Vec<(&'n Entry, Item<'n>)>> {
        let (field, item) = self.field(key);
        item.map_or_else(|| Some(Vec::new()), |item| item.map(cx, &field.kind))
    }
}

fn unknown_key(item: &Item<'_>, entry: &Entry, section: &'static Section) -> Complaint {
    let place = if item.path.is_empty() {
        "at the top of the file".to_owned()
    } else {
        format!("in {}", item.name())
    };
    let complaint = Complaint::new(
        entry.key_span.clone(),
        format!("unknown key {} {place}", quoted(&entry.key)),
    );
    if entry.key == "<<" {
        return complaint
            .hint("merge keys are not understood; an alias (`*name`) can stand for a whole value");
    }
    let known = || section.fields.iter().map(|field| field.key);
    let all = format!(
        "the keys here are {}",
        known()
            .map(|key| format!("`{key}`"))
            .collect::<Vec<_>>()
            .join(", ")
    );
    complaint.hint(match nearest(&entry.key, known()) {
        Some(close) => format!("did you mean `{close}`? {all}"),
        None => all,
    })
}

fn missing_hint(field: &Field) -> String {
    match &field.kind {
        Kind::Text(rule) if !rule.example.is_empty() => {
            format!("add for example `{}: {}`", field.key, rule.example)
        }
        Kind::Integer { min, .. } => format!("add `{}: {min}`", field.key),
        _ => format!("add `{}:`. {}", field.key, field.doc),
    }
}

fn default_of(field: &Field) -> Option<&'static str> {
    match field.presence {
        Presence::Default(default) => Some(default),
        Presence::Required | Presence::Absent(_) => None,
    }
}

/// The decoder of a section and its table disagree, which is a mistake in this crate that any test of the section finds.
fn wrong_table(field: &Field) -> ! {
    unreachable!("the table gives another kind for `{}`", field.key)
}
