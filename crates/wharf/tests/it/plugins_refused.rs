//! Plugins that cannot run: what `wharf check` and `wharf serve` say, and what is left undone.

use std::net::TcpListener;

use expect_test::{Expect, expect};

use crate::harness::{Config, config};

/// Both commands say the same, and neither serves.
fn check(config: &Config, expected: &Expect) {
    let folder = config.write();
    let said = folder.transcript(&["check", "wharf.yaml"]);
    expected.assert_eq(&said);
    assert_eq!(folder.transcript(&["serve", "wharf.yaml"]), said);
}

fn guest(path: &str, keys: &str) -> Config {
    config().plugin("bad", path, keys).route("/", &["bad"], "hello")
}

fn wat(name: &str) -> Config {
    guest(&format!("wat/{name}.wat"), "")
}

#[test]
fn a_file_that_is_no_module() {
    check(&config().plugin_of("bad", "(module (func $half", "").route("/", &["bad"], "hello"), &expect![[""]]);
    let text = config().plugin("bad", "", "").route("/", &["bad"], "hello").text();
    let text = text.replace("file:guests/", "file:bad.wasm");
    let folder = crate::harness::folder().with("wharf.yaml", text);
    let transcript = |folder: &crate::harness::Folder| folder.transcript(&["check", "wharf.yaml"]);
    let missing = transcript(&folder);
    expect![[""]].assert_eq(&missing);
    let folder = folder.with("bad.wasm", "this is no module\n");
    expect![[""]].assert_eq(&transcript(&folder));
    let folder = folder.with("bad.wasm", "\0asm\x01\0\0\0\x01\x7f");
    expect![[""]].assert_eq(&transcript(&folder));
    let folder = folder.with("bad.wasm", "");
    expect![[""]].assert_eq(&transcript(&folder));
}

#[test]
fn a_module_that_does_not_say_what_it_is() {
    check(&wat("no-marker"), &expect![[""]]);
}

#[test]
fn imports_that_nobody_gives() {
    check(&wat("missing-imports"), &expect![[""]]);
    check(&wat("wrong-import"), &expect![[""]]);
}

#[test]
fn an_export_with_another_signature() {
    check(&wat("wrong-signature"), &expect![[""]]);
}

#[test]
fn a_configuration_that_the_plugin_refuses() {
    check(&wat("configure-no"), &expect![[""]]);
    let config = config()
        .plugin("greet", "rust-headers/rust-headers.wasm", "")
        .route("/", &["greet, config: { heder: x-greeting }"], "hello");
    check(&config, &expect![[""]]);
}

#[test]
fn a_trap_while_it_starts() {
    check(&wat("trap-in-start"), &expect![[""]]);
    check(&wat("trap-on-vm-start"), &expect![[""]]);
    check(&wat("trap-on-configure"), &expect![[""]]);
}

#[test]
fn a_configuration_that_takes_for_ever() {
    let config = guest("wat/loop-on-configure.wat", "limits: { startupDeadline: 100ms }");
    check(&config, &expect![[""]]);
}

#[test]
fn every_bad_plugin_is_told_not_only_the_first() {
    let config = config()
        .plugin("a", "wat/no-marker.wat", "")
        .plugin("b", "wat/configure-no.wat", "")
        .plugin("c", "rust-headers/rust-headers.wasm", "")
        .plugin("d", "wat/missing-imports.wat", "")
        .route("/", &["a", "b", "c", "d"], "hello");
    let said = config.write().transcript(&["check", "wharf.yaml"]);
    for plugin in ["a", "b", "d"] {
        assert!(said.contains(&format!("error: plugin `{plugin}` ")), "{plugin} is missing:\n{said}");
    }
    assert!(!said.contains("plugin `c`"), "{said}");
}

#[test]
fn the_same_as_json() {
    let said = wat("configure-no").write().transcript(&["check", "--json", "wharf.yaml"]);
    expect![[""]].assert_eq(&said);
}

#[test]
fn a_port_that_is_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let text = config().route("/", &[], "hello").text();
    let run = |text: String| {
        let folder = crate::harness::folder().with("wharf.yaml", text);
        assert_eq!(folder.run(&["check", "wharf.yaml"]).status.code(), Some(0), "check binds nothing");
        folder.transcript(&["serve", "wharf.yaml"]).replace(&address, "[ADDRESS]")
    };
    expect![[""]].assert_eq(&run(text.replacen("127.0.0.1:0", &address, 1)));
    let admin = format!("admin: {{ bind: {address} }}");
    expect![[""]].assert_eq(&run(text.replace("admin: { bind: 127.0.0.1:0 }", &admin)));
}
