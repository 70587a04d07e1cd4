//! The objects, as the Kubernetes API has them.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use wharf_abi_wapc::kubewarden::Metadata;
use wharf_abi_wapc::kubewarden::capability::CapabilityPatterns;
use wharf_plugin::Reference;

/// The port of the server in its container.
const PORT: u16 = 8443;

/// The admin port, for probes and metrics.
const ADMIN_PORT: u16 = 9901;

/// The operations that read objects.
const READING: [&str; 3] = [
    "kubernetes/get_resource",
    "kubernetes/list_resources_all",
    "kubernetes/list_resources_by_namespace",
];

/// A policy that is to be served.
pub(super) struct Deployed {
    pub(super) id: String,
    pub(super) reference: Reference,
    pub(super) metadata: Metadata,
    /// Whether `policies.yml` must name its mode.
    pub(super) needs_mode: bool,
}

/// What is made, and of what.
pub(super) struct Manifest<'a> {
    pub(super) name: &'a str,
    pub(super) namespace: &'a str,
    pub(super) service: &'a str,
    pub(super) image: &'a str,
    pub(super) ca_bundle: Option<&'a [u8]>,
    pub(super) policies: &'a [Deployed],
}

impl Manifest<'_> {
    /// All objects. Those that others need come first, the webhooks last.
    pub(super) fn documents(&self) -> Vec<Value> {
        let mut documents = vec![
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": self.namespace } }),
            self.object("v1", "ServiceAccount", json!({})),
        ];
        let rules = self.rules();
        if !rules.is_empty() {
            documents.push(json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRole",
                "metadata": { "name": self.name },
                "rules": rules,
            }));
            documents.push(json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": { "name": self.name },
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "ClusterRole",
                    "name": self.name,
                },
                "subjects": [{
                    "kind": "ServiceAccount",
                    "name": self.name,
                    "namespace": self.namespace,
                }],
            }));
        }
        documents.push(self.config_map());
        documents.push(self.service());
        documents.push(self.deployment());
        documents.push(self.object(
            "policy/v1",
            "PodDisruptionBudget",
            json!({ "spec": { "minAvailable": 1, "selector": { "matchLabels": self.labels() } } }),
        ));
        for (kind, mutating) in [
            ("MutatingWebhookConfiguration", true),
            ("ValidatingWebhookConfiguration", false),
        ] {
            let policies = self.policies.iter();
            let webhooks: Vec<_> = policies
                .filter(|policy| policy.metadata.mutating == mutating)
                .map(|policy| self.webhook(policy))
                .collect();
            if !webhooks.is_empty() {
                documents.push(json!({
                    "apiVersion": "admissionregistration.k8s.io/v1",
                    "kind": kind,
                    "metadata": { "name": self.name },
                    "webhooks": webhooks,
                }));
            }
        }
        documents
    }

    fn labels(&self) -> Value {
        json!({ "app.kubernetes.io/name": self.name })
    }

    /// An object in the namespace, with these further fields.
    fn object(&self, api_version: &str, kind: &str, fields: Value) -> Value {
        let mut object = json!({
            "apiVersion": api_version,
            "kind": kind,
            "metadata": { "name": self.name, "namespace": self.namespace, "labels": self.labels() },
        });
        if let (Value::Object(object), Value::Object(fields)) = (&mut object, fields) {
            object.extend(fields);
        }
        object
    }

    /// What the policies ask of the API server, and nothing else: their kinds by group.
    fn rules(&self) -> Vec<Value> {
        let mut groups: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for policy in self.policies {
            for resource in &policy.metadata.context_aware_resources {
                let group = resource
                    .api_version
                    .rsplit_once('/')
                    .map_or("", |(group, _)| group);
                groups.entry(group).or_default().insert(plural(&resource.kind));
            }
        }
        let mut rules: Vec<_> = groups
            .into_iter()
            .map(|(group, resources)| {
                json!({ "apiGroups": [group], "resources": resources, "verbs": ["get", "list", "watch"] })
            })
            .collect();
        if self.policies.iter().any(|policy| policy.asks("kubernetes/can_i")) {
            rules.push(json!({
                "apiGroups": ["authorization.k8s.io"],
                "resources": ["subjectaccessreviews"],
                "verbs": ["create"],
            }));
        }
        rules
    }

    fn config_map(&self) -> Value {
        let policies: Map<_, _> = self
            .policies
            .iter()
            .map(|policy| (policy.id.clone(), policy.entry()))
            .collect();
        let config = json!({
            "version": 1,
            "admission": {
                "bind": format!("0.0.0.0:{PORT}"),
                "tls": { "certificate": "/tls/tls.crt", "key": "/tls/tls.key" },
                "policies": { "file": "policies.yml" },
            },
            "admin": { "bind": format!("0.0.0.0:{ADMIN_PORT}") },
        });
        self.object(
            "v1",
            "ConfigMap",
            json!({ "data": {
                "wharf.yaml": wharf_config::to_yaml(&config),
                "policies.yml": wharf_config::to_yaml(&Value::Object(policies)),
            } }),
        )
    }

    fn service(&self) -> Value {
        let mut service = self.object(
            "v1",
            "Service",
            json!({ "spec": {
                "selector": self.labels(),
                "ports": [{ "name": "https", "port": 443, "targetPort": "https" }],
            } }),
        );
        service["metadata"]["name"] = json!(self.service);
        service
    }

    fn deployment(&self) -> Value {
        let probe = |path: &str| json!({ "httpGet": { "path": path, "port": "admin" }, "periodSeconds": 5 });
        let container = json!({
            "name": "wharf",
            "image": self.image,
            "args": ["serve", "/etc/wharf/wharf.yaml"],
            "ports": [
                { "name": "https", "containerPort": PORT },
                { "name": "admin", "containerPort": ADMIN_PORT },
            ],
            "readinessProbe": probe("/readiness"),
            "livenessProbe": probe("/healthz"),
            "resources": { "requests": { "cpu": "100m", "memory": "128Mi" }, "limits": { "memory": "1Gi" } },
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": { "drop": ["ALL"] },
            },
            "volumeMounts": [
                { "name": "config", "mountPath": "/etc/wharf", "readOnly": true },
                { "name": "tls", "mountPath": "/tls", "readOnly": true },
            ],
        });
        self.object(
            "apps/v1",
            "Deployment",
            json!({ "spec": {
                "replicas": 2,
                "selector": { "matchLabels": self.labels() },
                "template": {
                    "metadata": { "labels": self.labels() },
                    "spec": {
                        "serviceAccountName": self.name,
                        "securityContext": {
                            "runAsNonRoot": true,
                            "runAsUser": 65532,
                            "seccompProfile": { "type": "RuntimeDefault" },
                        },
                        "containers": [container],
                        "volumes": [
                            { "name": "config", "configMap": { "name": self.name } },
                            { "name": "tls", "secret": { "secretName": format!("{}-tls", self.name) } },
                        ],
                    },
                },
            } }),
        )
    }

    fn webhook(&self, policy: &Deployed) -> Value {
        let mut client = json!({ "service": {
            "name": self.service,
            "namespace": self.namespace,
            "path": format!("/validate/{}", policy.id),
            "port": 443,
        } });
        if let Some(ca_bundle) = self.ca_bundle {
            client["caBundle"] = json!(STANDARD.encode(ca_bundle));
        }
        json!({
            // The API server wants at least three parts.
            "name": format!("{}.{}.{}.svc", policy.id, self.service, self.namespace),
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "timeoutSeconds": 10,
            "failurePolicy": "Fail",
            // Else nothing could be deployed in it while the server is down, the server included.
            "namespaceSelector": { "matchExpressions": [{
                "key": "kubernetes.io/metadata.name",
                "operator": "NotIn",
                "values": [self.namespace],
            }] },
            "clientConfig": client,
            // They were made of JSON.
            "rules": serde_json::to_value(&policy.metadata.rules).unwrap_or_default(),
        })
    }
}

impl Deployed {
    /// Whether it asks for a host capability.
    fn asks(&self, path: &str) -> bool {
        let patterns = self.metadata.host_capabilities.iter().flatten();
        CapabilityPatterns::parse(patterns).is_ok_and(|patterns| patterns.allow(path))
    }

    /// Its entry in `policies.yml`, with what its metadata ask for.
    fn entry(&self) -> Value {
        let mut entry = json!({ "module": format!("file:///policies/{}.wasm", self.id) });
        if self.metadata.mutating {
            entry["allowedToMutate"] = json!(true);
        }
        if self.needs_mode {
            entry["executionMode"] = json!(self.metadata.execution_mode.as_str());
        }
        if !self.metadata.context_aware_resources.is_empty() {
            let resources = serde_json::to_value(&self.metadata.context_aware_resources);
            entry["contextAwareResources"] = resources.unwrap_or_default();
        }
        match &self.metadata.host_capabilities {
            Some(capabilities) if capabilities.is_empty() => {}
            Some(capabilities) => entry["hostCapabilities"] = json!(capabilities),
            // Older policies name the kinds that they read, and not how.
            None if self.metadata.context_aware_resources.is_empty() => {}
            None => entry["hostCapabilities"] = json!(READING),
        }
        entry["settings"] = json!({});
        entry
    }
}

/// What a kind is called in rules: lower case and in plural, by the rules of English that Kubernetes follows.
pub(in crate::commands) fn plural(kind: &str) -> String {
    let lower = kind.to_lowercase();
    if lower == "endpoints" {
        return lower;
    }
    if ["s", "x", "z", "ch", "sh"].iter().any(|end| lower.ends_with(end)) {
        return format!("{lower}es");
    }
    match lower.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{lower}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_the_plurals_of_the_api() {
        for (kind, expected) in [
            ("Pod", "pods"),
            ("Ingress", "ingresses"),
            ("NetworkPolicy", "networkpolicies"),
            ("Endpoints", "endpoints"),
            ("EndpointSlice", "endpointslices"),
            ("Gateway", "gateways"),
            ("StorageClass", "storageclasses"),
        ] {
            assert_eq!(plural(kind), expected);
        }
    }
}
