use expect_test::expect;

use super::announcing;
use crate::testing::{Guest, GuestOptions, OUT, args, list};

const CALL: u32 = 1;
const STREAM: u32 = 2;

/// A guest with an open call (1) and an open stream (2).
fn guest() -> Guest {
    let mut guest = announcing(GuestOptions::default());
    guest.call(
        "proxy_grpc_call",
        args!["up", "service", "method", "", "message", 0, OUT],
    );
    guest.call("proxy_grpc_stream", args!["up", "service", "method", "", OUT]);
    guest.world.take();
    guest
}

#[test]
fn the_events_of_a_stream() {
    let mut guest = guest();
    let root = guest.root;
    guest
        .vm
        .on_grpc_initial_metadata(root, STREAM, list(&[("a", "1")]))
        .unwrap();
    guest.vm.on_grpc_message(root, STREAM, "one".into()).unwrap();
    guest.vm.on_grpc_message(root, STREAM, "three".into()).unwrap();
    guest
        .vm
        .on_grpc_trailing_metadata(root, STREAM, list(&[]))
        .unwrap();
    guest
        .vm
        .on_grpc_close(root, STREAM, 13, "internal".into())
        .unwrap();
    expect![[r#"
        p on_grpc_receive_initial_metadata(1, 2, 1)
        p on_grpc_receive(1, 2, 3)
        p on_grpc_receive(1, 2, 5)
        p on_grpc_receive_trailing_metadata(1, 2, 0)
        p on_grpc_close(1, 2, 13)
    "#]]
    .assert_eq(&guest.world.take());
}

#[test]
fn nothing_comes_after_the_close() {
    let mut guest = guest();
    let root = guest.root;
    guest.vm.on_grpc_close(root, STREAM, 0, String::new()).unwrap();
    guest.vm.on_grpc_close(root, STREAM, 0, String::new()).unwrap();
    guest.vm.on_grpc_message(root, STREAM, "late".into()).unwrap();
    expect![[r#"
        p on_grpc_close(1, 2, 0)
    "#]]
    .assert_eq(&guest.world.take());
}

#[test]
fn the_message_of_a_call_is_its_end() {
    let mut guest = guest();
    let root = guest.root;
    guest.vm.on_grpc_message(root, CALL, "answer".into()).unwrap();
    guest.vm.on_grpc_message(root, CALL, "again".into()).unwrap();
    guest.vm.on_grpc_close(root, CALL, 0, String::new()).unwrap();
    expect![[r#"
        p on_grpc_receive(1, 1, 6)
    "#]]
    .assert_eq(&guest.world.take());
}

#[test]
fn a_call_that_fails_is_closed() {
    let mut guest = guest();
    guest
        .vm
        .on_grpc_close(guest.root, CALL, 14, "unavailable".into())
        .unwrap();
    expect![[r#"
        p on_grpc_close(1, 1, 14)
    "#]]
    .assert_eq(&guest.world.take());
    expect![[r#"
        p on_tick(1)
        p Debug: proxy_grpc_cancel in context 1: NotFound: there is no open gRPC call-out 1
    "#]]
    .assert_eq(&guest.call("proxy_grpc_cancel", args![CALL]));
}

#[test]
fn what_was_cancelled_is_told_nothing() {
    let mut guest = guest();
    guest.call("proxy_grpc_cancel", args![STREAM]);
    guest.world.take();
    guest
        .vm
        .on_grpc_message(guest.root, STREAM, "late".into())
        .unwrap();
    guest
        .vm
        .on_grpc_close(guest.root, STREAM, 1, String::new())
        .unwrap();
    assert_eq!(guest.world.take(), "");
}

#[test]
fn a_stream_that_both_sides_have_closed_is_forgotten() {
    let mut guest = guest();
    guest.call("proxy_grpc_close", args![STREAM]);
    guest.world.take();
    guest
        .vm
        .on_grpc_message(guest.root, STREAM, "still".into())
        .unwrap();
    guest
        .vm
        .on_grpc_close(guest.root, STREAM, 0, String::new())
        .unwrap();
    expect![[r#"
        p on_grpc_receive(1, 2, 5)
        p on_grpc_close(1, 2, 0)
    "#]]
    .assert_eq(&guest.world.take());
    expect![[r#"
        p on_tick(1)
        p Debug: proxy_grpc_close in context 1: NotFound: there is no open gRPC call-out 2
    "#]]
    .assert_eq(&guest.call("proxy_grpc_close", args![STREAM]));
}

#[test]
fn events_of_unknown_call_outs_are_ignored() {
    let mut guest = guest();
    let root = guest.root;
    guest.vm.on_grpc_initial_metadata(root, 9, list(&[])).unwrap();
    guest.vm.on_grpc_message(99, STREAM, "x".into()).unwrap();
    guest.vm.on_grpc_trailing_metadata(root, 0, list(&[])).unwrap();
    guest.vm.on_grpc_close(root, 7, 0, String::new()).unwrap();
    assert_eq!(guest.world.take(), "");
}
