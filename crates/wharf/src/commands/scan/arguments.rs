//! The arguments of `wharf scan`, named as Trivy's where they do the same.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use wharf_config::{REPORT_FORMATS, SEVERITIES};
use wharf_plugin::Reference;

use crate::commands::single;

/// What `wharf scan` is given.
#[derive(Debug, Args)]
pub(crate) struct ScanArguments {
    /// What is scanned: a directory, a file, an image (an archive of `docker save`, an OCI layout, or in a registry
    /// `oci:registry.example/app:1`), or an SBOM (CycloneDX or SPDX, as JSON).
    #[arg(value_name = "TARGET", required_unless_present = "report")]
    pub(super) target: Option<PathBuf>,

    /// A configuration whose section `scan` says what flags do not.
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// Fetch no module that the lock file beside the configuration does not have.
    #[arg(long)]
    pub(super) locked: bool,

    /// A configuration of Trivy, whose keys for modules, filters and reports count where neither flags nor `--config` say it.
    #[arg(long, value_name = "FILE")]
    pub(super) trivy_config: Option<PathBuf>,

    /// A module: the path of a file, or a reference such as `file:wordpress.wasm`. May be given several times.
    #[arg(long, value_name = "PLUGIN", value_parser = single::plugin)]
    pub(super) module: Vec<Reference>,

    /// A directory whose `.wasm` files are modules.
    #[arg(long, value_name = "DIR")]
    pub(super) module_dir: Option<PathBuf>,

    /// The names of the modules that are wanted, as they say them; all by default.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(super) enable_modules: Option<Vec<String>>,

    /// What a fault of a module does that the configuration says nothing else of: `fail` ends the scan, `warn` has a warning in
    /// the report and exit code 2, `skip` a line in the log.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(super) on_fault: Option<FaultChoice>,

    /// Findings of somebody else that the modules are to look at: a report of Trivy, as JSON. With a TARGET, what the modules
    /// find there is added.
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,

    /// What TARGET is, where looking at it does not tell.
    #[arg(long, value_enum, value_name = "KIND", default_value_t = TargetChoice::Auto)]
    pub(super) target_type: TargetChoice,

    /// The platform of an image for several, such as `linux/arm64`; in registries `linux/amd64` by default.
    #[arg(long, value_name = "OS/ARCHITECTURE")]
    pub(super) platform: Option<String>,

    /// Directories that are not looked into, as glob patterns.
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub(super) skip_dirs: Option<Vec<String>>,

    /// Files that are not looked at, as glob patterns.
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub(super) skip_files: Option<Vec<String>>,

    /// How the report is written; as a table by default.
    #[arg(short, long, value_name = "FORMAT", value_parser = one_of(REPORT_FORMATS))]
    pub(super) format: Option<&'static str>,

    /// The template for `--format template`: `@` and the path of a file or the name of a template that is built in, or its text.
    #[arg(short, long, value_name = "TEMPLATE")]
    pub(super) template: Option<String>,

    /// The file that the report is written to; standard output by default. It is replaced as a whole.
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,

    /// The severities that are reported; all by default.
    #[arg(short, long, value_name = "SEVERITY", value_delimiter = ',', value_parser = one_of(SEVERITIES))]
    pub(super) severity: Option<Vec<&'static str>>,

    /// Leave vulnerabilities out that have no fix.
    #[arg(long)]
    pub(super) ignore_unfixed: bool,

    /// The file that names findings to be left out; `.trivyignore` by default.
    #[arg(long, value_name = "FILE")]
    pub(super) ignorefile: Option<PathBuf>,

    /// VEX documents, which say which vulnerabilities do not affect what.
    #[arg(long, value_name = "FILE")]
    pub(super) vex: Vec<PathBuf>,

    /// Tell of findings that were left out, and why.
    #[arg(long)]
    pub(super) show_suppressed: bool,

    /// The exit code where vulnerabilities, misconfigurations, secrets or licenses are left.
    #[arg(long, value_name = "CODE")]
    pub(super) exit_code: Option<u8>,

    /// Look at all files anew, and keep nothing for the next scan.
    #[arg(long)]
    pub(super) no_cache: bool,

    /// How many files are looked at at the same time; as many as there are cores by default.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(super) parallel: Option<u32>,

    /// Show no progress.
    #[arg(short, long)]
    pub(super) quiet: bool,
}

/// What a module's fault does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FaultChoice {
    Fail,
    Warn,
    Skip,
}

/// What a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum TargetChoice {
    /// What it looks like.
    Auto,
    /// A directory or a file, whatever is in it.
    Fs,
    /// A container image; where there is no such file or directory, one in a registry.
    Image,
    /// An SBOM.
    Sbom,
}

/// Reads one of some words, as it stands in their list.
fn one_of(
    words: &'static [&'static str],
) -> impl Fn(&str) -> Result<&'static str, String> + Clone + Send + Sync + 'static {
    move |text| {
        let found = words.iter().find(|word| word.eq_ignore_ascii_case(text));
        found
            .copied()
            .ok_or_else(|| format!("it is one of {}", words.join(", ")))
    }
}
