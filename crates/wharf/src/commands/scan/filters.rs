//! What is left out of the report.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use wharf_config::trivy::IgnoreEntry;
use wharf_report::Timestamp;
use wharf_report::filter::{Filter, IgnoreRule, IgnoreRules, Severity, UNFIXED, VexDocument};

use super::plan::Plan;
use crate::commands::single;
use crate::exit::Code;
use crate::words::{colours, say};

/// The file of findings to be left out that is read where none is named.
const IGNORE_FILE: &str = ".trivyignore";

/// The largest file that is read here.
const MOST_BYTES: u64 = 64 << 20;

/// Reads what the plan names; says what is wrong with it.
pub(super) fn read(plan: &Plan) -> Result<Filter, Code> {
    let severities = plan.severities.as_ref().map(|severities| {
        let severities = severities.iter();
        severities.filter_map(|name| Severity::with_name(name)).collect()
    });
    let vex: Result<_, Code> = plan.vex.iter().map(|path| read_vex(path)).collect();
    Ok(Filter {
        severities,
        ignore_statuses: match plan.ignore_unfixed {
            true => UNFIXED.to_vec(),
            false => Vec::new(),
        },
        ignore: read_ignore_file(plan.ignore_file.as_deref())?,
        vex: vex?,
        show_suppressed: plan.show_suppressed,
        now: now(),
        ..Filter::default()
    })
}

fn read_ignore_file(named: Option<&Path>) -> Result<IgnoreRules, Code> {
    let path = named.unwrap_or(Path::new(IGNORE_FILE));
    let text = match read_text(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // Trivy passes over a file that is missing, also one that is named; a name that is wrong is worth a word.
            if named.is_some() {
                say(format_args!(
                    "warning: there is no ignore file {}, so nothing is left out by one",
                    path.display()
                ));
            }
            return Ok(IgnoreRules::default());
        }
        Err(error) => {
            say(format_args!(
                "error: the ignore file {} cannot be read: {error}",
                path.display()
            ));
            return Err(Code::Configuration);
        }
    };
    let is_yaml = path
        .extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml");
    if is_yaml {
        return yaml_rules(path, &text);
    }
    let (rules, odd) = IgnoreRules::parse_trivyignore(&name_of(path), &text);
    for skipped in odd {
        say(format_args!(
            "warning: {}:{}: the line is passed over, since \"{}\" is no date",
            path.display(),
            skipped.line,
            skipped.date.escape_debug()
        ));
    }
    Ok(rules)
}

fn yaml_rules(path: &Path, text: &str) -> Result<IgnoreRules, Code> {
    let ignore = wharf_config::trivy::parse_trivyignore_yaml(path, text).map_err(|errors| {
        say(errors.render(colours()));
        Code::Configuration
    })?;
    for warning in &ignore.warnings {
        say(warning.render(colours()));
    }
    let rules = |entries: Vec<IgnoreEntry>| -> Result<Vec<_>, Code> {
        entries.into_iter().map(|entry| rule(path, entry)).collect()
    };
    Ok(IgnoreRules {
        source: name_of(path),
        vulnerabilities: rules(ignore.vulnerabilities)?,
        misconfigurations: rules(ignore.misconfigurations)?,
        secrets: rules(ignore.secrets)?,
        licenses: rules(ignore.licenses)?,
    })
}

fn rule(path: &Path, entry: IgnoreEntry) -> Result<IgnoreRule, Code> {
    let until = entry
        .expired_at
        .as_deref()
        .and_then(|moment| Timestamp::parse(moment).ok());
    let rule = IgnoreRule::new(entry.id)
        .until(until)
        .because(entry.statement)
        .with_paths(&entry.paths)
        .and_then(|rule| rule.with_purls(&entry.purls));
    rule.map_err(|error| {
        say(format_args!(
            "error: {}:{}: {}",
            path.display(),
            entry.line,
            single::with_causes(&error)
        ));
        Code::Configuration
    })
}

/// What suppressed findings name as the reason.
fn name_of(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn read_vex(path: &Path) -> Result<VexDocument, Code> {
    let text = read_text(path).map_err(|error| {
        say(format_args!(
            "error: the VEX document {} cannot be read: {error}\n\nhint: --vex takes the path of a file",
            path.display()
        ));
        Code::Configuration
    })?;
    VexDocument::parse(&path.to_string_lossy(), text.as_bytes()).map_err(|error| {
        say(format_args!("error: {}: {error}", path.display()));
        Code::Configuration
    })
}

fn read_text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if read as u64 > MOST_BYTES {
        return Err(std::io::Error::other("it is larger than 64 MiB"));
    }
    Ok(text)
}

fn now() -> Option<Timestamp> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Timestamp::from_unix(i64::try_from(since.as_secs()).ok()?, since.subsec_nanos())
}
