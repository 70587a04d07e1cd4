//! Plugins that are pushed, and what of them is there afterwards.

use std::collections::BTreeMap;

use wharf_distribution::registry::RegistryError;
use wharf_distribution::{Layout, PublishError, PushFormat, publish};
use wharf_plugin::ImageReference;
use wharf_testing::refused_address;
use wharf_testing::registry::{Fault, digest_of, registry};

use crate::plugins::{client, fetcher, module, nothing, oci};

#[test]
fn what_is_pushed_in_any_form_is_fetched_again() {
    let registry = registry().token(None).start();
    let directory = tempfile::tempdir().unwrap();
    let wasm = module(1);
    let annotations = BTreeMap::from([
        ("io.kubewarden.policy.title".to_owned(), "labels".to_owned()),
        (
            "org.opencontainers.image.title".to_owned(),
            "labels.wasm".to_owned(),
        ),
    ]);
    for format in PushFormat::ALL {
        let image: ImageReference = format!("{}/team/app:{format}", registry.address())
            .parse()
            .unwrap();
        let client = client(registry.address());
        let pushed = publish(&client, &image, wasm.clone().into(), format, &annotations).unwrap();
        let again = publish(&client, &image, wasm.clone().into(), format, &annotations).unwrap();
        assert_eq!(pushed, again);
        let text = registry
            .content(&format!("/v2/team/app/manifests/{format}"))
            .unwrap();
        assert_eq!(digest_of(&text), pushed.digest.to_string());
        assert!(
            String::from_utf8(text)
                .unwrap()
                .contains(r#""annotations":{"io.kubewarden.policy.title":"labels""#)
        );
        let fetched = fetcher(registry.address(), directory.path())
            .fetch(&oci(registry.address(), &format!("team/app:{format}")))
            .unwrap();
        assert_eq!(fetched.artifact.bytes(), &wasm);
        assert_eq!(fetched.resolved, pushed.digest);
        let expected = match format {
            PushFormat::Cncf => Layout::Cncf,
            PushFormat::Kubewarden => Layout::Kubewarden,
            PushFormat::Istio | PushFormat::Trivy => Layout::Istio,
        };
        assert_eq!(fetched.layout, expected);
    }
    let asked = registry.asked();
    let token = asked.iter().find(|asked| asked.contains("/token")).unwrap();
    assert!(
        token.ends_with("scope=repository%3Ateam%2Fapp%3Apull%2Cpush"),
        "{token}"
    );
    // What the registry has is not sent twice: the plugin, two configurations and Istio's second layer.
    let sent = asked
        .iter()
        .filter(|asked| asked.starts_with("PUT /v2/team/app/blobs"))
        .count();
    assert_eq!(sent, 4, "{asked:#?}");
}

#[test]
fn the_artifact_is_as_the_layouts_have_it() {
    let registry = registry().start();
    let wasm = module(1);
    let mut shown = String::new();
    for format in PushFormat::ALL {
        let image: ImageReference = format!("{}/app:{format}", registry.address()).parse().unwrap();
        publish(
            &client(registry.address()),
            &image,
            wasm.clone().into(),
            format,
            &nothing(),
        )
        .unwrap();
        let text = registry.content(&format!("/v2/app/manifests/{format}")).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let config = manifest["config"]["digest"].as_str().unwrap();
        let config = registry.content(&format!("/v2/app/blobs/{config}")).unwrap();
        let layers = manifest["layers"].as_array().unwrap().iter();
        let layers: Vec<&str> = layers.map(|layer| layer["mediaType"].as_str().unwrap()).collect();
        let config_type = manifest["config"]["mediaType"].as_str().unwrap();
        let config = String::from_utf8(config)
            .unwrap()
            .replace(&digest_of(&wasm), "PLUGIN");
        shown += &format!("{format}: {config_type} {config} {layers:?}\n");
    }
    assert_eq!(
        shown,
        "cncf: application/vnd.wasm.config.v0+json {\"architecture\":\"wasm\",\"os\":\"wasip1\",\"layerDigests\":[\"PLUGIN\"]} [\"application/wasm\"]\n\
         kubewarden: application/vnd.wasm.config.v1+json {} [\"application/vnd.wasm.content.layer.v1+wasm\"]\n\
         istio: application/vnd.module.wasm.config.v1+json {} [\"application/vnd.module.wasm.content.layer.v1+wasm\", \"application/vnd.module.wasm.config.v1+json\"]\n\
         trivy: application/vnd.module.wasm.config.v1+json {} [\"application/vnd.module.wasm.content.layer.v1+wasm\"]\n"
    );
}

fn error_with(part: &str, fault: Fault) -> RegistryError {
    let registry = registry().fault(part, fault).start();
    let image: ImageReference = format!("{}/app:1", registry.address()).parse().unwrap();
    let pushed = publish(
        &client(registry.address()),
        &image,
        module(1).into(),
        PushFormat::Cncf,
        &nothing(),
    );
    match pushed.unwrap_err() {
        PublishError::Registry { source, .. } => *source,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_push_that_fails_says_why() {
    let error = error_with("POST ", Fault::Status(403, "", ""));
    assert!(matches!(error, RegistryError::Forbidden { .. }), "{error:?}");
    let error = error_with(
        "POST ",
        Fault::Status(401, "www-authenticate: Basic realm=\"x\"\r\n", ""),
    );
    assert!(matches!(error, RegistryError::Unauthorized { .. }), "{error:?}");
    let error = error_with("POST ", Fault::Status(202, "", ""));
    assert!(matches!(error, RegistryError::NoUpload { .. }), "{error:?}");
    let error = error_with(
        "POST ",
        Fault::Status(202, "location: http://169.254.169.254/x\r\n", ""),
    );
    assert!(matches!(error, RegistryError::Redirect { .. }), "{error:?}");
    let error = error_with(
        "PUT /v2/app/blobs",
        Fault::Redirect("https://elsewhere.example/".into()),
    );
    assert!(matches!(error, RegistryError::Redirect { .. }), "{error:?}");
    let error = error_with(
        "PUT /v2/app/manifests",
        Fault::Status(201, "docker-content-digest: sha256:0\r\n", ""),
    );
    assert!(matches!(error, RegistryError::NoUpload { .. }), "{error:?}");
    let error = error_with("PUT /v2/app/manifests", Fault::Status(507, "", "no room"));
    assert!(
        matches!(error, RegistryError::Status { status: 507, .. }),
        "{error:?}"
    );
}

#[test]
fn what_cannot_be_pushed_is_not_begun() {
    let address = refused_address();
    let client = client(address);
    let image: ImageReference = format!("{address}/app:1").parse().unwrap();
    let text = publish(
        &client,
        &image,
        b"(module)".as_slice().into(),
        PushFormat::Cncf,
        &nothing(),
    );
    assert!(matches!(text, Err(PublishError::NotAModule { .. })), "{text:?}");
    let exact: ImageReference = format!("{address}/app@{}", digest_of("")).parse().unwrap();
    let named = publish(&client, &exact, module(1).into(), PushFormat::Cncf, &nothing());
    assert!(matches!(named, Err(PublishError::HasDigest { .. })), "{named:?}");
    let down = publish(&client, &image, module(1).into(), PushFormat::Cncf, &nothing());
    let Err(PublishError::Registry { source, .. }) = down else {
        panic!("{down:?}")
    };
    assert!(source.is_outage(), "{source:?}");
}
