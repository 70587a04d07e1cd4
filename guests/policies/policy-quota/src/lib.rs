//! A context-aware policy: how many objects of a kind there may be, of whichever kind the settings name.

use kubewarden_policy_sdk::request::ValidationRequest;
use kubewarden_policy_sdk::settings::Validatable;
use kubewarden_policy_sdk::wapc_guest::{host_call, register_function, CallResult};
use kubewarden_policy_sdk::{accept_request, protocol_version_guest, reject_request, validate_settings};
use serde::{Deserialize, Serialize};
use serde_json::{json, Value};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[no_mangle]
pub extern "C" fn wapc_init() {
    register_function("validate", validate);
    register_function("validate_settings", validate_settings::<Settings>);
    register_function("protocol_version", protocol_version_guest);
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Settings {
    api_version: String,
    kind: String,
    label_selector: Option<String>,
    scope: Scope,
    max: usize,
    max_from: Option<ConfigMapName>,
}

/// Where the objects are counted.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Scope {
    #[default]
    Namespace,
    Cluster,
}

/// A ConfigMap of the request's namespace whose `max` takes the place of that in the settings.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigMapName {
    name: String,
}

impl Validatable for Settings {
    fn validate(&self) -> Result<(), String> {
        if self.api_version.is_empty() || self.kind.is_empty() {
            return Err("`apiVersion` and `kind` name the objects that are counted".to_owned());
        }
        Ok(())
    }
}

fn validate(payload: &[u8]) -> CallResult {
    let ValidationRequest { settings, request } = ValidationRequest::<Settings>::new(payload)?;
    if request.operation != "CREATE" {
        return accept_request();
    }
    let most = match &settings.max_from {
        Some(map) => max_of(&request.namespace, &map.name)?,
        None => settings.max,
    };
    let there = count(&settings, &request.namespace)?;
    if there < most {
        return accept_request();
    }
    let Settings { api_version, kind, .. } = settings;
    let message = format!("there are {there} of {api_version}/{kind}, and at most {most} are allowed");
    reject_request(Some(message), Some(403), None, None)
}

fn count(settings: &Settings, namespace: &str) -> Outcome<usize> {
    let mut query = json!({
        "api_version": settings.api_version,
        "kind": settings.kind,
        "field_masks": ["metadata.name"],
    });
    if let Some(selector) = &settings.label_selector {
        query["label_selector"] = json!(selector);
    }
    let operation = match settings.scope {
        Scope::Cluster => "list_resources_all",
        Scope::Namespace => {
            query["namespace"] = json!(namespace);
            "list_resources_by_namespace"
        }
    };
    let list = ask(operation, &query)?;
    match list["items"].as_array() {
        Some(items) => Ok(items.len()),
        None => Err("the host gave no list".into()),
    }
}

fn max_of(namespace: &str, name: &str) -> Outcome<usize> {
    let query = json!({
        "api_version": "v1",
        "kind": "ConfigMap",
        "namespace": namespace,
        "name": name,
        "disable_cache": true,
    });
    let map = ask("get_resource", &query)?;
    let text = map["data"]["max"].as_str().ok_or("the ConfigMap has no `max`")?;
    text.parse().map_err(|_| format!("`max` of the ConfigMap is no number: {text:?}").into())
}

fn ask(operation: &str, query: &Value) -> Outcome<Value> {
    let answer = host_call("kubewarden", "kubernetes", operation, &serde_json::to_vec(query)?)?;
    Ok(serde_json::from_slice(&answer)?)
}
