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
    config().plugin("greet", greet, "").route("/", &["greet"], "hello").text()
}

#[test]
fn a_typo() {
    check(&good().replace("listeners:", "listenrs:"), &expect![[""]]);
    check(&good().replace("deadline: 20s", "deadline: 20"), &expect![[""]]);
}

#[test]
fn a_duplicate_key() {
    check(&good().replace("workers: 1", "workers: 1\n  workers: 2"), &expect![[""]]);
}

#[test]
fn text_that_is_no_yaml() {
    check("version: 1\nproxy: {\n", &expect![[""]]);
}

#[test]
fn a_file_that_is_not_there() {
    let folder = folder();
    expect![[""]].assert_eq(&folder.transcript(&["check", "nowhere.yaml"]));
}

#[test]
fn two_listeners_on_one_port() {
    let routes = "routes: [ { upstream: hello } ]";
    let text = format!(
        "version: 1\nproxy:\n  listeners:\n    - {{ name: a, bind: 127.0.0.1:8080, {routes} }}\n    \
         - {{ name: b, bind: 0.0.0.0:8080, {routes} }}\n  upstreams:\n    hello: {{ respond: {{}} }}\n"
    );
    check(&text, &expect![[""]]);
}

#[test]
fn names_that_nothing_has() {
    check(&good().replace("upstream: hello", "upstream: helo"), &expect![[""]]);
    check(&good().replace("plugin: greet", "plugin: great"), &expect![[""]]);
}

#[test]
fn nothing_to_serve() {
    check("version: 1\n", &expect![[""]]);
    let said = folder().with("wharf.yaml", "version: 1\n").transcript(&["check", "--json", "wharf.yaml"]);
    expect![[""]].assert_eq(&said);
}

#[test]
fn the_same_as_json() {
    let text = good().replace("upstream: hello", "upstream: helo");
    let said = folder().with("wharf.yaml", text).transcript(&["check", "--json", "wharf.yaml"]);
    expect![[""]].assert_eq(&said);
}
