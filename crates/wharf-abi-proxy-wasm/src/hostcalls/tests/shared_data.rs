use std::sync::Arc;

use expect_test::expect;
use wharf_plugin::ProxyWasmVersion::V0_2_1;

use crate::shared::Shared;
use crate::testing::{Guest, GuestOptions, OUT, args};

#[test]
fn get_shared_data_gives_what_set_shared_data_set() {
    let mut guest = Guest::new(V0_2_1);
    expect![[r#"
        proxy_set_shared_data(0x10100, 3, 0x10108, 5, 0) → 0 Ok
    "#]]
    .assert_eq(&guest.call("proxy_set_shared_data", args!["key", "value", 0]));
    expect![[r#"
        proxy_get_shared_data(0x10100, 3, 0x40100, 0x40104, 0x40108) → 0 Ok
        memory at 0x100: ????? → value
        memory at 0x40100: ???????????? → \x00\x01\x00\x00\x05\x00\x00\x00\x01\x00\x00\x00
    "#]]
    .assert_eq(&guest.call("proxy_get_shared_data", args!["key", OUT, OUT + 4, OUT + 8]));
}

#[test]
fn an_empty_key_and_an_empty_value_are_good() {
    let mut guest = Guest::new(V0_2_1);
    guest.call("proxy_set_shared_data", args!["", "", 0]);
    expect![[r#"
        proxy_get_shared_data(0x10100, 0, 0x40100, 0x40104, 0x40108) → 0 Ok
        memory at 0x40100: ???????????? → \x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00
    "#]]
    .assert_eq(&guest.call("proxy_get_shared_data", args!["", OUT, OUT + 4, OUT + 8]));
}

#[test]
fn get_shared_data_of_a_missing_key_is_not_found() {
    let mut guest = Guest::new(V0_2_1);
    expect![[r#"
        p Debug: proxy_get_shared_data in context 1: NotFound: the key "key" has no value
        proxy_get_shared_data(0x10100, 3, 0x40100, 0x40104, 0x40108) → 1 NotFound
    "#]]
    .assert_eq(&guest.call("proxy_get_shared_data", args!["key", OUT, OUT + 4, OUT + 8]));
}

#[test]
fn set_shared_data_compares_the_cas_number() {
    let mut guest = Guest::new(V0_2_1);
    expect![[r#"
        proxy_set_shared_data(0x10100, 3, 0x10108, 1, 77) → 0 Ok
    "#]]
    .assert_eq(&guest.call("proxy_set_shared_data", args!["key", "1", 77]));
    expect![[r#"
        proxy_set_shared_data(0x10100, 3, 0x10108, 1, 1) → 0 Ok
    "#]]
    .assert_eq(&guest.call("proxy_set_shared_data", args!["key", "2", 1]));
    expect![[r#"
        p Debug: proxy_set_shared_data in context 1: CasMismatch: the key "key": the value's CAS number is 2 by now, not 1
        proxy_set_shared_data(0x10100, 3, 0x10108, 1, 1) → 8 CasMismatch
    "#]]
    .assert_eq(&guest.call("proxy_set_shared_data", args!["key", "3", 1]));
    expect![[r#"
        proxy_set_shared_data(0x10100, 3, 0x10108, 1, 0) → 0 Ok
    "#]]
    .assert_eq(&guest.call("proxy_set_shared_data", args!["key", "4", 0]));
    expect![[r#"
        proxy_get_shared_data(0x10100, 3, 0x40100, 0x40104, 0x40108) → 0 Ok
        memory at 0x100: ? → 4
        memory at 0x40100: ???????????? → \x00\x01\x00\x00\x01\x00\x00\x00\x03\x00\x00\x00
    "#]]
    .assert_eq(&guest.call("proxy_get_shared_data", args!["key", OUT, OUT + 4, OUT + 8]));
}

#[test]
fn shared_data_is_that_of_the_vm_id_in_the_whole_process() {
    let shared = Arc::<Shared>::default();
    let guest = |vm_id| {
        Guest::with(GuestOptions {
            vm_id,
            shared: Arc::clone(&shared),
            ..GuestOptions::default()
        })
    };
    guest("one").call("proxy_set_shared_data", args!["key", "1", 0]);
    let read = |vm_id| guest(vm_id).call("proxy_get_shared_data", args!["key", OUT, OUT + 4, OUT + 8]);
    assert!(read("one").contains("→ 0 Ok"));
    assert!(read("two").contains("→ 1 NotFound"));
}

#[test]
fn shared_data_is_bounded() {
    let mut guest = Guest::new(V0_2_1);
    let mut statuses = Vec::new();
    for key in 0..70 {
        let seen = guest.call(
            "proxy_set_shared_data",
            args![format!("{key}").as_str(), 0, 0x40000, 0],
        );
        statuses.push(seen.contains("→ 0 Ok"));
    }
    assert_eq!(statuses.iter().filter(|taken| **taken).count(), 63);
    expect![[r#"
        p Debug: proxy_set_shared_data in context 1: InternalFailure: the shared data of one VM id may have 16777216 bytes in all
        proxy_set_shared_data(0x10100, 4, 0, 0x40000, 0) → 10 InternalFailure
    "#]].assert_eq(&guest.call("proxy_set_shared_data", args!["more", 0, 0x40000, 0]));
}
