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
fn signatures_that_cannot_be_asked_for_end_the_start() {
    let folder = policies(LABELS)
        .with("empty.yml", "")
        .with(
            "key.yml",
            "apiVersion: v1\nallOf: [ { kind: pubKey, owner: me, key: none } ]\n",
        )
        .with("root.json", "{}")
        .with(
            "good.yml",
            "apiVersion: v1\nallOf: [ { kind: githubAction, owner: acme } ]\n",
        );
    let with = |name: &str, more: &[&str]| {
        let mut by_variable = command(&folder, more);
        by_variable.env("KUBEWARDEN_VERIFICATION_CONFIG_PATH", name);
        let by_flag = command(&folder, &[&["--verification-path", name], more].concat());
        [by_flag, by_variable]
    };
    let root = ["--sigstore-trust-config", "root.json"];
    for (commands, expected) in [
        (with("empty.yml", &[]), "the file is empty"),
        (with("nothing.yml", &[]), "cannot be read"),
        (with("key.yml", &[]), "this is no PEM"),
        (with("good.yml", &root), "trusted_root.json"),
    ] {
        for command in commands {
            let (code, said) = refused(command);
            assert_eq!(code, Some(3), "{said}");
            assert!(said.contains(expected), "{said}");
        }
    }
}

#[test]
fn policies_that_those_did_not_sign_who_have_to_are_not_served() {
    let verification = "apiVersion: v1\nallOf: [ { kind: githubAction, owner: acme } ]\n";
    let folder = policies(LABELS).with("verification.yml", verification);
    let (code, said) = refused(command(
        &folder,
        &["--verification-path", "verification.yml", "--refuse-bad-policies"],
    ));
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("workflows of github.com/acme did not"), "{said}");
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
