//! Requests that are none, and policies that give no verdict.

use std::io::Write;
use std::time::Duration;

use serde_json::json;

use crate::harness::{Served, config, open, pod, policy, receive, reviewing, send};

const YES: &str = r#"{"accepted":true,"valid":true}"#;

#[test]
fn what_is_no_review_is_refused_with_the_place() {
    let served = Served::new(&[("yes.wat", policy(YES))], "yes: { module: ./yes.wat }\n");
    let mut no_uid = pod("default");
    no_uid["request"].as_object_mut().unwrap().remove("uid");
    let mut wrong = pod("default");
    wrong["request"]["kind"] = json!("Pod");
    let mut old = pod("default");
    old["apiVersion"] = json!("admission.k8s.io/v1beta1");
    let cases = [
        ("{", "EOF"),
        ("", "EOF"),
        ("[]", "AdmissionReview"),
        (r#"{"kind":"Pod","apiVersion":"v1"}"#, "this is a Pod"),
        (
            r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#,
            "has no request",
        ),
        (&no_uid.to_string(), "uid"),
        (&wrong.to_string(), "request.kind"),
        (&old.to_string(), "admission.k8s.io/v1beta1"),
    ];
    for (body, reason) in cases {
        let answer = served.post("/validate/yes", body);
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        assert_eq!(answer.body["status"], json!(400));
        let message = answer.body["message"].as_str().unwrap();
        assert!(message.contains(reason), "{body}: {message}");
    }
    assert_eq!(served.post("/validate_raw/yes", "{}").status, 400);
    assert_eq!(served.review("/validate/yes").response()["allowed"], json!(true));
    let line = served
        .metric("wharf_admission_refused_total{reason=\"bad_review\"}")
        .unwrap();
    assert!(line.ends_with(" 9"), "{line}");
}

#[test]
fn other_paths_methods_and_policies_are_told() {
    let served = Served::new(&[("yes.wat", policy(YES))], "yes: { module: ./yes.wat }\n");
    let cases = [
        ("POST", "/validate/other", 404),
        ("POST", "/validate/", 404),
        ("POST", "/", 404),
        ("POST", "/validate/yes/more", 404),
        ("GET", "/validate/yes", 405),
        ("GET", "/readiness", 200),
    ];
    for (method, path, status) in cases {
        let answer = send(served.address(), method, path, "");
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
    }
}

#[test]
fn a_body_that_is_too_large_or_too_slow_is_refused() {
    let mut config = config();
    config.body_limit = wharf_plugin::ByteSize::from_kib(64);
    config.timeout = Duration::from_millis(300);
    let served = Served::with(
        config,
        &[("yes.wat", policy(YES))],
        "yes: { module: ./yes.wat }\n",
    );
    let large = " ".repeat(10 << 20);
    let answer = served.post("/validate/yes", &large);
    assert_eq!(answer.status, 413, "{answer:?}");
    assert!(
        answer.body["message"].as_str().unwrap().contains("64KiB"),
        "{answer:?}"
    );
    // Without a length it is found out on the way.
    let mut stream = open(served.address());
    let head =
        "POST /validate/yes HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    for _ in 0..100 {
        if stream
            .write_all(format!("1000\r\n{}\r\n", "x".repeat(0x1000)).as_bytes())
            .is_err()
        {
            break;
        }
    }
    assert_eq!(receive(&mut stream).status, 413);
    let mut stream = open(served.address());
    stream
        .write_all(
            b"POST /validate/yes HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 100\r\n\r\n{",
        )
        .unwrap();
    assert_eq!(receive(&mut stream).status, 408);
}

#[test]
fn a_policy_without_a_verdict_is_a_refusal_with_its_name_and_the_uid() {
    let files = [
        ("loop.wat", reviewing("(loop $l (br $l)) (i32.const 1)")),
        ("trap.wat", reviewing("(unreachable)")),
        (
            "wild.wat",
            reviewing("(call $response (i32.const -1) (i32.const 100)) (i32.const 1)"),
        ),
        ("silent.wat", reviewing("(i32.const 1)")),
        (
            "error.wat",
            reviewing("(call $error (i32.const 65537) (i32.const 6)) (i32.const 0)"),
        ),
        ("rubbish.wat", reviewing("(call $rubbish) (i32.const 1)")),
        (
            "hog.wat",
            reviewing(
                "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 64)) (i32.const -1)))) (unreachable)",
            ),
        ),
        (
            "mutated.wat",
            policy(r#"{"accepted":true,"valid":true,"mutated_object":17}"#),
        ),
        ("yes.wat", policy(YES)),
    ];
    let ids = ["loop", "trap", "wild", "silent", "error", "rubbish", "hog"];
    let mut policies =
        "yes: { module: ./yes.wat }\nmutated: { module: ./mutated.wat, allowedToMutate: true }\n".to_owned();
    for id in ids {
        policies.push_str(&format!("{id}: {{ module: ./{id}.wat, timeout: 200ms }}\n"));
    }
    let served = Served::new(&files, &policies);
    for id in ids {
        let answer = served.review(&format!("/validate/{id}"));
        let response = answer.response();
        assert_eq!(response["uid"], json!("u-1"), "{id}");
        assert_eq!(response["allowed"], json!(false), "{id}");
        assert_eq!(response["status"]["code"], json!(500), "{id}: {response}");
        let cause = response["status"]["details"]["causes"][0]["message"]
            .as_str()
            .unwrap();
        assert!(cause.contains(id), "{id}: {cause}");
        // The next review is served.
        assert_eq!(
            served.review("/validate/yes").response()["allowed"],
            json!(true),
            "after {id}"
        );
    }
    let timeout = served.review("/validate/loop");
    let words = "Policy execution interrupted because it exceeded the allowed execution time";
    assert_eq!(timeout.response()["status"]["message"], json!(words));
    let mutated = served.review("/validate/mutated");
    assert_eq!(mutated.response()["status"]["code"], json!(500));
    assert_eq!(mutated.response()["patch"], json!(null));
    let message = mutated.response()["status"]["message"].as_str().unwrap();
    assert!(message.contains("mutated_object"), "{message}");
}

#[test]
fn bad_policies_are_told_and_the_others_serve() {
    let files = [
        ("yes.wat", policy(YES)),
        (
            "settings.wat",
            policy(r#"{"valid":false,"message":"`color` is missing"}"#),
        ),
        ("rubbish.wat", policy("rubbish")),
        ("broken.wat", "(module".to_owned()),
        (
            "filter.wat",
            "(module (func (export \"proxy_abi_version_0_2_1\")))".to_owned(),
        ),
    ];
    let served = Served::new(
        &files,
        "yes: { module: ./yes.wat }\n\
         settings: { module: ./settings.wat }\n\
         rubbish: { module: ./rubbish.wat }\n\
         broken: { module: ./broken.wat }\n\
         filter: { module: ./filter.wat }\n\
         gone: { module: ./gone.wat }\n\
         misspelt: { module: ./yes.wat, policyMode: guard }\n\
         nobody: { expression: 'other()', message: m, policies: { a: { module: ./yes.wat } } }\n",
    );
    assert_eq!(served.review("/validate/yes").response()["allowed"], json!(true));
    let cases = [
        ("settings", "`color` is missing"),
        ("rubbish", "settings"),
        ("broken", "broken.wat"),
        ("filter", "waPC"),
        ("gone", "gone.wat"),
        ("misspelt", "guard"),
        ("nobody", "other"),
    ];
    for (id, reason) in cases {
        let answer = served.review(&format!("/validate/{id}"));
        let status = &answer.response()["status"];
        assert_eq!(status["code"], json!(500), "{id}");
        let message = status["message"].as_str().unwrap();
        assert!(
            message.contains(id) && message.contains(reason),
            "{id}: {message}"
        );
    }
    assert_eq!(served.server().policies().bad().len(), cases.len());
    assert_eq!(
        served.metric("wharf_admission_policies{state=\"bad\"}").unwrap(),
        "wharf_admission_policies{state=\"bad\"} 7"
    );
}
