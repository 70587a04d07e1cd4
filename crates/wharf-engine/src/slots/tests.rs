use std::fs::File;

use rustix::mm::{Advice, madvise};

use super::*;

const PAGE: usize = 64 << 10;

fn slots(instances: u32, capacity: usize) -> Arc<Slots> {
    Slots::new(instances, capacity).expect("the kernel of a machine for tests is Linux 6.7 or later")
}

fn image(slots: &Arc<Slots>, pages: usize, parts: &[(usize, &[u8])]) -> Arc<StartImage> {
    let parts = parts.iter().map(|(at, bytes)| (*at, bytes.to_vec()));
    let plan = StartPlan::of_parts(pages * PAGE, parts.collect());
    slots.image(&plan, &[]).unwrap()
}

#[expect(unsafe_code, reason = "the memory is looked at as a guest does")]
fn bytes(pages: &mut Pages) -> &mut [u8] {
    // SAFETY: these bytes are accessible and nobody else knows them.
    unsafe { std::slice::from_raw_parts_mut(pages.as_ptr(), pages.size) }
}

/// What a memory of this image starts with.
fn start(pages: usize, parts: &[(usize, &[u8])]) -> Vec<u8> {
    let mut start = vec![0; pages * PAGE];
    for (at, bytes) in parts {
        start[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    start
}

/// Images with nothing, at the beginning, in the middle, and at the end of a page and of the memory.
fn images() -> Vec<Vec<(usize, &'static [u8])>> {
    vec![
        vec![],
        vec![(0, b"at the beginning")],
        vec![
            (70_000, b"in the middle"),
            (90_001, b"and again"),
            (70_003, b"above"),
        ],
        vec![(4 * PAGE - 3, b"end")],
        vec![(0, b"0"), (4 * PAGE - 1, b"1")],
    ]
}

#[test]
fn whatever_was_written_a_memory_is_again_as_it_starts() {
    for parts in images() {
        let slots = slots(1, 200 * PAGE);
        let image = image(&slots, 4, &parts);
        // Between them they write everywhere, and much more than is kept.
        for (grown, step) in [
            (4, 1),
            (4, 4096),
            (200, 8192),
            (5, 4096 * 3),
            (200, 4096),
            (4, 100_000),
            (90, 7),
        ] {
            let mut pages = slots.take(&image).unwrap();
            assert!(bytes(&mut pages) == start(4, &parts), "{grown} {step}");
            pages.grow_to(grown * PAGE).unwrap();
            assert!(
                bytes(&mut pages)[4 * PAGE..].iter().all(|byte| *byte == 0),
                "{grown} {step}"
            );
            bytes(&mut pages)
                .iter_mut()
                .step_by(step)
                .for_each(|byte| *byte = 0xAA);
        }
    }
}

#[test]
fn where_the_kernel_does_not_say_what_was_written_all_is_given_back() {
    for parts in images() {
        let slots = slots(1, 8 * PAGE);
        let image = image(&slots, 4, &parts);
        let mut slot = Slot::new(&image, 8 * PAGE).unwrap();
        let deaf = PageMap::of(File::open("/dev/null").unwrap());
        for _ in 0..3 {
            let mut pages = Pages {
                slot: Some(slot),
                size: 4 * PAGE,
                image: Arc::clone(&image),
            };
            assert!(bytes(&mut pages) == start(4, &parts));
            pages.grow_to(8 * PAGE).unwrap();
            bytes(&mut pages).fill(0xAA);
            slot = pages.slot.take().unwrap();
            // Taking it away left nothing to be given back.
            slots.state().in_use += 1;
            slot.reset(&image, &deaf, 8 * PAGE).unwrap();
            assert_eq!(slot.resident(), 0);
        }
    }
}

/// Says something only on a machine that swaps, which most for tests do not: there it was seen.
#[test]
fn what_is_swapped_out_is_put_back_too() {
    let swaps = std::fs::read_to_string("/proc/swaps").unwrap_or_default();
    let has_swap = swaps.lines().count() > 1;
    let parts: &[(usize, &[u8])] = &[(70_000, b"in the middle")];
    let slots = slots(1, 64 * PAGE);
    let image = image(&slots, 4, parts);
    for _ in 0..5 {
        let mut pages = slots.take(&image).unwrap();
        assert!(bytes(&mut pages) == start(4, parts));
        pages.grow_to(32 * PAGE).unwrap();
        bytes(&mut pages).fill(0xAA);
        #[expect(unsafe_code, reason = "the system is asked to swap a memory out")]
        // SAFETY: it changes nothing of what is in it.
        unsafe { madvise(pages.as_ptr().cast(), 32 * PAGE, Advice::LinuxPageOut) }.unwrap();
        let swapped = swapped(&pages);
        assert!(!has_swap || swapped > 0, "{swapped}");
    }
}

/// How many of its pages are swapped out.
fn swapped(pages: &Pages) -> usize {
    use std::os::unix::fs::FileExt;
    let pagemap = File::open("/proc/self/pagemap").unwrap();
    let page = rustix::param::page_size();
    let mut entries = vec![0; pages.size / page * 8];
    let first = (pages.as_ptr().addr() / page * 8) as u64;
    pagemap.read_exact_at(&mut entries, first).unwrap();
    // Bit 62, of numbers in the machine's order.
    let (entries, _) = entries.as_chunks::<8>();
    let is_swapped = |entry: &&[u8; 8]| u64::from_ne_bytes(**entry) >> 62 & 1 == 1;
    entries.iter().filter(is_swapped).count()
}

#[test]
fn no_more_are_in_use_than_may_be() {
    let slots = slots(2, PAGE);
    let image = image(&slots, 1, &[]);
    let living = [slots.take(&image).unwrap(), slots.take(&image).unwrap()];
    assert!(matches!(slots.take(&image), Err(NoMemory::Full)));
    drop(living);
    drop(slots.take(&image).unwrap());
    assert_eq!(slots.state().in_use, 0);
}

#[test]
fn a_memory_that_nobody_wanted_goes_back() {
    let slots = slots(1, PAGE);
    let image = image(&slots, 1, &[]);
    with_memory(slots.take(&image).unwrap(), || {
        assert_eq!(slots.state().in_use, 1)
    });
    assert_eq!(slots.state().in_use, 0);
    let panicked =
        std::panic::catch_unwind(|| with_memory(slots.take(&image).unwrap(), || panic!("on purpose")));
    assert!(panicked.is_err());
    assert_eq!(slots.state().in_use, 0);
    drop(slots.take(&image).unwrap());
}

#[test]
fn what_is_idle_is_bounded_and_goes_with_its_image() {
    const LARGE: usize = 4 << 20;
    let slots = slots(200, LARGE);
    let images: Vec<_> = (0..40).map(|_| image(&slots, LARGE / PAGE, &[])).collect();
    for image in &images {
        let mut pages = slots.take(image).unwrap();
        bytes(&mut pages).fill(1);
    }
    let kept = |image: &StartImage| slots.state().idle.get(&image.id()).map_or(0, Vec::len);
    // Those went that were used first.
    assert_eq!((kept(&images[0]), kept(&images[39])), (0, 1));
    assert!(slots.state().resident <= MOST_IDLE);
    // One has more than any other, as many instances of it lived at once.
    let living: Vec<_> = (0..100).map(|_| slots.take(&images[39]).unwrap()).collect();
    drop(living);
    assert!(kept(&images[39]) > 90);
    drop(images);
    let state = slots.state();
    assert_eq!((state.resident, state.idle_slots, state.idle.len()), (0, 0, 0));
}

#[test]
fn no_more_than_so_many_slots_are_idle() {
    let slots = slots(2, PAGE);
    let images: Vec<_> = (0..MOST_IDLE_SLOTS + 10).map(|_| image(&slots, 1, &[])).collect();
    drop(slots.take(images.last().unwrap()).unwrap());
    assert_eq!(slots.state().idle_slots, MOST_IDLE_SLOTS);
}

#[test]
fn a_memory_larger_than_its_slot_is_refused() {
    let slots = slots(1, PAGE);
    let plan = StartPlan::of_parts(2 * PAGE, Vec::new());
    assert!(slots.image(&plan, &[]).is_err());
    let image = image(&slots, 1, &[]);
    let mut pages = slots.take(&image).unwrap();
    assert!(pages.grow_to(2 * PAGE).is_err());
    assert_eq!(pages.byte_size(), PAGE);
}

fn plan(fields: &str) -> Option<(StartPlan, Vec<u8>)> {
    let wasm = wat::parse_str(format!("(module {fields})")).unwrap();
    StartPlan::read(&wasm, 16 * PAGE).map(|plan| (plan, wasm))
}

#[test]
fn a_module_without_its_data_is_one_still() {
    for (fields, is_named) in [
        (r#"(memory 1)"#, false),
        (
            r#"(memory 1) (data (i32.const 8) "data") (data (i32.const 9) "")"#,
            false,
        ),
        (
            r#"(memory 1) (data (i32.const 8) "data") (data "passive")"#,
            false,
        ),
        (
            r#"(memory 1) (data (i32.const 8) "data") (data $p "passive")
               (func (memory.init $p (i32.const 0) (i32.const 0) (i32.const 3)) (data.drop $p) (data.drop 0))"#,
            true,
        ),
    ] {
        let (plan, wasm) = plan(fields).expect(fields);
        let stripped = plan.strip(&wasm);
        wasmparser::validate(&stripped).expect(fields);
        let text = String::from_utf8_lossy(&stripped);
        assert!(!text.contains("data"), "{fields}");
        assert_eq!(text.contains("passive"), fields.contains("passive"));
        let again = StartPlan::read(&stripped, 16 * PAGE).unwrap().strip(&stripped);
        assert_eq!(again, stripped, "{fields}");
        assert_eq!(
            stripped.len() < wasm.len(),
            fields.contains("(data"),
            "{is_named} {fields}"
        );
    }
}

#[test]
fn where_the_start_is_not_known_there_is_no_plan() {
    for fields in [
        r#""#,
        r#"(import "a" "m" (memory 1))"#,
        r#"(memory 17)"#,
        r#"(memory i64 1)"#,
        r#"(memory 1) (memory 1)"#,
        r#"(memory 1) (data (i32.const 65535) "it does not fit")"#,
        r#"(memory 1) (data (i32.const -1) "nor does this")"#,
        r#"(memory 1) (data (i32.add (i32.const 1) (i32.const 2)) "computed")"#,
        r#"(import "a" "g" (global $g i32)) (memory 1) (data (global.get $g) "elsewhere")"#,
    ] {
        assert!(plan(fields).is_none(), "{fields}");
    }
    assert!(StartPlan::read(b"no module", PAGE).is_none());
    let far_apart = r#"(memory 600) (data (i32.const 0) "a") (data (i32.const 39000000) "b")"#;
    let wasm = wat::parse_str(format!("(module {far_apart})")).unwrap();
    assert!(StartPlan::read(&wasm, 1 << 30).is_none());
}

#[test]
fn a_damaged_module_is_never_made_a_good_one() {
    let module = r#"(module (import "a" "f" (func)) (memory (export "memory") 2 3) (global (mut i32) (i32.const 7))
        (table 2 funcref) (elem (i32.const 0) $go $go) (start $go)
        (data (i32.const 8) "first") (data (i32.const 131000) "last") (data $p "passive") (data (i32.const 9) "")
        (func $go (memory.init $p (i32.const 0) (i32.const 0) (i32.const 3)) (data.drop 0)))"#;
    let good = wat::parse_str(module).unwrap();
    let mut random = 1_u64;
    let mut next = move |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(random >> 33).unwrap() % below
    };
    let (mut planned, mut valid) = (0, 0);
    for _ in 0..50_000 {
        let mut bytes = good.clone();
        for _ in 0..=next(2) {
            let (at, byte) = (next(bytes.len()), u8::try_from(next(256)).unwrap());
            match next(3) {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        let Some(plan) = StartPlan::read(&bytes, 16 * PAGE) else {
            continue;
        };
        planned += 1;
        let (before, after) = (
            wasmparser::validate(&bytes),
            wasmparser::validate(&plan.strip(&bytes)),
        );
        let is_valid = before.is_ok();
        assert_eq!(
            is_valid,
            after.is_ok(),
            "{:?} {:?} {bytes:?}",
            before.err(),
            after.err()
        );
        valid += usize::from(is_valid);
        if is_valid {
            let slots = slots(1, 16 * PAGE);
            let image = slots.image(&plan, &bytes).unwrap();
            drop(slots.take(&image).unwrap());
        }
    }
    assert!(planned > 5_000 && valid > 1_000, "{planned} {valid}");
}
