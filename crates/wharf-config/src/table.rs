//! How the sections of the file are described: once, for the decoder, the JSON Schema and the reference.

use std::time::Duration;

use wharf_plugin::ByteSize;
use wharf_plugin::units::format_duration;

/// A mapping in the file with a fixed set of keys.
pub(crate) struct Section {
    /// Its name in the JSON Schema.
    pub(crate) id: &'static str,
    /// What it is for, in whole sentences.
    pub(crate) doc: &'static str,
    /// Its keys, in the order in which the reference shows them.
    pub(crate) fields: &'static [Field],
}

/// One key of a section.
pub(crate) struct Field {
    pub(crate) key: &'static str,
    pub(crate) kind: Kind,
    pub(crate) presence: Presence,
    /// What it means, in whole sentences.
    pub(crate) doc: &'static str,
}

/// What happens when a key is not given.
pub(crate) enum Presence {
    Required,
    /// It is as if this had been written.
    Default(&'static str),
    /// In words.
    Absent(&'static str),
}

/// What may stand behind a key.
pub(crate) enum Kind {
    Bool,
    Integer {
        min: i64,
        max: i64,
    },
    Size {
        min: ByteSize,
        max: ByteSize,
    },
    Duration {
        min: Duration,
        max: Duration,
    },
    /// One of some words.
    Choice(&'static [&'static str]),
    Text(TextRule),
    TextOrNumber,
    /// Text as it is; anything else is handed on as JSON.
    Payload,
    Section(&'static Section),
    /// A section of a format that is not Wharf's own, whose other readers pass over keys that they do not know: such
    /// keys are only warned of.
    Loose(&'static Section),
    List {
        item: &'static Kind,
        /// The fewest items.
        min: usize,
    },
    Map {
        /// What the keys are, for the reference.
        key: &'static str,
        value: &'static Kind,
    },
    /// `null`, where it is a value and not the lack of one.
    Null,
    /// One of several shapes.
    Either(&'static [Kind]),
}

/// Text of a certain form. The form itself is checked by the decoder; this describes it.
pub(crate) struct TextRule {
    /// What it is, with an article.
    pub(crate) what: &'static str,
    /// A regular expression that all good texts match, for editors; empty for any text.
    pub(crate) pattern: &'static str,
    pub(crate) example: &'static str,
}

impl Section {
    pub(crate) fn field(&self, key: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.key == key)
    }
}

impl Kind {
    /// What it is, with an article, as in "expected a size".
    pub(crate) fn with_article(&self) -> String {
        match self {
            Self::Bool => "`true` or `false`".to_owned(),
            Self::Integer { .. } => "a whole number".to_owned(),
            Self::Size { .. } => "a size such as `64MiB`".to_owned(),
            Self::Duration { .. } => "a duration such as `50ms`".to_owned(),
            Self::Choice(words) => word_list(words),
            Self::Text(rule) => rule.what.to_owned(),
            Self::TextOrNumber => "text or a number".to_owned(),
            Self::Payload => "text or any other value".to_owned(),
            Self::Section(_) | Self::Loose(_) | Self::Map { .. } => "a mapping".to_owned(),
            Self::List { .. } => "a list".to_owned(),
            Self::Null => "`null`".to_owned(),
            Self::Either(kinds) => kinds
                .iter()
                .map(Self::with_article)
                .collect::<Vec<_>>()
                .join(" or "),
        }
    }

    /// Whether `null` is a value here, and not the lack of one.
    pub(crate) fn takes_null(&self) -> bool {
        matches!(self, Self::Either(kinds) if kinds.iter().any(|kind| matches!(kind, Self::Null)))
    }

    /// The bounds of a number with a unit or without, in words.
    pub(crate) fn bounds(&self) -> Option<String> {
        match self {
            Self::Integer { min, max } => Some(format!("{min} to {max}")),
            Self::Size { min, max } => Some(format!("{min} to {max}")),
            Self::Duration { min, max } => {
                Some(format!("{} to {}", format_duration(*min), format_duration(*max)))
            }
            _ => None,
        }
    }
}

/// `a`, `b` or `c`.
pub(crate) fn word_list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// A number of seconds that is a bound, written shortly in tables.
pub(crate) const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A number of milliseconds that is a bound or a default, written shortly in tables.
pub(crate) const fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Any text.
pub(crate) const TEXT: Kind = Kind::Text(TextRule {
    what: "text",
    pattern: "",
    example: "",
});

/// An address to listen on.
pub(crate) const ADDRESS: Kind = Kind::Text(TextRule {
    what: "an address and a port such as `127.0.0.1:8080`",
    pattern: "^(\\[[0-9a-fA-F:.%]+\\]|[0-9.]+):[0-9]{1,5}$",
    example: "127.0.0.1:8080",
});

/// A name that stands in logs and metrics.
pub(crate) const NAME: Kind = Kind::Text(TextRule {
    what: "a name",
    pattern: "^[A-Za-z0-9][-A-Za-z0-9_./]{0,62}$",
    example: "web",
});

/// A path of a file or directory, relative to the directory of the configuration file.
pub(crate) const PATH: Kind = Kind::Text(TextRule {
    what: "a path",
    pattern: "^.+$",
    example: "/var/log/wharf/access.log",
});
