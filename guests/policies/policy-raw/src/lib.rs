//! A raw policy: its requests are not Kubernetes' but `{"user", "action", "resource"}`. It says who may do what, and adds
//! the action where the request names none.

use std::collections::{BTreeMap, BTreeSet};

use kubewarden_policy_sdk::settings::Validatable;
use kubewarden_policy_sdk::wapc_guest::{register_function, CallResult};
use kubewarden_policy_sdk::{
    accept_request, mutate_request, protocol_version_guest, reject_request, validate_settings,
};
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
    /// The actions that each user may do.
    allow: BTreeMap<String, BTreeSet<String>>,
    default_action: Option<String>,
}

impl Validatable for Settings {
    fn validate(&self) -> Result<(), String> {
        if self.allow.is_empty() {
            return Err("`allow` names no user, so that every request would be refused".to_owned());
        }
        match self.allow.iter().find(|(_, actions)| actions.is_empty()) {
            Some((user, _)) => Err(format!("`allow` names no action for the user `{user}`")),
            None => Ok(()),
        }
    }
}

#[derive(Deserialize)]
struct Payload {
    request: Value,
    settings: Settings,
}

fn validate(payload: &[u8]) -> CallResult {
    let Payload { mut request, settings } = serde_json::from_slice(payload)?;
    let text = |key: &str| request.get(key).and_then(Value::as_str).map(str::to_owned);
    let (Some(user), Some(resource)) = (text("user"), text("resource")) else {
        return reject("the request has no text `user` or no text `resource`".to_owned(), 400);
    };
    let named = text("action");
    let Some(action) = named.as_ref().or(settings.default_action.as_ref()).cloned() else {
        return reject("the request has no text `action`".to_owned(), 400);
    };
    if !settings.allow.get(&user).is_some_and(|actions| actions.contains(&action)) {
        return reject(format!("{user} may not {action} {resource}"), 403);
    }
    if named.is_some() {
        return accept_request();
    }
    request["action"] = Value::String(action);
    mutate_request(request)
}

fn reject(message: String, code: u16) -> CallResult {
    reject_request(Some(message), Some(code), None, None)
}
