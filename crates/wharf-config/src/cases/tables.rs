//! The keys of files of cases.

mod exchange;
mod expect;
mod kinds;

use wharf_plugin::ByteSize;

use crate::table::{Field, Kind, Presence, Section, TEXT, milliseconds, seconds};

use super::clock;

pub(super) use self::exchange::{ANSWER, EXCHANGE, REQUEST, RESPONSE, START};
pub(super) use self::expect::{CALL, CLIENT, EXPECT, HISTOGRAM, LOG_CONTAINS_KEY, OUTCOME, REPLY, UPSTREAM};
pub(super) use self::kinds::{
    ANSWERS, CALL_LINE, CASE_NAME, CLOCK, CONTENT, CONTENTS, HEADER, HEADER_OR_NAME, LOG_LINE, LOG_LINE_KIND,
    METHOD, NAME_OF_HEADER, NUMBER, REFERENCE, REQUEST_PATH, STATUS,
};

use self::kinds::{CALLOUTS, CONTENT_KIND_STATIC, PROPERTIES};

/// Where the keys of the set-up stand, for the words that say what holds without them.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// At the top of a table, for all its cases.
    Table,
    /// In a case of a table.
    Case,
    /// At the top of a golden case.
    Golden,
}

impl Place {
    pub(super) const fn absent(self, words: &'static str) -> Presence {
        Presence::Absent(match self {
            Self::Case => "what the file says",
            Self::Table | Self::Golden => words,
        })
    }

    pub(super) const fn default(self, value: &'static str) -> Presence {
        match self {
            Self::Case => Presence::Absent("what the file says"),
            Self::Table | Self::Golden => Presence::Default(value),
        }
    }
}

pub(super) const fn key(key: &'static str, kind: Kind, presence: Presence, doc: &'static str) -> Field {
    Field {
        key,
        kind,
        presence,
        doc,
    }
}

const fn plugin(place: Place) -> Field {
    let presence = match place {
        Place::Golden => Presence::Required,
        Place::Table => Presence::Absent("each case says it"),
        Place::Case => Presence::Absent("what the file says"),
    };
    key(
        "plugin",
        REFERENCE,
        presence,
        "The filter: the path of a `.wasm` or `.wat` file, relative to this file, or a reference such as \
         `file:../greet.wasm`.",
    )
}

const fn config(place: Place) -> Field {
    key(
        "config",
        Kind::Payload,
        place.absent("empty"),
        "What the plugin is configured with: text as it is, anything else as JSON text with the keys in the order of the \
         file. A mapping with the only key `file` means the content of that file; put quotes around the whole to give such \
         a mapping itself.",
    )
}

const fn vm_config(place: Place) -> Field {
    key(
        "vmConfig",
        Kind::Payload,
        place.absent("empty"),
        "What the VM is given when it starts, in the same way.",
    )
}

const fn root_id(place: Place) -> Field {
    key(
        "rootId",
        TEXT,
        place.default(""),
        "Which root context of the module is meant, for modules with several.",
    )
}

const fn vm_id(place: Place) -> Field {
    key(
        "vmId",
        TEXT,
        place.default(""),
        "The id of the VM, as the filter sees it.",
    )
}

const fn env(place: Place) -> Field {
    key(
        "env",
        Kind::Map {
            key: "variable",
            value: &Kind::TextOrNumber,
        },
        place.absent("no variables"),
        "The environment variables that the filter sees. A case adds to those of its file.",
    )
}

const PROPERTIES_DOC: &str = "Properties that the filter may ask for, by their paths with dots, such as `source.address`. Text is given as it \
     is, a whole number as 8 bytes and a truth value as one, as the ABI has them. What stands in the messages is known \
     without.";

const MORE_PROPERTIES_DOC: &str =
    "Properties of this request alone, in the same way, beside those of the case.";

const fn properties(place: Place) -> Field {
    key("properties", PROPERTIES, place.absent("none"), PROPERTIES_DOC)
}

const fn allow_on_headers_stop_iteration(place: Place) -> Field {
    key(
        "allowOnHeadersStopIteration",
        Kind::Bool,
        place.default("false"),
        "Whether a filter that pauses in a headers callback still gets the body callbacks, as in the configuration.",
    )
}

const fn limits(place: Place) -> Field {
    key(
        "limits",
        Kind::Section(&LIMITS),
        place.absent("the defaults of each limit"),
        "What the filter may cost. A case changes those limits of its file that it names.",
    )
}

pub(super) const fn clock(place: Place) -> Field {
    key(
        "clock",
        CLOCK,
        place.default(clock::DEFAULT),
        "What the plugin's clocks show: a time in UTC, which goes on by a microsecond at each reading, by the period of \
         each tick, and by `after`; or `real`, the time of the machine.",
    )
}

pub(super) const fn random(place: Place) -> Field {
    key(
        "random",
        Kind::Choice(&["seeded", "real"]),
        place.default("seeded"),
        "Where the plugin's random bytes come from: `seeded` gives the same in each run, `real` never the same.",
    )
}

const CALLOUTS_DOC: &str = "What upstreams answer to call-outs, by their names; `fails` where one does not answer. The answers in a list are for \
     the calls to that upstream one after the other, the last one for all that follow; each request begins anew. An \
     upstream that is not named here does not answer.";
const MORE_CALLOUTS_DOC: &str =
    "What upstreams answer meanwhile, in the same way; those that are not named answer as the case says.";

const fn callouts(place: Place) -> Field {
    key("callouts", CALLOUTS, place.absent("nobody answers"), CALLOUTS_DOC)
}

const fn shared_data(place: Place) -> Field {
    key(
        "sharedData",
        Kind::Map {
            key: "key",
            value: &CONTENT_KIND_STATIC,
        },
        place.absent("none"),
        "The shared data that is there when the filter starts.",
    )
}

pub(super) const NAME_DOC: &str = "What the case shows. No other case of the file has the same name.";
const START_DOC: &str = "What happens before the first request, and what is expected of it.";
const REQUESTS_DOC: &str = "The requests, one after the other through one VM.";
const EXPECT_DOC: &str = "What is expected of the case as a whole.";

const START_KEY: Field = key(
    "start",
    Kind::Section(&START),
    Presence::Absent("the filter starts, and no more is looked at"),
    START_DOC,
);
static EXCHANGE_KIND: Kind = Kind::Section(&EXCHANGE);
const REQUESTS_KEY: Field = key(
    "requests",
    Kind::List {
        item: &EXCHANGE_KIND,
        min: 0,
    },
    Presence::Absent("none: the filter only starts and ends"),
    REQUESTS_DOC,
);
const EXPECT_KEY: Field = key(
    "expect",
    Kind::Section(&OUTCOME),
    Presence::Absent("nothing beside"),
    EXPECT_DOC,
);

/// A table of cases.
pub(super) static TABLE: Section = Section {
    id: "table",
    doc: "A file whose name ends in `.test.yaml` or `.test.yml` has a table of cases. What stands beside `cases` holds for \
          all of them, unless a case says otherwise. Paths are relative to the directory of the file.",
    fields: &[
        key(
            "cases",
            Kind::List {
                item: &Kind::Section(&CASE),
                min: 1,
            },
            Presence::Required,
            "The cases. Each has a VM of its own.",
        ),
        plugin(Place::Table),
        config(Place::Table),
        vm_config(Place::Table),
        root_id(Place::Table),
        vm_id(Place::Table),
        env(Place::Table),
        properties(Place::Table),
        allow_on_headers_stop_iteration(Place::Table),
        limits(Place::Table),
        clock(Place::Table),
        random(Place::Table),
        callouts(Place::Table),
        shared_data(Place::Table),
    ],
};

/// A case of a table.
pub(super) static CASE: Section = Section {
    id: "case",
    doc: "A case of a table: what the filter goes through, and what is expected of it.",
    fields: &[
        key("name", CASE_NAME, Presence::Required, NAME_DOC),
        START_KEY,
        REQUESTS_KEY,
        EXPECT_KEY,
        plugin(Place::Case),
        config(Place::Case),
        vm_config(Place::Case),
        root_id(Place::Case),
        vm_id(Place::Case),
        env(Place::Case),
        properties(Place::Case),
        allow_on_headers_stop_iteration(Place::Case),
        limits(Place::Case),
        clock(Place::Case),
        random(Place::Case),
        callouts(Place::Case),
        shared_data(Place::Case),
    ],
};

/// A golden case.
pub(super) static GOLDEN: Section = Section {
    id: "golden",
    doc: "A file that is called `case.yaml` or `case.yml` has one case. The whole report of it is compared with the file \
          `expected.txt` beside it, which `wharf test --update` writes.",
    fields: &[
        key(
            "name",
            CASE_NAME,
            Presence::Absent("the name of the folder"),
            "What the case shows.",
        ),
        START_KEY,
        REQUESTS_KEY,
        EXPECT_KEY,
        plugin(Place::Golden),
        config(Place::Golden),
        vm_config(Place::Golden),
        root_id(Place::Golden),
        vm_id(Place::Golden),
        env(Place::Golden),
        properties(Place::Golden),
        allow_on_headers_stop_iteration(Place::Golden),
        limits(Place::Golden),
        clock(Place::Golden),
        random(Place::Golden),
        callouts(Place::Golden),
        shared_data(Place::Golden),
    ],
};

/// What a filter may cost in a case.
pub(super) static LIMITS: Section = Section {
    id: "limits",
    doc: "What the filter may cost. The deadlines are longer than in a configuration, so that a busy machine does not \
          reach them; give a short one to see the filter reach it.",
    fields: &[
        key(
            "memory",
            Kind::Size {
                min: ByteSize::from_kib(64),
                max: ByteSize::from_gib(4),
            },
            Presence::Default("64MiB"),
            "The linear memory.",
        ),
        key(
            "tableElements",
            Kind::Integer {
                min: 0,
                max: 10_000_000,
            },
            Presence::Default("100000"),
            "The elements of all tables.",
        ),
        key(
            "deadline",
            Kind::Duration {
                min: milliseconds(1),
                max: seconds(3600),
            },
            Presence::Default("10s"),
            "The time that one callback may take.",
        ),
        key(
            "startupDeadline",
            Kind::Duration {
                min: milliseconds(1),
                max: seconds(3600),
            },
            Presence::Default("10s"),
            "The time that each step of starting may take.",
        ),
        key(
            "stack",
            Kind::Size {
                min: ByteSize::from_kib(16),
                max: ByteSize::from_mib(1),
            },
            Presence::Default("512KiB"),
            "The guest's call stack.",
        ),
    ],
};
