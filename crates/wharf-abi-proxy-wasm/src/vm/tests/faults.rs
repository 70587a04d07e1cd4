use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use expect_test::expect;
use wharf_engine::FaultKind;

use super::announcing;
use crate::context::Direction;
use crate::testing::{Callback, Guest, GuestOptions, args, call, plugin, turn};

#[derive(Default)]
struct Count(AtomicU32);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A guest that does this at its next tick.
fn guest(deadline: Duration, special: &'static str) -> Guest {
    let mut guest = announcing(GuestOptions {
        deadline,
        ..GuestOptions::default()
    });
    guest.set_turn(Callback::Tick, turn(0, [call(special, args![])]));
    guest
}

#[test]
fn a_fault_says_what_happened_and_where() {
    let mut all = String::new();
    for special in ["trap", "hog", "exit"] {
        let mut guest = guest(Duration::from_secs(30), special);
        let fault = guest.vm.on_tick(guest.root).unwrap_err();
        all += &format!(
            "{fault}; the innermost of its frames: {}\n",
            fault.backtrace()[0].function.as_deref().unwrap_or("?")
        );
    }
    expect![[r#"
        in proxy_on_tick: the guest trapped: wasm trap: wasm `unreachable` instruction executed; the innermost of its frames: do_trap
        in proxy_on_tick: the guest asked for 65856KiB of memory, and its limit is 64MiB; the innermost of its frames: do_hog
        in proxy_on_tick: the guest called proc_exit with code 3; the innermost of its frames: do_exit
    "#]].assert_eq(&all);
}

#[test]
fn an_endless_loop_ends_at_its_deadline() {
    let mut guest = guest(Duration::from_millis(20), "loop");
    let fault = guest.vm.on_tick(guest.root).unwrap_err();
    assert_eq!(
        *fault.kind(),
        FaultKind::DeadlineExceeded {
            deadline: Duration::from_millis(20)
        }
    );
}

#[test]
fn a_fault_wakes_every_stream_and_is_told_once() {
    let mut guest = guest(Duration::from_secs(30), "trap");
    let woken = Arc::new(Count::default());
    for _ in 0..3 {
        let (stream, _) = guest.open();
        guest.vm.set_waker(stream, &Waker::from(Arc::clone(&woken)));
    }
    guest.world.take();
    guest.vm.on_tick(guest.root).unwrap_err();
    guest.vm.on_tick(guest.root).unwrap_err();
    assert_eq!(woken.0.load(Ordering::Relaxed), 3);
    expect![[r#"
        p on_tick(1)
        host: p faulted in proxy_on_tick: the guest trapped: wasm trap: wasm `unreachable` instruction executed
    "#]].assert_eq(&guest.world.take());
}

#[test]
fn nothing_can_be_called_after_a_fault() {
    let mut guest = guest(Duration::from_secs(30), "trap");
    let (stream, _) = guest.open();
    let tcp = guest.vm.open_tcp_stream(guest.root, Box::new(())).unwrap();
    let call_out = guest.call_out();
    guest.set_turn(Callback::Tick, turn(0, [call("trap", args![])]));
    guest.vm.on_tick(guest.root).unwrap_err();
    guest.world.take();
    let root = guest.root;
    let vm = &mut guest.vm;
    let refused = [
        vm.on_tick(root).err(),
        vm.on_queue_ready(root, 1).err(),
        vm.on_foreign_function(root, 1, "".into()).err(),
        vm.on_http_call_response(root, call_out, None).err(),
        vm.on_headers(stream, Direction::Request, true).err(),
        vm.on_body(stream, Direction::Response, true).err(),
        vm.on_trailers(stream, Direction::Request).err(),
        vm.on_new_connection(tcp).err(),
        vm.on_downstream_data(tcp, "x".into(), false).err(),
        vm.on_upstream_connection_close(tcp, crate::PeerType::Remote)
            .err(),
        vm.close_stream(stream).err(),
        vm.shut_down().err(),
        vm.open_tcp_stream(root, Box::new(())).err(),
    ];
    for fault in refused {
        assert_eq!(*fault.expect("a refusal").kind(), FaultKind::AlreadyFaulted);
    }
    assert!(vm.add_plugin(plugin(&GuestOptions::default())).is_err());
    assert!(vm.is_faulted());
    assert_eq!(guest.world.take(), "");
}
