//! Filters that fault or do not start, and command lines that make no sense.

use expect_test::expect;

use super::{HEADERS, check, check_in};
use crate::harness::folder;

#[test]
fn a_trap_has_a_backtrace_with_names() {
    check(
        "wat/trap.wat",
        &["--request", "/trap-on-request-headers", "--request", "/"],
        &expect![[r#"
            exit code 4
            --- stdout ---
            request 1: GET /trap-on-request-headers
              to the upstream: nothing
              to the client
                :status: 503
                content-length: 30
                content-type: text/plain
                (30 bytes)
                | a filter of this route failed
              Wharf answered for the filter: filter_fault
              fault in proxy_on_request_headers: the guest trapped: wasm trap: wasm `unreachable` instruction executed
                at trap_when at 0x2b3
                at on_request_headers at 0x2c7

            1 request was not made, because the filter had faulted

            memory of the guest: 64KiB of 64MiB
        "#]],
    );
}

#[test]
fn a_trap_when_the_stream_ends_is_a_fault_too() {
    check(
        "wat/trap.wat",
        &["--request", "/trap-on-log"],
        &expect![[r#"
            exit code 4
            --- stdout ---
            request 1: GET /trap-on-log
              to the upstream
                :method: GET
                :scheme: http
                :authority: localhost
                :path: /trap-on-log
              to the client
                :status: 200
              fault in proxy_on_log: the guest trapped: wasm trap: wasm `unreachable` instruction executed
                at trap_when at 0x2b3
                at on_log at 0x314

            memory of the guest: 64KiB of 64MiB
        "#]],
    );
}

#[test]
fn a_loop_is_ended() {
    check_in(
        &folder(),
        "wat/loop.wat",
        &["--request", "/loop", "--deadline", "30ms"],
        &expect![[r#"
            exit code 4
            --- stdout ---
            request 1: GET /loop
              to the upstream: nothing
              to the client
                :status: 503
                content-length: 30
                content-type: text/plain
                (30 bytes)
                | a filter of this route failed
              Wharf answered for the filter: filter_fault
              fault in proxy_on_request_headers: the guest ran past its deadline of 30ms
                at loop_for_ever at 0x14c
                at on_request_headers at 0x15c

            memory of the guest: 64KiB of 64MiB
        "#]],
    );
}

#[test]
fn a_configuration_that_the_filter_refuses() {
    check(
        HEADERS,
        &["--config", "{"],
        &expect![[r#"
            exit code 4
            --- stdout ---
            start
              log
                error    rust-headers: the configuration is not valid: EOF while parsing an object at line 1 column 1

            rust-headers did not start: the plugin refused its configuration

            1 request was not made, because the filter did not start

        "#]],
    );
}

#[test]
fn a_module_that_cannot_be_run() {
    check(
        "wat/missing-imports.wat",
        &[],
        &expect![[r#"
        exit code 4
        --- stderr ---
        error: 3 of the module's imports are not given by this host:
          env.proxy_teleport: (i32, i32) -> i32: unknown here
          env.proxy_brew_coffee: (): unknown here
          another_world.beam_up: (i64) -> i64: unknown here

        hint: `wharf inspect file:guests/wat/missing-imports.wat` says what the module is
    "#]],
    );
    check(
        "wat/no-marker.wat",
        &[],
        &expect![[r#"
        exit code 4
        --- stderr ---
        error: plugin `no-marker` (file:guests/wat/no-marker.wat) cannot be loaded
          caused by: this module speaks no known ABI: it exports no marker of one

        hint: an HTTP filter exports `proxy_abi_version_0_2_1`; SDKs add that export by themselves
    "#]],
    );
    check(
        "wat/wrong-signature.wat",
        &[],
        &expect![[r#"
        exit code 4
        --- stdout ---
        start
          fault in proxy_on_request_headers: the module's function "proxy_on_request_headers" has the signature (i64) -> i64, which is not the ABI's

        wrong-signature did not start: in proxy_on_request_headers: the module's function "proxy_on_request_headers" has the signature (i64) -> i64, which is not the ABI's

        1 request was not made, because the filter did not start
    "#]],
    );
}

#[test]
fn a_command_line_that_makes_no_sense() {
    expect![[r#"
        exit code 2
        --- stderr ---
        error: invalid value 'no colon' for '--header <NAME: VALUE>': write a name, a colon and a value, such as `accept: text/plain`

        For more information, try '--help'.
    "#]].assert_eq(&folder().transcript(&["run", "a.wasm", "-H", "no colon"]));
    expect![[r#"
        exit code 2
        --- stderr ---
        error: invalid value '@nowhere' for '--body <TEXT|@FILE>': nowhere cannot be read: No such file or directory (os error 2)

        For more information, try '--help'.
    "#]].assert_eq(&folder().transcript(&["run", "a.wasm", "--body", "@nowhere"]));
    expect![[r#"
        exit code 2
        --- stderr ---
        error: invalid value 'auth=fine' for '--callout <NAME=ANSWER>': `fine` is no status, such as 200

        For more information, try '--help'.
    "#]]
    .assert_eq(&folder().transcript(&["run", "a.wasm", "--callout", "auth=fine"]));
}
