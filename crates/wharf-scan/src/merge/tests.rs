use wharf_report::{DetectedSecret, PackageIdentifier};

use super::*;
use crate::findings::FileFindings;

/// A layer, by its digest.
fn layer(digest: &str) -> Findings {
    Findings {
        layer: Layer {
            diff_id: digest.into(),
            size: 7,
            created_by: "RUN it".into(),
            ..Layer::default()
        },
        ..Findings::default()
    }
}

/// A file in which the module 0 found `found`.
fn file(path: &str, found: AnalysisResult) -> FileFindings {
    FileFindings {
        path: path.into(),
        found: vec![(0, found)],
    }
}

/// A custom resource that says that it is of `path`.
fn custom(path: &str, kind: &str) -> AnalysisResult {
    AnalysisResult {
        custom_resources: vec![CustomResource {
            kind: kind.into(),
            file_path: path.into(),
            ..CustomResource::default()
        }],
        ..AnalysisResult::default()
    }
}

fn application(path: &str, packages: &[&str]) -> AnalysisResult {
    AnalysisResult {
        applications: vec![Application {
            kind: "npm".into(),
            file_path: path.into(),
            packages: packages
                .iter()
                .map(|name| Package {
                    name: (*name).into(),
                    ..Package::default()
                })
                .collect(),
        }],
        ..AnalysisResult::default()
    }
}

fn merged(layers: Vec<Findings>) -> Merged {
    merge(layers, |_| "module")
}

/// The paths and layers of the custom resources.
fn resources(merged: &Merged) -> Vec<(&str, &str)> {
    merged
        .custom_resources
        .iter()
        .map(|found| (found.file_path.as_str(), found.layer.diff_id.as_str()))
        .collect()
}

#[test]
fn a_whiteout_takes_a_path_and_all_below_it() {
    let mut lower = layer("1");
    for path in ["a", "a/x", "a/y/z", "a.b", "ab", "b"] {
        lower.files.push(file(path, custom(&format!("/{path}"), "k")));
    }
    let mut upper = layer("2");
    upper.whiteouts = vec!["a".into(), "nothing".into()];
    assert_eq!(
        resources(&merged(vec![lower, upper])),
        [("/a.b", "1"), ("/ab", "1"), ("/b", "1")]
    );
}

#[test]
fn an_opaque_directory_is_empty_but_for_its_own_layer() {
    let mut lower = layer("1");
    lower.files.push(file("a/x", custom("a/x", "k")));
    lower.files.push(file("a", custom("a", "k")));
    let mut upper = layer("2");
    upper.opaque_directories = vec!["a/".into()];
    upper.files.push(file("a/y", custom("a/y", "k")));
    let found = merged(vec![lower.clone(), upper]);
    assert_eq!(resources(&found), [("a", "1"), ("a/y", "2")]);
    let mut all = layer("3");
    all.opaque_directories = vec![String::new()];
    assert_eq!(resources(&merged(vec![lower, all])), []);
}

#[test]
fn a_file_of_an_upper_layer_replaces_what_was_found_in_it() {
    let mut lower = layer("1");
    lower.files.push(file("conf", custom("said/elsewhere", "k")));
    lower.files.push(file("other", custom("other", "k")));
    let mut upper = layer("2");
    // The modules find nothing in it any more.
    upper.files.push(FileFindings {
        path: "conf".into(),
        found: Vec::new(),
    });
    assert_eq!(resources(&merged(vec![lower.clone(), upper])), [("other", "1")]);
    let mut upper = layer("2");
    upper.whiteouts = vec!["conf".into()];
    assert_eq!(resources(&merged(vec![lower, upper])), [("other", "1")]);
}

#[test]
fn of_two_findings_of_one_place_the_upper_one_counts_and_says_its_layer() {
    let mut lower = layer("1");
    lower.files.push(file("x", custom("same", "k")));
    let mut upper = layer("2");
    upper.files.push(file("y", custom("/same", "k")));
    upper.files.push(file("y2", custom("same", "another")));
    let found = merged(vec![lower, upper]);
    assert_eq!(resources(&found), [("same", "2"), ("/same", "2")]);
    // Neither how large the layer is, nor by what it was made, is said beside a finding.
    assert_eq!(found.custom_resources[0].layer.size, 0);
    assert_eq!(found.custom_resources[0].layer.created_by, "");
}

#[test]
fn a_secret_stays_though_its_file_is_gone() {
    let secret = |rules: &[&str]| AnalysisResult {
        secrets: vec![Secret {
            file_path: "key".into(),
            findings: Some(
                rules
                    .iter()
                    .map(|rule| DetectedSecret {
                        rule_id: (*rule).into(),
                        ..DetectedSecret::default()
                    })
                    .collect(),
            ),
        }],
        ..AnalysisResult::default()
    };
    let mut lower = layer("1");
    lower.files.push(file("key", secret(&["a", "b"])));
    let mut upper = layer("2");
    upper.whiteouts = vec!["key".into()];
    upper.files.push(file("key", secret(&["b", "c"])));
    let found = merged(vec![lower, upper]);
    let findings = found.secrets[0].findings.as_ref().unwrap();
    let told: Vec<_> = findings
        .iter()
        .map(|found| (found.rule_id.as_str(), found.layer.diff_id.as_str()))
        .collect();
    assert_eq!(told, [("b", "2"), ("c", "2"), ("a", "1")]);
    assert_eq!(findings[0].layer.created_by, "RUN it");
}

#[test]
fn a_file_in_the_place_of_a_folder_takes_all_below_it_away() {
    let mut lower = layer("1");
    lower.files.push(file("a/x", custom("/a/x", "k")));
    lower.files.push(file("ab", custom("/ab", "k")));
    let mut upper = layer("2");
    upper.files.push(file("a", AnalysisResult::default()));
    assert_eq!(resources(&merged(vec![lower, upper])), [("/ab", "1")]);
}

#[test]
fn a_package_is_of_the_layer_in_which_it_came_in() {
    let mut lower = layer("1");
    lower
        .files
        .push(file("lock", application("lock", &["old", "gone"])));
    let mut upper = layer("2");
    upper
        .files
        .push(file("lock", application("lock", &["old", "new"])));
    let mut found = merged(vec![lower, upper]);
    let mut packages = std::mem::take(&mut found.applications[0].packages);
    packages.push(Package {
        layer: Layer {
            diff_id: "its own".into(),
            ..Layer::default()
        },
        identifier: PackageIdentifier::default(),
        ..Package::default()
    });
    for package in &mut packages {
        found.origins.give("lock", package);
    }
    let told: Vec<_> = packages
        .iter()
        .map(|package| {
            (
                package.name.as_str(),
                package.layer.diff_id.as_str(),
                package.analyzed_by.as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("old", "1", "module"),
            ("new", "2", "module"),
            ("", "its own", "")
        ]
    );
}

#[test]
fn the_operating_system_is_that_of_the_uppermost_layer_that_names_one() {
    let os = |name: &str| AnalysisResult {
        os: Os {
            family: name.into(),
            ..Os::default()
        },
        ..AnalysisResult::default()
    };
    let mut lower = layer("1");
    lower.files.push(file("etc/os-release", os("alpine")));
    let mut upper = layer("2");
    upper.files.push(file("etc/os-release", os("")));
    assert_eq!(merged(vec![lower, upper]).os.family, "alpine");
}

#[test]
fn many_whiteouts_of_many_findings_take_no_time_to_speak_of() {
    let mut lower = layer("1");
    for index in 0..20_000 {
        let path = format!("d/{index}");
        lower.files.push(file(&path, custom(&path, "k")));
    }
    let mut upper = layer("2");
    upper.whiteouts = (0..20_000).map(|index| format!("d/{index}")).collect();
    assert_eq!(resources(&merged(vec![lower, upper])), []);
}
