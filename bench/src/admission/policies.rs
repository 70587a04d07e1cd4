//! What is measured: policies, and the review that they are asked about.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::Outcome;

/// The policies of this repository that judge a pod without a cluster, with settings that they take.
const GUESTS: [(&str, &str); 3] = [
    ("policy-labels", r#"{"required":["app"],"denied":["denied-{n}"]}"#),
    (
        "policy-defaults",
        r#"{"labels":{"added":"by-{n}"},"runAsNonRoot":true}"#,
    ),
    ("policy-replicas", r#"{"max":3}"#),
];

/// What stands in settings for the number of the policy.
const NUMBER: &str = "{n}";

/// A policy that answers the same to every review and does nothing else: what is measured then is the server. The length of
/// the operation's name tells `protocol_version` from the others.
const SMALL: &str = r#"(module
    (import "wapc" "__guest_request" (func $request (param i32 i32)))
    (import "wapc" "__guest_response" (func $response (param i32 i32)))
    (memory (export "memory") 2)
    (data (i32.const 0) "{\"accepted\":true,\"valid\":true}\"v1\"")
    (func (export "__guest_call") (param $operation i32) (param $payload i32) (result i32)
        (if (i32.gt_u (local.get $payload) (i32.const 65536)) (then (return (i32.const 0))))
        (call $request (i32.const 1024) (i32.const 2048))
        (if (i32.eq (local.get $operation) (i32.const 16))
            (then (call $response (i32.const 30) (i32.const 4)))
            (else (call $response (i32.const 0) (i32.const 30))))
        (i32.const 1))
    (@custom "io.kubewarden.metadata" "{\"protocolVersion\":\"v1\",\"rules\":[],\"mutating\":false,\"executionMode\":\"kubewarden-wapc\"}"))"#;

/// A module and its settings.
pub(super) struct Policy {
    pub(super) name: String,
    module: PathBuf,
    /// As JSON, with [`NUMBER`] where the policies differ.
    settings: String,
}

impl Policy {
    /// `count` policies as in `policies.yml`.
    pub(super) fn entries(&self, count: usize) -> Outcome<Value> {
        let module = format!("file://{}", self.module.display());
        let mut entries = Map::new();
        for index in 0..count {
            let settings: Value = serde_json::from_str(&self.settings.replace(NUMBER, &index.to_string()))?;
            let policy = json!({ "module": module, "settings": settings, "allowedToMutate": true });
            entries.insert(id(index), policy);
        }
        Ok(Value::Object(entries))
    }

    /// Whether each of several has settings of its own.
    pub(super) fn differs(&self) -> bool {
        self.settings.contains(NUMBER)
    }
}

/// The id of the policy at this place.
pub(super) fn id(index: usize) -> String {
    format!("policy-{index}")
}

/// The policies that are named, else a small one and those of the repository that are built.
pub(super) fn find(named: &[PathBuf], settings: Option<&Path>, directory: &Path) -> Outcome<Vec<Policy>> {
    if !named.is_empty() {
        let settings = match settings {
            None => "{}".to_owned(),
            Some(path) => match read_json(path)? {
                Value::Object(settings) => Value::Object(settings).to_string(),
                _ => return Err(format!("{}: settings are an object", path.display()).into()),
            },
        };
        return named.iter().map(|module| policy(module, &settings)).collect();
    }
    let guests = GUESTS.iter().map(|(name, settings)| {
        let module = Path::new("guests/policies")
            .join(name)
            .join(format!("{name}.wasm"));
        (module, *settings)
    });
    let mut policies = guests
        .filter(|(module, _)| module.is_file())
        .map(|(module, settings)| policy(&module, settings))
        .collect::<Outcome<Vec<_>>>()?;
    let module = directory.join("small.wasm");
    std::fs::write(&module, wat::parse_str(SMALL)?)?;
    policies.push(policy(&module, r#"{"number":"{n}"}"#)?);
    Ok(policies)
}

fn policy(module: &Path, settings: &str) -> Outcome<Policy> {
    let module = module
        .canonicalize()
        .map_err(|error| format!("{}: {error}", module.display()))?;
    Ok(Policy {
        name: module
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        module,
        settings: settings.to_owned(),
    })
}

/// What the policies are asked about.
pub(super) struct Review {
    pub(super) json: String,
    pub(super) uid: String,
}

impl Review {
    /// The review in this file, else that of a pod that is created.
    pub(super) fn read(path: Option<&Path>) -> Outcome<Self> {
        let review = path.map_or_else(|| Ok(pod()), read_json)?;
        let uid = review["request"]["uid"]
            .as_str()
            .ok_or("the review has no request with a uid")?
            .to_owned();
        Ok(Self {
            json: review.to_string(),
            uid,
        })
    }
}

fn read_json(path: &Path) -> Outcome<Value> {
    let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn pod() -> Value {
    let pods = json!({ "group": "", "version": "v1", "resource": "pods" });
    let kind = json!({ "group": "", "version": "v1", "kind": "Pod" });
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "1299d386-525b-4032-98ae-1949f69f9cfc",
            "kind": kind,
            "requestKind": kind,
            "resource": pods,
            "requestResource": pods,
            "name": "nginx",
            "namespace": "default",
            "operation": "CREATE",
            "userInfo": { "username": "kubernetes-admin", "groups": ["system:masters", "system:authenticated"] },
            "object": {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": { "name": "nginx", "namespace": "default", "labels": { "app": "nginx", "tier": "web" } },
                "spec": {
                    "serviceAccountName": "default",
                    "containers": [{
                        "name": "nginx",
                        "image": "registry.example/nginx:1.27",
                        "ports": [{ "containerPort": 80, "protocol": "TCP" }],
                        "env": [{ "name": "MODE", "value": "production" }],
                        "resources": { "limits": { "cpu": "500m", "memory": "128Mi" } },
                        "securityContext": { "privileged": false, "runAsNonRoot": true },
                        "volumeMounts": [{ "name": "data", "mountPath": "/data" }],
                    }],
                    "volumes": [{ "name": "data", "emptyDir": {} }],
                },
            },
            "oldObject": null,
            "dryRun": false,
            "options": { "kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1" },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_differ_by_their_number() {
        let directory = tempfile::tempdir().unwrap();
        let module = directory.path().join("m.wasm");
        std::fs::write(&module, wat::parse_str(SMALL).unwrap()).unwrap();
        let entries = policy(&module, r#"{"a":"x-{n}"}"#).unwrap().entries(2).unwrap();
        assert_eq!(entries["policy-0"]["settings"], json!({ "a": "x-0" }));
        assert_eq!(entries["policy-1"]["settings"], json!({ "a": "x-1" }));
        assert_eq!(entries.as_object().unwrap().len(), 2);
    }

    #[test]
    fn the_small_policy_answers_with_what_stands_in_its_memory() {
        assert_eq!(r#"{"accepted":true,"valid":true}"#.len(), 30);
        assert_eq!("protocol_version".len(), 16);
        wat::parse_str(SMALL).unwrap();
    }
}
