//! Plugins that cannot run: what `wharf check` and `wharf serve` say, and what is left undone.

use std::net::TcpListener;

use expect_test::{Expect, expect};

use crate::harness::{Config, config};

/// Both commands say the same, and neither serves.
fn check(config: &Config, expected: &Expect) {
    let folder = config.write();
    let said = |command: &str| without_places(&folder.transcript(&[command, "wharf.yaml"]));
    expected.assert_eq(&said("check"));
    assert_eq!(said("serve"), said("check"));
}

/// The same without the places in functions. That of a function which does nothing but trap is told as the next one about once in a
/// hundred runs on a busy machine.
fn without_places(text: &str) -> String {
    let mut parts = text.split(" at 0x");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain += " at 0x…";
        plain += part.trim_start_matches(|c: char| c.is_ascii_hexdigit());
    }
    plain
}

fn guest(path: &str, keys: &str) -> Config {
    config().plugin("bad", path, keys).route("/", &["bad"], "hello")
}

fn wat(name: &str) -> Config {
    guest(&format!("wat/{name}.wat"), "")
}

#[test]
fn a_file_that_is_no_module() {
    check(
        &config()
            .plugin_of("bad", "(module (func $half", "")
            .route("/", &["bad"], "hello"),
        &expect![[r#"
        exit code 4
        --- stderr ---
        error: plugin `bad` (file:bad.wat) cannot be loaded
          caused by: bad.wat:1:20: expected `)`

        hint: correct the text at `(module (func $half`
    "#]],
    );
    let text = config()
        .plugin("bad", "", "")
        .route("/", &["bad"], "hello")
        .text();
    let text = text.replace("file:guests/", "file:bad.wasm");
    let folder = crate::harness::folder().with("wharf.yaml", text);
    let transcript = |folder: &crate::harness::Folder| folder.transcript(&["check", "wharf.yaml"]);
    let missing = transcript(&folder);
    expect![[r#"
        exit code 3
        --- stderr ---
        error: the module `bad.wasm` does not exist
         --> wharf.yaml:3:18
          |
        3 |   bad: { source: "file:bad.wasm", limits: { deadline: 20s },  }
          |                  ^^^^^^^^^^^^^^^
          |
          = hint: the path is relative to the directory of the configuration file
    "#]]
    .assert_eq(&missing);
    let folder = folder.with("bad.wasm", "this is no module\n");
    expect![[r#"
        exit code 4
        --- stderr ---
        error: plugin `bad` (file:bad.wasm) cannot be loaded
          caused by: bad.wasm is not a plugin
          caused by: this is not WebAssembly: it looks like text

        hint: a module begins with the bytes 00 61 73 6d
    "#]]
    .assert_eq(&transcript(&folder));
    let folder = folder.with("bad.wasm", "\0asm\x01\0\0\0\x01\x7f");
    expect![[r#"
        exit code 4
        --- stderr ---
        error: plugin `bad` (file:bad.wasm) cannot be loaded
          caused by: this WebAssembly module is damaged
          caused by: at byte 0xa: unexpected end-of-file

        hint: the file may have been cut short: build or copy it again
    "#]]
    .assert_eq(&transcript(&folder));
    let folder = folder.with("bad.wasm", "");
    expect![[r#"
        exit code 4
        --- stderr ---
        error: plugin `bad` (file:bad.wasm) cannot be loaded
          caused by: bad.wasm is not a plugin
          caused by: this is not WebAssembly: the file is empty

        hint: the file may have been cut short: build or copy it again
    "#]]
    .assert_eq(&transcript(&folder));
}

#[test]
fn a_module_that_does_not_say_what_it_is() {
    check(
        &wat("no-marker"),
        &expect![[r#"
        exit code 4
        --- stderr ---
        error: plugin `bad` (file:guests/wat/no-marker.wat) cannot be loaded
          caused by: this module speaks no known ABI: it exports no marker of one

        hint: an HTTP filter exports `proxy_abi_version_0_2_1`; SDKs add that export by themselves
    "#]],
    );
}

#[test]
fn imports_that_nobody_gives() {
    check(
        &wat("missing-imports"),
        &expect![[r#"
        exit code 4
        --- stderr ---
        error: plugin `bad` cannot be linked
          caused by: 3 of the module's imports are not given by this host:
            env.proxy_teleport: (i32, i32) -> i32: unknown here
            env.proxy_brew_coffee: (): unknown here
            another_world.beam_up: (i64) -> i64: unknown here

        hint: a filter may import what proxy-wasm has, and WASI; was it built for another host?
    "#]],
    );
    check(
        &wat("wrong-import"),
        &expect![[r#"
        exit code 4
        --- stderr ---
        error: plugin `bad` cannot be linked
          caused by: 1 of the module's imports is not given by this host:
            env.proxy_log: the module wants (i32), the host gives (i32, i32, i32) -> i32

        hint: a filter may import what proxy-wasm has, and WASI; was it built for another host?
    "#]],
    );
}

#[test]
fn an_export_with_another_signature() {
    check(
        &wat("wrong-signature"),
        &expect![[r#"
        exit code 4
        --- stderr ---
        error: plugin `bad` does not start
          caused by: in proxy_on_request_headers: the module's function "proxy_on_request_headers" has the signature (i64) -> i64, which is not the ABI's
          the plugin logged nothing

        hint: the module does not keep to the ABI that its marker names; was its SDK made for that version?
    "#]],
    );
}

#[test]
fn a_configuration_that_the_plugin_refuses() {
    check(
        &wat("configure-no"),
        &expect![[r#"
        exit code 4
        --- stderr ---
        error: plugin `bad` does not start
          caused by: the plugin refused its configuration
          the plugin logged:
            info: configure-no: reading the configuration
            error: configure-no: this filter accepts no configuration

        hint: what it was given is the filter's `config` in the route; its log may say what it wants
    "#]],
    );
    let config = config()
        .plugin("greet", "rust-headers/rust-headers.wasm", "")
        .route("/", &["greet, config: { heder: x-greeting }"], "hello");
    check(
        &config,
        &expect![[r#"
        exit code 4
        --- stderr ---
        error: plugin `greet` does not start
          caused by: the plugin refused its configuration
          the plugin logged:
            error: rust-headers: the configuration is not valid: unknown field `heder`, expected `header` or `value` at line 1 column 8

        hint: what it was given is the filter's `config` in the route; its log may say what it wants
    "#]],
    );
}

#[test]
fn a_trap_while_it_starts() {
    check(
        &wat("trap-in-start"),
        &expect![[r#"
            exit code 4
            --- stderr ---
            error: plugin `bad` does not start
              caused by: in _initialize: the guest trapped: wasm trap: wasm `unreachable` instruction executed
              the guest was here, the innermost function first:
                initialize at 0x…
              the plugin logged nothing

            hint: the fault is the plugin's own; its author needs the lines above
        "#]],
    );
    check(
        &wat("trap-on-vm-start"),
        &expect![[r#"
            exit code 4
            --- stderr ---
            error: plugin `bad` does not start
              caused by: in proxy_on_vm_start: the guest trapped: wasm trap: wasm `unreachable` instruction executed
              the guest was here, the innermost function first:
                on_vm_start at 0x…
              the plugin logged nothing

            hint: the fault is the plugin's own; its author needs the lines above
        "#]],
    );
    check(
        &wat("trap-on-configure"),
        &expect![[r#"
            exit code 4
            --- stderr ---
            error: plugin `bad` does not start
              caused by: in proxy_on_configure: the guest trapped: wasm trap: wasm `unreachable` instruction executed
              the guest was here, the innermost function first:
                on_configure at 0x…
              the plugin logged nothing

            hint: the fault is the plugin's own; its author needs the lines above
        "#]],
    );
}

#[test]
fn a_configuration_that_takes_for_ever() {
    let config = guest("wat/loop-on-configure.wat", "limits: { startupDeadline: 100ms }");
    check(
        &config,
        &expect![[r#"
            exit code 4
            --- stderr ---
            error: plugin `bad` does not start
              caused by: in proxy_on_configure: the guest ran past its deadline of 100ms
              the guest was here, the innermost function first:
                on_configure at 0x…
              the plugin logged nothing

            hint: each step of starting may take the plugin's `limits.startupDeadline`
        "#]],
    );
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
        assert!(
            said.contains(&format!("error: plugin `{plugin}` ")),
            "{plugin} is missing:\n{said}"
        );
    }
    assert!(!said.contains("plugin `c`"), "{said}");
}

#[test]
fn the_same_as_json() {
    let said = wat("configure-no")
        .write()
        .transcript(&["check", "--json", "wharf.yaml"]);
    expect![[r#"
        exit code 4
        --- stdout ---
        {
          "ok": false,
          "errors": [
            {
              "message": "plugin `bad` does not start",
              "causes": [
                "the plugin refused its configuration"
              ],
              "notes": [
                "the plugin logged:",
                "  info: configure-no: reading the configuration",
                "  error: configure-no: this filter accepts no configuration"
              ],
              "hint": "what it was given is the filter's `config` in the route; its log may say what it wants"
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
fn a_port_that_is_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let text = config().route("/", &[], "hello").text();
    let run = |text: String| {
        let folder = crate::harness::folder().with("wharf.yaml", text);
        assert_eq!(
            folder.run(&["check", "wharf.yaml"]).status.code(),
            Some(0),
            "check binds nothing"
        );
        folder
            .transcript(&["serve", "wharf.yaml"])
            .replace(&address, "[ADDRESS]")
    };
    expect![[r#"
        exit code 1
        --- stderr ---
        error: listener `web`: [ADDRESS] is in use by another process

        hint: `bind` of the listener is its address
    "#]]
    .assert_eq(&run(text.replacen("127.0.0.1:0", &address, 1)));
    let admin = format!("admin: {{ bind: {address} }}");
    expect![[r#"
        exit code 1
        --- stderr ---
        error: the admin port [ADDRESS] is in use by another process

        hint: `admin.bind`, or --readiness-probe-port of `wharf admission`, is the address of the admin port
    "#]]
    .assert_eq(&run(text.replace("admin: { bind: 127.0.0.1:0 }", &admin)));
}
