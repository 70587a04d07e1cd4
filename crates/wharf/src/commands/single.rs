//! What the commands about one plugin have in common: which plugin is meant, and an engine for it.

use wharf_engine::{CompiledCache, Engine, EngineError, EngineSettings};
use wharf_plugin::{PluginName, Reference};

/// Reads `PLUGIN`: a reference, or else the path of a file.
pub(crate) fn plugin(text: &str) -> Result<Reference, String> {
    let is_reference = ["file:", "https:", "oci:", "registry:"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    if !is_reference {
        return Ok(Reference::File(text.into()));
    }
    text.parse::<Reference>()
        .map_err(|error| format!("{error}; {}", error.hint()))
}

/// Reads `REF` of the commands that are about registries: a reference, the path of a file that there is, or else the name of an image.
pub(crate) fn artifact(text: &str) -> Result<Reference, String> {
    let is_reference = text.contains("://")
        || ["file:", "https:", "oci:", "registry:"]
            .iter()
            .any(|scheme| text.starts_with(scheme));
    if is_reference {
        return text
            .parse::<Reference>()
            .map_err(|error| format!("{error}; {}", error.hint()));
    }
    let is_path = text.starts_with(['/', '.']) || std::path::Path::new(text).is_file();
    if is_path {
        return Ok(Reference::File(text.into()));
    }
    let reference = Reference::Oci(text.to_owned());
    match reference.as_image() {
        Some(Err(error)) => Err(format!(
            "there is no such file, and as the name of an image: {error}; write for example registry.example/plugins/greet:1.2"
        )),
        _ => Ok(reference),
    }
}

/// A name for a plugin that nobody has named: that of its file, or of its image.
pub(super) fn name_of(reference: &Reference) -> PluginName {
    let last = match reference {
        Reference::File(path) => path.file_stem().map(|stem| stem.to_string_lossy().into_owned()),
        Reference::Oci(_) => match reference.as_image() {
            Some(Ok(image)) => image.repository().rsplit('/').next().map(str::to_owned),
            _ => None,
        },
        Reference::Https(text) => {
            let path = text.split(['#', '?']).next().unwrap_or_default();
            let file = path.rsplit('/').next().unwrap_or_default();
            Some(file.trim_end_matches(".wasm").to_owned())
        }
    };
    last.and_then(|name| PluginName::new(&name.to_lowercase()).ok())
        .unwrap_or_else(|| PluginName::new("plugin").expect("the word is a good name"))
}

/// An engine with the cache that `serve` has where the configuration names none.
pub(super) fn engine() -> Result<Engine, EngineError> {
    Engine::new(EngineSettings {
        cache: CompiledCache::default_directory().map(CompiledCache::new),
        ..EngineSettings::default()
    })
}

/// An error with the reasons behind it, in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(reason) = cause {
        let reason_text = reason.to_string();
        // Where a level adds nothing, it is not said twice.
        if !text.ends_with(&reason_text) {
            text = format!("{text}: {reason_text}");
        }
        cause = reason.source();
    }
    text
}

/// Text for a terminal: what a guest or a module's author wrote must not move the cursor.
pub(crate) fn shown(text: &str) -> String {
    let escape = |character: char| character.is_control() && character != '\t';
    if !text.chars().any(escape) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if escape(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_is_a_path_or_a_reference() {
        assert_eq!(plugin("a/b"), Ok(Reference::File("a/b".into())));
        assert_eq!(plugin("file:a/b.wasm"), Ok(Reference::File("a/b.wasm".into())));
        assert!(plugin("file:a/b").unwrap_err().contains("neither"));
    }

    #[test]
    fn a_file_gives_its_name_where_it_is_one() {
        let name = |path: &str| name_of(&Reference::File(path.into())).to_string();
        assert_eq!(name("x/Rust-Auth.wasm"), "rust-auth");
        assert_eq!(name("x/a b.wasm"), "plugin");
    }

    #[test]
    fn control_characters_are_written_out() {
        assert_eq!(shown("a\u{1b}[31m\tb\u{9b}"), "a\\u{1b}[31m\tb\\u{9b}");
    }
}
