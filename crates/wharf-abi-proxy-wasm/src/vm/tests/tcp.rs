use expect_test::expect;

use super::announcing;
use crate::numbers::{Action, PeerType};
use crate::testing::{Callback, GuestOptions, args, call, contents, turn};

#[test]
fn a_connection_from_its_beginning_to_its_end() {
    let mut guest = announcing(GuestOptions::default());
    let stream = guest.vm.open_tcp_stream(guest.root, Box::new(())).unwrap();
    let vm = &mut guest.vm;
    assert_eq!(vm.on_new_connection(stream).unwrap(), Action::Continue);
    assert_eq!(
        vm.on_downstream_data(stream, "hello".into(), false).unwrap(),
        Action::Continue
    );
    assert_eq!(
        vm.on_upstream_data(stream, "bye".into(), true).unwrap(),
        Action::Continue
    );
    vm.on_downstream_connection_close(stream, PeerType::Remote)
        .unwrap();
    vm.on_upstream_connection_close(stream, PeerType::Local).unwrap();
    vm.close_stream(stream).unwrap();
    expect![[r#"
        p on_context_create(2, 1)
        p on_new_connection(2)
        p on_downstream_data(2, 5, 0)
        p on_upstream_data(2, 3, 1)
        p on_downstream_connection_close(2, 2)
        p on_upstream_connection_close(2, 1)
        p on_done(2)
        p on_log(2)
        p on_delete(2)
    "#]]
    .assert_eq(&guest.world.take());
}

#[test]
fn data_that_waits_is_shown_again_with_what_comes() {
    let mut guest = announcing(GuestOptions::default());
    guest.set_turn(Callback::DownstreamData, turn(1, []));
    let stream = guest.vm.open_tcp_stream(guest.root, Box::new(())).unwrap();
    guest.world.take();
    assert_eq!(
        guest.vm.on_downstream_data(stream, "one".into(), false).unwrap(),
        Action::Pause
    );
    assert_eq!(
        guest.vm.on_downstream_data(stream, "two".into(), true).unwrap(),
        Action::Pause
    );
    expect![[r#"
        p on_downstream_data(2, 3, 0)
        p on_downstream_data(2, 6, 1)
    "#]]
    .assert_eq(&guest.world.take());
    assert_eq!(contents(guest.vm.take_downstream(stream)), b"onetwo");
    assert!(guest.vm.take_downstream(stream).is_empty());
}

#[test]
fn a_connection_is_resumed_and_closed_by_signals() {
    let mut guest = announcing(GuestOptions::default());
    let stream = guest.vm.open_tcp_stream(guest.root, Box::new(())).unwrap();
    guest.set_turn(
        Callback::Tick,
        turn(
            0,
            [
                call("proxy_set_effective_context", args![stream]),
                call("proxy_continue_stream", args![2]),
                call("proxy_close_stream", args![3]),
            ],
        ),
    );
    guest.vm.on_tick(guest.root).unwrap();
    let signals = guest.vm.take_signals(stream);
    assert!(signals.resume_downstream && signals.close_upstream);
    assert!(!signals.resume_upstream && !signals.close_downstream);
}

#[test]
fn a_connection_may_be_done_within_its_own_callbacks() {
    let mut guest = announcing(GuestOptions::default());
    guest.set_turn(Callback::Done, turn(0, []));
    let (waiting, _) = guest.open();
    guest.vm.close_stream(waiting).unwrap();
    let stream = guest.vm.open_tcp_stream(guest.root, Box::new(())).unwrap();
    let done = [
        call("proxy_set_effective_context", args![waiting]),
        call("proxy_done", args![]),
    ];
    guest.set_turn(Callback::NewConnection, turn(0, done));
    guest.world.take();
    guest.vm.on_new_connection(stream).unwrap();
    expect![[r#"
        p on_new_connection(3)
        p on_log(2)
        p on_delete(2)
    "#]]
    .assert_eq(&guest.world.take());
}
