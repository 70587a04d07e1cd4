use expect_test::expect;
use wharf_plugin::ProxyWasmVersion::V0_2_1;

use crate::testing::{Guest, args};

#[test]
fn a_line_is_logged_at_its_level() {
    let mut guest = Guest::new(V0_2_1);
    expect![""].assert_eq(&guest.call("proxy_log", args![2, "hello"]));
}
