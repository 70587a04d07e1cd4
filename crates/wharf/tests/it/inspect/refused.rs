//! Modules that would not load, and why.

use expect_test::{Expect, expect};

use super::{check, without_build};
use crate::harness::folder;

#[test]
fn imports_that_nobody_gives() {
    check(
        "wat/missing-imports.wat",
        &expect![[r#"
        exit code 4
        --- stdout ---
        file:guests/wat/missing-imports.wat
          loads      no
          digest     …
          size       …
          speaks     proxy-wasm 0.2.1, the ABI of Envoy, Istio and other proxies, and of Wharf
          memory     64KiB at the start, no maximum of its own; a plugin's limit is 64MiB by default
          functions  …
          names      names of functions: backtraces will have them

        why it would not load as a filter
          it imports `env.proxy_teleport` as (i32, i32) -> i32, and no such thing is known here
          it imports `env.proxy_brew_coffee` as (), and no such thing is known here
          it imports `another_world.beam_up` as (i64) -> i64, and no such thing is known here
          hint: look which SDK or library asks for it; proxy-wasm and WASI preview 1 are what there is

        host functions used (3)
          unknown    env.proxy_brew_coffee ()
          supported  env.proxy_log
          unknown    env.proxy_teleport (i32, i32) -> i32

        other imports (1)
          unknown    another_world.beam_up (i64) -> i64

        callbacks exported (1)
          supported  proxy_on_request_headers

        other exports (3)
          memory: memory 1
          proxy_abi_version_0_2_1: ()
          proxy_on_memory_allocate: (i32) -> i32

        sections, in bytes (8)
        …  type
        …  import
        …  function
        …  memory
        …  global
        …  export
        …  code
        …  name  custom
    "#]],
    );
}

#[test]
fn an_import_with_another_signature() {
    check(
        "wat/wrong-import.wat",
        &expect![[r#"
        exit code 4
        --- stdout ---
        file:guests/wat/wrong-import.wat
          loads      no
          digest     …
          size       …
          speaks     proxy-wasm 0.2.1, the ABI of Envoy, Istio and other proxies, and of Wharf
          memory     64KiB at the start, no maximum of its own; a plugin's limit is 64MiB by default
          functions  …
          names      names of functions: backtraces will have them

        why it would not load as a filter
          it imports `env.proxy_log` as (i32), and it is (i32, i32, i32) -> i32
          hint: build it with an SDK of the version whose marker it exports

        host functions used (1)
          supported  env.proxy_log

        callbacks exported (1)
          supported  proxy_on_request_headers

        other exports (3)
          memory: memory 1
          proxy_abi_version_0_2_1: ()
          proxy_on_memory_allocate: (i32) -> i32

        sections, in bytes (8)
        …  type
        …  import
        …  function
        …  memory
        …  global
        …  export
        …  code
        …  name  custom
    "#]],
    );
}

#[test]
fn a_callback_with_another_signature() {
    check(
        "wat/wrong-signature.wat",
        &expect![[r#"
        exit code 4
        --- stdout ---
        file:guests/wat/wrong-signature.wat
          loads      no
          digest     …
          size       …
          speaks     proxy-wasm 0.2.1, the ABI of Envoy, Istio and other proxies, and of Wharf
          memory     64KiB at the start, no maximum of its own; a plugin's limit is 64MiB by default
          functions  …
          names      names of functions: backtraces will have them

        why it would not load as a filter
          its `proxy_on_request_headers` is (i64) -> i64, and proxy-wasm 0.2.1 has (i32, i32, i32) -> i32 there
          hint: build it with an SDK of the version whose marker it exports

        callbacks exported (1)
          supported  proxy_on_request_headers

        other exports (3)
          memory: memory 1
          proxy_abi_version_0_2_1: ()
          proxy_on_memory_allocate: (i32) -> i32

        sections, in bytes (7)
        …  type
        …  function
        …  memory
        …  global
        …  export
        …  code
        …  name  custom
    "#]],
    );
}

#[test]
fn a_module_without_a_marker() {
    check(
        "wat/no-marker.wat",
        &expect![[r#"
        exit code 4
        --- stdout ---
        file:guests/wat/no-marker.wat
          loads      no
          digest     …
          size       …
          speaks     no ABI that is known here
          memory     64KiB at the start, no maximum of its own; a plugin's limit is 64MiB by default
          functions  …
          names      names of functions: backtraces will have them

        why it would not load as a filter
          this module speaks no known ABI: it exports no marker of one
          hint: an HTTP filter exports `proxy_abi_version_0_2_1`; SDKs add that export by themselves

        callbacks exported (1)
          supported  proxy_on_request_headers

        other exports (2)
          memory: memory 1
          proxy_on_memory_allocate: (i32) -> i32

        sections, in bytes (7)
        …  type
        …  function
        …  memory
        …  global
        …  export
        …  code
        …  name  custom
    "#]],
    );
}

fn check_file(name: &str, content: &[u8], expected: &Expect) {
    let text = folder().with(name, content).transcript(&["inspect", name]);
    let lines = text.lines().map(|line| without_build(line) + "\n");
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn a_module_without_an_allocator() {
    let wat = br#"(module (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1")))"#;
    check_file(
        "mute.wat",
        wat,
        &expect![[r#"
        exit code 4
        --- stdout ---
        file:mute.wat
          loads      no
          digest     …
          size       …
          speaks     proxy-wasm 0.2.1, the ABI of Envoy, Istio and other proxies, and of Wharf
          memory     64KiB at the start, no maximum of its own; a plugin's limit is 64MiB by default
          functions  …
          names      none: backtraces will have numbers instead of names

        why it would not load as a filter
          it exports no allocator: neither `proxy_on_memory_allocate` nor `malloc`
          hint: SDKs export one by themselves; without it the host can give the filter nothing

        other exports (2)
          memory: memory 1
          proxy_abi_version_0_2_1: ()

        sections, in bytes (5)
        …  type
        …  function
        …  memory
        …  export
        …  code
    "#]],
    );
}

#[test]
fn what_is_no_module_at_all() {
    check_file(
        "notes.txt",
        b"these are notes\n",
        &expect![[r#"
        exit code 4
        --- stdout ---
        file:notes.txt
          loads      no

        why it would not load as a filter
          notes.txt is not a plugin: this is not WebAssembly: it looks like text
          hint: a module begins with the bytes 00 61 73 6d
    "#]],
    );
    check_file(
        "component.wasm",
        b"\0asm\x0d\0\x01\0",
        &expect![[r#"
            exit code 4
            --- stdout ---
            file:component.wasm
              loads      no
              digest     …
              size       …
              speaks     no ABI that is known here

            why it would not load as a filter
              this is a WebAssembly component, and only core modules can be run
              hint: build a core module, for example with `--target wasm32-wasip1`
        "#]],
    );
    check_file(
        "cut.wasm",
        b"\0asm\x01\0\0\0\x01\x7f",
        &expect![[r#"
            exit code 4
            --- stdout ---
            file:cut.wasm
              loads      no
              digest     …
              size       …
              speaks     no ABI that is known here

            why it would not load as a filter
              this WebAssembly module is damaged: at byte 0xa: unexpected end-of-file
              hint: the file may have been cut short: build or copy it again
        "#]],
    );
    expect![[r#"
        exit code 4
        --- stdout ---
        file:nowhere.wasm
          loads      no

        why it would not load as a filter
          there is no file nowhere.wasm
          hint: a relative path in a configuration is relative to its file; was the plugin built?
    "#]]
    .assert_eq(&folder().transcript(&["inspect", "nowhere.wasm"]));
    expect![[r#"
        exit code 4
        --- stdout ---
        https://example.com/a.wasm
          loads      no

        why it would not load as a filter
          https://example.com/a.wasm does not say which digest its bytes must have, and anybody who holds the server could change them
          hint: write the output of `sha256sum` behind it as `#sha256:…`, or have `wharf lock` write it down
    "#]]
    .assert_eq(&folder().transcript(&["inspect", "https://example.com/a.wasm"]));
}

#[test]
fn a_reference_that_is_none_is_a_wrong_command_line() {
    expect![[r#"
        exit code 2
        --- stderr ---
        error: invalid value 'file:notes.txt' for '<PLUGIN>': `notes.txt` is neither a `.wasm` nor a `.wat` file; name the compiled module (`.wasm`) or its text form (`.wat`)

        For more information, try '--help'.
    "#]].assert_eq(&folder().transcript(&["inspect", "file:notes.txt"]));
}
