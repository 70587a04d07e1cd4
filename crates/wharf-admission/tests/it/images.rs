//! Policies that ask what an image is, over sockets from the review to the registry.

use wharf_testing::registry::{Fault, Registry, digest_of, image_manifest, registry};

use crate::asking::{Asked, client_of};

/// An image's configuration.
const CONFIG: &str = r#"{"architecture":"amd64","os":"linux","config":{"User":"1000"}}"#;

/// A server whose policies ask about images of a registry: `digest`, `manifest`, `config`, `wrong`, and one that may not ask.
fn with_images(registry: Registry, image: &str, with_registries: bool) -> Asked {
    let whole = format!("\"{}/{image}\"", registry.address());
    let digest = "v1/manifest_digest";
    let policies = [
        ("digest", digest, whole.clone(), "oci/v1/manifest_digest"),
        ("manifest", "v1/oci_manifest", whole.clone(), "oci/v1/*"),
        ("config", "v1/oci_manifest_config", whole.clone(), "oci/*"),
        ("wrong", digest, "\"Not An Image\"".to_owned(), "*"),
        ("ungranted", digest, whole, "oci/v1/oci_manifest"),
    ];
    let client = client_of(&registry);
    Asked::new(registry, &policies, |made| match with_registries {
        true => made.with_registries(client),
        false => made,
    })
}

fn quoted(text: &str) -> String {
    text.replace('"', "'")
}

#[test]
fn policies_get_digest_manifest_and_configuration() {
    let asked = with_images(
        registry().image("team/app", "1.0", CONFIG).start(),
        "team/app:1.0",
        true,
    );
    let manifest = image_manifest(CONFIG.as_bytes());
    let digest = digest_of(&manifest);
    assert_eq!(asked.says("digest"), format!("{{'digest':'{digest}'}}"));
    assert_eq!(asked.says("manifest"), quoted(&manifest));
    let both = format!(r#"{{"manifest":{manifest},"digest":"{digest}","config":{CONFIG}}}"#);
    assert_eq!(asked.says("config"), quoted(&both));
}

#[test]
fn an_answer_is_asked_for_once_and_an_error_each_time() {
    let good = with_images(registry().image("app", "1", CONFIG).start(), "app:1", true);
    let first = good.says("digest");
    assert_eq!(good.says("digest"), first);
    assert_eq!(good.registry.asked().len(), 1);
    let bad = registry()
        .fault("/v2/", Fault::Status(429, "retry-after: 9\r\n", ""))
        .start();
    let bad = with_images(bad, "app:1", true);
    for _ in 0..2 {
        let said = bad.says("digest");
        assert!(
            said.contains(
                "ADDRESS/app:1: the registry ADDRESS was asked too often, and may be again in 9 s; wait"
            ),
            "{said}"
        );
    }
    assert_eq!(bad.registry.asked().len(), 2);
    let failed = "wharf_admission_host_calls_total{policy=\"digest\"";
    assert!(
        bad.served.metric(failed).is_some(),
        "{}",
        bad.served.metrics.encode()
    );
}

#[test]
fn what_is_not_granted_or_not_there_is_not_asked_for() {
    let asked = with_images(registry().image("app", "1", CONFIG).start(), "app:1", true);
    let said = asked.says("ungranted");
    assert!(said.contains("oci/v1/manifest_digest"), "{said}");
    let said = asked.says("wrong");
    assert!(said.contains("no part of a repository's name"), "{said}");
    assert_eq!(asked.registry.asked(), Vec::<String>::new());
    let without = with_images(registry().image("app", "1", CONFIG).start(), "app:1", false);
    let said = without.says("manifest");
    assert!(said.contains("does not offer oci/v1/oci_manifest"), "{said}");
}
