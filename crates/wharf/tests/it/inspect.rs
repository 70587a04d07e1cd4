//! `wharf inspect`: what a module is, and why it would not load.

mod refused;

use expect_test::{Expect, expect};
use serde_json::Value;

use crate::harness::folder;

/// Inspects a guest. What changes when it is built anew is taken out: its digest, its sizes, and its compilers' versions.
fn check(guest: &str, expected: &Expect) {
    let text = folder().transcript(&["inspect", &format!("guests/{guest}")]);
    let lines = text.lines().map(|line| without_build(line) + "\n");
    expected.assert_eq(&lines.collect::<String>());
}

fn without_build(line: &str) -> String {
    let fact = line.trim_start().split("  ").next().unwrap_or_default();
    let is_size = fact.len() > 1 && fact.bytes().all(|byte| byte.is_ascii_digit());
    match fact {
        "digest" => "  digest     …".to_owned(),
        "made with" => {
            let end = line.find(|character: char| character.is_ascii_digit());
            format!("{}…", &line[..end.unwrap_or(line.len())])
        }
        "functions" => "  functions  …".to_owned(),
        "table" => "  table      …".to_owned(),
        _ if fact.starts_with("size ") || line.starts_with("  size ") => "  size       …".to_owned(),
        _ if is_size || fact.parse::<u8>().is_ok() => line.replacen(fact, "…", 1).trim_start().to_owned(),
        _ => line.to_owned(),
    }
}

#[test]
fn a_filter_of_the_rust_sdk() {
    check(
        "rust-headers/rust-headers.wasm",
        &expect![[r#"
        exit code 0
        --- stdout ---
        file:guests/rust-headers/rust-headers.wasm
          loads      yes, as a filter
          digest     …
          size       …
          speaks     proxy-wasm 0.2.1, the ABI of Envoy, Istio and other proxies, and of Wharf
          made with  language Rust…
          made with  language C…
          made with  processed-by rustc …
          made with  processed-by Debian clang …
          memory     1088KiB at the start, no maximum of its own; a plugin's limit is 64MiB by default
          table      …
          functions  …
          names      names of functions: backtraces will have them

        host functions used (32)
          supported  env.proxy_add_header_map_value
          partial    env.proxy_call_foreign_function: not every foreign function of Envoy is there
          supported  env.proxy_close_stream
          supported  env.proxy_continue_stream
          supported  env.proxy_dequeue_shared_queue
          supported  env.proxy_done
          supported  env.proxy_enqueue_shared_queue
          supported  env.proxy_get_buffer_bytes
          supported  env.proxy_get_current_time_nanoseconds
          supported  env.proxy_get_header_map_pairs
          supported  env.proxy_get_header_map_value
          partial    env.proxy_get_property: not every property of Envoy is known; docs/properties.md lists them
          supported  env.proxy_get_shared_data
          supported  env.proxy_get_status
          partial    env.proxy_grpc_call: there is no transport for gRPC call-outs yet
          partial    env.proxy_grpc_cancel: there is no transport for gRPC call-outs yet
          partial    env.proxy_grpc_close: there is no transport for gRPC call-outs yet
          partial    env.proxy_grpc_send: there is no transport for gRPC call-outs yet
          partial    env.proxy_grpc_stream: there is no transport for gRPC call-outs yet
          supported  env.proxy_http_call
          supported  env.proxy_log
          supported  env.proxy_register_shared_queue
          supported  env.proxy_remove_header_map_value
          supported  env.proxy_replace_header_map_value
          supported  env.proxy_resolve_shared_queue
          supported  env.proxy_send_local_response
          supported  env.proxy_set_buffer_bytes
          supported  env.proxy_set_effective_context
          supported  env.proxy_set_header_map_pairs
          supported  env.proxy_set_property
          supported  env.proxy_set_shared_data
          supported  env.proxy_set_tick_period_milliseconds

        WASI used (4)
          supported  wasi_snapshot_preview1.environ_get
          supported  wasi_snapshot_preview1.environ_sizes_get
          supported  wasi_snapshot_preview1.fd_write
          supported  wasi_snapshot_preview1.proc_exit

        callbacks exported (25)
          supported  proxy_on_context_create
          supported  proxy_on_vm_start
          supported  proxy_on_configure
          supported  proxy_on_tick
          supported  proxy_on_queue_ready
          supported  proxy_on_foreign_function
          partial    proxy_on_new_connection: there are no listeners for TCP yet
          partial    proxy_on_downstream_data: there are no listeners for TCP yet
          partial    proxy_on_upstream_data: there are no listeners for TCP yet
          partial    proxy_on_downstream_connection_close: there are no listeners for TCP yet
          partial    proxy_on_upstream_connection_close: there are no listeners for TCP yet
          supported  proxy_on_request_headers
          supported  proxy_on_request_body
          supported  proxy_on_request_trailers
          supported  proxy_on_response_headers
          supported  proxy_on_response_body
          supported  proxy_on_response_trailers
          supported  proxy_on_http_call_response
          partial    proxy_on_grpc_receive_initial_metadata: there is no transport for gRPC call-outs yet
          partial    proxy_on_grpc_receive: there is no transport for gRPC call-outs yet
          partial    proxy_on_grpc_receive_trailing_metadata: there is no transport for gRPC call-outs yet
          partial    proxy_on_grpc_close: there is no transport for gRPC call-outs yet
          supported  proxy_on_done
          supported  proxy_on_log
          supported  proxy_on_delete

        other exports (4)
          memory: memory 17
          _initialize: ()
          proxy_on_memory_allocate: (i32) -> i32
          proxy_abi_version_0_2_1: ()

        sections, in bytes (13)
        …  type
        …  import
        …  function
        …  table
        …  memory
        …  global
        …  export
        …  element
        …  code
        …  data
        …  name  custom
        …  producers  custom
        …  target_features  custom
    "#]],
    );
}

#[test]
fn a_filter_in_assemblyscript() {
    check(
        "as-counter/as-counter.wasm",
        &expect![[r#"
        exit code 0
        --- stdout ---
        file:guests/as-counter/as-counter.wasm
          loads      yes, as a filter
          digest     …
          size       …
          speaks     proxy-wasm 0.2.0, the ABI of Envoy, Istio and other proxies, and of Wharf
          memory     64KiB at the start, no maximum of its own; a plugin's limit is 64MiB by default
          table      …
          functions  …
          names      names of functions: backtraces will have them

        host functions used (7)
          supported  env.proxy_define_metric
          supported  env.proxy_get_buffer_bytes
          partial    env.proxy_get_property: not every property of Envoy is known; docs/properties.md lists them
          supported  env.proxy_increment_metric
          supported  env.proxy_log
          supported  env.proxy_replace_header_map_value
          supported  env.proxy_set_effective_context

        WASI used (1)
          supported  wasi_unstable.proc_exit

        callbacks exported (22)
          supported  proxy_on_context_create
          supported  proxy_on_vm_start
          supported  proxy_validate_configuration
          supported  proxy_on_configure
          supported  proxy_on_tick
          supported  proxy_on_queue_ready
          supported  proxy_on_foreign_function
          supported  proxy_on_request_headers
          no         proxy_on_request_metadata: it is for METADATA frames of HTTP/2, which there are none of here
          supported  proxy_on_request_body
          supported  proxy_on_request_trailers
          supported  proxy_on_response_headers
          no         proxy_on_response_metadata: it is for METADATA frames of HTTP/2, which there are none of here
          supported  proxy_on_response_body
          supported  proxy_on_response_trailers
          supported  proxy_on_http_call_response
          partial    proxy_on_grpc_receive_initial_metadata: there is no transport for gRPC call-outs yet
          partial    proxy_on_grpc_receive: there is no transport for gRPC call-outs yet
          partial    proxy_on_grpc_close: there is no transport for gRPC call-outs yet
          supported  proxy_on_done
          supported  proxy_on_log
          supported  proxy_on_delete

        other exports (10)
          memory: memory 1
          __alloc: (i32, i32) -> i32
          __retain: (i32) -> i32
          __release: (i32)
          __collect: ()
          __rtti_base: global i32
          malloc: (i32) -> i32
          free: (i32)
          proxy_abi_version_0_2_0: ()
          proxy_on_grpc_trailing_metadata: (i32, i32, i32)

        sections, in bytes (12)
        …  type
        …  import
        …  function
        …  table
        …  memory
        …  global
        …  export
        …  start
        …  element
        …  code
        …  data
        …  name  custom
    "#]],
    );
}

#[test]
fn a_filter_of_the_oldest_version() {
    check(
        "c-legacy/c-legacy.wasm",
        &expect![[r#"
        exit code 0
        --- stdout ---
        file:guests/c-legacy/c-legacy.wasm
          loads      yes, as a filter
          digest     …
          size       …
          speaks     proxy-wasm 0.1.0, the ABI of Envoy, Istio and other proxies, and of Wharf
          made with  language C…
          made with  language C…
          made with  processed-by clang …
          memory     16448KiB at the start, no maximum of its own; a plugin's limit is 64MiB by default
          table      …
          functions  …
          names      names of functions: backtraces will have them

        host functions used (6)
          supported  env.proxy_add_header_map_value
          supported  env.proxy_continue_request
          supported  env.proxy_get_configuration
          supported  env.proxy_get_header_map_value
          supported  env.proxy_set_effective_context
          supported  env.proxy_set_tick_period_milliseconds

        callbacks exported (7)
          supported  proxy_on_context_create
          supported  proxy_on_configure
          supported  proxy_on_tick
          supported  proxy_on_request_headers
          supported  proxy_on_response_headers
          supported  proxy_on_done
          supported  proxy_on_delete

        other exports (4)
          memory: memory 257
          _initialize: ()
          proxy_abi_version_0_1_0: ()
          malloc: (i32) -> i32

        sections, in bytes (13)
        …  type
        …  import
        …  function
        …  table
        …  memory
        …  global
        …  export
        …  element
        …  code
        …  data
        …  name  custom
        …  producers  custom
        …  target_features  custom
    "#]],
    );
}

#[test]
fn a_filter_in_go() {
    check(
        "go-headers/go-headers.wasm",
        &expect![[r#"
        exit code 0
        --- stdout ---
        file:guests/go-headers/go-headers.wasm
          loads      yes, as a filter
          digest     …
          size       …
          speaks     proxy-wasm 0.2.1, the ABI of Envoy, Istio and other proxies, and of Wharf
          made with  language Go go…
          made with  processed-by Go cmd/compile go…
          memory     2112KiB at the start, no maximum of its own; a plugin's limit is 64MiB by default
          table      …
          functions  …
          names      names of functions: backtraces will have them

        host functions used (4)
          supported  env.proxy_add_header_map_value
          supported  env.proxy_get_buffer_bytes
          partial    env.proxy_get_property: not every property of Envoy is known; docs/properties.md lists them
          supported  env.proxy_log

        WASI used (10)
          supported  wasi_snapshot_preview1.args_get
          supported  wasi_snapshot_preview1.args_sizes_get
          supported  wasi_snapshot_preview1.clock_time_get
          supported  wasi_snapshot_preview1.environ_get
          supported  wasi_snapshot_preview1.environ_sizes_get
          supported  wasi_snapshot_preview1.fd_write
          partial    wasi_snapshot_preview1.poll_oneoff: it gives no events and returns at once, since a guest must never wait
          supported  wasi_snapshot_preview1.proc_exit
          supported  wasi_snapshot_preview1.random_get
          supported  wasi_snapshot_preview1.sched_yield

        callbacks exported (5)
          supported  proxy_on_context_create
          supported  proxy_on_configure
          supported  proxy_on_request_headers
          supported  proxy_on_response_headers
          supported  proxy_on_delete

        other exports (4)
          _initialize: ()
          proxy_on_memory_allocate: (i32) -> i32
          proxy_abi_version_0_2_1: ()
          memory: memory 33

        sections, in bytes (12)
        …  type
        …  import
        …  function
        …  table
        …  memory
        …  global
        …  export
        …  element
        …  code
        …  data
        …  producers  custom
        …  name  custom
    "#]],
    );
}

#[test]
fn control_characters_of_a_module_do_not_reach_the_terminal() {
    let wat = br#"(module (memory (export "\1b[31mred") 1))"#;
    let text = folder().with("red.wat", wat).transcript(&["inspect", "red.wat"]);
    assert!(
        text.contains("\\u{1b}[31mred") && !text.contains('\u{1b}'),
        "{text}"
    );
}

#[test]
fn the_same_for_programs() {
    let report = |guest: &str| -> (Option<i32>, Value) {
        let output = folder().run(&["inspect", "--json", &format!("guests/{guest}")]);
        (
            output.status.code(),
            serde_json::from_slice(&output.stdout).unwrap(),
        )
    };
    let (code, good) = report("rust-headers/rust-headers.wasm");
    assert_eq!(
        (code, &good["loads"], &good["proxyWasm"]),
        (Some(0), &true.into(), &"0.2.1".into())
    );
    assert_eq!(good["producers"][0]["name"], "Rust");
    let (code, bad) = report("wat/missing-imports.wat");
    assert_eq!((code, &bad["loads"]), (Some(4), &false.into()));
    assert_eq!(bad["problems"].as_array().unwrap().len(), 3);
    let unknown = bad["hostFunctions"].as_array().unwrap().iter();
    let unknown: Vec<_> = unknown.filter(|used| used["support"] == "unknown").collect();
    assert_eq!(unknown.len(), 2, "{bad:#}");
}
