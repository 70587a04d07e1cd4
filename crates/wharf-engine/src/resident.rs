//! How much of an instance's memory stays in place for the next instance in the pool.
//!
//! What stays is cleared by hand, all of it; what does not is given back to the kernel, page by page of what was touched. That
//! costs a page fault for each page that is touched again, and an interrupt to every other core that runs guests, each of which
//! has to forget the pages too. So keeping pays where guests touch it, and where it is the whole memory and that is small:
//!
//! ```text
//! Go, Rego, AssemblyScript   │ data ▪▪▪▪▪▪▪ │ heap ▪▪▪…            from the beginning
//! Rust, C                    │ stack                 ▪▪│ data ▪▪ │ heap ▪…
//! ```

use wasmparser::{DataKind, Operator, Parser, Payload};

/// What is kept of a memory whose beginning is used.
pub(crate) const KEPT: usize = 512 << 10;

/// The largest memory that is kept as a whole.
const MOST_WHOLE: usize = 2 << 20;

/// How many bytes from the beginning are kept of memories of this module: [`KEPT`]; or, where all of its data lie behind that,
/// all of a memory that begins with no more than 2 MiB, and nothing of a larger one. Below such data is a stack that grows down
/// towards the beginning and hardly ever gets there.
///
/// It is a guess about where a guest will write, and whatever it is, every instance begins with the same memory. Bytes that
/// cannot be read are taken as any: compiling them says what is wrong with them.
pub(crate) fn of(bytes: &[u8]) -> usize {
    match has_data_only_behind(bytes) {
        Some(true) if is_small(bytes) => MOST_WHOLE,
        Some(true) => 0,
        _ => KEPT,
    }
}

/// Whether the module has a memory of its own that begins with no more than may be kept as a whole.
fn is_small(bytes: &[u8]) -> bool {
    let pages = (MOST_WHOLE >> 16) as u64;
    let memories = Parser::new(0)
        .parse_all(bytes)
        .filter_map(|payload| match payload {
            Ok(Payload::MemorySection(memories)) => memories.into_iter().next(),
            _ => None,
        });
    memories
        .flatten()
        .next()
        .is_some_and(|memory| memory.initial <= pages)
}

/// Whether there are data and all of them lie behind what may be kept; none where that is not said.
fn has_data_only_behind(bytes: &[u8]) -> Option<bool> {
    let mut has_data = false;
    for payload in Parser::new(0).parse_all(bytes) {
        let Payload::DataSection(section) = payload.ok()? else {
            continue;
        };
        for segment in section {
            let DataKind::Active { offset_expr, .. } = segment.ok()?.kind else {
                continue;
            };
            let Operator::I32Const { value } = offset_expr.get_operators_reader().read().ok()? else {
                return None;
            };
            if (value.cast_unsigned() as usize) < KEPT {
                return Some(false);
            }
            has_data = true;
        }
    }
    Some(has_data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(fields: &str) -> usize {
        of(&wat::parse_str(format!("(module (memory 32) {fields})")).unwrap())
    }

    #[test]
    fn the_beginning_is_kept_where_data_lie_in_it() {
        assert_eq!(kept(r#"(data (i32.const 1024) "x")"#), KEPT);
        assert_eq!(
            kept(r#"(data (i32.const 1048576) "x") (data (i32.const 524287) "x")"#),
            KEPT
        );
        assert_eq!(kept(""), KEPT);
        assert_eq!(kept(r#"(data "passive")"#), KEPT);
        assert_eq!(of(b"no module"), KEPT);
    }

    #[test]
    fn all_or_nothing_is_kept_where_a_stack_comes_first() {
        for data in [
            r#"(data (i32.const 1048576) "x") (data (i32.const 1060000) "y")"#,
            r#"(data (i32.const 524288) "x")"#,
            // An offset that is read as a negative number is one beyond 2 GiB.
            r#"(data (i32.const -65536) "x")"#,
        ] {
            assert_eq!(kept(data), MOST_WHOLE, "{data}");
            let large = wat::parse_str(format!("(module (memory 33) {data})")).unwrap();
            assert_eq!(of(&large), 0, "{data}");
            let imported = wat::parse_str(format!(r#"(module (import "env" "memory" (memory 1)) {data})"#));
            assert_eq!(of(&imported.unwrap()), 0, "{data}");
        }
    }

    #[test]
    fn data_whose_place_is_not_said_may_lie_anywhere() {
        let at_global = r#"(global $g i32 (i32.const 1048576)) (data (global.get $g) "x")"#;
        assert_eq!(kept(at_global), KEPT);
    }
}
