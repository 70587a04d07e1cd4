//! A scan: what is looked at, by whom, and what comes of it.

use sha2::{Digest as _, Sha256};
use wharf_artifact::Image;
use wharf_report::sbom::Sbom;
use wharf_report::{Metadata, Os, Report, ScanWarning, WarningKind};

use crate::analyze::Analysis;
use crate::cache::ResultCache;
use crate::error::ScanError;
use crate::findings::Findings;
use crate::interrupt::Interrupt;
use crate::merge::{self, Merged};
use crate::modules::Modules;
use crate::progress::ScanProgress;
use crate::settings::ScanSettings;
use crate::{directory, fingerprint, image, parallel, post_scan, results};

/// What is scanned.
pub enum Target {
    /// A directory, or a file.
    Directory(std::path::PathBuf),
    /// A container image.
    Image(Box<Image>),
    /// An SBOM: its packages are the findings that modules look at.
    Sbom(Box<Sbom>),
}

/// A scan that is to be done.
pub struct Scan<'a> {
    /// What is scanned; none where modules only look at `findings`.
    pub target: Option<&'a Target>,
    /// What the target is called in the report.
    pub artifact_name: &'a str,
    /// Findings that are there before, of a report of this or another scanner. What is found is added to them, and they decide
    /// what the report says about its artifact.
    pub findings: Option<Report>,
    /// The modules.
    pub modules: &'a Modules,
    /// What is looked at.
    pub settings: &'a ScanSettings,
    /// Where findings are kept between scans; none for nowhere.
    pub cache: Option<&'a ResultCache>,
    /// Ends the scan.
    pub interrupt: &'a Interrupt,
    /// Hears how far it is.
    pub progress: &'a dyn ScanProgress,
}

/// What came of a scan.
#[derive(Debug)]
pub struct Scanned {
    /// The report, with all findings. It has neither an id nor a time, and vulnerabilities have no fingerprint; see
    /// [`give_id`](crate::give_id) and [`give_fingerprints`](crate::give_fingerprints), for when it has been filtered.
    pub report: Report,
    /// What could not be looked at, by file.
    pub warnings: Vec<ScanWarning>,
    /// Whether a module failed, so that what it would have found may be missing.
    pub has_faults: bool,
}

impl Scan<'_> {
    /// Scans. It blocks the thread until the report is there, or the scan was interrupted.
    ///
    /// # Errors
    /// [`ScanError`], where there is no report to speak of. What could not be read of a target whose rest was is a warning.
    pub fn run(mut self) -> Result<Scanned, ScanError> {
        let workers = self
            .settings
            .workers
            .map_or_else(parallel::cores, |workers| workers as usize);
        let mut analysis = Analysis::new(
            self.modules,
            self.interrupt,
            self.progress,
            self.settings.file_size,
            workers,
        );
        let given = self.findings.is_some();
        let mut report = self.findings.take().unwrap_or_default();
        if !given {
            self.artifact_name.clone_into(&mut report.artifact_name);
        }
        match self.target {
            None => {}
            Some(Target::Directory(root)) => {
                let findings = directory::scan(root, self.settings, &analysis, self.cache)?;
                add(&mut report, given, "filesystem", Metadata::default());
                self.finish_layers(vec![findings], &mut report);
            }
            Some(Target::Image(image)) => {
                analysis.keeps_all = true;
                let (layers, metadata) = image::scan(image, self.settings, &analysis, self.cache)?;
                let id = artifact_id(&metadata.image_id, image.names().first());
                add(&mut report, given, "container_image", metadata);
                if !given {
                    report.artifact_id = id;
                }
                self.finish_layers(layers, &mut report);
            }
            Some(Target::Sbom(sbom)) => {
                add(
                    &mut report,
                    given,
                    sbom.kind.artifact_type(),
                    sbom.metadata.clone(),
                );
                let name = report.artifact_name.clone();
                report.results.extend(sbom.results(&name));
                for warning in &sbom.warnings {
                    analysis
                        .warnings
                        .add(ScanWarning::new(WarningKind::Other, warning.to_string()));
                }
            }
        }
        report.schema_version = 2;
        post_scan::run(&analysis, &mut report.results);
        analysis.outcome()?;
        let (warnings, has_faults) = analysis.warnings.into_parts();
        Ok(Scanned {
            report,
            warnings,
            has_faults,
        })
    }

    fn finish_layers(&self, layers: Vec<Findings>, report: &mut Report) {
        let name_of = |place| self.modules.at(place).map_or("", |module| module.trivy.name());
        let merged: Merged = merge::merge(layers, name_of);
        if report.metadata.os.is_none() && merged.os != Os::default() {
            report.metadata.os = Some(merged.os.clone());
        }
        let name = report.artifact_name.clone();
        report.results.extend(results::results(&name, merged));
    }
}

/// Says what was scanned, unless the findings that are there say it.
fn add(report: &mut Report, given: bool, kind: &str, metadata: Metadata) {
    if !given {
        kind.clone_into(&mut report.artifact_type);
        report.metadata = metadata;
    }
}

/// What stays the same over the scans of an image: its id, and with it the repository where it has a name, as Trivy makes it.
fn artifact_id(image_id: &str, name: Option<&str>) -> String {
    let Some(name) = name else {
        return image_id.to_owned();
    };
    let name = name.split_once('@').map_or(name, |(name, _digest)| name);
    // A tag stands behind a colon after the last slash; before that one there may be a port.
    let name_at = name.rfind('/').map_or(0, |slash| slash + 1);
    let repository = match name.get(name_at..).and_then(|name| name.find(':')) {
        Some(colon) => name.get(..name_at + colon).unwrap_or(name),
        None => name,
    };
    let is_host = |first: &str| first.contains(['.', ':']) || first == "localhost";
    let repository = match repository.split_once('/') {
        Some((first, _)) if is_host(first) => repository.to_owned(),
        Some(_) => format!("index.docker.io/{repository}"),
        None => format!("index.docker.io/library/{repository}"),
    };
    let digest = Sha256::digest(format!("{image_id}:{repository}"));
    format!("sha256:{}", fingerprint::hex(&digest))
}

#[cfg(test)]
mod tests {
    use super::artifact_id;

    #[test]
    fn an_artifact_is_an_image_of_a_repository() {
        let id = "sha256:6d5b32bcbdaa9d11aea87e4abcfb9839fb45e6a627727e5e24a82b4a9ff8922f";
        assert_eq!(artifact_id(id, None), id);
        assert_eq!(
            artifact_id(id, Some("example/app:1")),
            "sha256:c9682166daaa5e22cf415f9f30d3d92211f277f22cbb317499892993f61b0a30"
        );
        let id = "sha256:74d83cc620bee3fa694260dd1033282c8683626f35f85b94d9cee7263c59b982";
        assert_eq!(
            artifact_id(id, Some("localhost:5000/x/y:z")),
            "sha256:36f8b79e0eace251b5c6bc454459cbb98b6e5536bfa761882becd3b15234663f"
        );
        assert_eq!(
            artifact_id(id, Some("ubuntu:22.04")),
            "sha256:273c6f2182aa0e45a8ebfef3cc6c1a88b60683a9266e399ae7187c5b04a4257c"
        );
        let id = "sha256:e9c0626a2a27a78df42c14ce9803fd096906e2a162426851e5446e1c49aca84e";
        let digest = "sha256:4b29d31f2fb2879020fc84e07a2d04acf2b127d0a430c0b39461208a22e8ca34";
        assert_eq!(
            artifact_id(id, Some(&format!("localhost:5901/team/app@{digest}"))),
            "sha256:00c856fdf35f7c38ded7179493df010013caee24c2bfb898ceb2b26df6e41582"
        );
        assert_eq!(
            artifact_id(id, Some(&format!("alpine@{digest}"))),
            "sha256:966bc613d2f6a31da3f3527f175cf18d5a298b75652b8f223e1d440f58bc99b4"
        );
    }
}
