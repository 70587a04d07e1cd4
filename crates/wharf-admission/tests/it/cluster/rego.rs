//! Policies in Rego and the cluster that is in their data. The guests here speak OPA's ABI, trap or hang where the review
//! says so, and otherwise tell their data.

use std::time::Duration;

use serde_json::{Value, json};
use wharf_admission::CapabilityLimits;
use wharf_plugin::ByteSize;
use wharf_testing::api_server::{Answer, kubeconfig_for};
use wharf_testing::{eventually, refused_address};

use super::ask::calm;
use super::fake::Fake;
use super::policies::serve;
use crate::harness::{Served, pod, policy};

/// A module whose answer is its data between two texts. Its values are their own texts.
fn module(before: &str, after: &str) -> String {
    let data = |text: &str| text.replace('"', "\\\"");
    format!(
        r#"(module
        (memory (export "memory") 64)
        (global (export "opa_wasm_abi_version") i32 (i32.const 1))
        (global (export "opa_wasm_abi_minor_version") i32 (i32.const 2))
        (global $heap (mut i32) (i32.const 65536))
        (data (i32.const 1000) "{{}}\00") (data (i32.const 2000) "{}\00")
        (data (i32.const 3000) "{}\00") (data (i32.const 4000) "{}\00")
        (data (i32.const 5000) "\"name\":\"trap\"\00") (data (i32.const 6000) "\"name\":\"loop\"\00")
        (func $malloc (export "opa_malloc") (param i32) (result i32)
            (local $at i32)
            (local.set $at (global.get $heap))
            (global.set $heap (i32.add (i32.add (local.get $at) (local.get 0)) (i32.const 1)))
            (local.get $at))
        (func (export "opa_value_parse") (param i32 i32) (result i32) (local.get 0))
        (func (export "opa_value_dump") (param i32) (result i32) (local.get 0))
        (func (export "opa_json_dump") (param i32) (result i32) (local.get 0))
        (func (export "builtins") (result i32) (i32.const 1000))
        (func (export "entrypoints") (result i32) (i32.const 2000))
        (func (export "opa_heap_ptr_get") (result i32) (global.get $heap))
        (func (export "opa_eval_ctx_new") (result i32) (i32.const 0))
        ;; Whether a text that ends with 0 has another in it.
        (func $has (param $text i32) (param $part i32) (result i32)
            (local $index i32)
            (loop $next_start
                (if (i32.eqz (i32.load8_u (local.get $text))) (then (return (i32.const 0))))
                (local.set $index (i32.const 0))
                (block $differs
                    (loop $next
                        (if (i32.eqz (i32.load8_u (i32.add (local.get $part) (local.get $index))))
                            (then (return (i32.const 1))))
                        (br_if $differs (i32.ne
                            (i32.load8_u (i32.add (local.get $text) (local.get $index)))
                            (i32.load8_u (i32.add (local.get $part) (local.get $index)))))
                        (local.set $index (i32.add (local.get $index) (i32.const 1)))
                        (br $next)))
                (local.set $text (i32.add (local.get $text) (i32.const 1)))
                (br $next_start))
            (unreachable))
        ;; Appends a text to the heap, its quotes escaped where that is wanted.
        (func $append (param $text i32) (param $escape i32)
            (local $character i32)
            (loop $next
                (local.set $character (i32.load8_u (local.get $text)))
                (if (i32.eqz (local.get $character)) (then (return)))
                (if (i32.and (local.get $escape) (i32.or
                        (i32.eq (local.get $character) (i32.const 34))
                        (i32.eq (local.get $character) (i32.const 92))))
                    (then (call $byte (i32.const 92))))
                (call $byte (local.get $character))
                (local.set $text (i32.add (local.get $text) (i32.const 1)))
                (br $next)))
        (func $byte (param i32)
            (i32.store8 (global.get $heap) (local.get 0))
            (global.set $heap (i32.add (global.get $heap) (i32.const 1))))
        (func (export "opa_eval") (param $reserved i32) (param $entrypoint i32) (param $data i32) (param $input i32)
            (param $length i32) (param $heap i32) (param $format i32) (result i32)
            (local $answer i32)
            (if (call $has (local.get $input) (i32.const 5000)) (then (unreachable)))
            (if (call $has (local.get $input) (i32.const 6000)) (then (loop $for_ever (br $for_ever))))
            (local.set $answer (global.get $heap))
            (call $append (i32.const 3000) (i32.const 0))
            (call $append (local.get $data) (i32.const 1))
            (call $append (i32.const 4000) (i32.const 0))
            (call $byte (i32.const 0))
            (local.get $answer)))"#,
        data(r#"{"policy/violation":0}"#),
        data(before),
        data(after),
    )
}

const POLICIES: [&str; 2] = ["gate", "opa"];

/// Serves one policy for Gatekeeper, one for OPA and one that asks nothing. The first two are granted ConfigMaps and have
/// further keys.
fn rego(kubeconfig: &str, limits: &CapabilityLimits, keys: &str) -> Served {
    let files = [
        ("gate.wat", module(r#"[{"result":[{"msg":""#, r#""}]}]"#)),
        (
            "opa.wat",
            module(
                r#"[{"result":{"response":{"allowed":false,"status":{"message":""#,
                r#""}}}}]"#,
            ),
        ),
        ("yes.wat", policy(r#"{"accepted":true,"valid":true}"#)),
    ];
    let granted = "contextAwareResources: [{ apiVersion: v1, kind: ConfigMap }]";
    let policies = format!(
        "gate: {{ module: ./gate.wat, executionMode: gatekeeper, {granted}{keys} }}\n\
         opa: {{ module: ./opa.wat, executionMode: opa, settings: {{ a: 1 }}, {granted}{keys} }}\n\
         yes: {{ module: ./yes.wat }}\n"
    );
    serve(kubeconfig, limits, &files, &policies)
}

/// What a policy says to a review of an object of this name.
fn status(served: &Served, id: &str, name: &str) -> Value {
    let mut review = pod("default");
    review["request"]["name"] = json!(name);
    let answer = served.post(&format!("/validate/{id}"), &review.to_string());
    let response = answer.response();
    assert_eq!(
        (&response["uid"], &response["allowed"]),
        (&json!("u-1"), &json!(false)),
        "{id}"
    );
    response["status"].clone()
}

/// The ConfigMaps that are in the data of both policies, each as its name and its value.
fn seen(served: &Served) -> Vec<String> {
    let data = |id: &str| -> Value {
        let status = status(served, id, "p");
        let message = status["message"].as_str().unwrap();
        serde_json::from_str(message).unwrap_or_else(|error| panic!("{id}: {error}: {message}"))
    };
    let names = |objects: &Value| -> Vec<String> {
        let objects = objects.as_object().into_iter().flatten();
        objects
            .map(|(name, object)| format!("{name}={}", object["data"]["v"].as_str().unwrap()))
            .collect()
    };
    let (gate, opa) = (data("gate"), data("opa"));
    let of_gatekeeper = names(&gate["inventory"]["namespace"]["n"]["v1"]["ConfigMap"]);
    assert_eq!(opa["a"], json!(1), "the settings are there too");
    let of_opa = names(&opa["kubernetes"]["configmaps"]["n"]);
    // The two reviews may see the list before and after an event.
    if of_gatekeeper == of_opa {
        of_opa
    } else {
        Vec::new()
    }
}

/// The fault of both policies: the word and the message.
fn faults(served: &Served, name: &str) -> [(String, String); 2] {
    POLICIES.map(|id| {
        let status = status(served, id, name);
        assert_eq!(status["code"], json!(500), "{id}: {status}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let cause = text(&status["details"]["causes"][0]["message"]);
        let word = cause.strip_prefix(&format!("policy {id}: "));
        (word.unwrap().to_owned(), text(&status["message"]))
    })
}

fn others_go_on(served: &Served) {
    assert_eq!(served.review("/validate/yes").response()["allowed"], json!(true));
}

#[test]
fn the_cluster_is_in_the_data_and_kept_up_to_date() {
    let fake = Fake::with(&["a", "b"]);
    let served = rego(&fake.server.kubeconfig(), &calm(), "");
    assert_eq!(seen(&served), ["a=1", "b=1"]);
    eventually("it is watched", || fake.watches() == 1);
    fake.put("a", "2");
    fake.delete("b");
    fake.put("c", "1");
    eventually("the next review sees what happened", || {
        seen(&served) == ["a=2", "c=1"]
    });
    assert_eq!(fake.lists(), 1, "it is made of what is watched");
}

#[test]
fn a_trap_or_a_timeout_in_one_review_leaves_the_cluster_to_the_next() {
    let fake = Fake::with(&["a"]);
    let served = rego(&fake.server.kubeconfig(), &calm(), ", timeout: 2s");
    assert_eq!(seen(&served), ["a=1"]);
    for (name, expected) in [("trap", "trap"), ("loop", "deadline"), ("trap", "trap")] {
        for (word, message) in faults(&served, name) {
            assert_eq!(word, expected, "{message}");
        }
        assert_eq!(seen(&served), ["a=1"]);
    }
    fake.put("a", "2");
    eventually("what happens is seen", || seen(&served) == ["a=2"]);
    assert_eq!((fake.lists(), fake.watches()), (1, 1));
}

#[test]
fn a_trap_in_the_first_review_leaves_a_list_that_is_good() {
    let fake = Fake::with(&["a"]);
    let served = rego(&fake.server.kubeconfig(), &calm(), "");
    faults(&served, "trap");
    assert_eq!(seen(&served), ["a=1"]);
    assert_eq!(fake.lists(), 1);
}

#[test]
fn a_cluster_that_is_gone_is_a_fault_and_never_an_empty_cluster() {
    let served = rego(&kubeconfig_for(refused_address()), &calm(), "");
    for (word, message) in faults(&served, "p") {
        assert_eq!(word, "context");
        let begins = "internal server error: the policy judges by v1/ConfigMap, which cannot be had: cannot look up the kinds \
                      of v1: the cluster's API server cannot be reached: ";
        assert!(message.starts_with(begins), "{message}");
    }
    others_go_on(&served);
}

/// Makes an answer that is of no use.
type Bad = fn() -> Answer;

#[test]
fn objects_that_cannot_be_listed_are_a_fault_until_they_can() {
    let fake = Fake::with(&["a"]);
    let served = rego(&fake.server.kubeconfig(), &calm(), "");
    let begins = "internal server error: the policy judges by v1/ConfigMap, which cannot be had: cannot list v1/ConfigMap: ";
    let unreadable = "the answer of the cluster's API server cannot be understood";
    let cases: [(Bad, &str); 5] = [
        (
            || Answer::status(403, "Forbidden", "no"),
            "the cluster's API server answered 403 Forbidden: no",
        ),
        (
            || Answer::status(500, "Error", "no"),
            "the cluster's API server answered 500",
        ),
        (|| Answer::ok(r#"{"items":[{}]}"#), unreadable),
        (|| Answer::ok("<html>"), unreadable),
        (
            || Answer::Half(r#"{"items":[]}"#.into()),
            "the answer of the cluster's API server broke off",
        ),
    ];
    for (answer, expected) in cases {
        fake.mood(move |asked| asked.path.ends_with("/configmaps").then(answer));
        for (word, message) in faults(&served, "p") {
            assert_eq!(word, "context");
            let rest = message
                .strip_prefix(begins)
                .unwrap_or_else(|| panic!("{message}"));
            assert!(rest.starts_with(expected), "{message}");
        }
        others_go_on(&served);
    }
    fake.well();
    assert_eq!(seen(&served), ["a=1"]);
}

#[test]
fn a_cluster_that_is_slow_takes_no_longer_than_the_review() {
    let fake = Fake::with(&["a"]);
    fake.mood(|asked| asked.path.ends_with("/configmaps").then_some(Answer::Nothing));
    let served = rego(&fake.server.kubeconfig(), &calm(), ", timeout: 300ms");
    for (word, message) in faults(&served, "p") {
        assert_eq!(word, "deadline");
        assert_eq!(
            message,
            "Policy execution interrupted because it exceeded the allowed execution time"
        );
    }
    others_go_on(&served);
}

#[test]
fn a_cluster_without_room_in_the_policy_is_a_fault() {
    let fake = Fake::with(&[]);
    (0..3).for_each(|number| fake.put(&format!("m{number}"), &"x".repeat(2 << 20)));
    let served = rego(&fake.server.kubeconfig(), &calm(), ", limits: { memory: 5MiB }");
    for (word, message) in faults(&served, "p") {
        assert_eq!(word, "context");
        assert_eq!(
            message,
            "internal server error: the policy judges by v1/ConfigMap, which cannot be had: with it the objects have more \
             than the policy's memory, which is 5MiB"
        );
    }
    others_go_on(&served);
    // Fewer objects have room again.
    (0..3).for_each(|number| fake.delete(&format!("m{number}")));
    fake.put("a", "1");
    eventually("the next review has room", || {
        let status = status(&served, "gate", "p");
        status["code"].is_null()
    });
    assert_eq!(seen(&served), ["a=1"]);
}

#[test]
fn a_list_of_more_than_a_list_may_have_is_a_fault() {
    let fake = Fake::with(&[]);
    (0..3).for_each(|number| fake.put(&format!("m{number}"), &"x".repeat(1_000)));
    let limits = CapabilityLimits {
        list_bytes: ByteSize::from_kib(2),
        watch_pause: Duration::ZERO,
        ..calm()
    };
    let served = rego(&fake.server.kubeconfig(), &limits, "");
    for (word, message) in faults(&served, "p") {
        assert_eq!(word, "context");
        assert!(
            message.contains("the list of v1/ConfigMap has more than 2KiB"),
            "{message}"
        );
    }
    others_go_on(&served);
}
