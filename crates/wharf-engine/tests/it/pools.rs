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

#[test]
fn an_instance_from_the_pool_never_sees_what_an_earlier_one_left() {
    let linked = linked_in_pool(1);
    for _ in 0..50 {
        let mut instance = linked.instantiate(()).unwrap();
        assert_eq!(instance.memory().read_u32(0).unwrap(), 0);
        assert_eq!(count(&mut instance), 1);
        assert_eq!(instance.memory().read_u32(0).unwrap(), 0x2121_2121);
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
    let linked = |wat| {
        let module = compile_with(&engine, wat, &limits).unwrap();
        module.link(&imports(), &limits).unwrap()
    };
    let (stack_first, other): (Linked<()>, Linked<()>) = (linked(STACK_FIRST), linked(COUNTING));
    for _ in 0..50 {
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
