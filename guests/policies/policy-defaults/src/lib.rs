//! A mutating policy: gives pods the labels and the security context that they do not say themselves.

use std::collections::BTreeMap;

use kubewarden_policy_sdk::request::ValidationRequest;
use kubewarden_policy_sdk::settings::Validatable;
use kubewarden_policy_sdk::wapc_guest::{register_function, CallResult};
use kubewarden_policy_sdk::{
    accept_request, mutate_request, protocol_version_guest, reject_request, validate_settings,
};
use serde::{Deserialize, Serialize};
use serde_json::{json, Map, Value};

#[no_mangle]
pub extern "C" fn wapc_init() {
    register_function("validate", validate);
    register_function("validate_settings", validate_settings::<Settings>);
    register_function("protocol_version", protocol_version_guest);
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Settings {
    labels: BTreeMap<String, String>,
    run_as_non_root: bool,
}

impl Validatable for Settings {
    fn validate(&self) -> Result<(), String> {
        if self.labels.is_empty() && !self.run_as_non_root {
            return Err("nothing to add: set `labels` or `runAsNonRoot`".to_owned());
        }
        match self.labels.keys().find(|label| label.is_empty()) {
            Some(_) => Err("`labels` has a label without a key".to_owned()),
            None => Ok(()),
        }
    }
}

fn validate(payload: &[u8]) -> CallResult {
    let ValidationRequest { settings, request } = ValidationRequest::<Settings>::new(payload)?;
    if request.operation == "DELETE" || request.kind.kind != "Pod" {
        return accept_request();
    }
    let mut pod = request.object.clone();
    match add_defaults(&mut pod, &settings) {
        None => reject_request(Some("this is not the shape of a pod".to_owned()), Some(400), None, None),
        Some(()) if pod == request.object => accept_request(),
        Some(()) => mutate_request(pod),
    }
}

/// Adds what is missing; `None` where the pod is of another shape than pods are.
fn add_defaults(pod: &mut Value, settings: &Settings) -> Option<()> {
    if !settings.labels.is_empty() {
        let labels = child(child(pod, "metadata")?, "labels")?.as_object_mut()?;
        for (label, value) in &settings.labels {
            labels.entry(label).or_insert_with(|| json!(value));
        }
    }
    if settings.run_as_non_root {
        let context = child(child(pod, "spec")?, "securityContext")?.as_object_mut()?;
        context.entry("runAsNonRoot").or_insert(json!(true));
    }
    Some(())
}

/// The object under this key, which is made where there is none.
fn child<'a>(parent: &'a mut Value, key: &str) -> Option<&'a mut Value> {
    let value = parent.as_object_mut()?.entry(key).or_insert(Value::Null);
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    value.is_object().then_some(value)
}
