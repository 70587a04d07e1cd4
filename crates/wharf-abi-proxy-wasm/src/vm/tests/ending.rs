use expect_test::expect;

use super::announcing;
use crate::testing::{Callback, GuestOptions, args, call, plugin, turn};

#[test]
fn a_stream_ends_with_done_log_and_delete() {
    let mut guest = announcing(GuestOptions::default());
    let (stream, _) = guest.open();
    guest.vm.close_stream(stream).unwrap();
    guest.vm.close_stream(stream).unwrap();
    expect![[r#"
        p on_context_create(2, 1)
        p on_done(2)
        p on_log(2)
        p on_delete(2)
    "#]]
    .assert_eq(&guest.world.take());
    assert_eq!(guest.vm.streams(), 0);
}

#[test]
fn a_stream_that_is_not_done_waits_for_proxy_done() {
    let mut guest = announcing(GuestOptions::default());
    guest.set_turn(Callback::Done, turn(0, []));
    let (stream, _) = guest.open();
    guest.vm.close_stream(stream).unwrap();
    guest.vm.close_stream(stream).unwrap();
    expect![[r#"
        p on_context_create(2, 1)
        p on_done(2)
    "#]]
    .assert_eq(&guest.world.take());
    let done = [
        call("proxy_set_effective_context", args![stream]),
        call("proxy_done", args![]),
    ];
    guest.set_turn(Callback::Tick, turn(0, done));
    guest.vm.on_tick(guest.root).unwrap();
    expect![[r#"
        p on_tick(1)
        p on_log(2)
        p on_delete(2)
    "#]]
    .assert_eq(&guest.world.take());
    assert_eq!(guest.vm.streams(), 0);
}

#[test]
fn proxy_done_within_on_done_comes_too_early() {
    let mut guest = announcing(GuestOptions::default());
    guest.set_turn(Callback::Done, turn(0, [call("proxy_done", args![])]));
    let (stream, _) = guest.open();
    guest.vm.close_stream(stream).unwrap();
    expect![[r#"
        p on_context_create(2, 1)
        p on_done(2)
        p Debug: proxy_done in context 2: NotFound: the context does not wait for proxy_done
    "#]]
    .assert_eq(&guest.world.take());
}

#[test]
fn one_streams_end_may_end_another() {
    let mut guest = announcing(GuestOptions::default());
    let (first, _) = guest.open();
    let (second, _) = guest.open();
    guest.set_turn(Callback::Done, turn(0, []));
    guest.vm.close_stream(first).unwrap();
    guest.set_turn(Callback::Done, turn(1, []));
    let done = [
        call("proxy_set_effective_context", args![first]),
        call("proxy_done", args![]),
    ];
    guest.set_turn(Callback::Log, turn(0, done));
    guest.world.take();
    guest.vm.close_stream(second).unwrap();
    expect![[r#"
        p on_done(3)
        p on_log(3)
        p on_delete(3)
        p on_log(2)
        p Debug: proxy_done in context 2: NotFound: the context does not wait for proxy_done
        p on_delete(2)
    "#]]
    .assert_eq(&guest.world.take());
    assert_eq!(guest.vm.streams(), 0);
}

#[test]
fn a_plugin_ends_with_done_and_delete() {
    let mut guest = announcing(GuestOptions::default());
    let options = GuestOptions {
        name: "second",
        ..GuestOptions::default()
    };
    guest.vm.add_plugin(plugin(&options)).unwrap();
    guest.world.take();
    assert!(!guest.vm.shut_down().unwrap());
    expect![[r#"
        p on_done(1)
        p on_delete(1)
        second on_done(2)
        second on_delete(2)
    "#]]
    .assert_eq(&guest.world.take());
    guest.vm.on_tick(guest.root).unwrap();
    assert_eq!(guest.world.take(), "", "nobody is there any more");
}

#[test]
fn a_plugin_that_is_not_done_waits_for_proxy_done() {
    let mut guest = announcing(GuestOptions::default());
    guest.set_turn(Callback::Done, turn(0, []));
    assert!(guest.vm.shut_down().unwrap());
    guest.set_turn(Callback::Tick, turn(0, [call("proxy_done", args![])]));
    guest.vm.on_tick(guest.root).unwrap();
    expect![[r#"
        p on_done(1)
        p on_tick(1)
        p on_delete(1)
    "#]]
    .assert_eq(&guest.world.take());
    assert!(!guest.vm.shut_down().unwrap());
}

#[test]
fn streams_that_never_end_do_not_fill_the_host() {
    let mut guest = announcing(GuestOptions::default());
    guest.set_turn(Callback::Done, turn(0, []));
    for _ in 0..super::super::MOST_WAITING + 5 {
        let (stream, _) = guest.open();
        guest.vm.close_stream(stream).unwrap();
    }
    assert_eq!(guest.vm.streams(), super::super::MOST_WAITING);
}
