//! The guests as they are committed: every one is there, valid, readable in a backtrace, and says nothing about the
//! machine that built it.

use std::path::{Path, PathBuf};

use wasmparser::{KnownCustom, Name, Parser, Payload, Validator};

use super::*;

fn folders() -> Folders {
    Folders::of_repository(&crate::repository_root())
}

fn committed(guest: Guest) -> Vec<u8> {
    let path = folders().committed(guest);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All guests in WAT of a kind.
fn wat_files_of(kind: Kind) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folders().workspace(kind).join("wat"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "wat"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn wat_files() -> Vec<PathBuf> {
    [Kind::Filter, Kind::Policy, Kind::Module]
        .into_iter()
        .flat_map(wat_files_of)
        .collect()
}

fn metadata_of(module: &[u8]) -> Vec<String> {
    Parser::new(0)
        .parse_all(module)
        .filter_map(|payload| match payload.unwrap() {
            Payload::CustomSection(section) if section.name() == metadata::SECTION => {
                Some(String::from_utf8(section.data().to_vec()).unwrap())
            }
            _ => None,
        })
        .collect()
}

fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).unwrap()
}

fn exported_names(module: &[u8]) -> Vec<String> {
    Parser::new(0)
        .parse_all(module)
        .filter_map(|payload| match payload.unwrap() {
            Payload::ExportSection(exports) => Some(exports),
            _ => None,
        })
        .flat_map(|exports| exports.into_iter().map(|export| export.unwrap().name.to_owned()))
        .collect()
}

fn has_function_names(module: &[u8]) -> bool {
    Parser::new(0)
        .parse_all(module)
        .any(|payload| match payload.unwrap() {
            Payload::CustomSection(section) => match section.as_known() {
                KnownCustom::Name(mut names) => names.any(|name| matches!(name, Ok(Name::Function(_)))),
                _ => false,
            },
            _ => false,
        })
}

#[test]
fn every_built_guest_is_a_valid_module_with_names() {
    for guest in GUESTS {
        let module = committed(guest);
        Validator::new()
            .validate_all(&module)
            .unwrap_or_else(|error| panic!("{}: {error}", guest.name));
        assert!(
            has_function_names(&module),
            "{}: a backtrace would have no names",
            guest.name
        );
    }
}

#[test]
fn every_built_guest_says_which_abi_it_speaks() {
    for guest in GUESTS {
        let marker = match guest.name {
            "policy-replicas" => "_start",
            _ if guest.kind == Kind::Policy => "__guest_call",
            _ if guest.kind == Kind::Module => "is_post_scanner",
            "c-legacy" => "proxy_abi_version_0_1_0",
            "as-counter" => "proxy_abi_version_0_2_0",
            _ => "proxy_abi_version_0_2_1",
        };
        assert!(
            exported_names(&committed(guest))
                .iter()
                .any(|name| name == marker),
            "{}",
            guest.name
        );
    }
}

#[test]
fn no_built_guest_names_a_folder_of_the_machine_that_built_it() {
    let repository = crate::repository_root().display().to_string();
    for guest in GUESTS {
        let module = committed(guest);
        for folder in [
            "/root/",
            "/home/",
            "/Users/",
            "/tmp/",
            ".cargo/registry",
            &repository,
        ] {
            let found = module
                .windows(folder.len())
                .any(|window| window == folder.as_bytes());
            assert!(!found, "{} has {folder} in it", guest.name);
        }
    }
}

#[test]
fn every_guest_in_wat_is_a_valid_module() {
    for path in wat_files() {
        let module = wat::parse_file(&path).unwrap_or_else(|error| panic!("{error}"));
        Validator::new()
            .validate_all(&module)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

#[test]
fn every_guest_has_a_readme_and_is_in_the_table() {
    let folders = folders();
    let table = std::fs::read_to_string(folders.guests.join("README.md")).unwrap();
    for guest in GUESTS {
        assert!(
            folders.source(guest).join("README.md").is_file(),
            "{} has no README.md",
            guest.name
        );
        let source = folders.source(guest);
        let relative = source.strip_prefix(&folders.guests).unwrap().display();
        assert!(
            table.contains(&format!("| [{}]({relative}/)", guest.name)),
            "{} is not in the table",
            guest.name
        );
    }
    for path in wat_files() {
        let relative = path.strip_prefix(&folders.guests).unwrap().display();
        assert!(
            table.contains(&format!("| [{}]({relative})", stem(&path))),
            "{relative} is not in the table"
        );
    }
}

#[test]
fn every_folder_of_guests_is_known_here() {
    let others = ["include", "policies", "reviews", "target", "trivy", "wat"];
    let folders = [Kind::Filter, Kind::Policy, Kind::Module].map(|kind| folders().workspace(kind));
    for entry in folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
    {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap();
        let known = others.contains(&name)
            // Rego is compiled by OPA itself.
            || path.join("policy.rego").is_file()
            || GUESTS.iter().any(|guest| guest.name == name);
        assert!(
            known || path.is_file(),
            "{} is not in the list of guests",
            path.display()
        );
    }
}

#[test]
fn every_policy_carries_the_metadata_that_stand_beside_its_source() {
    for guest in GUESTS.into_iter().filter(|guest| guest.kind == Kind::Policy) {
        let file = std::fs::read_to_string(folders().source(guest).join(metadata::FILE)).unwrap();
        assert_eq!(metadata_of(&committed(guest)), [file.trim()], "{}", guest.name);
    }
    for path in wat_files_of(Kind::Policy) {
        let metadata = metadata_of(&wat::parse_file(&path).unwrap());
        assert_eq!(metadata.len(), 1, "{}", path.display());
        serde_json::from_str::<serde_json::Value>(&metadata[0])
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

#[test]
fn a_policy_without_metadata_that_can_be_read_is_not_built() {
    let folder = tempfile::tempdir().unwrap();
    let add = || metadata::add(Vec::new(), folder.path()).unwrap_err().to_string();
    assert!(add().contains(metadata::FILE), "{}", add());
    std::fs::write(folder.path().join(metadata::FILE), "[]").unwrap();
    assert!(add().contains("is not a JSON object"), "{}", add());
}

#[test]
fn the_lock_file_of_the_npm_packages_names_no_host() {
    let lock = std::fs::read_to_string(folders().guests.join("as-counter/package-lock.json")).unwrap();
    assert!(!lock.contains("\"resolved\""));
}

#[test]
fn no_guest_is_left_out_for_its_language() {
    for guest in GUESTS {
        assert!(Language::ALL.contains(&guest.language), "{}", guest.name);
    }
}
