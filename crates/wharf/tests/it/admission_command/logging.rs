//! The log: Wharf's flags, and policy-server's flag and variables.

use serde_json::Value;
use wharf_testing::eventually;

use super::{LABELS, ask, command, policies, refused};
use crate::process::Wharf;

/// Whether a review leaves a line at the level debug.
fn logs_reviews(wharf: &Wharf) -> bool {
    ask(wharf, "labels", "pod-create");
    // This line comes behind that of the review.
    wharf.signal(rustix::process::Signal::HUP);
    let has = |message: &str| {
        let line = |line: &Value| line["message"].as_str().is_some_and(|text| text == message);
        wharf.log().iter().any(line)
    };
    eventually("the policies are read anew", || {
        has("The policies were read anew.")
    });
    has("Reviewed.")
}

/// Names and values.
type Variables = &'static [(&'static str, &'static str)];

#[test]
fn the_level_is_that_of_the_flag_of_wharfs_variable_or_of_policy_servers() {
    let folder = policies(LABELS);
    let cases: [(&[&str], Variables, bool); 6] = [
        (&[], &[], false),
        (&["--log-level", "debug"], &[], true),
        (&[], &[("KUBEWARDEN_LOG_LEVEL", "debug")], true),
        (&[], &[("KUBEWARDEN_LOG_LEVEL", "")], false),
        (
            &["--log-level", "info"],
            &[("KUBEWARDEN_LOG_LEVEL", "debug")],
            false,
        ),
        (
            &[],
            &[("WHARF_LOG", "info"), ("KUBEWARDEN_LOG_LEVEL", "debug")],
            false,
        ),
    ];
    for (arguments, variables, expected) in cases {
        let mut command = command(&folder, arguments);
        command.envs(variables.iter().copied());
        let wharf = Wharf::start_by(folder.clone(), command);
        assert_eq!(logs_reviews(&wharf), expected, "{arguments:?} {variables:?}");
    }
}

#[test]
fn a_level_that_is_none_is_told() {
    let folder = policies(LABELS);
    let mut command = command(&folder, &[]);
    let output = command.env("KUBEWARDEN_LOG_LEVEL", "loud=loud").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("`loud=loud` is not a log level"), "{said}");
}

#[test]
fn lines_are_text_or_json() {
    let folder = policies(LABELS);
    let is_json = |command: std::process::Command| {
        let ended = Wharf::start_by(folder.clone(), command).stop();
        assert_eq!(ended.code, Some(0));
        let line = ended.stderr.iter().find(|line| line.contains("Serving."));
        serde_json::from_str::<Value>(line.expect("it said so")).is_ok()
    };
    assert!(!is_json(command(&folder, &["--log-fmt", "text"])));
    assert!(is_json(command(&folder, &["--log-fmt", "json"])));
    let mut by_variable = command(&folder, &[]);
    by_variable.env("KUBEWARDEN_LOG_FMT", "text");
    assert!(!is_json(by_variable));
    assert!(is_json(command(&folder, &["--log-format", "json"])));
    assert!(!is_json(command(
        &folder,
        &["--log-format", "json", "--log-fmt", "text"]
    )));
}

#[test]
fn what_is_not_sent_is_told() {
    let folder = policies(LABELS);
    let mut by_variable = command(&folder, &[]);
    by_variable.env("KUBEWARDEN_LOG_FMT", "otlp");
    for command in [command(&folder, &["--log-fmt", "otlp"]), by_variable] {
        let (code, said) = refused(command);
        assert_eq!(code, Some(2), "{said}");
        assert!(
            said.contains("not sent by OTLP") && said.contains("--log-fmt json"),
            "{said}"
        );
    }
    let (code, said) = refused(command(&folder, &["--log-fmt", "xml"]));
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("[possible values: text, json]"), "{said}");
}
