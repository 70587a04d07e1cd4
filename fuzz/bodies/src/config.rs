//! The configuration, and the small texts in it.

use std::fmt::{Debug, Display};
use std::io::Write;
use std::path::Path;
use std::str::FromStr;

use wharf_config::cases::{self, Form};
use wharf_config::kubewarden::parse_policies;
use wharf_config::{ConfigErrors, Diagnostic, HostPattern, load, parse};
use wharf_plugin::units::{format_duration, parse_duration};
use wharf_plugin::{ByteSize, Digest, PluginName, Reference};

/// Texts up to here are also read as each of the small texts of a configuration.
const SHORT: usize = 256;
/// What all that is said of one configuration may have: 100 diagnostics with their excerpts.
const LONGEST_REPORT: usize = 1 << 20;

/// Reads the bytes as a `wharf.yaml`, as the other files in YAML that they may be, and short ones as a size, a duration,
/// a reference and a name as well. Whatever is refused is refused with a reason and a hint, and all that is said can be
/// shown.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return load_file(bytes);
    };
    let origin = Path::new("folder/wharf.yaml");
    check_outcome(parse(text, origin).map(|loaded| (loaded.config, loaded.warnings)));
    if ["request", "cases:", "policy:"]
        .iter()
        .any(|part| text.contains(part))
    {
        check_outcome(cases::parse(text, origin, Form::Table).map(|cases| (cases, Vec::new())));
        check_outcome(cases::parse(text, origin, Form::Golden).map(|cases| (cases, Vec::new())));
    }
    if text.contains("module:") || text.contains("kind:") {
        check_outcome(parse_policies(text, origin).map(|loaded| {
            loaded
                .policies
                .bad
                .iter()
                .for_each(|bad| check_errors(&bad.errors));
            (loaded.policies, loaded.warnings)
        }));
    }
    if text.len() <= SHORT {
        check_small(text);
    }
}

/// Only a file can be something else than text.
fn load_file(bytes: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().expect("a file can be made for the time of the test");
    file.write_all(bytes).expect("the file takes all bytes");
    check_outcome(load(file.path()).map(|loaded| (loaded.config, loaded.warnings)));
}

fn check_outcome<T: Debug>(outcome: Result<(T, Vec<Diagnostic>), ConfigErrors>) {
    match outcome {
        Ok((read, warnings)) => {
            warnings.iter().for_each(check_diagnostic);
            assert!(!format!("{read:?}").is_empty());
        }
        Err(errors) => check_errors(&errors),
    }
}

fn check_errors(errors: &ConfigErrors) {
    assert!(!errors.errors.is_empty(), "refused without a reason");
    errors
        .errors
        .iter()
        .chain(&errors.warnings)
        .for_each(check_diagnostic);
    check_text(&errors.render(false));
    assert!(errors.render(true).len() <= LONGEST_REPORT);
    serde_json::to_string(errors).expect("errors can be written as JSON");
}

fn check_diagnostic(diagnostic: &Diagnostic) {
    assert!(!diagnostic.message.is_empty());
    assert!(
        diagnostic.hint.is_some(),
        "it does not say what to do: {}",
        diagnostic.message
    );
    check_text(&diagnostic.render(false));
    if let Some(location) = &diagnostic.location {
        assert!(location.line > 0 && location.column > 0);
        let excerpt = &location.excerpt;
        assert!(
            excerpt.text.get(excerpt.highlight.clone()).is_some(),
            "no mark can be set there"
        );
    }
}

/// No text of the file can say anything to a terminal.
fn check_text(text: &str) {
    assert!(text.len() <= LONGEST_REPORT);
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
}

fn check_small(text: &str) {
    check_round_trip::<ByteSize>(text);
    check_round_trip::<Reference>(text);
    check_round_trip::<PluginName>(text);
    check_round_trip::<Digest>(text);
    check_round_trip::<HostPattern>(text);
    if let Err(error) = text.parse::<ByteSize>() {
        assert!(!error.hint().is_empty());
    }
    if let Err(error) = text.parse::<Reference>() {
        assert!(!error.hint().is_empty());
    }
    match parse_duration(text) {
        Ok(duration) => assert_eq!(parse_duration(&format_duration(duration)), Ok(duration)),
        Err(error) => assert!(!error.to_string().is_empty() && !error.hint().is_empty()),
    }
}

/// What can be read is the same when it is written and read again.
fn check_round_trip<T>(text: &str)
where
    T: FromStr<Err: Display> + Display + Debug + PartialEq,
{
    match text.parse::<T>() {
        Ok(value) => {
            let written = value.to_string();
            let again = written.parse::<T>();
            assert!(
                again.is_ok_and(|again| again == value),
                "{text:?} is written {written:?}"
            );
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
