//! Registries that are broken, busy, or mean harm.

use wharf_distribution::registry::{HostSettings, RegistryClient, RegistryError, RegistrySettings};
use wharf_plugin::ImageReference;
use wharf_testing::registry::{Fault, IMAGE_INDEX, IMAGE_MANIFEST, digest_of, image_manifest, registry};
use wharf_testing::{origin, refused_address, scripted_origin};

use crate::harness::{Asking, CONFIG, told};

/// The error of a registry with this fault in all that it answers to GET.
async fn with_fault(fault: Fault) -> String {
    let registry = registry()
        .image("app", "1", CONFIG)
        .fault("GET /v2/app/manifests", fault)
        .start();
    let error = Asking::of(registry.address())
        .manifest("app:1")
        .await
        .unwrap_err();
    told(&error, registry.address())
}

#[tokio::test]
async fn each_refusal_has_its_words() {
    for (status, headers, body, expected) in [
        (
            401,
            "",
            "",
            "the registry ADDRESS gives `app` to nobody without credentials that it knows",
        ),
        (
            403,
            "",
            r#"{"errors":[{"code":"DENIED","message":"not yours\n"}]}"#,
            "the registry ADDRESS refuses `app` to these credentials: DENIED, not yours",
        ),
        (
            404,
            "",
            r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#,
            "the registry ADDRESS has no repository `app`",
        ),
        (
            404,
            "",
            r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#,
            "the repository `app` of the registry ADDRESS has no `1`",
        ),
        (
            404,
            "",
            "<html>not here</html>",
            "the registry ADDRESS answered 404 for `1` of `app`",
        ),
        (
            429,
            "retry-after: 17\r\n",
            "",
            "the registry ADDRESS was asked too often, and may be again in 17 s",
        ),
        (
            429,
            "retry-after: soon\r\n",
            "",
            "the registry ADDRESS was asked too often",
        ),
        (500, "", "<html>", "the registry ADDRESS answered 500"),
        (503, "", "", "the registry ADDRESS answered 503"),
        (
            418,
            "",
            r#"{"errors":[{"message":"short"}]}"#,
            "the registry ADDRESS answered 418: short",
        ),
    ] {
        assert_eq!(with_fault(Fault::Status(status, headers, body)).await, expected);
    }
}

#[tokio::test]
async fn a_busy_registry_is_not_asked_again_with_get() {
    let registry = registry()
        .fault("/v2/", Fault::Status(429, "retry-after: 3\r\n", ""))
        .start();
    let error = Asking::of(registry.address()).resolve("app:1").await.unwrap_err();
    assert!(
        matches!(
            error,
            RegistryError::TooManyRequests {
                retry_after: Some(_),
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(registry.asked().len(), 1);
}

#[tokio::test]
async fn what_is_missing_is_told_apart() {
    let registry = registry().image("app", "1", CONFIG).start();
    let asking = Asking::of(registry.address());
    for (image, expected) in [
        ("app:2", "the repository `app` of the registry ADDRESS has no `2`"),
        ("other:1", "the registry ADDRESS has no repository `other`"),
    ] {
        for error in [
            asking.resolve(image).await.unwrap_err(),
            asking.manifest(image).await.unwrap_err(),
        ] {
            assert_eq!(told(&error, registry.address()), expected);
        }
    }
    let manifest = image_manifest(b"not there");
    let registry = wharf_testing::registry()
        .manifest("app", "1", IMAGE_MANIFEST, manifest)
        .start();
    let error = Asking::of(registry.address())
        .configuration("app:1")
        .await
        .unwrap_err();
    assert!(matches!(error, RegistryError::NoBlob { .. }), "{error:?}");
}

#[tokio::test]
async fn other_bytes_than_those_of_the_digest_are_refused() {
    let evil = image_manifest(b"evil");
    let registry = registry()
        .image("app", "1", CONFIG)
        .fault("GET /v2/app/manifests", Fault::Bytes(evil.clone().into_bytes()))
        .start();
    let asking = Asking::of(registry.address());
    let own = digest_of(image_manifest(CONFIG.as_bytes()));
    for image in ["app:1".to_owned(), format!("app@{own}")] {
        let error = asking.manifest(&image).await.unwrap_err();
        let expected = format!(
            "the manifest is not what was asked for: its digest is {}, and should be {own}",
            digest_of(&evil)
        );
        assert_eq!(error.to_string(), expected);
    }
    let registry = wharf_testing::registry()
        .image("app", "1", CONFIG)
        .fault("/blobs/", Fault::Bytes(b"{}".to_vec()))
        .start();
    let error = Asking::of(registry.address())
        .configuration("app:1")
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            RegistryError::WrongDigest {
                what: "the configuration",
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn another_digest_in_the_header_is_refused() {
    let fault = Fault::Digest(digest_of("else"));
    let registry = registry().image("app", "1", CONFIG).fault("/v2/", fault).start();
    let asking = Asking::of(registry.address());
    let own = digest_of(image_manifest(CONFIG.as_bytes()));
    let error = asking.resolve(&format!("app@{own}")).await.unwrap_err();
    assert!(matches!(error, RegistryError::WrongDigest { .. }), "{error:?}");
    let error = asking.manifest("app:1").await.unwrap_err();
    assert!(matches!(error, RegistryError::WrongDigest { .. }), "{error:?}");
}

#[tokio::test]
async fn what_is_no_manifest_is_refused() {
    assert_eq!(
        with_fault(Fault::Status(
            200,
            "content-type: text/html; charset=utf-8\r\n",
            "<html>"
        ))
        .await,
        "ADDRESS gives text/html where a manifest is due"
    );
    assert_eq!(
        with_fault(Fault::Status(200, "", "{}")).await,
        "ADDRESS gives no media type where a manifest is due"
    );
    let error = with_fault(Fault::MediaType(IMAGE_INDEX)).await;
    assert!(error.contains("it calls itself"), "{error}");
    for (text, word) in [
        ("", "no JSON object"),
        ("{", "EOF"),
        ("[]", "no JSON object"),
        ("{\"schemaVersion\":1}", "`schemaVersion` is not 2"),
        ("{\"schemaVersion\":2}", "an image has `config` and `layers`"),
        (r#"{"schemaVersion":2,"schemaVersion":2}"#, "duplicate field"),
        (
            r#"{"schemaVersion":2,"config":{"digest":"md5:1","size":1},"layers":[]}"#,
            "no digest that can be checked",
        ),
        (
            r#"{"schemaVersion":2,"config":{"digest":"a","size":-1},"layers":[]}"#,
            "invalid value",
        ),
        (
            r#"{"schemaVersion":2,"config":{"digest":"a","size":1},"layers":[],"manifests":[]}"#,
            "no `manifests`",
        ),
    ] {
        let registry = registry().manifest("app", "1", IMAGE_MANIFEST, text).start();
        let error = Asking::of(registry.address())
            .manifest("app:1")
            .await
            .unwrap_err();
        assert!(matches!(error, RegistryError::BadManifest { .. }), "{error:?}");
        assert!(error.to_string().contains(word), "{text}: {error}");
    }
    let deep = format!("{{\"schemaVersion\":2,\"x\":{}", "[".repeat(100_000));
    let registry = registry().manifest("app", "1", IMAGE_MANIFEST, deep).start();
    let error = Asking::of(registry.address())
        .manifest("app:1")
        .await
        .unwrap_err();
    assert!(matches!(error, RegistryError::BadManifest { .. }), "{error:?}");
}

#[tokio::test]
async fn nothing_is_taken_beyond_its_bound() {
    for fault in [
        Fault::Endless,
        Fault::Length(1 << 40),
        Fault::Length(4 * 1024 * 1024 + 1),
    ] {
        assert_eq!(with_fault(fault).await, "the manifest has more than 4MiB");
    }
    let manifest =
        image_manifest(CONFIG.as_bytes()).replace(&format!("\"size\":{}", CONFIG.len()), "\"size\":8388609");
    let registry = registry()
        .manifest("app", "1", IMAGE_MANIFEST, manifest)
        .blob("app", CONFIG)
        .start();
    let error = Asking::of(registry.address())
        .configuration("app:1")
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "the configuration has more than 8MiB");
    assert_eq!(registry.asked().len(), 1);
    let registry = wharf_testing::registry()
        .image("app", "1", CONFIG)
        .fault("/blobs/", Fault::Endless)
        .start();
    let error = Asking::of(registry.address())
        .configuration("app:1")
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "the configuration has more than 8MiB");
}

#[tokio::test]
async fn a_registry_that_breaks_off_or_is_not_there_is_told() {
    let error = with_fault(Fault::Cut).await;
    assert!(error.starts_with("the answer of ADDRESS broke off"), "{error}");
    let address = refused_address();
    let error = Asking::of(address).manifest("app:1").await.unwrap_err();
    assert!(matches!(error, RegistryError::Unreachable { .. }), "{error:?}");
    let garbage = scripted_origin(|mut conversation| {
        conversation.request();
        conversation.send("SSH-2.0-OpenSSH\r\n");
    });
    let error = Asking::of(garbage.address()).manifest("app:1").await.unwrap_err();
    assert!(matches!(error, RegistryError::Broken { .. }), "{error:?}");
    let settings = RegistrySettings::default();
    let image: ImageReference = "no-such-host.invalid/app:1".parse().unwrap();
    let error = RegistryClient::new(settings)
        .unwrap()
        .manifest(&image)
        .await
        .unwrap_err();
    // Without a network the resolver may take its time to say so.
    assert!(
        matches!(
            error,
            RegistryError::NoAddress { .. } | RegistryError::Slow { .. }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_registry_that_answers_nothing_is_given_up() {
    let registry = registry()
        .image("app", "1", CONFIG)
        .fault("GET ", Fault::Stall)
        .start();
    let error = Asking::impatient(registry.address())
        .manifest("app:1")
        .await
        .unwrap_err();
    assert!(matches!(error, RegistryError::Slow { .. }), "{error:?}");
    let silent = scripted_origin(|mut conversation| {
        conversation.wait_for_close();
    });
    let error = Asking::impatient(silent.address())
        .resolve("app:1")
        .await
        .unwrap_err();
    assert!(matches!(error, RegistryError::Slow { .. }), "{error:?}");
}

#[tokio::test]
async fn redirects_are_followed_so_far() {
    let registry = registry()
        .image("app", "1", CONFIG)
        .fault("/manifests/moved", Fault::Redirect("/v2/app/manifests/1".into()))
        .fault(
            "/manifests/whole",
            Fault::Redirect("http://{address}/v2/app/manifests/1".into()),
        )
        .fault(
            "/manifests/round",
            Fault::Redirect("/v2/app/manifests/round".into()),
        )
        .fault(
            "/manifests/ftp",
            Fault::Redirect("ftp://{address}/?secret".into()),
        )
        .fault("/manifests/user", Fault::Redirect("http://a:b@{address}/".into()))
        .start();
    let asking = Asking::of(registry.address());
    for tag in ["moved", "whole"] {
        asking.manifest(&format!("app:{tag}")).await.unwrap();
    }
    for tag in ["round", "ftp", "user"] {
        let error = asking.manifest(&format!("app:{tag}")).await.unwrap_err();
        assert!(
            matches!(error, RegistryError::Redirect { .. }),
            "{tag}: {error:?}"
        );
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let rounds = registry
        .asked()
        .iter()
        .filter(|asked| asked.ends_with("/round"))
        .count();
    assert_eq!(rounds, 6);
}

#[tokio::test]
async fn credentials_stay_with_the_registry_that_they_are_for() {
    let elsewhere = origin().route("/stolen", "{}").start();
    let to = format!("http://{}/stolen", elsewhere.address());
    let registry = registry()
        .image("app", "1", CONFIG)
        .token(None)
        .fault("/blobs/", Fault::Redirect(to))
        .start();
    let mut settings = crate::harness::settings(registry.address());
    settings
        .hosts
        .extend(crate::harness::settings(elsewhere.address()).hosts);
    let error = Asking::with(registry.address(), settings)
        .configuration("app:1")
        .await
        .unwrap_err();
    assert!(matches!(error, RegistryError::WrongDigest { .. }), "{error:?}");
    assert_eq!(elsewhere.only_request().header("authorization"), None);
}

#[tokio::test]
async fn nobody_leads_to_this_machine_or_to_a_clouds_metadata() {
    for to in [
        "http://169.254.169.254/latest/meta-data/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[fd00:ec2::254]/",
        "https://[::ffff:169.254.169.254]/",
        "https://metadata.google.internal/",
    ] {
        let registry = registry()
            .image("app", "1", CONFIG)
            .fault("/manifests/", Fault::Redirect(to.into()))
            .start();
        let mut settings = crate::harness::settings(registry.address());
        let plain = HostSettings {
            plain_http: true,
            ..HostSettings::default()
        };
        // That a host is named for plain HTTP does not make it a place to be led to.
        settings.hosts.insert("169.254.169.254".parse().unwrap(), plain);
        let error = Asking::with(registry.address(), settings)
            .manifest("app:1")
            .await
            .unwrap_err();
        assert!(
            matches!(error, RegistryError::ForbiddenAddress { .. }),
            "{to}: {error:?}"
        );
    }
    let challenge = "Bearer realm=\"https://169.254.169.254/token\"";
    let registry = registry()
        .image("app", "1", CONFIG)
        .challenge(challenge, None)
        .start();
    let error = Asking::of(registry.address())
        .manifest("app:1")
        .await
        .unwrap_err();
    assert!(
        matches!(error, RegistryError::ForbiddenAddress { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_image_names_no_service_of_this_machine() {
    let service = origin().start();
    let client = RegistryClient::new(RegistrySettings::default()).unwrap();
    let port = service.address().port();
    for host in [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        "169.254.169.254".into(),
        "[::1]:1".into(),
    ] {
        let image: ImageReference = format!("{host}/app:1").parse().unwrap();
        let error = client.manifest(&image).await.unwrap_err();
        assert!(
            matches!(error, RegistryError::ForbiddenAddress { .. }),
            "{host}: {error:?}"
        );
    }
    assert_eq!(service.accepted(), 0);
}

#[tokio::test]
async fn plain_http_is_only_for_those_that_are_named() {
    let elsewhere = origin().start();
    let to = format!("http://{}/x", elsewhere.address());
    let registry = registry().fault("/manifests/", Fault::Redirect(to)).start();
    let error = Asking::of(registry.address())
        .manifest("app:1")
        .await
        .unwrap_err();
    assert!(matches!(error, RegistryError::Redirect { .. }), "{error:?}");
    let challenge = format!("Bearer realm=\"http://{}/token\"", elsewhere.address());
    let registry = wharf_testing::registry()
        .image("app", "1", CONFIG)
        .challenge(&challenge, None)
        .start();
    let error = Asking::of(registry.address())
        .manifest("app:1")
        .await
        .unwrap_err();
    assert!(matches!(error, RegistryError::Login { .. }), "{error:?}");
    assert_eq!(elsewhere.accepted(), 0);
}
