//! The keys of custom resources, by their kinds.

use crate::kubewarden::entries::{CONTEXT_AWARE_RESOURCES, MODE, MODULE_FIELD, SETTINGS};
use crate::kubewarden::webhook::{
    FAILURE_POLICY, MATCH_CONDITIONS, MATCH_POLICY, NAMESPACE_SELECTOR, OBJECT_SELECTOR, RULES,
    SIDE_EFFECTS_FIELD, TIMEOUT_SECONDS,
};
use crate::table::{Field, Kind, Presence, Section, TEXT};

pub(super) const RESOURCES: Kind = Kind::List {
    item: &Kind::Section(&RESOURCE),
    min: 0,
};

/// A document that is a resource.
pub(super) static RESOURCE: Section = Section {
    id: "customResource",
    doc: "A custom resource.",
    fields: &[
        Field {
            key: "apiVersion",
            kind: TEXT,
            presence: Presence::Required,
            doc: "Write `policies.kubewarden.io/v1`.",
        },
        Field {
            key: "kind",
            kind: TEXT,
            presence: Presence::Required,
            doc: "What it is.",
        },
        Field {
            key: "metadata",
            kind: Kind::Payload,
            presence: Presence::Required,
            doc: "Its name.",
        },
        Field {
            key: "spec",
            kind: Kind::Payload,
            presence: Presence::Required,
            doc: "The policy.",
        },
        Field {
            key: "status",
            kind: Kind::Payload,
            presence: Presence::Absent("nothing"),
            doc: "Written by the Kubewarden controller.",
        },
    ],
};

/// The policy of the whole cluster.
pub(super) static CLUSTER_POLICY_SPEC: Section = Section {
    id: "clusterAdmissionPolicySpec",
    doc: "A policy for the whole cluster.",
    fields: &[
        MODULE_FIELD,
        SETTINGS,
        MUTATING,
        RULES,
        RESOURCE_MODE,
        MESSAGE,
        CONTEXT_AWARE_RESOURCES,
        TIMEOUT_EVAL_SECONDS,
        TIMEOUT_SECONDS,
        FAILURE_POLICY,
        MATCH_POLICY,
        MATCH_CONDITIONS,
        NAMESPACE_SELECTOR,
        OBJECT_SELECTOR,
        SIDE_EFFECTS_FIELD,
        BACKGROUND_AUDIT,
        POLICY_SERVER,
        ALLOW_INSIDE,
    ],
};

/// The policy of a namespace, which reads nothing of the cluster and has no other selector than its namespace.
pub(super) static POLICY_SPEC: Section = Section {
    id: "admissionPolicySpec",
    doc: "A policy for one namespace.",
    fields: &[
        MODULE_FIELD,
        SETTINGS,
        MUTATING,
        RULES,
        RESOURCE_MODE,
        MESSAGE,
        TIMEOUT_EVAL_SECONDS,
        TIMEOUT_SECONDS,
        FAILURE_POLICY,
        MATCH_POLICY,
        MATCH_CONDITIONS,
        OBJECT_SELECTOR,
        SIDE_EFFECTS_FIELD,
        BACKGROUND_AUDIT,
        POLICY_SERVER,
    ],
};

/// The group of the whole cluster.
pub(super) static CLUSTER_GROUP_SPEC: Section = Section {
    id: "clusterAdmissionPolicyGroupSpec",
    doc: "A group of policies for the whole cluster.",
    fields: &[
        Field {
            key: "policies",
            kind: Kind::Map {
                key: "member",
                value: &Kind::Section(&CLUSTER_MEMBER),
            },
            presence: Presence::Required,
            doc: "The members by their names.",
        },
        EXPRESSION,
        GROUP_MESSAGE,
        RULES,
        RESOURCE_MODE,
        TIMEOUT_SECONDS,
        FAILURE_POLICY,
        MATCH_POLICY,
        MATCH_CONDITIONS,
        NAMESPACE_SELECTOR,
        OBJECT_SELECTOR,
        SIDE_EFFECTS_FIELD,
        BACKGROUND_AUDIT,
        POLICY_SERVER,
        ALLOW_INSIDE,
    ],
};

/// The group of a namespace.
pub(super) static GROUP_SPEC: Section = Section {
    id: "admissionPolicyGroupSpec",
    doc: "A group of policies for one namespace.",
    fields: &[
        Field {
            key: "policies",
            kind: Kind::Map {
                key: "member",
                value: &Kind::Section(&MEMBER),
            },
            presence: Presence::Required,
            doc: "The members by their names.",
        },
        EXPRESSION,
        GROUP_MESSAGE,
        RULES,
        RESOURCE_MODE,
        TIMEOUT_SECONDS,
        FAILURE_POLICY,
        MATCH_POLICY,
        MATCH_CONDITIONS,
        OBJECT_SELECTOR,
        SIDE_EFFECTS_FIELD,
        BACKGROUND_AUDIT,
        POLICY_SERVER,
    ],
};

pub(super) static CLUSTER_MEMBER: Section = Section {
    id: "clusterAdmissionPolicyGroupMember",
    doc: "A member of a group.",
    fields: &[
        MODULE_FIELD,
        SETTINGS,
        CONTEXT_AWARE_RESOURCES,
        TIMEOUT_EVAL_SECONDS,
    ],
};

pub(super) static MEMBER: Section = Section {
    id: "admissionPolicyGroupMember",
    doc: "A member of a group.",
    fields: &[MODULE_FIELD, SETTINGS, TIMEOUT_EVAL_SECONDS],
};

pub(super) const MUTATING: Field = Field {
    key: "mutating",
    kind: Kind::Bool,
    presence: Presence::Required,
    doc: "Write `true` or `false`: whether the policy may change what it reviews.",
};

pub(super) const RESOURCE_MODE: Field = Field {
    key: "mode",
    kind: MODE,
    presence: Presence::Default("protect"),
    doc: "Whether the verdict counts.",
};

pub(super) const MESSAGE: Field = Field {
    key: "message",
    kind: TEXT,
    presence: Presence::Absent("the policy's own message"),
    doc: "What is said to whoever is rejected.",
};

pub(super) const EXPRESSION: Field = Field {
    key: "expression",
    kind: TEXT,
    presence: Presence::Required,
    doc: "When the group accepts.",
};

pub(super) const GROUP_MESSAGE: Field = Field {
    key: "message",
    kind: TEXT,
    presence: Presence::Required,
    doc: "What is said to whoever is rejected.",
};

pub(super) const TIMEOUT_EVAL_SECONDS: Field = Field {
    key: "timeoutEvalSeconds",
    kind: Kind::Integer { min: 1, max: 30 },
    presence: Presence::Absent("the server's default"),
    doc: "How long a review may take.",
};

pub(super) const BACKGROUND_AUDIT: Field = Field {
    key: "backgroundAudit",
    kind: Kind::Bool,
    presence: Presence::Default("true"),
    doc: "Whether the audit scanner may use the policy.",
};

pub(super) const POLICY_SERVER: Field = Field {
    key: "policyServer",
    kind: TEXT,
    presence: Presence::Default("default"),
    doc: "The PolicyServer resource that the policy is meant for.",
};

pub(super) const ALLOW_INSIDE: Field = Field {
    key: "allowInsideAdmissionControllerNamespace",
    kind: Kind::Bool,
    presence: Presence::Default("false"),
    doc: "Whether the policy reviews objects in the admission server's namespace too.",
};
