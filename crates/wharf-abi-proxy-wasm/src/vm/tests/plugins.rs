use expect_test::expect;

use super::announcing;
use crate::testing::{Callback, Guest, GuestOptions, plugin, turn};

fn second(guest: &mut Guest) -> Result<u32, crate::StartError> {
    guest.vm.add_plugin(plugin(&GuestOptions {
        name: "second",
        configuration: "four",
        ..GuestOptions::default()
    }))
}

#[test]
fn the_vm_starts_once_for_all_its_plugins() {
    let mut guest = announcing(GuestOptions::default());
    assert_eq!(second(&mut guest).ok(), Some(2));
    expect![[r#"
        second on_context_create(2, 0)
        second validate_configuration(2, 4)
        second on_configure(2, 4)
    "#]]
    .assert_eq(&guest.world.take());
}

#[test]
fn a_second_plugin_may_refuse_and_the_first_goes_on() {
    let mut guest = announcing(GuestOptions::default());
    guest.set_second(Callback::Configure, turn(0, []));
    let refused = second(&mut guest).unwrap_err();
    assert_eq!(refused.to_string(), "the plugin refused its configuration");
    assert!(!guest.vm.is_faulted());
    guest.vm.on_tick(guest.root).unwrap();
}

#[test]
fn roots_and_streams_share_one_counter() {
    let mut guest = announcing(GuestOptions::default());
    let (first, _) = guest.open();
    let root = second(&mut guest).unwrap();
    let (last, _) = guest.open();
    assert_eq!([guest.root, first, root, last], [1, 2, 3, 4]);
}

#[test]
fn a_foreign_function_goes_to_its_plugin() {
    let mut guest = announcing(GuestOptions::default());
    guest
        .vm
        .on_foreign_function(guest.root, 77, "12345".into())
        .unwrap();
    guest.vm.on_foreign_function(99, 77, "12345".into()).unwrap();
    expect![[r#"
        p on_foreign_function(1, 77, 5)
    "#]]
    .assert_eq(&guest.world.take());
}

#[test]
fn a_foreign_function_does_not_exist_in_0_1_0() {
    let mut guest = announcing(GuestOptions {
        version: wharf_plugin::ProxyWasmVersion::V0_1_0,
        ..GuestOptions::default()
    });
    guest
        .vm
        .on_foreign_function(guest.root, 77, "12345".into())
        .unwrap();
    expect![""].assert_eq(&guest.world.take());
}
