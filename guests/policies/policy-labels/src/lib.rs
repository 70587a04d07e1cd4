//! A policy about labels: some must be there, some must not, some are on their way out, and some keep an object from
//! being deleted.

use std::collections::{BTreeSet, HashMap};

use kubewarden_policy_sdk::logging::KubewardenDrain;
use kubewarden_policy_sdk::request::ValidationRequest;
use kubewarden_policy_sdk::response::ValidationResponse;
use kubewarden_policy_sdk::settings::{SettingsValidationResponse, Validatable};
use kubewarden_policy_sdk::wapc_guest::{register_function, CallResult};
use kubewarden_policy_sdk::{accept_request, protocol_version_guest, reject_request};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use slog::{info, o, Logger};

#[no_mangle]
pub extern "C" fn wapc_init() {
    register_function("validate", validate);
    register_function("validate_settings", validate_settings);
    register_function("protocol_version", protocol_version_guest);
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    required: BTreeSet<String>,
    denied: BTreeSet<String>,
    deprecated: BTreeSet<String>,
    protected: BTreeSet<String>,
}

impl Settings {
    fn all(&self) -> impl Iterator<Item = &String> {
        [&self.required, &self.denied, &self.deprecated, &self.protected].into_iter().flatten()
    }
}

impl Validatable for Settings {
    fn validate(&self) -> Result<(), String> {
        if self.all().next().is_none() {
            return Err("no label is named: set `required`, `denied`, `deprecated` or `protected`".to_owned());
        }
        if let Some(label) = self.all().find(|label| !is_label(label)) {
            return Err(format!("`{label}` cannot be a label's key"));
        }
        match self.required.intersection(&self.denied).next() {
            Some(label) => Err(format!("the label `{label}` is both required and denied")),
            None => Ok(()),
        }
    }
}

/// Whether this is a key of Kubernetes: a name, or a DNS name, `/` and a name.
fn is_label(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').unwrap_or(("prefix", key));
    let ends_well = |text: &str| {
        let alphanumeric = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        alphanumeric(text.as_bytes().first()) && alphanumeric(text.as_bytes().last())
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_dns = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    (name.len() <= 63 && ends_well(name) && name.bytes().all(is_name))
        && (prefix.len() <= 253 && ends_well(prefix) && prefix.bytes().all(is_dns))
}

/// Settings of the wrong shape are refused with a message too, where the SDK's own function would fail.
fn validate_settings(payload: &[u8]) -> CallResult {
    let outcome = serde_json::from_slice::<Settings>(payload)
        .map_err(|error| format!("the settings cannot be read: {error}"))
        .and_then(|settings| settings.validate());
    let response = SettingsValidationResponse { valid: outcome.is_ok(), message: outcome.err() };
    Ok(serde_json::to_vec(&response)?)
}

fn validate(payload: &[u8]) -> CallResult {
    let ValidationRequest { settings, request } = ValidationRequest::<Settings>::new(payload)?;
    let log = Logger::root(KubewardenDrain::new(), o!("policy" => "policy-labels"));
    if request.operation == "DELETE" {
        let labels = labels_of(&request.old_object);
        return match settings.protected.intersection(&labels).next() {
            Some(label) => {
                let message = format!("an object with the label `{label}` cannot be deleted");
                reject_request(Some(message), Some(403), None, None)
            }
            None => accept_request(),
        };
    }
    let labels = labels_of(&request.object);
    let missing: Vec<_> = settings.required.difference(&labels).cloned().collect();
    let denied: Vec<_> = settings.denied.intersection(&labels).cloned().collect();
    let warnings: Vec<_> = settings
        .deprecated
        .intersection(&labels)
        .map(|label| format!("the label `{label}` will not be allowed for much longer"))
        .collect();
    let warnings = (!warnings.is_empty()).then_some(warnings);
    let message = missing
        .iter()
        .map(|label| format!("the label `{label}` is missing"))
        .chain(denied.iter().map(|label| format!("the label `{label}` is not allowed")))
        .collect::<Vec<_>>()
        .join("; ");
    if message.is_empty() {
        let accepted = true;
        return Ok(serde_json::to_vec(&ValidationResponse {
            accepted,
            message: None,
            code: None,
            mutated_object: None,
            audit_annotations: None,
            warnings,
        })?);
    }
    info!(log, "rejected"; "name" => &request.name, "namespace" => &request.namespace, "missing" => missing.len());
    let annotations =
        HashMap::from([("missing".to_owned(), missing.join(",")), ("denied".to_owned(), denied.join(","))]);
    reject_request(Some(message), Some(422), Some(annotations), warnings)
}

fn labels_of(object: &Value) -> BTreeSet<String> {
    let labels = object.pointer("/metadata/labels").and_then(Value::as_object);
    labels.map(|labels| labels.keys().cloned().collect()).unwrap_or_default()
}
