//! What is scanned: recognised by what it looks like, and opened.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use wharf_artifact::{Image, ImageOptions, PlatformError, looks_like_archive};
use wharf_report::{Report, sbom};
use wharf_scan::{Interrupt, Target};

use super::arguments::TargetChoice;
use super::plan::Plan;
use super::progress::Progress;
use super::registry;
use crate::exit::Code;
use crate::words::{complain, say};

/// The largest report or SBOM that is read.
const MOST_BYTES: u64 = 1 << 30;

/// Opens the target; says what is wrong.
pub(super) fn open(
    path: &Path,
    plan: &Plan,
    interrupt: &Interrupt,
    progress: &Arc<Progress>,
) -> Result<Target, Code> {
    if let Some(name) = &plan.remote {
        let options = image_options(plan, interrupt)?;
        return registry::open(name, plan, &options, interrupt, Arc::clone(progress));
    }
    match kind(path, plan.target_type) {
        TargetChoice::Image => image(path, plan, interrupt),
        TargetChoice::Sbom => read_sbom(path),
        // What is missing is told by the scan itself.
        TargetChoice::Fs | TargetChoice::Auto => Ok(Target::Directory(path.to_owned())),
    }
}

/// What it is: by what was said, and otherwise by its first bytes.
fn kind(path: &Path, said: TargetChoice) -> TargetChoice {
    if said != TargetChoice::Auto {
        return said;
    }
    if path.is_dir() {
        let is_layout = path.join("oci-layout").is_file() && path.join("index.json").is_file();
        return if is_layout {
            TargetChoice::Image
        } else {
            TargetChoice::Fs
        };
    }
    if !path.is_file() {
        return TargetChoice::Fs;
    }
    let mut head = [0; 512];
    let Some(head) = File::open(path).ok().and_then(|mut file| {
        let read = read_up_to(&mut file, &mut head).ok()?;
        head.get(..read)
    }) else {
        return TargetChoice::Fs;
    };
    if looks_like_archive(path) {
        return TargetChoice::Image;
    }
    if looks_like_sbom(head) {
        return TargetChoice::Sbom;
    }
    TargetChoice::Fs
}

/// Whether a file begins as CycloneDX or SPDX does, in JSON. Where its name says the same, any JSON will do, since keys have no order.
fn looks_like_sbom(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let is_json = text.trim_start_matches('\u{feff}').trim_start().starts_with('{');
    is_json
        && ["\"bomFormat\"", "\"SPDXID\"", "\"spdxVersion\"", "cyclonedx.org"]
            .iter()
            .any(|word| text.contains(word))
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut read = 0;
    while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}

fn image(path: &Path, plan: &Plan, interrupt: &Interrupt) -> Result<Target, Code> {
    match Image::open(path, &image_options(plan, interrupt)?) {
        Ok(image) => Ok(Target::Image(Box::new(image))),
        Err(error) => {
            complain(&error, Some(error.hint()));
            Err(Code::Failure)
        }
    }
}

/// How images are opened, wherever they are; says what is wrong with the platform.
fn image_options(plan: &Plan, interrupt: &Interrupt) -> Result<ImageOptions, Code> {
    let mut options = ImageOptions {
        interrupted: Some(interrupt.flag()),
        ..ImageOptions::default()
    };
    options.limits.most_image = plan.settings.image_size.bytes();
    options.limits.most_layer = options.limits.most_layer.min(options.limits.most_image);
    options.limits.most_archive = options.limits.most_archive.min(options.limits.most_image);
    if let Some(platform) = &plan.platform {
        options.platform = Some(platform.parse().map_err(|error: PlatformError| {
            complain(&error, Some("write for example `--platform linux/arm64`"));
            Code::CommandLine
        })?);
    }
    Ok(options)
}

fn read_sbom(path: &Path) -> Result<Target, Code> {
    let bytes = read(path, "SBOM")?;
    let name = path.to_string_lossy();
    match sbom::read(&bytes) {
        Ok(sbom) => Ok(Target::Sbom(Box::new(sbom))),
        Err(error) => {
            say(format_args!("error: the SBOM {name} cannot be read"));
            say(format_args!("  caused by: {error}"));
            Err(Code::Failure)
        }
    }
}

/// Reads a report of Trivy; says what is wrong.
pub(super) fn read_report(path: &Path) -> Result<Report, Code> {
    let bytes = read(path, "report")?;
    Report::from_json(&bytes).map_err(|error| {
        say(format_args!(
            "error: the report {} cannot be read\n  caused by: {error}\n\nhint: --report takes what `trivy --format json` writes",
            path.display()
        ));
        Code::Failure
    })
}

fn read(path: &Path, what: &str) -> Result<Vec<u8>, Code> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(std::io::Error::other("it is larger than 1 GiB"));
        }
        Ok(bytes)
    };
    read().map_err(|error: std::io::Error| {
        say(format_args!(
            "error: the {what} {} cannot be read: {error}",
            path.display()
        ));
        Code::Failure
    })
}
