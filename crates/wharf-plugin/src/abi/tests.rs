use expect_test::{Expect, expect};

use super::*;
use crate::ExternKind;

fn module(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

fn spoken(text: &str) -> Vec<Abi> {
    identify(&module(text)).unwrap().abis
}

/// The error, what it names as cause, and its hint, as a reader sees them.
fn check_refused(bytes: &[u8], expected: &Expect) {
    let error = identify(bytes).unwrap_err();
    let cause = std::error::Error::source(&error)
        .map(|cause| format!(": {cause}"))
        .unwrap_or_default();
    expected.assert_eq(&format!("{error}{cause}\n{}", error.hint()));
}

#[test]
fn each_abi_is_known_by_its_exports() {
    for version in ProxyWasmVersion::ALL {
        let filter = module(&format!(
            r#"(module (func (export "{}")) (func (export "_start")))"#,
            version.marker()
        ));
        let identified = identify(&filter).unwrap();
        assert_eq!(identified.abis, [Abi::ProxyWasm(version)]);
        assert_eq!(identified.proxy_wasm(), Some(version));
    }
    assert_eq!(
        spoken(r#"(module (func (export "__guest_call")) (func (export "_start")))"#),
        [Abi::WaPc]
    );
    assert_eq!(
        spoken(r#"(module (func (export "opa_eval_ctx_new")))"#),
        [Abi::OpaPolicy]
    );
    assert_eq!(spoken(r#"(module (func (export "_start")))"#), [Abi::WasiCommand]);
    let trivy = r#"(module (func (export "api_version") (export "is_analyzer") (export "is_post_scanner")))"#;
    assert_eq!(spoken(trivy), [Abi::TrivyModule]);
}

#[test]
fn a_module_may_speak_several_and_the_newest_version_comes_first() {
    let both = r#"(module
        (func (export "proxy_abi_version_0_1_0") (export "proxy_abi_version_0_2_1"))
        (func (export "__guest_call")))"#;
    let identified = identify(&module(both)).unwrap();
    assert_eq!(identified.proxy_wasm(), Some(ProxyWasmVersion::V0_2_1));
    let names: Vec<String> = identified.abis.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["proxy-wasm 0.2.1", "proxy-wasm 0.1.0", "waPC"]);
}

#[test]
fn what_is_not_wasm_is_named() {
    let mut tar = vec![b'a'; 257];
    tar.extend(b"ustar\0");
    let samples: [&[u8]; 15] = [
        b"",
        b"\0as",
        b"\0asm\x01\0",
        b" \n(module)",
        b";; a filter\n(module)",
        b"\n<!DOCTYPE html><title>404</title>",
        br#"{"errors":[]}"#,
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        b"\x1f\x8b\x08",
        b"\x28\xb5\x2f\xfd",
        b"PK\x03\x04",
        &tar,
        b"\x7fELF\x02",
        b"hello\n",
        b"\xca\xfe\xba\xbe\0\0\0\x01\x02",
    ];
    let answers: Vec<String> = samples
        .into_iter()
        .map(|bytes| identify(bytes).unwrap_err())
        .map(|error| format!("{error}; {}", error.hint()))
        .collect();
    expect![[r#"
        this is not WebAssembly: the file is empty; the file may have been cut short: build or copy it again
        this is not WebAssembly: it ends within its header; the file may have been cut short: build or copy it again
        this is not WebAssembly: it ends within its header; the file may have been cut short: build or copy it again
        this is not WebAssembly: it is the text form of a module; name the file `.wat`, or turn it into a `.wasm` with `wat2wasm`
        this is not WebAssembly: it is the text form of a module; name the file `.wat`, or turn it into a `.wasm` with `wat2wasm`
        this is not WebAssembly: it looks like a web page; open it: it is probably a server's answer that was saved instead of the module
        this is not WebAssembly: it looks like JSON; open it: it is probably a server's answer that was saved instead of the module
        this is not WebAssembly: it is a pointer to a file in Git LFS; fetch the file itself with `git lfs pull`
        this is not WebAssembly: it is compressed with gzip; unpack it first
        this is not WebAssembly: it is compressed with Zstandard; unpack it first
        this is not WebAssembly: it is a zip archive; unpack it first
        this is not WebAssembly: it is a tar archive; unpack it first
        this is not WebAssembly: it is a native program (ELF); build for a WebAssembly target, for example with `--target wasm32-wasip1`
        this is not WebAssembly: it looks like text; a module begins with the bytes 00 61 73 6d
        this is not WebAssembly: it begins with the bytes ca fe ba be 00 00 00 01; a module begins with the bytes 00 61 73 6d"#]].assert_eq(&answers.join("\n"));
}

#[test]
fn a_component_is_refused() {
    check_refused(
        b"\0asm\x0d\0\x01\0",
        &expect![[r#"
        this is a WebAssembly component, and only core modules can be run
        build a core module, for example with `--target wasm32-wasip1`"#]],
    );
}

#[test]
fn a_module_of_another_version_is_refused() {
    check_refused(
        b"\0asm\x02\0\0\0",
        &expect![[r#"
        this WebAssembly module is damaged: at byte 0x4: unknown binary version:        0x2
        the file may have been cut short: build or copy it again"#]],
    );
}

#[test]
fn a_damaged_module_is_refused_with_the_place() {
    let mut bytes = module(r#"(module (func (export "proxy_abi_version_0_2_1")))"#);
    bytes.truncate(bytes.len() - 3);
    check_refused(
        &bytes,
        &expect![[r#"
        this WebAssembly module is damaged: at byte 0x32: unexpected end-of-file
        the file may have been cut short: build or copy it again"#]],
    );
}

#[test]
fn a_module_without_a_marker_is_refused() {
    check_refused(
        &module("(module)"),
        &expect![[r#"
        this module speaks no known ABI: it exports no marker of one
        it exports nothing: was it linked as a library (`crate-type = ["cdylib"]`)?"#]],
    );
    let library = module(r#"(module (func (export "add") (param i32 i32) (result i32) local.get 0))"#);
    check_refused(
        &library,
        &expect![[r#"
        this module speaks no known ABI: it exports no marker of one
        an HTTP filter exports `proxy_abi_version_0_2_1`; SDKs add that export by themselves"#]],
    );
}

#[test]
fn a_version_that_is_not_known_is_named_even_if_the_module_could_run_as_a_command() {
    let future = module(r#"(module (func (export "proxy_abi_version_0_3_0") (export "_start")))"#);
    check_refused(
        &future,
        &expect![[r#"
        this filter speaks a version of proxy-wasm that is not known: it exports `proxy_abi_version_0_3_0`
        build the filter with an SDK for proxy-wasm 0.1.0, 0.2.0 or 0.2.1"#]],
    );
}

#[test]
fn the_surface_names_everything_with_its_type() {
    let surface = ModuleSurface::parse(&module(
        r#"(module
            (import "env" "proxy_log" (func (param i32 i32 i32) (result i32)))
            (import "env" "table" (table 1 funcref))
            (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
            (import "env" "memory" (memory 1 16))
            (import "env" "base" (global i32))
            (import "env" "gone" (tag (param i64)))
            (func (export "two") (param f64 externref) (result i32 i64) i32.const 0 i64.const 0)
            (memory (export "memory") 2)
            (global (export "counter") (mut i64) (i64.const 0))
            (table (export "list") 3 4 externref)
            (export "proxy_log_again" (func 0))
            (export "gone_again" (tag 0))
            (func (export "nothing")))"#,
    ))
    .unwrap();
    let lines: Vec<String> = surface
        .imports
        .iter()
        .map(|import| format!("import {import}"))
        .chain(surface.exports.iter().map(|export| format!("export {export}")))
        .collect();
    expect![[r#"
        import env.proxy_log: (i32, i32, i32) -> i32
        import env.table: table 1 of funcref
        import wasi_snapshot_preview1.sched_yield: () -> i32
        import env.memory: memory 1 to 16
        import env.base: global i32
        import env.gone: (i64)
        export two: (f64, externref) -> (i32, i64)
        export memory: memory 2
        export counter: mutable global i64
        export list: table 3 to 4 of externref
        export proxy_log_again: (i32, i32, i32) -> i32
        export gone_again: (i64)
        export nothing: ()"#]]
    .assert_eq(&lines.join("\n"));
    assert!(surface.exports_function("two") && !surface.exports_function("memory"));
    assert_eq!(
        surface.export("memory").map(|export| export.kind),
        Some(ExternKind::Memory)
    );
}

#[test]
fn an_export_of_an_index_that_does_not_exist_is_listed_without_a_type() {
    let bytes = b"\0asm\x01\0\0\0\x07\x05\x01\x01a\x00\x7f";
    let surface = ModuleSurface::parse(bytes).unwrap();
    assert_eq!(surface.exports[0].to_string(), "a: function");
}

#[test]
fn more_exports_than_anybody_needs_are_refused() {
    let count = ModuleSurface::MAX_ITEMS + 1;
    let mut section = leb128(count);
    section.extend([0, 0, 0].repeat(count));
    let mut bytes = b"\0asm\x01\0\0\0\x07".to_vec();
    bytes.extend(leb128(section.len()));
    bytes.extend(section);
    let error = ModuleSurface::parse(&bytes).unwrap_err();
    assert_eq!(error.reason, "more than 100000 exports");
}

fn leb128(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// Every prefix of a module, and every byte of it replaced by others, is answered, never with a panic; a prefix is
/// never taken for a whole module that has its last section.
#[test]
fn no_bytes_make_it_panic() {
    let bytes = module(
        r#"(module
            (type (func (param i32 i64 f32 f64 v128 funcref) (result i32 i32)))
            (import "env" "proxy_log" (func (param i32 i32 i32) (result i32)))
            (import "env" "memory" (memory 1 16))
            (table 1 2 funcref) (global (mut i32) (i32.const 7)) (tag (param i32))
            (elem (i32.const 0) func 0) (data (i32.const 0) "data")
            (func (export "proxy_on_tick") (param i32))
            (export "log" (func 0)) (export "memory" (memory 0)) (export "tag" (tag 0))
            (func (export "proxy_abi_version_0_2_1")))"#,
    );
    assert!(identify(&bytes).is_ok());
    for end in 0..bytes.len() {
        let _ = identify(&bytes[..end]);
    }
    for at in 0..bytes.len() {
        for value in [
            0,
            1,
            0x3f,
            0x40,
            0x5e,
            0x60,
            0x7f,
            0x80,
            0xff,
            bytes[at] ^ 1,
            bytes[at].wrapping_add(1),
        ] {
            let mut mutated = bytes.clone();
            mutated[at] = value;
            let _ = identify(&mutated);
            mutated.remove(at);
            let _ = identify(&mutated);
        }
    }
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..2_000 {
        let mut mutated = bytes.clone();
        for _ in 0..4 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let at = (state >> 33) as usize % mutated.len();
            mutated[at] = (state >> 24) as u8;
        }
        let _ = identify(&mutated);
    }
}
