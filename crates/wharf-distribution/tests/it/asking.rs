//! Who asks: challenges, tokens, credentials.

use tempfile::TempDir;
use wharf_distribution::registry::RegistryError;
use wharf_testing::registry::{Fault, Registry, registry};

use crate::harness::{Asking, CONFIG, told};

/// `user:password` in base64.
const BASIC: &str = "Basic dXNlcjpwYXNzd29yZA==";

/// Docker's configuration with credentials for a registry.
fn docker_config(registry: &Registry, auth: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let text = format!(r#"{{"auths": {{"{}": {{{auth}}}}}}}"#, registry.address());
    std::fs::write(directory.path().join("config.json"), text).unwrap();
    directory
}

#[tokio::test]
async fn a_token_is_had_without_credentials_and_used_again() {
    let registry = registry().image("team/app", "1", CONFIG).token(None).start();
    let asking = Asking::of(registry.address());
    asking.configuration("team/app:1").await.unwrap();
    asking.resolve("team/app:1").await.unwrap();
    let asked = registry.asked();
    let tokens: Vec<&String> = asked.iter().filter(|asked| asked.contains("/token")).collect();
    // The scope is ours, and not the one that the challenge asks for.
    assert_eq!(
        tokens,
        ["GET /token?service=fake&scope=repository%3Ateam%2Fapp%3Apull"],
        "{asked:?}"
    );
    assert_eq!(asked.len(), 5, "{asked:?}");
}

#[tokio::test]
async fn credentials_go_to_the_token_server() {
    let registry = registry().image("app", "1", CONFIG).token(Some(BASIC)).start();
    let directory = docker_config(&registry, r#""auth": "dXNlcjpwYXNzd29yZA==""#);
    let asking = Asking::with_credentials(registry.address(), directory.path());
    asking.resolve("app:1").await.unwrap();
    let received = registry.received();
    let sent: Vec<Option<&str>> = received
        .iter()
        .map(|request| request.header("authorization"))
        .collect();
    assert_eq!(sent, [None, Some(BASIC), Some("Bearer the-token")]);
}

#[tokio::test]
async fn credentials_go_to_a_registry_that_wants_them_itself() {
    let registry = registry()
        .image("app", "1", CONFIG)
        .challenge("Basic realm=\"x\"", Some(BASIC))
        .start();
    let directory = docker_config(&registry, r#""username": "user", "password": "password""#);
    let asking = Asking::with_credentials(registry.address(), directory.path());
    let found = asking.configuration("app:1").await.unwrap();
    assert_eq!(found.config, CONFIG.as_bytes());
    // The registry is told once, and then from the beginning.
    assert_eq!(registry.asked().len(), 3);
}

#[tokio::test]
async fn an_identity_token_is_sent_in_a_form() {
    let registry = registry().image("app", "1", CONFIG).token(None).start();
    let directory = docker_config(&registry, r#""identitytoken": "i&d""#);
    let asking = Asking::with_credentials(registry.address(), directory.path());
    asking.resolve("app:1").await.unwrap();
    let received = registry.received();
    let asked = received
        .iter()
        .find(|request| request.target == "/token")
        .unwrap();
    assert_eq!(asked.method, "POST");
    assert!(
        asked.text().contains("grant_type=refresh_token"),
        "{}",
        asked.text()
    );
    assert!(asked.text().ends_with("refresh_token=i%26d"), "{}", asked.text());
}

#[tokio::test]
async fn no_credentials_wrong_ones_and_a_loop_are_told_apart() {
    let registry = registry().image("app", "1", CONFIG).token(Some(BASIC)).start();
    let error = Asking::of(registry.address()).resolve("app:1").await.unwrap_err();
    assert_eq!(
        told(&error, registry.address()),
        "the token server ADDRESS of the registry ADDRESS answered 401: UNAUTHORIZED, no such user"
    );
    let wrong = docker_config(&registry, r#""username": "other", "password": "secret-word""#);
    let error = Asking::with_credentials(registry.address(), wrong.path())
        .resolve("app:1")
        .await;
    let error = error.unwrap_err();
    assert!(
        matches!(error, RegistryError::TokenRefused { status: 401, .. }),
        "{error:?}"
    );
    assert!(!format!("{error:?}").contains("secret-word"));
    looped().await;
}

/// A registry that takes no token, not even its own.
async fn looped() {
    let challenge = "www-authenticate: Bearer realm=\"http://REALM/token\"\r\n";
    let tokens = registry().start();
    let challenge = challenge.replace("REALM", &tokens.address().to_string());
    let loops = registry()
        .fault(
            "/v2/",
            Fault::Status(401, Box::leak(challenge.into_boxed_str()), ""),
        )
        .start();
    let mut settings = crate::harness::settings(loops.address());
    settings
        .hosts
        .extend(crate::harness::settings(tokens.address()).hosts);
    let asking = Asking::with(loops.address(), settings);
    let error = asking.manifest("app:1").await.unwrap_err();
    assert!(
        matches!(
            error,
            RegistryError::Unauthorized {
                with_credentials: false,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(loops.asked().len(), 2);
}

#[tokio::test]
async fn a_basic_challenge_without_credentials_is_no_loop() {
    let registry = registry()
        .image("app", "1", CONFIG)
        .challenge("Basic realm=\"x\"", Some(BASIC))
        .start();
    let error = Asking::of(registry.address())
        .manifest("app:1")
        .await
        .unwrap_err();
    assert_eq!(
        told(&error, registry.address()),
        "the registry ADDRESS gives `app` to nobody without credentials that it knows: UNAUTHORIZED, authentication required"
    );
    assert_eq!(registry.asked().len(), 1);
}

#[tokio::test]
async fn a_token_server_that_gives_no_token_is_told() {
    for (body, word) in [
        ("<html>", "not what the specification has"),
        ("{}", "gives no token"),
        (r#"{"token":""}"#, "gives no token"),
        (r#"{"token":"a\nb"}"#, "characters that cannot be sent"),
    ] {
        let registry = registry()
            .image("app", "1", CONFIG)
            .token(None)
            .fault(
                "/token",
                Fault::Status(200, "", Box::leak(body.to_owned().into_boxed_str())),
            )
            .start();
        let error = Asking::of(registry.address())
            .manifest("app:1")
            .await
            .unwrap_err();
        assert!(matches!(error, RegistryError::Login { .. }), "{error:?}");
        assert!(error.to_string().contains(word), "{error}");
    }
}
