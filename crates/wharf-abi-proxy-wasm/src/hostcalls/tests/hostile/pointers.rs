//! Every pointer and length of every host function, at and over each edge of the memory: what is outside is refused with
//! the argument's name in the log, nothing is written and nothing is done; what is inside is good up to the last byte.

use wharf_plugin::ProxyWasmVersion::{self, V0_1_0, V0_2_0, V0_2_1};

use super::catalog::{BAD_MEMORY, Entry, FAULT, In, OK, Parameter};
use super::guest::{Allocator, Hostile, Seen};
use super::kit::{END, Kit, PLACES, Step};
use super::phases::{Group, REQUEST_HEADERS, guarded};

/// What a call is to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Exactly(i32),
    /// The range of this argument is not in memory.
    Outside(&'static str),
    /// It is in memory, and whatever is there counts.
    Anything,
}

/// A call in which one argument is at an edge.
struct Case {
    arguments: Vec<i64>,
    expected: Expected,
}

const GIB_2: u32 = 1 << 31;

/// Pointers around the end of memory, around the middle of what 32 bits can name, and at the end of that.
const EDGES: [u32; 17] = [
    END - 24,
    END - 8,
    END - 7,
    END - 4,
    END - 3,
    END - 2,
    END - 1,
    END,
    END + 1,
    GIB_2 - 1,
    GIB_2,
    GIB_2 + 1,
    u32::MAX - 8,
    u32::MAX - 7,
    u32::MAX - 3,
    u32::MAX - 1,
    u32::MAX,
];

fn is_inside(pointer: u32, length: u64) -> bool {
    u64::from(pointer) + length <= u64::from(END)
}

/// The cases of one parameter, which begins at this place of the arguments.
fn cases(entry: &Entry, good: &[i64], at: usize, parameter: &Parameter) -> Vec<Case> {
    let answer = entry.good.unwrap_or(OK);
    let one = |pointer: u32, expected| {
        let mut arguments = good.to_vec();
        arguments[at] = i64::from(pointer);
        Case { arguments, expected }
    };
    match parameter {
        Parameter::In(bytes) => ranges(good[at] as u32, bytes.good.len() as u32)
            .map(|(pointer, length)| range_case(good, at, pointer, length, bytes, answer))
            .collect(),
        // Where the guest's own script would be filled, it would be the guest that falls over.
        Parameter::Fill => ranges(good[at] as u32, 16)
            .filter(|(pointer, length)| *pointer >= PLACES || *length < 0x100 || *length > PLACES)
            .map(|(pointer, length)| fill_case(good, at, pointer, length))
            .collect(),
        Parameter::Vectors => ranges(good[at] as u32, 1)
            .map(|(pointer, count)| vectors_case(good, at, pointer, count))
            .collect(),
        Parameter::Out { bytes, name } => {
            // What is not aligned is good, and so is 0, which is memory as any other.
            let pointers = [0, 1, PLACES + 1, PLACES + 2, PLACES + 3, END - bytes];
            let pointers = pointers.into_iter().chain(EDGES);
            let expected = |pointer| {
                if is_inside(pointer, u64::from(*bytes)) {
                    Expected::Exactly(answer)
                } else {
                    Expected::Outside(name)
                }
            };
            pointers.map(|pointer| one(pointer, expected(pointer))).collect()
        }
        Parameter::Known { .. } | Parameter::Free { .. } => Vec::new(),
    }
}

/// Ranges around each edge, given a good one.
fn ranges(pointer: u32, length: u32) -> impl Iterator<Item = (u32, u32)> {
    let lengths = [
        0,
        1,
        length,
        END - pointer,
        END - pointer + 1,
        END,
        END + 1,
        GIB_2 - 1,
        GIB_2,
        GIB_2 + 1,
        // The sums of these are 0 and 1 in 32 bits.
        pointer.wrapping_neg(),
        pointer.wrapping_neg().wrapping_add(1),
        u32::MAX - 1,
        u32::MAX,
    ];
    let of_good = lengths.into_iter().map(move |length| (pointer, length));
    let of_zero = lengths.into_iter().map(|length| (0, length));
    let of_one = [END - 1, END, u32::MAX - 1, u32::MAX].map(|length| (1, length));
    let at_edges = EDGES.into_iter().flat_map(move |edge| {
        [0, 1, length, edge.wrapping_neg(), GIB_2, u32::MAX].map(|length| (edge, length))
    });
    of_good.chain(of_zero).chain(of_one).chain(at_edges)
}

fn with_range(good: &[i64], at: usize, pointer: u32, length: u32, expected: Expected) -> Case {
    let mut arguments = good.to_vec();
    (arguments[at], arguments[at + 1]) = (i64::from(pointer), i64::from(length));
    Case { arguments, expected }
}

fn range_case(good: &[i64], at: usize, pointer: u32, length: u32, bytes: &In, answer: i32) -> Case {
    let expected = if !is_inside(pointer, u64::from(length)) {
        Expected::Outside(bytes.name)
    } else if length == 0 {
        Expected::Exactly(bytes.empty)
    } else if (i64::from(pointer), i64::from(length)) == (good[at], good[at + 1]) {
        Expected::Exactly(answer)
    } else {
        Expected::Anything
    };
    with_range(good, at, pointer, length, expected)
}

/// At most 64 KiB are filled: 28, `inval`, for more. None at all is good wherever it would be.
fn fill_case(good: &[i64], at: usize, pointer: u32, length: u32) -> Case {
    let expected = match length {
        0 => Expected::Exactly(0),
        length if length > 0x10000 => Expected::Exactly(28),
        length if is_inside(pointer, u64::from(length)) => Expected::Exactly(0),
        _ => Expected::Outside(""),
    };
    with_range(good, at, pointer, length, expected)
}

/// At most 1024 vectors are looked at.
fn vectors_case(good: &[i64], at: usize, pointer: u32, count: u32) -> Case {
    let expected = if !is_inside(pointer, u64::from(count.min(1024)) * 8) {
        Expected::Outside("")
    } else if count == 0 || (i64::from(pointer), i64::from(count)) == (good[at], good[at + 1]) {
        Expected::Exactly(0)
    } else {
        Expected::Anything
    };
    with_range(good, at, pointer, count, expected)
}

/// Makes a call and looks at all that it left; gives whether it was as expected, and why not.
fn check(hostile: &mut Hostile, function: usize, case: &Case) {
    let entry = hostile.kit.entries[function].clone();
    let what = format!("{}.{}{:x?}", entry.module, entry.name, case.arguments);
    let before = hostile.memory();
    let step = Step {
        function,
        arguments: case.arguments.clone(),
    };
    let seen = guarded(&what, || hostile.run_once(REQUEST_HEADERS, vec![step]));
    assert_eq!(seen.fault, None, "{what}");
    let after = hostile.memory();
    let answer = seen.answers[0].unwrap_or_else(|| panic!("{what}: no answer"));
    let is_refused = match case.expected {
        Expected::Exactly(status) => {
            assert_eq!(answer, status, "{what}: {}", seen.told);
            false
        }
        Expected::Outside(argument) => {
            assert_refused(&entry, argument, answer, &seen, &what);
            true
        }
        Expected::Anything => {
            assert!(is_answer(&entry, answer), "{what}: {answer}");
            false
        }
    };
    for at in differences(&before, &after) {
        assert!(!is_refused, "{what} was refused, and wrote at {at:#x}");
        assert!(
            may_write(&entry, &case.arguments, at),
            "{what} wrote at {at:#x}, which it was not given"
        );
        hostile.put(at as u32, &before[at..=at]);
    }
}

/// Where two images of the memory differ. Most of it is the same, and is passed over by the page.
fn differences<'a>(before: &'a [u8], after: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    const PAGE: usize = 4096;
    let pages = before.chunks(PAGE).zip(after.chunks(PAGE)).enumerate();
    pages
        .filter(|(_, (before, after))| before != after)
        .flat_map(|(page, (before, after))| {
            let differs = move |at: &usize| before[*at] != after[*at];
            (0..before.len()).filter(differs).map(move |at| page * PAGE + at)
        })
}

fn assert_refused(entry: &Entry, argument: &str, answer: i32, seen: &Seen, what: &str) {
    if entry.is_wasi() {
        assert_eq!(answer, FAULT, "{what}");
        assert_eq!(seen.told, "", "{what}");
        return;
    }
    assert_eq!(answer, BAD_MEMORY, "{what}: {}", seen.told);
    let (start, end) = seen.told.split_once(" in context ").unwrap_or_default();
    let (_, reason) = end.split_once(": ").unwrap_or_default();
    assert_eq!(start, format!("p Debug: {}", entry.name), "{what}");
    assert!(
        reason.starts_with(&format!("InvalidMemoryAccess: {argument}: the range at")),
        "{what}: {}",
        seen.told
    );
    assert_eq!(seen.told.lines().count(), 1, "{what}: {}", seen.told);
}

/// Whether this is an answer that the ABI has.
pub(super) fn is_answer(entry: &Entry, answer: i32) -> bool {
    if entry.is_wasi() {
        matches!(answer, 0 | 8 | 20 | 21 | 28 | 44 | 52 | 58)
    } else {
        matches!(answer, 0 | 1 | 2 | 3 | 4 | 6 | 7 | 8 | 10 | 12)
    }
}

/// Whether a call may write here: in the places that it was given, and in what the allocator gave.
fn may_write(entry: &Entry, arguments: &[i64], at: usize) -> bool {
    let mut place = 0;
    let mut is_in = (0x10000..0x20000).contains(&at);
    for parameter in &entry.parameters {
        let pointer = arguments[place] as usize;
        let bytes = match parameter {
            Parameter::Out { bytes, .. } => *bytes as usize,
            Parameter::Fill => arguments[place + 1] as usize,
            _ => 0,
        };
        is_in |= (pointer..pointer + bytes).contains(&at);
        place += match parameter {
            Parameter::In(_) | Parameter::Fill | Parameter::Vectors => 2,
            _ => 1,
        };
    }
    is_in
}

/// Where each parameter begins among the arguments.
fn places(entry: &Entry) -> Vec<usize> {
    let mut next = 0;
    let place = |parameter: &Parameter| {
        let place = next;
        next += match parameter {
            Parameter::In(_) | Parameter::Fill | Parameter::Vectors => 2,
            _ => 1,
        };
        place
    };
    entry.parameters.iter().map(place).collect()
}

fn check_all(version: ProxyWasmVersion) {
    let mut count = 0;
    for function in 0..Kit::of(version).entries.len() {
        let mut hostile = Hostile::new(version);
        let entry = &hostile.kit.entries[function];
        if entry.is_exit() {
            continue;
        }
        let good = &hostile.kit.good[function];
        let mut all = vec![Case {
            arguments: good.clone(),
            expected: Expected::Exactly(entry.good.unwrap_or(OK)),
        }];
        for (parameter, at) in entry.parameters.iter().zip(places(entry)) {
            all.extend(cases(entry, good, at, parameter));
        }
        all.extend(overlaps(entry, good));
        for case in &all {
            hostile.set_allocator(Allocator::Good);
            check(&mut hostile, function, case);
        }
        count += all.len();
        hostile.serve_the_next(Group::Http);
    }
    assert!(count > 7_500, "{count} cases");
}

/// Places for answers that lie on each other, on what is read, and on what the allocator gives: all are read before any is
/// written.
fn overlaps(entry: &Entry, good: &[i64]) -> Vec<Case> {
    let places = places(entry);
    let outs = || {
        let pairs = entry.parameters.iter().zip(&places);
        pairs.filter(|(parameter, _)| matches!(parameter, Parameter::Out { .. }))
    };
    let mut targets = vec![i64::from(PLACES), 0x10000, 0x10002];
    for (parameter, at) in entry.parameters.iter().zip(&places) {
        if matches!(parameter, Parameter::In(_) | Parameter::Vectors) {
            targets.extend([good[*at], good[*at] + 1]);
        }
    }
    let expected = Expected::Exactly(entry.good.unwrap_or(OK));
    let on = |target: &i64| {
        let mut arguments = good.to_vec();
        outs().for_each(|(_, at)| arguments[*at] = *target);
        Case { arguments, expected }
    };
    if outs().next().is_none() {
        return Vec::new();
    }
    targets.iter().map(on).collect()
}

#[test]
fn pointers_and_lengths_of_0_1_0() {
    check_all(V0_1_0);
}

#[test]
fn pointers_and_lengths_of_0_2_0() {
    check_all(V0_2_0);
}

#[test]
fn pointers_and_lengths_of_0_2_1() {
    check_all(V0_2_1);
}

/// The vectors of `fd_write` are pointers too.
#[test]
fn vectors_that_lead_outside() {
    for version in ProxyWasmVersion::ALL {
        let mut hostile = Hostile::new(version);
        for name in ["fd_write", "fd_pwrite"] {
            let good = hostile.kit.good_step(name);
            let vectors = good.arguments[1] as u32;
            for (pointer, length) in ranges(PLACES, 8) {
                let vector = [pointer.to_le_bytes(), length.to_le_bytes()].concat();
                hostile.put(vectors, &vector);
                let seen = hostile.run_once(REQUEST_HEADERS, vec![good.clone()]);
                let expected = if is_inside(pointer, u64::from(length)) {
                    0
                } else {
                    FAULT
                };
                assert_eq!(
                    seen.answers,
                    [Some(expected)],
                    "{name} of {pointer:#x}, {length:#x}"
                );
                assert_eq!(
                    seen.told.is_empty(),
                    expected == FAULT || length == 0,
                    "{}",
                    seen.told
                );
            }
            hostile.serve_the_next(Group::Http);
        }
    }
}
