//! Who is asked whether something may run: when, about what, and where signatures are found.

use std::sync::{Arc, Mutex};

use wharf_distribution::{
    CheckedSignature, FetchError, Origin, PullPolicy, Refused, Store, Subject, Verified, Verifier, Verifying,
};
use wharf_plugin::{ByteSize, Reference, Verification};
use wharf_testing::registry::{IMAGE_INDEX, IMAGE_MANIFEST, RegistryBuilder, digest_of, registry};

use crate::plugins::{CNCF, KUBEWARDEN, fetcher, manifest, module, oci, with_artifact};

/// Lets run what has a "signature", which is a blob that says so, under a tag or as a referrer.
#[derive(Default)]
struct Asked {
    subjects: Mutex<Vec<(String, String)>>,
}

impl Verifier for Asked {
    fn verify<'a>(&'a self, subject: Subject<'a>) -> Verifying<'a> {
        let asked = (subject.reference.canonical(), subject.digest.to_string());
        self.subjects.lock().unwrap().push(asked);
        Box::pin(async move {
            let attachments = subject
                .attachments
                .ok_or_else(|| refused("nothing is beside it"))?;
            let tag = format!("{}.sig", subject.digest.to_string().replace(':', "-"));
            let found = match attachments.tag(&tag).await? {
                Some(manifest) => Some(manifest),
                None => match attachments.referrers(subject.digest).await?.first() {
                    Some(descriptor) => Some(attachments.manifest(&descriptor.digest).await?),
                    None => None,
                },
            };
            let manifest = found.ok_or_else(|| refused("nobody signed it"))?;
            let wharf_distribution::registry::ManifestKind::Image(image) = &manifest.kind else {
                return Err(refused("its signature is an index"));
            };
            let layer = image
                .layers
                .first()
                .ok_or_else(|| refused("its signature is empty"))?;
            let said = attachments.blob(layer, ByteSize::from_kib(1)).await?;
            Ok(Verified {
                verification: Verification::Signed,
                signatures: vec![CheckedSignature {
                    signer: String::from_utf8(said).unwrap(),
                    issuer: None,
                    log_index: None,
                    time: None,
                }],
                warnings: Vec::new(),
            })
        })
    }
}

fn refused(reason: &str) -> Refused {
    Refused::Policy {
        reason: reason.into(),
        hint: "have somebody sign it".into(),
    }
}

fn plugin(registry: RegistryBuilder) -> RegistryBuilder {
    with_artifact(registry, "app", "1", &[(CNCF, &module(1))])
}

fn subject_digest() -> String {
    digest_of(manifest(&[(CNCF, &module(1))]))
}

/// Adds a signature under the tag that cosign has.
fn signed_by_tag(registry: RegistryBuilder) -> RegistryBuilder {
    let tag = format!("{}.sig", subject_digest().replace(':', "-"));
    with_artifact(registry, "app", &tag, &[("text/plain", b"somebody")])
}

/// Adds one as a referrer, in the index under the tag of registries that keep none.
fn signed_by_referrer(registry: RegistryBuilder) -> RegistryBuilder {
    let text = manifest(&[("text/plain", b"somebody")]);
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{IMAGE_INDEX}","manifests":[{{"mediaType":"{IMAGE_MANIFEST}","digest":"{}","size":{},"artifactType":"test/signature"}}]}}"#,
        digest_of(&text),
        text.len()
    );
    with_artifact(registry, "app", "somewhere", &[("text/plain", b"somebody")]).manifest(
        "app",
        &subject_digest().replace(':', "-"),
        IMAGE_INDEX,
        index,
    )
}

#[test]
fn what_was_verified_is_what_runs_and_stays_verified_without_a_registry() {
    for signed in [signed_by_tag, signed_by_referrer] {
        let registry = signed(plugin(registry())).start();
        let directory = tempfile::tempdir().unwrap();
        let asked = Arc::new(Asked::default());
        let fetcher = fetcher(registry.address(), directory.path())
            .with_verifier(Arc::clone(&asked) as Arc<dyn Verifier>);
        let reference = oci(registry.address(), "app:1");
        let fetched = fetcher.fetch(&reference).unwrap();
        assert_eq!(fetched.artifact.verification(), Verification::Signed);
        assert_eq!(fetched.verified.signatures[0].signer, "somebody");
        drop(registry);
        for policy in [PullPolicy::Never, PullPolicy::IfNotPresent, PullPolicy::Always] {
            let again = fetcher.clone().with_policy(policy).fetch(&reference).unwrap();
            assert_eq!(again.verified, fetched.verified);
        }
        let subjects = asked.subjects.lock().unwrap();
        assert_eq!(subjects.len(), 4);
        assert!(
            subjects
                .iter()
                .all(|asked| *asked == (reference.canonical(), subject_digest()))
        );
        // And somewhere else, to which a file was carried.
        let mut archive = Vec::new();
        fetcher.store().unwrap().save(&[], &mut archive).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        Store::open(elsewhere.path())
            .unwrap()
            .load(archive.as_slice())
            .unwrap();
        let offline = crate::plugins::fetcher("127.0.0.1:1".parse().unwrap(), elsewhere.path())
            .with_verifier(Arc::new(Asked::default()))
            .with_policy(PullPolicy::Never);
        assert_eq!(offline.fetch(&reference).unwrap().verified, fetched.verified);
    }
}

#[test]
fn what_is_refused_is_neither_downloaded_nor_kept() {
    let registry = plugin(registry()).start();
    let directory = tempfile::tempdir().unwrap();
    let fetcher = fetcher(registry.address(), directory.path()).with_verifier(Arc::new(Asked::default()));
    let error = fetcher.fetch(&oci(registry.address(), "app:1")).unwrap_err();
    assert!(matches!(error, FetchError::Refused { .. }), "{error:?}");
    assert_eq!(error.hint(), "have somebody sign it");
    let blob = digest_of(module(1));
    assert!(registry.asked().iter().all(|asked| !asked.ends_with(&blob)));
    assert_eq!(fetcher.store().unwrap().records().unwrap(), []);
    let local = tempfile::tempdir().unwrap();
    let file = local.path().join("a.wasm");
    std::fs::write(&file, module(1)).unwrap();
    let error = fetcher.fetch(&Reference::File(file)).unwrap_err();
    assert!(matches!(error, FetchError::Refused { .. }), "{error:?}");
}

#[test]
fn what_was_fetched_before_anybody_asked_is_looked_up_once() {
    let registry = signed_by_tag(plugin(registry())).start();
    let directory = tempfile::tempdir().unwrap();
    let trusting = fetcher(registry.address(), directory.path());
    let reference = oci(registry.address(), "app:1");
    trusting.fetch(&reference).unwrap();
    let asking = trusting.with_verifier(Arc::new(Asked::default()));
    let error = asking
        .clone()
        .with_policy(PullPolicy::Never)
        .fetch(&reference)
        .unwrap_err();
    assert!(matches!(error, FetchError::Refused { .. }), "{error:?}");
    let fetched = asking.fetch(&reference).unwrap();
    assert_eq!(
        (fetched.artifact.verification(), fetched.origin),
        (Verification::Signed, Origin::Store)
    );
    let asked = registry.asked().len();
    asking
        .clone()
        .with_policy(PullPolicy::Never)
        .fetch(&reference)
        .unwrap();
    asking.fetch(&reference).unwrap();
    assert_eq!(registry.asked().len(), asked);
}

#[test]
fn signatures_that_cannot_be_had_are_told_apart() {
    let registry = plugin(registry())
        .fault(".sig", wharf_testing::registry::Fault::Status(500, "", ""))
        .start();
    let directory = tempfile::tempdir().unwrap();
    let fetcher = fetcher(registry.address(), directory.path()).with_verifier(Arc::new(Asked::default()));
    let error = fetcher.fetch(&oci(registry.address(), "app:1")).unwrap_err();
    let FetchError::Refused { source, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(matches!(**source, Refused::Unavailable(_)), "{source:?}");
}

#[test]
fn a_store_cannot_pass_off_something_else_as_what_was_signed() {
    let registry = with_artifact(
        signed_by_tag(plugin(registry())),
        "app",
        "2",
        &[(KUBEWARDEN, &module(2))],
    )
    .start();
    let directory = tempfile::tempdir().unwrap();
    let trusting = fetcher(registry.address(), directory.path());
    let asking = trusting.clone().with_verifier(Arc::new(Asked::default()));
    let (signed, unsigned) = (oci(registry.address(), "app:1"), oci(registry.address(), "app:2"));
    asking.fetch(&signed).unwrap();
    trusting.fetch(&unsigned).unwrap();
    // Somebody who can write to the store has the record of the signed one lead to the other.
    let records = directory.path().join("records");
    let path = |reference: &Reference| {
        let name = wharf_plugin::Digest::of(reference.canonical().as_bytes()).to_hex();
        records.join(format!("{name}.json"))
    };
    let good = std::fs::read_to_string(path(&signed)).unwrap();
    let bad = good.replace(&digest_of(module(1)), &digest_of(module(2)));
    assert_ne!(bad, good);
    std::fs::write(path(&signed), &bad).unwrap();
    let offline = asking.with_policy(PullPolicy::Never);
    assert_eq!(offline.fetch(&signed).unwrap().artifact.bytes(), &module(1));
    let other = digest_of(manifest(&[(KUBEWARDEN, &module(2))]));
    std::fs::write(path(&signed), good.replace(&subject_digest(), &other)).unwrap();
    let error = offline.fetch(&signed).unwrap_err();
    assert!(matches!(error, FetchError::Refused { .. }), "{error:?}");
}
