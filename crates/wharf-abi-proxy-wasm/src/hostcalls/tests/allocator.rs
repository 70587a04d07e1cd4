use expect_test::{Expect, expect};
use wharf_plugin::ProxyWasmVersion::V0_2_1;

use crate::testing::{Allocator, END, Guest, OUT, args};

/// Asks for something that needs the guest's allocator.
fn check(allocator: Allocator, expected: Expect) -> Guest {
    let mut guest = Guest::new(V0_2_1);
    guest.set_allocator(allocator);
    expected.assert_eq(&guest.call("proxy_get_property", args!["plugin_name", OUT, OUT + 4]));
    guest
}

#[test]
fn what_the_allocator_gives_is_written() {
    check(
        Allocator::Bump,
        expect![[r#"
        proxy_get_property(0x10100, 11, 0x40100, 0x40104) → 0 Ok
        memory at 0x100: ? → p
        memory at 0x40100: ???????? → \x00\x01\x00\x00\x01\x00\x00\x00
    "#]],
    );
    check(
        Allocator::Gives(END - 1),
        expect![[r#"
        proxy_get_property(0x10100, 11, 0x40100, 0x40104) → 0 Ok
        memory at 0x40100: ???????? → \xff\xff\x04\x00\x01\x00\x00\x00
        memory at 0x4ffff: ? → p
    "#]],
    );
}

#[test]
fn an_allocator_that_gives_nothing() {
    check(
        Allocator::GivesNothing,
        expect![[r#"
        p Debug: proxy_get_property in context 1: InvalidMemoryAccess: the guest's allocator gave nothing for 1 bytes
        proxy_get_property(0x10100, 11, 0x40100, 0x40104) → 6 InvalidMemoryAccess
    "#]],
    );
}

#[test]
fn an_allocator_that_gives_a_wild_pointer() {
    check(
        Allocator::Gives(END),
        expect![[r#"
        p Debug: proxy_get_property in context 1: InvalidMemoryAccess: the memory that the guest's allocator gave: the range at 0x50000 of 1 bytes is not inside the guest's memory of 327680 bytes
        proxy_get_property(0x10100, 11, 0x40100, 0x40104) → 6 InvalidMemoryAccess
    "#]],
    );
    check(
        Allocator::Gives(u32::MAX),
        expect![[r#"
        p Debug: proxy_get_property in context 1: InvalidMemoryAccess: the memory that the guest's allocator gave: the range at 0xffffffff of 1 bytes is not inside the guest's memory of 327680 bytes
        proxy_get_property(0x10100, 11, 0x40100, 0x40104) → 6 InvalidMemoryAccess
    "#]],
    );
    check(
        Allocator::Gives(1 << 31),
        expect![[r#"
        p Debug: proxy_get_property in context 1: InvalidMemoryAccess: the memory that the guest's allocator gave: the range at 0x80000000 of 1 bytes is not inside the guest's memory of 327680 bytes
        proxy_get_property(0x10100, 11, 0x40100, 0x40104) → 6 InvalidMemoryAccess
    "#]],
    );
}

#[test]
fn an_allocator_that_traps_ends_the_callback() {
    let mut guest = check(
        Allocator::Traps,
        expect![[r#"
        proxy_get_property(0x10100, 11, 0x40100, 0x40104) → ends the guest's call
        host: p faulted in proxy_on_tick: the guest trapped: wasm trap: wasm `unreachable` instruction executed
    "#]],
    );
    assert!(guest.vm.is_faulted());
    expect![""].assert_eq(&guest.call("proxy_log", args![2, "again"]));
}

#[test]
fn an_allocator_that_calls_the_host_ends_the_callback() {
    let guest = check(
        Allocator::AsksTheTime,
        expect![[r#"
        proxy_get_current_time_nanoseconds(8) → ends the guest's call
        proxy_get_property(0x10100, 11, 0x40100, 0x40104) → ends the guest's call
        host: p faulted in proxy_on_tick: the guest gave a bad reply: proxy_get_current_time_nanoseconds was called from inside the guest's own allocator; only logging and WASI can be
    "#]],
    );
    assert!(guest.vm.is_faulted());
}

#[test]
fn an_allocator_may_log() {
    check(
        Allocator::Logs,
        expect![[r#"
        p Info: ???
        proxy_log(2, 0, 3) → 0 Ok
        proxy_get_property(0x10100, 11, 0x40100, 0x40104) → 0 Ok
        memory at 0x100: ? → p
        memory at 0x40100: ???????? → \x00\x01\x00\x00\x01\x00\x00\x00
    "#]],
    );
}

#[test]
fn nothing_is_allocated_for_nothing() {
    let mut guest = Guest::new(V0_2_1);
    guest.set_allocator(Allocator::Traps);
    expect![[r#"
        proxy_get_buffer_bytes(6, 0, 10, 0x40100, 0x40104) → 0 Ok
        memory at 0x40100: ???????? → \x00\x00\x00\x00\x00\x00\x00\x00
    "#]]
    .assert_eq(&guest.call("proxy_get_buffer_bytes", args![6, 0, 10, OUT, OUT + 4]));
}

#[test]
fn a_body_that_needs_the_allocator_meets_the_same_refusals() {
    for (allocator, expected) in [
        (
            Allocator::Bump,
            expect![[r#"
            proxy_get_buffer_bytes(0, 0, 10, 0x40100, 0x40104) → 0 Ok
            memory at 0x100: ???? → body
            memory at 0x40100: ???????? → \x00\x01\x00\x00\x04\x00\x00\x00
        "#]],
        ),
        (
            Allocator::GivesNothing,
            expect![[r#"
            p Debug: proxy_get_buffer_bytes in context 2: InvalidMemoryAccess: the guest's allocator gave nothing for 4 bytes
            proxy_get_buffer_bytes(0, 0, 10, 0x40100, 0x40104) → 6 InvalidMemoryAccess
        "#]],
        ),
        (
            Allocator::Gives(END - 3),
            expect![[r#"
            p Debug: proxy_get_buffer_bytes in context 2: InvalidMemoryAccess: the memory that the guest's allocator gave: the range at 0x4fffd of 4 bytes is not inside the guest's memory of 327680 bytes
            proxy_get_buffer_bytes(0, 0, 10, 0x40100, 0x40104) → 6 InvalidMemoryAccess
        "#]],
        ),
    ] {
        let mut guest = Guest::new(V0_2_1);
        guest.set_allocator(allocator);
        let seen = guest.call_in_request_body(
            "body",
            true,
            "proxy_get_buffer_bytes",
            args![0, 0, 10, OUT, OUT + 4],
        );
        expected.assert_eq(&seen.0);
    }
}
