//! What a module is made of: its sections and their sizes, its memories and tables, and who made it.

use std::collections::BTreeMap;

use wasmparser::{BinaryReader, KnownCustom, Parser, Payload, ProducersSectionReader, TypeRef, WasmFeatures};

use crate::MalformedModule;

/// The sections of a core module, for people who want to know what is in it.
///
/// Reading it takes one pass over the section headers; no function body is decoded. Memory stays proportional to the
/// module, whatever its bytes claim. A `producers` section that is damaged is passed over: nothing depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModuleSections {
    /// The sections in the module's order.
    pub sections: Vec<Section>,
    /// Who made the module, as its `producers` section says; nobody checks that.
    pub producers: Vec<Producer>,
    /// The memories, imported ones first, in pages of 64 KiB.
    pub memories: Vec<Bounds>,
    /// The tables, imported ones first, in elements.
    pub tables: Vec<Bounds>,
    /// How many functions the module defines.
    pub functions: usize,
}

/// One section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its name: that of the specification, such as `code`, or of a custom section its own.
    pub name: String,
    /// Whether it is a custom section, which has no meaning for what the module does.
    pub custom: bool,
    /// How many bytes its content has, without the header.
    pub bytes: usize,
}

/// One line of a `producers` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Producer {
    /// What it had to do with the module: `language`, `processed-by` or `sdk`.
    pub field: String,
    /// Its name, such as `Rust`.
    pub name: String,
    /// Its version; may be empty.
    pub version: String,
}

/// How large a memory or a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// At the start.
    pub initial: u64,
    /// At most, where the module says so.
    pub maximum: Option<u64>,
}

/// The sections that tools for WebAssembly write about a module, and the annotations of OCI that mean the same.
const ANNOTATIONS: [(&str, &str); 7] = [
    ("authors", "org.opencontainers.image.authors"),
    ("description", "org.opencontainers.image.description"),
    ("homepage", "org.opencontainers.image.url"),
    ("licenses", "org.opencontainers.image.licenses"),
    ("revision", "org.opencontainers.image.revision"),
    ("source", "org.opencontainers.image.source"),
    ("version", "org.opencontainers.image.version"),
];
/// The most bytes of an annotation.
const MOST_ANNOTATION: usize = 4 << 10;

impl ModuleSections {
    /// The most sections, and the most of anything in one, that are read. Real modules have some dozens.
    pub const MAX_ITEMS: usize = 10_000;

    /// Reads the sections of a core module.
    ///
    /// # Errors
    /// When the bytes end or go wrong before all sections were seen, or are too many. The bytes of a component are
    /// read as far as they are sections of a module.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedModule> {
        let mut found = Self::default();
        let mut parser = Parser::new(0);
        parser.set_features(WasmFeatures::default());
        for payload in parser.parse_all(bytes) {
            found.take(&payload?)?;
        }
        Ok(found)
    }

    /// What a module says of itself in the sections that tools for WebAssembly write (`description`, `licenses` and so on), by the
    /// annotations of OCI that mean the same. A section that is no UTF-8, or longer than 4 KiB, is passed over, and so is
    /// whatever stands behind damage.
    pub fn annotations(bytes: &[u8]) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let mut parser = Parser::new(0);
        parser.set_features(WasmFeatures::default());
        for payload in parser.parse_all(bytes) {
            let Ok(payload) = payload else { break };
            let Payload::CustomSection(section) = payload else {
                continue;
            };
            let known = ANNOTATIONS.iter().find(|(name, _)| *name == section.name());
            let text = std::str::from_utf8(section.data()).ok();
            let text = text.filter(|text| text.len() <= MOST_ANNOTATION);
            if let Some(((_, annotation), text)) = known.zip(text) {
                found.insert((*annotation).to_owned(), text.to_owned());
            }
        }
        found
    }

    /// The bytes of all sections of this name; 0 where there is none.
    pub fn bytes_of(&self, name: &str) -> usize {
        let named = self.sections.iter().filter(|section| section.name == name);
        named.map(|section| section.bytes).sum()
    }

    /// Whether the module names its functions, so that backtraces have names.
    pub fn has_names(&self) -> bool {
        self.sections
            .iter()
            .any(|section| section.custom && section.name == "name")
    }

    /// Whether the module carries debug information, so that backtraces have lines of sources.
    pub fn has_debug_information(&self) -> bool {
        self.sections
            .iter()
            .any(|section| section.custom && section.name == ".debug_line")
    }

    fn take(&mut self, payload: &Payload<'_>) -> Result<(), MalformedModule> {
        if let Some((name, range)) = section_of(payload) {
            refuse_more_than(self.sections.len(), "sections", range.start)?;
            self.sections.push(Section {
                name: name.to_owned(),
                custom: matches!(payload, Payload::CustomSection(_)),
                bytes: range.len(),
            });
        }
        match payload {
            Payload::ImportSection(section) => self.take_imports(section)?,
            Payload::FunctionSection(section) => {
                self.functions += usize::try_from(section.count()).unwrap_or(usize::MAX);
            }
            Payload::MemorySection(section) => {
                for memory in section.clone() {
                    let memory = memory?;
                    refuse_more_than(self.memories.len(), "memories", section.range().start)?;
                    self.memories.push(Bounds {
                        initial: memory.initial,
                        maximum: memory.maximum,
                    });
                }
            }
            Payload::TableSection(section) => {
                for table in section.clone() {
                    let ty = table?.ty;
                    refuse_more_than(self.tables.len(), "tables", section.range().start)?;
                    self.tables.push(Bounds {
                        initial: ty.initial,
                        maximum: ty.maximum,
                    });
                }
            }
            Payload::CustomSection(section) => {
                if let KnownCustom::Producers(producers) = section.as_known() {
                    self.producers = read_producers(producers);
                } else if section.name() == "producers" {
                    let reader = BinaryReader::new(section.data(), section.data_offset());
                    self.producers = ProducersSectionReader::new(reader)
                        .map(read_producers)
                        .unwrap_or_default();
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn take_imports(&mut self, section: &wasmparser::ImportSectionReader<'_>) -> Result<(), MalformedModule> {
        let start = section.range().start;
        for import in section.clone().into_imports() {
            match import?.ty {
                TypeRef::Memory(memory) => {
                    refuse_more_than(self.memories.len(), "memories", start)?;
                    self.memories.push(Bounds {
                        initial: memory.initial,
                        maximum: memory.maximum,
                    });
                }
                TypeRef::Table(table) => {
                    refuse_more_than(self.tables.len(), "tables", start)?;
                    self.tables.push(Bounds {
                        initial: table.initial,
                        maximum: table.maximum,
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The name of the section that a payload is, and where its content lies.
fn section_of<'a>(payload: &Payload<'a>) -> Option<(&'a str, std::ops::Range<usize>)> {
    Some(match payload {
        Payload::TypeSection(section) => ("type", section.range()),
        Payload::ImportSection(section) => ("import", section.range()),
        Payload::FunctionSection(section) => ("function", section.range()),
        Payload::TableSection(section) => ("table", section.range()),
        Payload::MemorySection(section) => ("memory", section.range()),
        Payload::TagSection(section) => ("tag", section.range()),
        Payload::GlobalSection(section) => ("global", section.range()),
        Payload::ExportSection(section) => ("export", section.range()),
        Payload::StartSection { range, .. } => ("start", range.clone()),
        Payload::ElementSection(section) => ("element", section.range()),
        Payload::DataCountSection { range, .. } => ("data count", range.clone()),
        Payload::DataSection(section) => ("data", section.range()),
        Payload::CodeSectionStart { range, .. } => ("code", range.clone()),
        Payload::CustomSection(section) => (section.name(), section.data_offset()..section.range().end),
        _ => return None,
    })
}

/// What can be read of a `producers` section; the rest of a damaged one is left.
fn read_producers(section: ProducersSectionReader<'_>) -> Vec<Producer> {
    let mut producers = Vec::new();
    for field in section.into_iter().map_while(Result::ok) {
        for value in field.values.into_iter().map_while(Result::ok) {
            if producers.len() == ModuleSections::MAX_ITEMS {
                return producers;
            }
            producers.push(Producer {
                field: field.name.to_owned(),
                name: value.name.to_owned(),
                version: value.version.to_owned(),
            });
        }
    }
    producers
}

fn refuse_more_than(count: usize, what: &str, offset: usize) -> Result<(), MalformedModule> {
    if count < ModuleSections::MAX_ITEMS {
        return Ok(());
    }
    Err(MalformedModule {
        offset,
        reason: format!("more than {} {what}", ModuleSections::MAX_ITEMS),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(wat: &str) -> Vec<u8> {
        wat::parse_str(wat).unwrap()
    }

    /// A custom section of fewer than 128 bytes.
    fn custom(name: &str, content: &[u8]) -> Vec<u8> {
        let size = u8::try_from(1 + name.len() + content.len()).unwrap();
        assert!(size < 128);
        let mut section = vec![0, size, u8::try_from(name.len()).unwrap()];
        section.extend(name.as_bytes());
        section.extend(content);
        section
    }

    fn with(mut module: Vec<u8>, sections: &[Vec<u8>]) -> Vec<u8> {
        sections.iter().for_each(|section| module.extend(section));
        module
    }

    fn empty() -> Vec<u8> {
        b"\0asm\x01\0\0\0".to_vec()
    }

    #[test]
    fn sections_come_in_order_with_their_sizes() {
        let bytes = module(
            r#"(module
                (import "env" "table" (table 3 9 funcref))
                (memory 2 5) (table 7 funcref)
                (func $hello (export "hello")) (data (i32.const 0) "abc"))"#,
        );
        let found = ModuleSections::parse(&bytes).unwrap();
        let names: Vec<_> = found
            .sections
            .iter()
            .map(|section| section.name.as_str())
            .collect();
        assert_eq!(
            names,
            [
                "type", "import", "function", "table", "memory", "export", "code", "data", "name"
            ]
        );
        assert!(found.has_names() && !found.has_debug_information());
        let bounds = |initial, maximum| Bounds { initial, maximum };
        assert_eq!(found.memories, [bounds(2, Some(5))]);
        assert_eq!(found.tables, [bounds(3, Some(9)), bounds(7, None)]);
        assert_eq!(found.functions, 1);
        assert!(found.bytes_of("data") > 3 && found.bytes_of("element") == 0);
    }

    #[test]
    fn a_custom_section_counts_its_content_only() {
        let bytes = with(
            empty(),
            &[custom("note", b"12345"), custom("", b""), custom("type", b"x")],
        );
        let found = ModuleSections::parse(&bytes).unwrap();
        let section = |name: &str, bytes| Section {
            name: name.into(),
            custom: true,
            bytes,
        };
        assert_eq!(
            found.sections,
            [section("note", 5), section("", 0), section("type", 1)]
        );
    }

    #[test]
    fn producers_are_read() {
        let content = b"\x02\x08language\x01\x04Rust\x00\x03sdk\x01\x03Foo\x031.2";
        let found = ModuleSections::parse(&with(empty(), &[custom("producers", content)])).unwrap();
        let producer = |field: &str, name: &str, version: &str| Producer {
            field: field.into(),
            name: name.into(),
            version: version.into(),
        };
        assert_eq!(
            found.producers,
            [producer("language", "Rust", ""), producer("sdk", "Foo", "1.2")]
        );
    }

    #[test]
    fn damaged_producers_are_passed_over() {
        for content in [
            &b""[..],
            b"\xff\xff\xff\xff\x0f",
            b"\xff\xff\xff\xff\xff\xff",
            b"\x01\x7fshort",
            b"\x01\x08language\xff\xff\xff\xff\x0f",
            b"\x01\x03sdk\x01\x02\xff\xfe\x00",
        ] {
            let found = ModuleSections::parse(&with(empty(), &[custom("producers", content)])).unwrap();
            assert_eq!(
                (found.producers.len(), found.sections.len()),
                (0, 1),
                "{content:?}"
            );
        }
        let half = b"\x02\x03sdk\x01\x03Foo\x00\x08langu";
        let found = ModuleSections::parse(&with(empty(), &[custom("producers", half)])).unwrap();
        assert_eq!(found.producers.len(), 1);
    }

    #[test]
    fn bytes_that_go_wrong_are_an_error_and_no_panic() {
        let good = with(
            module("(module (memory 1) (table 1 funcref) (func $f (param i32)) (data (i32.const 0) \"x\"))"),
            &[custom("producers", b"\x01\x03sdk\x01\x03Foo\x00")],
        );
        ModuleSections::parse(&good).unwrap();
        for end in 0..good.len() {
            // Cutting between two sections leaves a module.
            let _ = ModuleSections::parse(&good[..end]);
        }
        for at in 0..good.len() {
            for value in [0, 0x7f, 0x80, 0xff] {
                let mut bytes = good.clone();
                bytes[at] = value;
                let _ = ModuleSections::parse(&bytes);
            }
        }
        assert!(ModuleSections::parse(b"").is_err());
        assert!(ModuleSections::parse(b"not wasm").is_err());
        assert!(ModuleSections::parse(&good[..good.len() - 1]).is_err());
    }

    #[test]
    fn a_section_without_end_is_refused() {
        // A memory section that claims 2^32 − 1 memories and has none.
        let claims = with(empty(), &[b"\x05\x05\xff\xff\xff\xff\x0f".to_vec()]);
        assert!(ModuleSections::parse(&claims).is_err());
        let many = vec![custom("", b""); ModuleSections::MAX_ITEMS + 1];
        let error = ModuleSections::parse(&with(empty(), &many)).unwrap_err();
        assert_eq!(error.reason, "more than 10000 sections");
    }
}
