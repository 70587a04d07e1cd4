//! The policies that are served, with the webhook of each: what the API server sends there, and what it does when no answer comes.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::outcome::webhook;

/// Far more than any of them needs, so that a busy machine is no finding.
const TIME: &str = "25s";

/// A policy, or a group of them.
pub(crate) struct Policy {
    pub(crate) id: &'static str,
    /// What `policies.yml` says of it.
    pub(crate) entry: Value,
    hook: Hook,
}

/// What of a namespace that asks for the policy is sent to it.
struct Hook {
    mutating: bool,
    resources: &'static [&'static str],
    operations: &'static [&'static str],
    failure_policy: &'static str,
}

/// Which objects that the policies look at, and what they are called in this run.
pub(crate) struct Names {
    /// The group of the custom resources.
    pub(crate) group: String,
    /// The namespace that has the ConfigMap with the reserved hosts.
    pub(crate) reserved: String,
}

impl Policy {
    fn new(id: &'static str, entry: Value, resources: &'static [&'static str]) -> Self {
        Self {
            id,
            entry,
            hook: Hook {
                mutating: false,
                resources,
                operations: &["CREATE", "UPDATE"],
                failure_policy: "Fail",
            },
        }
    }

    fn mutating(mut self) -> Self {
        self.hook.mutating = true;
        self
    }

    fn operations(mut self, operations: &'static [&'static str]) -> Self {
        self.hook.operations = operations;
        self
    }

    fn ignored_when_it_fails(mut self) -> Self {
        self.hook.failure_policy = "Ignore";
        self
    }

    pub(crate) fn is_mutating(&self) -> bool {
        self.hook.mutating
    }

    /// Whether the API server has anything for it to review.
    pub(crate) fn has_webhook(&self) -> bool {
        !self.hook.resources.is_empty()
    }

    /// The webhook for namespaces with the policy's label.
    pub(crate) fn webhook(&self, run: &str, server: &str, ca_bundle: &str) -> Value {
        json!({
            "name": webhook(self.id),
            "clientConfig": { "url": format!("{server}/validate/{}", self.id), "caBundle": ca_bundle },
            "rules": [{
                "apiGroups": ["*"],
                "apiVersions": ["*"],
                "operations": self.hook.operations,
                "resources": self.hook.resources,
                "scope": "Namespaced",
            }],
            "namespaceSelector": { "matchLabels": { label(self.id): run } },
            "failurePolicy": self.hook.failure_policy,
            "matchPolicy": "Equivalent",
            "sideEffects": "None",
            "timeoutSeconds": 30,
            "admissionReviewVersions": ["v1"],
        })
    }
}

/// The label of namespaces whose objects a policy reviews; its value is the run's name.
pub(crate) fn label(policy: &str) -> String {
    format!("conformance.wharf/{policy}")
}

/// `policies.yml`. JSON is YAML.
pub(crate) fn file(policies: &[Policy]) -> Value {
    let entries: Map<String, Value> = policies
        .iter()
        .map(|policy| (policy.id.to_owned(), policy.entry.clone()))
        .collect();
    entries.into()
}

/// All of them.
pub(crate) fn all(guests: &Path, names: &Names) -> Vec<Policy> {
    [
        own(guests),
        rego(guests),
        of_the_cluster(guests, names),
        changing(guests),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn module(guests: &Path, file: &str) -> String {
    guests.join(file).display().to_string()
}

/// An entry with this module; the rest of it is `more`.
fn entry(guests: &Path, file: &str, more: Value) -> Value {
    let mut entry = json!({ "module": module(guests, file), "timeout": TIME });
    if let (Some(entry), Value::Object(more)) = (entry.as_object_mut(), more) {
        entry.extend(more);
    }
    entry
}

const LABELS: &str = "policies/policy-labels/policy-labels.wasm";
const DEFAULTS: &str = "policies/policy-defaults/policy-defaults.wasm";
const REPLICAS: &str = "policies/policy-replicas/policy-replicas.wasm";
const UNIQUE_HOST: &str = "policies/policy-unique-host/policy-unique-host.wasm";
const QUOTA: &str = "policies/policy-quota/policy-quota.wasm";

/// An entry of the policy about labels.
pub(crate) fn labels(guests: &Path, settings: &Value) -> Value {
    entry(guests, LABELS, json!({ "settings": settings }))
}

/// Those that look at nothing but the review.
fn own(guests: &Path) -> Vec<Policy> {
    let settings = json!({
        "required": ["team"], "denied": ["legacy"], "deprecated": ["tier"], "protected": ["keep"],
    });
    let with = |more: Value| {
        let mut entry = labels(guests, &json!({ "required": ["team"] }));
        if let (Some(entry), Value::Object(more)) = (entry.as_object_mut(), more) {
            entry.extend(more);
        }
        entry
    };
    let defaults = |leave: bool| {
        let settings = json!({ "labels": { "team": "unknown" }, "runAsNonRoot": true });
        entry(
            guests,
            DEFAULTS,
            json!({ "settings": settings, "allowedToMutate": leave }),
        )
    };
    let replicas = json!({
        "settings": { "max": 3, "namespaceAnnotation": "max-replicas" },
        "hostCapabilities": ["kubernetes/get_resource"],
        "contextAwareResources": [{ "apiVersion": "v1", "kind": "Namespace" }],
    });
    let group = json!({
        "policies": {
            "owned": { "module": module(guests, LABELS), "settings": { "required": ["owner"] }, "timeout": TIME },
            "current": { "module": module(guests, LABELS), "settings": { "denied": ["legacy"] }, "timeout": TIME },
            "public": { "module": module(guests, LABELS), "settings": { "required": ["public"] }, "timeout": TIME },
        },
        "expression": "(owned() && current()) || public()",
        "message": "the pod is neither owned and current nor public",
        "timeout": TIME,
    });
    let wat = |file: &str, time: &str| json!({ "module": module(guests, &format!("policies/wat/{file}.wat")), "timeout": time });
    let raw = json!({ "settings": { "allow": { "alice": ["read"] }, "defaultAction": "read" }, "allowedToMutate": true });
    vec![
        Policy::new("labels", labels(guests, &settings), &["pods", "configmaps"])
            .operations(&["CREATE", "UPDATE", "DELETE"]),
        Policy::new(
            "message",
            with(json!({ "message": "ask the platform team" })),
            &["pods"],
        ),
        Policy::new("monitored", with(json!({ "policyMode": "monitor" })), &["pods"]),
        Policy::new("defaults", defaults(true), &["pods"]).mutating(),
        Policy::new("no-leave", defaults(false), &["pods"]).mutating(),
        Policy::new("replicas", entry(guests, REPLICAS, replicas), &["deployments"]),
        Policy::new("group", group, &["pods"]),
        Policy::new(
            "raw",
            entry(guests, "policies/policy-raw/policy-raw.wasm", raw),
            &[],
        ),
        Policy::new("endless", wat("loop", "500ms"), &["pods"]),
        Policy::new("trapping", wat("panic", TIME), &["pods"]),
        Policy::new("missing", Value::Null, &["pods"]),
        Policy::new("missing-ignored", Value::Null, &["pods"]).ignored_when_it_fails(),
    ]
}

fn rego(guests: &Path) -> Vec<Policy> {
    let rego = |name: &str, mode: &str, more: Value| {
        let mut entry = entry(guests, &format!("{name}/{name}.wasm"), more);
        entry["executionMode"] = mode.into();
        entry
    };
    let owner = json!({ "settings": { "default_owner": "platform" }, "allowedToMutate": true });
    let wanted = json!({ "settings": { "labels": [{ "key": "team", "allowedRegex": "^[a-z]+$" }] } });
    let hosts = json!({
        "contextAwareResources": [{ "apiVersion": "networking.k8s.io/v1", "kind": "Ingress" }],
    });
    vec![
        Policy::new("opa", rego("rego-admission", "opa", owner), &["pods"]).mutating(),
        Policy::new(
            "gatekeeper",
            rego("rego-gatekeeper", "gatekeeper", wanted),
            &["pods"],
        ),
        Policy::new(
            "opa-hosts",
            rego("rego-hosts", "opa", hosts.clone()),
            &["ingresses"],
        ),
        Policy::new(
            "gatekeeper-hosts",
            rego("rego-gatekeeper-hosts", "gatekeeper", hosts),
            &["ingresses"],
        ),
    ]
}

/// Those that ask for objects and rights.
fn of_the_cluster(guests: &Path, names: &Names) -> Vec<Policy> {
    let unique = |settings: Value| {
        let more = json!({
            "settings": settings,
            "hostCapabilities": ["kubernetes/*"],
            "contextAwareResources": [
                { "apiVersion": "networking.k8s.io/v1", "kind": "Ingress" },
                { "apiVersion": "v1", "kind": "ConfigMap" },
            ],
        });
        entry(guests, UNIQUE_HOST, more)
    };
    let quota = |api_version: &str, kind: &str, settings: Value| {
        let mut more = json!({
            "settings": { "apiVersion": api_version, "kind": kind, "max": 2 },
            "hostCapabilities": ["kubernetes/list_resources_all", "kubernetes/list_resources_by_namespace", "kubernetes/get_resource"],
            "contextAwareResources": [{ "apiVersion": api_version, "kind": kind }, { "apiVersion": "v1", "kind": "ConfigMap" }],
        });
        if let (Some(all), Value::Object(settings)) = (more["settings"].as_object_mut(), settings) {
            all.extend(settings);
        }
        entry(guests, QUOTA, more)
    };
    let reserved = json!({ "reserved": { "namespace": names.reserved, "name": "reserved-hosts" } });
    let custom = format!("{}/v1", names.group);
    let with_selector = json!({ "labelSelector": "app=web" });
    let from_map = json!({ "maxFrom": { "name": "quota" } });
    let in_cluster = json!({ "scope": "cluster" });
    vec![
        Policy::new("unique", unique(json!({})), &["ingresses"]),
        Policy::new(
            "unique-here",
            unique(json!({ "scope": "namespace" })),
            &["ingresses"],
        ),
        Policy::new("reserved", unique(reserved), &["ingresses"]),
        Policy::new(
            "override",
            unique(json!({ "overrideVerb": "override-host" })),
            &["ingresses"],
        ),
        Policy::new("quota", quota("v1", "Pod", with_selector), &["pods"]),
        Policy::new("quota-map", quota("v1", "Pod", from_map), &["pods"]),
        Policy::new("quota-secrets", quota("v1", "Secret", json!({})), &["pods"]),
        Policy::new(
            "quota-widgets",
            quota(&custom, "Widget", in_cluster),
            &["pods", "widgets"],
        ),
    ]
}

/// Those of the checks that change the server while it works.
fn changing(guests: &Path) -> Vec<Policy> {
    let team = || labels(guests, &json!({ "required": ["team"] }));
    vec![
        Policy::new("steady", team(), &["pods"]),
        Policy::new("changed", team(), &["pods"]),
        Policy::new("added", Value::Null, &["pods"]),
        Policy::new("removed", team(), &["pods"]),
        Policy::new("restarted", team(), &["pods"]),
        Policy::new("restarted-ignored", team(), &["pods"]).ignored_when_it_fails(),
    ]
}
