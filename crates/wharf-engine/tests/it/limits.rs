//! What a plugin may use, and what it is told when it wants more.

use wharf_engine::OverLimit;

use super::*;

fn small_memory() -> Limits {
    Limits {
        memory: ByteSize::from_kib(128),
        ..Limits::default()
    }
}

const GROWING: &str = r#"(module (memory (export "memory") 1)
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "grow_or_abort")
        (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable)))
    (func (export "abort") unreachable))"#;

fn grow(instance: &mut Instance<()>, pages: i32) -> i32 {
    let function = instance.function::<i32, i32>("grow").unwrap().unwrap();
    instance.call(&function, pages, LONG).unwrap()
}

#[test]
fn memory_grows_up_to_its_limit_and_is_refused_beyond() {
    for engine in [engine(), pooled(2, ByteSize::from_kib(128))] {
        let module = compile_with(&engine, GROWING, &small_memory()).unwrap();
        let mut instance = module
            .link(&imports(), &small_memory())
            .unwrap()
            .instantiate(())
            .unwrap();
        assert_eq!((grow(&mut instance, 1), instance.memory_size()), (1, 128 << 10));
        assert_eq!((grow(&mut instance, 1), instance.memory_size()), (-1, 128 << 10));
        assert_eq!(grow(&mut instance, i32::MAX), -1);
        assert_eq!(grow(&mut instance, -1), -1);
        assert!(!instance.is_faulted(), "a guest may live with a refusal");
    }
}

#[test]
fn an_abort_after_a_refusal_is_a_memory_limit() {
    let mut instance = linked(GROWING, &small_memory()).instantiate(()).unwrap();
    let fault = call(&mut instance, "grow_or_abort").unwrap_err();
    let (limit, requested) = (ByteSize::from_kib(128), ByteSize::from_kib(17 * 64));
    assert_eq!(fault.kind(), &FaultKind::MemoryLimit { limit, requested });
    assert_eq!(
        fault.to_string(),
        "in grow_or_abort: the guest asked for 1088KiB of memory, and its limit is 128KiB"
    );
}

#[test]
fn an_abort_in_a_later_call_has_nothing_to_do_with_the_refusal() {
    let mut instance = linked(GROWING, &small_memory()).instantiate(()).unwrap();
    assert_eq!(grow(&mut instance, 99), -1);
    assert_eq!(call(&mut instance, "abort").unwrap_err().kind().label(), "trap");
}

#[test]
fn tables_grow_up_to_their_limit() {
    let wat = r#"(module (table 1 funcref)
        (func (export "grow") (param i32) (result i32) (table.grow (ref.null func) (local.get 0)))
        (func (export "grow_or_abort")
            (if (i32.eq (table.grow (ref.null func) (i32.const 99)) (i32.const -1)) (then unreachable))))"#;
    let limits = Limits {
        table_elements: 10,
        ..Limits::default()
    };
    let mut instance = linked(wat, &limits).instantiate(()).unwrap();
    assert_eq!(grow(&mut instance, 9), 1);
    assert_eq!(grow(&mut instance, 1), -1);
    let fault = call(&mut instance, "grow_or_abort").unwrap_err();
    assert_eq!(
        fault.kind(),
        &FaultKind::TableLimit {
            limit: 10,
            requested: 109
        }
    );
}

#[track_caller]
fn over_limit(wat: &str, limits: &Limits) -> OverLimit {
    match compile_with(&engine(), wat, limits) {
        Err(CompileError::OverLimit { problem, .. }) => problem,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was compiled"),
    }
}

#[test]
fn what_a_module_needs_from_the_start_is_checked_before_it_is_compiled() {
    let needed = |kib| OverLimit::Memory {
        needed: ByteSize::from_kib(kib),
        limit: ByteSize::from_kib(128),
    };
    assert_eq!(over_limit("(module (memory 3))", &small_memory()), needed(192));
    assert_eq!(
        over_limit("(module (memory 65536))", &small_memory()),
        needed(4 << 20)
    );
    compile_with(&engine(), "(module (memory 2))", &small_memory()).unwrap();

    let limits = Limits {
        table_elements: 10,
        ..Limits::default()
    };
    let table = over_limit("(module (table 11 funcref))", &limits);
    assert_eq!(
        table,
        OverLimit::TableElements {
            needed: 11,
            limit: 10
        }
    );
    assert_eq!(
        table.to_string(),
        "it starts with a table of 11 elements, and its limit is 10"
    );
    let tables = "(table 1 funcref)".repeat(5);
    assert_eq!(
        over_limit(&format!("(module {tables})"), &limits),
        OverLimit::Tables { count: 5, limit: 4 }
    );
}

#[test]
fn a_module_that_is_linked_with_smaller_limits_faults_at_its_start() {
    let start = |wat| {
        let module = compile_with(&engine(), wat, &Limits::default()).unwrap();
        let limits = Limits {
            table_elements: 10,
            ..small_memory()
        };
        module
            .link(&imports(), &limits)
            .unwrap()
            .instantiate(())
            .map(|_| ())
            .unwrap_err()
    };
    let memory = start("(module (memory 3))");
    let (limit, requested) = (ByteSize::from_kib(128), ByteSize::from_kib(192));
    assert_eq!(
        (memory.kind(), memory.callback()),
        (&FaultKind::MemoryLimit { limit, requested }, "(start)")
    );
    let table = start("(module (table 11 funcref))");
    assert_eq!(
        table.kind(),
        &FaultKind::TableLimit {
            limit: 10,
            requested: 11
        }
    );
}

#[test]
fn only_so_many_instances_live_at_once_over_all_links_and_clones() {
    let limits = Limits {
        instances: 2,
        ..Limits::default()
    };
    let module = compile_with(&engine(), "(module)", &limits).unwrap();
    let twin = module.clone();
    let first = twin.link(&imports(), &limits).unwrap();
    let second = module.link(&imports(), &limits).unwrap();
    let one = first.instantiate(()).unwrap();
    let two = second.instantiate(()).unwrap();
    let fault = first.instantiate(()).map(|_| ()).unwrap_err();
    assert_eq!(fault.kind(), &FaultKind::InstanceLimit { limit: 2 });
    drop(one);
    let three = first.instantiate(()).unwrap();
    assert_eq!(
        second.instantiate(()).map(|_| ()).unwrap_err().kind().label(),
        "instances"
    );
    assert_eq!(twin.digest(), module.digest());
    drop((two, three));
}

#[test]
fn an_instance_that_failed_to_start_leaves_its_place() {
    let limits = Limits {
        instances: 1,
        ..Limits::default()
    };
    let linked = linked("(module (func $begin unreachable) (start $begin))", &limits);
    for _ in 0..3 {
        assert_eq!(
            linked.instantiate(()).map(|_| ()).unwrap_err().kind().label(),
            "trap"
        );
    }
}

#[test]
fn stacks_that_no_thread_has_are_refused() {
    let stack = |stack| {
        compile_with(
            &engine(),
            "(module)",
            &Limits {
                stack,
                ..Limits::default()
            },
        )
        .map(|_| ())
    };
    stack(Engine::MOST_STACK).unwrap();
    let error = stack(ByteSize::from_mib(2)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a stack of 2MiB is too large: a plugin may have 1MiB"
    );
    assert!(matches!(
        stack(ByteSize::from_bytes(0)),
        Err(CompileError::Engine { .. })
    ));
}

/// The guest's allocator calls the host, which calls the allocator, and so on: all on one thread's stack.
#[test]
fn a_hostile_allocator_ends_as_a_fault_and_not_as_an_overflow_of_the_host() {
    let wat = r#"(module (import "env" "host" (func $host (param i32) (result i32)))
        (func (export "allocate") (param i32) (result i32) (call $host (local.get 0))))"#;
    struct State(Option<wharf_engine::GuestFunction<u32, u32>>);
    let mut imports = Imports::new();
    imports.function(
        "env",
        "host",
        |call: &mut HostCall<'_, State>, (size,): (u32,)| {
            // What a careless host function may have on its stack.
            let buffer = std::hint::black_box([size as u8; 4096]);
            let allocate = call.state().0.clone().expect("it was set before the first call");
            let pointer = call.call_guest(&allocate, size)?;
            Ok(pointer + u32::from(buffer[0]))
        },
    );
    for stack in [
        ByteSize::from_kib(64),
        ByteSize::from_kib(512),
        Engine::MOST_STACK,
    ] {
        let limits = Limits {
            stack,
            ..Limits::default()
        };
        let linked = compile_with(&engine(), wat, &limits)
            .unwrap()
            .link(&imports, &limits)
            .unwrap();
        let run = move || {
            let mut instance = linked.instantiate(State(None)).unwrap();
            let allocate = instance.function::<u32, u32>("allocate").unwrap();
            instance.state_mut().0.clone_from(&allocate);
            instance.call(&allocate.unwrap(), 7, LONG).unwrap_err()
        };
        let thread = std::thread::Builder::new()
            .stack_size(2 << 20)
            .spawn(run)
            .unwrap();
        assert_eq!(
            thread.join().unwrap().kind(),
            &FaultKind::StackExhausted,
            "{stack}"
        );
    }
}

#[test]
fn an_instance_for_one_call_starts_within_the_deadline_of_that_call() {
    let endless = linked(
        "(module (func $start (loop $for_ever (br $for_ever))) (start $start))",
        &Limits {
            startup_deadline: LONG,
            ..Limits::default()
        },
    );
    let deadline = Duration::from_millis(20);
    let fault = endless.instantiate_within((), deadline).map(|_| ()).unwrap_err();
    assert_eq!(fault.kind(), &FaultKind::DeadlineExceeded { deadline });
    assert_eq!(fault.callback(), "(start)");
}
