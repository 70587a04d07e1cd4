//! The policies, and what they are asked.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// One question.
pub(crate) struct Case {
    /// The policy and the review.
    pub(crate) name: String,
    /// The path that is asked.
    pub(crate) target: String,
    pub(crate) body: String,
    /// Why the answers may differ, where they do.
    pub(crate) allowed: Option<&'static str>,
}

/// The reviews, files in `guests/policies/reviews`.
const REVIEWS: [&str; 5] = [
    "pod-create",
    "pod-create-labelled",
    "pod-delete",
    "deployment-create",
    "ingress-create",
];
const RAW: [&str; 2] = ["raw", "raw-without-action"];

/// A policy of the run.
struct Policy {
    id: &'static str,
    /// In `guests/`.
    module: &'static str,
    /// For those in Rego, which say nothing of themselves.
    mode: Option<&'static str>,
    /// Its entry but for the module.
    entry: fn() -> Value,
}

const LABELS: &str = "policies/policy-labels/policy-labels.wasm";
const DEFAULTS: &str = "policies/policy-defaults/policy-defaults.wasm";
const RAW_POLICY: &str = "policies/policy-raw/policy-raw.wasm";
const REPLICAS: &str = "policies/policy-replicas/policy-replicas.wasm";

fn labels() -> Value {
    json!({ "required": ["team"], "denied": ["legacy"], "deprecated": ["tier"], "protected": ["keep"] })
}

/// Those that are a module.
const POLICIES: [Policy; 13] = [
    Policy {
        id: "labels",
        module: LABELS,
        mode: None,
        entry: || json!({ "settings": labels() }),
    },
    Policy {
        id: "monitor",
        module: LABELS,
        mode: None,
        entry: || json!({ "settings": labels(), "policyMode": "monitor" }),
    },
    Policy {
        id: "message",
        module: LABELS,
        mode: None,
        entry: || json!({ "settings": labels(), "message": "Ask the platform team." }),
    },
    Policy {
        id: "defaults",
        module: DEFAULTS,
        mode: None,
        entry: || json!({ "settings": { "labels": { "added": "x" }, "runAsNonRoot": true }, "allowedToMutate": true }),
    },
    Policy {
        id: "may-not-mutate",
        module: DEFAULTS,
        mode: None,
        entry: || json!({ "settings": { "labels": { "added": "x" } }, "allowedToMutate": false }),
    },
    Policy {
        id: "raw",
        module: RAW_POLICY,
        mode: None,
        entry: || json!({ "settings": { "allow": { "alice": ["read"] } } }),
    },
    Policy {
        id: "replicas",
        module: REPLICAS,
        mode: None,
        entry: || json!({ "settings": { "max": 2 } }),
    },
    Policy {
        id: "rego",
        module: "rego-admission/rego-admission.wasm",
        mode: Some("opa"),
        entry: || json!({ "settings": { "default_owner": "nobody" }, "allowedToMutate": true }),
    },
    Policy {
        id: "gatekeeper",
        module: "rego-gatekeeper/rego-gatekeeper.wasm",
        mode: Some("gatekeeper"),
        entry: || json!({ "settings": { "labels": [{ "key": "team", "allowedRegex": "^[a-z]+$" }] } }),
    },
    Policy {
        id: "loop",
        module: "policies/wat/loop.wat",
        mode: None,
        entry: || json!({}),
    },
    Policy {
        id: "panic",
        module: "policies/wat/panic.wat",
        mode: None,
        entry: || json!({}),
    },
    Policy {
        id: "silent",
        module: "policies/wat/silent.wat",
        mode: None,
        entry: || json!({}),
    },
    Policy {
        id: "bad-json",
        module: "policies/wat/bad-json.wat",
        mode: None,
        entry: || json!({}),
    },
];

/// Where `policies/wat/wild.wat` gives its host a place outside of its memory, as its setting says.
const WILD: [&str; 17] = [
    "request-operation",
    "request-payload",
    "response",
    "response-size",
    "error",
    "error-size",
    "host-call-binding",
    "host-call-namespace",
    "host-call-operation",
    "host-call-payload",
    "host-error",
    "host-response",
    "console-log",
    "console-log-size",
    "fd-write",
    "random-get",
    "clock-time-get",
];

/// All policies, as in `policies.yml`. Modules that have to be made go to `folder`.
pub(crate) fn policies(guests: &Path, folder: &Path) -> Result<Value, String> {
    let mut entries = serde_json::Map::new();
    for policy in &POLICIES {
        let mut entry = (policy.entry)();
        entry["module"] = module(policy, guests, folder)?.into();
        entries.insert(policy.id.to_owned(), entry);
    }
    let wild = assembled(
        &guests.join("policies/wat/wild.wat"),
        None,
        &folder.join("wild.wasm"),
    )?;
    for call in WILD {
        let entry = json!({ "module": wild, "settings": { "call": call } });
        entries.insert(format!("wild-{call}"), entry);
    }
    let member = |settings: Value| json!({ "module": file(&guests.join(LABELS)), "settings": settings });
    let team = member(json!({ "required": ["team"] }));
    let owner = member(json!({ "required": ["owner"] }));
    for (id, expression) in [
        ("either", "team() || owner()"),
        ("both", "team() && owner()"),
        ("neither", "!team() && !owner()"),
    ] {
        let group = json!({
            "policies": { "team": team, "owner": owner },
            "expression": expression,
            "message": "The labels are not as they should be.",
        });
        entries.insert(id.to_owned(), group);
    }
    Ok(Value::Object(entries))
}

fn module(policy: &Policy, guests: &Path, folder: &Path) -> Result<String, String> {
    let path = guests.join(policy.module);
    let is_text = path.extension().is_some_and(|extension| extension == "wat");
    if !is_text && policy.mode.is_none() {
        return Ok(file(&path));
    }
    assembled(&path, policy.mode, &folder.join(format!("{}.wasm", policy.id)))
}

/// The module that a text or another module gives, in a file of its own.
fn assembled(from: &Path, mode: Option<&str>, to: &Path) -> Result<String, String> {
    let read = fs::read(from).map_err(|error| format!("{}: {error}", from.display()))?;
    let wasm = wat::parse_bytes(&read).map_err(|error| format!("{}: {error}", from.display()))?;
    let made = match mode {
        None => wasm.into_owned(),
        Some(mode) => with_metadata(wasm.into_owned(), mode),
    };
    fs::write(to, made).map_err(|error| format!("{}: {error}", to.display()))?;
    Ok(file(to))
}

/// The module with the section that says how it is run.
fn with_metadata(mut module: Vec<u8>, mode: &str) -> Vec<u8> {
    const NAME: &[u8] = b"io.kubewarden.metadata";
    let text = json!({ "rules": [], "mutating": true, "executionMode": mode }).to_string();
    let mut content = vec![NAME.len() as u8];
    content.extend_from_slice(NAME);
    content.extend_from_slice(text.as_bytes());
    let length = content.len();
    // A custom section, its length in LEB128: it takes two bytes.
    module.extend([0, (length & 0x7f) as u8 | 0x80, (length >> 7) as u8]);
    module.extend(content);
    module
}

fn file(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// Every policy with every review, and what is none.
pub(crate) fn all(guests: &Path) -> Result<Vec<Case>, String> {
    let review = |name: &str| {
        let path = guests.join(format!("policies/reviews/{name}.json"));
        fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let groups = ["either", "both", "neither"];
    let ids: Vec<&str> = POLICIES.iter().map(|policy| policy.id).chain(groups).collect();
    let mut cases = Vec::new();
    for id in ids {
        for name in REVIEWS {
            for endpoint in ["validate", "audit"] {
                cases.push(case(endpoint, id, name, review(name)?));
            }
        }
        for name in RAW {
            cases.push(case("validate_raw", id, name, review(name)?));
        }
    }
    for call in WILD {
        let id = format!("wild-{call}");
        cases.push(case("validate", &id, "pod-create", review("pod-create")?));
    }
    for (name, body) in [("no-json", "{"), ("no-request", "{}"), ("empty", "")] {
        cases.push(case("validate", "labels", name, body.to_owned()));
    }
    cases.push(case("validate", "unknown", "pod-create", review("pod-create")?));
    Ok(cases)
}

fn case(endpoint: &str, id: &str, review: &str, body: String) -> Case {
    let name = format!("{id}/{endpoint}/{review}");
    Case {
        target: format!("/{endpoint}/{id}"),
        body,
        allowed: allowed(endpoint, id, review),
        name,
    }
}

/// Why these answers differ.
fn allowed(endpoint: &str, id: &str, review: &str) -> Option<&'static str> {
    let is_group = ["either", "both", "neither"].contains(&id);
    match (endpoint, id, review) {
        (_, "labels", "no-json" | "empty" | "no-request") => {
            Some("a body that is no AdmissionReview is 400, with the place")
        }
        (_, "rego", "pod-delete") => {
            Some("what is deleted cannot be changed, and the policy that wants to is told so")
        }
        ("validate" | "audit", "gatekeeper", "pod-create-labelled") => None,
        ("validate" | "audit", "gatekeeper", _) => Some("`sprintf` writes a set as OPA does: {\"team\"}"),
        (
            _,
            "wild-request-operation" | "wild-request-payload" | "wild-host-error" | "wild-host-response",
            _,
        ) => None,
        (_, "wild-fd-write" | "wild-random-get" | "wild-clock-time-get", _) => {
            Some("WASI gives a policy the number 21 for a bad pointer, and policy-server ends it")
        }
        (_, wild, _) if wild.starts_with("wild-") => {
            Some("policy-server panics at this pointer and breaks the connection off")
        }
        ("validate_raw", _, _) if is_group => Some(
            "a member that has no verdict is neither true nor false, so the group has none, with code 500",
        ),
        _ => None,
    }
}
