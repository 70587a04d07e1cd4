//! Keys and images.

use wharf_distribution::Refused;
use wharf_distribution::registry::RegistryError;
use wharf_plugin::{Reference, Verification};
use wharf_signature::{TrustPolicy, signature_tag};
use wharf_testing::registry::{Fault, IMAGE_MANIFEST, registry};
use wharf_trust::{ImageError, check_image, now};

use crate::yard::{REPOSITORY, key, map, policy, reason, rule, yard};

#[tokio::test]
async fn both_layouts_are_found_and_signers_count_once() {
    let yard = yard(registry());
    let (one, two) = (key(), key());
    let both = policy(rule(2, &[one.public_key(), two.public_key()]));
    let refused = yard.ask(both.clone()).await.unwrap_err();
    assert!(reason(&refused).contains("it has no signature"), "{refused}");
    yard.sign_simple(&one, &[]).await;
    yard.sign_bundle(&one, &[]).await;
    let refused = yard.ask(both.clone()).await.unwrap_err();
    assert!(reason(&refused).starts_with("1 of those"), "{refused}");
    yard.sign_simple(&two, &[]).await;
    let verified = yard.ask(both).await.unwrap();
    assert_eq!(verified.verification, Verification::Signed);
    assert_eq!(verified.signatures.len(), 2);
    assert!(verified.signatures[0].signer.starts_with("key sha256:"));
}

#[tokio::test]
async fn signatures_of_others_are_kept_beside_a_new_one() {
    let yard = yard(registry());
    let keys = [key(), key(), key()];
    for key in &keys {
        yard.sign_simple(key, &[]).await;
        yard.sign_bundle(key, &[]).await;
    }
    let all: Vec<_> = keys.iter().map(|key| key.public_key()).collect();
    yard.ask(policy(rule(3, &all))).await.unwrap();
}

#[tokio::test]
async fn a_signature_that_is_rubbish_hides_no_good_one() {
    let yard = yard(registry());
    let key = key();
    yard.attach(b"<html>".to_vec()).await;
    yard.attach(vec![b' '; (1 << 20) + 1]).await;
    let wanted = policy(rule(1, &[key.public_key()]));
    let refused = yard.ask(wanted.clone()).await.unwrap_err();
    assert!(
        reason(&refused).contains("a signature does not count"),
        "{refused}"
    );
    yard.sign_bundle(&key, &[]).await;
    yard.ask(wanted).await.unwrap();
}

#[tokio::test]
async fn a_flood_of_signatures_is_looked_at_up_to_a_bound() {
    let yard = yard(registry());
    let layer = r#"{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}"#;
    let layers = vec![layer; 4000].join(",");
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{IMAGE_MANIFEST}","config":{layer},"layers":[{layers}]}}"#
    );
    let tag = signature_tag(&yard.digest().await);
    yard.registry.retag(REPOSITORY, &tag, IMAGE_MANIFEST, manifest);
    let key = key();
    let wanted = policy(rule(1, &[key.public_key()]));
    let refused = yard.ask(wanted.clone()).await.unwrap_err();
    assert!(reason(&refused).contains("96 more do not count"), "{refused}");
    let blobs = |asked: &String| asked.contains("/blobs/");
    assert!(yard.registry.asked().iter().filter(|asked| blobs(asked)).count() <= 101);
    // One among the referrers counts all the same.
    yard.sign_bundle(&key, &[]).await;
    yard.ask(wanted).await.unwrap();
}

#[tokio::test]
async fn what_the_registry_does_not_say_is_told_where_it_could_be_enough() {
    let key = key();
    for part in ["/referrers/", ".sig"] {
        let yard = yard(registry().fault(part, Fault::Status(503, "", "")));
        let wanted = policy(rule(1, &[key.public_key()]));
        let refused = yard.ask(wanted.clone()).await.unwrap_err();
        assert!(
            matches!(
                refused,
                Refused::Unavailable(RegistryError::Status { status: 503, .. })
            ),
            "{refused:?}"
        );
        // What there is may be enough.
        match part {
            ".sig" => {
                let bundle = key.sign_bundle(&yard.digest().await, &map(&[])).unwrap();
                yard.attach(bundle).await;
            }
            _ => yard.sign_simple(&key, &[]).await,
        }
        yard.ask(wanted).await.unwrap();
    }
}

#[tokio::test]
async fn nothing_is_asked_where_nothing_is_wanted() {
    let yard = yard(registry());
    let verified = yard.ask(TrustPolicy::default()).await.unwrap();
    assert_eq!(verified.verification, Verification::AllowedUnsigned);
    let asked = yard.registry.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
}

#[tokio::test]
async fn an_image_is_checked_by_a_rule_alone() {
    let yard = yard(registry());
    let (key, other) = (key(), key());
    yard.sign_simple(&key, &[("env", "prod")]).await;
    let check = async |rule| check_image(&yard.client, &yard.image, &rule, None, now()).await;
    let digest = yard.digest().await;
    assert_eq!(check(rule(1, &[key.public_key()])).await.unwrap(), digest);
    let mut with_annotations = rule(1, &[key.public_key()]);
    with_annotations.annotations = map(&[("env", "prod")]);
    assert_eq!(check(with_annotations.clone()).await.unwrap(), digest);
    with_annotations.annotations = map(&[("env", "test")]);
    assert!(matches!(
        check(with_annotations).await,
        Err(ImageError::NotSigned { .. })
    ));
    assert!(matches!(
        check(rule(1, &[other.public_key()])).await,
        Err(ImageError::NotSigned { .. })
    ));
    yard.registry.remove(&format!("/v2/{REPOSITORY}/manifests/1"));
    assert!(matches!(
        check(rule(1, &[key.public_key()])).await,
        Err(ImageError::Registry(RegistryError::NoManifest { .. }))
    ));
}

#[tokio::test]
async fn a_url_has_no_signatures() {
    use wharf_distribution::{Subject, Verifier as _};
    use wharf_plugin::ContentDigest;
    use wharf_trust::{RootOfTrust, TrustVerifier};
    let reference: Reference = "https://example.com/a.wasm".parse().unwrap();
    let digest = ContentDigest::sha256_of(b"");
    let subject = Subject {
        reference: &reference,
        digest: &digest,
        bytes: None,
        attachments: None,
    };
    let verifier = TrustVerifier::new(policy(rule(1, &[key().public_key()])), RootOfTrust::public());
    let refused = verifier.verify(subject).await.unwrap_err();
    assert!(refused.hint().contains("not beside URLs"), "{}", refused.hint());
}
