//! Modules that are made here.

use crate::Outcome;
use crate::sections::with_section;

/// A call of the host, as a policy makes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct HostCall {
    pub(super) namespace: &'static str,
    pub(super) operation: &'static str,
    pub(super) payload: &'static str,
}

impl HostCall {
    /// A line for the log. Neither server shows it, with the levels that they are given.
    pub(super) const LOG: Self = Self {
        namespace: "tracing",
        operation: "log",
        payload: r#"{"level":"trace","message":"measured"}"#,
    };
    /// An object of the cluster, which servers may keep after the first call.
    pub(super) const GET: Self = Self {
        namespace: "kubernetes",
        operation: "get_resource",
        payload: r#"{"api_version":"v1","kind":"Namespace","name":"default","disable_cache":false}"#,
    };
}

/// What a made policy answers to reviews and to settings.
const ACCEPTED: &str = r#"{"accepted":true,"valid":true}"#;
/// What it answers when it is asked for its protocol.
const PROTOCOL: &str = r#""v1""#;
const BINDING: &str = "kubewarden";

/// A policy that answers the same to every review and does nothing else: what is measured then is the server.
pub(super) fn small() -> Outcome<Vec<u8>> {
    calling(HostCall::LOG, 0)
}

/// The same, with so many calls of its host before each verdict. The length of the operation's name tells what it is asked
/// for.
pub(super) fn calling(call: HostCall, calls: u32) -> Outcome<Vec<u8>> {
    let texts = [
        ACCEPTED,
        PROTOCOL,
        BINDING,
        call.namespace,
        call.operation,
        call.payload,
    ];
    let data = texts.concat().replace('"', "\\\"");
    let mut start = 0;
    let [accepted, protocol, binding, namespace, operation, payload] = texts.map(|text| {
        let place = format!("(i32.const {start}) (i32.const {})", text.len());
        start += text.len();
        place
    });
    let (protocol_version, validate) = ("protocol_version".len(), "validate".len());
    let text = format!(
        r#"(module
    (import "wapc" "__guest_request" (func $request (param i32 i32)))
    (import "wapc" "__guest_response" (func $response (param i32 i32)))
    (import "wapc" "__host_call" (func $host (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 2)
    (data (i32.const 0) "{data}")
    (func $call (result i32)
        (call $host {binding} {namespace} {operation} {payload}))
    (func (export "__guest_call") (param $operation i32) (param $payload i32) (result i32)
        (local $left i32)
        (if (i32.gt_u (local.get $payload) (i32.const 65536)) (then (return (i32.const 0))))
        (call $request (i32.const 1024) (i32.const 2048))
        (if (i32.eq (local.get $operation) (i32.const {protocol_version}))
            (then (call $response {protocol}) (return (i32.const 1))))
        (if (i32.eq (local.get $operation) (i32.const {validate}))
            (then (local.set $left (i32.const {calls}))))
        (block $done (loop $again
            (br_if $done (i32.eqz (local.get $left)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (call $call))
            (return (i32.const 0))))
        (call $response {accepted})
        (i32.const 1)))"#
    );
    Ok(annotated(wat::parse_str(text)?, "kubewarden-wapc"))
}

/// The module with Kubewarden's metadata, which say how it is run.
pub(super) fn annotated(module: Vec<u8>, mode: &str) -> Vec<u8> {
    let metadata =
        format!(r#"{{"protocolVersion":"v1","rules":[],"mutating":true,"executionMode":"{mode}"}}"#);
    with_section(module, "io.kubewarden.metadata", metadata.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_policies_are_modules() {
        for call in [HostCall::LOG, HostCall::GET] {
            assert!(calling(call, 10).unwrap().starts_with(b"\0asm"));
        }
        small().unwrap();
    }
}
