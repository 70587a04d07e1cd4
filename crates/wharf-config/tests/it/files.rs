//! Files on disk.

use std::fs;
use std::path::Path;

use expect_test::{Expect, expect};
use wharf_plugin::Reference;

use crate::EXAMPLE;

/// The errors of loading a file, with the name of its directory left out.
fn check(path: &Path, directory: &Path, expected: &Expect) {
    let errors = wharf_config::load(path).expect_err("the file has something wrong with it");
    expected.assert_eq(
        &errors
            .render(false)
            .replace(&format!("{}/", directory.display()), "DIR/"),
    );
}

#[test]
fn modules_are_looked_for_beside_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("wharf.yaml");
    fs::write(&file, EXAMPLE).unwrap();
    fs::create_dir_all(directory.path().join("guests/as-counter/as-counter.wasm")).unwrap();
    check(
        &file,
        directory.path(),
        &expect![[r#"
            error: the module `DIR/guests/rust-headers/rust-headers.wasm` does not exist
             --> DIR/wharf.yaml:4:13
              |
            4 |     source: file:guests/rust-headers/rust-headers.wasm
              |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              |
              = hint: the path is relative to the directory of the configuration file

            error: the module `DIR/guests/as-counter/as-counter.wasm` is not a file
             --> DIR/wharf.yaml:9:13
              |
            9 |     source: file:guests/as-counter/as-counter.wasm
              |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              |
              = hint: the path is relative to the directory of the configuration file"#]],
    );

    let modules = [
        "guests/rust-headers/rust-headers.wasm",
        "guests/as-counter/as-counter.wasm",
    ];
    fs::remove_dir(directory.path().join(modules[1])).unwrap();
    for module in modules {
        let module = directory.path().join(module);
        fs::create_dir_all(module.parent().unwrap()).unwrap();
        fs::write(module, b"").unwrap();
    }
    let loaded = wharf_config::load(&file).unwrap();
    assert_eq!(
        loaded.config.plugins["greet"].source,
        Reference::File(directory.path().join(modules[0]))
    );
}

#[test]
fn what_cannot_be_read_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    check(
        &at("missing.yaml"),
        directory.path(),
        &expect![[r#"
        error: the configuration cannot be read: No such file or directory (os error 2)
        --> DIR/missing.yaml
         = hint: check the path"#]],
    );
    fs::create_dir(at("folder")).unwrap();
    check(
        &at("folder"),
        directory.path(),
        &expect![[r#"
        error: the configuration cannot be read: Is a directory (os error 21)
        --> DIR/folder
         = hint: name the file in it, for example `wharf.yaml`"#]],
    );
    fs::write(at("huge.yaml"), " ".repeat((1 << 20) + 1)).unwrap();
    check(
        &at("huge.yaml"),
        directory.path(),
        &expect![[r#"
        error: the configuration is larger than 1 MiB
        --> DIR/huge.yaml
         = hint: is this the right file?"#]],
    );
    fs::write(at("latin1.yaml"), b"version: 1\n# caf\xe9\n").unwrap();
    check(
        &at("latin1.yaml"),
        directory.path(),
        &expect![[r#"
            error: the byte 0xe9 is not UTF-8
             --> DIR/latin1.yaml:2:6
              |
            2 | # caf�
              |      ^
              |
              = hint: save the file as UTF-8"#]],
    );
    fs::write(at("utf16.yaml"), b"\xff\xfev\0e\0r\0").unwrap();
    check(
        &at("utf16.yaml"),
        directory.path(),
        &expect![[r#"
        error: the configuration is UTF-16, not UTF-8
        --> DIR/utf16.yaml
         = hint: save it as UTF-8"#]],
    );
}
