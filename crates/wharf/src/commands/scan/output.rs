//! Writing the report.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use wharf_report::format::{self, SarifOptions, TableOptions, Template, TemplateOptions};
use wharf_report::sbom::{self, SbomContext};
use wharf_report::{Report, ScanWarning};

use super::plan::Plan;
use crate::exit::Code;
use crate::words::{colours_on_stdout, print_bytes, say};

/// A report that is to be written, and where to. What can be wrong with it is found before the scan.
pub(super) struct Writer {
    form: Form,
    /// None for standard output.
    output: Option<PathBuf>,
    show_suppressed: bool,
    severities: Option<Vec<String>>,
    /// The directory that paths of the report are relative to.
    root: Option<String>,
}

enum Form {
    Table,
    Json,
    Sarif,
    CycloneDx,
    Spdx,
    Junit,
    Template(Box<Template>),
}

impl Writer {
    /// How and where the plan wants it; says what is wrong.
    pub(super) fn of(plan: &Plan) -> Result<Self, Code> {
        let form = match plan.format {
            "json" => Form::Json,
            "sarif" => Form::Sarif,
            "cyclonedx" => Form::CycloneDx,
            "spdx-json" => Form::Spdx,
            "junit" => Form::Junit,
            "template" => Form::Template(Box::new(template(plan.template.as_deref().unwrap_or_default())?)),
            _ => Form::Table,
        };
        if let Some(output) = &plan.output {
            // A scan may take long, and its report must not be lost for a path that could not be written from the start.
            let directory = directory_of(output);
            if output.is_dir() {
                return Err(cannot_write(output, "it is a directory"));
            }
            if !directory.is_dir() {
                return Err(cannot_write(output, "its directory does not exist"));
            }
            tempfile::NamedTempFile::new_in(directory).map_err(|error| cannot_write(output, error.kind()))?;
        }
        Ok(Self {
            form,
            output: plan.output.clone(),
            show_suppressed: plan.show_suppressed,
            severities: plan
                .severities
                .as_ref()
                .map(|severities| severities.iter().map(|&severity| severity.to_owned()).collect()),
            root: plan.root(),
        })
    }

    /// Whether whoever started the scan sees the warnings in the report.
    pub(super) fn shows_warnings(&self) -> bool {
        self.output.is_none() && matches!(self.form, Form::Table)
    }

    /// Writes it; says what went wrong.
    pub(super) fn write(&self, report: &Report, warnings: &[ScanWarning]) -> Result<(), Code> {
        let context = SbomContext {
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            created: report.created_at.clone(),
        };
        let bytes = match &self.form {
            Form::Table => {
                let options = TableOptions {
                    color: self.output.is_none() && colours_on_stdout(),
                    show_suppressed: self.show_suppressed,
                    severities: self.severities.clone(),
                    ..TableOptions::default()
                };
                format::table(report, warnings, &options).into_bytes()
            }
            Form::Json => report.to_json_with(warnings),
            Form::Sarif => {
                let options = SarifOptions {
                    root: self.root.clone(),
                    ..SarifOptions::default()
                };
                format::sarif(report, warnings, &options)
            }
            Form::CycloneDx => sbom::to_cyclonedx(report, &context),
            Form::Spdx => sbom::to_spdx_json(report, &context),
            Form::Junit => format::junit(report, warnings).into_bytes(),
            Form::Template(template) => {
                match template.render(report, warnings, &TemplateOptions::default()) {
                    Ok(text) => text.into_bytes(),
                    Err(error) => {
                        say(format_args!(
                            "error: the report cannot be written by the template: {error}"
                        ));
                        return Err(Code::Failure);
                    }
                }
            }
        };
        match &self.output {
            None => print_bytes(&bytes).map_err(|error| {
                say(format_args!(
                    "error: the report cannot be written to standard output: {error}"
                ));
                Code::Failure
            }),
            Some(path) => replace(path, &bytes).map_err(|error| cannot_write(path, error)),
        }
    }
}

/// The directory that a file is in, or will be.
fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Writes beside the place and moves it there, so that nobody sees a part of a report. What is no file, such as `/dev/stdout`,
/// is written as it is.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let before = std::fs::metadata(path).ok();
    if before.as_ref().is_some_and(|before| !before.is_file()) {
        return std::fs::File::options().write(true).open(path)?.write_all(bytes);
    }
    // A link stays one: what it leads to is replaced.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut file = tempfile::NamedTempFile::new_in(directory_of(&path))?;
    file.write_all(bytes)?;
    let permissions = before.map_or_else(|| Permissions::from_mode(0o644), |before| before.permissions());
    file.as_file().set_permissions(permissions)?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

fn cannot_write(path: &Path, reason: impl std::fmt::Display) -> Code {
    say(format_args!(
        "error: the report cannot be written to {}: {reason}\n\nhint: name a file in a directory that can be written",
        path.display()
    ));
    Code::Failure
}

/// The template: built in, of a file, or the text itself.
fn template(text: &str) -> Result<Template, Code> {
    let refused = |error: &dyn std::fmt::Display| {
        say(format_args!("error: the template cannot be used: {error}"));
        Code::CommandLine
    };
    let Some(name) = text.strip_prefix('@') else {
        return Template::parse("--template", text).map_err(|error| refused(&error));
    };
    if Template::built_in_names()
        .iter()
        .any(|known| known.trim_start_matches('@') == name)
    {
        return Template::built_in(name).map_err(|error| refused(&error));
    }
    let text = std::fs::read_to_string(name).map_err(|error| {
        say(format_args!(
            "error: the template {name} cannot be read: {error}\n\nhint: `@` and the path of a file, or one of those that are \
             built in: {}",
            Template::built_in_names().join(", ")
        ));
        Code::CommandLine
    })?;
    Template::parse(name, &text).map_err(|error| refused(&error))
}
