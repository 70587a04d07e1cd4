//! What a module needs before it runs, held against the plugin's limits before anything is compiled.

use wasmparser::{Parser, Payload, TypeRef, Validator, WasmFeatures};
use wharf_plugin::{ByteSize, Limits};

use crate::limiter::MOST_TABLES;

/// Something that a module needs from the start and its plugin may not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OverLimit {
    /// Memory.
    #[error("it starts with {needed} of memory, and its limit is {limit}")]
    Memory {
        /// The minimum that it declares.
        needed: ByteSize,
        /// What the plugin may have.
        limit: ByteSize,
    },
    /// Elements of one table.
    #[error("it starts with a table of {needed} elements, and its limit is {limit}")]
    TableElements {
        /// The minimum that it declares.
        needed: u64,
        /// What the plugin may have.
        limit: u32,
    },
    /// Tables.
    #[error("it has {count} tables, and at most {limit} are given")]
    Tables {
        /// How many it has.
        count: u32,
        /// How many a module may have.
        limit: u32,
    },
}

/// Looks through the sections of a module, without its code. Bytes that cannot be read pass: compiling them says what
/// is wrong with them.
pub(crate) fn check(bytes: &[u8], limits: &Limits) -> Result<(), OverLimit> {
    let mut tables: u32 = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(Payload::MemorySection(memories)) => {
                for memory in memories.into_iter().flatten() {
                    check_memory(memory.initial, limits)?;
                }
            }
            Ok(Payload::TableSection(section)) => {
                for table in section.into_iter().flatten() {
                    tables = tables.saturating_add(1);
                    check_table(table.ty.initial, limits)?;
                }
            }
            Ok(Payload::ImportSection(imports)) => {
                for import in imports.into_imports().flatten() {
                    match import.ty {
                        TypeRef::Table(_) => tables = tables.saturating_add(1),
                        // It becomes a memory of the module's own.
                        TypeRef::Memory(memory) => check_memory(memory.initial, limits)?,
                        _ => {}
                    }
                }
            }
            Ok(Payload::CodeSectionStart { .. }) | Err(_) => break,
            Ok(_) => {}
        }
    }
    match tables {
        0..=MOST_TABLES => Ok(()),
        count => Err(OverLimit::Tables {
            count,
            limit: MOST_TABLES,
        }),
    }
}

fn check_memory(pages: u64, limits: &Limits) -> Result<(), OverLimit> {
    let needed = ByteSize::from_bytes(pages.saturating_mul(65_536));
    if needed.bytes() <= limits.memory.bytes() {
        return Ok(());
    }
    Err(OverLimit::Memory {
        needed,
        limit: limits.memory,
    })
}

fn check_table(needed: u64, limits: &Limits) -> Result<(), OverLimit> {
    if needed <= u64::from(limits.table_elements) {
        return Ok(());
    }
    Err(OverLimit::TableElements {
        needed,
        limit: limits.table_elements,
    })
}

/// Whether some engine with every proposal would take these bytes, so that it is this one's choice to refuse them.
pub(crate) fn is_valid_elsewhere(bytes: &[u8]) -> bool {
    Validator::new_with_features(WasmFeatures::all())
        .validate_all(bytes)
        .is_ok()
}
