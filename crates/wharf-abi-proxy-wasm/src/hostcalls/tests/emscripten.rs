use expect_test::expect;
use wharf_plugin::ProxyWasmVersion::V0_2_1;

use crate::testing::{Guest, args};

#[test]
fn pthread_equal_compares() {
    let mut guest = Guest::new(V0_2_1);
    expect![[r#"
        pthread_equal(7, 7) → [I32(1)]
    "#]]
    .assert_eq(&guest.call("pthread_equal", args![7, 7]));
    expect![[r#"
        pthread_equal(7, 8) → [I32(0)]
    "#]]
    .assert_eq(&guest.call("pthread_equal", args![7, 8]));
}

#[test]
fn emscripten_notify_memory_growth_does_nothing() {
    let mut guest = Guest::new(V0_2_1);
    expect![[r#"
        emscripten_notify_memory_growth(0) → []
    "#]]
    .assert_eq(&guest.call("emscripten_notify_memory_growth", args![0]));
}
