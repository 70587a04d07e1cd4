//! What a policy may cost.

use std::time::Duration;

use wharf_plugin::{ByteSize, Limits};

use crate::decode::{Context, Fields};
use crate::table::{Field, Kind, Presence, Section, milliseconds, seconds};

/// The limits of one policy, as far as they differ from the defaults of its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PolicyLimits {
    /// The linear memory of one instance.
    pub memory: Option<ByteSize>,
    /// The elements of all tables of one instance.
    pub table_elements: Option<u32>,
    /// The instances that may live at the same time.
    pub instances: Option<u32>,
    /// The time that loading may take, once the module is compiled.
    pub startup_deadline: Option<Duration>,
    /// The guest's call stack.
    pub stack: Option<ByteSize>,
}

impl PolicyLimits {
    /// The limits with these defaults.
    #[must_use]
    pub fn or(&self, defaults: &Limits) -> Limits {
        Limits {
            memory: self.memory.unwrap_or(defaults.memory),
            table_elements: self.table_elements.unwrap_or(defaults.table_elements),
            instances: self.instances.unwrap_or(defaults.instances),
            deadline: defaults.deadline,
            startup_deadline: self.startup_deadline.unwrap_or(defaults.startup_deadline),
            stack: self.stack.unwrap_or(defaults.stack),
        }
    }
}

/// The limits of all policies that do not say otherwise.
pub(crate) static DEFAULT_LIMITS: Section = Section {
    id: "policyLimits",
    doc: "What a policy may cost. A policy that reaches a limit gives no verdict: the review is answered with code 500, \
          and nobody else notices. Each review has an instance of its own, so that at most `queue.concurrent` of them \
          live at the same time.",
    fields: &fields([
        Presence::Default("256MiB"),
        Presence::Default("100000"),
        Presence::Default("1000"),
        Presence::Default("5s"),
        Presence::Default("512KiB"),
    ]),
};

/// The limits of one policy.
pub(crate) static POLICY_LIMITS: Section = Section {
    id: "limitsOfPolicy",
    doc: "What this policy may cost. Only Wharf knows this key.",
    fields: &fields([
        Presence::Absent("that of `admission.limits`"),
        Presence::Absent("that of `admission.limits`"),
        Presence::Absent("that of `admission.limits`"),
        Presence::Absent("that of `admission.limits`"),
        Presence::Absent("that of `admission.limits`"),
    ]),
};

const fn fields(presences: [Presence; 5]) -> [Field; 5] {
    let [memory, table_elements, instances, startup_deadline, stack] = presences;
    [
        Field {
            key: "memory",
            kind: Kind::Size {
                min: ByteSize::from_kib(64),
                max: ByteSize::from_gib(4),
            },
            presence: memory,
            doc: "The linear memory of one instance. Policies that list many objects of the cluster need more.",
        },
        Field {
            key: "tableElements",
            kind: Kind::Integer {
                min: 0,
                max: 10_000_000,
            },
            presence: table_elements,
            doc: "The elements of all tables of one instance.",
        },
        Field {
            key: "instances",
            kind: Kind::Integer { min: 1, max: 100_000 },
            presence: instances,
            doc: "The instances of one module that may live at the same time.",
        },
        Field {
            key: "startupDeadline",
            kind: Kind::Duration {
                min: milliseconds(1),
                max: seconds(3600),
            },
            presence: startup_deadline,
            doc: "The time that the policy may take to check its settings when it is loaded.",
        },
        Field {
            key: "stack",
            kind: Kind::Size {
                min: ByteSize::from_kib(16),
                max: ByteSize::from_mib(1),
            },
            presence: stack,
            doc: "The guest's call stack.",
        },
    ]
}

/// The defaults. Their deadline is the server's timeout.
pub(crate) fn decode_default_limits(
    cx: &mut Context<'_>,
    admission: &Fields<'_>,
    timeout: Option<Duration>,
) -> Option<Limits> {
    let given = decode_limits(cx, admission)?;
    Some(Limits {
        memory: given.memory?,
        table_elements: given.table_elements?,
        instances: given.instances?,
        deadline: timeout?,
        startup_deadline: given.startup_deadline?,
        stack: given.stack?,
    })
}

/// The `limits` of a section, as far as they are given or have a default. `None` where they cannot be read.
pub(crate) fn decode_limits(cx: &mut Context<'_>, parent: &Fields<'_>) -> Option<PolicyLimits> {
    let fields = parent.section(cx, "limits")?;
    let count = |count: Option<i64>| count.and_then(|count| u32::try_from(count).ok());
    Some(PolicyLimits {
        memory: fields.size(cx, "memory"),
        table_elements: count(fields.integer(cx, "tableElements")),
        instances: count(fields.integer(cx, "instances")),
        startup_deadline: fields.duration(cx, "startupDeadline"),
        stack: fields.size(cx, "stack"),
    })
}
