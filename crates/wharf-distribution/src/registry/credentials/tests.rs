use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::super::{RegistryLimits, RegistrySettings};
use super::*;

fn client(path: &Path) -> RegistryClient {
    RegistryClient::new(RegistrySettings {
        docker_config: Some(path.to_owned()),
        limits: RegistryLimits {
            helper: Duration::from_secs(20),
            ..RegistryLimits::default()
        },
        ..RegistrySettings::default()
    })
    .unwrap()
}

async fn found(config: &str, image: &str) -> Result<Credentials, RegistryError> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("config.json"), config).unwrap();
    let (host, repository) = image.split_once('/').unwrap();
    client(directory.path())
        .credentials(&host.parse().unwrap(), repository)
        .await
}

fn password(user: &str, password: &str) -> Credentials {
    password_of(user, password)
}

#[tokio::test]
async fn the_key_that_fits_best_counts() {
    let config = r#"{"auths": {
        "registry.example": {"auth": "YTpi"},
        "registry.example/team": {"username": "c", "password": "d"},
        "https://old.example/v1/": {"auth": "ZTpmOmc="},
        "https://index.docker.io/v1/": {"auth": "aGk6am8="},
        "identity.example:5000": {"auth": "PHRva2VuPjo=", "identitytoken": "i"},
        "registrytoken.example": {"registrytoken": "r"},
        "empty.example": {}
    }}"#;
    for (image, expected) in [
        ("registry.example/app", password("a", "b")),
        ("registry.example/teamwork", password("a", "b")),
        ("registry.example/team/app", password("c", "d")),
        ("registry.example/team", password("c", "d")),
        ("old.example/app", password("e", "f:g")),
        ("docker.io/library/busybox", password("hi", "jo")),
        (
            "identity.example:5000/app",
            Credentials::IdentityToken("i".into()),
        ),
        (
            "registrytoken.example/app",
            Credentials::RegistryToken("r".into()),
        ),
        ("empty.example/app", Credentials::None),
        ("registry.example:5000/app", Credentials::None),
        ("else.example/app", Credentials::None),
    ] {
        assert!(found(config, image).await.unwrap() == expected, "{image}");
    }
}

#[tokio::test]
async fn a_secrets_file_and_a_file_itself_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(".dockerconfigjson");
    std::fs::write(&file, r#"{"auths": {"registry.example": {"auth": "YTpi"}}}"#).unwrap();
    let host = "registry.example".parse().unwrap();
    for path in [directory.path(), &file] {
        let found = client(path).credentials(&host, "app").await.unwrap();
        assert!(found == password("a", "b"), "{}", path.display());
    }
}

#[tokio::test]
async fn what_is_wrong_is_told_without_secrets() {
    for config in [
        "",
        "7",
        r#"{"auths": {"registry.example": {"auth": "c2VjcmV0"}}}"#,
        r#"{"auths": {"registry.example": {"auth": "secret!"}}}"#,
        r#"{"auths": {"registry.example": "secret"}}"#,
        r#"{"credHelpers": {"registry.example": "../secret"}}"#,
    ] {
        let error = found(config, "registry.example/app").await.unwrap_err();
        let RegistryError::Credentials { error: reason, .. } = &error else {
            panic!("{error:?}");
        };
        assert!(!reason.hint().is_empty());
        let says_secret = error.to_string().contains("secret") && !config.contains("../secret");
        assert!(!says_secret, "{error}");
    }
    let missing = client(Path::new("/nowhere/config.json"));
    let error = missing
        .credentials(&"a.example".parse().unwrap(), "app")
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("/nowhere/config.json cannot be read"),
        "{error}"
    );
}

/// Runs a helper of this text; gives its credentials.
async fn helped(script: &str, limit: Duration) -> Result<Credentials, CredentialsError> {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("docker-credential-test");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let limits = RegistryLimits {
        helper: limit,
        ..RegistryLimits::default()
    };
    loop {
        match helper::ask_program("test", &program, "registry.example", &limits).await {
            // Another thread was just starting a program, which had the file open for writing until then.
            Err(error) if error.to_string().contains("Text file busy") => tokio::task::yield_now().await,
            ended => return ended,
        }
    }
}

#[tokio::test]
async fn helpers_are_asked() {
    let patient = Duration::from_secs(20);
    let answers = r#"read server; [ "$1" = get ] && echo "{\"ServerURL\":\"$server\",\"Username\":\"u-$server\",\"Secret\":\"s\"}""#;
    assert!(helped(answers, patient).await.unwrap() == password("u-registry.example", "s"));
    let token = r#"echo '{"ServerURL":"x","Username":"<token>","Secret":"t"}'"#;
    assert!(helped(token, patient).await.unwrap() == Credentials::IdentityToken("t".into()));
    let nothing = "echo 'credentials not found in native keychain'; exit 1";
    assert!(helped(nothing, patient).await.unwrap() == Credentials::None);
    for (script, word) in [
        ("echo secret; exit 3", "failed"),
        ("echo secret", "gave an answer that is none"),
        ("cat /dev/zero", "failed"),
    ] {
        let error = helped(script, patient).await.unwrap_err().to_string();
        assert!(
            error.contains(word) && !error.contains("secret"),
            "{script}: {error}"
        );
    }
    // It would sleep longer than any test.
    let error = helped("exec sleep 600", Duration::from_millis(50))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("took too long"), "{error}");
}

#[tokio::test]
async fn a_helper_that_is_not_there_is_told() {
    let config = r#"{"credsStore": "there-is-no-such-helper"}"#;
    let error = found(config, "registry.example/app").await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`docker-credential-there-is-no-such-helper` cannot be run"),
        "{error}"
    );
}
