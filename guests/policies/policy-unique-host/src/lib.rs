//! A context-aware policy: the host of an Ingress belongs to the Ingress that had it first.

mod cluster;

use std::collections::BTreeSet;

use kubewarden_policy_sdk::request::{KubernetesAdmissionRequest, ValidationRequest};
use kubewarden_policy_sdk::response::ValidationResponse;
use kubewarden_policy_sdk::settings::Validatable;
use kubewarden_policy_sdk::wapc_guest::{register_function, CallResult};
use kubewarden_policy_sdk::{accept_request, protocol_version_guest, reject_request, validate_settings};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[no_mangle]
pub extern "C" fn wapc_init() {
    register_function("validate", validate);
    register_function("validate_settings", validate_settings::<Settings>);
    register_function("protocol_version", protocol_version_guest);
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Settings {
    scope: Scope,
    reserved: Option<ConfigMapName>,
    override_verb: Option<String>,
}

/// Where a host has to be unique.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Scope {
    #[default]
    Cluster,
    Namespace,
}

/// A ConfigMap whose keys are hosts that nobody may take.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigMapName {
    namespace: String,
    name: String,
}

impl Validatable for Settings {
    fn validate(&self) -> Result<(), String> {
        if self.override_verb.as_deref() == Some("") {
            return Err("`overrideVerb` is empty: name a verb, or leave it out".to_owned());
        }
        match &self.reserved {
            Some(map) if map.namespace.is_empty() || map.name.is_empty() => {
                Err("`reserved` needs the `namespace` and the `name` of a ConfigMap".to_owned())
            }
            _ => Ok(()),
        }
    }
}

fn validate(payload: &[u8]) -> CallResult {
    let ValidationRequest { settings, request } = ValidationRequest::<Settings>::new(payload)?;
    let hosts = hosts(&request.object);
    if request.operation == "DELETE" || hosts.is_empty() {
        return accept_request();
    }
    if let Some(map) = &settings.reserved {
        let reserved = cluster::config_map_keys(&map.namespace, &map.name)?;
        if let Some(host) = hosts.intersection(&reserved).next() {
            return reject_request(Some(format!("the host `{host}` is reserved")), Some(403), None, None);
        }
    }
    let ingresses = match settings.scope {
        Scope::Cluster => cluster::ingresses()?,
        Scope::Namespace => cluster::ingresses_of(&request.namespace)?,
    };
    let Some(message) = ingresses.iter().find_map(|other| taken(&hosts, other, &request)) else {
        return accept_request();
    };
    match &settings.override_verb {
        Some(verb) if cluster::can_i(&request.user_info, verb, &request.namespace)? => warn(message),
        _ => reject_request(Some(message), Some(409), None, None),
    }
}

/// What there is to say where the other Ingress has one of these hosts and is not the one that is under review.
fn taken(hosts: &BTreeSet<String>, other: &Value, request: &KubernetesAdmissionRequest) -> Option<String> {
    let text = |key: &str| other["metadata"][key].as_str().unwrap_or_default();
    let (namespace, name) = (text("namespace"), text("name"));
    if (namespace, name) == (&request.namespace, &request.name) {
        return None;
    }
    let theirs = self::hosts(other);
    let host = hosts.intersection(&theirs).next()?;
    Some(format!("the host `{host}` belongs to the Ingress `{name}` in the namespace `{namespace}`"))
}

fn hosts(ingress: &Value) -> BTreeSet<String> {
    let rules = ingress["spec"]["rules"].as_array().into_iter().flatten();
    rules.filter_map(|rule| rule["host"].as_str()).map(str::to_owned).collect()
}

fn warn(message: String) -> CallResult {
    Ok(serde_json::to_vec(&ValidationResponse {
        accepted: true,
        message: None,
        code: None,
        mutated_object: None,
        audit_annotations: None,
        warnings: Some(vec![message]),
    })?)
}
