//! Holds `conformance/proxy-wasm.yaml` against the code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use granit_parser::{Event, Parser};
use wharf_abi_proxy_wasm::{callbacks, host_functions};
use wharf_plugin::ProxyWasmVersion::{self, V0_1_0, V0_2_0, V0_2_1};

const VERSIONS: [(ProxyWasmVersion, &str); 3] = [(V0_1_0, "0.1.0"), (V0_2_0, "0.2.0"), (V0_2_1, "0.2.1")];

/// One line of the ledger: its fields, each a list of scalars.
type Entry = BTreeMap<String, Vec<String>>;

/// The lines of each section, in order.
type Ledger = BTreeMap<String, Vec<Entry>>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Reads the ledger. It is sections, which are lists of mappings from names to scalars or lists of scalars.
fn ledger() -> Ledger {
    let path = root().join("conformance/proxy-wasm.yaml");
    let text = std::fs::read_to_string(path).expect("the ledger is there");
    let mut ledger = Ledger::new();
    let (mut section, mut field) = (String::new(), String::new());
    let (mut mappings, mut lists) = (0, 0);
    for event in Parser::new_from_str(&text) {
        match event.expect("the ledger is YAML").0 {
            Event::MappingStart(..) => {
                mappings += 1;
                if mappings == 2 {
                    ledger.entry(section.clone()).or_default().push(Entry::new());
                }
            }
            Event::MappingEnd => {
                mappings -= 1;
                field.clear();
            }
            Event::SequenceStart(..) => lists += 1,
            Event::SequenceEnd => {
                lists -= 1;
                field.clear();
            }
            Event::Scalar(text, ..) => match (mappings, lists) {
                (1, _) => section = text.into_owned(),
                (2, 1) if field.is_empty() => field = text.into_owned(),
                _ => {
                    let entry = ledger.get_mut(&section).and_then(|entries| entries.last_mut());
                    let entry = entry.expect("a field is in a line");
                    entry.entry(field.clone()).or_default().push(text.into_owned());
                    if lists == 1 {
                        field.clear();
                    }
                }
            },
            _ => {}
        }
    }
    ledger
}

fn one<'a>(entry: &'a Entry, field: &str) -> Option<&'a str> {
    let values = entry.get(field)?;
    assert_eq!(values.len(), 1, "{field} of {entry:?}");
    Some(&values[0])
}

fn name(entry: &Entry) -> &str {
    one(entry, "name").unwrap_or_else(|| panic!("a line without a name: {entry:?}"))
}

/// The names in a section that this version of the ABI has.
fn names<'a>(ledger: &'a Ledger, section: &str, version: &str) -> BTreeSet<&'a str> {
    let entries = ledger[section]
        .iter()
        .filter(|entry| match entry.get("versions") {
            Some(versions) => versions.iter().any(|other| other == version),
            None => true,
        });
    entries.map(name).collect()
}

#[test]
fn the_ledger_lists_the_host_functions_of_each_version() {
    let ledger = ledger();
    for (version, text) in VERSIONS {
        let given = host_functions(version);
        let of = |wanted: &str| -> BTreeSet<&str> {
            given
                .iter()
                .filter(|function| function.module == wanted)
                .map(|function| function.name)
                .collect()
        };
        assert_eq!(names(&ledger, "functions", text), of("env"), "{text}");
        assert_eq!(
            names(&ledger, "wasi", text),
            of("wasi_snapshot_preview1"),
            "{text}"
        );
        assert_eq!(of("wasi_unstable"), of("wasi_snapshot_preview1"), "{text}");
    }
}

#[test]
fn the_states_in_the_ledger_are_those_of_the_code() {
    let ledger = ledger();
    let listed = |section: &str, wanted: &str| {
        let entry = ledger[section].iter().find(|entry| name(entry) == wanted);
        let entry = entry.unwrap_or_else(|| panic!("{wanted} is not in the ledger"));
        one(entry, "status").unwrap_or_default().to_owned()
    };
    for (version, text) in VERSIONS {
        for function in host_functions(version) {
            let section = if function.module == "env" {
                "functions"
            } else {
                "wasi"
            };
            let (name, support) = (function.name, function.support);
            assert_eq!(listed(section, name), support.label(), "{name}");
        }
        let given = callbacks(version);
        for callback in &given {
            let (name, support) = (callback.name, callback.support);
            assert_eq!(listed("callbacks", name), support.label(), "{name}");
        }
        let known: BTreeSet<&str> = given.iter().map(|callback| callback.name).collect();
        assert_eq!(names(&ledger, "callbacks", text), known, "{text}");
    }
}

#[test]
fn the_ledger_lists_the_functions_that_the_host_calls() {
    let ledger = ledger();
    let exports = std::fs::read_to_string(root().join("crates/wharf-abi-proxy-wasm/src/exports.rs")).unwrap();
    let vm = std::fs::read_to_string(root().join("crates/wharf-abi-proxy-wasm/src/vm.rs")).unwrap();
    let called: BTreeSet<&str> = quoted_after(&exports, "function(")
        .chain(quoted_after(&exports, "headers_callback(instance, "))
        .chain(quoted_after(&exports, "let name = "))
        .chain(quoted_after(&vm, "u32>("))
        .chain(quoted_after(&vm, "()>("))
        .collect();
    let wanted = |entry: &&Entry| one(entry, "status") != Some("no");
    let listed: BTreeSet<&str> = ["start", "callbacks"]
        .iter()
        .flat_map(|section| ledger[*section].iter().filter(wanted))
        .map(name)
        .collect();
    assert_eq!(listed, called);
}

/// The texts in quotes that stand right behind `before`.
fn quoted_after<'a>(source: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
    let found = source.split(before).skip(1);
    found.filter_map(|rest| {
        rest.trim_start()
            .strip_prefix('"')?
            .split_once('"')
            .map(|(text, _)| text)
    })
}

#[test]
fn no_name_stands_twice_in_a_section() {
    for (section, entries) in ledger() {
        let names: BTreeSet<_> = entries.iter().map(name).collect();
        assert_eq!(names.len(), entries.len(), "{section}");
    }
}

#[test]
fn each_line_has_what_its_status_needs() {
    for entry in ledger().values().flatten() {
        let tested = entry.contains_key("tests") || entry.contains_key("by");
        match one(entry, "status") {
            Some("supported") => {
                assert!(tested, "{} has no test", name(entry));
                assert!(
                    !entry.contains_key("reason"),
                    "{} is supported and has a reason",
                    name(entry)
                );
            }
            Some("partial" | "no") => {
                assert!(one(entry, "reason").is_some(), "{} has no reason", name(entry))
            }
            status => panic!("{} has the status {status:?}", name(entry)),
        }
        for field in entry.keys() {
            let known = ["name", "status", "versions", "reason", "differs", "by", "tests"];
            assert!(
                known.contains(&field.as_str()),
                "{} has the field {field}",
                name(entry)
            );
        }
    }
}

#[test]
fn each_test_that_is_named_exists() {
    let ledger = ledger();
    let named = ledger.values().flatten().filter_map(|entry| entry.get("tests"));
    let missing: BTreeSet<_> = named.flatten().filter(|test| !exists(test)).collect();
    assert!(missing.is_empty(), "there are no such tests: {missing:#?}");
}

/// Whether a crate has the test function `path`. Its modules are files, or the `tests` in one.
fn exists(path: &str) -> bool {
    let (crate_name, path) = match path.split_once("::") {
        Some((first, rest)) if first.starts_with("wharf_") => (first, rest),
        _ => ("wharf_abi_proxy_wasm", path),
    };
    let Some((modules, function)) = path.rsplit_once("::") else {
        return false;
    };
    let sources = root()
        .join("crates")
        .join(crate_name.replace('_', "-"))
        .join("src");
    let file = sources.join(modules.replace("::", "/")).with_extension("rs");
    let parent = file.parent().expect("it is below src").with_extension("rs");
    let declaration = format!("#[test]\nfn {function}(");
    let nested = format!("#[test]\n    fn {function}(");
    [file, parent].iter().any(|file| {
        let source = std::fs::read_to_string(file).unwrap_or_default();
        source.contains(&declaration) || source.contains(&nested)
    })
}
