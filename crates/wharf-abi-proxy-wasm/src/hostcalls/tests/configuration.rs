use expect_test::expect;
use wharf_plugin::ProxyWasmVersion::{V0_1_0, V0_2_0};

use crate::hostcalls::host_functions;
use crate::testing::{Callback, Guest, GuestOptions, OUT, args};

#[test]
fn get_configuration_gives_it_while_the_plugin_is_configured() {
    let mut guest = Guest::new(V0_1_0);
    let seen = guest.call_in_second_plugin(
        Callback::Configure,
        "the configuration",
        "proxy_get_configuration",
        args![OUT, OUT + 4],
    );
    expect![[r#"
        proxy_get_configuration(0x40100, 0x40104) → 0 Ok
        memory at 0x100: ????????????????? → the configuration
        memory at 0x40100: ???????? → \x00\x01\x00\x00\x11\x00\x00\x00
    "#]]
    .assert_eq(&seen);
}

#[test]
fn get_configuration_is_that_of_the_vm_otherwise() {
    let mut guest = Guest::with(GuestOptions {
        version: V0_1_0,
        vm_configuration: "of the VM",
        ..GuestOptions::default()
    });
    expect![[r#"
        proxy_get_configuration(0x40100, 0x40104) → 0 Ok
        memory at 0x100: ????????? → of the VM
        memory at 0x40100: ???????? → \x00\x01\x00\x00\t\x00\x00\x00
    "#]]
    .assert_eq(&guest.call("proxy_get_configuration", args![OUT, OUT + 4]));
}

#[test]
fn get_configuration_is_of_0_1_0_only() {
    let has = |version| {
        host_functions(version)
            .iter()
            .any(|function| function.name == "proxy_get_configuration")
    };
    assert_eq!([V0_1_0, V0_2_0].map(has), [true, false]);
}
