//! The policies among the guests, each behind a server that serves them to a cluster, and those that ask their cluster with
//! recorded answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use wharf_testing::{connect, eventually};

use crate::harness::{folder, root};
use crate::process::{Wharf, post};

/// The uid of all reviews of Kubernetes.
const UID: &str = "705ab4f5-6393-11e8-b7cc-42010a800002";

/// Serves policies, each a line of `id: { … }`.
fn serve(policies: &[String]) -> Wharf {
    let policies: String = policies.iter().map(|policy| format!("    {policy}\n")).collect();
    // Patient enough for any machine.
    let admission = "  bind: 127.0.0.1:0\n  tls: none\n  timeout: 60s\n";
    let text = format!("version: 1\nadmission:\n{admission}  policies:\n{policies}");
    Wharf::start(folder().with("wharf.yaml", text))
}

/// A policy of the guests, with further keys.
fn policy(id: &str, guest: &str, keys: &str) -> String {
    format!("{id}: {{ module: guests/policies/{guest}/{guest}.wasm, {keys} }}")
}

/// A policy in WAT, with its settings.
fn wat(id: &str, guest: &str, settings: &str) -> String {
    format!("{id}: {{ module: guests/policies/wat/{guest}.wat, settings: {{ {settings} }} }}")
}

fn review(name: &str) -> String {
    let path = root()
        .join("guests/policies/reviews")
        .join(format!("{name}.json"));
    std::fs::read_to_string(path).unwrap()
}

/// What is said to a review, the patch in plain text.
fn ask(wharf: &Wharf, path: &str, name: &str) -> Value {
    let mut client = connect(wharf.admission());
    post(&mut client, path, review(name).as_bytes());
    let answer = client.response();
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    let mut body: Value = serde_json::from_slice(&answer.body).unwrap();
    let mut response = body["response"].take();
    if let Some(patch) = response["patch"].as_str() {
        response["patch"] = serde_json::from_slice(&STANDARD.decode(patch).unwrap()).unwrap();
    }
    response
}

/// What is said of a policy that gives no verdict: the fault as one word, and the message.
fn fault(wharf: &Wharf, id: &str) -> (String, String) {
    let response = ask(wharf, &format!("/validate/{id}"), "pod-create");
    let status = &response["status"];
    assert_eq!(
        (&response["allowed"], &response["uid"], &status["code"]),
        (&json!(false), &json!(UID), &json!(500)),
        "{id}: {response}"
    );
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let cause = text(&status["details"]["causes"][0]["message"]);
    let word = cause.strip_prefix(&format!("policy {id}: ")).unwrap_or_default();
    (word.to_owned(), text(&status["message"]))
}

#[test]
fn labels_are_judged_warned_of_and_protected() {
    let settings = "settings: { required: [team], denied: [legacy], deprecated: [tier], protected: [keep] }";
    let strict = "settings: { required: [owner], denied: [team] }";
    let wharf = serve(&[
        policy("labels", "policy-labels", settings),
        policy("strict", "policy-labels", strict),
    ]);
    let refused = json!({
        "uid": UID,
        "allowed": false,
        "status": { "message": "the label `team` is missing", "code": 422 },
        "auditAnnotations": { "denied": "", "missing": "team" },
    });
    assert_eq!(ask(&wharf, "/validate/labels", "pod-create"), refused);
    let warned = json!({
        "uid": UID,
        "allowed": true,
        "warnings": ["the label `tier` will not be allowed for much longer"],
    });
    assert_eq!(ask(&wharf, "/validate/labels", "pod-create-labelled"), warned);
    let kept = json!({ "message": "an object with the label `keep` cannot be deleted", "code": 403 });
    assert_eq!(ask(&wharf, "/validate/labels", "pod-delete")["status"], kept);
    let both = ask(&wharf, "/validate/strict", "pod-create-labelled");
    let message = "the label `owner` is missing; the label `team` is not allowed";
    assert_eq!(both["status"]["message"], json!(message));
    eventually("what the policy logs is in the log", || {
        let rejected = |line: &Value| line["message"] == "rejected" && line["policy"] == "labels";
        wharf.log().iter().any(rejected)
    });
}

#[test]
fn defaults_are_added_where_they_are_missing_and_the_policy_may() {
    let settings = "settings: { labels: { team: unknown }, runAsNonRoot: true }";
    let wharf = serve(&[
        policy(
            "defaults",
            "policy-defaults",
            &format!("allowedToMutate: true, {settings}"),
        ),
        policy("may-not", "policy-defaults", settings),
    ]);
    let changed = ask(&wharf, "/validate/defaults", "pod-create");
    let patch = json!([
        { "op": "add", "path": "/metadata/labels", "value": { "team": "unknown" } },
        { "op": "add", "path": "/spec/securityContext", "value": { "runAsNonRoot": true } },
    ]);
    let expected = json!({ "uid": UID, "allowed": true, "patchType": "JSONPatch", "patch": patch });
    assert_eq!(changed, expected);
    let unchanged = json!({ "uid": UID, "allowed": true });
    assert_eq!(
        ask(&wharf, "/validate/defaults", "pod-create-labelled"),
        unchanged
    );
    assert_eq!(ask(&wharf, "/validate/defaults", "pod-delete"), unchanged);
    let refused = ask(&wharf, "/validate/may-not", "pod-create");
    assert_eq!(
        (&refused["allowed"], &refused["patch"]),
        (&json!(false), &Value::Null)
    );
    let message = refused["status"]["message"].as_str().unwrap();
    assert!(message.contains("attempted to mutate"), "{message}");
    assert_eq!(ask(&wharf, "/validate/may-not", "pod-create-labelled"), unchanged);
}

#[test]
fn raw_requests_are_judged_and_completed() {
    let allow = "settings: { allow: { alice: [read] }, defaultAction: read }";
    let wharf = serve(&[
        policy("raw", "policy-raw", &format!("allowedToMutate: true, {allow}")),
        policy("others", "policy-raw", "settings: { allow: { bob: [read] } }"),
    ]);
    let accepted = ask(&wharf, "/validate_raw/raw", "raw");
    assert_eq!(accepted, json!({ "uid": "raw-1", "allowed": true }));
    let completed = ask(&wharf, "/validate_raw/raw", "raw-without-action");
    let patch = json!([{ "op": "add", "path": "/action", "value": "read" }]);
    assert_eq!(completed["patch"], patch, "{completed}");
    let refused = ask(&wharf, "/validate_raw/others", "raw");
    let status = json!({ "message": "alice may not read ledger", "code": 403 });
    assert_eq!(refused["status"], status);
    let unnamed = ask(&wharf, "/validate_raw/others", "raw-without-action");
    let status = json!({ "message": "the request has no text `action`", "code": 400 });
    assert_eq!(unnamed["status"], status);
}

#[test]
fn a_command_in_go_judges_and_ends_with_a_reason() {
    let wharf = serve(&[
        policy("few", "policy-replicas", "settings: { max: 3 }"),
        policy("many", "policy-replicas", "settings: { max: 5 }"),
        policy(
            "asking",
            "policy-replicas",
            "settings: { max: 5, namespaceAnnotation: a }",
        ),
    ]);
    let refused = ask(&wharf, "/validate/few", "deployment-create");
    let status = json!({ "message": "5 replicas are too many: at most 3 are allowed", "code": 422 });
    assert_eq!(refused, json!({ "uid": UID, "allowed": false, "status": status }));
    let accepted = ask(&wharf, "/validate/many", "deployment-create");
    assert_eq!(accepted, json!({ "uid": UID, "allowed": true }));
    let (word, message) = fault(&wharf, "asking");
    assert_eq!(word, "exit", "it was granted nothing: {message}");
    assert!(
        message.contains("the namespace \"default\" cannot be read"),
        "{message}"
    );
}

#[test]
fn settings_that_a_policy_refuses_are_told_and_other_policies_serve() {
    let cases = [
        (
            "policy-labels",
            "",
            "no label is named: set `required`, `denied`, `deprecated` or `protected`",
        ),
        (
            "policy-labels",
            "required: [a], denied: [a]",
            "the label `a` is both required and denied",
        ),
        (
            "policy-labels",
            "required: [\"a b\"]",
            "`a b` cannot be a label's key",
        ),
        (
            "policy-labels",
            "required: 5",
            "the settings cannot be read: invalid type",
        ),
        (
            "policy-labels",
            "needed: [a]",
            "the settings cannot be read: unknown field `needed`",
        ),
        (
            "policy-defaults",
            "",
            "nothing to add: set `labels` or `runAsNonRoot`",
        ),
        (
            "policy-defaults",
            "labels: 3",
            "error deserializing validation payload {\"labels\":3}",
        ),
        (
            "policy-raw",
            "allow: { ann: [] }",
            "`allow` names no action for the user `ann`",
        ),
        (
            "policy-unique-host",
            "scope: world",
            "unknown variant `world`, expected `cluster` or `namespace`",
        ),
        (
            "policy-unique-host",
            "overrideVerb: \"\"",
            "`overrideVerb` is empty",
        ),
        ("policy-replicas", "", "`max` is missing"),
        (
            "policy-replicas",
            "max: -1",
            "`max` is -1, and cannot be negative",
        ),
        (
            "policy-replicas",
            "max: few",
            "the settings cannot be read: json: cannot unmarshal string",
        ),
    ];
    let mut policies = vec![policy("good", "policy-labels", "settings: { denied: [a] }")];
    for (number, (guest, settings, _)) in cases.iter().enumerate() {
        let keys = format!("settings: {{ {settings} }}");
        policies.push(policy(&format!("bad-{number}"), guest, &keys));
    }
    policies.push(wat("bad-protocol", "wrong-protocol", ""));
    let wharf = serve(&policies);
    for (number, (guest, settings, reason)) in cases.iter().enumerate() {
        let (_, message) = fault(&wharf, &format!("bad-{number}"));
        assert!(message.contains(reason), "{guest} with {settings}: {message}");
    }
    let (_, message) = fault(&wharf, "bad-protocol");
    assert!(message.contains("speaks protocol version \"v2\""), "{message}");
    let good = ask(&wharf, "/validate/good", "pod-create");
    assert_eq!(good["allowed"], json!(true));
}

#[test]
fn a_policy_that_misbehaves_is_a_fault_with_its_name() {
    let quick = "hangs: { module: guests/policies/wat/loop.wat, timeout: 200ms }";
    let wharf = serve(&[
        quick.to_owned(),
        wat("hog", "hog", ""),
        wat("panic", "panic", ""),
        wat("says-yes", "silent", ""),
        wat("says-no", "silent", "returns: 0"),
        wat("says-seven", "silent", "returns: 7"),
        policy("good", "policy-labels", "settings: { denied: [a] }"),
    ]);
    let no_answer = "No error message OR response set for call success";
    let cases = [
        ("hangs", "deadline", "exceeded the allowed execution time"),
        ("hog", "memory", "its limit is 256MiB"),
        ("panic", "trap", "it had said: the policy panicked: oh dear"),
        ("says-yes", "guest_error", no_answer),
        ("says-no", "guest_error", "No error message set for call failure"),
        ("says-seven", "guest_error", no_answer),
    ];
    for (id, expected, part) in cases {
        let (word, message) = fault(&wharf, id);
        assert_eq!(word, expected, "{id}: {message}");
        assert!(message.contains(part), "{id}: {message}");
        // The next review is served.
        assert_eq!(
            ask(&wharf, "/validate/good", "pod-create")["allowed"],
            json!(true)
        );
    }
    eventually("what the policy logged before it panicked is in the log", || {
        let said = |line: &Value| line["message"] == "panicked at policy.wat: oh dear";
        wharf.log().iter().any(said)
    });
}

#[test]
fn an_answer_that_is_none_is_a_fault_that_says_what_is_wrong() {
    let cases = [
        ("cut", "EOF while parsing"),
        ("text", "this is no object"),
        ("empty", "EOF while parsing"),
        ("nobody", "missing field `accepted`"),
        ("word", "at `accepted`: invalid type"),
        ("bytes", "expected value"),
        ("deep", "recursion limit exceeded"),
        ("twice", "trailing characters"),
    ];
    let mut policies: Vec<_> = cases
        .iter()
        .map(|(answer, _)| wat(answer, "bad-json", &format!("answer: {answer}")))
        .collect();
    let number = "number: { module: guests/policies/wat/bad-json.wat, allowedToMutate: true, \
                  settings: { answer: object } }";
    policies.push(number.to_owned());
    let wharf = serve(&policies);
    for (answer, part) in cases {
        let (word, message) = fault(&wharf, answer);
        assert_eq!(word, "bad_reply", "{answer}: {message}");
        let start = "internal server error: invalid response from policy: its answer to validate: ";
        let problem = message.strip_prefix(start).unwrap_or_default();
        assert!(problem.contains(part), "{answer}: {message}");
    }
    let (word, message) = fault(&wharf, "number");
    assert_eq!(word, "bad_reply", "{message}");
    assert!(
        message.contains("at `mutated_object`: this is no object"),
        "{message}"
    );
}

#[test]
fn a_place_outside_the_memory_is_a_fault_in_every_host_function() {
    let cases = [
        (
            "request-operation",
            "__guest_request: the place for the operation",
        ),
        ("request-payload", "__guest_request: the place for the payload"),
        ("response", "__guest_response: the answer"),
        ("response-size", "__guest_response: an answer of 4294967295 bytes"),
        ("error", "__guest_error: the text"),
        ("error-size", "__guest_error: the text"),
        ("host-call-binding", "__host_call: the binding"),
        ("host-call-namespace", "__host_call: the namespace"),
        ("host-call-operation", "__host_call: the operation"),
        ("host-call-payload", "__host_call: the payload"),
        ("host-error", "__host_error: the place for it"),
        ("host-response", "__host_response: the place for it"),
        ("console-log", "__console_log: the text"),
        ("console-log-size", "__console_log: the text"),
    ];
    let wasi = ["fd-write", "random-get", "clock-time-get"];
    let calls = cases.iter().map(|(call, _)| *call).chain(wasi).chain(["nothing"]);
    let policies: Vec<_> = calls
        .map(|call| wat(call, "wild", &format!("call: {call}")))
        .collect();
    let wharf = serve(&policies);
    for (call, part) in cases {
        let (word, message) = fault(&wharf, call);
        assert_eq!(word, "bad_reply", "{call}: {message}");
        assert!(message.contains(part), "{call}: {message}");
    }
    for call in wasi {
        let response = ask(&wharf, &format!("/validate/{call}"), "pod-create");
        let efault = json!(["WASI gave the number 21"]);
        assert_eq!(
            (&response["allowed"], &response["warnings"]),
            (&json!(true), &efault),
            "{call}"
        );
    }
    let accepted = ask(&wharf, "/validate/nothing", "pod-create");
    assert_eq!(accepted, json!({ "uid": UID, "allowed": true }));
}

#[test]
fn a_policy_without_grants_gets_nothing_of_the_cluster() {
    let wharf = serve(&[policy("unique", "policy-unique-host", "settings: {}")]);
    let response = ask(&wharf, "/validate/unique", "ingress-create");
    let message = response["status"]["message"].as_str().unwrap();
    assert!(
        message.contains("not been granted access to the 'kubernetes/list_resources_all'"),
        "{message}"
    );
    // A pod has no hosts, so nothing is asked.
    assert_eq!(
        ask(&wharf, "/validate/unique", "pod-create")["allowed"],
        json!(true)
    );
}

/// The report of `wharf run` with recorded answers of a cluster.
fn replay(guest: &str, review: &str, calls: &str, settings: &str) -> Value {
    let folder = folder().with("settings.yaml", settings);
    let module = format!("guests/policies/{guest}/{guest}.wasm");
    let review = format!("guests/policies/reviews/{review}.json");
    let calls = format!("guests/policies/reviews/{calls}.calls.yaml");
    let mut arguments = vec!["run", &module, "--review", &review, "--replay", &calls];
    arguments.extend(["--settings", "settings.yaml", "--deadline", "60s", "--json"]);
    arguments.extend(["--allow", "kubernetes/*", "--resource", "v1/ConfigMap"]);
    arguments.extend([
        "--resource",
        "v1/Namespace",
        "--resource",
        "networking.k8s.io/v1/Ingress",
    ]);
    let output = folder.run(&arguments);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn the_host_of_an_ingress_is_judged_by_the_cluster() {
    let taken = "the host `www.example.com` belongs to the Ingress `portal` in the namespace `team-a`";
    let near = "the host `shop.example.com` belongs to the Ingress `other` in the namespace `default`";
    let reserved = "reserved: { namespace: infra, name: reserved-hosts }";
    let cases = [
        ("ingress-taken", "{}", json!(false), json!(taken), 1),
        ("ingress-free", "{}", json!(true), Value::Null, 1),
        (
            "ingress-in-namespace",
            "scope: namespace",
            json!(false),
            json!(near),
            1,
        ),
        (
            "ingress-reserved",
            reserved,
            json!(false),
            json!("the host `www.example.com` is reserved"),
            1,
        ),
        (
            "ingress-override",
            "overrideVerb: override-host",
            json!(true),
            Value::Null,
            2,
        ),
        (
            "ingress-no-override",
            "overrideVerb: override-host",
            json!(false),
            json!(taken),
            2,
        ),
    ];
    for (calls, settings, allowed, message, asked) in cases {
        let report = replay("policy-unique-host", "ingress-create", calls, settings);
        let review = &report["review"];
        assert_eq!(review["verdict"]["allowed"], allowed, "{calls}: {report}");
        assert_eq!(review["verdict"]["message"], message, "{calls}");
        assert_eq!(
            review["hostCalls"].as_array().map(Vec::len),
            Some(asked),
            "{calls}: {report}"
        );
    }
    let gone = replay(
        "policy-unique-host",
        "ingress-create",
        "ingress-cluster-gone",
        "{}",
    );
    assert_eq!(gone["review"]["verdict"], Value::Null, "{gone}");
    let fault = gone["review"]["fault"].to_string();
    assert!(fault.contains("the API server cannot be reached"), "{fault}");
}

#[test]
fn a_command_reads_the_hosts_answer_from_its_stdin() {
    let settings = "{ max: 3, namespaceAnnotation: max-replicas }";
    let report = |calls| replay("policy-replicas", "deployment-create", calls, settings);
    let more = report("deployment-namespace");
    assert_eq!(more["review"]["verdict"]["allowed"], json!(true), "{more}");
    let fault = report("deployment-no-number")["review"]["fault"].to_string();
    assert!(fault.contains("is no number"), "{fault}");
}
