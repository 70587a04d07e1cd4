//! The objects, as the Kubernetes API has them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::deployed::Deployed;

/// What is made, and of what.
pub(super) struct Manifest<'a> {
    pub(super) name: &'a str,
    pub(super) namespace: &'a str,
    pub(super) service: &'a str,
    pub(super) image: &'a str,
    pub(super) ca_bundle: Option<&'a [u8]>,
    pub(super) inject_ca_from: Option<&'a str>,
    pub(super) failure_policy: &'a str,
    pub(super) exempt_namespaces: &'a [String],
    pub(super) policies: &'a [Deployed],
    /// The text of `policies.yml`.
    pub(super) policy_file: &'a str,
}

impl Manifest<'_> {
    /// All objects. Those that others need come first, the webhooks last.
    pub(super) fn all(&self) -> Vec<Value> {
        let mut documents = vec![self.namespace(), self.object("v1", "ServiceAccount", json!({}))];
        documents.extend(self.access());
        documents.extend([
            self.config_map(),
            self.service(),
            self.deployment(),
            self.disruption_budget(),
            self.network_policy(),
        ]);
        documents.extend(self.webhooks());
        documents
    }

    /// What is not in the namespace and hangs on the policies.
    pub(super) fn cluster_wide(&self) -> Vec<Value> {
        let mut documents = self.access();
        documents.extend(self.webhooks());
        documents
    }

    pub(super) fn labels(&self) -> Value {
        json!({ "app.kubernetes.io/name": self.name })
    }

    /// An object in the namespace, with these further fields.
    pub(super) fn object(&self, api_version: &str, kind: &str, fields: Value) -> Value {
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

    /// An object of the whole cluster, with these further fields.
    pub(super) fn cluster_object(&self, api_version: &str, kind: &str, fields: Value) -> Value {
        let mut object = self.object(api_version, kind, fields);
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("namespace");
        }
        object
    }

    fn namespace(&self) -> Value {
        let mut namespace = self.cluster_object("v1", "Namespace", json!({}));
        namespace["metadata"]["name"] = json!(self.namespace);
        // The pods keep to the strictest of the standards, and nothing else is to be here.
        namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = json!("restricted");
        namespace
    }

    /// Whether a policy asks the cluster for anything.
    pub(super) fn asks_cluster(&self) -> bool {
        let mut policies = self.policies.iter();
        policies.any(|policy| policy.asks_who_may || !policy.resources.is_empty())
    }

    /// The right to what the policies ask of the cluster, if they do.
    fn access(&self) -> Vec<Value> {
        const GROUP: &str = "rbac.authorization.k8s.io";
        if !self.asks_cluster() {
            return Vec::new();
        }
        let version = format!("{GROUP}/v1");
        let role = self.cluster_object(&version, "ClusterRole", json!({ "rules": self.rules() }));
        let binding = json!({
            "roleRef": { "apiGroup": GROUP, "kind": "ClusterRole", "name": self.name },
            "subjects": [{ "kind": "ServiceAccount", "name": self.name, "namespace": self.namespace }],
        });
        vec![role, self.cluster_object(&version, "ClusterRoleBinding", binding)]
    }

    /// What the policies ask of the API server, and nothing else: their kinds by group.
    fn rules(&self) -> Vec<Value> {
        let mut groups: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (version, kind) in self.policies.iter().flat_map(|policy| &policy.resources) {
            let group = version.rsplit_once('/').map_or("", |(group, _)| group);
            groups.entry(group).or_default().insert(plural(kind));
        }
        let mut rules: Vec<_> = groups
            .into_iter()
            .map(|(group, resources)| {
                json!({ "apiGroups": [group], "resources": resources, "verbs": ["get", "list", "watch"] })
            })
            .collect();
        if self.policies.iter().any(|policy| policy.asks_who_may) {
            rules.push(json!({
                "apiGroups": ["authorization.k8s.io"],
                "resources": ["subjectaccessreviews"],
                "verbs": ["create"],
            }));
        }
        rules
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
