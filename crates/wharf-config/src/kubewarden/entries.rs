//! `policies.yml`: policies and groups by id, as policy-server reads them.
//!
//! What policy-server passes over in an entry is only warned of here, because files with such keys are in use. The
//! keys of a group's members are checked by policy-server too.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::{Complaint, quoted};
use crate::table::{Field, Kind, Presence, Section, TEXT, milliseconds, seconds};
use crate::yaml::{OtherReader, json_value};

use super::capabilities::{HOST_CAPABILITY, decode_host_capabilities};
use super::collection::{Candidate, Collection, Decoded, is_identifier};
use super::limits::{POLICY_LIMITS, decode_limits};
use super::module::{MODULE, MODULE_DOC, decode_module};
use super::{
    ContextAwareResource, ExecutionMode, GroupConfig, PolicyConfig, PolicyKind, PolicyLimits, PolicyMode,
    PolicyModule,
};

/// One policy.
static POLICY: Section = Section {
    id: "policy",
    doc: "A policy in Kubewarden's format. `executionMode`, `timeout` and `limits` are Wharf's additions. Keys that are \
          not known are passed over with a warning, because policy-server passes over them too.",
    fields: &[
        MODULE_FIELD,
        POLICY_MODE,
        Field {
            key: "allowedToMutate",
            kind: Kind::Bool,
            presence: Presence::Default("false"),
            doc: "Whether the policy may change what it reviews. If it may not and wants to, the review is rejected.",
        },
        SETTINGS,
        CONTEXT_AWARE_RESOURCES,
        HOST_CAPABILITIES,
        Field {
            key: "message",
            kind: TEXT,
            presence: Presence::Absent("the policy's own message"),
            doc: "What is said to whoever is rejected. The policy's own message is then among the causes.",
        },
        TIMEOUT_EVAL_SECONDS,
        TIMEOUT,
        EXECUTION_MODE,
        LIMITS,
        NAMESPACED_NAME,
    ],
};

/// Several policies that decide together.
static GROUP: Section = Section {
    id: "policyGroup",
    doc: "A group of policies in Kubewarden's format, which decide together and change nothing. `timeout` is Wharf's \
          addition. Keys that are not known are passed over with a warning.",
    fields: &[
        Field {
            key: "policies",
            kind: Kind::Map {
                key: "member",
                value: &Kind::Section(&MEMBER),
            },
            presence: Presence::Required,
            doc: "The members by the names that the expression calls them by. A name is made of letters, digits and \
                  `_` and does not begin with a digit.",
        },
        Field {
            key: "expression",
            kind: TEXT,
            presence: Presence::Required,
            doc: "When the group accepts. Members are called as functions, as in `signed() && !latest()`.",
        },
        Field {
            key: "message",
            kind: TEXT,
            presence: Presence::Required,
            doc: "What is said to whoever is rejected. The members' messages are then among the causes.",
        },
        POLICY_MODE,
        Field {
            key: "timeout",
            kind: TIMEOUT_KIND,
            presence: Presence::Absent("those of the members"),
            doc: "How long a review by all members together may take, waiting included. Only Wharf knows this key.",
        },
        NAMESPACED_NAME,
    ],
};

/// One policy of a group.
static MEMBER: Section = Section {
    id: "policyGroupMember",
    doc: "A policy of a group. `executionMode`, `timeout` and `limits` are Wharf's additions.",
    fields: &[
        MODULE_FIELD,
        SETTINGS,
        CONTEXT_AWARE_RESOURCES,
        HOST_CAPABILITIES,
        TIMEOUT_EVAL_SECONDS,
        TIMEOUT,
        EXECUTION_MODE,
        LIMITS,
    ],
};

/// A kind of objects that a policy may read.
pub(crate) static CONTEXT_AWARE_RESOURCE: Section = Section {
    id: "contextAwareResource",
    doc: "A kind of objects that the policy may read.",
    fields: &[
        Field {
            key: "apiVersion",
            kind: TEXT,
            presence: Presence::Required,
            doc: "Its group and version: `v1`, `apps/v1`.",
        },
        Field {
            key: "kind",
            kind: TEXT,
            presence: Presence::Required,
            doc: "Its kind: `Pod`.",
        },
    ],
};

pub(super) const MODULE_FIELD: Field = Field {
    key: "module",
    kind: MODULE,
    presence: Presence::Required,
    doc: MODULE_DOC,
};

pub(super) const SETTINGS: Field = Field {
    key: "settings",
    kind: Kind::Map {
        key: "setting",
        value: &Kind::Payload,
    },
    presence: Presence::Absent("none"),
    doc: "What the policy is configured with. It checks them when it is loaded.",
};

pub(super) const CONTEXT_AWARE_RESOURCES: Field = Field {
    key: "contextAwareResources",
    kind: Kind::List {
        item: &Kind::Loose(&CONTEXT_AWARE_RESOURCE),
        min: 0,
    },
    presence: Presence::Absent("none"),
    doc: "The kinds of objects of the cluster that the policy may read, with the rights of the server's own account.",
};

pub(super) const TIMEOUT_EVAL_SECONDS: Field = Field {
    key: "timeoutEvalSeconds",
    kind: Kind::Integer { min: 1, max: 3600 },
    presence: Presence::Absent("`timeout`"),
    doc: "How long a review may take, in seconds.",
};

const POLICY_MODE: Field = Field {
    key: "policyMode",
    kind: MODE,
    presence: Presence::Default("protect"),
    doc: "`monitor` accepts every review, unchanged, and logs and counts what the policy says.",
};

/// Whether a verdict counts.
pub(crate) const MODE: Kind = Kind::Choice(&["protect", "monitor"]);

const HOST_CAPABILITIES: Field = Field {
    key: "hostCapabilities",
    kind: Kind::List {
        item: &HOST_CAPABILITY,
        min: 0,
    },
    presence: Presence::Absent("none"),
    doc: "What the policy may ask of the host: an operation such as `kubernetes/can_i`, all below a name such as \
          `oci/v1/*`, or `*` for everything. Reading objects of the cluster needs `contextAwareResources` too.",
};

const TIMEOUT_KIND: Kind = Kind::Duration {
    min: milliseconds(1),
    max: seconds(3600),
};

const TIMEOUT: Field = Field {
    key: "timeout",
    kind: TIMEOUT_KIND,
    presence: Presence::Absent("`admission.timeout`"),
    doc: "How long a review may take, waiting included. It is `timeoutEvalSeconds` with milliseconds; only Wharf knows \
          this key.",
};

const EXECUTION_MODE: Field = Field {
    key: "executionMode",
    kind: Kind::Choice(&["kubewarden-wapc", "wasi", "opa", "gatekeeper"]),
    presence: Presence::Absent("what the module says of itself"),
    doc: "How the module is talked to, for modules that carry no metadata. Only Wharf knows this key.",
};

const LIMITS: Field = Field {
    key: "limits",
    kind: Kind::Section(&POLICY_LIMITS),
    presence: Presence::Absent("those of `admission.limits`"),
    doc: "What the policy may cost. Only Wharf knows this key.",
};

const NAMESPACED_NAME: Field = Field {
    key: "namespacedName",
    kind: Kind::Payload,
    presence: Presence::Absent("nothing"),
    doc: "Written by the Kubewarden controller; nothing reads it.",
};

/// Policies and groups by their ids.
pub(crate) const ENTRIES: Kind = Kind::Map {
    key: "id",
    value: &Kind::Either(&[Kind::Loose(&POLICY), Kind::Loose(&GROUP)]),
};

/// Adds all entries of a mapping from ids to policies.
pub(crate) fn decode_entries(cx: &mut Context<'_>, entries: &Item<'_>, found: &mut Collection) {
    for (entry, item) in entries.map(cx, &ENTRIES).unwrap_or_default() {
        let candidate = Candidate {
            id: entry.key.clone(),
            at: entry.key_span.clone(),
            value: &entry.value,
        };
        found.add(cx, &candidate, |cx| {
            let kind = decode_entry(cx, &item)?;
            Some(Decoded { kind, resource: None })
        });
    }
}

fn decode_entry(cx: &mut Context<'_>, item: &Item<'_>) -> Option<PolicyKind> {
    if !item.is_mapping() {
        item.wrong_kind(cx, &Kind::Loose(&POLICY));
        return None;
    }
    let (module, policies) = (item.peek("module"), item.peek("policies"));
    match (module, policies) {
        (Some(module), Some(policies)) => {
            let message = format!("{} has both `module` and `policies`", item.name());
            cx.error(
                Complaint::new(policies.at, message)
                    .related(module.at, "the module")
                    .hint("a policy has a `module`, a group has `policies`; make two entries of it"),
            );
            None
        }
        (None, None) => {
            let message = format!("{} has neither `module` nor `policies`", item.name());
            cx.error(
                Complaint::new(item.at.clone(), message)
                    .hint("a policy has a `module`, a group has `policies` and an `expression`"),
            );
            None
        }
        (Some(_), None) => {
            let fields = Fields::open_loose(cx, item, &POLICY)?;
            decode_policy(cx, &fields).map(PolicyKind::Policy)
        }
        (None, Some(_)) => {
            let fields = Fields::open_loose(cx, item, &GROUP)?;
            decode_group(cx, &fields).map(PolicyKind::Group)
        }
    }
}

fn decode_policy(cx: &mut Context<'_>, fields: &Fields<'_>) -> Option<PolicyConfig> {
    let module = decode_policy_module(cx, fields, OtherReader::PolicyServer);
    let mode = decode_mode(cx, fields, "policyMode");
    let allowed_to_mutate = fields.bool(cx, "allowedToMutate");
    let message = fields.text(cx, "message");
    Some(PolicyConfig {
        module: module?,
        mode: mode?,
        allowed_to_mutate: allowed_to_mutate?,
        message,
    })
}

fn decode_group(cx: &mut Context<'_>, fields: &Fields<'_>) -> Option<GroupConfig> {
    let members = decode_members(cx, fields, &MEMBER, OtherReader::PolicyServer);
    let mode = decode_mode(cx, fields, "policyMode");
    let expression = decode_filled(cx, fields, "expression");
    let message = fields.text(cx, "message");
    let timeout = fields.duration(cx, "timeout");
    Some(GroupConfig {
        members: members?,
        mode: mode?,
        expression: expression?,
        message: message?,
        timeout,
    })
}

/// The members of a group; at least one, and no name that cannot be called.
pub(super) fn decode_members(
    cx: &mut Context<'_>,
    group: &Fields<'_>,
    section: &'static Section,
    other: OtherReader,
) -> Option<BTreeMap<String, PolicyModule>> {
    let entries = group.map(cx, "policies")?;
    if let (true, Some(item)) = (entries.is_empty(), group.item("policies")) {
        let complaint = Complaint::new(item.at.clone(), format!("{} has no members", item.name()));
        cx.error(complaint.hint("a group needs at least one policy"));
        return None;
    }
    let mut members = BTreeMap::new();
    for (entry, item) in entries {
        if !is_identifier(&entry.key) {
            let message = format!("{} cannot be the name of a member", quoted(&entry.key));
            cx.error(Complaint::new(entry.key_span.clone(), message).hint(
                "the expression calls members by their names, which are made of letters, digits and `_` and do not \
                 begin with a digit",
            ));
        }
        let fields = Fields::open(cx, &item, section);
        let module = fields.and_then(|fields| decode_policy_module(cx, &fields, other));
        members.extend(module.map(|module| (entry.key.clone(), module)));
    }
    Some(members)
}

/// What policies and members of groups have in common. Keys that the section's table does not have are as if they had
/// not been given; a table without host capabilities gives all of them.
pub(super) fn decode_policy_module(
    cx: &mut Context<'_>,
    fields: &Fields<'_>,
    other: OtherReader,
) -> Option<PolicyModule> {
    let reference = fields.item("module").and_then(|item| decode_module(cx, item));
    let settings = decode_settings(cx, fields, other);
    let resources = if fields.knows("contextAwareResources") {
        decode_context_aware_resources(cx, fields)
    } else {
        Some(BTreeSet::new())
    };
    let host_capabilities = if fields.knows("hostCapabilities") {
        decode_host_capabilities(cx, fields, "hostCapabilities")
    } else {
        Some(vec!["*".to_owned()])
    };
    let timeout = decode_timeout(cx, fields);
    let execution_mode = decode_execution_mode(cx, fields);
    let limits = if fields.knows("limits") {
        decode_limits(cx, fields)
    } else {
        Some(PolicyLimits::default())
    };
    Some(PolicyModule {
        reference: reference?,
        execution_mode,
        settings: settings?,
        context_aware_resources: resources?,
        host_capabilities: host_capabilities?,
        timeout,
        limits: limits?,
    })
}

fn decode_settings(
    cx: &mut Context<'_>,
    fields: &Fields<'_>,
    other: OtherReader,
) -> Option<serde_json::Map<String, serde_json::Value>> {
    let Some(item) = fields.item("settings") else {
        return Some(serde_json::Map::new());
    };
    if !item.is_mapping() {
        item.wrong_kind(cx, fields.kind("settings"));
        return None;
    }
    match json_value(item.node, other) {
        Ok(serde_json::Value::Object(settings)) => Some(settings),
        Ok(_) => None,
        Err(complaint) => {
            cx.error(complaint);
            None
        }
    }
}

pub(crate) fn decode_context_aware_resources(
    cx: &mut Context<'_>,
    fields: &Fields<'_>,
) -> Option<BTreeSet<ContextAwareResource>> {
    let mut resources = BTreeSet::new();
    for item in fields.list(cx, "contextAwareResources")? {
        let Some(fields) = Fields::open_loose(cx, &item, &CONTEXT_AWARE_RESOURCE) else {
            continue;
        };
        let api_version = decode_filled(cx, &fields, "apiVersion");
        let kind = decode_filled(cx, &fields, "kind");
        let resource = api_version.zip(kind);
        resources.extend(resource.map(|(api_version, kind)| ContextAwareResource { api_version, kind }));
    }
    Some(resources)
}

/// `timeoutEvalSeconds`, or Wharf's own `timeout`.
fn decode_timeout(cx: &mut Context<'_>, fields: &Fields<'_>) -> Option<Duration> {
    let whole = fields.integer(cx, "timeoutEvalSeconds");
    let whole = whole.and_then(|seconds| u64::try_from(seconds).ok());
    if !fields.knows("timeout") {
        return whole.map(Duration::from_secs);
    }
    if let (Some(first), Some(second)) = (fields.item("timeoutEvalSeconds"), fields.item("timeout")) {
        cx.error(
            Complaint::new(
                second.at.clone(),
                "the time that a review may take is given twice",
            )
            .related(first.at.clone(), "first given here")
            .hint("remove `timeoutEvalSeconds`, or `timeout` where policy-server is to read the file too"),
        );
    }
    fields.duration(cx, "timeout").or(whole.map(Duration::from_secs))
}

pub(crate) fn decode_execution_mode(cx: &mut Context<'_>, fields: &Fields<'_>) -> Option<ExecutionMode> {
    if !fields.knows("executionMode") || fields.item("executionMode").is_none() {
        return None;
    }
    let word = fields.choice(cx, "executionMode")?;
    let mode = ExecutionMode::NAMES.into_iter().find(|(name, _)| *name == word);
    mode.map(|(_, mode)| mode)
}

pub(crate) fn decode_mode(cx: &mut Context<'_>, fields: &Fields<'_>, key: &str) -> Option<PolicyMode> {
    let word = fields.choice(cx, key)?;
    Some(if word == "monitor" {
        PolicyMode::Monitor
    } else {
        PolicyMode::Protect
    })
}

/// Text that is not empty.
pub(crate) fn decode_filled(cx: &mut Context<'_>, fields: &Fields<'_>, key: &str) -> Option<String> {
    let text = fields.text(cx, key)?;
    if !text.trim().is_empty() {
        return Some(text);
    }
    let item = fields.item(key)?;
    let complaint = Complaint::new(item.span(), format!("{} is empty", item.name()));
    cx.error(complaint.hint("give it a value"));
    None
}
