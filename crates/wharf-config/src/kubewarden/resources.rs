//! Kubewarden's custom resources, as they are written for the API server.

mod tables;

use std::ops::Range;

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::{Complaint, quoted};
use crate::nearest::nearest;
use crate::table::{Kind, Section, TEXT};
use crate::yaml::OtherReader;

use super::collection::{Candidate, Collection, Decoded};
use super::entries::{decode_filled, decode_members, decode_mode, decode_policy_module};
use super::webhook::decode_webhook;
use super::{GroupConfig, PolicyConfig, PolicyKind, WebhookConfig};
use tables::{
    ALLOW_INSIDE, CLUSTER_GROUP_SPEC, CLUSTER_MEMBER, CLUSTER_POLICY_SPEC, GROUP_SPEC, MEMBER, POLICY_SPEC,
    RESOURCE, RESOURCES,
};

/// What a custom resource says that only the API server acts by, and who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomResource {
    /// Which of the four it is.
    pub kind: ResourceKind,
    /// Its name.
    pub name: String,
    /// Its namespace, for those kinds that have one. Such a policy is only for objects in that namespace, which the API
    /// server sees to: the selector in `webhook` says so.
    pub namespace: Option<String>,
    /// The PolicyServer resource that it is meant for. Default: `default`.
    pub policy_server: String,
    /// Whether the audit scanner may use it. Default: yes.
    pub background_audit: bool,
    /// Whether it reviews objects in the namespace of the admission server too. Default: no, so that it cannot keep
    /// the server itself from starting.
    pub allow_inside_admission_controller_namespace: bool,
    /// What the API server is told.
    pub webhook: WebhookConfig,
}

/// The kinds of custom resources that are policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResourceKind {
    /// A policy for the whole cluster.
    ClusterAdmissionPolicy,
    /// A policy for one namespace.
    AdmissionPolicy,
    /// A group of policies for the whole cluster.
    ClusterAdmissionPolicyGroup,
    /// A group of policies for one namespace.
    AdmissionPolicyGroup,
}

impl ResourceKind {
    /// All of them by the words that name them.
    pub const NAMES: [(&str, Self); 4] = [
        ("ClusterAdmissionPolicy", Self::ClusterAdmissionPolicy),
        ("AdmissionPolicy", Self::AdmissionPolicy),
        ("ClusterAdmissionPolicyGroup", Self::ClusterAdmissionPolicyGroup),
        ("AdmissionPolicyGroup", Self::AdmissionPolicyGroup),
    ];

    /// Whether such a resource is in a namespace and is only for objects there.
    pub const fn is_namespaced(self) -> bool {
        matches!(self, Self::AdmissionPolicy | Self::AdmissionPolicyGroup)
    }

    /// Whether it is a group of policies.
    pub const fn is_group(self) -> bool {
        matches!(
            self,
            Self::ClusterAdmissionPolicyGroup | Self::AdmissionPolicyGroup
        )
    }

    /// The id that the Kubewarden controller makes for such a resource, so that webhook configurations in use go on to
    /// name the right policy.
    pub fn policy_id(self, namespace: Option<&str>, name: &str) -> String {
        let namespace = namespace.unwrap_or_default();
        match self {
            Self::ClusterAdmissionPolicy => format!("clusterwide-{name}"),
            Self::AdmissionPolicy => format!("namespaced-{namespace}-{name}"),
            Self::ClusterAdmissionPolicyGroup => format!("clusterwide-group-{name}"),
            Self::AdmissionPolicyGroup => format!("namespaced-group-{namespace}-{name}"),
        }
    }
}

/// The API group of Kubewarden's resources, and the versions of it that are understood.
const API_GROUP: &str = "policies.kubewarden.io";
const VERSION: &str = "v1";
const FORMER_VERSION: &str = "v1alpha2";

/// Whether a document is a resource: what stands behind `apiVersion` or `kind` is then no policy.
pub(super) fn is_resource(document: &Item<'_>) -> bool {
    let is_word = |key| document.peek(key).is_some_and(|item| item.plain_text().is_some());
    is_word("apiVersion") || is_word("kind")
}

/// Adds a resource, or all of a list of them. Those that are no policies are passed over with a warning.
pub(super) fn decode_resource(cx: &mut Context<'_>, resource: &Item<'_>, found: &mut Collection) {
    if !resource.is_mapping() {
        resource.wrong_kind(cx, &Kind::Section(&RESOURCE));
        return;
    }
    let Some((api_version, kind)) = read_type(cx, resource) else {
        return;
    };
    let (group, version) = api_version.text.split_once('/').unwrap_or(("", api_version.text));
    let ours = group == API_GROUP;
    if (ours || group.is_empty()) && kind.text.ends_with("List") {
        decode_list(cx, resource, found);
        return;
    }
    let known = ResourceKind::NAMES
        .into_iter()
        .find(|(name, _)| *name == kind.text);
    let Some((_, known)) = known.filter(|_| ours) else {
        let complaint = other_kind(&kind, group);
        if ours && kind.text != "PolicyServer" {
            cx.error(complaint);
        } else {
            cx.warn(complaint);
        }
        return;
    };
    let Some(identity) = read_identity(cx, resource, known) else {
        return;
    };
    let candidate = Candidate {
        id: known.policy_id(identity.namespace, identity.name),
        at: identity.at.clone(),
        value: resource.node,
    };
    found.add(cx, &candidate, |cx| {
        check_version(cx, known, version, &api_version);
        check_names(cx, &identity);
        let fields = Fields::open(cx, resource, &RESOURCE)?;
        decode_spec(cx, fields.item("spec")?, known, &identity)
    });
}

/// Adds all resources of a list.
fn decode_list(cx: &mut Context<'_>, list: &Item<'_>, found: &mut Collection) {
    let Some(items) = list.peek("items") else {
        let complaint = Complaint::new(list.at.start..list.at.start, "this list has no `items`");
        cx.error(complaint.hint("write `items: []` for an empty list"));
        return;
    };
    for item in items.list(cx, &RESOURCES, 0).unwrap_or_default() {
        decode_resource(cx, &item, found);
    }
}

/// A word and where it stands.
struct Word<'n> {
    text: &'n str,
    item: Item<'n>,
}

/// `apiVersion` and `kind`; nothing can be said of a resource without them.
fn read_type<'n>(cx: &mut Context<'_>, resource: &Item<'n>) -> Option<(Word<'n>, Word<'n>)> {
    let mut word = |key: &str, example: &str| {
        let item = resource.peek(key).filter(|item| !item.node.is_null());
        let Some(item) = item else {
            let message = format!("this resource has no `{key}`");
            let complaint = Complaint::new(resource.at.start..resource.at.start, message);
            cx.error(complaint.hint(format!("write for example `{key}: {example}`")));
            return None;
        };
        let text = item.text(cx, &TEXT)?;
        Some(Word { text, item })
    };
    let api_version = word("apiVersion", "policies.kubewarden.io/v1");
    let kind = word("kind", "ClusterAdmissionPolicy");
    api_version.zip(kind)
}

/// What is said of a resource that is no policy.
fn other_kind(kind: &Word<'_>, group: &str) -> Complaint {
    let message = match group {
        "" => format!("{} is not a policy", quoted(kind.text)),
        group => format!("{} of {} is not a policy", quoted(kind.text), quoted(group)),
    };
    let names = || ResourceKind::NAMES.into_iter().map(|(name, _)| name);
    let hint = match nearest(kind.text, names()) {
        Some(close) if group == API_GROUP => format!("did you mean `{close}`?"),
        _ if group == API_GROUP && kind.text != "PolicyServer" => {
            let names: Vec<String> = names().map(|name| format!("`{name}`")).collect();
            format!("the kinds of policies are {}", names.join(", "))
        }
        _ => "it is passed over".to_owned(),
    };
    Complaint::new(kind.item.span(), message).hint(hint)
}

/// Who a resource is.
struct Identity<'n> {
    name: &'n str,
    namespace: Option<&'n str>,
    /// Where its name is.
    at: Range<usize>,
    namespace_at: Range<usize>,
}

/// Name and namespace; without them a policy has no id.
fn read_identity<'n>(cx: &mut Context<'_>, resource: &Item<'n>, kind: ResourceKind) -> Option<Identity<'n>> {
    let metadata = resource.peek("metadata");
    let mut read = |key: &str, hint: &str| {
        let given = metadata.as_ref().and_then(|metadata| metadata.peek(key));
        let Some(item) = given.filter(|item| !item.node.is_null()) else {
            let at = metadata.as_ref().map_or(&resource.at, |metadata| &metadata.at);
            let complaint = Complaint::new(at.start..at.start, format!("the policy has no `metadata.{key}`"));
            cx.error(complaint.hint(hint));
            return None;
        };
        item.text(cx, &TEXT).map(|text| (text, item.span()))
    };
    let (name, at) = read(
        "name",
        "the policy's id is made of it; write for example `name: safe-labels`",
    )?;
    let (namespace, namespace_at) = if kind.is_namespaced() {
        let hint = "the policy is for the objects of one namespace; kubectl takes that of its context, Wharf has none";
        let (namespace, at) = read("namespace", hint)?;
        (Some(namespace), at)
    } else {
        (None, at.clone())
    };
    Some(Identity {
        name,
        namespace,
        at,
        namespace_at,
    })
}

fn check_version(cx: &mut Context<'_>, kind: ResourceKind, version: &str, api_version: &Word<'_>) {
    let known = version == VERSION || (version == FORMER_VERSION && !kind.is_group());
    if !known {
        let message = format!(
            "{} is not a version in which this kind is understood",
            quoted(version)
        );
        cx.error(
            Complaint::new(api_version.item.span(), message)
                .hint(format!("write `apiVersion: {API_GROUP}/{VERSION}`")),
        );
    }
}

fn check_names(cx: &mut Context<'_>, identity: &Identity<'_>) {
    let named = identity
        .namespace
        .map(|namespace| (namespace, &identity.namespace_at));
    for (name, at) in [(identity.name, &identity.at)].into_iter().chain(named) {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let ends = |byte: Option<&u8>| byte.is_some_and(|byte| inner(*byte));
        let bytes = name.as_bytes();
        let good = bytes.iter().all(|byte| inner(*byte) || b"-.".contains(byte));
        if !good || !ends(bytes.first()) || !ends(bytes.last()) || name.len() > 253 {
            let message = format!("{} cannot be the name of anything in Kubernetes", quoted(name));
            cx.error(Complaint::new(at.clone(), message).hint(
                "a name is made of `a-z`, `0-9` and, between them, `-` and `.`, at most 253 characters",
            ));
        }
    }
}

fn decode_spec(
    cx: &mut Context<'_>,
    item: &Item<'_>,
    kind: ResourceKind,
    identity: &Identity<'_>,
) -> Option<Decoded> {
    let section = match kind {
        ResourceKind::ClusterAdmissionPolicy => &CLUSTER_POLICY_SPEC,
        ResourceKind::AdmissionPolicy => &POLICY_SPEC,
        ResourceKind::ClusterAdmissionPolicyGroup => &CLUSTER_GROUP_SPEC,
        ResourceKind::AdmissionPolicyGroup => &GROUP_SPEC,
    };
    let spec = Fields::open(cx, item, section)?;
    let decoded = if kind.is_group() {
        let members = if kind.is_namespaced() {
            &MEMBER
        } else {
            &CLUSTER_MEMBER
        };
        decode_group(cx, &spec, members).map(PolicyKind::Group)
    } else {
        decode_policy(cx, &spec).map(PolicyKind::Policy)
    };
    let webhook = decode_webhook(cx, &spec, identity.namespace);
    let policy_server = spec.text(cx, "policyServer");
    let background_audit = spec.bool(cx, "backgroundAudit");
    let allow_inside = if spec.knows(ALLOW_INSIDE.key) {
        spec.bool(cx, ALLOW_INSIDE.key)
    } else {
        Some(false)
    };
    let (decoded, webhook) = (decoded?, webhook?);
    check_timeouts(cx, &spec, &decoded, webhook.timeout_seconds);
    Some(Decoded {
        kind: decoded,
        resource: Some(Box::new(CustomResource {
            kind,
            name: identity.name.to_owned(),
            namespace: identity.namespace.map(str::to_owned),
            policy_server: policy_server?,
            background_audit: background_audit?,
            allow_inside_admission_controller_namespace: allow_inside?,
            webhook,
        })),
    })
}

fn decode_policy(cx: &mut Context<'_>, spec: &Fields<'_>) -> Option<PolicyConfig> {
    let module = decode_policy_module(cx, spec, OtherReader::Kubectl);
    let mode = decode_mode(cx, spec, "mode");
    let allowed_to_mutate = spec.bool(cx, "mutating");
    // The API server leaves an empty message out.
    let message = spec.text(cx, "message").filter(|message| !message.is_empty());
    Some(PolicyConfig {
        module: module?,
        mode: mode?,
        allowed_to_mutate: allowed_to_mutate?,
        message,
    })
}

fn decode_group(cx: &mut Context<'_>, spec: &Fields<'_>, members: &'static Section) -> Option<GroupConfig> {
    let members = decode_members(cx, spec, members, OtherReader::Kubectl);
    let mode = decode_mode(cx, spec, "mode");
    let expression = decode_filled(cx, spec, "expression");
    let message = decode_filled(cx, spec, "message");
    Some(GroupConfig {
        members: members?,
        mode: mode?,
        expression: expression?,
        message: message?,
        timeout: None,
    })
}

/// Refuses what takes longer than the API server waits, all members of a group together.
fn check_timeouts(cx: &mut Context<'_>, spec: &Fields<'_>, kind: &PolicyKind, waits: u32) {
    let (sum, key) = match kind {
        PolicyKind::Policy(policy) => (policy.module.timeout.unwrap_or_default(), "timeoutEvalSeconds"),
        PolicyKind::Group(group) => {
            let timeouts = group.members.values().filter_map(|member| member.timeout);
            (timeouts.sum(), "policies")
        }
    };
    if sum.as_secs() <= u64::from(waits) {
        return;
    }
    let Some(item) = spec.item(key) else { return };
    let message = format!(
        "a review may take {} seconds, and the API server waits only {waits} for it",
        sum.as_secs()
    );
    let complaint = Complaint::new(item.at.clone(), message);
    cx.error(complaint.hint("give less, or a longer `timeoutSeconds`, at most 30"));
}
