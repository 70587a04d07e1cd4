//! Modules, before anything compiles them.

use std::sync::OnceLock;

use wharf_engine::{Engine, EngineSettings};
use wharf_plugin::{
    Export, IdentifyError, Import, Limits, ModuleSections, ModuleSurface, Reference, Section,
    VerifiedArtifact, identify,
};

/// Reads the bytes as a module in each of the ways in which one is read before it is compiled. What is found is not
/// larger than the bytes can account for, and the ways do not contradict each other.
pub fn inspect(bytes: &[u8]) {
    let surface = ModuleSurface::parse(bytes);
    match &surface {
        Ok(surface) => check_surface(bytes, surface),
        Err(error) => assert!(error.offset <= bytes.len() && !error.to_string().is_empty()),
    }
    match ModuleSections::parse(bytes) {
        Ok(sections) => check_sections(bytes, &sections),
        Err(error) => assert!(error.offset <= bytes.len() && !error.to_string().is_empty()),
    }
    match identify(bytes) {
        Ok(module) => {
            assert!(!module.abis.is_empty());
            assert_eq!(Ok(&module.surface), surface.as_ref());
            module
                .abis
                .iter()
                .for_each(|abi| assert!(!abi.to_string().is_empty()));
        }
        Err(error) => check_error(&error),
    }
    check_requirements(bytes);
}

fn check_error(error: &IdentifyError) {
    assert!(!error.to_string().is_empty() && !error.hint().is_empty());
}

/// What the text of a type may have for each byte of its definition, and what a name may have for each byte of its own.
const FACTOR: usize = 64;

fn check_surface(bytes: &[u8], surface: &ModuleSurface) {
    assert!(surface.imports.len() <= ModuleSurface::MAX_ITEMS);
    assert!(surface.exports.len() <= ModuleSurface::MAX_ITEMS);
    let names = surface.imports.iter().map(|import| import.name.len());
    let names: usize = names
        .chain(surface.exports.iter().map(|export| export.name.len()))
        .sum();
    assert!(names <= bytes.len(), "more names than bytes");
    for Import {
        signature, module, ..
    } in &surface.imports
    {
        assert!(signature.len() <= FACTOR * bytes.len() && module.len() <= bytes.len());
    }
    for Export { signature, .. } in &surface.exports {
        assert!(signature.len() <= FACTOR * bytes.len());
    }
    // Types are shared by those that have them, so that their text is written only for a few.
    let lines = surface.imports.iter().take(20).map(ToString::to_string);
    let lines = lines.chain(surface.exports.iter().take(20).map(ToString::to_string));
    assert!(lines.into_iter().all(|line| !line.is_empty()));
    for export in &surface.exports {
        assert_eq!(
            surface.export(&export.name).map(|found| &found.name),
            Some(&export.name)
        );
    }
}

fn check_sections(bytes: &[u8], found: &ModuleSections) {
    let most = ModuleSections::MAX_ITEMS;
    for count in [
        found.sections.len(),
        found.producers.len(),
        found.memories.len(),
        found.tables.len(),
    ] {
        assert!(count <= most);
    }
    // Only custom sections have their names in the module.
    let name = |section: &Section| if section.custom { section.name.len() } else { 0 };
    let content: usize = found
        .sections
        .iter()
        .map(|section| name(section) + section.bytes)
        .sum();
    assert!(content <= bytes.len(), "more sections than bytes");
    assert!(found.functions <= bytes.len());
    let named = found
        .sections
        .iter()
        .any(|section| section.name == "name" && section.custom);
    assert_eq!(found.has_names(), named);
    let _ = (found.has_debug_information(), found.bytes_of("code"));
}

/// What the engine looks at before it compiles.
fn check_requirements(bytes: &[u8]) {
    let artifact = VerifiedArtifact::dangerously_unverified(Reference::File("a.wasm".into()), bytes.to_vec());
    if let Err(error) = engine().check(&artifact, &Limits::default()) {
        assert!(!error.to_string().is_empty());
    }
}

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        Engine::new(EngineSettings::default()).expect("an engine with default settings starts")
    })
}
