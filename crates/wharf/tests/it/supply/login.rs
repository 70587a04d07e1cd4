//! Logging in and out.

use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use wharf_testing::registry::registry;

use super::{FILTER, Harbour, harbour_of};

/// A registry that wants to know who asks.
fn guarded() -> Harbour {
    let basic = format!("Basic {}", STANDARD.encode("me:secret"));
    let harbour = harbour_of(registry().token(Some(&basic)));
    std::fs::create_dir(harbour.folder.path().join("docker")).unwrap();
    harbour
}

fn run(harbour: &Harbour, arguments: &[&str], input: &str) -> (Option<i32>, String) {
    use std::io::Write as _;
    let mut command = harbour.command(arguments);
    command
        .env("DOCKER_CONFIG", harbour.folder.path().join("docker"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    // One that needs no input may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn credentials_are_tried_and_kept_and_forgotten() {
    let harbour = guarded();
    let file = harbour.folder.path().join("docker/config.json");
    std::fs::write(
        &file,
        r#"{"HttpHeaders":{"a":"b"},"auths":{"other.example":{"auth":"eDp5"}}}"#,
    )
    .unwrap();
    let login = ["login", "HOST", "-u", "me", "--password-stdin"];
    let push = ["push", FILTER, "HOST/plugins/greet:1"];

    let (code, said) = run(&harbour, &push, "");
    assert_eq!(code, Some(1));
    assert!(said.contains("credentials"), "{said}");
    let (code, said) = run(&harbour, &login, "wrong\n");
    assert_eq!(code, Some(1));
    assert!(said.contains("does not take these credentials"), "{said}");
    let before: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert!(before["auths"].get(harbour.host()).is_none());

    let (code, said) = run(&harbour, &login, "secret\n");
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("secret\n"), "{said}");
    let kept: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(
        kept["auths"][harbour.host()],
        json!({ "auth": STANDARD.encode("me:secret") })
    );
    assert_eq!(kept["auths"]["other.example"]["auth"], "eDp5");
    assert_eq!(kept["HttpHeaders"]["a"], "b");
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(run(&harbour, &push, "").0, Some(0));

    assert_eq!(run(&harbour, &["logout", "HOST"], "").0, Some(0));
    assert_eq!(run(&harbour, &push, "").0, Some(1));
    let (code, said) = run(&harbour, &["logout", "HOST"], "");
    assert_eq!(code, Some(0));
    assert!(said.contains("nobody was logged in"), "{said}");
}

#[test]
fn a_helper_keeps_credentials_where_one_is_named() {
    let harbour = guarded();
    let folder = harbour.folder.path();
    let helper = folder.join("docker-credential-box");
    let kept = folder.join("kept");
    let script = format!(
        "#!/bin/sh\ncase $1 in store) cat > {0};; get) cat {0};; erase) rm {0};; esac\n",
        kept.display()
    );
    std::fs::write(&helper, script).unwrap();
    std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(folder.join("docker/config.json"), r#"{"credsStore":"box"}"#).unwrap();
    let with_path = |arguments: &[&str], input: &str| {
        use std::io::Write as _;
        let mut command = harbour.command(arguments);
        command
            .env("DOCKER_CONFIG", folder.join("docker"))
            .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    };
    let output = with_path(&["login", "HOST", "-u", "me", "--password-stdin"], "secret");
    assert!(output.status.success(), "{output:?}");
    let told: Value = serde_json::from_slice(&std::fs::read(&kept).unwrap()).unwrap();
    assert_eq!(
        told,
        json!({ "ServerURL": harbour.host(), "Username": "me", "Secret": "secret" })
    );
    let file = std::fs::read_to_string(folder.join("docker/config.json")).unwrap();
    assert!(!file.contains("auth"), "{file}");
    assert!(
        with_path(&["push", FILTER, "HOST/plugins/greet:1"], "")
            .status
            .success()
    );
    assert!(with_path(&["logout", "HOST"], "").status.success());
    assert!(!kept.exists());
}

#[test]
fn a_login_that_cannot_be_is_told() {
    let harbour = guarded();
    for (arguments, input, code, expected) in [
        (
            ["login", "HOST", "-u", "me"].as_slice(),
            "",
            2,
            "there is no password",
        ),
        (
            &["login", "HOST", "-u", "me", "--password-stdin"],
            "\n",
            2,
            "the password is empty",
        ),
        (&["login", "a b", "-u", "me", "--password-stdin"], "x", 2, "a b"),
        (
            &["login", "127.0.0.1:1", "-u", "me", "--password-stdin"],
            "x",
            1,
            "127.0.0.1:1",
        ),
    ] {
        let (found, said) = run(&harbour, arguments, input);
        assert_eq!(found, Some(code), "{said}");
        assert!(said.contains(expected), "{said}");
    }
    std::fs::write(harbour.folder.path().join("docker/config.json"), "{").unwrap();
    let (code, said) = run(
        &harbour,
        &["login", "HOST", "-u", "me", "--password-stdin"],
        "secret",
    );
    assert_eq!(code, Some(1));
    assert!(said.contains("is no configuration of Docker"), "{said}");
}
