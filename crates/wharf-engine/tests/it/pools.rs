//! Instances from wasmtime's pool, and instances that are kept for the next call.

use std::sync::Arc;

use wharf_engine::InstancePool;

use super::*;

const COUNTING: &str = r#"(module (memory (export "memory") 1) (global $n (mut i32) (i32.const 0))
    (func (export "count") (result i32)
        (global.set $n (i32.add (global.get $n) (i32.const 1)))
        (i32.store (i32.const 0) (i32.const 0x21212121))
        (global.get $n))
    (func (export "trap") unreachable))"#;

fn small() -> Limits {
    Limits {
        memory: ByteSize::from_mib(1),
        ..Limits::default()
    }
}

fn count<S>(instance: &mut Instance<S>) -> i32 {
    let function = instance.function::<(), i32>("count").unwrap().unwrap();
    instance.call(&function, (), LONG).unwrap()
}

fn linked_in_pool(instances: u32) -> Linked<()> {
    let module = compile_with(&pooled(instances, ByteSize::from_mib(1)), COUNTING, &small()).unwrap();
    module.link(&imports(), &small()).unwrap()
}

/// The same module twice: one whose memory is put back page by page, and one with data whose place is computed, for which there is
/// wasmtime's pool, as for all modules on older kernels.
fn both(module: &str) -> [String; 2] {
    let (fields, end) = module.split_at(module.rfind(')').unwrap());
    let computed = format!(r#"{fields} (data (i32.add (i32.const 16) (i32.const 16)) "computed"){end}"#);
    [module.to_owned(), computed]
}

#[test]
fn an_instance_from_the_pool_never_sees_what_an_earlier_one_left() {
    for module in both(COUNTING) {
        let module = compile_with(&pooled(1, ByteSize::from_mib(1)), &module, &small()).unwrap();
        let linked: Linked<()> = module.link(&imports(), &small()).unwrap();
        for _ in 0..50 {
            let mut instance = linked.instantiate(()).unwrap();
            assert_eq!(instance.memory().read_u32(0).unwrap(), 0);
            assert_eq!(count(&mut instance), 1);
            assert_eq!(instance.memory().read_u32(0).unwrap(), 0x2121_2121);
        }
    }
}

/// A guest as compilers of Rust and C lay it out: the stack first, its data behind that. It writes to both ends of each part.
const STACK_FIRST: &str = r#"(module (memory (export "memory") 17) (data (i32.const 1048576) "data")
    (func $write (param i32) (i32.store (local.get 0) (i32.const 0x21212121)))
    (func (export "count") (result i32)
        (call $write (i32.const 0))
        (call $write (i32.const 1048572))
        (call $write (i32.const 1048576))
        (call $write (i32.const 1114108))
        (drop (memory.grow (i32.const 1)))
        (call $write (i32.const 1114112))
        (memory.size)))"#;

#[test]
fn an_instance_with_its_stack_first_never_sees_what_an_earlier_one_left() {
    let limits = Limits {
        memory: ByteSize::from_mib(2),
        ..Limits::default()
    };
    let engine = pooled(1, ByteSize::from_mib(2));
    let linked = |wat: &str| -> Linked<()> {
        let module = compile_with(&engine, wat, &limits).unwrap();
        module.link(&imports(), &limits).unwrap()
    };
    let other = linked(COUNTING);
    let [own, pooled] = both(STACK_FIRST).map(|module| linked(&module));
    for stack_first in (0..100).map(|number| if number % 2 == 0 { &own } else { &pooled }) {
        let mut instance = stack_first.instantiate(()).unwrap();
        assert_eq!(instance.memory_size(), 17 << 16);
        let word = |instance: &mut Instance<()>, at| instance.memory().read_u32(at).unwrap();
        for (at, value) in [(0, 0), (1_048_572, 0), (1_048_576, 0x6174_6164), (1_114_108, 0)] {
            assert_eq!(word(&mut instance, at), value);
        }
        assert_eq!(count(&mut instance), 18);
        assert_eq!(word(&mut instance, 1_114_112), 0x2121_2121);
        let mut grown = stack_first.instantiate(());
        // There is one place in the pool.
        assert!(grown.is_err());
        drop(instance);
        grown = stack_first.instantiate(());
        let grown = grown.unwrap();
        assert_eq!(grown.memory_size(), 17 << 16);
        drop(grown);
        assert_eq!(count(&mut other.instantiate(()).unwrap()), 1);
    }
}

/// A guest that reads and writes where it is told to.
const REACHING: &str = r#"(module (memory (export "memory") 2 6) (data (i32.const 65530) "across pages")
    (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "far") (param i32) (result i32) (i32.load8_u offset=131071 (local.get 0)))
    (func (export "farther") (param i32) (result i64) (i64.load offset=4294967295 (local.get 0)))
    (func (export "store") (param i32) (i64.store (local.get 0) (i64.const -1)))
    (func (export "fill") (param i32 i32) (memory.fill (local.get 0) (i32.const 7) (local.get 1)))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#;

fn reach<R: wharf_engine::WasmResults>(
    instance: &mut Instance<()>,
    function: &'static str,
    at: u32,
) -> Result<R, Fault> {
    let function = instance.function::<u32, R>(function).unwrap().unwrap();
    instance.call(&function, at, LONG)
}

/// Whether a guest is ended where it reaches behind its memory.
fn is_out_of_bounds<R>(outcome: Result<R, Fault>) -> bool {
    let fault = outcome.map(|_| ()).unwrap_err();
    fault.to_string().contains("out of bounds memory access")
}

#[test]
fn an_instance_never_reaches_what_an_earlier_one_has_grown_by() {
    let engine = pooled(1, ByteSize::from_mib(1));
    for module in both(REACHING) {
        let module = compile_with(&engine, &module, &small()).unwrap();
        never_reaches(&module.link(&imports(), &small()).unwrap());
    }
}

fn never_reaches(linked: &Linked<()>) {
    let new = || linked.instantiate(()).unwrap();
    let size = 2 << 16;
    for _ in 0..10 {
        // Each fault ends its instance, and leaves nothing to the next one.
        for at in [size, size + 65_536, 6 << 16, u32::MAX] {
            assert!(is_out_of_bounds(reach::<u32>(&mut new(), "load", at)), "{at}");
            assert!(is_out_of_bounds(reach::<()>(&mut new(), "store", at)), "{at}");
            assert!(is_out_of_bounds(reach::<u32>(&mut new(), "far", at)), "{at}");
        }
        assert!(is_out_of_bounds(reach::<()>(&mut new(), "store", size - 7)));
        assert!(is_out_of_bounds(reach::<u32>(&mut new(), "far", 1)));
        assert!(is_out_of_bounds(reach::<i64>(&mut new(), "farther", 0)));
        let mut instance = new();
        assert_eq!(reach::<u32>(&mut instance, "far", 0).unwrap(), 0);
        assert_eq!(
            reach::<u32>(&mut instance, "load", 65_541).unwrap(),
            u32::from(b's')
        );
        assert_eq!(instance.memory_size(), size as usize);
        assert_eq!(reach::<i32>(&mut instance, "grow", 4).unwrap(), 2);
        assert_eq!(reach::<i32>(&mut instance, "grow", 1).unwrap(), -1);
        assert_eq!(reach::<u32>(&mut instance, "load", size).unwrap(), 0);
        reach::<()>(&mut instance, "store", size - 4).unwrap();
        reach::<()>(&mut instance, "store", (6 << 16) - 8).unwrap();
        let fill = instance.function::<(u32, u32), ()>("fill").unwrap().unwrap();
        instance.call(&fill, (0, 6 << 16), LONG).unwrap();
        assert!(is_out_of_bounds(instance.call(&fill, (1, 6 << 16), LONG)));
        drop(instance);
        let mut next = new();
        let memory = next.memory().read(0, size).unwrap().to_vec();
        let mut expected = vec![0; size as usize];
        expected[65_530..65_542].copy_from_slice(b"across pages");
        // One of both has these too.
        expected[32..40].copy_from_slice(&memory[32..40]);
        assert!([&b"computed"[..], &[0; 8]].contains(&&memory[32..40]));
        assert!(memory == expected);
    }
}

#[test]
fn segments_that_the_code_names_are_what_they_were() {
    let module = r#"(module (memory (export "memory") 1) (data (i32.const 8) "active") (data $p "passive")
        (func (export "load") (param i32) (result i32)
            (memory.init $p (i32.const 100) (i32.const 0) (i32.const 7))
            (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 0))
            (data.drop $p)
            (i32.load8_u (local.get 0)))
        (func (export "store") (param i32) (memory.init 0 (i32.const 0) (i32.const 0) (local.get 0)))
        (func (export "grow") (param i32) (memory.init $p (i32.const 0) (i32.const 0) (local.get 0))))"#;
    let module = compile_with(&pooled(1, ByteSize::from_mib(1)), module, &small()).unwrap();
    let linked: Linked<()> = module.link(&imports(), &small()).unwrap();
    for _ in 0..3 {
        let mut instance = linked.instantiate(()).unwrap();
        assert_eq!(instance.memory().read(8, 6).unwrap(), b"active");
        assert_eq!(reach::<u32>(&mut instance, "load", 100).unwrap(), u32::from(b'p'));
        // What was dropped has nothing any more.
        assert!(is_out_of_bounds(reach::<()>(&mut instance, "grow", 1)));
        let mut instance = {
            drop(instance);
            linked.instantiate(()).unwrap()
        };
        // Active segments are dropped once the instance is made.
        assert!(is_out_of_bounds(reach::<()>(&mut instance, "store", 1)));
    }
}

#[test]
fn data_that_do_not_fit_are_a_fault_of_the_start() {
    let module = r#"(module (memory (export "memory") 1) (data (i32.const 65530) "too long"))"#;
    let module = compile_with(&pooled(1, ByteSize::from_mib(1)), module, &small()).unwrap();
    let linked: Linked<()> = module.link(&imports(), &small()).unwrap();
    for _ in 0..3 {
        assert!(is_out_of_bounds(linked.instantiate(()).map(|_| ())));
    }
}

#[test]
fn the_start_function_finds_the_data_and_what_it_writes_is_gone() {
    let module = r#"(module (memory (export "memory") 1) (data (i32.const 0) "\05") (start $start)
        (func $start
            (drop (memory.grow (i32.const 1)))
            (i32.store8 (i32.const 0) (i32.mul (i32.load8_u (i32.const 0)) (i32.const 3)))
            (i32.store8 (i32.const 70000) (i32.const 1)))
        (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0))))"#;
    let module = compile_with(&pooled(1, ByteSize::from_mib(1)), module, &small()).unwrap();
    let linked: Linked<()> = module.link(&imports(), &small()).unwrap();
    for _ in 0..5 {
        let mut instance = linked.instantiate(()).unwrap();
        assert_eq!(reach::<u32>(&mut instance, "load", 0).unwrap(), 15);
        assert_eq!(reach::<u32>(&mut instance, "load", 70_000).unwrap(), 1);
        assert_eq!(reach::<u32>(&mut instance, "load", 70_001).unwrap(), 0);
    }
}

#[test]
fn a_full_pool_is_a_fault_of_its_own() {
    let linked = linked_in_pool(2);
    let living = [linked.instantiate(()).unwrap(), linked.instantiate(()).unwrap()];
    let fault = linked.instantiate(()).map(|_| ()).unwrap_err();
    assert_eq!(fault.kind(), &FaultKind::InstanceLimit { limit: 2 });
    assert_eq!(
        fault.to_string(),
        "in (start): 2 instances live already, and no more may at the same time"
    );
    drop(living);
    linked.instantiate(()).unwrap();
}

#[test]
fn limits_that_the_pool_cannot_give_are_refused_before_anything_runs() {
    let engine = pooled(2, ByteSize::from_mib(1));
    let error = |limits: &Limits| compile_with(&engine, COUNTING, limits).map(|_| ()).unwrap_err();
    let memory = error(&Limits {
        memory: ByteSize::from_mib(2),
        ..Limits::default()
    });
    assert_eq!(
        memory.to_string(),
        "a memory limit of 2MiB is too large: the pool gives an instance 1MiB"
    );
    let table = error(&Limits {
        table_elements: 100_001,
        ..small()
    });
    assert!(
        matches!(
            table,
            CompileError::PoolTable {
                elements: 100_001,
                most: 100_000
            }
        ),
        "{table}"
    );
}

#[test]
fn a_kept_instance_keeps_its_state_and_a_faulted_one_is_not_kept() {
    let pool = InstancePool::new(Arc::new(linked_in_pool(4)), 4);
    let take = || pool.take(|| (), |_| Ok(())).unwrap();
    assert_eq!(count(&mut take()), 1);
    assert_eq!(pool.idle(), 1);
    assert_eq!(count(&mut take()), 2, "the same instance again");

    call(&mut take(), "trap").unwrap_err();
    assert_eq!(pool.idle(), 0);
    assert_eq!(count(&mut take()), 1, "a fresh one");
}

#[test]
fn no_more_are_kept_than_was_said() {
    let pool = InstancePool::new(Arc::new(linked_in_pool(4)), 1);
    let both = [
        pool.take(|| (), |_| Ok(())).unwrap(),
        pool.take(|| (), |_| Ok(())).unwrap(),
    ];
    assert_eq!(pool.idle(), 0);
    drop(both);
    assert_eq!(pool.idle(), 1);
}

#[test]
fn preparing_happens_once_for_each_instance_and_may_fail() {
    let pool = InstancePool::new(Arc::new(linked_in_pool(4)), 4);
    let prepare = |instance: &mut Instance<()>| {
        assert_eq!(count(instance), 1);
        Ok(())
    };
    for expected in 2..5 {
        let mut instance = pool.take(|| (), prepare).unwrap();
        assert_eq!(count(&mut instance), expected);
    }
    let _held = pool.take(|| (), prepare).unwrap();
    let refused = pool
        .take(|| (), |_| Err(Fault::bad_reply("start", "no")))
        .map(|_| ())
        .unwrap_err();
    assert_eq!(refused.callback(), "start");
}

#[test]
fn hammer_threads_share_a_pool() {
    let pool = InstancePool::new(Arc::new(linked_in_pool(8)), 8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for round in 0..200 {
                    let mut instance = pool.take(|| (), |_| Ok(())).unwrap();
                    count(&mut instance);
                    if round % 50 == 49 {
                        call(&mut instance, "trap").unwrap_err();
                    }
                }
            });
        }
    });
    assert!(pool.idle() <= 8);
}
