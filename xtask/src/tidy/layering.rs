//! The arrows between crates are those of the table in `ARCHITECTURE.md`, and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::Problem;
use crate::repository::Repository;

/// Where the table stands.
const TABLE: &str = "ARCHITECTURE.md";

/// Packages that only one crate may depend on: the crate, what begins their names, and whether other crates' tests may use
/// them, as those that read the ledger do.
const OWNED: [(&str, &[&str], bool); 2] = [
    ("wharf-engine", &["wasmtime", "cranelift"], false),
    (
        "wharf-config",
        &[
            "granit-parser",
            "serde_yaml",
            "serde-saphyr",
            "saphyr",
            "yaml-rust",
        ],
        true,
    ),
];

/// Who else may depend on an owned package: Rego has functions that read YAML, and a policy's text is no configuration.
const ALSO: [(&str, &str); 1] = [("wharf-abi-wapc", "granit-parser")];

/// The chores of the repository, which ship nothing and may read YAML too.
const TOOLS: [&str; 2] = ["xtask", "wharf-conformance-envoy"];

/// What one crate may depend on.
#[derive(Default)]
struct Row {
    line: usize,
    product: BTreeSet<String>,
    tests: BTreeSet<String>,
}

/// What one crate does depend on.
struct Package {
    name: String,
    /// Relative to the root.
    manifest: String,
    dependencies: Vec<(String, bool)>,
}

pub(super) fn check(repository: &Repository) -> Vec<Problem> {
    let packages = match packages(repository.root()) {
        Ok(packages) => packages,
        Err(reason) => return vec![Problem::of_file("Cargo.toml", reason)],
    };
    let Some(text) = repository.text(TABLE) else {
        return vec![Problem::of_file(
            TABLE,
            "is missing: it has the table of the crates",
        )];
    };
    compare(&rows(text), &packages, |manifest, dependency| {
        line_of(repository, manifest, dependency)
    })
}

fn compare(
    rows: &BTreeMap<String, Row>,
    packages: &[Package],
    line_of: impl Fn(&str, &str) -> usize,
) -> Vec<Problem> {
    let names: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut problems = Vec::new();
    for (name, row) in rows.iter().filter(|(name, _)| !names.contains(name.as_str())) {
        problems.push(Problem::at(
            TABLE,
            row.line,
            format!("there is no crate `{name}`"),
        ));
    }
    for package in packages {
        let Some(row) = rows.get(&package.name) else {
            problems.push(Problem::of_file(
                &package.manifest,
                format!("is not in the table of {TABLE}"),
            ));
            continue;
        };
        for (dependency, for_tests) in &package.dependencies {
            let allowed = row.product.contains(dependency) || (*for_tests && row.tests.contains(dependency));
            let wrong = if names.contains(dependency.as_str()) {
                (!allowed).then(|| format!("the table of {TABLE} has no arrow from here to `{dependency}`"))
            } else {
                owner_of(dependency, *for_tests)
                    .filter(|owner| **owner != package.name && !TOOLS.contains(&package.name.as_str()))
                    .filter(|_| !ALSO.contains(&(package.name.as_str(), dependency.as_str())))
                    .map(|owner| format!("only `{owner}` depends on `{dependency}`"))
            };
            problems
                .extend(wrong.map(|text| {
                    Problem::at(&package.manifest, line_of(&package.manifest, dependency), text)
                }));
        }
    }
    problems
}

fn owner_of(dependency: &str, for_tests: bool) -> Option<&'static str> {
    let owns = |prefixes: &&[&str]| prefixes.iter().any(|prefix| dependency.starts_with(prefix));
    OWNED
        .iter()
        .find(|(_, prefixes, tests_too)| owns(prefixes) && !(for_tests && *tests_too))
        .map(|(owner, ..)| *owner)
}

/// The rows of the table: a crate between backticks, what it is for, what it may depend on, what its tests may beside.
fn rows(text: &str) -> BTreeMap<String, Row> {
    let mut rows = BTreeMap::new();
    for (line, text) in (1..).zip(text.lines()) {
        let cells: Vec<&str> = text.trim_matches('|').split('|').map(str::trim).collect();
        if let [name, _, product, tests] = cells[..]
            && let Some(name) = name.strip_prefix('`').and_then(|name| name.strip_suffix('`'))
        {
            rows.insert(
                name.to_owned(),
                Row {
                    line,
                    product: crates(product),
                    tests: crates(tests),
                },
            );
        }
    }
    rows
}

/// `plugin, config` is `wharf-plugin` and `wharf-config`; `–` is none.
fn crates(cell: &str) -> BTreeSet<String> {
    let names = cell
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty() && *name != "–");
    names.map(|name| format!("wharf-{name}")).collect()
}

fn packages(root: &Path) -> Result<Vec<Package>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("`cargo metadata` cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "`cargo metadata` failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let packages = metadata["packages"]
        .as_array()
        .ok_or("`cargo metadata` names no packages")?;
    Ok(packages
        .iter()
        .map(|package| read_package(package, root))
        .collect())
}

fn read_package(package: &Value, root: &Path) -> Package {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let manifest = text(&package["manifest_path"]);
    let relative = Path::new(&manifest)
        .strip_prefix(root)
        .map(|path| path.to_string_lossy().into_owned());
    let dependencies = package["dependencies"].as_array().into_iter().flatten();
    Package {
        name: text(&package["name"]),
        manifest: relative.unwrap_or(manifest),
        dependencies: dependencies
            .map(|one| (text(&one["name"]), one["kind"] == "dev"))
            .collect(),
    }
}

fn line_of(repository: &Repository, manifest: &str, dependency: &str) -> usize {
    let names =
        |line: &str| line.starts_with(dependency) && line[dependency.len()..].starts_with(['.', ' ', '=']);
    let lines = repository.text(manifest).unwrap_or_default().lines();
    (1..)
        .zip(lines)
        .find(|(_, line)| names(line))
        .map_or(0, |(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = "\
| crate | purpose | may depend on | its tests beside |
|---|---|---|---|
| `wharf-plugin` | pure | – | – |
| `wharf-engine` | runs | plugin | testing |
| `wharf-testing` | tests | – | – |
";

    fn found(packages: &[(&str, &[(&str, bool)])]) -> Vec<String> {
        let package = |(name, dependencies): &(&str, &[(&str, bool)])| Package {
            name: (*name).into(),
            manifest: format!("crates/{name}/Cargo.toml"),
            dependencies: dependencies
                .iter()
                .map(|(name, dev)| ((*name).into(), *dev))
                .collect(),
        };
        let packages: Vec<Package> = packages.iter().map(package).collect();
        compare(&rows(ROWS), &packages, |_, _| 7)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    const GOOD: [(&str, &[(&str, bool)]); 3] = [
        ("wharf-plugin", &[("bytes", false)]),
        (
            "wharf-engine",
            &[
                ("wharf-plugin", false),
                ("wasmtime", false),
                ("wharf-testing", true),
            ],
        ),
        ("wharf-testing", &[]),
    ];

    #[test]
    fn arrows_of_the_table_are_good() {
        assert_eq!(found(&GOOD), [""; 0]);
    }

    #[test]
    fn an_arrow_that_is_not_in_the_table_is_found() {
        let mut packages = GOOD;
        packages[0].1 = &[("wharf-engine", false)];
        assert_eq!(
            found(&packages),
            [
                "crates/wharf-plugin/Cargo.toml:7: the table of ARCHITECTURE.md has no arrow from here to `wharf-engine`"
            ]
        );
        packages[0].1 = &[];
        packages[1].1 = &[("wharf-testing", false)];
        assert!(found(&packages)[0].contains("no arrow from here to `wharf-testing`"));
    }

    #[test]
    fn wasmtime_and_yaml_have_one_owner() {
        let mut packages = GOOD;
        packages[0].1 = &[("wasmtime", true), ("granit-parser", false), ("saphyr", true)];
        let problems = found(&packages);
        assert_eq!(problems.len(), 2, "tests may read YAML: {problems:?}");
        assert!(
            problems[0].ends_with("only `wharf-engine` depends on `wasmtime`"),
            "{problems:?}"
        );
        assert!(
            problems[1].ends_with("only `wharf-config` depends on `granit-parser`"),
            "{problems:?}"
        );
    }

    #[test]
    fn crates_and_rows_without_each_other_are_found() {
        let problems = found(&[GOOD[0], GOOD[1], ("wharf-new", &[])]);
        assert_eq!(
            problems,
            [
                "ARCHITECTURE.md:5: there is no crate `wharf-testing`",
                "crates/wharf-new/Cargo.toml: is not in the table of ARCHITECTURE.md"
            ]
        );
    }
}
