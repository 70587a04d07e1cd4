//! Which bytes become a module.

use super::*;

#[track_caller]
fn refused(bytes: Vec<u8>) -> CompileError {
    match engine().compile(&artifact(bytes), &Limits::default()) {
        Err(error) => error,
        Ok(_) => panic!("it was compiled"),
    }
}

#[test]
fn garbage_is_no_module() {
    let good = wat::parse_str(r#"(module (func (export "run") (result i32) (i32.const 7)))"#).unwrap();
    let cut = good[..good.len() - 3].to_vec();
    let version = [&b"\0asm\x07\0\0\0"[..], &good[8..]].concat();
    // The body gives an i64 where the type says i32.
    let ill_typed: Vec<u8> = good
        .iter()
        .map(|&byte| if byte == 0x41 { 0x42 } else { byte })
        .collect();
    for bytes in [
        vec![],
        b"\0asm".to_vec(),
        b"hello".to_vec(),
        vec![0; 4096],
        b"(module)".to_vec(),
        cut,
        version,
        ill_typed,
    ] {
        let error = refused(bytes);
        assert!(matches!(error, CompileError::Invalid { .. }), "{error}");
        assert!(
            error
                .to_string()
                .starts_with("file:guest.wasm is not a valid WebAssembly module: "),
            "{error}"
        );
    }
}

#[test]
fn any_prefix_of_a_module_is_refused_and_nothing_panics() {
    let wat = r#"(module (import "env" "f" (func)) (memory 1) (table 2 funcref) (global i32 (i32.const 1))
        (elem (i32.const 0) 0) (data (i32.const 0) "x") (func (export "run") (loop (br 0))))"#;
    let good = wat::parse_str(wat).unwrap();
    let engine = engine();
    for length in 0..good.len() {
        // A module may end after any whole section, so some prefixes are modules.
        let _ = engine.compile(&artifact(&good[..length]), &Limits::default());
    }
    for index in 0..good.len() {
        let mut flipped = good.clone();
        flipped[index] ^= 0xff;
        let _ = engine.compile(&artifact(flipped), &Limits::default());
    }
}

#[test]
fn features_that_plugins_do_not_get_are_named() {
    for (wat, word) in [
        ("(module (memory 1 1 shared))", "threads"),
        ("(module (memory i64 1))", "memory64"),
        ("(module (memory 1) (memory 1))", "multi"),
        ("(module (type (struct (field i32))))", "gc"),
        ("(module (tag (param i32)))", "exceptions"),
        ("(module (func (param externref)))", "gc"),
    ] {
        let error = refused(wat::parse_str(wat).unwrap());
        assert!(
            matches!(error, CompileError::Unsupported { .. }),
            "{wat}: {error}"
        );
        assert!(error.to_string().contains(word), "{wat}: {error}");
    }
}

#[test]
fn a_component_is_no_module() {
    let error = refused(wat::parse_str("(component)").unwrap());
    assert!(
        matches!(
            error,
            CompileError::Unsupported { .. } | CompileError::Invalid { .. }
        ),
        "{error}"
    );
}

#[test]
fn features_that_plugins_get_are_compiled() {
    for wat in [
        "(module (func (result v128) (i8x16.splat (i32.const 1))))",
        "(module (func (param v128) (result v128) (i32x4.relaxed_trunc_f32x4_s (local.get 0))))",
        "(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 9))))",
        "(module (table 1 funcref) (table 1 funcref) (func (drop (table.get 1 (i32.const 0)))))",
        "(module (func $f (result i32) (return_call $f)))",
        "(module (func (result i32 i64) (i32.const 1) (i64.const 2)))",
        "(module (func (result i32) (i32.extend8_s (i32.const 255))))",
        "(module (func (result i32) (i32.trunc_sat_f32_s (f32.const 1e9))))",
        "(module (global i32 (i32.add (i32.const 1) (i32.const 2))))",
        r#"(module (global (export "g") (mut i32) (i32.const 1)))"#,
    ] {
        if let Err(error) = compile_with(&engine(), wat, &Limits::default()) {
            panic!("{wat}: {error}");
        }
    }
}

#[test]
fn many_functions_are_compiled_and_too_many_are_refused() {
    compile_with(
        &engine(),
        &format!("(module {})", "(func)".repeat(10_000)),
        &Limits::default(),
    )
    .unwrap();
    let error = refused(module_of_functions(1_000_001));
    assert!(matches!(error, CompileError::Invalid { .. }), "{error}");
    assert!(error.to_string().contains("functions count"), "{error}");
}

#[test]
fn blocks_nested_beyond_measure_overflow_nothing() {
    let wat = format!(
        "(module (func {}{}))",
        "block ".repeat(10_000),
        "end ".repeat(10_000)
    );
    compile_with(&engine(), &wat, &Limits::default()).unwrap();
}

/// A module that says it has so many functions of no parameters, each empty.
fn module_of_functions(count: u32) -> Vec<u8> {
    let section = |id: u8, content: Vec<u8>| [vec![id], leb(content.len() as u32), content].concat();
    let functions = [leb(count), vec![0; count as usize]].concat();
    let code = [leb(count), [2, 0, 0x0b].repeat(count as usize)].concat();
    [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, vec![1, 0x60, 0, 0]),
        section(3, functions),
        section(10, code),
    ]
    .concat()
}

fn leb(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[test]
fn an_engine_has_a_tick_between_one_and_ten_milliseconds() {
    for (milliseconds, good) in [(0, false), (1, true), (10, true), (11, false)] {
        let tick = Duration::from_millis(milliseconds);
        assert_eq!(
            Engine::new(EngineSettings {
                tick,
                ..EngineSettings::default()
            })
            .is_ok(),
            good
        );
    }
}
