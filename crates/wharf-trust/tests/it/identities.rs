//! Identities, by an authority and a log of our own: the whole way from a registry to a verdict.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use wharf_signature::{
    IdentityPattern, LogRule, SignatureRule, SignerGroup, SignerPattern, SubjectPattern, Timestamp,
    TrustRoot, WantedSigner,
};
use wharf_testing::registry::registry;
use wharf_testing::sigstore::{BEGAN, ISSUER, LOGGED, NOW, SUBJECT, Wanted, World, hex};
use wharf_trust::{ImageError, check_image};

use crate::yard::{Yard, map, yard};

fn by(pattern: IdentityPattern) -> SignatureRule {
    SignatureRule {
        groups: vec![SignerGroup {
            require: 1,
            signers: vec![WantedSigner {
                signer: SignerPattern::Identity(pattern),
                annotations: map(&[]),
            }],
        }],
        annotations: map(&[]),
        log: LogRule::default(),
    }
}

fn subject(issuer: &str, subject: SubjectPattern) -> SignatureRule {
    by(IdentityPattern::Subject {
        issuer: issuer.to_owned(),
        subject,
    })
}

/// Whether somebody signed whom the rule names; in words, where nobody did.
async fn check(yard: &Yard, world: &World, rule: &SignatureRule, now: u64) -> Result<(), String> {
    let root = TrustRoot::from_json(world.trusted_root().to_string().as_bytes()).unwrap();
    let now = Timestamp::from_unix_seconds(now);
    match check_image(&yard.client, &yard.image, rule, Some(&root), now).await {
        Ok(_) => Ok(()),
        Err(ImageError::NotSigned { missing, bad, .. }) => {
            let bad: Vec<_> = bad.iter().map(ToString::to_string).collect();
            Err(format!("{missing}; {}", bad.join("; ")))
        }
        Err(error) => panic!("{error}"),
    }
}

async fn bundle(yard: &Yard, world: &World, wanted: &Wanted) -> Value {
    let digest = yard.digest().await.to_string();
    let certificate = world.certificate(wanted);
    world.bundle(&certificate, digest.trim_start_matches("sha256:"))
}

#[tokio::test]
async fn whom_the_rule_names_is_who_counts() {
    let yard = yard(registry());
    let world = World::new();
    let good = bundle(&yard, &world, &Wanted::default()).await;
    yard.attach(good.to_string().into_bytes()).await;
    let exact = |text: &str| SubjectPattern::Exact(text.to_owned());
    for (rule, expected) in [
        (subject(ISSUER, exact(SUBJECT)), true),
        (
            subject(
                ISSUER,
                SubjectPattern::Prefix("https://github.com/acme/".to_owned()),
            ),
            true,
        ),
        (subject("https://other.example", exact(SUBJECT)), false),
        (subject(ISSUER, exact("somebody@example.com")), false),
        (
            subject(
                ISSUER,
                SubjectPattern::Prefix("https://github.com/acme-evil/".to_owned()),
            ),
            false,
        ),
        // GitHub's own provider did not vouch for it.
        (
            by(IdentityPattern::Github {
                owner: "acme".to_owned(),
                repository: None,
            }),
            false,
        ),
    ] {
        let outcome = check(&yard, &world, &rule, NOW).await;
        assert_eq!(outcome.is_ok(), expected, "{rule:?}: {outcome:?}");
    }
    // Another root believes none of it.
    let told = check(&yard, &World::new(), &subject(ISSUER, exact(SUBJECT)), NOW).await;
    assert!(told.unwrap_err().contains("root of trust does not have"));
}

#[tokio::test]
async fn what_is_wrong_with_a_bundle_is_told() {
    let world = World::new();
    let rule = subject(ISSUER, SubjectPattern::Exact(SUBJECT.to_owned()));
    let unlogged = Wanted {
        logged: false,
        ..Wanted::default()
    };
    type Change = fn(&World, &mut Value);
    let nothing: Change = |_, _| {};
    let cases: [(Wanted, Change, &str); 6] = [
        (
            Wanted::default(),
            |world, bundle| {
                let entry = &mut bundle["verificationMaterial"]["tlogEntries"][0];
                let body = STANDARD
                    .decode(entry["canonicalizedBody"].as_str().unwrap())
                    .unwrap();
                *entry = world.entry(&body, BEGAN + 601);
            },
            "its certificate had expired",
        ),
        (unlogged, nothing, "log of certificates"),
        (
            Wanted::default(),
            |_, bundle| {
                let entry = &mut bundle["verificationMaterial"]["tlogEntries"][0];
                entry["integratedTime"] = json!((LOGGED + 1).to_string());
            },
            "the promise is not signed by the log",
        ),
        (
            Wanted::default(),
            |world, bundle| {
                bundle["verificationMaterial"]["tlogEntries"][0] = world.entry(b"{}", LOGGED);
            },
            "its entry of the log does not hold",
        ),
        (
            Wanted::default(),
            |world, bundle| {
                let other = hex(&[7; 32]);
                *bundle = world.bundle(&world.certificate(&Wanted::default()), &other);
            },
            "it is a signature of",
        ),
        (
            Wanted::default(),
            |_, bundle| {
                bundle["verificationMaterial"]["tlogEntries"] = json!([]);
            },
            "nobody who is trusted says when it was made",
        ),
    ];
    for (wanted, change, expected) in cases {
        let yard = yard(registry());
        let mut changed = bundle(&yard, &world, &wanted).await;
        change(&world, &mut changed);
        yard.attach(changed.to_string().into_bytes()).await;
        let told = check(&yard, &world, &rule, NOW).await.unwrap_err();
        assert!(told.contains(expected), "{expected}: {told}");
    }
    // A clock that is behind.
    let yard = yard(registry());
    let good = bundle(&yard, &world, &Wanted::default()).await;
    yard.attach(good.to_string().into_bytes()).await;
    let told = check(&yard, &world, &rule, BEGAN - 86_400).await.unwrap_err();
    assert!(told.contains("and now it is"), "{told}");
}
