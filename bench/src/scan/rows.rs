//! Rows: a scan by both, in turns, with a cold and a warm cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::once::{self, Once};
use crate::report::median;

/// The two, where they are, and where they may write.
pub(super) struct Bench {
    pub(super) wharf: PathBuf,
    pub(super) trivy: Option<PathBuf>,
    pub(super) directory: PathBuf,
    pub(super) rounds: u64,
}

/// What is scanned, with which modules.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    what: &'static str,
    modules: &'a Path,
    target: &'a Path,
    is_image: bool,
}

impl<'a> Row<'a> {
    pub(super) fn folder(what: &'static str, modules: &'a Path, target: &'a Path) -> Self {
        Self {
            what,
            modules,
            target,
            is_image: false,
        }
    }

    pub(super) fn image(what: &'static str, modules: &'a Path, target: &'a Path) -> Self {
        Self {
            is_image: true,
            ..Self::folder(what, modules, target)
        }
    }
}

/// What was measured of one program, a round each.
#[derive(Default)]
struct Rounds {
    cold: Vec<Once>,
    warm: Vec<Once>,
}

/// Prints what the columns are of.
pub(super) fn heading(what: &str) {
    println!("\n{what}");
    println!(
        "  {:<33} {:<5} {:>9} {:>9} {:>7}   {:>9} {:>9} {:>7}",
        "", "cache", "wharf", "trivy", "", "wharf", "trivy", ""
    );
}

impl Bench {
    /// Measures a row in turns and prints it: first with empty caches, then with what that scan has left.
    ///
    /// # Errors
    /// When a scan fails.
    pub(super) fn measure(&self, row: &Row<'_>) -> Outcome<()> {
        let (mut wharf, mut trivy) = (Rounds::default(), Rounds::default());
        for _ in 0..self.rounds {
            for (program, rounds) in [("wharf", &mut wharf), ("trivy", &mut trivy)] {
                if program == "trivy" && self.trivy.is_none() {
                    continue;
                }
                let cache = self.directory.join("cache");
                if cache.exists() {
                    fs::remove_dir_all(&cache)?;
                }
                for scans in [&mut rounds.cold, &mut rounds.warm] {
                    scans.push(once::run(
                        self.command(program, row, "license")?,
                        &self.report(program),
                    )?);
                }
            }
        }
        print(row.what, "cold", &wharf.cold, &trivy.cold);
        print("", "warm", &wharf.warm, &trivy.warm);
        Ok(())
    }

    /// Makes sure that both find the same number of keys, so that none is fast because it looks at less.
    ///
    /// # Errors
    /// When they do not.
    pub(super) fn agree(&self, row: &Row<'_>) -> Outcome<()> {
        let count = |program| -> Outcome<usize> {
            let report = self.report(program);
            once::run(self.command(program, row, "secret")?, &report)?;
            Ok(fs::read_to_string(&report)?.matches("\"RuleID\"").count())
        };
        let wharf = count("wharf")?;
        let trivy = if self.trivy.is_some() {
            count("trivy")?
        } else {
            wharf
        };
        if wharf == 0 || wharf != trivy {
            return Err(format!("they do not find the same: {wharf} keys and {trivy}").into());
        }
        Ok(())
    }

    fn report(&self, program: &str) -> PathBuf {
        self.directory.join(format!("{program}.json"))
    }

    /// A scan with the caches of the measurement. Of Trivy's own scanners that for licences costs least: it looks at a few files
    /// by their names, as Wharf does without modules. That for secrets reads them all, and is asked for only where findings are
    /// counted, since Trivy then shows those of modules.
    fn command(&self, program: &str, row: &Row<'_>, scanner: &str) -> Outcome<Command> {
        let cache = self.directory.join("cache");
        let mut command = if program == "wharf" {
            let mut command = Command::new(&self.wharf);
            command.arg("scan");
            command
        } else {
            let mut command = Command::new(self.trivy.as_ref().ok_or("there is no Trivy")?);
            command.args([if row.is_image { "image" } else { "fs" }, "--scanners", scanner]);
            command.args(["--skip-db-update", "--offline-scan", "--skip-version-check"]);
            command.args(["--disable-telemetry", "--cache-dir"]).arg(&cache);
            if row.is_image {
                command.arg("--input");
            }
            command
        };
        if program == "wharf" || !row.is_image {
            command
                .args(["--format", "json", "--module-dir"])
                .arg(row.modules)
                .arg(row.target);
        } else {
            command
                .arg(row.target)
                .args(["--format", "json", "--module-dir"])
                .arg(row.modules);
        }
        command.env("HOME", &self.directory).env("XDG_CACHE_HOME", &cache);
        Ok(command)
    }
}

fn print(what: &str, cache: &str, wharf: &[Once], trivy: &[Once]) {
    let time = |scans: &[Once]| median(scans.iter().map(|scan| scan.time.as_secs_f64() * 1e3));
    let memory = |scans: &[Once]| median(scans.iter().map(|scan| scan.most_memory as f64 / 1e6));
    let shown = |value: Option<f64>, unit: &str| {
        value
            .map(|value| format!("{value:.0} {unit}"))
            .unwrap_or_default()
    };
    let ratio = |wharf: Option<f64>, trivy: Option<f64>| {
        let ratio = trivy
            .zip(wharf)
            .map(|(trivy, wharf)| format!("{:.1}×", trivy / wharf));
        ratio.unwrap_or_default()
    };
    let (times, memories) = ([time(wharf), time(trivy)], [memory(wharf), memory(trivy)]);
    println!(
        "  {what:<33} {cache:<5} {:>9} {:>9} {:>7}   {:>9} {:>9} {:>7}",
        shown(times[0], "ms"),
        shown(times[1], "ms"),
        ratio(times[0], times[1]),
        shown(memories[0], "MB"),
        shown(memories[1], "MB"),
        ratio(memories[0], memories[1]),
    );
}
