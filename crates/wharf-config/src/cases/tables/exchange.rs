//! What a filter goes through.

use crate::table::{Field, Kind, Presence, Section, TEXT, milliseconds, seconds};

use super::expect::{CALLOUTS_MADE_KEY, EXPECT, FAULT_KEY, LOG_CONTAINS_KEY, LOG_KEY};
use super::kinds::{
    CALLOUTS, CONTENT, CONTENT_KIND_STATIC, CONTENTS, HEADERS, METHOD, PROPERTIES, REQUEST_PATH, STATUS,
};
use super::{MORE_CALLOUTS_DOC, MORE_PROPERTIES_DOC, START_DOC, key};

const TICKS: Kind = Kind::Integer { min: 0, max: 100_000 };

const fn after(doc: &'static str) -> Field {
    key(
        "after",
        Kind::Duration {
            min: milliseconds(0),
            max: seconds(100 * 365 * 24 * 3600),
        },
        Presence::Absent("no time passes"),
        doc,
    )
}

const fn queued(doc: &'static str) -> Field {
    key(
        "queued",
        Kind::Map {
            key: "queue",
            value: &CONTENTS,
        },
        Presence::Absent("nothing"),
        doc,
    )
}

/// What happens before the first request.
pub(in crate::cases) static START: Section = Section {
    id: "start",
    doc: START_DOC,
    fields: &[
        key(
            "refused",
            Kind::Bool,
            Presence::Default("false"),
            "Whether the filter refuses to start or refuses its configuration. Look for the reason in its log.",
        ),
        FAULT_KEY,
        LOG_KEY,
        LOG_CONTAINS_KEY,
        CALLOUTS_MADE_KEY,
        after("How much time passes, after the filter has started."),
        queued("What others then put on its shared queues."),
        key(
            "callouts",
            CALLOUTS,
            Presence::Absent("what the case says"),
            MORE_CALLOUTS_DOC,
        ),
        key(
            "ticks",
            TICKS,
            Presence::Default("0"),
            "How many ticks then pass before the first request.",
        ),
    ],
};

/// A request.
pub(in crate::cases) static EXCHANGE: Section = Section {
    id: "exchange",
    doc: "A request, what the upstream answers to it, what else happens, and what is expected.",
    fields: &[
        key(
            "request",
            Kind::Section(&REQUEST),
            Presence::Absent("`GET /`"),
            "What the client sends.",
        ),
        key(
            "response",
            Kind::Section(&RESPONSE),
            Presence::Absent("200 and nothing else"),
            "What the upstream answers, where the request reaches it.",
        ),
        key(
            "callouts",
            CALLOUTS,
            Presence::Absent("what the case says"),
            MORE_CALLOUTS_DOC,
        ),
        key(
            "ticks",
            TICKS,
            Presence::Default("0"),
            "How many ticks pass: while the filter holds the exchange, and what is left after it.",
        ),
        after("How much time passes before the request."),
        queued("What others put on its shared queues before the request."),
        key(
            "properties",
            PROPERTIES,
            Presence::Absent("those of the case"),
            MORE_PROPERTIES_DOC,
        ),
        key(
            "expect",
            Kind::Section(&EXPECT),
            Presence::Absent("that it goes through without a fault and is not held for ever"),
            "What is expected. What is not named is not looked at, but for faults, breaking off and holding for ever: these \
             fail the case unless they are expected.",
        ),
    ],
};

/// The client's request.
pub(in crate::cases) static REQUEST: Section = Section {
    id: "request",
    doc: "What the client sends. A body announces its `content-length` unless trailers follow.",
    fields: &[
        key("method", METHOD, Presence::Default("GET"), "The method."),
        key(
            "path",
            REQUEST_PATH,
            Presence::Default("/"),
            "The path with the query.",
        ),
        HEADERS_KEY,
        BODY_KEY,
        TRAILERS_KEY,
    ],
};

/// The upstream's response.
pub(in crate::cases) static RESPONSE: Section = Section {
    id: "response",
    doc: "What the upstream answers.",
    fields: &[STATUS_KEY, HEADERS_KEY, BODY_KEY, TRAILERS_KEY],
};

/// The answer to a call-out.
pub(in crate::cases) static ANSWER: Section = Section {
    id: "answer",
    doc: "What an upstream answers to a call-out.",
    fields: &[STATUS_KEY, HEADERS_KEY, BODY_KEY, TRAILERS_KEY],
};

static BODY: [Kind; 3] = [
    TEXT,
    Kind::Section(&CONTENT),
    Kind::List {
        item: &CONTENT_KIND_STATIC,
        min: 0,
    },
];

const STATUS_KEY: Field = key("status", STATUS, Presence::Default("200"), "The status.");
const HEADERS_KEY: Field = key("headers", HEADERS, Presence::Absent("none"), "The headers.");
const BODY_KEY: Field = key(
    "body",
    Kind::Either(&BODY),
    Presence::Absent("empty"),
    "The body. A list has the pieces in which it comes, each with a callback of its own.",
);
const TRAILERS_KEY: Field = key("trailers", HEADERS, Presence::Absent("none"), "The trailers.");
