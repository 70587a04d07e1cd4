//! What may stand behind several keys.

use crate::table::{Kind, Presence, Section, TEXT, TextRule};

use super::{ANSWER, CALL, key};

/// Bytes that are not given as text.
pub(in crate::cases) static CONTENT: Section = Section {
    id: "content",
    doc: "Bytes: one of `file`, `json`, `hex` and `text`.",
    fields: &[
        key(
            "file",
            Kind::Text(TextRule {
                what: "a path",
                pattern: "^.+$",
                example: "body.json",
            }),
            Presence::Absent("no file"),
            "The content of this file.",
        ),
        key(
            "json",
            Kind::Payload,
            Presence::Absent("no JSON"),
            "This value as JSON text without white space. Where a body is expected, white space and the order of keys do \
             not count.",
        ),
        key(
            "hex",
            Kind::TextOrNumber,
            Presence::Absent("no digits"),
            "These bytes, as pairs of hexadecimal digits.",
        ),
        key(
            "text",
            TEXT,
            Presence::Absent("no text"),
            "This text, as often as `times` says.",
        ),
        key(
            "times",
            Kind::Integer {
                min: 1,
                max: 100_000_000,
            },
            Presence::Default("1"),
            "How often the text of `text` stands there, to be at most 64 MiB.",
        ),
    ],
};

pub(in crate::cases) const CASE_NAME: Kind = Kind::Text(TextRule {
    what: "a name such as `adds the greeting`",
    pattern: "\\S",
    example: "adds the greeting",
});

pub(in crate::cases) const REFERENCE: Kind = Kind::Text(TextRule {
    what: "a path or a reference such as `../greet.wasm`",
    pattern: "^.+$",
    example: "../greet.wasm",
});

pub(in crate::cases) const CLOCK: Kind = Kind::Text(TextRule {
    what: "`real` or a time such as `2025-01-31T12:30:00Z`",
    pattern: "^(real|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?Z)$",
    example: "2025-01-31T12:30:00Z",
});

pub(in crate::cases) const METHOD: Kind = Kind::Text(TextRule {
    what: "a method",
    pattern: "^[-A-Za-z]+$",
    example: "POST",
});

pub(in crate::cases) const REQUEST_PATH: Kind = Kind::Text(TextRule {
    what: "a path such as `/items?limit=1`",
    pattern: "^(/[^\\s]*|\\*)$",
    example: "/items?limit=1",
});

pub(in crate::cases) const STATUS: Kind = Kind::Integer { min: 200, max: 599 };

/// Any value of a metric.
pub(in crate::cases) const NUMBER: Kind = Kind::Integer {
    min: i64::MIN,
    max: i64::MAX,
};

pub(in crate::cases) const HEADER: Kind = Kind::Text(TextRule {
    what: "a header such as `\"accept: text/plain\"`",
    pattern: "^.[^:]*:",
    example: "accept: text/plain",
});

pub(super) static HEADER_KIND: Kind = Kind::Either(&[HEADER, PAIR]);
pub(super) const HEADERS: Kind = Kind::List {
    item: &HEADER_KIND,
    min: 0,
};

/// A header without its quotes.
pub(super) const PAIR: Kind = Kind::Map {
    key: "name",
    value: &Kind::TextOrNumber,
};

pub(super) const HEADER_TEXT: Kind = Kind::Text(TextRule {
    what: "a header such as `\"x-user: alice\"`, or its name",
    pattern: "^.+$",
    example: "x-user: alice",
});

pub(in crate::cases) static HEADER_OR_NAME: Kind = Kind::Either(&[HEADER_TEXT, PAIR]);

pub(in crate::cases) static NAME_OF_HEADER: Kind = Kind::Text(TextRule {
    what: "the name of a header",
    pattern: "^[^\\s]+$",
    example: "x-user",
});

pub(in crate::cases) const LOG_LINE: Kind = Kind::Text(TextRule {
    what: "a line such as `\"info: greeted\"`",
    pattern: "^(trace|debug|info|warn|error|critical):",
    example: "info: greeted",
});

pub(in crate::cases) static LOG_LINE_KIND: Kind = Kind::Either(&[LOG_LINE, PAIR]);
pub(super) static LOG_TEXT_KIND: Kind = Kind::Either(&[TEXT, PAIR]);

pub(in crate::cases) const CALL_LINE: Kind = Kind::Text(TextRule {
    what: "a call such as `\"auth: GET /check\"`",
    pattern: "^.+: [^ ]+ .+$",
    example: "auth: GET /check",
});

pub(super) static CALL_KIND: Kind = Kind::Either(&[CALL_LINE, Kind::Section(&CALL), PAIR]);

pub(super) static CONTENT_KIND_STATIC: Kind = CONTENT_KIND;
pub(super) const CONTENT_KIND: Kind = Kind::Either(&[TEXT, Kind::Section(&CONTENT)]);

/// Several bytes.
pub(in crate::cases) static CONTENTS: Kind = Kind::List {
    item: &CONTENT_KIND_STATIC,
    min: 0,
};

pub(super) const ANSWER_KIND: Kind = Kind::Either(&[Kind::Section(&ANSWER), Kind::Choice(&["fails"])]);
pub(super) static ANSWER_KIND_STATIC: Kind = ANSWER_KIND;

/// Several answers.
pub(in crate::cases) static ANSWERS: Kind = Kind::List {
    item: &ANSWER_KIND_STATIC,
    min: 1,
};

pub(super) const CALLOUTS: Kind = Kind::Map {
    key: "upstream",
    value: &Kind::Either(&[
        Kind::Section(&ANSWER),
        Kind::Choice(&["fails"]),
        Kind::List {
            item: &ANSWER_KIND_STATIC,
            min: 1,
        },
    ]),
};

pub(super) const PROPERTIES: Kind = Kind::Map {
    key: "path",
    value: &Kind::Either(&[
        TEXT,
        Kind::Integer {
            min: i64::MIN,
            max: i64::MAX,
        },
        Kind::Bool,
        Kind::Section(&CONTENT),
    ]),
};
