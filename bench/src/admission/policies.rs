//! What is measured: policies, and the reviews that they are asked about.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::Outcome;
use crate::sections::numbered;

use super::made::{self, HostCall};

/// A policy of this repository that judges without a cluster.
struct Guest {
    /// Its folder, which its module is called after.
    folder: &'static str,
    /// Settings that it takes, with [`NUMBER`] where several differ.
    settings: &'static str,
    /// A file in `guests/policies/reviews`; none for that of a pod.
    review: Option<&'static str>,
    /// How it is run, where its module does not say so.
    mode: Option<&'static str>,
}

const GUESTS: [Guest; 6] = [
    Guest {
        folder: "policies/policy-labels",
        settings: r#"{"required":["app"],"denied":["denied-{n}"]}"#,
        review: None,
        mode: None,
    },
    Guest {
        folder: "policies/policy-defaults",
        settings: r#"{"labels":{"added":"by-{n}"},"runAsNonRoot":true}"#,
        review: None,
        mode: None,
    },
    Guest {
        folder: "policies/policy-raw",
        settings: r#"{"allow":{"alice":["read"],"user-{n}":["read"]}}"#,
        review: Some("raw.json"),
        mode: None,
    },
    Guest {
        folder: "policies/policy-replicas",
        settings: r#"{"max":9,"note":"{n}"}"#,
        review: Some("deployment-create.json"),
        mode: None,
    },
    Guest {
        folder: "rego-admission",
        settings: r#"{"default_owner":"team-{n}"}"#,
        review: None,
        mode: Some("opa"),
    },
    Guest {
        folder: "rego-gatekeeper",
        settings: r#"{"labels":[{"key":"app","allowedRegex":"^[a-z0-9-]+$"}],"note":"{n}"}"#,
        review: None,
        mode: Some("gatekeeper"),
    },
];

/// What stands in settings for the number of the policy.
const NUMBER: &str = "{n}";

/// A module, its settings, and what it is asked.
pub(super) struct Policy {
    pub(super) name: String,
    module: PathBuf,
    /// As JSON, with [`NUMBER`] where the policies differ.
    settings: String,
    pub(super) review: Review,
    /// What it may ask of its host, as in `policies.yml`.
    grants: Value,
}

impl Policy {
    /// `count` policies as in `policies.yml`: all of one module, or each of its own, a copy in the folder `copies`.
    pub(super) fn entries(&self, count: usize, copies: Option<&Path>) -> Outcome<Value> {
        let mut entries = Map::new();
        for index in 0..count {
            let module = match copies {
                None => self.module.clone(),
                Some(copies) => self.copy(copies, index)?,
            };
            let module = format!("file://{}", module.display());
            let settings: Value = serde_json::from_str(&self.settings.replace(NUMBER, &index.to_string()))?;
            let mut policy = json!({ "module": module, "settings": settings, "allowedToMutate": true });
            if let (Value::Object(policy), Value::Object(grants)) = (&mut policy, self.grants.clone()) {
                policy.extend(grants);
            }
            entries.insert(id(index), policy);
        }
        Ok(Value::Object(entries))
    }

    /// The module with other bytes that change nothing.
    fn copy(&self, copies: &Path, index: usize) -> Outcome<PathBuf> {
        let copy = copies.join(format!("{}-{index}.wasm", self.name));
        if !copy.is_file() {
            std::fs::write(&copy, numbered(std::fs::read(&self.module)?, index))?;
        }
        Ok(copy)
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

/// The policies that are named, with `review` or that of a pod.
pub(super) fn named(modules: &[PathBuf], settings: Option<&Path>, review: &Review) -> Outcome<Vec<Policy>> {
    let settings = match settings {
        None => "{}".to_owned(),
        Some(path) => match read_json(path)? {
            Value::Object(settings) => Value::Object(settings).to_string(),
            _ => return Err(format!("{}: settings are an object", path.display()).into()),
        },
    };
    let named = modules
        .iter()
        .map(|module| policy(module, &settings, review.clone()));
    named.collect()
}

/// Those of the repository that are built, and a small one that is made in `directory`.
pub(super) fn of_repository(directory: &Path, review: &Review) -> Outcome<Vec<Policy>> {
    let mut policies = Vec::new();
    for guest in &GUESTS {
        if let Some(policy) = guest.policy(directory, review)? {
            policies.push(policy);
        }
    }
    policies.push(small(directory, review)?);
    Ok(policies)
}

/// A policy that answers the same to every review and does nothing else.
fn small(directory: &Path, review: &Review) -> Outcome<Policy> {
    let module = directory.join("small.wasm");
    std::fs::write(&module, made::small()?)?;
    policy(&module, r#"{"number":"{n}"}"#, review.clone())
}

/// A policy that calls its host so often, and is granted that.
pub(super) fn calling(directory: &Path, call: HostCall, calls: u32, review: &Review) -> Outcome<Policy> {
    let module = directory.join(format!("{calls}-{}.wasm", call.operation));
    std::fs::write(&module, made::calling(call, calls)?)?;
    let mut policy = policy(&module, "{}", review.clone())?;
    // Any policy may log.
    if call.namespace == "kubernetes" {
        policy.grants = json!({
            "hostCapabilities": [format!("{}/{}", call.namespace, call.operation)],
            "contextAwareResources": [{ "apiVersion": "v1", "kind": "Namespace" }],
        });
    }
    Ok(policy)
}

impl Guest {
    /// None where it is not built.
    fn policy(&self, directory: &Path, review: &Review) -> Outcome<Option<Policy>> {
        let guests = Path::new("guests");
        let folder = guests.join(self.folder);
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let mut module = folder.join(format!("{name}.wasm"));
        if !module.is_file() {
            return Ok(None);
        }
        if let Some(mode) = self.mode {
            let annotated = directory.join(format!("{name}.wasm"));
            std::fs::write(&annotated, made::annotated(std::fs::read(&module)?, mode))?;
            module = annotated;
        }
        let review = match self.review {
            Some(file) => Review::read(&guests.join("policies/reviews").join(file))?,
            None => review.clone(),
        };
        policy(&module, self.settings, review).map(Some)
    }
}

fn policy(module: &Path, settings: &str, review: Review) -> Outcome<Policy> {
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
        review,
        grants: Value::Null,
    })
}

/// What a policy is asked about.
#[derive(Clone)]
pub(super) struct Review {
    pub(super) json: String,
    pub(super) uid: String,
    /// Where it is sent to, without the id.
    pub(super) endpoint: &'static str,
}

impl Review {
    /// The review in this file. One of another kind than an AdmissionReview is a raw one.
    pub(super) fn read(path: &Path) -> Outcome<Self> {
        Self::new(&read_json(path)?)
    }

    /// The review of a pod that is created.
    pub(super) fn pod() -> Outcome<Self> {
        Self::new(&pod())
    }

    fn new(review: &Value) -> Outcome<Self> {
        let uid = review["request"]["uid"]
            .as_str()
            .ok_or("the review has no request with a uid")?;
        let is_raw = review["kind"] != "AdmissionReview";
        Ok(Self {
            json: review.to_string(),
            uid: uid.to_owned(),
            endpoint: if is_raw { "/validate_raw" } else { "/validate" },
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
        std::fs::write(&module, made::small().unwrap()).unwrap();
        let policy = policy(&module, r#"{"a":"x-{n}"}"#, Review::pod().unwrap()).unwrap();
        let entries = policy.entries(2, None).unwrap();
        assert_eq!(entries["policy-0"]["settings"], json!({ "a": "x-0" }));
        assert_eq!(entries["policy-1"]["settings"], json!({ "a": "x-1" }));
        assert_eq!(entries["policy-0"]["module"], entries["policy-1"]["module"]);
        assert_eq!(entries.as_object().unwrap().len(), 2);
        let entries = policy.entries(2, Some(directory.path())).unwrap();
        assert_ne!(entries["policy-0"]["module"], entries["policy-1"]["module"]);
    }

    #[test]
    fn a_review_goes_where_its_kind_is_answered() {
        assert_eq!(Review::pod().unwrap().endpoint, "/validate");
        let raw = Review::new(&json!({ "request": { "uid": "1" } })).unwrap();
        assert_eq!(raw.endpoint, "/validate_raw");
        assert!(Review::new(&json!({ "request": {} })).is_err());
    }
}
