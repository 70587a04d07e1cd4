//! Objects of the Kubernetes API, held against its types: every field must be one that the API has, with a value of its
//! type. What the API reads is written again and must be what was there, so that nothing that it passes over goes unseen.

use std::path::Path;

use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use wharf_config::kubewarden::read_settings;

use crate::harness::folder;

/// Why an object is not one of the API.
///
/// # Errors
/// The first field that is wrong, and how.
pub(crate) fn check(object: &Value) -> Result<(), String> {
    let kind = text(object, "/kind");
    let checked = match kind.as_str() {
        "Namespace" => same::<Namespace>(object),
        "ServiceAccount" => same::<ServiceAccount>(object),
        "ConfigMap" => same::<ConfigMap>(object),
        "Service" => same::<Service>(object),
        "Deployment" => same::<Deployment>(object),
        "PodDisruptionBudget" => same::<PodDisruptionBudget>(object),
        "NetworkPolicy" => same::<NetworkPolicy>(object),
        "ClusterRole" => same::<ClusterRole>(object),
        "ClusterRoleBinding" => same::<ClusterRoleBinding>(object),
        "MutatingWebhookConfiguration" => same::<MutatingWebhookConfiguration>(object),
        "ValidatingWebhookConfiguration" => same::<ValidatingWebhookConfiguration>(object),
        _ => Err("a kind that no test knows".to_owned()),
    };
    checked.map_err(|reason| format!("{kind} {}: {reason}", text(object, "/metadata/name")))
}

fn same<T: DeserializeOwned + Serialize>(object: &Value) -> Result<(), String> {
    let read: T = serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
    let written = serde_json::to_value(read).map_err(|error| error.to_string())?;
    difference("", object, &written)
}

/// The first place at which two values differ.
///
/// # Errors
/// The place, and what is there.
pub(crate) fn difference(place: &str, left: &Value, right: &Value) -> Result<(), String> {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            for (key, value) in left {
                let place = format!("{place}/{key}");
                let other = right.get(key).ok_or(format!("{place} is no field"))?;
                difference(&place, value, other)?;
            }
            match right.keys().find(|key| !left.contains_key(*key)) {
                Some(key) => Err(format!("{place}/{key} is missing")),
                None => Ok(()),
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            let mut pairs = left.iter().zip(right).enumerate();
            pairs.try_for_each(|(index, (left, right))| difference(&format!("{place}/{index}"), left, right))
        }
        (left, right) if left == right => Ok(()),
        (left, right) => Err(format!("{place} is {left} and not {right}")),
    }
}

/// The text at a place in an object, or none.
pub(crate) fn text(object: &Value, pointer: &str) -> String {
    let value = object.pointer(pointer).and_then(Value::as_str);
    value.unwrap_or_default().to_owned()
}

/// The documents of a text in YAML.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    let folder = folder();
    let path = folder.path().join("document.yaml");
    let mut all = Vec::new();
    for document in text.split("\n---\n") {
        std::fs::write(&path, document).unwrap();
        all.push(yaml(&path));
    }
    all
}

/// A file of YAML.
pub(crate) fn yaml(path: &Path) -> Value {
    let json = read_settings(path).unwrap_or_else(|errors| panic!("{}: {errors}", path.display()));
    serde_json::from_str(&json).unwrap()
}
