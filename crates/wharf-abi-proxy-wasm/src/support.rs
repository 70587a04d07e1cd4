//! How far the ABI is there, for whoever explains a module: its host functions, and the callbacks that a module may
//! export. `conformance/proxy-wasm.yaml` is held against this.

use wharf_plugin::ProxyWasmVersion;

/// How far something of the ABI is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// It does what the specification says and what Envoy does.
    Supported,
    /// It is there and lacks something; the text says what, as a clause without a full stop.
    Partial(&'static str),
    /// A module may have it, and it does nothing; the text says why, as a clause without a full stop.
    No(&'static str),
}

impl Support {
    /// The state as one word: `supported`, `partial` or `no`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::Partial(_) => "partial",
            Self::No(_) => "no",
        }
    }

    /// What is missing, or why.
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Supported => None,
            Self::Partial(reason) | Self::No(reason) => Some(reason),
        }
    }
}

/// A function that a module may import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostFunction {
    /// The module of the import: `env`, or one of the names of WASI.
    pub module: &'static str,
    /// The function.
    pub name: &'static str,
    /// How far it is there.
    pub support: Support,
}

/// A function that a module may export for the host to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Callback {
    /// The export.
    pub name: &'static str,
    /// Its type as [`wharf_plugin::Export::signature`] writes it. A module in which it has another one does not start.
    pub signature: &'static str,
    /// How far it is there.
    pub support: Support,
}

const GRPC: &str = "there is no transport for gRPC call-outs yet";
const TCP: &str = "there are no listeners for TCP yet";
const METADATA: &str = "it is for METADATA frames of HTTP/2, which there are none of here";
const FILES: &str = "there are no files: it answers as on a system without any, and never traps";

/// How far a host function is there that the import table has.
pub(crate) fn of_function(module: &str, name: &str) -> Support {
    if wharf_abi_wasi::MODULES.contains(&module) {
        return of_wasi(name);
    }
    match name {
        "proxy_get_property" => {
            Support::Partial("not every property of Envoy is known; docs/properties.md lists them")
        }
        "proxy_call_foreign_function" => Support::Partial("not every foreign function of Envoy is there"),
        "proxy_grpc_call" | "proxy_grpc_stream" | "proxy_grpc_send" | "proxy_grpc_close"
        | "proxy_grpc_cancel" => Support::Partial(GRPC),
        _ => Support::Supported,
    }
}

fn of_wasi(name: &str) -> Support {
    match name {
        "fd_write" | "fd_pwrite" => Support::Supported,
        "poll_oneoff" => {
            Support::Partial("it gives no events and returns at once, since a guest must never wait")
        }
        "proc_raise" => Support::No("there are no signals"),
        name if name.starts_with("sock_") => Support::No("a guest has no sockets"),
        name if name.starts_with("fd_") || name.starts_with("path_") => Support::Partial(FILES),
        _ => Support::Supported,
    }
}

/// The callbacks that a module of this version may export, in the order in which a stream lives. All are optional.
pub fn callbacks(version: ProxyWasmVersion) -> Vec<Callback> {
    let is_old = version == ProxyWasmVersion::V0_1_0;
    let in_version = |callback: &&Callback| !(is_old && callback.name == "proxy_on_foreign_function");
    let typed = |callback: &Callback| match callback.name {
        "proxy_on_request_headers" | "proxy_on_response_headers" if is_old => Callback {
            signature: ASK_2,
            ..*callback
        },
        _ => *callback,
    };
    CALLBACKS.iter().filter(in_version).map(typed).collect()
}

/// The functions that start a module, and the allocator under its two names, one of which a module must have. Neither
/// `main` nor `__main_void` is here: one of another type is not called.
pub fn start_functions() -> Vec<Callback> {
    vec![
        callback("_initialize", "()"),
        callback("_start", "()"),
        callback("malloc", ASK_1),
        callback("proxy_on_memory_allocate", ASK_1),
    ]
}

const CALL_1: &str = "(i32)";
const CALL_2: &str = "(i32, i32)";
const CALL_3: &str = "(i32, i32, i32)";
const CALL_5: &str = "(i32, i32, i32, i32, i32)";
const ASK_1: &str = "(i32) -> i32";
const ASK_2: &str = "(i32, i32) -> i32";
const ASK_3: &str = "(i32, i32, i32) -> i32";

const CALLBACKS: [Callback; 28] = [
    callback("proxy_on_context_create", CALL_2),
    callback("proxy_on_vm_start", ASK_2),
    callback("proxy_validate_configuration", ASK_2),
    callback("proxy_on_configure", ASK_2),
    callback("proxy_on_tick", CALL_1),
    callback("proxy_on_queue_ready", CALL_2),
    callback("proxy_on_foreign_function", CALL_3),
    partial("proxy_on_new_connection", ASK_1, TCP),
    partial("proxy_on_downstream_data", ASK_3, TCP),
    partial("proxy_on_upstream_data", ASK_3, TCP),
    partial("proxy_on_downstream_connection_close", CALL_2, TCP),
    partial("proxy_on_upstream_connection_close", CALL_2, TCP),
    callback("proxy_on_request_headers", ASK_3),
    no("proxy_on_request_metadata", METADATA),
    callback("proxy_on_request_body", ASK_3),
    callback("proxy_on_request_trailers", ASK_2),
    callback("proxy_on_response_headers", ASK_3),
    no("proxy_on_response_metadata", METADATA),
    callback("proxy_on_response_body", ASK_3),
    callback("proxy_on_response_trailers", ASK_2),
    callback("proxy_on_http_call_response", CALL_5),
    partial("proxy_on_grpc_receive_initial_metadata", CALL_3, GRPC),
    partial("proxy_on_grpc_receive", CALL_3, GRPC),
    partial("proxy_on_grpc_receive_trailing_metadata", CALL_3, GRPC),
    partial("proxy_on_grpc_close", CALL_3, GRPC),
    callback("proxy_on_done", ASK_1),
    callback("proxy_on_log", CALL_1),
    callback("proxy_on_delete", CALL_1),
];

const fn callback(name: &'static str, signature: &'static str) -> Callback {
    Callback {
        name,
        signature,
        support: Support::Supported,
    }
}

const fn partial(name: &'static str, signature: &'static str, reason: &'static str) -> Callback {
    Callback {
        name,
        signature,
        support: Support::Partial(reason),
    }
}

const fn no(name: &'static str, reason: &'static str) -> Callback {
    Callback {
        name,
        signature: ASK_2,
        support: Support::No(reason),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use wharf_engine::FaultKind;

    use super::*;
    use crate::shared::Namespace;
    use crate::testing::{FakeHost, SharedWorld, link};
    use crate::vm::{StartError, Vm, VmSettings};

    /// What starting says of a module that exports these functions beside an allocator.
    fn start(version: ProxyWasmVersion, functions: &[(&str, &str)]) -> Result<(), StartError> {
        let exported: String = functions
            .iter()
            .map(|(name, signature)| {
                let (parameters, result) = signature.split_once(" -> ").unwrap_or((signature, ""));
                let parameters = parameters.trim_matches(['(', ')']).replace(',', "");
                format!("(func (export \"{name}\") (param {parameters}) (result {result}) unreachable)\n")
            })
            .collect();
        let allocator = match functions.iter().any(|(name, _)| *name == "malloc") {
            true => "",
            false => r#"(func (export "malloc") (param i32) (result i32) i32.const 1024)"#,
        };
        let wat = format!("(module (memory (export \"memory\") 1) {allocator} {exported})");
        let settings = VmSettings {
            namespace: Namespace::Private("key".into()),
            vm_id: String::new(),
            configuration: Bytes::new(),
            environment: Vec::new(),
        };
        let host = Box::new(FakeHost(SharedWorld::new(version)));
        let program = link(&wat, version).unwrap();
        Vm::new(&program, settings, host, Arc::default()).map(|_| ())
    }

    #[test]
    fn the_signatures_are_those_that_are_called() {
        for version in ProxyWasmVersion::ALL {
            let called: Vec<_> = callbacks(version)
                .into_iter()
                .filter(|callback| !matches!(callback.support, Support::No(_)))
                .collect();
            let all: Vec<_> = called
                .iter()
                .map(|callback| (callback.name, callback.signature))
                .collect();
            start(version, &all).unwrap();
            for callback in called {
                let error = start(version, &[(callback.name, "(i64) -> i64")]).unwrap_err();
                assert_wrong(&error, callback.name);
            }
        }
    }

    #[test]
    fn so_are_those_of_the_start() {
        let functions = start_functions();
        for (callback, other) in functions
            .iter()
            .zip(["(i64)", "(i64)", "(i64) -> i32", "(i64) -> i32"])
        {
            if callback.name == "proxy_on_memory_allocate" {
                // It is looked for where there is no `malloc`, which is here always.
                continue;
            }
            let error = start(ProxyWasmVersion::V0_2_1, &[(callback.name, other)]).unwrap_err();
            assert_wrong(&error, callback.name);
        }
    }

    fn assert_wrong(error: &StartError, function: &str) {
        let StartError::Fault(fault) = error else {
            panic!("{function}: {error}");
        };
        let is_it = matches!(fault.kind(), FaultKind::WrongSignature { name, .. } if name == function);
        assert!(is_it, "{function}: {fault}");
    }
}
