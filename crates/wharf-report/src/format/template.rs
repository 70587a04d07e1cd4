//! Templates, in the language of Jinja: those that come with Wharf and those of users.
//!
//! A template is bounded in its work, in the memory that it takes and in what it writes. It reaches the report, and nothing of the
//! machine: no file, no clock, and of the environment only what is given to it.

mod context;
mod functions;
mod hash;
mod text;

use std::collections::BTreeMap;
use std::io;

use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};

use crate::visible::visible;
use crate::{Report, ScanWarning, Timestamp};

/// What a template may know beside the report.
#[derive(Debug, Clone, Default)]
pub struct TemplateOptions {
    /// The variables that `getEnv` and `env` give. All others are refused.
    pub environment: BTreeMap<String, String>,
    /// What `now` and `getCurrentTime` give. By default it is when the report was made, and where the report does not tell that,
    /// the start of 1970. A caller that has `SOURCE_DATE_EPOCH` gives it here, by [`Timestamp::from_unix`].
    pub now: Option<Timestamp>,
}

/// A template that was read and found to be one. It is compiled again for each report.
#[derive(Debug, Clone)]
pub struct Template {
    name: String,
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    /// Written by Rust.
    Junit,
    Jinja(String),
}

/// Why a template cannot be used. Who wrote it is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It does not follow the grammar of Jinja.
    #[error("template {name}{}: {reason}", at_line(*.line))]
    Syntax {
        /// The template.
        name: String,
        /// The line, from 1.
        line: Option<usize>,
        /// What is wrong there.
        reason: String,
    },
    /// It is a template of Go, such as Trivy takes.
    #[error(
        "template {name}, line {line}: `{found}` is of Go's template language, as Trivy takes it. Templates of Wharf are written in Jinja, \
         with `{{% for result in results %}}` in place of `{{{{ range . }}}}`: docs/reports.md shows how one becomes the other. The \
         templates that come with Trivy come with Wharf as well: {}",
        BUILT_IN.join(", ")
    )]
    Go {
        /// The template.
        name: String,
        /// The line, from 1.
        line: usize,
        /// What tells it.
        found: String,
    },
    /// It failed while it was used on a report.
    #[error("template {name}{}: {reason}", at_line(*.line))]
    Render {
        /// The template.
        name: String,
        /// The line, from 1.
        line: Option<usize>,
        /// What went wrong there.
        reason: String,
    },
    /// It took more work than it may.
    #[error("template {name}{}: it was stopped because it does not come to an end, or takes too much memory", at_line(*.line))]
    TooMuchWork {
        /// The template.
        name: String,
        /// The line, from 1.
        line: Option<usize>,
    },
    /// It wrote more than it may.
    #[error("template {name}: it was stopped because it had written {most} bytes, which is the most")]
    TooLong {
        /// The template.
        name: String,
        /// The most bytes.
        most: usize,
    },
    /// Its text is longer than a template may be.
    #[error("template {name}: it has {length} bytes, and at most {most} are read")]
    TooLarge {
        /// The template.
        name: String,
        /// Its length.
        length: usize,
        /// The most bytes.
        most: usize,
    },
    /// No template of this name comes with Wharf.
    #[error("no template {name} comes with Wharf; these do: {}", BUILT_IN.join(", "))]
    NotBuiltIn {
        /// The name.
        name: String,
    },
}

fn at_line(line: Option<usize>) -> String {
    line.map(|line| format!(", line {line}")).unwrap_or_default()
}

/// The names of the templates that come with Wharf.
const BUILT_IN: [&str; 5] = ["@junit", "@gitlab", "@gitlab-codequality", "@html", "@asff"];

/// The longest text of a template.
const LONGEST_TEMPLATE: usize = 1 << 20;

/// The most that a template may write.
const LONGEST_OUTPUT: usize = 256 << 20;

/// What a template may do for any report: about so many instructions, or 64 times as many bytes of values and output.
const FUEL: u64 = 4_000_000;

/// What it may do more for each byte of the report.
const FUEL_OF_BYTE: u64 = 4;

/// How deep blocks, calls of macros and expressions may be.
const DEEPEST: usize = 200;

impl Template {
    /// Reads the template `text`. The ending of `name` chooses how values are escaped: `.html`, `.htm` and `.xml`, also with
    /// `.j2`, `.jinja`, `.jinja2` or `.tpl` behind it, as markup; any other not at all.
    ///
    /// # Errors
    /// [`TemplateError`] with the line where it is no template of Jinja, where it is one of Go, where it is over 1 MiB.
    pub fn parse(name: &str, text: &str) -> Result<Self, TemplateError> {
        let name = visible(name).into_owned();
        if text.len() > LONGEST_TEMPLATE {
            return Err(TemplateError::TooLarge {
                name,
                length: text.len(),
                most: LONGEST_TEMPLATE,
            });
        }
        if let Some((line, found)) = go_action(text, is_surely_go) {
            return Err(TemplateError::Go { name, line, found });
        }
        if let Err(error) = environment(&TemplateOptions::default(), "").template_from_named_str(&name, text)
        {
            return Err(match go_action(text, is_perhaps_go) {
                Some((line, found)) => TemplateError::Go { name, line, found },
                None => TemplateError::Syntax {
                    name,
                    line: error.line(),
                    reason: reason(&error),
                },
            });
        }
        Ok(Self {
            name,
            body: Body::Jinja(text.to_owned()),
        })
    }

    /// The template of this name that comes with Wharf: `@junit`, `@gitlab`, `@gitlab-codequality`, `@html`, `@asff`; also without
    /// the `@`.
    ///
    /// # Errors
    /// [`TemplateError::NotBuiltIn`] where there is none.
    pub fn built_in(name: &str) -> Result<Self, TemplateError> {
        let (name, text) = match name.strip_prefix('@').unwrap_or(name) {
            "junit" => {
                return Ok(Self {
                    name: "@junit".to_owned(),
                    body: Body::Junit,
                });
            }
            "gitlab" => ("@gitlab", include_str!("template/builtin/gitlab.json.j2")),
            "gitlab-codequality" => (
                "@gitlab-codequality",
                include_str!("template/builtin/gitlab-codequality.json.j2"),
            ),
            "asff" => ("@asff", include_str!("template/builtin/asff.json.j2")),
            "html" => ("@html.html", include_str!("template/builtin/html.html.j2")),
            _ => {
                return Err(TemplateError::NotBuiltIn {
                    name: visible(name).into_owned(),
                });
            }
        };
        Self::parse(name, text)
    }

    /// The names of the templates that come with Wharf.
    pub fn built_in_names() -> &'static [&'static str] {
        &BUILT_IN
    }

    /// Writes the report. The template sees it as `report`, under Trivy's keys, its results also as `results`, and `warnings`.
    ///
    /// # Errors
    /// [`TemplateError`] with the line where the template fails, does not end, takes too much memory or writes over 256 MiB.
    pub fn render(
        &self,
        report: &Report,
        warnings: &[ScanWarning],
        options: &TemplateOptions,
    ) -> Result<String, TemplateError> {
        let text = match &self.body {
            Body::Junit => return Ok(super::junit(report, warnings)),
            Body::Jinja(text) => text,
        };
        let (context, size) = context::of(report, warnings);
        let mut environment = environment(options, &now(report, options));
        let of_report = FUEL_OF_BYTE.saturating_mul(u64::try_from(size).unwrap_or(u64::MAX));
        environment.set_fuel(Some(FUEL.saturating_add(of_report)));
        let template = environment
            .template_from_named_str(&self.name, text)
            .map_err(|error| self.failure(&error))?;
        let mut written = Bounded::to(LONGEST_OUTPUT);
        let outcome = template.render_captured_to(context, &mut written).map(drop);
        if written.is_full {
            return Err(TemplateError::TooLong {
                name: self.name.clone(),
                most: LONGEST_OUTPUT,
            });
        }
        outcome.map_err(|error| self.failure(&error))?;
        Ok(String::from_utf8(written.bytes).expect("templates write texts"))
    }

    fn failure(&self, error: &minijinja::Error) -> TemplateError {
        let (name, line) = (self.name.clone(), error.line());
        match error.kind() {
            ErrorKind::OutOfFuel => TemplateError::TooMuchWork { name, line },
            _ => TemplateError::Render {
                name,
                line,
                reason: reason(error),
            },
        }
    }
}

fn reason(error: &minijinja::Error) -> String {
    let told = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    visible(&told).into_owned()
}

fn now(report: &Report, options: &TemplateOptions) -> String {
    options
        .now
        .as_ref()
        .or(report.created_at.as_ref())
        .map_or("1970-01-01T00:00:00Z", Timestamp::as_str)
        .to_owned()
}

fn environment<'source>(options: &TemplateOptions, now: &str) -> Environment<'source> {
    let mut environment = Environment::new();
    // Trivy's keys are left out where they are empty, so a key that is not there is an empty one.
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_recursion_limit(DEEPEST);
    environment.set_auto_escape_callback(escaping);
    environment.set_formatter(text::write);
    // It shows the state of the engine, which differs from version to version.
    environment.remove_global("debug");
    functions::add(&mut environment, options, now);
    environment
}

fn escaping(name: &str) -> AutoEscape {
    let name = [".j2", ".jinja", ".jinja2", ".tpl"]
        .iter()
        .find_map(|ending| name.strip_suffix(ending))
        .unwrap_or(name);
    match name.rsplit('.').next() {
        Some("html" | "htm" | "xml") => AutoEscape::Html,
        _ => AutoEscape::None,
    }
}

/// The first action in `text` that is Go's, and its line.
fn go_action(text: &str, is_go: fn(&str) -> bool) -> Option<(usize, String)> {
    let mut line = 1;
    let mut rest = text;
    while let Some((before, from)) = rest.split_once("{{") {
        line += before.matches('\n').count();
        let end = from.find("}}").unwrap_or(from.len());
        let (action, behind) = from.split_at(end);
        let inner = action.trim_start_matches('-').trim_end_matches('-').trim();
        if is_go(inner) {
            let shown: String = inner.chars().take(40).collect();
            return Some((line, format!("{{{{ {} }}}}", visible(&shown))));
        }
        line += action.matches('\n').count();
        rest = behind;
    }
    None
}

const WORDS_OF_GO: [&str; 8] = [
    "range", "if", "with", "define", "end", "else", "template", "block",
];

/// Such as `.Target`, `$x` and `range .`; some of these would have a meaning in Jinja, but nobody writes it so.
fn is_surely_go(action: &str) -> bool {
    let mut words = action.split_whitespace();
    let first = words.next().unwrap_or_default();
    let second = words.next().unwrap_or_default();
    first.starts_with(['.', '$']) || WORDS_OF_GO.contains(&first) && second.starts_with(['.', '$'])
}

/// Such as `end`, which is a name in Jinja.
fn is_perhaps_go(action: &str) -> bool {
    let first = action.split_whitespace().next().unwrap_or_default();
    first.starts_with("/*") || WORDS_OF_GO.contains(&first) || action.contains(":=")
}

/// What was written, up to the most.
struct Bounded {
    bytes: Vec<u8>,
    most: usize,
    is_full: bool,
}

impl Bounded {
    fn to(most: usize) -> Self {
        Self {
            bytes: Vec::new(),
            most,
            is_full: false,
        }
    }
}

impl io::Write for &mut Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len().saturating_add(bytes.len()) > self.most {
            self.is_full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
