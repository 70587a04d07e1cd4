//! The review that a policy is asked about.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use wharf_abi_wapc::kubewarden::{AdmissionRequest, REVIEW_KIND, RawRequest, ReviewRequest};

use super::Stop;
use crate::commands::manifest::build::plural;
use crate::commands::single::with_causes;

/// The longest file of a review, in bytes; the API server sends at most 3 MiB.
const MOST_BYTES: u64 = 64 << 20;

/// The uid of a request that has none of its own.
const UID: &str = "00000000-0000-0000-0000-000000000000";

/// Reads a review from a file, in YAML where its name says so and else in JSON.
pub(in crate::commands) fn read(path: &Path, raw: bool) -> Result<ReviewRequest, Stop> {
    let is_yaml = path
        .extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml");
    let body = if is_yaml {
        wharf_config::kubewarden::read_review(path)
            .map_err(Stop::Places)?
            .into_bytes()
    } else {
        read_json(path)?
    };
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&body);
    of_json(body, raw).map_err(|reason| {
        let error = format!("{}: {reason}", path.display());
        Stop::File(error.into(), hint(raw).to_owned())
    })
}

fn read_json(path: &Path) -> Result<Vec<u8>, Stop> {
    let refuse = |reason: String| {
        let error = format!("{} cannot be read: {reason}", path.display());
        Stop::File(error.into(), "check the path".to_owned())
    };
    let mut body = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut body))
        .map_err(|error| refuse(error.to_string()))?;
    if body.len() as u64 > MOST_BYTES {
        return Err(refuse(format!("it is larger than {} MiB", MOST_BYTES >> 20)));
    }
    Ok(body)
}

/// What a review may be.
pub(in crate::commands) fn hint(raw: bool) -> &'static str {
    match raw {
        true => "a raw review is any JSON, alone or as `{\"request\": …}`",
        false => {
            "a review is what the API server sends to webhooks, its `request` alone or some keys of it, or an object that \
             somebody wants to create; --raw, or `raw: true` in a case, takes any JSON"
        }
    }
}

/// Makes a review of JSON. What stands alone is put into one.
///
/// # Errors
/// Why it is none, with the place.
pub(in crate::commands) fn of_json(body: &[u8], raw: bool) -> Result<ReviewRequest, String> {
    if raw {
        return of_raw_json(body).map(ReviewRequest::Raw);
    }
    let value = serde_json::from_slice::<Value>(body).ok();
    let request = match value.as_ref().map(shape) {
        Some(Shape::Object(object)) => complete(Map::from_iter([("object".to_owned(), object)])),
        Some(Shape::Request(request)) => complete(request),
        // What it is not is told with its place by whoever reads reviews.
        Some(Shape::Review) | None => {
            return AdmissionRequest::of_review(body)
                .map(|request| ReviewRequest::Admission(Box::new(request)))
                .map_err(|error| with_causes(&error));
        }
    };
    let review = json!({ "request": request }).to_string();
    AdmissionRequest::of_review(review.as_bytes())
        .map(|request| ReviewRequest::Admission(Box::new(request)))
        .map_err(|error| with_causes(&error))
}

fn of_raw_json(body: &[u8]) -> Result<RawRequest, String> {
    let value = serde_json::from_slice::<Value>(body).ok();
    if value.is_some_and(|value| value.get("request").is_some()) {
        return RawRequest::of_review(body).map_err(|error| with_causes(&error));
    }
    serde_json::from_slice::<Box<RawValue>>(body)
        .map(|request| RawRequest::new(&request))
        .map_err(|error| format!("this is no JSON: {error}"))
}

/// What somebody wrote for a review.
enum Shape {
    Review,
    Request(Map<String, Value>),
    Object(Value),
}

fn shape(value: &Value) -> Shape {
    /// Keys of requests that objects do not have.
    const OF_REQUESTS: [&str; 5] = ["uid", "operation", "object", "oldObject", "userInfo"];
    let Value::Object(keys) = value else {
        return Shape::Review;
    };
    let has_text = |key: &str| keys.get(key).is_some_and(Value::is_string);
    if keys.contains_key("request") || keys.get("kind").is_some_and(|kind| kind == REVIEW_KIND) {
        Shape::Review
    } else if has_text("apiVersion") && has_text("kind") {
        Shape::Object(value.clone())
    } else if OF_REQUESTS.iter().any(|key| keys.contains_key(*key)) {
        Shape::Request(keys.clone())
    } else {
        Shape::Review
    }
}

/// A request with what it does not say, as its object has it: an object alone is being created, an old one deleted, both
/// are an update.
fn complete(given: Map<String, Value>) -> Value {
    let is_given = |key: &str| given.get(key).is_some_and(|value| !value.is_null());
    let operation = match given.get("operation").and_then(Value::as_str) {
        Some(operation) => operation,
        None if is_given("object") && is_given("oldObject") => "UPDATE",
        None if is_given("oldObject") => "DELETE",
        None => "CREATE",
    };
    let mut request = Map::new();
    request.insert("uid".to_owned(), json!(UID));
    let key = if is_given("object") { "object" } else { "oldObject" };
    if let Some(object) = given.get(key) {
        describe(&mut request, object);
    }
    request.insert("operation".to_owned(), json!(operation));
    let user = json!({ "username": "tester", "groups": ["system:authenticated"] });
    request.insert("userInfo".to_owned(), user);
    request.insert("dryRun".to_owned(), json!(false));
    let options = match operation {
        "UPDATE" => "UpdateOptions",
        "DELETE" => "DeleteOptions",
        _ => "CreateOptions",
    };
    let options = json!({ "apiVersion": "meta.k8s.io/v1", "kind": options });
    request.insert("options".to_owned(), options);
    request.extend(given);
    Value::Object(request)
}

/// What a request says of its object.
fn describe(request: &mut Map<String, Value>, object: &Value) {
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    if let (Some(api_version), Some(kind)) = (text("apiVersion"), text("kind")) {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let named = json!({ "group": group, "version": version, "kind": kind });
        let resource = json!({ "group": group, "version": version, "resource": plural(kind) });
        for (key, value) in [
            ("kind", &named),
            ("resource", &resource),
            ("requestKind", &named),
            ("requestResource", &resource),
        ] {
            request.insert(key.to_owned(), value.clone());
        }
    }
    let metadata = |key: &str| {
        object
            .pointer(&format!("/metadata/{key}"))
            .filter(|value| value.is_string())
    };
    for key in ["name", "namespace"] {
        if let Some(value) = metadata(key) {
            request.insert(key.to_owned(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(value: &Value) -> Value {
        let request = of_json(value.to_string().as_bytes(), false).unwrap();
        serde_json::from_str(request.json()).unwrap()
    }

    #[test]
    fn an_object_alone_is_being_created() {
        let pod =
            json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "web", "namespace": "shop" } });
        let kind = json!({ "group": "", "version": "v1", "kind": "Pod" });
        let resource = json!({ "group": "", "version": "v1", "resource": "pods" });
        assert_eq!(
            request(&pod),
            json!({
                "uid": UID,
                "kind": kind,
                "resource": resource,
                "requestKind": kind,
                "requestResource": resource,
                "name": "web",
                "namespace": "shop",
                "operation": "CREATE",
                "userInfo": { "username": "tester", "groups": ["system:authenticated"] },
                "dryRun": false,
                "options": { "apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions" },
                "object": pod,
            })
        );
    }

    #[test]
    fn a_request_says_what_is_otherwise() {
        let pod = json!({ "apiVersion": "apps/v1", "kind": "NetworkPolicy" });
        let operation = |value: Value| request(&value)["operation"].clone();
        assert_eq!(operation(json!({ "object": pod, "oldObject": pod })), "UPDATE");
        assert_eq!(operation(json!({ "oldObject": pod })), "DELETE");
        assert_eq!(
            operation(json!({ "object": pod, "operation": "CONNECT" })),
            "CONNECT"
        );
        let bob = request(&json!({ "object": pod, "userInfo": { "username": "bob" } }));
        assert_eq!(bob["userInfo"], json!({ "username": "bob" }));
        assert_eq!(bob["resource"]["resource"], "networkpolicies");
    }

    #[test]
    fn whole_reviews_are_taken_as_they_are() {
        let error = of_json(br#"{"request":{"uid":"1"}}"#, false).unwrap_err();
        assert!(error.contains("missing field `kind`"), "{error}");
        for nothing in [
            "7",
            "[]",
            "{}",
            r#"{"kind":"AdmissionReview"}"#,
            r#"{"uid":"1"}"#,
            "{",
        ] {
            assert!(of_json(nothing.as_bytes(), false).is_err(), "{nothing}");
        }
        assert!(of_json(b"7", true).is_ok() && of_json(b"{", true).is_err());
    }
}
