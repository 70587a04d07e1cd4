//! Modules that import their memory.

use wharf_engine::{CacheReport, CompiledCache, OverLimit, Value};

use super::*;

/// Imports its memory, has data in it, grows it, and reads what the host wrote.
const IMPORTING: &str = r#"(module (import "env" "memory" (memory 2))
    (global (export "version") i32 (i32.const 1)) (global (export "big") i64 (i64.const -5))
    (data (i32.const 16) "data")
    (func (export "read") (param i32) (result i32) (i32.load (local.get 0)))
    (func (export "write") (i32.store (i32.const 16) (i32.const 0)))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#;

fn limits(memory: ByteSize) -> Limits {
    Limits {
        memory,
        ..Limits::default()
    }
}

fn read(instance: &mut Instance<()>, at: u32) -> u32 {
    let function = instance.function::<(u32,), u32>("read").unwrap().unwrap();
    instance.call(&function, (at,), LONG).unwrap()
}

fn grow(instance: &mut Instance<()>, pages: u32) -> i32 {
    let function = instance.function::<(u32,), i32>("grow").unwrap().unwrap();
    instance.call(&function, (pages,), LONG).unwrap()
}

#[test]
fn the_memory_is_the_guests_own_and_the_hosts_to_read_and_write() {
    let mut instance = instance(IMPORTING);
    assert_eq!(instance.memory_size(), 2 * 65_536);
    assert_eq!(instance.memory().read(16, 5).unwrap(), b"data\0");
    instance.memory().write_u32(0, 0x0403_0201).unwrap();
    assert_eq!(read(&mut instance, 0), 0x0403_0201);
}

#[test]
fn its_limit_holds_from_the_start_and_while_it_grows() {
    let small = limits(ByteSize::from_kib(256));
    let mut instance = linked(IMPORTING, &small).instantiate(()).unwrap();
    assert_eq!((grow(&mut instance, 2), grow(&mut instance, 1)), (2, -1));
    assert_eq!(
        instance.take_refused_growth(),
        Some(FaultKind::MemoryLimit {
            limit: ByteSize::from_kib(256),
            requested: ByteSize::from_kib(320)
        })
    );
    assert_eq!(
        (grow(&mut instance, 0), instance.take_refused_growth()),
        (4, None)
    );

    let error = compile_with(&engine(), IMPORTING, &limits(ByteSize::from_kib(64))).map(|_| ());
    assert!(
        matches!(
            error,
            Err(CompileError::OverLimit {
                problem: OverLimit::Memory { .. },
                ..
            })
        ),
        "{error:?}"
    );
}

#[test]
fn one_from_the_pool_never_sees_what_an_earlier_one_left() {
    let limits = limits(ByteSize::from_mib(1));
    let module = compile_with(&pooled(1, ByteSize::from_mib(1)), IMPORTING, &limits).unwrap();
    let linked = module.link(&imports(), &limits).unwrap();
    for _ in 0..20 {
        let mut instance = linked.instantiate(()).unwrap();
        assert_eq!(instance.memory().read(16, 4).unwrap(), b"data");
        assert_eq!((read(&mut instance, 0), instance.memory_size()), (0, 2 * 65_536));
        call(&mut instance, "write").unwrap();
        instance.memory().write_u32(0, 1).unwrap();
        assert_eq!(grow(&mut instance, 3), 2);
    }
}

#[test]
fn the_module_keeps_its_digest_and_no_longer_imports_a_memory() {
    let module = compile_with(&engine(), IMPORTING, &Limits::default()).unwrap();
    assert_eq!(
        module.digest(),
        artifact(wat::parse_str(IMPORTING).unwrap()).digest()
    );
    assert!(module.exports("memory") && !module.imports("env", "memory"));
}

#[test]
fn its_code_is_cached_under_the_digest_of_what_was_compiled() {
    let folder = tempfile::tempdir().unwrap();
    let cache = CompiledCache::new(folder.path().join("cache"));
    let settings = EngineSettings {
        cache: Some(cache.clone()),
        ..EngineSettings::default()
    };
    let engine = Engine::new(settings).unwrap();
    let artifact = artifact(wat::parse_str(IMPORTING).unwrap());
    let compile = || engine.compile(&artifact, &Limits::default()).unwrap();
    let (_, first) = compile();
    assert!(
        matches!(
            first,
            CacheReport::Compiled {
                stored: true,
                note: None,
                ..
            }
        ),
        "{first:?}"
    );
    let (module, second) = compile();
    assert!(matches!(second, CacheReport::Hit { .. }), "{second:?}");
    let mut instance = module
        .link(&imports(), &Limits::default())
        .unwrap()
        .instantiate(())
        .unwrap();
    assert_eq!(read(&mut instance, 16), u32::from_le_bytes(*b"data"));
    let digest = artifact.digest().to_hex();
    for entry in std::fs::read_dir(cache.directory()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.starts_with(&digest), "{name} is the artifact's own code");
    }
}

#[test]
fn globals_are_read_by_their_names() {
    let mut instance = instance(IMPORTING);
    assert_eq!(instance.global("version"), Some(Value::I32(1)));
    assert_eq!(instance.global("big"), Some(Value::I64(-5)));
    assert_eq!((instance.global("read"), instance.global("absent")), (None, None));
}
