//! Configurations that cannot be used: what is said of them, and where.

use expect_test::{Expect, expect};

use crate::harness::{config, folder};

fn check(text: &str, expected: &Expect) {
    let folder = folder().with("wharf.yaml", text);
    let said = folder.transcript(&["check", "wharf.yaml"]);
    expected.assert_eq(&said);
    assert_eq!(folder.transcript(&["serve", "wharf.yaml"]), said);
}

fn good() -> String {
    let greet = "rust-headers/rust-headers.wasm";
    config()
        .plugin("greet", greet, "")
        .route("/", &["greet"], "hello")
        .text()
}

#[test]
fn a_typo() {
    check(
        &good().replace("listeners:", "listenrs:"),
        &expect![[r#"
        exit code 3
        --- stderr ---
        error: `proxy` has no `listeners`
         --> wharf.yaml:4:1
          |
        4 | proxy:
          | ^^^^^
          |
          = hint: add `listeners:`. Where requests come in.

        error: unknown key `listenrs` in `proxy`
         --> wharf.yaml:6:3
          |
        6 |   listenrs:
          |   ^^^^^^^^
          |
          = hint: did you mean `listeners`? the keys here are `workers`, `drainTimeout`, `accessLog`, `listeners`, `upstreams`
    "#]],
    );
    check(
        &good().replace("deadline: 20s", "deadline: 20"),
        &expect![[r#"
        exit code 3
        --- stderr ---
        error: `plugins.greet.limits.deadline`: `20` is not a duration: the unit is missing
         --> wharf.yaml:3:86
          |
        3 |   greet: { source: "file:guests/rust-headers/rust-headers.wasm", limits: { deadline: 20 },  }
          |                                                                                      ^^
          |
          = hint: write `20ms` for milliseconds, or `20s` for seconds
    "#]],
    );
}

#[test]
fn a_duplicate_key() {
    check(
        &good().replace("workers: 1", "workers: 1\n  workers: 2"),
        &expect![[r#"
        exit code 3
        --- stderr ---
        error: the key `workers` is given twice
         --> wharf.yaml:6:3
          |
        6 |   workers: 2
          |   ^^^^^^^
          |
         ::: wharf.yaml:5:3
          |
        5 |   workers: 1
          |   ------- first given here
          |
          = hint: remove one of the two
    "#]],
    );
}

#[test]
fn text_that_is_no_yaml() {
    check(
        "version: 1\nproxy: {\n",
        &expect![[r#"
        exit code 3
        --- stderr ---
        error: this is not valid YAML: unclosed bracket '{'
         --> wharf.yaml:2:8
          |
        2 | proxy: {
          |        ^
          |
          = hint: look for a missing comma or closing bracket
    "#]],
    );
}

#[test]
fn a_file_that_is_not_there() {
    let folder = folder();
    expect![[r#"
        exit code 3
        --- stderr ---
        error: the configuration cannot be read: No such file or directory (os error 2)
        --> nowhere.yaml
         = hint: check the path
    "#]]
    .assert_eq(&folder.transcript(&["check", "nowhere.yaml"]));
}

#[test]
fn two_listeners_on_one_port() {
    let routes = "routes: [ { upstream: hello } ]";
    let text = format!(
        "version: 1\nproxy:\n  listeners:\n    - {{ name: a, bind: 127.0.0.1:8080, {routes} }}\n    \
         - {{ name: b, bind: 0.0.0.0:8080, {routes} }}\n  upstreams:\n    hello: {{ respond: {{}} }}\n"
    );
    check(
        &text,
        &expect![[r#"
        exit code 3
        --- stderr ---
        error: listener `b` cannot listen on 0.0.0.0:8080: listener `a` listens on 127.0.0.1:8080
         --> wharf.yaml:5:24
          |
        5 |     - { name: b, bind: 0.0.0.0:8080, routes: [ { upstream: hello } ] }
          |                        ^^^^^^^^^^^^
          |
         ::: wharf.yaml:4:24
          |
        4 |     - { name: a, bind: 127.0.0.1:8080, routes: [ { upstream: hello } ] }
          |                        -------------- taken here
          |
          = hint: give one of them another port
    "#]],
    );
}

#[test]
fn names_that_nothing_has() {
    check(
        &good().replace("upstream: hello", "upstream: helo"),
        &expect![[r#"
        exit code 3
        --- stderr ---
        error: no upstream is called `helo`
          --> wharf.yaml:10:81
           |
        10 |         - { match: { pathPrefix: / }, filters: [ { plugin: greet } ], upstream: helo }
           |                                                                                 ^^^^
           |
           = hint: did you mean `hello`?
    "#]],
    );
    check(
        &good().replace("plugin: greet", "plugin: great"),
        &expect![[r#"
        exit code 3
        --- stderr ---
        error: no plugin is called `great`
          --> wharf.yaml:10:60
           |
        10 |         - { match: { pathPrefix: / }, filters: [ { plugin: great } ], upstream: hello }
           |                                                            ^^^^^
           |
           = hint: did you mean `greet`?
    "#]],
    );
}

#[test]
fn nothing_to_serve() {
    check(
        "version: 1\n",
        &expect![[r#"
            exit code 3
            --- stderr ---
            error: wharf.yaml has neither `proxy:` nor `admission:`, so there is nothing to serve

            hint: add `proxy:` with listeners and upstreams, or `admission:` with policies; `wharf schema` prints all keys
        "#]],
    );
    let said = folder()
        .with("wharf.yaml", "version: 1\n")
        .transcript(&["check", "--json", "wharf.yaml"]);
    expect![[r#"
        exit code 3
        --- stdout ---
        {
          "ok": false,
          "errors": [
            {
              "message": "wharf.yaml has neither `proxy:` nor `admission:`, so there is nothing to serve",
              "causes": [],
              "notes": [],
              "hint": "add `proxy:` with listeners and upstreams, or `admission:` with policies; `wharf schema` prints all keys"
            }
          ],
          "warnings": [],
          "plugins": [],
          "policies": []
        }
    "#]]
    .assert_eq(&said);
}

#[test]
fn the_same_as_json() {
    let text = good().replace("upstream: hello", "upstream: helo");
    let said = folder()
        .with("wharf.yaml", text)
        .transcript(&["check", "--json", "wharf.yaml"]);
    expect![[r#"
        exit code 3
        --- stdout ---
        {
          "ok": false,
          "errors": [
            {
              "severity": "error",
              "message": "no upstream is called `helo`",
              "file": "wharf.yaml",
              "line": 10,
              "column": 81,
              "excerpt": {
                "text": "        - { match: { pathPrefix: / }, filters: [ { plugin: greet } ], upstream: helo }",
                "highlight": {
                  "start": 80,
                  "end": 84
                }
              },
              "related": null,
              "hint": "did you mean `hello`?"
            }
          ],
          "warnings": [],
          "plugins": [],
          "policies": []
        }
    "#]].assert_eq(&said);
}
