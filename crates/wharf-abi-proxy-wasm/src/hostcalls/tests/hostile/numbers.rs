//! Numbers that mean nothing: kinds of maps, buffers, streams and metrics that there are not, statuses, levels, ids of
//! what was never made, and whatever else fits 32 or 64 bits.

use wharf_plugin::ProxyWasmVersion::{self, V0_2_1};

use super::catalog::{BAD_ARGUMENT, Entry, Parameter};
use super::guest::Hostile;
use super::kit::Step;
use super::phases::{Group, REQUEST_HEADERS, guarded};
use super::pointers::is_answer;

/// Numbers of which none is small, so that no context and no queue has them.
const LARGE: [u32; 12] = [
    4_000_000,
    4_000_001,
    4_000_002,
    4_000_003,
    0x7fff_fffe,
    0x7fff_ffff,
    0x8000_0000,
    0x8000_0001,
    u32::MAX - 3,
    u32::MAX - 2,
    u32::MAX - 1,
    u32::MAX,
];

const WIDE: [i64; 10] = [
    0,
    1,
    -1,
    i64::MAX,
    i64::MIN,
    i64::MIN + 1,
    i32::MAX as i64,
    i32::MIN as i64,
    1 << 32,
    -(1 << 32),
];

fn with(good: &[i64], at: usize, number: i64) -> Vec<i64> {
    let mut arguments = good.to_vec();
    arguments[at] = number;
    arguments
}

/// The calls of a function in which one number is odd, with what each is to give; `None`: any status.
fn cases(entry: &Entry, good: &[i64]) -> Vec<(Vec<i64>, Option<i32>)> {
    let mut cases = Vec::new();
    let mut at = 0;
    for parameter in &entry.parameters {
        match parameter {
            Parameter::Known { known, unknown, .. } => {
                cases.extend(known.iter().map(|number| (with(good, at, *number), None)));
                let above = known.iter().max().map_or(0, |largest| *largest as u32 + 1);
                let is_small = known.len() > 2;
                let near = (above..above + 8).filter(|_| is_small);
                for number in near.chain(LARGE) {
                    cases.push((with(good, at, i64::from(number)), Some(unknown(number))));
                }
            }
            Parameter::Free { wide: false, .. } => {
                let numbers = [0, 1, 2, 3, 255, 65_536].into_iter().chain(LARGE);
                cases.extend(numbers.map(|number| (with(good, at, i64::from(number)), None)));
            }
            Parameter::Free { wide: true, .. } => {
                cases.extend(WIDE.map(|number| (with(good, at, number), None)));
            }
            Parameter::In(_) | Parameter::Fill | Parameter::Vectors => at += 1,
            Parameter::Out { .. } => {}
        }
        at += 1;
    }
    cases
}

#[test]
fn numbers_that_mean_nothing() {
    for version in ProxyWasmVersion::ALL {
        let mut hostile = Hostile::new(version);
        let mut count = 0;
        for function in 0..hostile.kit.entries.len() {
            let entry = &hostile.kit.entries[function];
            for (arguments, expected) in cases(entry, &hostile.kit.good[function]) {
                let what = format!("{}.{}{arguments:x?}", entry.module, entry.name);
                let step = Step { function, arguments };
                let seen = guarded(&what, || hostile.run_once(REQUEST_HEADERS, vec![step]));
                count += 1;
                if entry.is_exit() {
                    assert_eq!(seen.fault.as_deref(), Some("exit"), "{what}");
                    hostile.serve_the_next(Group::Http);
                    continue;
                }
                assert_eq!(seen.fault, None, "{what}");
                let answer = seen.answers[0].unwrap_or_else(|| panic!("{what}: no answer"));
                let is_right = match expected {
                    Some(expected) => answer == expected,
                    None => is_answer(entry, answer) || entry.name == "pthread_equal",
                };
                assert!(is_right, "{what}: {answer}, not {expected:?}: {}", seen.told);
            }
            hostile.serve_the_next(Group::Http);
        }
        assert!(count > 4_500, "{count} cases");
    }
}

#[test]
fn a_call_out_of_less_than_no_time() {
    let mut hostile = Hostile::new(V0_2_1);
    for timeout in [-1, i64::from(i32::MIN), 0x8000_0001, 0xffff_ffff] {
        let mut step = hostile.kit.good_step("proxy_http_call");
        step.arguments[8] = timeout;
        let seen = hostile.run(REQUEST_HEADERS, vec![step]);
        assert_eq!(seen.answers, [Some(BAD_ARGUMENT)], "{timeout}: {}", seen.told);
        assert!(!seen.told.contains("host: http call"), "{}", seen.told);
    }
}
