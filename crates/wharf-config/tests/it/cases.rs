//! Files of cases for `wharf test`: what they may say, and how each mistake is told.

mod policies;
mod refused;

use std::fs;
use std::path::Path;
use std::time::Duration;

use expect_test::{Expect, expect, expect_file};
use serde_json::Value;
use wharf_config::cases::{
    self, Answer, BodyExpectation, Cases, Clock, Content, FilterCase, Form, MetricExpectation, Placed,
    Randomness,
};
use wharf_plugin::{ByteSize, Reference};

/// A table that uses every key.
const EVERYTHING: &str = include_str!("cases/everything.test.yaml");

fn parse(text: &str) -> Vec<FilterCase> {
    match cases::parse(text, Path::new("tests/greet.test.yaml"), Form::Table) {
        Ok(cases) => of_filters(cases),
        Err(errors) => panic!("{errors}"),
    }
}

fn of_filters(cases: Cases) -> Vec<FilterCase> {
    match cases {
        Cases::Filters(cases) => cases,
        Cases::Policies(cases) => panic!("cases of policies: {cases:?}"),
    }
}

/// What somebody sees whose file is wrong.
fn check_as(form: Form, text: &str, expected: &Expect) {
    let origin = match form {
        Form::Table => "greet.test.yaml",
        Form::Golden => "case.yaml",
    };
    let errors = cases::parse(text, Path::new(origin), form).expect_err("the file is wrong");
    expected.assert_eq(&errors.render(false));
}

fn check(text: &str, expected: &Expect) {
    check_as(Form::Table, text, expected);
}

fn bytes(text: &str) -> Content {
    Content::Bytes(text.as_bytes().to_vec())
}

fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn the_smallest_table() {
    let cases = parse("plugin: ../greet.wasm\ncases:\n  - name: starts\n");
    let [case] = &cases[..] else { panic!("{cases:?}") };
    assert_eq!((case.name.as_str(), case.line), ("starts", 3));
    assert_eq!(case.setup.plugin, Reference::File("tests/../greet.wasm".into()));
    assert_eq!(case.setup.config, bytes(""));
    assert_eq!(
        (case.setup.clock, case.setup.random),
        (Clock::Fixed(1_735_689_600_000_000_000), Randomness::Seeded)
    );
    assert_eq!(case.setup.limits.deadline, Duration::from_secs(10));
    assert_eq!(case.setup.limits.startup_deadline, Duration::from_secs(10));
    assert!(case.exchanges.is_empty());
}

#[test]
fn a_golden_case_has_the_name_of_its_folder_unless_it_says_another() {
    let name = |text: &str, origin: &str| {
        of_filters(cases::parse(text, Path::new(origin), Form::Golden).unwrap())[0]
            .name
            .clone()
    };
    assert_eq!(name("plugin: a.wasm", "golden/greets/case.yaml"), "greets");
    assert_eq!(name("plugin: a.wasm", "case.yaml"), "case");
    assert_eq!(
        name("plugin: a.wasm\nname: other", "golden/greets/case.yaml"),
        "other"
    );
}

#[test]
fn a_case_says_more_than_its_file_or_otherwise() {
    let cases = parse(
        "plugin: file:a.wasm\nconfig: { b: 1, a: 2 }\nenv: { A: file, B: file }\nrootId: r\n\
         limits: { memory: 1MiB, deadline: 1s }\ncallouts: { auth: { status: 403 }, other: fails }\n\
         cases:\n  - name: as the file\n  - name: otherwise\n    plugin: oci://example.com/b:1\n    config: text\n    \
         env: { B: case }\n    limits: { deadline: 5ms }\n    callouts: { auth: { status: 200 } }\n    clock: real\n",
    );
    let [first, second] = &cases[..] else {
        panic!("{cases:?}")
    };
    assert_eq!(first.setup.config, bytes(r#"{"b":1,"a":2}"#));
    assert_eq!(second.setup.config, bytes("text"));
    assert_eq!(second.setup.plugin, Reference::Oci("example.com/b:1".into()));
    assert_eq!(second.setup.root_id, "r");
    let env: Vec<_> = second.setup.env.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(env, ["A=file", "B=case"]);
    assert_eq!(second.setup.limits.memory, ByteSize::from_mib(1));
    assert_eq!(second.setup.limits.deadline, Duration::from_millis(5));
    assert!(second.setup.clock == Clock::Real && first.setup.clock != Clock::Real);
    assert_eq!(second.setup.callouts["other"], [Answer::Fails]);
    let status = |case: &FilterCase| match &case.setup.callouts["auth"][..] {
        [Answer::Responds(message)] => message.status,
        other => panic!("{other:?}"),
    };
    assert_eq!((status(first), status(second)), (403, 200));
}

#[test]
fn every_key_is_read() {
    let cases = parse(EVERYTHING);
    let [case, refused] = &cases[..] else {
        panic!("{cases:?}")
    };
    let [exchange, second] = &case.exchanges[..] else {
        panic!("{:?}", case.exchanges)
    };
    assert_eq!(
        (exchange.method.as_str(), exchange.path.as_str()),
        ("POST", "/p?q=1")
    );
    assert_eq!(
        exchange.request.headers,
        [
            header("accept", "text/plain"),
            header("x-number", "7"),
            header(":authority", "example.com")
        ]
    );
    assert_eq!(exchange.request.body, [bytes("one "), bytes("\u{0}\u{7f}")]);
    assert_eq!(exchange.request.trailers, [header("x-t", "1")]);
    assert_eq!(
        (exchange.response.status, &exchange.response.body[..]),
        (201, &[bytes(r#"{"a":[1,2]}"#)][..])
    );
    assert_eq!(
        exchange.between.queued,
        [("paths".to_owned(), vec![bytes("/a"), bytes("/b")])]
    );
    assert_eq!(exchange.between.after, Duration::from_secs(90));
    assert_eq!(exchange.between.ticks, 3);
    assert_eq!(exchange.between.callouts["auth"].len(), 2);
    assert_eq!(
        exchange.properties["source.port"],
        Content::Bytes(vec![0x40, 0x1f, 0, 0, 0, 0, 0, 0])
    );
    assert_eq!(exchange.properties["connection.mtls"], Content::Bytes(vec![1]));

    let expect = &exchange.expect;
    let upstream = expect.upstream.as_ref().unwrap();
    let added = upstream.value.as_ref().unwrap().added.as_ref().unwrap();
    assert_eq!(added.value[0].name, "x-a");
    assert_eq!(added.value[1].value, None);
    let line = EVERYTHING
        .lines()
        .position(|line| line.contains("added: [\"x-a: 1\", x-b]"))
        .unwrap();
    assert_eq!(added.line, line + 1);
    let client = expect.client.as_ref().unwrap().value.as_ref().unwrap();
    assert_eq!(
        client.body.as_ref().unwrap().value,
        BodyExpectation::Json(r#"{"a":[1,2]}"#.to_owned())
    );
    assert_eq!(expect.stage.log.as_ref().unwrap().value[0].level, "info");
    let calls = &expect.stage.callouts_made.as_ref().unwrap().value;
    assert_eq!(
        calls.iter().map(|call| call.path.as_str()).collect::<Vec<_>>(),
        ["/check", "/check?again", "/x"]
    );
    assert_eq!(calls[1].message.headers[0].value.name, "authorization");
    assert_eq!(calls[2].upstream, "other");

    let nothing =
        |placed: &Option<Placed<Option<_>>>| placed.as_ref().is_some_and(|placed| placed.value.is_none());
    assert!(nothing(&second.expect.upstream) && nothing(&second.expect.client));
    assert_eq!(
        second.request.body,
        [Content::Repeated {
            bytes: b"0123456789".to_vec(),
            times: 200_000
        }]
    );
    assert!(second.expect.reply.as_ref().unwrap().value.is_none());
    assert_eq!(second.expect.paused.as_ref().unwrap().value, Some("request"));

    assert_eq!(
        case.expect.metrics["latency"].value,
        MetricExpectation::Histogram {
            count: Some(1),
            sum: None
        }
    );
    assert_eq!(
        case.expect.metrics["greet_total"].value,
        MetricExpectation::Value(-1)
    );
    assert_eq!(case.expect.shared_data["gone"].value, None);
    assert_eq!(case.expect.queues["paths"].value, []);
    assert!(refused.start.refused.as_ref().unwrap().value);
    assert_eq!(refused.setup.config, bytes(r#"{"file":"x","mode":1}"#));
}

#[test]
fn the_example_of_every_key_has_every_key() {
    let schema = cases::json_schema();
    let mut unused = Vec::new();
    for (name, section) in schema["$defs"].as_object().unwrap() {
        for (key, _) in section["properties"].as_object().unwrap() {
            let key_of = format!("{key}:");
            if !EVERYTHING.contains(&key_of) && !policies::EVERYTHING.contains(&key_of) {
                unused.push(format!("{name}.{key}"));
            }
        }
    }
    assert_eq!(unused, Vec::<String>::new());
}

#[test]
fn files_are_looked_for_beside_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let file = at("a.test.yaml");
    let text = "plugin: missing.wasm\nconfig: { file: c.json }\ncases:\n  - name: a\n    requests:\n      - request: { body: { file: sub } }\n";
    fs::write(&file, text).unwrap();
    fs::create_dir(at("sub")).unwrap();
    let errors = cases::load(&file, Form::Table).unwrap_err().render(false);
    expect![[r#"
        error: the file `DIR/c.json` does not exist
         --> DIR/a.test.yaml:2:17
          |
        2 | config: { file: c.json }
          |                 ^^^^^^
          |
          = hint: the path is relative to the directory of the case file

        error: the file `DIR/sub` is not a file
         --> DIR/a.test.yaml:6:34
          |
        6 |       - request: { body: { file: sub } }
          |                                  ^^^
          |
          = hint: the path is relative to the directory of the case file"#]]
    .assert_eq(&errors.replace(&format!("{}/", folder.path().display()), "DIR/"));

    fs::write(at("c.json"), "{}").unwrap();
    fs::write(at("body"), "b").unwrap();
    let absolute = at("body").display().to_string();
    fs::write(&file, text.replace("sub", &absolute)).unwrap();
    let case = &of_filters(cases::load(&file, Form::Table).unwrap())[0];
    assert_eq!(case.setup.config, Content::File(at("c.json")));
    assert_eq!(case.exchanges[0].request.body, [Content::File(at("body"))]);
    assert_eq!(case.setup.plugin, Reference::File(at("missing.wasm")));
}

#[test]
fn names_of_files_say_their_form() {
    for (name, form) in [
        ("a.test.yaml", Some(Form::Table)),
        ("a.test.yml", Some(Form::Table)),
        ("case.yaml", Some(Form::Golden)),
        ("case.yml", Some(Form::Golden)),
        ("a.yaml", None),
        ("case.json", None),
        ("acase.yaml", None),
        ("a.test.yaml.bak", None),
    ] {
        assert_eq!(Form::of(name), form, "{name}");
    }
}

#[test]
fn the_reference_in_the_repository_is_up_to_date() {
    expect_file!["../../../../docs/test-cases.md"].assert_eq(&cases::reference());
}

/// A text as JSON, through the decoder's own reading of YAML.
fn as_json(text: &str) -> Value {
    let indented: String = text.lines().map(|line| format!("  {line}\n")).collect();
    let wrapped = format!("plugin: a.wasm\nconfig:\n{indented}\ncases: [ {{ name: a }} ]\n");
    match &parse(&wrapped)[0].setup.config {
        Content::Bytes(json) => serde_json::from_slice(json).expect("it is handed on as JSON"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_schema_agrees_with_the_decoder() {
    let schema = cases::json_schema();
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    for everything in [EVERYTHING, policies::EVERYTHING] {
        let errors: Vec<_> = validator
            .iter_errors(&as_json(everything))
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert_eq!(errors, Vec::<String>::new());
    }
    for example in schema["examples"].as_array().unwrap() {
        assert!(validator.is_valid(example), "{example}");
        assert!(cases::parse(&example.to_string(), Path::new("x"), Form::Table).is_ok());
    }
    for (text, form, good) in [
        ("{ plugin: a.wasm, cases: [] }", Form::Table, false),
        ("{ plugin: a.wasm, cases: [ { name: a } ] }", Form::Table, true),
        ("{ plugin: a.wasm, cases: [ {} ] }", Form::Table, false),
        ("{ plugin: a.wasm, cases: [ { name: ' ' } ] }", Form::Table, false),
        ("{ plugin: a.wasm, case: [] }", Form::Golden, false),
        ("{ plugin: a.wasm }", Form::Golden, true),
        ("{ requests: [] }", Form::Golden, false),
        ("{ plugin: a.wasm, clock: now }", Form::Golden, false),
        (
            "{ plugin: a.wasm, clock: '2025-01-01T00:00:00Z' }",
            Form::Golden,
            true,
        ),
        (
            "{ plugin: a.wasm, requests: [ { expect: { upstream: null } } ] }",
            Form::Golden,
            true,
        ),
        (
            "{ plugin: a.wasm, requests: [ { expect: { upstream: {} } } ] }",
            Form::Golden,
            true,
        ),
        (
            "{ plugin: a.wasm, requests: [ { expect: { upstream: 1 } } ] }",
            Form::Golden,
            false,
        ),
        (
            "{ plugin: a.wasm, requests: [ { expect: { paused: nothing } } ] }",
            Form::Golden,
            false,
        ),
        (
            "{ plugin: a.wasm, requests: [ { expect: { paused: null } } ] }",
            Form::Golden,
            true,
        ),
        (
            "{ plugin: a.wasm, requests: [ { expect: { log: ['loud: a'] } } ] }",
            Form::Golden,
            false,
        ),
        (
            "{ plugin: a.wasm, requests: [ { request: { body: 7 } } ] }",
            Form::Golden,
            false,
        ),
        (
            "{ plugin: a.wasm, requests: [ { request: { body: [a, { hex: '00' }] } } ] }",
            Form::Golden,
            true,
        ),
        (
            "{ plugin: a.wasm, requests: [ { request: { headers: [a: 1] } } ] }",
            Form::Golden,
            true,
        ),
        (
            "{ plugin: a.wasm, requests: [ { callouts: { a: [fails, {}] } } ] }",
            Form::Golden,
            true,
        ),
        (
            "{ plugin: a.wasm, requests: [ { callouts: { a: fail } } ] }",
            Form::Golden,
            false,
        ),
        (
            "{ plugin: a.wasm, requests: [ { callouts: { a: [] } } ] }",
            Form::Golden,
            false,
        ),
        (
            "{ plugin: a.wasm, requests: null, start: null }",
            Form::Golden,
            true,
        ),
        (
            "{ plugin: a.wasm, expect: { metrics: { a: 1, b: { sum: 2 } } } }",
            Form::Golden,
            true,
        ),
        (
            "{ plugin: a.wasm, expect: { metrics: { a: '1' } } }",
            Form::Golden,
            false,
        ),
        ("{ policy: a.wasm }", Form::Golden, true),
        ("{ policy: a.wasm, requests: [] }", Form::Golden, false),
        ("{ policy: a.wasm, settings: [1] }", Form::Golden, false),
        (
            "{ policy: a.wasm, review: null, expect: null }",
            Form::Golden,
            true,
        ),
        (
            "{ policy: a.wasm, review: { a: 1 }, expect: { patch: null, message: null } }",
            Form::Golden,
            true,
        ),
        (
            "{ policy: a.wasm, review: { a: 1 }, expect: { code: 42 } }",
            Form::Golden,
            false,
        ),
        (
            "{ cases: [ { name: a, policy: a.wasm, requests: [] } ] }",
            Form::Table,
            false,
        ),
        (
            "{ group: { expression: a(), message: b }, cases: [ { name: a } ] }",
            Form::Table,
            false,
        ),
    ] {
        assert_eq!(validator.is_valid(&as_json(text)), good, "the schema on {text}");
        let decoded = cases::parse(text, Path::new("x"), form);
        assert_eq!(decoded.is_ok(), good, "the decoder on {text}");
    }
}

#[test]
fn every_key_of_the_schema_has_words() {
    let schema = cases::json_schema();
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
