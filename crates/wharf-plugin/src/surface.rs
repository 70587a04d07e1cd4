//! What a module shows to the outside: its imports and exports with their types.

use std::fmt;
use std::sync::Arc;

use wasmparser::{ExternalKind, Parser, Payload, TypeRef, WasmFeatures};

/// The imports and exports of a module, in the order in which the module has them.
///
/// Reading it takes one pass over the section headers; no function body is decoded, and nothing is validated beyond
/// what is read. Memory stays proportional to the module, whatever its bytes claim.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModuleSurface {
    /// What the module wants to be given.
    pub imports: Vec<Import>,
    /// What the module gives.
    pub exports: Vec<Export>,
    /// The content of the custom section in which Kubewarden's policies describe themselves; of several the first.
    pub kubewarden_metadata: Option<Arc<[u8]>>,
}

/// Something that a module wants to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The module name of the import, for instance `env`.
    pub module: Arc<str>,
    /// The name in that module.
    pub name: String,
    /// What it is to be.
    pub kind: ExternKind,
    /// Its type as text: `(i32, i32) -> i32`, `memory 1`, `global i32`.
    pub signature: Arc<str>,
}

/// Something that a module gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: ExternKind,
    /// Its type as text, as in [`Import::signature`]; empty where the module's own index for it does not exist.
    pub signature: Arc<str>,
}

/// The kinds of things that can be imported or exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExternKind {
    /// A function.
    Function,
    /// A table.
    Table,
    /// A linear memory.
    Memory,
    /// A global variable.
    Global,
    /// An exception tag.
    Tag,
}

impl ModuleSurface {
    /// The most imports, and the most exports, that are read. Real modules have some hundreds.
    pub const MAX_ITEMS: usize = 100_000;

    /// Reads the surface of a core module.
    ///
    /// # Errors
    /// When the bytes are not a core module of version 1, or end or go wrong before all sections were seen.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedModule> {
        let mut reader = SurfaceReader::default();
        let mut parser = Parser::new(0);
        parser.set_features(WasmFeatures::default());
        for payload in parser.parse_all(bytes) {
            reader.take(payload?)?;
        }
        Ok(reader.surface)
    }

    /// The export with this name, of whatever kind.
    pub fn export(&self, name: &str) -> Option<&Export> {
        self.exports.iter().find(|export| export.name == name)
    }

    /// Whether there is an exported function with this name.
    pub fn exports_function(&self, name: &str) -> bool {
        self.exports
            .iter()
            .any(|export| export.name == name && export.kind == ExternKind::Function)
    }
}

impl fmt::Display for ExternKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Function => "function",
            Self::Table => "table",
            Self::Memory => "memory",
            Self::Global => "global",
            Self::Tag => "tag",
        })
    }
}

impl fmt::Display for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}: ", self.module, self.name)?;
        write_type(f, self.kind, &self.signature)
    }
}

impl fmt::Display for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name)?;
        write_type(f, self.kind, &self.signature)
    }
}

fn write_type(f: &mut fmt::Formatter<'_>, kind: ExternKind, signature: &str) -> fmt::Result {
    if signature.is_empty() {
        write!(f, "{kind}")
    } else {
        f.write_str(signature)
    }
}

/// Bytes that began like a module and went wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset:#x}: {reason}")]
pub struct MalformedModule {
    /// Where it went wrong, counted from the beginning of the bytes.
    pub offset: usize,
    /// What went wrong.
    pub reason: String,
}

impl From<wasmparser::Error> for MalformedModule {
    fn from(error: wasmparser::Error) -> Self {
        Self {
            offset: error.offset(),
            reason: error.message().to_owned(),
        }
    }
}

const KUBEWARDEN_METADATA: &str = "io.kubewarden.metadata";

/// The index spaces of a module, as far as they are needed to say the type of an export.
#[derive(Default)]
struct SurfaceReader {
    surface: ModuleSurface,
    /// The text of each type; shared by all that have it, so that repeating an index costs no memory.
    types: Vec<Arc<str>>,
    function_types: Vec<u32>,
    tag_types: Vec<u32>,
    tables: Vec<Arc<str>>,
    memories: Vec<Arc<str>>,
    globals: Vec<Arc<str>>,
}

impl SurfaceReader {
    fn take(&mut self, payload: Payload<'_>) -> Result<(), MalformedModule> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    self.types.extend(group?.into_types().map(|ty| type_text(&ty)));
                }
            }
            Payload::ImportSection(section) => {
                let start = section.range().start;
                for import in section.into_imports() {
                    self.take_import(&import?, start)?;
                }
            }
            Payload::FunctionSection(section) => {
                for type_index in section {
                    self.function_types.push(type_index?);
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    self.tables.push(table_text(&table?.ty));
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    self.memories.push(memory_text(&memory?));
                }
            }
            Payload::TagSection(section) => {
                for tag in section {
                    self.tag_types.push(tag?.func_type_idx);
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    self.globals.push(global_text(&global?.ty));
                }
            }
            Payload::ExportSection(section) => {
                let start = section.range().start;
                for export in section {
                    self.take_export(&export?, start)?;
                }
            }
            Payload::CustomSection(section)
                if section.name() == KUBEWARDEN_METADATA && self.surface.kubewarden_metadata.is_none() =>
            {
                self.surface.kubewarden_metadata = Some(section.data().into());
            }
            _ => {}
        }
        Ok(())
    }

    fn take_import(
        &mut self,
        import: &wasmparser::Import<'_>,
        section_start: usize,
    ) -> Result<(), MalformedModule> {
        refuse_more_than(self.surface.imports.len(), "imports", section_start)?;
        let (kind, signature) = match import.ty {
            TypeRef::Func(index) | TypeRef::FuncExact(index) => {
                self.function_types.push(index);
                (ExternKind::Function, self.type_at(index))
            }
            TypeRef::Tag(tag) => {
                self.tag_types.push(tag.func_type_idx);
                (ExternKind::Tag, self.type_at(tag.func_type_idx))
            }
            TypeRef::Table(table) => (
                ExternKind::Table,
                push_shared(&mut self.tables, table_text(&table)),
            ),
            TypeRef::Memory(memory) => (
                ExternKind::Memory,
                push_shared(&mut self.memories, memory_text(&memory)),
            ),
            TypeRef::Global(global) => (
                ExternKind::Global,
                push_shared(&mut self.globals, global_text(&global)),
            ),
        };
        let module = match self.surface.imports.last() {
            Some(last) if *last.module == *import.module => Arc::clone(&last.module),
            _ => import.module.into(),
        };
        self.surface.imports.push(Import {
            module,
            name: import.name.to_owned(),
            kind,
            signature,
        });
        Ok(())
    }

    fn take_export(
        &mut self,
        export: &wasmparser::Export<'_>,
        section_start: usize,
    ) -> Result<(), MalformedModule> {
        refuse_more_than(self.surface.exports.len(), "exports", section_start)?;
        let index = usize::try_from(export.index).unwrap_or(usize::MAX);
        let (kind, signature) = match export.kind {
            ExternalKind::Func | ExternalKind::FuncExact => (
                ExternKind::Function,
                self.function_types.get(index).map(|ty| self.type_at(*ty)),
            ),
            ExternalKind::Tag => (
                ExternKind::Tag,
                self.tag_types.get(index).map(|ty| self.type_at(*ty)),
            ),
            ExternalKind::Table => (ExternKind::Table, self.tables.get(index).cloned()),
            ExternalKind::Memory => (ExternKind::Memory, self.memories.get(index).cloned()),
            ExternalKind::Global => (ExternKind::Global, self.globals.get(index).cloned()),
        };
        let signature = signature.unwrap_or_default();
        self.surface.exports.push(Export {
            name: export.name.to_owned(),
            kind,
            signature,
        });
        Ok(())
    }

    fn type_at(&self, index: u32) -> Arc<str> {
        usize::try_from(index)
            .ok()
            .and_then(|index| self.types.get(index))
            .cloned()
            .unwrap_or_default()
    }
}

fn refuse_more_than(count: usize, what: &str, offset: usize) -> Result<(), MalformedModule> {
    if count < ModuleSurface::MAX_ITEMS {
        return Ok(());
    }
    Err(MalformedModule {
        offset,
        reason: format!("more than {} {what}", ModuleSurface::MAX_ITEMS),
    })
}

fn push_shared(list: &mut Vec<Arc<str>>, text: Arc<str>) -> Arc<str> {
    list.push(Arc::clone(&text));
    text
}

fn type_text(ty: &wasmparser::SubType) -> Arc<str> {
    match &ty.composite_type.inner {
        wasmparser::CompositeInnerType::Func(function) => function_text(function),
        wasmparser::CompositeInnerType::Array(_) => "array".into(),
        wasmparser::CompositeInnerType::Struct(_) => "struct".into(),
        wasmparser::CompositeInnerType::Cont(_) => "continuation".into(),
    }
}

fn function_text(function: &wasmparser::FuncType) -> Arc<str> {
    let list = |types: &[wasmparser::ValType]| {
        types
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let params = list(function.params());
    match function.results() {
        [] => format!("({params})").into(),
        [one] => format!("({params}) -> {one}").into(),
        many => format!("({params}) -> ({})", list(many)).into(),
    }
}

fn table_text(table: &wasmparser::TableType) -> Arc<str> {
    format!(
        "table {} of {}",
        bounds_text(table.initial, table.maximum),
        table.element_type
    )
    .into()
}

fn memory_text(memory: &wasmparser::MemoryType) -> Arc<str> {
    let width = if memory.memory64 { "64-bit " } else { "" };
    let shared = if memory.shared { "shared " } else { "" };
    format!(
        "{shared}{width}memory {}",
        bounds_text(memory.initial, memory.maximum)
    )
    .into()
}

fn global_text(global: &wasmparser::GlobalType) -> Arc<str> {
    let mutable = if global.mutable { "mutable " } else { "" };
    format!("{mutable}global {}", global.content_type).into()
}

fn bounds_text(initial: u64, maximum: Option<u64>) -> String {
    match maximum {
        Some(maximum) => format!("{initial} to {maximum}"),
        None => initial.to_string(),
    }
}
