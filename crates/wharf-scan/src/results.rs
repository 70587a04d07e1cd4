//! From what was found to the results of the report, in Trivy's order: packages of the operating system, those of languages,
//! configurations, secrets, licenses, and what modules keep for themselves.

use std::collections::HashSet;

use wharf_abi_trivy::Application;
use wharf_report::purl::complete_packages;
use wharf_report::{
    DetectedLicense, DetectedMisconfiguration, LicenseFile, Misconfiguration, MisconfigurationResult, Os,
    Package, Relationship, ScanResult, Secret, class,
};

use crate::merge::{Merged, Origins};

/// Applications whose packages stand together in one result whatever their files are, and that result's target.
const TOGETHER: [(&str, &str); 5] = [
    ("conda-pkg", "Conda"),
    ("gemspec", "Ruby"),
    ("jar", "Java"),
    ("node-pkg", "Node.js"),
    ("python-pkg", "Python"),
];

/// The results for what was found in `artifact`, whose name stands in the target of its operating system's packages.
pub(crate) fn results(artifact: &str, merged: Merged) -> Vec<ScanResult> {
    let mut results = Vec::new();
    let system = (!merged.os.family.is_empty()).then_some(&merged.os);
    results.extend(system_packages(
        artifact,
        system,
        merged.packages,
        &merged.origins,
    ));
    results.extend(applications(merged.applications, &merged.origins));
    let mut configurations: Vec<_> = merged.misconfigurations.into_iter().map(configuration).collect();
    configurations.sort_by(|a, b| a.target.cmp(&b.target));
    results.extend(configurations);
    results.extend(merged.secrets.into_iter().map(secrets));
    results.extend(licenses(merged.licenses));
    if !merged.custom_resources.is_empty() {
        results.push(ScanResult {
            class: class::CUSTOM.into(),
            custom_resources: merged.custom_resources,
            ..ScanResult::default()
        });
    }
    results
}

fn system_packages(
    artifact: &str,
    os: Option<&Os>,
    packages: Vec<Package>,
    origins: &Origins,
) -> Option<ScanResult> {
    if packages.is_empty() {
        return None;
    }
    let (family, name) = os.map_or(("none", ""), |os| (os.family.as_str(), os.name.as_str()));
    let mut result = ScanResult {
        target: match name {
            "" => format!("{artifact} ({family})"),
            name => format!("{artifact} ({family} {name})"),
        },
        class: class::OS_PACKAGES.into(),
        kind: family.to_owned(),
        packages,
        ..ScanResult::default()
    };
    complete_packages(&mut result, os);
    for package in &mut result.packages {
        origins.give("", package);
    }
    let mut seen = HashSet::new();
    result.packages.retain(|package| seen.insert(identity(package)));
    result.packages.sort_by_cached_key(rank);
    Some(result)
}

/// One package of the operating system may be listed in several files.
fn identity(package: &Package) -> [String; 2] {
    let id = match package.id.as_str() {
        "" => format!(
            "{}@{}:{}-{}",
            package.name, package.epoch, package.version, package.release
        ),
        id => id.to_owned(),
    };
    [id, package.file_path.clone()]
}

fn applications(applications: Vec<Application>, origins: &Origins) -> Vec<ScanResult> {
    let mut results: Vec<ScanResult> = Vec::new();
    for application in applications {
        let mut of_file = ScanResult {
            target: application.file_path,
            class: class::LANGUAGE_PACKAGES.into(),
            kind: application.kind,
            packages: application.packages,
            ..ScanResult::default()
        };
        of_file.packages.retain(|package| !package.dev);
        complete_packages(&mut of_file, None);
        for package in &mut of_file.packages {
            origins.give(&of_file.target, package);
        }
        if let Some((kind, target)) = TOGETHER.iter().find(|(kind, _)| *kind == of_file.kind) {
            if let Some(result) = results.iter_mut().find(|result| result.kind == *kind) {
                result.packages.extend(of_file.packages);
                continue;
            }
            of_file.target = (*target).to_owned();
        }
        results.push(of_file);
    }
    results.retain(|result| !result.packages.is_empty());
    for result in &mut results {
        result.packages.sort_by_cached_key(rank);
    }
    results.sort_by(|a, b| (&a.kind, &a.target).cmp(&(&b.kind, &b.target)));
    results
}

/// The order of packages.
fn rank(package: &Package) -> (u8, [String; 4]) {
    let relationship = match package.relationship {
        Relationship::Root => 1,
        Relationship::Workspace => 2,
        Relationship::Direct => 3,
        Relationship::Indirect => 4,
        Relationship::Unknown => 5,
    };
    let names = [&package.name, &package.version, &package.id, &package.file_path];
    (relationship, names.map(Clone::clone))
}

fn configuration(found: Misconfiguration) -> ScanResult {
    let mut misconfigurations = Vec::new();
    for (results, severity, status) in [
        (found.failures, "CRITICAL", "FAIL"),
        (found.warnings, "MEDIUM", "FAIL"),
        (found.successes, "UNKNOWN", "PASS"),
    ] {
        let detected = results.into_iter().map(|result| DetectedMisconfiguration {
            status: status.into(),
            layer: found.layer.clone(),
            ..misconfiguration(result, severity)
        });
        misconfigurations.extend(detected);
    }
    ScanResult {
        target: found.file_path,
        class: class::CONFIG.into(),
        kind: found.file_type,
        misconfigurations,
        ..ScanResult::default()
    }
}

/// `severity` is that of a check that names none.
fn misconfiguration(found: MisconfigurationResult, severity: &str) -> DetectedMisconfiguration {
    let policy = found.policy;
    let mut references = policy.references;
    // Trivy's own checks have a page each; whose namespace is empty counts as one of them.
    let is_builtin = found.namespace.is_empty() || found.namespace.starts_with("builtin.");
    let page = format!("https://avd.aquasec.com/misconfig/{}", policy.id.to_lowercase());
    let primary_url = match references.first() {
        _ if is_builtin => {
            references.push(page.clone());
            page
        }
        Some(first) => first.clone(),
        None => String::new(),
    };
    let message = match found.message.trim() {
        "" => "No issues found",
        message => message,
    };
    DetectedMisconfiguration {
        kind: policy.kind,
        id: policy.id,
        avd_id: policy.avd_id,
        title: policy.title,
        description: policy.description,
        message: message.to_owned(),
        namespace: found.namespace,
        query: found.query,
        resolution: policy.recommended_actions,
        severity: match policy.severity.as_str() {
            known @ ("UNKNOWN" | "LOW" | "MEDIUM" | "HIGH" | "CRITICAL") => known.to_owned(),
            _ => severity.to_owned(),
        },
        primary_url,
        references,
        cause: found.cause,
        traces: found.traces,
        ..DetectedMisconfiguration::default()
    }
}

fn secrets(secret: Secret) -> ScanResult {
    ScanResult {
        target: secret.file_path,
        class: class::SECRET.into(),
        secrets: secret.findings.unwrap_or_default(),
        ..ScanResult::default()
    }
}

fn licenses(files: Vec<LicenseFile>) -> Option<ScanResult> {
    let mut licenses = Vec::new();
    for file in files {
        licenses.extend(
            file.findings
                .into_iter()
                .flatten()
                .map(|finding| DetectedLicense {
                    severity: "UNKNOWN".into(),
                    category: finding.category,
                    package_name: file.package_name.clone(),
                    file_path: file.file_path.clone(),
                    name: finding.name,
                    confidence: finding.confidence,
                    link: finding.link,
                    ..DetectedLicense::default()
                }),
        );
    }
    (!licenses.is_empty()).then(|| ScanResult {
        target: "Loose File License(s)".into(),
        class: class::LICENSE_FILE.into(),
        licenses,
        ..ScanResult::default()
    })
}
