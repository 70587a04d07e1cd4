//! What a good registry gives.

use wharf_distribution::registry::{ManifestKind, RegistryError};
use wharf_testing::registry::{Fault, IMAGE_INDEX, digest_of, image_manifest, registry};

use crate::harness::{Asking, CONFIG};

#[tokio::test]
async fn a_tag_is_resolved_without_fetching_the_manifest() {
    let registry = registry().image("team/app", "1.0", CONFIG).start();
    let asking = Asking::of(registry.address());
    let digest = asking.resolve("team/app:1.0").await.unwrap();
    assert_eq!(digest.to_string(), digest_of(image_manifest(CONFIG.as_bytes())));
    assert_eq!(registry.asked(), ["HEAD /v2/team/app/manifests/1.0"]);
    let agent = registry.received()[0].header("user-agent").unwrap().to_owned();
    assert!(agent.starts_with("wharf/"), "{agent}");
}

#[tokio::test]
async fn a_registry_that_says_no_digest_or_knows_no_head_is_asked_for_the_manifest() {
    for fault in [
        Fault::NoDigest,
        Fault::Status(405, "", ""),
        Fault::Status(404, "", ""),
    ] {
        let registry = registry()
            .image("app", "1", CONFIG)
            .fault("HEAD ", fault.clone())
            .start();
        let digest = Asking::of(registry.address()).resolve("app:1").await.unwrap();
        assert_eq!(
            digest.to_string(),
            digest_of(image_manifest(CONFIG.as_bytes())),
            "{fault:?}"
        );
        assert_eq!(registry.asked().len(), 2, "{fault:?}");
    }
}

#[tokio::test]
async fn a_manifest_is_had_by_tag_and_by_digest() {
    let registry = registry().image("team/app", "1.0", CONFIG).start();
    let asking = Asking::of(registry.address());
    let by_tag = asking.manifest("team/app:1.0").await.unwrap();
    assert_eq!(by_tag.text, image_manifest(CONFIG.as_bytes()));
    assert!(matches!(&by_tag.kind, ManifestKind::Image(image) if image.config.size == CONFIG.len() as u64));
    let by_digest = asking
        .manifest(&format!("team/app@{}", by_tag.digest))
        .await
        .unwrap();
    assert_eq!(by_digest, by_tag);
    // The digest counts, whatever the tag is.
    let both = asking
        .manifest(&format!("team/app:other@{}", by_tag.digest))
        .await
        .unwrap();
    assert_eq!(both, by_tag);
    let resolved = asking
        .resolve(&format!("team/app@{}", by_tag.digest))
        .await
        .unwrap();
    assert_eq!(resolved, by_tag.digest);
}

#[tokio::test]
async fn the_configuration_of_an_index_is_that_of_this_machines_platform() {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let own = image_manifest(CONFIG.as_bytes());
    let other = image_manifest(b"{}");
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{IMAGE_INDEX}","manifests":[
            {{"digest":"{}","size":1,"platform":{{"os":"plan9","architecture":"{architecture}"}}}},
            {{"digest":"{}","size":1,"platform":{{"os":"{}","architecture":"{architecture}"}}}}]}}"#,
        digest_of(&other),
        digest_of(&own),
        std::env::consts::OS,
    );
    let registry = registry()
        .image("app", "own", CONFIG)
        .image("app", "other", "{}")
        .manifest("app", "all", IMAGE_INDEX, index.clone())
        .manifest(
            "app",
            "none",
            IMAGE_INDEX,
            index.replace(std::env::consts::OS, "haiku"),
        )
        .start();
    let asking = Asking::of(registry.address());
    let found = asking.configuration("app:all").await.unwrap();
    assert_eq!(found.config, CONFIG.as_bytes());
    assert_eq!(found.manifest.digest.to_string(), digest_of(&own));
    let whole = asking.manifest("app:all").await.unwrap();
    assert_eq!(whole.text, index);
    assert!(matches!(&whole.kind, ManifestKind::Index { entries } if entries.len() == 2));
    let error = asking.configuration("app:none").await.unwrap_err();
    assert!(matches!(error, RegistryError::NoPlatform { .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_may_come_in_pieces_and_over_one_connection() {
    let registry = registry()
        .image("app", "1", CONFIG)
        .fault("GET ", Fault::Pieces)
        .start();
    let found = Asking::of(registry.address())
        .configuration("app:1")
        .await
        .unwrap();
    assert_eq!(found.config, CONFIG.as_bytes());
    assert_eq!(registry.asked().len(), 2);
}
