//! The keys of files of cases of policies.

use wharf_plugin::ByteSize;

use crate::kubewarden::{CONTEXT_AWARE_RESOURCE, HOST_CAPABILITY, MODE};
use crate::table::{Field, Kind, Presence, Section, TEXT, TextRule, milliseconds, seconds};

use super::super::tables::{CASE_NAME, LOG_CONTAINS_KEY, LOG_LINE_KIND, NAME_DOC, Place, clock, key, random};
use super::expect::POLICY_FAULTS;

const FILE: Kind = Kind::Text(TextRule {
    what: "the path of a file",
    pattern: "^.+$",
    example: "../reviews/pod.json",
});

/// A mapping that is written out, or the path of a file.
const INPUT: Kind = Kind::Either(&[FILE, ANY_MAPPING]);

const ANY_MAPPING: Kind = Kind::Map {
    key: "key",
    value: &Kind::Payload,
};

const POLICY: Kind = Kind::Text(TextRule {
    what: "a path or a reference such as `../labels.wasm`",
    pattern: "^.+$",
    example: "../labels.wasm",
});

static RESOURCE: Kind = Kind::Loose(&CONTEXT_AWARE_RESOURCE);
static HOST_ANSWER_KIND: Kind = Kind::Section(&HOST_ANSWER);

pub(super) const HOST_CALL: Kind = Kind::Text(TextRule {
    what: "a call such as `kubernetes/get_resource`",
    pattern: "^[a-z]+/[a-z0-9_/]+$",
    example: "kubernetes/get_resource",
});

pub(super) const CODE: Kind = Kind::Integer { min: 100, max: 599 };

const POLICY_DOC: &str = "The policy: the path of a `.wasm` or `.wat` file, relative to this file, or a reference such as \
                          `file:../labels.wasm`.";

const fn policy(place: Place) -> Field {
    let presence = match place {
        Place::Golden => Presence::Absent("there is a `group`"),
        Place::Table => Presence::Absent("each case says it, or there is a `group`"),
        Place::Case => Presence::Absent("what the file says"),
    };
    key("policy", POLICY, presence, POLICY_DOC)
}

const fn group(place: Place) -> Field {
    key(
        "group",
        Kind::Section(&GROUP),
        place.absent("one `policy` decides"),
        "Several policies that decide together.",
    )
}

const fn execution_mode(place: Place) -> Field {
    key(
        "executionMode",
        Kind::Choice(&["kubewarden-wapc", "wasi", "opa", "gatekeeper"]),
        place.absent("what the module says of itself"),
        "How the policy is run, for modules that carry no metadata.",
    )
}

const fn settings(place: Place) -> Field {
    key(
        "settings",
        INPUT,
        place.absent("none"),
        "The policy's settings, or the path of a file that has them in YAML or JSON. Those of a case take the place of \
         those of its file. Each case asks the policy about them first, as the server does.",
    )
}

const fn context_aware_resources(place: Place) -> Field {
    key(
        "contextAwareResources",
        Kind::List {
            item: &RESOURCE,
            min: 0,
        },
        place.absent("none"),
        "The kinds of objects of the cluster that the policy may read.",
    )
}

const fn host_capabilities(place: Place) -> Field {
    key(
        "hostCapabilities",
        Kind::List {
            item: &HOST_CAPABILITY,
            min: 0,
        },
        place.absent("none"),
        "What the policy may ask of the host, as in `policies.yml`.",
    )
}

const fn review(place: Place) -> Field {
    key(
        "review",
        Kind::Payload,
        place.absent("the policy is only asked about its settings"),
        "What the policy is asked about; text is the path of a file that has it in JSON or YAML. It is an AdmissionReview, its \
         request, some keys of a request, or an object, which somebody then wants to create. For a raw policy any JSON.",
    )
}

const fn raw(place: Place) -> Field {
    key(
        "raw",
        Kind::Bool,
        place.absent("what the module says of itself"),
        "Whether the review is any JSON.",
    )
}

const fn deployed(place: Place) -> Field {
    key(
        "deployed",
        Kind::Section(&DEPLOYED),
        place.absent("the verdict is the policy's own"),
        "What the server makes of the verdict by the policy's entry in `policies.yml`.",
    )
}

const fn calls(place: Place) -> Field {
    key(
        "calls",
        Kind::List {
            item: &HOST_ANSWER_KIND,
            min: 0,
        },
        place.absent("nobody answers"),
        "What the host answers to the policy's calls. Of several answers that fit a call each is given once, in their \
         order, and the last one from then on. Those of a case take the place of those of its file.",
    )
}

const fn replay(place: Place) -> Field {
    key(
        "replay",
        FILE,
        place.absent("no recording"),
        "The path of a recording that answers what `calls` does not, in kwctl's format, as `wharf run --record` writes it.",
    )
}

const fn limits(place: Place) -> Field {
    key(
        "limits",
        Kind::Section(&LIMITS),
        place.absent("the defaults of each limit"),
        "What the policy may cost. A case changes those limits of its file that it names.",
    )
}

const OPERATION_KEY: Field = key(
    "operation",
    Kind::Choice(&["validate", "settings"]),
    Presence::Default("validate"),
    "What the policy is asked: about the review, or about its settings alone.",
);
const EXPECT_KEY: Field = key(
    "expect",
    Kind::Section(&POLICY_EXPECT),
    Presence::Absent("nothing but that there is no fault and that the settings are good"),
    "What is expected.",
);

/// A table of cases.
pub(in crate::cases) static POLICY_TABLE: Section = Section {
    id: "policyTable",
    doc: "A file of policies has `policy` or `group`, at its top or in its cases, and otherwise looks like one of filters.",
    fields: &[
        key(
            "cases",
            Kind::List {
                item: &Kind::Section(&POLICY_CASE),
                min: 1,
            },
            Presence::Required,
            "The cases. Each has instances of its own.",
        ),
        policy(Place::Table),
        group(Place::Table),
        execution_mode(Place::Table),
        settings(Place::Table),
        review(Place::Table),
        raw(Place::Table),
        context_aware_resources(Place::Table),
        host_capabilities(Place::Table),
        calls(Place::Table),
        replay(Place::Table),
        deployed(Place::Table),
        limits(Place::Table),
        clock(Place::Table),
        random(Place::Table),
    ],
};

/// A case of a table.
pub(in crate::cases) static POLICY_CASE: Section = Section {
    id: "policyCase",
    doc: "A case of a policy: what it is asked, and what is expected of it.",
    fields: &[
        key("name", CASE_NAME, Presence::Required, NAME_DOC),
        OPERATION_KEY,
        EXPECT_KEY,
        policy(Place::Case),
        group(Place::Case),
        execution_mode(Place::Case),
        settings(Place::Case),
        review(Place::Case),
        raw(Place::Case),
        context_aware_resources(Place::Case),
        host_capabilities(Place::Case),
        calls(Place::Case),
        replay(Place::Case),
        deployed(Place::Case),
        limits(Place::Case),
        clock(Place::Case),
        random(Place::Case),
    ],
};

/// A golden case.
pub(in crate::cases) static POLICY_GOLDEN: Section = Section {
    id: "policyGolden",
    doc: "A file `case.yaml` of a policy.",
    fields: &[
        key(
            "name",
            CASE_NAME,
            Presence::Absent("the name of the folder"),
            "What the case shows.",
        ),
        OPERATION_KEY,
        EXPECT_KEY,
        policy(Place::Golden),
        group(Place::Golden),
        execution_mode(Place::Golden),
        settings(Place::Golden),
        review(Place::Golden),
        raw(Place::Golden),
        context_aware_resources(Place::Golden),
        host_capabilities(Place::Golden),
        calls(Place::Golden),
        replay(Place::Golden),
        deployed(Place::Golden),
        limits(Place::Golden),
        clock(Place::Golden),
        random(Place::Golden),
    ],
};

/// Several policies.
pub(super) static GROUP: Section = Section {
    id: "group",
    doc: "Several policies that decide together, as in `policies.yml`.",
    fields: &[
        key(
            "expression",
            TEXT,
            Presence::Required,
            "When the group accepts. Members are called as functions, as in `signed() && !latest()`.",
        ),
        key(
            "message",
            TEXT,
            Presence::Required,
            "What is said to whoever is rejected.",
        ),
        key(
            "policies",
            Kind::Map {
                key: "member",
                value: &Kind::Section(&JUDGING_POLICY),
            },
            Presence::Required,
            "The members by the names that the expression calls them by.",
        ),
    ],
};

/// A policy of a group.
pub(super) static JUDGING_POLICY: Section = Section {
    id: "groupMember",
    doc: "A policy of a group.",
    fields: &[
        key("policy", POLICY, Presence::Required, POLICY_DOC),
        execution_mode(Place::Golden),
        key(
            "settings",
            INPUT,
            Presence::Absent("none"),
            "Its settings, or the path of a file that has them.",
        ),
        context_aware_resources(Place::Golden),
        host_capabilities(Place::Golden),
    ],
};

/// What the deployer says.
pub(super) static DEPLOYED: Section = Section {
    id: "deployed",
    doc: "What the server makes of the verdict, by the keys that an entry of `policies.yml` has.",
    fields: &[
        key(
            "policyMode",
            MODE,
            Presence::Default("protect"),
            "`monitor` lets every request through, unchanged.",
        ),
        key(
            "allowedToMutate",
            Kind::Bool,
            Presence::Default("false"),
            "Whether the policy may change what it reviews. If it may not and wants to, the request is rejected.",
        ),
        key(
            "message",
            TEXT,
            Presence::Absent("the policy's own message"),
            "What is said to whoever is rejected. The policy's own message is then among the causes.",
        ),
    ],
};

/// What the host answers.
pub(super) static HOST_ANSWER: Section = Section {
    id: "hostAnswer",
    doc: "A call of the host and what it answers: one of `answer` and `error`.",
    fields: &[
        key("call", HOST_CALL, Presence::Required, CALL_DOC),
        key("request", ANY_MAPPING, Presence::Absent("any"), REQUEST_DOC),
        key(
            "answer",
            Kind::Payload,
            Presence::Absent("there is an `error`"),
            "The answer, which the policy gets as JSON.",
        ),
        key(
            "error",
            TEXT,
            Presence::Absent("there is an `answer`"),
            "What the policy is told where the call fails.",
        ),
    ],
};

const CALL_DOC: &str = "The namespace and the operation.";
const REQUEST_DOC: &str = "What is asked, in the keys that `wharf run` and recordings have; those that are not named may \
                           be anything.";

/// A call of the host that is expected.
pub(super) static EXPECTED_CALL: Section = Section {
    id: "hostCall",
    doc: "A call of the host.",
    fields: &[
        key("call", HOST_CALL, Presence::Required, CALL_DOC),
        key("request", ANY_MAPPING, Presence::Absent("any"), REQUEST_DOC),
    ],
};

const TEXTS: Kind = Kind::List { item: &TEXT, min: 0 };
const PARTS: Kind = Kind::List { item: &TEXT, min: 1 };
const TEXT_OR_NONE: Kind = Kind::Either(&[TEXT, Kind::Null]);
const NOT_LOOKED_AT: Presence = Presence::Absent("not looked at");
const FAULT_KEY: Field = key(
    "fault",
    Kind::Choice(POLICY_FAULTS),
    Presence::Absent("a fault fails the case"),
    "The kind of the fault with which this ends. The verdict is then what the server answers: refused, with code 500.",
);

/// What is expected of a policy.
pub(in crate::cases) static POLICY_EXPECT: Section = Section {
    id: "policyExpect",
    doc: "What is expected of a policy.",
    fields: &[
        key(
            "allowed",
            Kind::Bool,
            NOT_LOOKED_AT,
            "Whether the request is let through.",
        ),
        key(
            "message",
            TEXT_OR_NONE,
            NOT_LOOKED_AT,
            "The message, exactly; `null`: there is none.",
        ),
        key(
            "messageContains",
            PARTS,
            NOT_LOOKED_AT,
            "Texts that stand in the message.",
        ),
        key(
            "code",
            Kind::Either(&[CODE, Kind::Null]),
            NOT_LOOKED_AT,
            "The HTTP status; `null`: there is none.",
        ),
        key(
            "reason",
            TEXT_OR_NONE,
            NOT_LOOKED_AT,
            "The reason in one word, which policies in Rego may give; `null`: there is none.",
        ),
        key(
            "causes",
            TEXTS,
            NOT_LOOKED_AT,
            "All causes, in order, each as `field: reason: message` without what it has not.",
        ),
        key(
            "patch",
            Kind::Either(&[
                Kind::List {
                    item: &ANY_MAPPING,
                    min: 0,
                },
                Kind::Null,
            ]),
            NOT_LOOKED_AT,
            "All operations of the JSON Patch; `null`: nothing is changed. Their order matters where one depends on \
             another.",
        ),
        key(
            "object",
            Kind::Payload,
            NOT_LOOKED_AT,
            "The object as it is in the end, or the whole of a raw request.",
        ),
        key(
            "objectContains",
            Kind::Payload,
            NOT_LOOKED_AT,
            "A part of it: keys that are not named do not matter, `null` means that a key is not there, and lists have as \
             many items.",
        ),
        key("warnings", TEXTS, NOT_LOOKED_AT, "All warnings, in order."),
        key(
            "auditAnnotations",
            Kind::Map {
                key: "annotation",
                value: &TEXT,
            },
            NOT_LOOKED_AT,
            "All audit annotations.",
        ),
        FAULT_KEY,
        key(
            "settings",
            Kind::Section(&SETTINGS_EXPECT),
            Presence::Absent("the policy takes its settings"),
            "What the policy says of its settings.",
        ),
        key(
            "loadErrorContains",
            PARTS,
            Presence::Absent("a policy that cannot be loaded fails the case"),
            "That the policy cannot be loaded, and texts in the reason.",
        ),
        key(
            "log",
            Kind::List {
                item: &LOG_LINE_KIND,
                min: 0,
            },
            NOT_LOOKED_AT,
            "All lines of the log, in order, as `level: message`; those about the settings come first.",
        ),
        LOG_CONTAINS_KEY,
        key(
            "hostCalls",
            Kind::List {
                item: &Kind::Either(&[HOST_CALL, Kind::Section(&EXPECTED_CALL)]),
                min: 0,
            },
            NOT_LOOKED_AT,
            "All calls of the host that were granted, in order.",
        ),
        key(
            "refusedCalls",
            TEXTS,
            NOT_LOOKED_AT,
            "All calls of the host that were not granted, in order, such as `kubernetes/can_i`, or \
             `kubernetes/get_resource of v1/Secret` where the kind of objects was not.",
        ),
    ],
};

/// What is expected of the settings.
pub(super) static SETTINGS_EXPECT: Section = Section {
    id: "settingsExpect",
    doc: "What is expected of the settings. Where they are refused, the review is not made.",
    fields: &[
        key(
            "valid",
            Kind::Bool,
            Presence::Absent("they must be valid"),
            "Whether the policy takes them.",
        ),
        key(
            "message",
            TEXT_OR_NONE,
            NOT_LOOKED_AT,
            "What it says of them, exactly; `null`: nothing.",
        ),
        key("messageContains", PARTS, NOT_LOOKED_AT, "Texts that stand in it."),
        FAULT_KEY,
    ],
};

/// What a policy may cost in a case.
pub(super) static LIMITS: Section = Section {
    id: "policyCaseLimits",
    doc: "What a policy may cost. The deadlines are longer than in a configuration, so that a busy machine does not reach \
          them; give a short one to see the policy reach it.",
    fields: &[
        key(
            "memory",
            Kind::Size {
                min: ByteSize::from_kib(64),
                max: ByteSize::from_gib(4),
            },
            Presence::Default("256MiB"),
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
            "The time that a review may take.",
        ),
        key(
            "startupDeadline",
            Kind::Duration {
                min: milliseconds(1),
                max: seconds(3600),
            },
            Presence::Default("10s"),
            "The time that the question about the settings may take.",
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
