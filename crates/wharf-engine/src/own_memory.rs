//! A module that imports its memory gets one of its own.
//!
//! OPA's policies, and modules of compilers that are told to, import `env.memory` and expect the host to give them an empty
//! memory of at least the size that they name. A memory that a host makes is neither mapped copy-on-write nor taken from
//! the pool, so the import is made a definition before such a module is compiled. Its index, its size and every instruction
//! stay the same:
//!
//! ```text
//! (import "env" "memory" (memory 2))   becomes   (memory (export "memory") 2)
//! ```
//!
//! A module that exports its memory under the name `memory` already, or something else under it, keeps that export. The
//! code of the rewritten module begins some bytes earlier or later than in the artifact, and so do the offsets in backtraces.

use std::borrow::Cow;
use std::ops::Range;

use wasm_encoder::{Encode, ExportKind, MemorySection, Module, RawSection, SectionId};
use wasmparser::{Encoding, Import, Imports, MemoryType, Parser, Payload, TypeRef};

/// What the module and the import are called.
const IMPORTED: (&str, &str) = ("env", "memory");

/// What hosts find a guest's memory by.
const EXPORTED: &str = "memory";

/// The module to compile: `bytes`, rewritten where they import `env.memory` and have no other memory.
///
/// Bytes that cannot be read are given back as they are: compiling them says what is wrong with them.
pub(crate) fn give(bytes: &[u8]) -> Cow<'_, [u8]> {
    match Sections::read(bytes) {
        Some(sections) => Cow::Owned(sections.rewritten(bytes)),
        None => Cow::Borrowed(bytes),
    }
}

/// The sections of a module that imports the only memory it has.
struct Sections {
    /// Each section's number and the range of its contents, in order.
    all: Vec<(u8, Range<usize>)>,
    /// The entry of the import section that names the memory.
    import: Range<usize>,
    /// The entries of the import section, without their count.
    imports: Range<usize>,
    import_count: u32,
    memory: MemoryType,
    /// The entries of the export section without their count, and how many there are.
    exports: Option<(Range<usize>, u32)>,
    has_export: bool,
}

impl Sections {
    /// `None` where there is nothing to rewrite.
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut all = Vec::new();
        let mut found = None;
        let mut exports = None;
        let mut has_export = false;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.ok()?;
            all.extend(payload.as_section());
            match payload {
                Payload::Version { encoding, .. } if encoding != Encoding::Module => return None,
                Payload::ImportSection(section) if found.is_none() => {
                    let imports = entries(section.range(), section.original_position());
                    found = Some((only_memory(section.clone())?, imports, section.count()));
                }
                Payload::ExportSection(section) if exports.is_none() => {
                    let range = entries(section.range(), section.original_position());
                    exports = Some((range, section.count()));
                    for export in section {
                        has_export |= export.ok()?.name == EXPORTED;
                    }
                }
                // A memory of its own, or a section that comes twice.
                Payload::MemorySection(_) | Payload::ImportSection(_) | Payload::ExportSection(_) => {
                    return None;
                }
                // Without imports there is nothing to do, and most modules need not be read to their end.
                Payload::FunctionSection(_) | Payload::CodeSectionStart { .. } if found.is_none() => {
                    return None;
                }
                _ => {}
            }
        }
        let ((import, memory), imports, import_count) = found?;
        Some(Self {
            all,
            import,
            imports,
            import_count,
            memory,
            exports,
            has_export,
        })
    }

    fn rewritten(&self, bytes: &[u8]) -> Vec<u8> {
        let mut module = Module::new();
        let mut memory = Some(self.memory_section());
        let mut exports = self.exports_section(bytes);
        for (id, contents) in &self.all {
            if memory.is_some() && order(*id) > order(SectionId::Memory.into()) {
                module.section(&memory.take().expect("it was looked at"));
            }
            if exports.is_some() && order(*id) >= order(SectionId::Export.into()) {
                let data = exports.take().expect("it was looked at");
                module.section(&raw(SectionId::Export, &data));
            }
            let id_of = |section: SectionId| *id == u8::from(section);
            if id_of(SectionId::Import) {
                module.section(&raw(SectionId::Import, &self.other_imports(bytes)));
            } else if self.has_export || !id_of(SectionId::Export) {
                module.section(&RawSection {
                    id: *id,
                    data: &bytes[contents.clone()],
                });
            }
        }
        if let Some(memory) = memory {
            module.section(&memory);
        }
        if let Some(data) = exports {
            module.section(&raw(SectionId::Export, &data));
        }
        module.finish()
    }

    fn memory_section(&self) -> MemorySection {
        let mut section = MemorySection::new();
        section.memory(wasm_encoder::MemoryType {
            minimum: self.memory.initial,
            maximum: self.memory.maximum,
            memory64: self.memory.memory64,
            shared: self.memory.shared,
            // The engine takes no module with another page size, so it need not be carried along.
            page_size_log2: None,
        });
        section
    }

    /// The import section without the memory.
    fn other_imports(&self, bytes: &[u8]) -> Vec<u8> {
        let mut data = Vec::new();
        (self.import_count - 1).encode(&mut data);
        data.extend_from_slice(&bytes[self.imports.start..self.import.start]);
        data.extend_from_slice(&bytes[self.import.end..self.imports.end]);
        data
    }

    /// The export section with the memory, where the module does not use the name already.
    fn exports_section(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        if self.has_export {
            return None;
        }
        let (range, count) = self.exports.clone().unwrap_or((0..0, 0));
        let mut data = Vec::new();
        count.saturating_add(1).encode(&mut data);
        data.extend_from_slice(&bytes[range]);
        EXPORTED.encode(&mut data);
        ExportKind::Memory.encode(&mut data);
        0_u32.encode(&mut data);
        Some(data)
    }
}

fn raw(id: SectionId, data: &[u8]) -> RawSection<'_> {
    RawSection { id: id.into(), data }
}

/// The entries of a section: its contents without the count before them.
fn entries(contents: Range<usize>, first: usize) -> Range<usize> {
    first..contents.end
}

/// The entry of `env.memory` and its type, where it is the only memory in the section.
fn only_memory(section: wasmparser::ImportSectionReader<'_>) -> Option<(Range<usize>, MemoryType)> {
    let end = section.range().end;
    let mut memory: Option<(usize, MemoryType)> = None;
    let mut starts = Vec::new();
    for entry in section.into_iter_with_offsets() {
        let (start, entry) = entry.ok()?;
        starts.push(start);
        // Groups of imports are a proposal that the engine does not take.
        let Imports::Single(_, Import { module, name, ty }) = entry else {
            return None;
        };
        if let TypeRef::Memory(ty) = ty {
            if memory.is_some() || (module, name) != IMPORTED {
                return None;
            }
            memory = Some((start, ty));
        }
    }
    let (start, ty) = memory?;
    let next = starts.into_iter().find(|other| *other > start).unwrap_or(end);
    (ty.page_size_log2.is_none()).then_some((start..next, ty))
}

/// Where a section stands in a module. Custom sections stand anywhere, so nothing has to come before them.
fn order(id: u8) -> u8 {
    const ORDER: [SectionId; 12] = [
        SectionId::Type,
        SectionId::Import,
        SectionId::Function,
        SectionId::Table,
        SectionId::Memory,
        SectionId::Tag,
        SectionId::Global,
        SectionId::Export,
        SectionId::Start,
        SectionId::Element,
        SectionId::DataCount,
        SectionId::Code,
    ];
    if id == u8::from(SectionId::Custom) {
        return 0;
    }
    let place = ORDER.iter().position(|section| u8::from(*section) == id);
    // The data section is the last one.
    place.map_or(u8::MAX, |place| place as u8 + 1)
}

#[cfg(test)]
mod tests {
    use wasmparser::Validator;

    use super::*;

    fn text_of(wat: &str) -> String {
        let bytes = wat::parse_str(wat).unwrap();
        let rewritten = give(&bytes);
        Validator::new().validate_all(&rewritten).unwrap();
        let mut lines = Vec::new();
        for payload in Parser::new(0).parse_all(&rewritten) {
            match payload.unwrap() {
                Payload::ImportSection(section) => {
                    lines.extend(section.into_imports().map(|import| {
                        let import = import.unwrap();
                        format!("import {}.{}", import.module, import.name)
                    }));
                }
                Payload::MemorySection(section) => {
                    lines.extend(section.into_iter().map(|memory| {
                        let memory = memory.unwrap();
                        format!("memory {} {:?}", memory.initial, memory.maximum)
                    }));
                }
                Payload::ExportSection(section) => lines.extend(section.into_iter().map(|export| {
                    let export = export.unwrap();
                    format!("export {} {:?} {}", export.name, export.kind, export.index)
                })),
                Payload::CustomSection(section) => lines.push(format!("custom {}", section.name())),
                _ => {}
            }
        }
        lines.join("; ")
    }

    #[test]
    fn an_imported_memory_becomes_a_defined_and_exported_one() {
        for (wat, expected) in [
            (
                r#"(module (import "env" "memory" (memory 2)))"#,
                "memory 2 None; export memory Memory 0",
            ),
            (
                r#"(module (import "env" "f" (func)) (import "env" "memory" (memory 2 7)) (import "env" "g" (global i32))
                    (table 1 funcref) (global (mut i32) (i32.const 1)) (export "f" (func 0))
                    (start 0) (elem (i32.const 0) 0) (data (i32.const 0) "x") (func (i32.store (i32.const 0) (i32.const 0))))"#,
                "import env.f; import env.g; memory 2 Some(7); export f Func 0; export memory Memory 0",
            ),
            (
                r#"(module (import "env" "memory" (memory 0)) (export "memory" (memory 0)) (export "m" (memory 0)))"#,
                "memory 0 None; export memory Memory 0; export m Memory 0",
            ),
            (
                r#"(module (import "env" "memory" (memory 1)) (func (export "memory")))"#,
                "memory 1 None; export memory Func 0",
            ),
            (
                r#"(module (import "env" "memory" (memory 1)) (@custom "a" (before type) "1") (@custom "b" "2") (data "x")
                    (func (data.drop 0)))"#,
                "custom a; memory 1 None; export memory Memory 0; custom b",
            ),
        ] {
            assert_eq!(text_of(wat), expected, "{wat}");
        }
    }

    #[test]
    fn other_modules_stay_as_they_are() {
        for wat in [
            "(module)",
            r#"(module (memory (export "memory") 1))"#,
            r#"(module (import "env" "f" (func)) (memory 1))"#,
            r#"(module (import "other" "memory" (memory 1)))"#,
            r#"(module (import "env" "memory2" (memory 1)))"#,
            r#"(module (import "env" "memory" (func)))"#,
            r#"(module (import "env" "memory" (memory 1)) (import "env" "memory" (memory 1)))"#,
            r#"(module (import "env" "memory" (memory 1)) (memory 1))"#,
        ] {
            let bytes = wat::parse_str(wat).unwrap();
            assert!(matches!(give(&bytes), Cow::Borrowed(_)), "{wat}");
        }
    }

    #[test]
    fn no_damage_to_a_module_makes_it_panic() {
        let wat = r#"(module (import "env" "f" (func)) (import "env" "memory" (memory 2)) (export "f" (func 0))
            (func (i32.store (i32.const 0) (i32.const 0))) (data (i32.const 0) "x"))"#;
        let good = wat::parse_str(wat).unwrap();
        for at in 0..good.len() {
            give(&good[..at]);
            for bits in [0x01, 0x80, 0xff] {
                let mut damaged = good.clone();
                damaged[at] ^= bits;
                give(&damaged);
            }
        }
    }
}
