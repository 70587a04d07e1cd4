//! What the API server is told of the policies.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::build::Manifest;
use super::deployed::Deployed;

impl Manifest<'_> {
    /// The webhooks: of those that change objects, and of the others.
    pub(super) fn webhooks(&self) -> Vec<Value> {
        let kinds = [
            ("MutatingWebhookConfiguration", true),
            ("ValidatingWebhookConfiguration", false),
        ];
        kinds
            .into_iter()
            .filter_map(|(kind, mutating)| self.configuration(kind, mutating))
            .collect()
    }

    fn configuration(&self, kind: &str, mutating: bool) -> Option<Value> {
        let policies = self.policies.iter().filter(|policy| policy.mutates == mutating);
        let webhooks: Vec<_> = policies.map(|policy| self.webhook(policy)).collect();
        if webhooks.is_empty() {
            return None;
        }
        let fields = json!({ "webhooks": webhooks });
        let mut object = self.cluster_object("admissionregistration.k8s.io/v1", kind, fields);
        // So that they can be applied last, when the server runs.
        object["metadata"]["labels"]["app.kubernetes.io/component"] = json!("webhooks");
        if let Some(certificate) = self.inject_ca_from {
            object["metadata"]["annotations"] = json!({ "cert-manager.io/inject-ca-from": certificate });
        }
        Some(object)
    }

    fn webhook(&self, policy: &Deployed) -> Value {
        let mut webhook = json!({
            // The API server wants at least three parts.
            "name": format!("{}.{}.{}.svc", policy.id, self.service, self.namespace),
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "timeoutSeconds": policy.timeout_seconds(),
            "failurePolicy": self.failure_policy,
            "matchPolicy": "Equivalent",
        });
        // What a custom resource says goes before what is said for all.
        if let Some(said) = &policy.webhook
            && let (Value::Object(webhook), Ok(Value::Object(said))) =
                (&mut webhook, serde_json::to_value(said))
        {
            webhook.extend(said);
        }
        webhook["namespaceSelector"] = self.namespaces(policy, webhook["namespaceSelector"].take());
        webhook["clientConfig"] = self.client(policy);
        webhook["rules"] = json!(policy.rules);
        webhook
    }

    /// The namespaces whose objects are reviewed. Else nothing could be deployed in the server's own while the server is
    /// down, the server included.
    fn namespaces(&self, policy: &Deployed, said: Value) -> Value {
        let mut exempt: Vec<&str> = self.exempt_namespaces.iter().map(String::as_str).collect();
        if !policy.reviews_own_namespace && !exempt.contains(&self.namespace) {
            exempt.insert(0, self.namespace);
        }
        let mut selector = if said.is_object() { said } else { json!({}) };
        let mut conditions = selector["matchExpressions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        conditions.push(json!({
            "key": "kubernetes.io/metadata.name",
            "operator": "NotIn",
            "values": exempt,
        }));
        selector["matchExpressions"] = json!(conditions);
        selector
    }

    fn client(&self, policy: &Deployed) -> Value {
        let mut client = json!({ "service": {
            "name": self.service,
            "namespace": self.namespace,
            "path": format!("/validate/{}", policy.id),
            "port": 443,
        } });
        if let Some(ca_bundle) = self.ca_bundle {
            client["caBundle"] = json!(STANDARD.encode(ca_bundle));
        }
        client
    }
}
