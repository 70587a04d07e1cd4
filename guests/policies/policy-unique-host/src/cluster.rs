//! What the policy asks of its cluster. The SDK has these calls in typed form, with all types of Kubernetes behind them;
//! the few fields that are needed here are read without.

use std::collections::BTreeSet;
use std::error::Error;

use kubewarden_policy_sdk::request::UserInfo;
use kubewarden_policy_sdk::wapc_guest::host_call;
use serde_json::{json, Value};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// All Ingresses of the cluster.
pub fn ingresses() -> Outcome<Vec<Value>> {
    items(ask("list_resources_all", &ingress_query())?)
}

/// The Ingresses of a namespace.
pub fn ingresses_of(namespace: &str) -> Outcome<Vec<Value>> {
    let mut query = ingress_query();
    query["namespace"] = json!(namespace);
    items(ask("list_resources_by_namespace", &query)?)
}

fn ingress_query() -> Value {
    json!({
        "api_version": "networking.k8s.io/v1",
        "kind": "Ingress",
        "field_masks": ["metadata.name", "metadata.namespace", "spec.rules.host"],
    })
}

/// The keys of a ConfigMap's data.
pub fn config_map_keys(namespace: &str, name: &str) -> Outcome<BTreeSet<String>> {
    let query = json!({
        "api_version": "v1",
        "kind": "ConfigMap",
        "namespace": namespace,
        "name": name,
        "disable_cache": false,
    });
    let map = ask("get_resource", &query)?;
    let data = map["data"].as_object();
    Ok(data.map(|data| data.keys().cloned().collect()).unwrap_or_default())
}

/// Whether the user may do this to the Ingresses of a namespace.
pub fn can_i(user: &UserInfo, verb: &str, namespace: &str) -> Outcome<bool> {
    // In order, so that the same question is the same bytes.
    let groups: BTreeSet<_> = user.groups.iter().collect();
    let query = json!({
        "subject_access_review": {
            "user": user.username,
            "groups": groups,
            "resource_attributes": {
                "group": "networking.k8s.io",
                "resource": "ingresses",
                "verb": verb,
                "namespace": namespace,
            },
        },
        "disable_cache": false,
    });
    Ok(ask("can_i", &query)?["allowed"] == json!(true))
}

fn items(mut list: Value) -> Outcome<Vec<Value>> {
    match list["items"].take() {
        Value::Array(items) => Ok(items),
        _ => Err("the host gave no list of Ingresses".into()),
    }
}

fn ask(operation: &str, query: &Value) -> Outcome<Value> {
    let answer = host_call("kubewarden", "kubernetes", operation, &serde_json::to_vec(query)?)?;
    Ok(serde_json::from_slice(&answer)?)
}
