//! How long instances live, and what they see of time and chance.

use std::sync::Arc;

use wharf_abi_trivy::{AnalysisResult, Clock, Lifetime, Settings, TrivyModule};
use wharf_plugin::{ByteSize, Limits};

use crate::support::{TestHost, Text, ample, analyze, load_with, settings};

/// A module that gives how many files its instance has seen before this one, as the type of a custom resource.
fn counting() -> String {
    Text::new()
        .head(
            r#"(global $seen (mut i32) (i32.const 47))
            (data (i32.const 512) "{\22CustomResources\22:[{\22Type\22:\22_\22}]}")"#,
        )
        .with(
            "analyze",
            "(param i32 i32) (result i64)
             (global.set $seen (i32.add (global.get $seen) (i32.const 1)))
             (i32.store8 (i32.const 541) (global.get $seen))
             (i64.const 0x200_00000022)",
        )
        .wat()
}

fn with(wat: &str, lifetime: Lifetime) -> TrivyModule {
    let settings = Settings {
        lifetime,
        ..settings()
    };
    load_with(wat, settings, &Arc::default()).unwrap()
}

fn kind(result: &AnalysisResult) -> &str {
    &result.custom_resources[0].kind
}

fn counts(module: &TrivyModule) -> Vec<String> {
    (0..3)
        .map(|_| kind(&analyze(module, "a", "").unwrap()).to_owned())
        .collect()
}

#[test]
fn a_fresh_instance_has_seen_nothing() {
    assert_eq!(counts(&with(&counting(), Lifetime::Fresh)), ["0", "0", "0"]);
}

#[test]
fn an_instance_is_used_again() {
    assert_eq!(counts(&with(&counting(), Lifetime::Reusable)), ["0", "1", "2"]);
    assert_eq!(counts(&with(&counting(), Lifetime::Shared)), ["0", "1", "2"]);
}

#[test]
fn a_shared_instance_sees_every_file_whichever_thread_calls() {
    let module = with(&counting(), Lifetime::Shared);
    let mut seen: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| counts(&module))).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    seen.sort();
    assert_eq!(seen, ["0", "1", "2", "3", "4", "5", "6", "7", "8"]);
}

#[test]
fn an_instance_that_has_used_most_of_its_memory_is_not_used_again() {
    // Of 64 MiB, three quarters are 768 pages.
    let grown = counting().replace(
        "(global.set $seen",
        "(drop (memory.grow (i32.const 800))) (global.set $seen",
    );
    assert_eq!(counts(&with(&grown, Lifetime::Reusable)), ["0", "0", "0"]);
    // A shared one keeps what it knows.
    assert_eq!(counts(&with(&grown, Lifetime::Shared)), ["0", "1", "2"]);
}

#[test]
fn only_so_many_instances_live() {
    let limits = Limits {
        instances: 1,
        ..settings().limits
    };
    let settings = Settings {
        limits,
        lifetime: Lifetime::Fresh,
        ..settings()
    };
    let module = load_with(&Text::new().wat(), settings, &Arc::default()).unwrap();
    // The one that was asked what the module is has gone.
    analyze(&module, "a", "").unwrap();
    assert_eq!(module.settings().limits.memory, ByteSize::from_mib(64));
}

/// A module that gives the bytes which a function of WASI writes to 700, as hexadecimal digits in a log line.
fn asking(import: &str, call: &str) -> String {
    Text::new()
        .head(&format!(
            r#"(import "wasi_snapshot_preview1" {import}) (import "env" "info" (func $info (param i32 i32)))"#
        ))
        .with(
            "analyze",
            &format!(
                "(param i32 i32) (result i64) (local $i i32) (local $digit i32)
                 (drop {call}) (drop {call})
                 (loop $more
                   (local.set $digit (i32.and (i32.shr_u (i32.load8_u (i32.add (i32.const 700) (i32.shr_u (local.get $i) (i32.const 1))))
                     (i32.shl (i32.and (i32.xor (local.get $i) (i32.const 1)) (i32.const 1)) (i32.const 2))) (i32.const 15)))
                   (i32.store8 (i32.add (i32.const 800) (local.get $i))
                     (i32.add (local.get $digit) (select (i32.const 48) (i32.const 87) (i32.lt_u (local.get $digit) (i32.const 10)))))
                   (local.set $i (i32.add (local.get $i) (i32.const 1)))
                   (br_if $more (i32.lt_u (local.get $i) (i32.const 16))))
                 (call $info (i32.const 800) (i32.const 16))
                 (i64.const 0x40_00000004)"
            ),
        )
        .wat()
}

fn said(wat: &str, clock: Clock) -> Vec<String> {
    let host = Arc::new(TestHost::default());
    let settings = Settings { clock, ..settings() };
    let module = load_with(wat, settings, &host).unwrap();
    for _ in 0..2 {
        module.analyze("f", Arc::from([]), ample()).unwrap();
    }
    host.take()
}

const TIME: &str = r#""clock_time_get" (func $time (param i32 i64 i32) (result i32))"#;

#[test]
fn the_time_is_fixed_and_begins_anew_with_each_call() {
    let realtime = asking(TIME, "(call $time (i32.const 0) (i64.const 0) (i32.const 700))");
    // 1640995200.001 s, in nanoseconds and the order of the bytes: it was asked before.
    let bytes = 1_640_995_200_001_000_000_u64.to_le_bytes();
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let line = format!("Info /f: {digits}");
    assert_eq!(said(&realtime, Clock::Fixed), [line.clone(), line]);
    // The other clock never goes back.
    let monotonic = asking(TIME, "(call $time (i32.const 1) (i64.const 0) (i32.const 700))");
    assert_eq!(
        said(&monotonic, Clock::Fixed),
        ["Info /f: 40420f0000000000", "Info /f: c0c62d0000000000"]
    );
}

#[test]
fn the_real_time_is_the_hosts() {
    let realtime = asking(TIME, "(call $time (i32.const 0) (i64.const 0) (i32.const 700))");
    assert_eq!(said(&realtime, Clock::Real), ["Info /f: 0403020100000000"; 2]);
    let monotonic = asking(TIME, "(call $time (i32.const 1) (i64.const 0) (i32.const 700))");
    assert_eq!(said(&monotonic, Clock::Real), ["Info /f: 0700000000000000"; 2]);
}

#[test]
fn random_bytes_are_the_same_in_each_instance() {
    let random = asking(
        r#""random_get" (func $random (param i32 i32) (result i32))"#,
        "(call $random (i32.const 700) (i32.const 8))",
    );
    let (one, other) = (said(&random, Clock::Fixed), said(&random, Clock::Real));
    assert_eq!(one, other);
    assert_ne!(one[0], one[1]);
}
