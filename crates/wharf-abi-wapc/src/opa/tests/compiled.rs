//! Policies as OPA 1.4.2 compiled them; their sources are in `guests/rego-*`.

use base64::Engine as _;
use serde_json::{Value, json};

use super::*;

const ADMISSION: &[u8] = include_bytes!("../../../../../guests/rego-admission/rego-admission.wasm");
const GATEKEEPER: &[u8] = include_bytes!("../../../../../guests/rego-gatekeeper/rego-gatekeeper.wasm");
const FUNCTIONS: &[u8] = include_bytes!("../../../../../guests/rego-functions/rego-functions.wasm");
const UNKNOWN: &[u8] = include_bytes!("../../../../../guests/rego-unknown/rego-unknown.wasm");

fn pod(labels: &str, privileged: bool) -> String {
    format!(
        r#"{{"request":{{"uid":"u1","kind":{{"kind":"Pod"}},"object":{{"metadata":{{"name":"web","labels":{labels}}},
            "spec":{{"containers":[{{"name":"main","securityContext":{{"privileged":{privileged}}}}}]}}}}}}}}"#
    )
}

/// The result of an evaluation that has one.
fn result(results: &str) -> Value {
    let mut results: Value = serde_json::from_str(results).unwrap();
    results[0]["result"].take()
}

fn response(input: &str, data: &str) -> Value {
    let program = program(ADMISSION).unwrap();
    result(&eval(&program, "kubernetes/admission/main", input, data).unwrap())["response"].take()
}

#[test]
fn a_review_is_answered_by_the_policy() {
    assert_eq!(
        response(&pod(r#"{"owner":"a"}"#, false), "{}"),
        json!({"allowed": true, "uid": "u1"})
    );
    assert_eq!(
        response(&pod("{}", true), "{}"),
        json!({
            "allowed": false,
            "status": {"message": "container main is privileged, pod \"web\" has no label \"owner\""},
            "uid": "u1"
        })
    );
    let patched = response(&pod("{}", false), r#"{"default_owner":"ops"}"#);
    let patch = base64::engine::general_purpose::STANDARD
        .decode(patched["patch"].as_str().unwrap())
        .unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&patch).unwrap(),
        json!([{"op": "add", "path": "/metadata/labels/owner", "value": "ops"}])
    );
    assert_eq!(
        (&patched["allowed"], &patched["patchType"]),
        (&json!(true), &json!("JSONPatch"))
    );
}

#[test]
fn evaluations_do_not_see_each_other() {
    let program = program(ADMISSION).unwrap();
    let main = "kubernetes/admission/main";
    let alone = eval(&program, main, &pod("{}", true), "{}").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    eval(&program, main, &pod("{}", false), r#"{"default_owner":"x"}"#).unwrap();
                    assert_eq!(eval(&program, main, &pod("{}", true), "{}").unwrap(), alone);
                }
            });
        }
    });
}

#[test]
fn violations_of_a_gatekeeper_policy_are_listed() {
    let program = program(GATEKEEPER).unwrap();
    assert_eq!(
        program.entrypoints().keys().collect::<Vec<_>>(),
        ["k8srequiredlabels/violation"]
    );
    let violations = |labels: &str| {
        let input = format!(
            r#"{{"parameters":{{"labels":[{{"key":"owner","allowedRegex":"^[a-z]+\\.example\\.com$"}},{{"key":"team","allowedRegex":".*"}}]}},
                "review":{{"object":{{"metadata":{{"labels":{labels}}}}}}}}}"#
        );
        result(&eval(&program, "k8srequiredlabels/violation", &input, "{}").unwrap())
    };
    assert_eq!(violations(r#"{"owner":"me.example.com","team":""}"#), json!([]));
    // A set comes as an array in no order.
    let mut both = violations(r#"{"owner":"me"}"#);
    both.as_array_mut().unwrap().sort_by_key(Value::to_string);
    assert_eq!(
        both,
        json!([
            {"msg": "label <owner: me> does not satisfy allowed regex: ^[a-z]+\\.example\\.com$"},
            {"details": {"missing_labels": ["team"]}, "msg": "you must provide labels: {\"team\"}"}
        ])
    );
}

#[test]
fn functions_of_the_host_are_called() {
    let program = program(FUNCTIONS).unwrap();
    let input = r#"{"name":"web","ns":1700000000123456789,"text":"one two","version":"1.9.0","object":{"labels":{}},"upto":2}"#;
    let mut host = Recorder::default();
    let results = eval_in(&program, "functions", input, "{}", &mut host, LONG).unwrap();
    let expected = json!({
        "text": "web  |003.1|{\"a\", \"b\"}",
        "now": true,
        "date": [2023, 11, 14],
        "parsed": 1_700_000_000_000_000_000_i64,
        "words": ["one", "two"],
        "replaced": "two one",
        "newer": -1,
        "patched": {"labels": {"a/b": [1, 2]}},
        "document": {"a": [1, "yes"], "b": null},
        "digest": "8ab63e29a4ba14e4e1688f9c15e5af90895421358c945b0431f85d66977bd3d2",
        "drawn": true,
        "traced": true,
        "printed": true,
        "huge": [0, 1, 2]
    });
    assert_eq!(result(&results), expected);
    host.told.sort();
    assert_eq!(host.told, ["print name: web and {1, 2}", "trace seen web"]);
    assert_eq!((host.asked_for_time, host.dropped), (1, 0));
}

#[test]
fn what_the_host_does_not_do_is_an_error_and_not_undefined() {
    let program = program(FUNCTIONS).unwrap();
    let error = eval(&program, "functions", r#"{"upto":1000000000}"#, "{}").unwrap_err();
    assert!(
        matches!(
            &error,
            EvalError::Function {
                name: "numbers.range_step",
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        "numbers.range_step: the range has more than 100000 numbers"
    );
    assert_eq!(error.side(), Side::Policy);
}

#[test]
fn a_rule_that_contradicts_itself_aborts() {
    let program = program(FUNCTIONS).unwrap();
    let mut host = Recorder::default();
    let error = eval_in(
        &program,
        "functions",
        r#"{"conflict":true}"#,
        "{}",
        &mut host,
        LONG,
    )
    .unwrap_err();
    assert!(
        matches!(&error, EvalError::Aborted { message } if message.contains("conflict")),
        "{error}"
    );
}

#[test]
fn functions_that_are_not_given_are_all_named() {
    let error = program(UNKNOWN).map(|_| ()).unwrap_err();
    assert!(
        matches!(&error, ProgramError::MissingFunctions { names } if *names == ["http.send", "net.lookup_ip_addr"]),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        "the policy calls built-in functions that are not given here: http.send, net.lookup_ip_addr"
    );
}

#[test]
fn what_is_no_json_is_the_callers_fault() {
    let program = program(ADMISSION).unwrap();
    let main = "kubernetes/admission/main";
    for (input, data, part) in [
        ("{", "{}", Part::Input),
        ("", "{}", Part::Input),
        ("{}", "{} {}", Part::Data),
    ] {
        let error = eval(&program, main, input, data).unwrap_err();
        assert!(
            matches!(&error, EvalError::NotJson { part: found, .. } if *found == part),
            "{error}"
        );
        assert_eq!(error.side(), Side::Caller);
    }
    let error = eval(&program, "violation", "{}", "{}").unwrap_err();
    assert!(
        matches!(&error, EvalError::NoEntrypoint { name } if name == "violation"),
        "{error}"
    );
    assert_eq!(error.side(), Side::Caller);
}

#[test]
fn input_that_does_not_fit_into_its_memory_is_a_memory_limit() {
    let limits = Limits {
        memory: ByteSize::from_mib(1),
        ..Limits::default()
    };
    let program = program_within(ADMISSION, &limits).unwrap();
    let input = format!("[{}]", vec!["\"0123456789\""; 100_000].join(","));
    let error = eval(&program, "kubernetes/admission/main", &input, "{}").unwrap_err();
    assert!(
        matches!(&error, EvalError::Memory { limit, .. } if *limit == ByteSize::from_mib(1)),
        "{error}"
    );
}

#[test]
fn a_deadline_that_has_passed_leaves_no_time() {
    let program = program(FUNCTIONS).unwrap();
    let mut host = Recorder::default();
    let error = eval_in(&program, "functions", "{}", "{}", &mut host, Duration::ZERO).unwrap_err();
    assert!(
        matches!(
            error,
            EvalError::Deadline {
                deadline: Duration::ZERO
            }
        ),
        "{error}"
    );
}

#[test]
fn the_list_of_functions_has_those_that_policies_use() {
    let names = names();
    for name in [
        "sprintf",
        "trace",
        "time.now_ns",
        "json.patch",
        "json.is_valid",
        "yaml.marshal",
        "yaml.unmarshal",
        "yaml.is_valid",
        "hex.encode",
        "hex.decode",
        "base64url.encode_no_pad",
        "urlquery.encode",
        "urlquery.decode",
        "urlquery.encode_object",
        "urlquery.decode_object",
        "glob.quote_meta",
        "regex.split",
        "regex.template_match",
        "regex.find_n",
        "semver.compare",
        "semver.is_valid",
        "time.date",
        "time.parse_rfc3339_ns",
    ] {
        assert!(names.binary_search(&name).is_ok(), "{name}");
    }
    assert!(names.binary_search(&"http.send").is_err());
}
