//! What is wrong with files of cases, as their authors see it.

mod requests;

use expect_test::expect;
use wharf_config::cases::Form;

use super::{check, check_as};

fn in_case(keys: &str) -> String {
    format!("plugin: a.wasm\ncases:\n  - name: a\n    {keys}\n")
}

fn in_request(keys: &str) -> String {
    in_case(&format!("requests:\n      - {keys}"))
}

#[test]
fn a_file_that_is_no_file_of_cases() {
    check(
        "",
        &expect![[r#"
        error: the file is empty
         --> greet.test.yaml:1:1
          |
        1 |
          | ^
          |
          = hint: begin with `plugin: ../greet.wasm`, then `cases:` and for each `- name:`"#]],
    );
    check(
        "hello",
        &expect![[r#"
        error: the file is to be a mapping, and this is text
         --> greet.test.yaml:1:1
          |
        1 | hello
          | ^^^^^
          |
          = hint: write `key: value`, with a space behind the colon"#]],
    );
    check(
        "- a\n- b",
        &expect![[r#"
        error: the file is to be a mapping, and this is a list
         --> greet.test.yaml:1:1
          |
        1 | - a
          | ^^^
          |
          = hint: write `key: value`, without `-` in front"#]],
    );
    check(
        "{",
        &expect![[r#"
        error: this is not valid YAML: unclosed bracket '{'
         --> greet.test.yaml:1:1
          |
        1 | {
          | ^
          |
          = hint: look for a missing comma or closing bracket"#]],
    );
}

#[test]
fn unknown_keys() {
    check(
        "plugin: a.wasm\ncase: []\ncases: [{ name: a }]\n",
        &expect![[r#"
        error: unknown key `case` at the top of the file
         --> greet.test.yaml:2:1
          |
        2 | case: []
          | ^^^^
          |
          = hint: did you mean `cases`? the keys here are `cases`, `plugin`, `config`, `vmConfig`, `rootId`, `vmId`, `env`, `properties`, `allowOnHeadersStopIteration`, `limits`, `clock`, `random`, `callouts`, `sharedData`"#]],
    );
    check(
        &in_case("request: []"),
        &expect![[r#"
        error: unknown key `request` in `cases[0]`
         --> greet.test.yaml:4:5
          |
        4 |     request: []
          |     ^^^^^^^
          |
          = hint: did you mean `requests`? the keys here are `name`, `start`, `requests`, `expect`, `plugin`, `config`, `vmConfig`, `rootId`, `vmId`, `env`, `properties`, `allowOnHeadersStopIteration`, `limits`, `clock`, `random`, `callouts`, `sharedData`"#]],
    );
    check(
        &in_request("expect: { client: { statuscode: 200 }, upsteam: null }"),
        &expect![[r#"
        error: unknown key `statuscode` in `cases[0].requests[0].expect.client`
         --> greet.test.yaml:5:29
          |
        5 |       - expect: { client: { statuscode: 200 }, upsteam: null }
          |                             ^^^^^^^^^^
          |
          = hint: did you mean `status`? the keys here are `status`, `added`, `removed`, `headers`, `absent`, `body`, `bodyContains`, `trailers`

        error: unknown key `upsteam` in `cases[0].requests[0].expect`
         --> greet.test.yaml:5:48
          |
        5 |       - expect: { client: { statuscode: 200 }, upsteam: null }
          |                                                ^^^^^^^
          |
          = hint: did you mean `upstream`? the keys here are `upstream`, `client`, `reply`, `paused`, `reset`, `fault`, `log`, `logContains`, `calloutsMade`"#]],
    );
    check_as(
        Form::Golden,
        "plugin: a.wasm\ncases: []\n",
        &expect![[r#"
        error: unknown key `cases` at the top of the file
         --> case.yaml:2:1
          |
        2 | cases: []
          | ^^^^^
          |
          = hint: the keys here are `name`, `start`, `requests`, `expect`, `plugin`, `config`, `vmConfig`, `rootId`, `vmId`, `env`, `properties`, `allowOnHeadersStopIteration`, `limits`, `clock`, `random`, `callouts`, `sharedData`"#]],
    );
}

#[test]
fn cases_without_a_name_and_with_the_same_one() {
    check(
        "plugin: a.wasm\ncases:\n  - requests: []\n  - name: ''\n  - name: 7\n",
        &expect![[r#"
            error: `cases[0]` has no `name`
             --> greet.test.yaml:3:5
              |
            3 |   - requests: []
              |     ^^^^^^^^^^^^
              |
              = hint: add for example `name: adds the greeting`

            error: `cases[1].name` is empty
             --> greet.test.yaml:4:11
              |
            4 |   - name: ''
              |           ^^
              |
              = hint: say what the plugin does, such as `adds the greeting`

            error: `cases[2].name` is to be a name such as `adds the greeting`, and this is a number
             --> greet.test.yaml:5:11
              |
            5 |   - name: 7
              |           ^
              |
              = hint: write for example `adds the greeting`"#]],
    );
    check(
        "plugin: a.wasm\ncases:\n  - name: greets\n  - name: other\n  - name: greets\n",
        &expect![[r#"
            error: two cases are called `greets`
             --> greet.test.yaml:5:11
              |
            5 |   - name: greets
              |           ^^^^^^
              |
             ::: greet.test.yaml:3:11
              |
            3 |   - name: greets
              |           ------ the first one
              |
              = hint: say in the name what is special about each"#]],
    );
}

#[test]
fn no_cases() {
    check(
        "plugin: a.wasm\n",
        &expect![[r#"
        error: the file has no `cases`
         --> greet.test.yaml:1:1
          |
        1 | plugin: a.wasm
          | ^^^^^^^^^^^^^^
          |
          = hint: add `cases:`. The cases. Each has a VM of its own."#]],
    );
    check(
        "plugin: a.wasm\ncases: []\n",
        &expect![[r#"
        error: `cases` is empty
         --> greet.test.yaml:2:8
          |
        2 | cases: []
          |        ^^
          |
          = hint: it needs at least one item"#]],
    );
    check(
        "plugin: a.wasm\ncases:\n",
        &expect![[r#"
        error: the file has no `cases`
         --> greet.test.yaml:1:1
          |
        1 | plugin: a.wasm
          | ^^^^^^^^^^^^^^
          |
          = hint: add `cases:`. The cases. Each has a VM of its own."#]],
    );
}

#[test]
fn plugins() {
    check(
        "cases: [{ name: a }, { name: b, plugin: b.wasm }]\n",
        &expect![[r#"
        error: `cases[0]` has no `plugin`
         --> greet.test.yaml:1:9
          |
        1 | cases: [{ name: a }, { name: b, plugin: b.wasm }]
          |         ^^^^^^^^^^^
          |
          = hint: add `plugin: ../greet.wasm`, here or at the top of the file for all cases"#]],
    );
    check(
        "plugin: ''\ncases: [{ name: a }]\n",
        &expect![[r#"
        error: `plugin` is empty
         --> greet.test.yaml:1:9
          |
        1 | plugin: ''
          |         ^^
          |
          = hint: write the path of the module, such as `../greet.wasm`"#]],
    );
    check(
        "plugin: file:a.so\ncases: [{ name: a }]\n",
        &expect![[r#"
        error: `a.so` is neither a `.wasm` nor a `.wat` file
         --> greet.test.yaml:1:9
          |
        1 | plugin: file:a.so
          |         ^^^^^^^^^
          |
          = hint: name the compiled module (`.wasm`) or its text form (`.wat`)"#]],
    );
    check(
        "plugin: http://example.com/a.wasm\ncases: [{ name: a }]\n",
        &expect![[r#"
        error: plugins are not fetched over plain `http:`, because anybody on the way could change them
         --> greet.test.yaml:1:9
          |
        1 | plugin: http://example.com/a.wasm
          |         ^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = hint: use `https:`"#]],
    );
    check(
        "plugin: \"a\\0.wasm\"\ncases: [{ name: a }]\n",
        &expect![[r#"
        error: a source cannot contain control characters
         --> greet.test.yaml:1:9
          |
        1 | plugin: "a\0.wasm"
          |         ^^^^^^^^^^
          |
          = hint: remove it"#]],
    );
    check_as(
        Form::Golden,
        "requests: []\n",
        &expect![[r#"
            error: the file has no `plugin`
             --> case.yaml:1:1
              |
            1 | requests: []
              | ^^^^^^^^^^^^
              |
              = hint: add for example `plugin: ../greet.wasm`"#]],
    );
}

#[test]
fn clocks() {
    check(
        "plugin: a.wasm\nclock: now\ncases: [{ name: a }]\n",
        &expect![[r#"
        error: `now` is neither `real` nor a time in UTC
         --> greet.test.yaml:2:8
          |
        2 | clock: now
          |        ^^^
          |
          = hint: write for example `2025-01-01T00:00:00Z`"#]],
    );
    check(
        "plugin: a.wasm\nclock: real\ncases: [{ name: a, requests: [{ after: 1s }] }]\n",
        &expect![[r#"
            error: time cannot be made to pass on the real clock
             --> greet.test.yaml:3:33
              |
            3 | cases: [{ name: a, requests: [{ after: 1s }] }]
              |                                 ^^^^^
              |
              = hint: remove it, or remove `clock: real`"#]],
    );
}

#[test]
fn requests_to_a_filter_that_does_not_start() {
    check(
        &in_case("start: { refused: true }\n    requests: [{}]"),
        &expect![[r#"
        error: the filter is expected not to start, and then it gets no requests
         --> greet.test.yaml:5:5
          |
        5 |     requests: [{}]
          |     ^^^^^^^^
          |
         ::: greet.test.yaml:4:14
          |
        4 |     start: { refused: true }
          |              ------- expected here
          |
          = hint: put the requests into a case of their own"#]],
    );
    check(
        &in_case("start: { fault: trap }\n    requests: [{}]"),
        &expect![[r#"
        error: the filter is expected not to start, and then it gets no requests
         --> greet.test.yaml:5:5
          |
        5 |     requests: [{}]
          |     ^^^^^^^^
          |
         ::: greet.test.yaml:4:14
          |
        4 |     start: { fault: trap }
          |              ----- expected here
          |
          = hint: put the requests into a case of their own"#]],
    );
    check(
        &in_case("expect: { refused: true }\n    requests: [{}]"),
        &expect![[r#"
        error: the filter is expected not to start, and then it gets no requests
         --> greet.test.yaml:5:5
          |
        5 |     requests: [{}]
          |     ^^^^^^^^
          |
         ::: greet.test.yaml:4:15
          |
        4 |     expect: { refused: true }
          |               ------- expected here
          |
          = hint: put the requests into a case of their own"#]],
    );
}

#[test]
fn a_bomb_of_aliases_does_not_go_off() {
    let mut text = String::from("plugin: a.wasm\nconfig:\n  a: &a [x, x, x, x, x, x, x, x, x, x]\n");
    for (name, before) in ('b'..='j').zip('a'..) {
        let aliases = vec![format!("*{before}"); 10].join(", ");
        text.push_str(&format!("  {name}: &{name} [{aliases}]\n"));
    }
    text.push_str("cases: [{ name: a, config: *j }]\n");
    check(
        &text,
        &expect![[r#"
        error: the file is too large from here on, with its aliases written out
         --> greet.test.yaml:8:18
          |
        8 |   f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]
          |                  ^^
          |
          = hint: at most 8 MiB of values can be read"#]],
    );
}

#[test]
fn what_all_cases_have_does_not_multiply_without_end() {
    let cases: String = (0..20_000).map(|n| format!("  - name: c{n}\n")).collect();
    let common = "x".repeat(500_000);
    let text = format!("plugin: a.wasm\nconfig: {common}\ncases:\n{cases}");
    check(
        &text,
        &expect![[r#"
        error: the cases are too large from here on, with what the file says for all of them
           --> greet.test.yaml:138:5
            |
        138 |   - name: c134
            |     ^^^^^^^^^^
            |
            = hint: split the file, or say what is large in the cases that need it"#]],
    );
}
