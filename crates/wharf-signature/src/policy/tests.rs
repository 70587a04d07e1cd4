use wharf_plugin::Digest;

use super::*;
use crate::identity::{Identity, SubjectPattern};
use crate::log::LogEntry;
use crate::sign::PrivateKey;
use crate::verifier::{Signer, VerifiedSignature};

fn key(name: &str) -> PublicKey {
    let pem = match name {
        "a" => include_str!("../../tests/data/cosign-2.5/cosign.pub"),
        "b" => include_str!("../../tests/data/cosign-3.1/cosign.pub"),
        _ => include_str!("../../tests/data/cosign-3.1/ed25519.pub"),
    };
    PublicKey::from_pem(pem).unwrap()
}

fn by_key(name: &str) -> WantedSigner {
    wanted(SignerPattern::Key(key(name)))
}

fn by_prefix(prefix: &str) -> WantedSigner {
    wanted(SignerPattern::Identity(IdentityPattern::Subject {
        issuer: "https://issuer.example".to_owned(),
        subject: SubjectPattern::Prefix(prefix.to_owned()),
    }))
}

fn wanted(signer: SignerPattern) -> WantedSigner {
    WantedSigner {
        signer,
        annotations: BTreeMap::new(),
    }
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn signed_by(signer: Signer) -> VerifiedSignature {
    VerifiedSignature {
        signer,
        log: None,
        signed_at: None,
        annotations: BTreeMap::new(),
        statement: None,
    }
}

fn with_key(name: &str) -> VerifiedSignature {
    signed_by(Signer::Key(key(name).fingerprint()))
}

fn logged(subject: &str) -> VerifiedSignature {
    let identity = Identity {
        issuer: "https://issuer.example".to_owned(),
        subject: subject.to_owned(),
        repository: None,
    };
    VerifiedSignature {
        log: Some(LogEntry {
            index: 1,
            log: "00".to_owned(),
            integrated_time: None,
        }),
        ..signed_by(Signer::Identity(identity))
    }
}

fn rule(require: usize, signers: Vec<WantedSigner>) -> SignatureRule {
    SignatureRule {
        groups: vec![SignerGroup { require, signers }],
        annotations: BTreeMap::new(),
        log: LogRule::default(),
    }
}

fn rule_for(references: &[&str], needs: Needs) -> Rule {
    Rule {
        references: references.iter().map(|text| text.parse().unwrap()).collect(),
        needs,
    }
}

#[test]
fn the_first_rule_that_matches_counts() {
    let policy = TrustPolicy {
        default: DefaultAction::Deny,
        rules: vec![
            rule_for(&["oci:registry.example/plugins/own/**"], Needs::Nothing),
            rule_for(
                &["oci:registry.example/plugins/**"],
                Needs::Signatures(rule(1, vec![by_key("a")])),
            ),
            rule_for(&["file:**"], Needs::Nothing),
        ],
    };
    let verdict = |reference: &str, signatures: &[VerifiedSignature]| {
        decide(&policy.rule_for(&reference.parse().unwrap()), signatures)
    };
    assert_eq!(
        verdict("oci:registry.example/plugins/own/a", &[]),
        Verdict::Allowed(Grounds::UnsignedAllowed)
    );
    assert_eq!(
        verdict("file:a.wasm", &[]),
        Verdict::Allowed(Grounds::UnsignedAllowed)
    );
    assert_eq!(
        verdict("oci:other.example/a", &[with_key("a")]),
        Verdict::Denied(Denial::NoRule)
    );
    assert!(matches!(
        verdict("oci:registry.example/plugins/a", &[]),
        Verdict::Denied(Denial::NotEnough(_))
    ));
    let signed = Grounds::Signed(vec![Signer::Key(key("a").fingerprint())]);
    assert_eq!(
        verdict("oci:registry.example/plugins/a", &[with_key("a")]),
        Verdict::Allowed(signed)
    );
    assert!(matches!(
        verdict("https://a/b/../c.wasm", &[]),
        Verdict::Denied(Denial::Unclear(_))
    ));
    let reference = "oci:registry.example/plugins/a".parse().unwrap();
    assert!(policy.rule_for(&reference).needs_signatures());
    assert_eq!(policy.rule_for(&reference).keys(), [key("a")]);
    assert!(
        !policy
            .rule_for(&"file:a.wasm".parse().unwrap())
            .needs_signatures()
    );
}

#[test]
fn without_a_rule_the_default_counts() {
    for (default, verdict) in [
        (DefaultAction::Deny, Verdict::Denied(Denial::NoRule)),
        (DefaultAction::Warn, Verdict::Warned(Denial::NoRule)),
        (DefaultAction::Allow, Verdict::Allowed(Grounds::NoRule)),
    ] {
        let policy = TrustPolicy {
            default,
            rules: Vec::new(),
        };
        assert_eq!(
            decide(&policy.rule_for(&"file:a.wasm".parse().unwrap()), &[]),
            verdict
        );
        // Nothing has to be clear where nothing is told apart.
        assert_eq!(
            decide(&policy.rule_for(&"https://a/../b.wasm".parse().unwrap()), &[]),
            verdict
        );
    }
}

#[test]
fn so_many_distinct_signers_have_to_agree() {
    let two = rule(2, vec![by_key("a"), by_key("b"), by_key("c")]);
    assert!(two.check(&[with_key("a"), with_key("a"), with_key("a")]).is_err());
    assert_eq!(two.check(&[with_key("a"), with_key("c")]).unwrap().len(), 2);
    let missing = two.check(&[with_key("b")]).unwrap_err();
    assert_eq!(
        (missing.required, missing.agreed, missing.missing.len()),
        (2, 1, 2)
    );

    // Who is meant by both patterns counts for one of them.
    let overlapping = rule(2, vec![by_prefix("https://a/"), by_prefix("https://a/b/")]);
    assert!(overlapping.check(&[logged("https://a/b/c")]).is_err());
    assert!(
        overlapping
            .check(&[logged("https://a/b/c"), logged("https://a/b/c")])
            .is_err()
    );
    assert!(
        overlapping
            .check(&[logged("https://a/x"), logged("https://a/y")])
            .is_err()
    );
    // Whichever order they come in, there is a signer for each.
    assert!(
        overlapping
            .check(&[logged("https://a/b/c"), logged("https://a/x")])
            .is_ok()
    );
    assert!(
        overlapping
            .check(&[logged("https://a/x"), logged("https://a/b/c")])
            .is_ok()
    );
    // A key that stands there twice is one key.
    let twice = rule(2, vec![by_key("a"), by_key("a")]);
    assert!(twice.check(&[with_key("a")]).is_err());
    // Zero is one: a rule that asks for signatures is not met by none.
    assert!(rule(0, vec![by_key("a")]).check(&[]).is_err());
    assert!(rule(1, vec![]).check(&[with_key("a")]).is_err());
}

#[test]
fn every_group_has_to_agree() {
    let mut both = rule(1, vec![by_key("a")]);
    both.groups.push(SignerGroup {
        require: 1,
        signers: vec![by_key("b"), by_key("c")],
    });
    assert!(both.check(&[with_key("a")]).is_err());
    assert!(both.check(&[with_key("b"), with_key("c")]).is_err());
    assert_eq!(both.check(&[with_key("a"), with_key("c")]).unwrap().len(), 2);
    let none = SignatureRule {
        groups: Vec::new(),
        ..both
    };
    assert!(none.check(&[with_key("a")]).is_err());
}

#[test]
fn annotations_have_to_be_there() {
    let mut asked = rule(1, vec![by_key("a")]);
    asked.annotations = pairs(&[("stage", "production")]);
    asked.groups[0].signers[0].annotations = pairs(&[("team", "platform")]);
    let with = |annotations: &[(&str, &str)]| VerifiedSignature {
        annotations: pairs(annotations),
        ..with_key("a")
    };
    assert!(
        asked
            .check(&[with(&[
                ("stage", "production"),
                ("team", "platform"),
                ("more", "x")
            ])])
            .is_ok()
    );
    for lacking in [
        &[][..],
        &[("stage", "production")],
        &[("stage", "test"), ("team", "platform")],
    ] {
        let missing = asked.check(&[with(lacking)]).unwrap_err();
        assert_eq!(missing.others[0].1, InVain::Annotations, "{lacking:?}");
    }
    // What two signatures say together nobody signed.
    assert!(
        asked
            .check(&[with(&[("stage", "production")]), with(&[("team", "platform")])])
            .is_err()
    );
}

#[test]
fn logs_are_asked_for_as_the_rule_says() {
    let unlogged = VerifiedSignature {
        log: None,
        ..logged("https://a/b")
    };
    let signers = || vec![by_prefix("https://a/"), by_key("a")];
    let with = |log: LogRule| SignatureRule {
        log,
        ..rule(1, signers())
    };
    for (log, identity, key) in [
        (LogRule::Identities, false, true),
        (LogRule::Always, false, false),
        (LogRule::Never, true, true),
    ] {
        assert_eq!(
            with(log).check(std::slice::from_ref(&unlogged)).is_ok(),
            identity,
            "{log:?}"
        );
        assert_eq!(with(log).check(&[with_key("a")]).is_ok(), key, "{log:?}");
        assert!(with(log).check(&[logged("https://a/b")]).is_ok());
    }
    let missing = with(LogRule::Always).check(&[unlogged]).unwrap_err();
    assert_eq!(missing.others[0].1, InVain::NotLogged);
}

#[test]
fn a_statement_is_no_signature() {
    let statement = VerifiedSignature {
        statement: Some(crate::Statement {
            predicate_type: "https://slsa.dev/provenance/v1".to_owned(),
            predicate: serde_json::Value::Null,
        }),
        ..with_key("a")
    };
    let asked = rule(1, vec![by_key("a")]);
    let missing = asked.check(std::slice::from_ref(&statement)).unwrap_err();
    assert_eq!(missing.others[0].1, InVain::Statement);
    assert!(asked.check_statements(&[statement]).is_ok());
    assert!(asked.check_statements(&[with_key("a")]).is_err());
}

#[test]
fn who_is_missing_and_who_signed_in_vain_is_told() {
    let asked = rule(2, vec![by_prefix("https://a/"), by_key("a")]);
    let missing = asked
        .check(&[with_key("a"), with_key("b"), logged("https://evil/")])
        .unwrap_err();
    let told = Denial::NotEnough(missing);
    let expected = format!(
        "1 of those who have to vouch for it did, and 2 must: https://a/… (by https://issuer.example) did not; it is \
         signed by key {}, whom the rule does not name; it is signed by https://evil/ (by https://issuer.example), whom \
         the rule does not name",
        key("b").fingerprint()
    );
    assert_eq!(told.to_string(), expected);
    assert!(!told.hint().ends_with('.'));
}

#[test]
fn many_signers_are_matched_in_little_time() {
    let many: Vec<_> = (0..100)
        .map(|number| logged(&format!("https://a/{number}")))
        .collect();
    let signers = vec![by_prefix("https://a/"); 100];
    assert_eq!(rule(100, signers).check(&many).unwrap().len(), 100);
    assert!(rule(100, vec![by_prefix("https://a/"); 99]).check(&many).is_err());
}

/// A fingerprint is what reports show and people compare.
#[test]
fn fingerprints_are_those_of_the_public_key() {
    let private = include_str!("../../tests/data/cosign-2.5/cosign.key");
    let private = PrivateKey::from_pem(private, Some(b"harbour")).unwrap();
    assert_eq!(
        private.public_key().fingerprint(),
        Digest::of(key("a").spki_der())
    );
}
