//! Command lines that cannot be used.

use super::{LABELS, command, policies, refused};
use crate::harness::folder;

#[test]
fn values_that_cannot_be_are_told_with_their_flags() {
    let folder = policies(LABELS);
    for (arguments, part) in [
        (&["--port", "70000"][..], "'--port <PORT>'"),
        (
            &["--readiness-probe-port", "x"],
            "'--readiness-probe-port <PORT>'",
        ),
        (&["--addr", "localhost"], "'--addr <ADDRESS>'"),
        (&["--workers", "0"], "'--workers <COUNT>'"),
        (&["--policy-timeout", "0"], "'--policy-timeout <SECONDS>'"),
        (&["--policy-timeout", "2s"], "'--policy-timeout <SECONDS>'"),
        (&["--policy-timeout", "3601"], "'--policy-timeout <SECONDS>'"),
        (&["--cert-file", "tls.crt"], "--key-file <FILE>"),
        (&["--key-file", "tls.key"], "--cert-file <FILE>"),
        (&["--client-ca-file", "ca.crt"], "--cert-file <FILE>"),
        (&["--unknown"], "'--unknown'"),
    ] {
        let mut arguments_of_all = vec!["admission"];
        arguments_of_all.extend(arguments);
        let (code, said) = refused(folder.command(&arguments_of_all));
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
    let mut command = command(&folder, &[]);
    command.env("KUBEWARDEN_CONTINUE_ON_ERRORS", "perhaps");
    let (code, said) = refused(command);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("perhaps"), "{said}");
}

#[test]
fn signatures_that_are_to_be_verified_end_the_start() {
    let folder = policies(LABELS).with("verification.yml", "");
    let mut by_variable = command(&folder, &[]);
    by_variable.env("KUBEWARDEN_VERIFICATION_CONFIG_PATH", "verification.yml");
    for command in [
        command(&folder, &["--verification-path", "verification.yml"]),
        by_variable,
    ] {
        let (code, said) = refused(command);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("signatures cannot be verified yet"), "{said}");
    }
}

#[test]
fn plain_http_is_for_this_machine_alone() {
    let (code, said) = refused(policies(LABELS).command(&["admission", "--port", "0"]));
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("--cert-file and --key-file") && said.contains("0.0.0.0"),
        "{said}"
    );
}

#[test]
fn policies_that_cannot_be_read_are_told_with_their_place() {
    let (code, said) = refused(command(&folder(), &[]));
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("policies.yml") && said.contains("cannot be read"),
        "{said}"
    );
    let (code, said) = refused(command(&policies("labels: [\n"), &[]));
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("--> policies.yml:"), "{said}");
}
