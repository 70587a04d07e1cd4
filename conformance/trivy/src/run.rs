//! The run: each case through both scanners.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use tempfile::TempDir;

use crate::allowed::EVERYWHERE;
use crate::case::{Case, Form, Target};
use crate::difference::{Difference, texts};
use crate::scanner::{self, Answer};
use crate::{compare, modules};

/// What a run needs.
pub(crate) struct Inputs {
    pub(crate) trivy: PathBuf,
    /// The folder of the guests.
    pub(crate) guests: PathBuf,
    /// Where Wharf keeps compiled modules, for all cases; what it found in a case it must not keep.
    pub(crate) compiled: PathBuf,
}

/// What came of a case.
pub(crate) struct Verdict<'a> {
    pub(crate) case: &'a Case,
    /// Those that nothing allows.
    pub(crate) differences: Vec<Difference>,
    /// Why those of the case's own that are there are right.
    pub(crate) allowed: Vec<&'a str>,
    /// The case's own that are not there.
    pub(crate) needless: Vec<&'a str>,
}

/// Puts all cases through both, several at a time, and gives what came of each in their order.
///
/// # Errors
/// When one of the two cannot be started or does not end, or a case cannot be made.
pub(crate) fn all<'a>(
    inputs: &Inputs,
    wharf: &Path,
    cases: &'a [Case],
    mut found: impl FnMut(&Verdict<'a>),
) -> Result<(), String> {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            let (next, sender) = (&next, sender.clone());
            scope.spawn(move || {
                while let Some(one) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if sender.send((one.name, case(inputs, wharf, one))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut early = BTreeMap::new();
        for one in cases {
            let verdict = loop {
                if let Some(verdict) = early.remove(one.name) {
                    break verdict;
                }
                let (name, verdict) = receiver.recv().map_err(|error| error.to_string())?;
                early.insert(name, verdict);
            };
            found(&verdict?);
        }
        Ok(())
    })
}

/// Puts a case through both.
fn case<'a>(inputs: &Inputs, wharf: &Path, case: &'a Case) -> Result<Verdict<'a>, String> {
    let told = |reason: String| format!("case `{}`: {reason}", case.name);
    let trivy = trivy_alone(inputs, case)?;
    let place = Place::make(inputs, case).map_err(told)?;
    let report = match &case.target {
        Target::Findings(scanner, _) => Some(place.findings(inputs, scanner).map_err(told)?),
        _ => None,
    };
    let arguments = wharf_arguments(case, report);
    let wharf = scanner::scan(wharf, &arguments, place.folder.path(), &inputs.compiled).map_err(told)?;
    let mut found = compare::answers(case.form, &trivy, &wharf);
    found.extend(said(case, &trivy, &wharf));
    found.retain(|difference| !EVERYWHERE.iter().any(|allowance| allowance.covers(difference)));
    let (mut allowed, mut needless) = (Vec::new(), Vec::new());
    for allowance in &case.allowed {
        if found.iter().any(|difference| allowance.covers(difference)) {
            allowed.push(allowance.reason);
        } else {
            needless.push(allowance.what);
        }
    }
    allowed.dedup();
    found.retain(|difference| !case.allowed.iter().any(|allowance| allowance.covers(difference)));
    Ok(Verdict {
        case,
        differences: found,
        allowed,
        needless,
    })
}

/// What Trivy makes of a case.
///
/// # Errors
/// As for [`all`].
pub(crate) fn trivy_alone(inputs: &Inputs, case: &Case) -> Result<Answer, String> {
    let told = |reason: String| format!("case `{}`: {reason}", case.name);
    let place = Place::make(inputs, case).map_err(told)?;
    place.trivy(inputs, &trivy_arguments(case)).map_err(told)
}

/// A folder with everything that one scan of a case needs. Each scan has its own, so that none finds what another left.
struct Place {
    folder: TempDir,
}

impl Place {
    fn make(inputs: &Inputs, case: &Case) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
        let path = folder.path();
        modules::write(&case.modules, &inputs.guests, &path.join("modules"))?;
        case.files.write(path)?;
        match &case.target {
            Target::Folder(tree, _) | Target::Findings(_, tree) => tree.write(&path.join("tree"))?,
            Target::Archive(image) => image.write_archive(&path.join("image.tar"))?,
            Target::Layout(image) => image.write_layout(&path.join("image"))?,
            Target::Bill(name, text) => {
                fs::write(path.join(name), text).map_err(|error| format!("{name}: {error}"))?;
            }
        }
        Ok(Self { folder })
    }

    fn trivy(&self, inputs: &Inputs, arguments: &[String]) -> Result<Answer, String> {
        let folder = self.folder.path();
        scanner::scan(&inputs.trivy, arguments, folder, &folder.join("cache"))
    }

    /// Trivy's report on the folder without modules; the name of its file.
    fn findings(&self, inputs: &Inputs, scanner: &str) -> Result<&'static str, String> {
        const REPORT: &str = "findings.json";
        let mut arguments = trivy_command("fs", scanner);
        arguments.extend(["--format", "json", "--output", REPORT].map(str::to_owned));
        if scanner == "misconfig" {
            // So that what passed can be counted.
            arguments.push("--include-non-failures".to_owned());
        }
        arguments.push("tree".to_owned());
        let answer = self.trivy(inputs, &arguments)?;
        if answer.exit != "0" {
            return Err(format!("Trivy made no report: {}", answer.log));
        }
        Ok(REPORT)
    }
}

/// What Trivy is called with in every case. It must not ask the network for anything.
fn trivy_command(command: &str, scanner: &str) -> Vec<String> {
    let mut arguments = vec![command, "--scanners", scanner, "--cache-dir", "trivy-cache"];
    arguments.extend(["--offline-scan", "--skip-version-check", "--disable-telemetry"]);
    arguments.push("--skip-db-update");
    if scanner == "misconfig" {
        arguments.push("--skip-check-update");
    }
    arguments.into_iter().map(str::to_owned).collect()
}

fn trivy_arguments(case: &Case) -> Vec<String> {
    let (command, scanner) = match &case.target {
        Target::Folder(..) => ("fs", "secret"),
        Target::Archive(_) | Target::Layout(_) => ("image", "secret"),
        // Without a database of vulnerabilities it is the only one that there is for a bill.
        Target::Bill(..) => ("sbom", "license"),
        Target::Findings(scanner, _) => ("fs", *scanner),
    };
    let mut arguments = trivy_command(command, scanner);
    if command != "sbom" {
        arguments.extend(["--module-dir", "modules"].map(str::to_owned));
    }
    arguments.extend(common_arguments(case, 0));
    let target = match &case.target {
        Target::Folder(_, path) => path,
        Target::Archive(_) => "--input=image.tar",
        Target::Layout(_) => "--input=image",
        Target::Bill(name, _) => name,
        Target::Findings(..) => "tree",
    };
    arguments.push(target.to_owned());
    arguments
}

fn wharf_arguments(case: &Case, report: Option<&str>) -> Vec<String> {
    let mut arguments = ["scan", "--no-cache", "--module-dir", "modules"]
        .map(str::to_owned)
        .to_vec();
    arguments.extend(common_arguments(case, 1));
    match report {
        Some(report) => arguments.extend(["--report", report].map(str::to_owned)),
        None => arguments.push(
            match &case.target {
                Target::Folder(_, path) => path,
                Target::Archive(_) => "image.tar",
                Target::Layout(_) => "image",
                Target::Bill(name, _) => name,
                Target::Findings(..) => "tree",
            }
            .to_owned(),
        ),
    }
    arguments
}

/// What both are called with; of templates that of this side.
fn common_arguments(case: &Case, side: usize) -> Vec<String> {
    let mut arguments = ["--format", case.form.flag()].map(str::to_owned).to_vec();
    if let Form::Template(templates) = case.form {
        arguments.extend(["--template", templates[side]].map(str::to_owned));
    }
    arguments.extend(case.flags.iter().cloned());
    arguments
}

/// What one of them should have said and did not.
fn said(case: &Case, trivy: &Answer, wharf: &Answer) -> Vec<Difference> {
    let missing = |answer: &Answer, texts: &[&str]| -> Vec<String> {
        let says = |text: &str| answer.log.contains(text) || answer.output.contains(text);
        let missing = texts.iter().filter(|text| !says(text));
        missing
            .map(|text| format!("nothing of: {text}\n{}", answer.log))
            .collect()
    };
    let of_trivy = [case.trivy_says.as_slice(), case.both_say.as_slice()].concat();
    let of_wharf = [case.wharf_says.as_slice(), case.both_say.as_slice()].concat();
    texts(
        "said",
        &missing(trivy, &of_trivy).join("\n"),
        &missing(wharf, &of_wharf).join("\n"),
    )
    .into_iter()
    .collect()
}
