//! What Rego policies answer. Whatever is not surely an acceptance is none.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::json::{self, JsonProblem};
use super::super::patch;
use super::super::response::Status;
use super::super::verdict::Verdict;

/// The rule of an OPA policy that gives the review's answer.
pub(super) const OPA_RULE: &str = "main";

/// The rule of a Gatekeeper policy that gives the violations.
pub(super) const GATEKEEPER_RULE: &str = "violation";

/// The response of an AdmissionReview, as OPA policies make it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    allowed: bool,
    #[serde(default)]
    status: Option<Status>,
    #[serde(default)]
    patch: Option<String>,
    #[serde(default)]
    patch_type: Option<String>,
    #[serde(default)]
    warnings: Option<Vec<String>>,
    #[serde(default)]
    audit_annotations: Option<BTreeMap<String, String>>,
}

/// The verdict of an OPA policy: `[{"result": {"response": {"allowed": …}}}]`. Where the entrypoint is a package, its rule
/// `main` counts.
pub(super) fn of_opa(answer: &[u8]) -> Result<Verdict, JsonProblem> {
    let mut review = result(answer)?;
    if let Value::Object(rules) = &mut review
        && !rules.contains_key("response")
        && let Some(rule) = rules.remove(OPA_RULE)
    {
        review = rule;
    }
    let response = match review {
        Value::Object(mut fields) => fields.remove("response"),
        _ => None,
    };
    let Some(response) = response else {
        let reason = "cannot interpret OPA policy result: it has no response";
        return Err(JsonProblem::at("[0].result.response", reason));
    };
    if !response.is_object() {
        return Err(JsonProblem::at("[0].result.response", "this is no object"));
    }
    let response: Response =
        json::from_value(response).map_err(|problem| problem.inside("[0].result.response"))?;
    verdict(response)
}

fn verdict(response: Response) -> Result<Verdict, JsonProblem> {
    let patch = match (response.patch, response.patch_type.as_deref()) {
        (None, _) => None,
        (Some(patch), Some("JSONPatch") | None) => Some(patch::of_policy(patch)?),
        (Some(_), Some(other)) => {
            let other: String = other.chars().take(40).collect();
            let reason = format!("a patch of type `{other}`, where only JSONPatch can be given");
            return Err(JsonProblem::at("[0].result.response.patchType", reason));
        }
    };
    let status = response.status.unwrap_or_default();
    Ok(Verdict {
        accepted: response.allowed,
        message: status.message,
        code: status.code,
        reason: status.reason,
        details: status.details,
        mutated_object: None,
        patch,
        audit_annotations: response.audit_annotations,
        warnings: response.warnings,
    })
}

/// The verdict of a Gatekeeper policy: `[{"result": [{"msg": …}, …]}]`, where no violations are an acceptance. Where the
/// entrypoint is a package, its rule `violation` counts.
pub(super) fn of_gatekeeper(answer: &[u8]) -> Result<Verdict, JsonProblem> {
    let violations = match result(answer)? {
        Value::Array(violations) => violations,
        Value::Object(mut rules) => match rules.remove(GATEKEEPER_RULE) {
            Some(Value::Array(violations)) => violations,
            // A set that Rego gives as an object, the violations being its keys.
            Some(Value::Object(violations)) => violations
                .into_iter()
                .map(|(key, _)| Value::String(key))
                .collect(),
            _ => return Err(no_violations(&Value::Object(rules))),
        },
        other => return Err(no_violations(&other)),
    };
    if violations.is_empty() {
        return Ok(Verdict {
            accepted: true,
            ..Verdict::default()
        });
    }
    let messages: Vec<String> = violations.iter().filter_map(message).collect();
    Ok(Verdict {
        accepted: false,
        message: Some(messages.join(", ")).filter(|message| !message.is_empty()),
        ..Verdict::default()
    })
}

/// The words of one violation; none where it has none.
fn message(violation: &Value) -> Option<String> {
    match violation {
        Value::Object(fields) => match fields.get("msg")? {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            other => Some(other.to_string()),
        },
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn no_violations(found: &Value) -> JsonProblem {
    let found = match found {
        Value::Object(rules) => format!("an object with {}", names(rules)),
        other => format!("`{}`", other.to_string().chars().take(40).collect::<String>()),
    };
    let reason =
        format!("{found}, where the violations are expected: name the entrypoint of the rule `violation`");
    JsonProblem::at("[0].result", reason)
}

fn names(rules: &Map<String, Value>) -> String {
    let names: Vec<&str> = rules.keys().take(10).map(String::as_str).collect();
    match names.len() {
        0 => "no rule `violation`".to_owned(),
        _ => format!("the rules {}", names.join(", ")),
    }
}

/// What the entrypoint gave. A rule that is undefined gives nothing, which is no verdict.
fn result(answer: &[u8]) -> Result<Value, JsonProblem> {
    let results: Vec<Map<String, Value>> = json::decode(answer)?;
    let [result]: [Map<String, Value>; 1] =
        results
            .try_into()
            .map_err(|results: Vec<_>| match results.len() {
                0 => JsonProblem::at("", "the policy's entrypoint is undefined for this request"),
                count => JsonProblem::at("", format!("the policy's entrypoint gave {count} results")),
            })?;
    let mut result = result;
    result
        .remove("result")
        .ok_or_else(|| JsonProblem::at("[0]", "there is no `result`"))
}

#[cfg(test)]
mod tests;
