//! Every host function on every kind of context, set as the effective one from a tick: the guest's own, those of others,
//! and those that are not there any more or never were.

use std::cell::RefCell;
use std::fmt::Write;
use std::rc::Rc;

use bytes::Bytes;
use expect_test::{ExpectFile, expect_file};
use wharf_plugin::PluginName;
use wharf_plugin::ProxyWasmVersion::{self, V0_1_0, V0_2_0, V0_2_1};

use super::guest::Hostile;
use super::phases::{Group, TICK, calls, guarded, letter};
use crate::context::{Direction, Exchange, SharedExchange};
use crate::host::{ContextId, PluginContext};
use crate::testing::list;

/// The contexts of one VM that a guest may name.
struct Contexts {
    /// What each is, with its id.
    all: Vec<(&'static str, ContextId)>,
    other_root: ContextId,
    live: Vec<ContextId>,
}

fn exchange() -> SharedExchange {
    let mut exchange = Exchange::new(Box::new(()));
    exchange.request_headers = Some(list(&[(":path", "/"), ("a", "1")]));
    Rc::new(RefCell::new(exchange))
}

impl Contexts {
    /// Streams in every state.
    fn open(hostile: &mut Hostile, other_root: ContextId) -> Self {
        let root = hostile.root;
        let request = Direction::Request;
        hostile.returns("proxy_on_request_headers", 1);
        let mut vm = hostile.vm.borrow_mut();
        let paused = vm.open_http_stream(root, exchange()).unwrap();
        vm.on_headers(paused, request, false).unwrap();
        let others = vm.open_http_stream(other_root, exchange()).unwrap();
        vm.on_headers(others, request, false).unwrap();
        drop(vm);
        hostile.returns("proxy_on_request_headers", 0);
        hostile.returns("proxy_on_request_body", 1);
        let mut vm = hostile.vm.borrow_mut();
        let body = vm.open_http_stream(root, exchange()).unwrap();
        vm.on_headers(body, request, false).unwrap();
        vm.with_view(body, request, |view| view.body.push(Bytes::from_static(b"body")));
        vm.on_body(body, request, true).unwrap();
        let passed = vm.open_http_stream(root, exchange()).unwrap();
        vm.on_headers(passed, request, true).unwrap();
        let tcp = vm.open_tcp_stream(root, Box::new(())).unwrap();
        let gone = vm.open_http_stream(root, exchange()).unwrap();
        vm.close_stream(gone).unwrap();
        let waiting = vm.open_http_stream(root, exchange()).unwrap();
        drop(vm);
        hostile.returns("proxy_on_request_body", 0);
        hostile.returns("proxy_on_done", 0);
        hostile.vm.borrow_mut().close_stream(waiting).unwrap();
        hostile.returns("proxy_on_done", 1);
        Self {
            all: vec![
                ("the VM itself", 0),
                ("the plugin", root),
                ("another plugin", other_root),
                ("a stream that pauses on its request's headers", paused),
                ("a stream that holds the last of its request's body", body),
                ("a stream whose request has gone on", passed),
                ("a stream of another plugin, which pauses on headers", others),
                ("a TCP connection", tcp),
                ("a stream that waits for proxy_done", waiting),
                ("a stream that has ended", gone),
                ("none, ever", 4_000_000),
            ],
            other_root,
            live: vec![paused, others, body, passed, tcp, waiting],
        }
    }

    fn close(self, hostile: &Hostile) {
        let mut vm = hostile.vm.borrow_mut();
        for stream in self.live {
            vm.state_mut().contexts.remove(stream);
        }
        vm.state_mut().waiting = 0;
        assert!(vm.state_mut().contexts.root(self.other_root).is_some());
    }
}

/// A table with a line for each call and a column for each context. A context that is not there changes nothing: the call
/// works on the plugin, whose tick it is.
fn table(version: ProxyWasmVersion) -> String {
    let mut hostile = Hostile::new(version);
    let other = PluginContext {
        name: PluginName::new("other").unwrap(),
        root_id: "other".into(),
        configuration: Bytes::new(),
        allow_on_headers_stop_iteration: false,
    };
    let other_root = hostile.vm.borrow_mut().add_plugin(other).unwrap();
    let mut out = String::from("statuses in hexadecimal; ! a fault\n\n");
    let contexts = Contexts::open(&mut hostile, other_root);
    for ((label, _), mark) in contexts.all.iter().zip('A'..) {
        writeln!(out, "{mark} {label}").unwrap();
    }
    let marks: String = ('A'..).take(contexts.all.len()).collect();
    contexts.close(&hostile);
    writeln!(out, "\n{:38}{marks}", "").unwrap();
    writeln!(
        out,
        "{:38}{}",
        "(set_effective_context)",
        row(&mut hostile, other_root, None)
    )
    .unwrap();
    for index in 0..hostile.kit.entries.len() {
        if hostile.kit.entries[index].is_wasi() {
            continue;
        }
        for (label, step) in calls(hostile.kit, index) {
            let row = guarded(&label, || row(&mut hostile, other_root, Some(step)));
            writeln!(out, "{label:38}{row}").unwrap();
        }
        hostile.serve_the_next(Group::Root);
    }
    out
}

/// The letters of one call in all contexts.
fn row(hostile: &mut Hostile, other_root: ContextId, step: Option<super::kit::Step>) -> String {
    let contexts = Contexts::open(hostile, other_root);
    let letters = contexts.all.iter().map(|(_, context)| {
        let set = hostile
            .kit
            .step("proxy_set_effective_context", &[i64::from(*context)]);
        let steps: Vec<_> = std::iter::once(set).chain(step.clone()).collect();
        let last = steps.len() - 1;
        let seen = hostile.run_once(TICK, steps);
        assert_eq!(seen.fault, None, "{}", seen.told);
        letter(&seen, last)
    });
    let row = letters.collect();
    contexts.close(hostile);
    row
}

fn check(version: ProxyWasmVersion, expected: ExpectFile) {
    expected.assert_eq(&table(version));
}

#[test]
fn every_function_on_every_context_of_0_1_0() {
    check(V0_1_0, expect_file!["contexts-0.1.0.txt"]);
}

#[test]
fn every_function_on_every_context_of_0_2_0() {
    check(V0_2_0, expect_file!["contexts-0.2.0.txt"]);
}

#[test]
fn every_function_on_every_context_of_0_2_1() {
    check(V0_2_1, expect_file!["contexts-0.2.1.txt"]);
}
