//! What is generated from the tables agrees with the decoder and with the files in the repository.

use expect_test::expect_file;
use serde_json::{Value, json};

use crate::{EXAMPLE, parse};

#[test]
fn the_reference_in_the_repository_is_up_to_date() {
    expect_file!["../../../../docs/configuration.md"].assert_eq(&wharf_config::reference());
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::new(&wharf_config::json_schema()).expect("the schema is a schema")
}

/// The example as JSON, through the decoder's own reading of YAML.
fn example() -> Value {
    let wrapped: String = EXAMPLE.lines().map(|line| format!("        {line}\n")).collect();
    let text = format!("version: 1\nplugins:\n    a:\n      source: file:a.wasm\n      vmConfig:\n{wrapped}");
    let config = parse(&text).expect("the wrapped example can be read").config;
    serde_json::from_slice(&config.plugins["a"].vm_config).expect("it is handed on as JSON")
}

#[test]
fn the_schema_is_a_draft_2020_12_schema_and_accepts_the_example() {
    let schema = wharf_config::json_schema();
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    let errors: Vec<String> = validator()
        .iter_errors(&example())
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, Vec::<String>::new());
    assert!(validator().is_valid(&schema["examples"][0]));
}

#[test]
fn the_example_of_the_schema_is_a_good_file() {
    let example = wharf_config::json_schema()["examples"][0].to_string();
    let loaded = parse(&example).expect("JSON is YAML");
    assert_eq!(loaded.warnings, []);
}

/// Changes to the example at a JSON pointer, each of which the schema and the decoder must both refuse, or both accept.
#[test]
fn the_schema_and_the_decoder_agree() {
    let validator = validator();
    for (pointer, value, good) in [
        ("/version", json!(2), false),
        ("/version", json!("1"), false),
        ("/plugin", json!({}), false),
        ("/cache", json!(null), true),
        ("/cache", json!({ "size": "2GiB", "directory": "x" }), true),
        ("/plugins/greet/limits", json!({ "memory": "64MB" }), false),
        ("/plugins/greet/limits", json!({ "memory": 64 }), false),
        ("/plugins/greet/limits", json!({ "deadlin": "5ms" }), false),
        (
            "/plugins/greet/limits",
            json!({ "deadline": "1.5s", "instances": 5 }),
            true,
        ),
        ("/plugins/greet/limits", json!({ "instances": 0 }), false),
        ("/plugins/greet/limits", json!(null), true),
        ("/plugins/greet/onFault", json!("maybe"), false),
        ("/plugins/greet/onFault", json!(null), true),
        ("/plugins/greet/onFault", json!("open"), true),
        ("/plugins/greet/env", json!({ "A": true }), false),
        ("/plugins/greet/env", json!({ "A": 1 }), true),
        ("/plugins/greet/vmConfig", json!([1, { "a": null }]), true),
        ("/plugins/greet/required", json!("yes"), false),
        ("/plugins/greet/source", json!("oci://a/b"), true),
        ("/plugins/greet/source", json!("registry://a/b:1"), true),
        ("/plugins/greet/source", json!("https://a/b.wasm"), true),
        ("/plugins/greet/source", json!("s3://a/b"), false),
        ("/plugins/greet/pullPolicy", json!("always"), true),
        ("/plugins/greet/pullPolicy", json!("sometimes"), false),
        ("/plugins/greet/source", json!("file:a.so"), false),
        ("/plugins/greet/source", json!(null), false),
        ("/proxy/workers", json!(0), false),
        ("/proxy/workers", json!(4), true),
        ("/proxy/accessLog", json!("off"), true),
        ("/proxy/accessLog", json!("on"), false),
        ("/proxy/accessLog", json!({ "file": "a.log" }), true),
        ("/proxy/accessLog", json!({ "fil": "a.log" }), false),
        ("/proxy/listeners", json!([]), false),
        ("/proxy/listeners/0/bind", json!("8080"), false),
        ("/proxy/listeners/0/bind", json!("[::1]:80"), true),
        ("/proxy/listeners/0/name", json!("a b"), false),
        (
            "/proxy/listeners/0/limits",
            json!({ "headerCount": 5, "bodyBuffer": "2MiB" }),
            true,
        ),
        (
            "/proxy/listeners/0/routes/0/match",
            json!({ "pathPrefix": "api" }),
            false,
        ),
        ("/proxy/listeners/0/routes/0/match", json!({ "hosts": [] }), false),
        (
            "/proxy/listeners/0/routes/0/match",
            json!({ "hosts": ["*.a.example", "[::1]"] }),
            true,
        ),
        (
            "/proxy/listeners/0/routes/0/filters/0/plugin",
            json!("Greet"),
            false,
        ),
        ("/proxy/upstreams/app", json!({}), false),
        ("/proxy/upstreams/app", json!({ "endpoints": [] }), false),
        (
            "/proxy/upstreams/app",
            json!({ "endpoints": ["a:1"], "respond": {} }),
            false,
        ),
        (
            "/proxy/upstreams/app",
            json!({ "respond": { "status": 99 } }),
            false,
        ),
        ("/proxy/upstreams/app", json!({ "respond": null }), false),
        ("/proxy/upstreams/app", json!({ "respond": {} }), true),
        ("/admin", json!({}), false),
    ] {
        let mut changed = example();
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer begins with a slash");
        let parent = changed.pointer_mut(parent).expect("the example has this place");
        match parent {
            Value::Array(items) => items[key.parse::<usize>().unwrap()] = value.clone(),
            Value::Object(entries) => drop(entries.insert(key.to_owned(), value.clone())),
            other => panic!("{other} has nothing below it"),
        }
        assert_eq!(
            validator.is_valid(&changed),
            good,
            "the schema on {pointer} = {value}"
        );
        assert_eq!(
            parse(&changed.to_string()).is_ok(),
            good,
            "the decoder on {pointer} = {value}"
        );
    }
}

#[test]
fn the_schema_helps_editors() {
    let schema = wharf_config::json_schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let deadline = &schema["$defs"]["limits"]["properties"]["deadline"];
    assert_eq!(deadline["default"], "50ms");
    assert!(
        deadline["description"]
            .as_str()
            .is_some_and(|text| text.contains("callback"))
    );
    let mut without_words = Vec::new();
    for (name, section) in schema["$defs"].as_object().unwrap() {
        for (key, field) in section["properties"].as_object().unwrap() {
            if field["description"].as_str().is_none_or(str::is_empty) {
                without_words.push(format!("{name}.{key}"));
            }
        }
    }
    assert_eq!(without_words, Vec::<String>::new());
}
