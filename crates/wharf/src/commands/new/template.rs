//! The templates, which lie in `templates/filter/` as the projects that come out of them for the name `my-filter`.

use clap::ValueEnum;

use super::name::ProjectName;

/// The name that the templates have. Its form for identifiers is the one with `_`.
const PLACEHOLDER: &str = "my-filter";

/// What filters can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    Rust,
    Go,
    C,
    #[value(name = "assemblyscript")]
    AssemblyScript,
}

/// A file of a project.
#[derive(Debug)]
pub(super) struct ProjectFile {
    /// Relative to the project's folder, with `/` between the parts.
    pub(super) path: String,
    pub(super) text: String,
}

/// The files of a template: each its path, and what is in it.
macro_rules! files {
    ($language:literal: $($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../../../templates/filter/", $language, "/", $path)))),+]
    };
}

const RUST: &[(&str, &str)] = files!("rust":
    ".github/workflows/test.yml",
    ".gitignore",
    "Cargo.toml",
    "README.md",
    "src/lib.rs",
    "tests/my-filter.test.yaml",
    "wharf.yaml",
);

const GO: &[(&str, &str)] = files!("go":
    ".github/workflows/test.yml",
    ".gitignore",
    "README.md",
    "go.mod",
    "go.sum",
    "main.go",
    "tests/my-filter.test.yaml",
    "wharf.yaml",
);

const C: &[(&str, &str)] = files!("c":
    ".github/workflows/test.yml",
    ".gitignore",
    "Makefile",
    "README.md",
    "my-filter.c",
    "proxy_wasm.h",
    "tests/my-filter.test.yaml",
    "wharf.yaml",
);

const ASSEMBLYSCRIPT: &[(&str, &str)] = files!("assemblyscript":
    ".github/workflows/test.yml",
    ".gitignore",
    "README.md",
    "assembly/index.ts",
    "package-lock.json",
    "package.json",
    "tests/my-filter.test.yaml",
    "wharf.yaml",
);

impl Language {
    /// The name as one writes it.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::Go => "Go",
            Self::C => "C",
            Self::AssemblyScript => "AssemblyScript",
        }
    }

    const fn template(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Rust => RUST,
            Self::Go => GO,
            Self::C => C,
            Self::AssemblyScript => ASSEMBLYSCRIPT,
        }
    }

    /// The files of a project with this name.
    pub(super) fn files(self, name: &ProjectName) -> Vec<ProjectFile> {
        let file = |(path, text): &(&str, &str)| ProjectFile {
            path: filled_in(path, name),
            text: filled_in(text, name),
        };
        self.template().iter().map(file).collect()
    }

    /// What has to be there for a build.
    pub(super) const fn needs(self) -> &'static str {
        match self {
            Self::Rust => "Rust 1.85 or later with `rustup target add wasm32-wasip1`",
            Self::Go => "Go 1.24 or later, not TinyGo",
            Self::C => "make, and zig or wasi-sdk (the README says how)",
            Self::AssemblyScript => "Node.js 20 or later",
        }
    }

    /// The commands that build the filter, test it, and run it by hand: as the template's README has them.
    pub(super) fn commands(self, name: &ProjectName) -> [String; 3] {
        let (build, run) = match self {
            Self::Rust => (
                "cargo build --release --target wasm32-wasip1",
                "wharf run target/wasm32-wasip1/release/my_filter.wasm --config '{\"require\": \"x-api-key\"}'",
            ),
            Self::Go => (
                "GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o my-filter.wasm .",
                "wharf run my-filter.wasm --config '{\"require\": \"x-api-key\"}'",
            ),
            Self::C => ("make", "wharf run my-filter.wasm --config 'require x-api-key'"),
            Self::AssemblyScript => (
                "npm ci && npm run build",
                "wharf run my-filter.wasm --config 'require x-api-key'",
            ),
        };
        let requests = "--request 'GET /' --request 'GET /' -H 'x-api-key: 1'";
        let run = format!("{run} {requests}");
        [build, "wharf test tests", &run].map(|command| filled_in(command, name))
    }
}

fn filled_in(text: &str, name: &ProjectName) -> String {
    text.replace(PLACEHOLDER, name.as_str())
        .replace(&PLACEHOLDER.replace('-', "_"), &name.identifier())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use wharf_config::cases::{self, Cases, Form};

    use super::*;

    fn name() -> ProjectName {
        ProjectName::new("probe-x9").unwrap()
    }

    fn files_below(folder: &Path, above: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files_below(&path, above, found);
            } else {
                found.insert(path.strip_prefix(above).unwrap().to_str().unwrap().to_owned());
            }
        }
    }

    #[test]
    fn each_file_of_a_template_is_written() {
        for language in Language::value_variants() {
            let key = language.to_possible_value().unwrap();
            let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("templates/filter")
                .join(key.get_name());
            let mut there = BTreeSet::new();
            files_below(&folder, &folder, &mut there);
            let written: BTreeSet<String> = language
                .template()
                .iter()
                .map(|(path, _)| (*path).to_owned())
                .collect();
            assert_eq!(there, written, "{language:?}");
        }
    }

    #[test]
    fn no_placeholder_is_left_over() {
        for language in Language::value_variants() {
            for file in language.files(&name()) {
                for text in [&file.path, &file.text] {
                    assert!(
                        !text.contains("my-filter") && !text.contains("my_filter"),
                        "{language:?} {}: {text}",
                        file.path
                    );
                }
                assert!(
                    !file.text.is_empty() && file.text.ends_with('\n'),
                    "{}",
                    file.path
                );
            }
        }
    }

    #[test]
    fn the_readme_has_the_commands_that_are_printed() {
        for language in Language::value_variants() {
            let files = language.files(&name());
            let readme = files.iter().find(|file| file.path == "README.md").unwrap();
            for command in language.commands(&name()) {
                assert!(
                    readme.text.lines().any(|line| line == format!("$ {command}")),
                    "{language:?}: {command}"
                );
            }
        }
    }

    #[test]
    fn the_cases_are_what_wharf_test_reads() {
        for language in Language::value_variants() {
            let files = language.files(&name());
            let path = "tests/probe-x9.test.yaml";
            let file = files.iter().find(|file| file.path == path).unwrap();
            let cases = cases::parse(&file.text, Path::new(path), Form::of(path).unwrap())
                .unwrap_or_else(|errors| panic!("{language:?}: {}", errors.render(false)));
            let Cases::Filters(cases) = cases else {
                panic!("{language:?}: these are cases of policies");
            };
            assert!(cases.len() >= 4, "{language:?}");
            let built = language.commands(&name())[2].clone();
            let plugin = cases[0].setup.plugin.to_string();
            let plugin = plugin.rsplit_once("../").unwrap().1;
            assert!(
                built.contains(&format!("wharf run {plugin} ")),
                "{plugin}: {built}"
            );
            assert!(
                cases.iter().any(|case| case.exchanges.len() > 1),
                "{language:?}: several requests"
            );
        }
    }
}
