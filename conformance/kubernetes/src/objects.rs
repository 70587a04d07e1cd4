//! The objects that are made, and where they are. Nothing runs any of the pods: their scheduler does not exist.

use serde_json::{Value, json};

/// Where the objects of a kind are.
pub(crate) fn collection(api_version: &str, namespace: &str, plural: &str) -> String {
    let root = if api_version.contains('/') { "apis" } else { "api" };
    format!("/{root}/{api_version}/namespaces/{namespace}/{plural}")
}

pub(crate) fn pods(namespace: &str) -> String {
    collection("v1", namespace, "pods")
}

pub(crate) fn config_maps(namespace: &str) -> String {
    collection("v1", namespace, "configmaps")
}

pub(crate) fn ingresses(namespace: &str) -> String {
    collection("networking.k8s.io/v1", namespace, "ingresses")
}

pub(crate) fn deployments(namespace: &str) -> String {
    collection("apps/v1", namespace, "deployments")
}

pub(crate) fn roles(namespace: &str) -> String {
    collection("rbac.authorization.k8s.io/v1", namespace, "roles")
}

pub(crate) fn role_bindings(namespace: &str) -> String {
    collection("rbac.authorization.k8s.io/v1", namespace, "rolebindings")
}

pub(crate) fn service_accounts(namespace: &str) -> String {
    collection("v1", namespace, "serviceaccounts")
}

/// Reviewed and not made.
pub(crate) fn dry(path: &str) -> String {
    format!("{path}?dryRun=All")
}

pub(crate) fn pod(name: &str, labels: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name, "labels": labels },
        "spec": pod_spec(),
    })
}

fn pod_spec() -> Value {
    json!({
        "schedulerName": "nobody",
        "containers": [{ "name": "main", "image": "registry.example/none:1" }],
    })
}

pub(crate) fn config_map(name: &str, data: &Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": data })
}

pub(crate) fn ingress(name: &str, host: &str) -> Value {
    let backend = json!({ "service": { "name": "none", "port": { "number": 80 } } });
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": { "name": name },
        "spec": { "rules": [{
            "host": host,
            "http": { "paths": [{ "path": "/", "pathType": "Prefix", "backend": backend }] },
        }] },
    })
}

pub(crate) fn deployment(name: &str, replicas: u32) -> Value {
    let labels = json!({ "app": name });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": name },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": pod_spec() },
        },
    })
}

pub(crate) fn role(name: &str, rules: &Value) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": { "name": name },
        "rules": rules,
    })
}

/// Gives a role, or a role of the cluster, to a service account.
pub(crate) fn binding(kind: &str, name: &str, role_kind: &str, role: &str, account: (&str, &str)) -> Value {
    let (namespace, account) = account;
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": { "name": name },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": role },
        "subjects": [{ "kind": "ServiceAccount", "namespace": namespace, "name": account }],
    })
}
