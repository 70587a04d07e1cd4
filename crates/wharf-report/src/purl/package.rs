//! From packages to their URLs and back, as Trivy does it.

use super::Purl;
use crate::sbom::{normalised_license, uid_of};
use crate::{Os, Package, ScanResult, class};

/// The package URL of a package of an application of this type, or of an operating system of this family; none where the
/// package has none, such as a Go module that is a local path.
///
/// Epoch and architecture are qualifiers. For packages of an operating system that is not known the distribution is missing.
pub fn purl_for(kind: &str, package: &Package, os: Option<&Os>) -> Option<Purl> {
    let purl_type = type_of(kind);
    let mut purl = Purl {
        kind: purl_type.to_owned(),
        namespace: String::new(),
        name: package.name.clone(),
        version: version_without_epoch(package),
        qualifiers: Vec::new(),
        subpath: String::new(),
    };
    if !package.arch.is_empty() {
        purl.add("arch", &package.arch);
    }
    if package.epoch != 0 {
        purl.add("epoch", &package.epoch.to_string());
    }
    match purl_type {
        "rpm" => {
            if let Some(os) = os {
                purl.namespace = rpm_namespace(&os.family).to_owned();
                purl.add("distro", &format!("{}-{}", os.family, os.name));
                if !package.modularity_label.is_empty() {
                    purl.add("modularitylabel", &package.modularity_label);
                }
            }
        }
        "deb" => {
            if let Some(os) = os {
                purl.namespace.clone_from(&os.family);
                purl.add("distro", &format!("{}-{}", os.family, os.name));
            }
        }
        "bottlerocket" => {
            let version = os.map_or("", |os| &os.name);
            purl.add("distro", &format!("bottlerocket-{version}"));
        }
        "apk" => {
            purl.name = purl.name.to_lowercase();
            if let Some(os) = os {
                purl.namespace = os.family.to_lowercase();
                purl.add("distro", &os.name);
            }
        }
        "maven" => purl.split_name(&package.name.replace(':', "/")),
        "pypi" => purl.name = package.name.replace('_', "-").to_lowercase(),
        "composer" | "swift" => purl.split_name(&package.name),
        "golang" => {
            if package.name.starts_with("./") || package.name.starts_with("../") {
                return None;
            }
            purl.split_name(&package.name.to_lowercase());
        }
        "npm" => purl.split_name(&package.name.to_lowercase()),
        "cocoapods" => {
            if let Some((name, subpath)) = package.name.split_once('/') {
                name.clone_into(&mut purl.name);
                subpath.clone_into(&mut purl.subpath);
            }
        }
        "julia" => {
            purl.split_name(&package.name);
            purl.add("uuid", &package.id);
        }
        _ => {}
    }
    purl.qualifiers.sort();
    (!purl.name.is_empty()).then_some(purl)
}

impl Purl {
    fn add(&mut self, key: &str, value: &str) {
        self.qualifiers.push((key.to_owned(), value.to_owned()));
    }

    fn split_name(&mut self, name: &str) {
        let (namespace, name) = name.rsplit_once('/').unwrap_or(("", name));
        namespace.clone_into(&mut self.namespace);
        name.clone_into(&mut self.name);
    }
}

/// Fills in what Trivy fills in for the packages of a result: the package URLs, for packages of an operating system only
/// where that is known, and the UIDs, which are made before the package URLs; what is there of these stays. Licenses of
/// packages of applications become ids of SPDX where they are known.
///
/// Packages are to be as an analyzer gave them, with [`Package::analyzed_by`] and without layers.
pub fn complete_packages(result: &mut ScanResult, os: Option<&Os>) {
    let of_system = result.class == class::OS_PACKAGES;
    let os_is_known = os.is_some_and(|os| !matches!(os.family.as_str(), "" | "none"));
    let file = if of_system || is_aggregated(&result.kind) && is_aggregate_target(&result.target) {
        ""
    } else {
        result.target.as_str()
    };
    for package in &mut result.packages {
        if !of_system {
            normalise_licenses(&mut package.licenses);
        }
        if package.identifier.uid.is_empty() {
            package.identifier.uid = uid_of(file, package);
        }
        if package.identifier.purl.is_empty() && !package.name.is_empty() && (!of_system || os_is_known) {
            let purl = purl_for(&result.kind, package, os);
            package.identifier.purl = purl.map(|purl| purl.to_string()).unwrap_or_default();
        }
    }
}

/// Each license once, by the id of SPDX where it is known.
pub(crate) fn normalise_licenses(licenses: &mut Vec<String>) {
    let mut normalised: Vec<String> = Vec::with_capacity(licenses.len());
    for license in licenses.drain(..) {
        let license = normalised_license(&license);
        if !license.is_empty() && !normalised.contains(&license) {
            normalised.push(license);
        }
    }
    *licenses = normalised;
}

/// The types of applications whose packages stand together in one result, with what that is called.
pub(crate) const AGGREGATED: &[(&str, &str)] = &[
    ("python-pkg", "Python"),
    ("conda-pkg", "Conda"),
    ("gemspec", "Ruby"),
    ("node-pkg", "Node.js"),
    ("jar", "Java"),
];

/// Whether packages of this type stand together in one result.
pub(crate) fn is_aggregated(kind: &str) -> bool {
    AGGREGATED.iter().any(|(aggregated, _)| *aggregated == kind)
}

fn is_aggregate_target(target: &str) -> bool {
    AGGREGATED.iter().any(|(_, name)| *name == target)
}

/// The version with its release.
pub(crate) fn version_without_epoch(package: &Package) -> String {
    version(0, &package.version, &package.release)
}

/// Epoch, version and release in one text.
pub(crate) fn version(epoch: i64, version: &str, release: &str) -> String {
    let epoch = if epoch == 0 {
        String::new()
    } else {
        format!("{epoch}:")
    };
    let dash = if release.is_empty() { "" } else { "-" };
    format!("{epoch}{version}{dash}{release}")
}

/// The id that a package has in the graph of dependencies of an application of this type.
pub fn dependency_id(language: &str, name: &str, version: &str) -> String {
    if version.is_empty() {
        return name.to_owned();
    }
    match language {
        "conan" | "dotnet-core" => format!("{name}/{version}"),
        "gomod" | "gobinary" if !version.starts_with('v') => format!("{name}@v{version}"),
        "jar" | "pom" | "gradle" | "sbt" => format!("{name}:{version}"),
        _ => format!("{name}@{version}"),
    }
}

fn type_of(kind: &str) -> &str {
    match kind {
        "jar" | "pom" | "gradle" | "sbt" => "maven",
        "bundler" | "gemspec" => "gem",
        "nuget" | "dotnet-core" | "packages-props" => "nuget",
        "composer" | "composer-vendor" => "composer",
        "conda-pkg" | "conda-environment" => "conda",
        "python-pkg" | "pip" | "pipenv" | "poetry" | "uv" | "pylock" => "pypi",
        "gobinary" | "gomod" => "golang",
        "npm" | "node-pkg" | "yarn" | "pnpm" | "bun" => "npm",
        "rustbinary" | "cargo" => "cargo",
        "alpine" | "chainguard" | "wolfi" | "minimos" => "apk",
        "debian" | "ubuntu" | "echo" => "deb",
        "redhat"
        | "centos"
        | "rocky"
        | "alma"
        | "amazon"
        | "fedora"
        | "oracle"
        | "opensuse"
        | "opensuse-leap"
        | "opensuse-tumbleweed"
        | "sles"
        | "slem"
        | "photon"
        | "azurelinux"
        | "cbl-mariner"
        | "coreos" => "rpm",
        other => other,
    }
}

fn rpm_namespace(family: &str) -> &str {
    match family {
        "sles" | "slem" => "suse",
        "opensuse-tumbleweed" | "opensuse-leap" => "opensuse",
        other => other,
    }
}

/// Whether a package URL is that of a package of an operating system.
pub(crate) fn is_of_system(purl: &Purl) -> bool {
    matches!(purl.kind.as_str(), "apk" | "deb" | "rpm")
}

/// The type of application that packages with such a URL are of, where it is known.
pub fn language_of(purl: &Purl) -> Option<&'static str> {
    Some(match purl.kind.as_str() {
        "composer" => "composer",
        "maven" => "jar",
        "gem" => "gemspec",
        "conda" => "conda-pkg",
        "pypi" => "python-pkg",
        "golang" => "gobinary",
        "npm" => "node-pkg",
        "cargo" => "cargo",
        "nuget" => "nuget",
        "swift" => "swift",
        "cocoapods" => "cocoapods",
        "hex" => "hex",
        "conan" => "conan",
        "pub" => "pub",
        "bitnami" => "bitnami",
        "k8s" => match purl.namespace.as_str() {
            "eks" => "eks",
            "gke" => "gke",
            "aks" => "aks",
            "ocp" => "ocp",
            "" => "kubernetes",
            _ => return None,
        },
        _ => return None,
    })
}

/// The package that a package URL speaks of, as far as that says.
pub fn package_of(purl: &Purl) -> Package {
    let name = match purl.kind.as_str() {
        "cocoapods" if !purl.subpath.is_empty() => format!("{}/{}", purl.name, purl.subpath),
        _ if purl.namespace.is_empty() || is_of_system(purl) => purl.name.clone(),
        "maven" | "gradle" => format!("{}:{}", purl.namespace, purl.name),
        _ => format!("{}/{}", purl.namespace, purl.name),
    };
    let mut package = Package {
        id: dependency_id(language_of(purl).unwrap_or_default(), &name, &purl.version),
        name,
        version: purl.version.clone(),
        arch: purl.qualifier("arch").unwrap_or_default().to_owned(),
        modularity_label: purl.qualifier("modularitylabel").unwrap_or_default().to_owned(),
        epoch: purl
            .qualifier("epoch")
            .and_then(|epoch| epoch.parse().ok())
            .unwrap_or_default(),
        ..Package::default()
    };
    package.identifier.purl = purl.to_string();
    if purl.kind == "rpm" {
        let (_, version, release) = rpm_version(&purl.version);
        (package.version, package.release) = (version.to_owned(), release.to_owned());
    }
    package
}

/// Epoch, version and release of a version of an RPM package.
pub(crate) fn rpm_version(text: &str) -> (i64, &str, &str) {
    let (epoch, rest) = match text.split_once(':') {
        Some((epoch, rest)) => (epoch.trim().parse().unwrap_or_default(), rest),
        None => (0, text),
    };
    let (version, release) = rest.split_once('-').unwrap_or((rest, ""));
    (epoch, version, release)
}
