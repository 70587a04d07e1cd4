//! What is expected.

use crate::cases::expect::FAULTS;
use crate::table::{Field, Kind, Presence, Section, TEXT};

use super::kinds::{
    CALL_KIND, CALL_LINE, CONTENT, CONTENT_KIND, CONTENTS, HEADER_OR_NAME, LOG_LINE_KIND, LOG_TEXT_KIND,
    METHOD, NAME_OF_HEADER, NUMBER, REQUEST_PATH, STATUS,
};
use super::{EXPECT_DOC, key};

pub(super) const FAULT_KEY: Field = key(
    "fault",
    Kind::Choice(FAULTS),
    Presence::Absent("a fault fails the case"),
    "The kind of the fault with which this ends.",
);
pub(super) const LOG_KEY: Field = key(
    "log",
    Kind::List {
        item: &LOG_LINE_KIND,
        min: 0,
    },
    Presence::Absent("not looked at"),
    "All lines of the log, in order, as `level: message`.",
);
pub(in crate::cases) const LOG_CONTAINS_KEY: Field = key(
    "logContains",
    Kind::List {
        item: &LOG_TEXT_KIND,
        min: 1,
    },
    Presence::Absent("not looked at"),
    "Texts that stand in lines of the log, in any order.",
);
pub(super) const CALLOUTS_MADE_KEY: Field = key(
    "calloutsMade",
    Kind::List {
        item: &CALL_KIND,
        min: 0,
    },
    Presence::Absent("not looked at"),
    "All call-outs, in order.",
);

/// What is expected of an exchange.
pub(in crate::cases) static EXPECT: Section = Section {
    id: "expect",
    doc: "What is expected of an exchange.",
    fields: &[
        key(
            "upstream",
            Kind::Either(&[Kind::Section(&UPSTREAM), Kind::Null]),
            Presence::Absent("not looked at"),
            "What the upstream gets; `null`: nothing.",
        ),
        key(
            "client",
            Kind::Either(&[Kind::Section(&CLIENT), Kind::Null]),
            Presence::Absent("not looked at"),
            "What the client gets; `null`: nothing.",
        ),
        key(
            "reply",
            Kind::Either(&[Kind::Section(&REPLY), Kind::Null]),
            Presence::Absent("not looked at"),
            "That the filter answers by itself; `null`: that it does not.",
        ),
        key(
            "paused",
            Kind::Either(&[Kind::Choice(&["request", "response"]), Kind::Null]),
            Presence::Absent("holding for ever fails the case"),
            "Which message the filter holds when nothing comes any more that could let it go on.",
        ),
        key(
            "reset",
            Kind::Bool,
            Presence::Absent("breaking off fails the case"),
            "Whether the exchange is broken off.",
        ),
        FAULT_KEY,
        LOG_KEY,
        LOG_CONTAINS_KEY,
        CALLOUTS_MADE_KEY,
    ],
};

const PATTERNS: Kind = Kind::List {
    item: &HEADER_OR_NAME,
    min: 0,
};

const fn added(doc: &'static str) -> Field {
    key("added", PATTERNS, Presence::Absent("not looked at"), doc)
}

const REMOVED_KEY: Field = key(
    "removed",
    PATTERNS,
    Presence::Absent("not looked at"),
    "All headers that the filter was given and that are not here any more, with the same rules.",
);
const HAS_HEADERS_KEY: Field = key(
    "headers",
    PATTERNS,
    Presence::Absent("not looked at"),
    "Headers that are here, whoever put them here. A name alone means any value.",
);
const ABSENT_KEY: Field = key(
    "absent",
    Kind::List {
        item: &NAME_OF_HEADER,
        min: 0,
    },
    Presence::Absent("not looked at"),
    "Names of headers that are not here.",
);
const HAS_BODY_KEY: Field = key(
    "body",
    CONTENT_KIND,
    Presence::Absent("not looked at"),
    "The whole body.",
);
const BODY_CONTAINS_KEY: Field = key(
    "bodyContains",
    Kind::List { item: &TEXT, min: 1 },
    Presence::Absent("not looked at"),
    "Texts that stand in the body.",
);
const HAS_TRAILERS_KEY: Field = key(
    "trailers",
    PATTERNS,
    Presence::Absent("not looked at"),
    "All trailers; the order among different names does not matter.",
);

/// What the upstream is expected to get.
pub(in crate::cases) static UPSTREAM: Section = Section {
    id: "upstream",
    doc: "What the upstream gets.",
    fields: &[
        key("method", METHOD, Presence::Absent("not looked at"), "The method."),
        key(
            "path",
            REQUEST_PATH,
            Presence::Absent("not looked at"),
            "The path with the query.",
        ),
        added(
            "All headers that the client did not send so; the order among different names does not matter. A name alone \
             means any value. `:path` and its like count as headers, unless they are given as keys beside.",
        ),
        REMOVED_KEY,
        HAS_HEADERS_KEY,
        ABSENT_KEY,
        HAS_BODY_KEY,
        BODY_CONTAINS_KEY,
        HAS_TRAILERS_KEY,
    ],
};

/// What the client is expected to get.
pub(in crate::cases) static CLIENT: Section = Section {
    id: "client",
    doc: "What the client gets.",
    fields: &[
        key("status", STATUS, Presence::Absent("not looked at"), "The status."),
        added(
            "All headers that the upstream did not answer so; where the filter answers by itself, all but `:status`. The \
             order among different names does not matter. A name alone means any value. `:status` counts as a header, unless \
             `status` is given beside.",
        ),
        REMOVED_KEY,
        HAS_HEADERS_KEY,
        ABSENT_KEY,
        HAS_BODY_KEY,
        BODY_CONTAINS_KEY,
        HAS_TRAILERS_KEY,
    ],
};

/// The filter's own answer.
pub(in crate::cases) static REPLY: Section = Section {
    id: "reply",
    doc: "An answer that does not come from the upstream. What the client gets of it, `client` says.",
    fields: &[
        key("status", STATUS, Presence::Absent("not looked at"), "The status."),
        key(
            "details",
            TEXT,
            Presence::Absent("not looked at"),
            "The reason that stands in the access log.",
        ),
        key(
            "by",
            Kind::Choice(&["filter", "wharf"]),
            Presence::Default("filter"),
            "Who answers: the filter, or Wharf because the filter has failed or holds more of a body than it may.",
        ),
    ],
};

/// A call-out in all that can be said of it.
pub(in crate::cases) static CALL: Section = Section {
    id: "call",
    doc: "A call-out.",
    fields: &[
        key(
            "call",
            CALL_LINE,
            Presence::Required,
            "The upstream, the method and the path.",
        ),
        HAS_HEADERS_KEY,
        ABSENT_KEY,
        HAS_BODY_KEY,
        BODY_CONTAINS_KEY,
        HAS_TRAILERS_KEY,
    ],
};

/// What is expected of a case.
pub(in crate::cases) static OUTCOME: Section = Section {
    id: "outcome",
    doc: EXPECT_DOC,
    fields: &[
        key(
            "metrics",
            Kind::Map {
                key: "metric",
                value: &Kind::Either(&[NUMBER, Kind::Section(&HISTOGRAM)]),
            },
            Presence::Absent("not looked at"),
            "What the filter's metrics are after the last request; those that are not named are not looked at.",
        ),
        key(
            "sharedData",
            Kind::Map {
                key: "key",
                value: &Kind::Either(&[TEXT, Kind::Section(&CONTENT), Kind::Null]),
            },
            Presence::Absent("not looked at"),
            "What stands in the shared data; `null`: nothing.",
        ),
        key(
            "queues",
            Kind::Map {
                key: "queue",
                value: &CONTENTS,
            },
            Presence::Absent("not looked at"),
            "What waits in shared queues that the filter has registered.",
        ),
        key(
            "fault",
            Kind::Choice(FAULTS),
            Presence::Absent("a fault fails the case"),
            "The kind of the fault with which the filter ends after the last request.",
        ),
        key(
            "log",
            Kind::List {
                item: &LOG_LINE_KIND,
                min: 0,
            },
            Presence::Absent("not looked at"),
            "All lines of the log from the start to the end, in order, as `level: message`.",
        ),
        LOG_CONTAINS_KEY,
        key(
            "refused",
            Kind::Bool,
            Presence::Default("false"),
            "The same as `refused` under `start`.",
        ),
    ],
};

/// A histogram.
pub(in crate::cases) static HISTOGRAM: Section = Section {
    id: "histogram",
    doc: "What a histogram has.",
    fields: &[
        key(
            "count",
            NUMBER,
            Presence::Absent("not looked at"),
            "How many values were recorded.",
        ),
        key(
            "sum",
            NUMBER,
            Presence::Absent("not looked at"),
            "What they are together.",
        ),
    ],
};
