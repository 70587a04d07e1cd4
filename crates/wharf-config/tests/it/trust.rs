//! `trust`, and Kubewarden's `verification.yml`.

use std::collections::BTreeMap;
use std::fs;

use expect_test::expect;
use wharf_config::kubewarden::load_verification;
use wharf_config::{
    LogConfig, SignaturesConfig, SignerConfig, SignerGroupConfig, SubjectConfig, TrustConfig, TrustDefault,
    WhoConfig,
};

use crate::{check, parse};

fn trust(text: &str) -> Option<TrustConfig> {
    let loaded =
        parse(&format!("version: 1\n{text}")).unwrap_or_else(|errors| panic!("{}", errors.render(false)));
    assert_eq!(loaded.warnings, []);
    loaded.config.trust
}

fn signer(who: WhoConfig) -> SignerConfig {
    SignerConfig {
        who,
        annotations: BTreeMap::new(),
    }
}

fn by(issuer: &str, subject: SubjectConfig) -> SignerConfig {
    signer(WhoConfig::Subject {
        issuer: issuer.to_owned(),
        subject,
    })
}

fn github(owner: &str, repository: Option<&str>) -> SignerConfig {
    signer(WhoConfig::Github {
        owner: owner.to_owned(),
        repository: repository.map(str::to_owned),
    })
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

const GITHUB: &str = "https://token.actions.githubusercontent.com";

#[test]
fn the_example_of_the_documentation_is_read() {
    assert_eq!(trust(""), None);
    let documentation = include_str!("../../../../docs/trust.md");
    let example = documentation
        .split("```")
        .nth(1)
        .and_then(|block| block.strip_prefix("yaml\n"))
        .unwrap();
    let read = trust(example).unwrap();
    assert_eq!((read.default, read.root), (TrustDefault::Deny, None));
    assert_eq!(read.rules.len(), 2);
    assert_eq!(
        read.rules[0].references[0].as_str(),
        "oci:registry.example/plugins/**"
    );
    let expected = SignaturesConfig {
        groups: vec![SignerGroupConfig {
            require: 1,
            signers: vec![
                signer(WhoConfig::KeyFile("keys/platform.pub".into())),
                by(
                    GITHUB,
                    SubjectConfig::Prefix("https://github.com/acme/".to_owned()),
                ),
                github("acme", Some("plugins")),
            ],
        }],
        annotations: BTreeMap::new(),
        log: LogConfig::Identities,
    };
    assert_eq!(read.rules[0].signatures, Some(expected));
    assert_eq!(read.rules[1].references[0].as_str(), "file:**");
    assert_eq!(read.rules[1].signatures, None);
}

#[test]
fn all_keys_are_read() {
    let read = trust(
        "trust:
  default: warn
  root: root.json
  rules:
    - references: [\"file:plugins/*\", 'registry://A.example/b', '**']
      require: 2
      log: always
      annotations: { stage: production }
      signatures:
        - { issuer: 'https://issuer.example', subject: a@acme.example, annotations: { team: platform } }
        - { issuer: 'https://issuer.example', subjectRegex: '.*@acme\\.example' }
        - { github: acme }
",
    )
    .unwrap();
    assert_eq!(
        (read.default, read.root),
        (TrustDefault::Warn, Some("root.json".into()))
    );
    let rule = &read.rules[0];
    let references: Vec<_> = rule.references.iter().map(ToString::to_string).collect();
    assert_eq!(references, ["file:plugins/*", "oci:a.example/b", "**"]);
    let signatures = rule.signatures.as_ref().unwrap();
    assert_eq!(
        (signatures.log, &signatures.annotations),
        (LogConfig::Always, &pairs(&[("stage", "production")]))
    );
    assert_eq!(signatures.groups[0].require, 2);
    let mut first = by(
        "https://issuer.example",
        SubjectConfig::Exact("a@acme.example".to_owned()),
    );
    first.annotations = pairs(&[("team", "platform")]);
    let expected = [
        first,
        by(
            "https://issuer.example",
            SubjectConfig::Regex(".*@acme\\.example".to_owned()),
        ),
        github("acme", None),
    ];
    assert_eq!(signatures.groups[0].signers, expected);
    assert_eq!(trust("trust: {}").unwrap().default, TrustDefault::Deny);
}

#[test]
fn what_is_wrong_with_trust_is_told() {
    check(
        "version: 1
trust:
  default: maybe
  rules:
    - references: [\"oci:a/**\"]
    - { references: [\"oci:a/**\"], allow: unsigned, signatures: [{ github: acme }] }
    - { references: [\"oci:a/**\"], allow: unsigned, require: 2 }
    - { references: [\"a/**\"], allow: unsigned }
    - { references: [], allow: unsigned }
    - references: [\"**\"]
      require: 2
      signatures: [{ github: acme }]
    - references: [\"**\"]
      signatures:
        - {}
        - { key: a.pub, github: acme }
        - { issuer: x }
        - { issuer: x, subject: a, subjectPrefix: a }
        - { issuer: x, subject: '' }
        - { issuer: x, subjectRegex: '(' }
        - { github: 'https://github.com/acme' }
        - { github: acme, subject: a }
        - { github: acme, annotations: { a: 1 } }
",
        &expect![[r#"
            error: `trust.default` cannot be `maybe`
             --> wharf.yaml:3:12
              |
            3 |   default: maybe
              |            ^^^^^
              |
              = hint: write `deny`, `warn` or `allow`

            error: `trust.rules[0]` says neither whose signatures it needs nor that it needs none
             --> wharf.yaml:5:7
              |
            5 |     - references: ["oci:a/**"]
              |       ^^^^^^^^^^^^^^^^^^^^^^^^
              |
              = hint: add `signatures:`, or `allow: unsigned`

            error: `trust.rules[1]` has both `allow` and `signatures`
             --> wharf.yaml:6:52
              |
            6 |     - { references: ["oci:a/**"], allow: unsigned, signatures: [{ github: acme }] }
              |                                                    ^^^^^^^^^^
              |
              = hint: remove one of them

            error: `trust.rules[2]` has `require`, and needs no signatures
             --> wharf.yaml:7:52
              |
            7 |     - { references: ["oci:a/**"], allow: unsigned, require: 2 }
              |                                                    ^^^^^^^
              |
              = hint: remove `allow` or `require`

            error: `trust.rules[3].references[0]`: a pattern of references begins with `oci:`, `file:` or `https://`, or is `**`
             --> wharf.yaml:8:22
              |
            8 |     - { references: ["a/**"], allow: unsigned }
              |                      ^^^^^^
              |
              = hint: write for example `oci:registry.example/plugins/**`

            error: `trust.rules[4].references` is empty
             --> wharf.yaml:9:21
              |
            9 |     - { references: [], allow: unsigned }
              |                     ^^
              |
              = hint: it needs at least one item

            error: 2 signers are required, and `trust.rules[5].signatures` has 1
              --> wharf.yaml:11:16
               |
            11 |       require: 2
               |                ^
               |
               = hint: name as many signers as are required, or require fewer

            error: `trust.rules[6].signatures[0]` does not say in exactly one way who signs
              --> wharf.yaml:15:11
               |
            15 |         - {}
               |           ^^
               |
               = hint: write `key`, or `issuer` with one of `subject`, `subjectPrefix` and `subjectRegex`, or `github`

            error: `trust.rules[6].signatures[1]` does not say in exactly one way who signs
              --> wharf.yaml:16:11
               |
            16 |         - { key: a.pub, github: acme }
               |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
               |
               = hint: write `key`, or `issuer` with one of `subject`, `subjectPrefix` and `subjectRegex`, or `github`

            error: `trust.rules[6].signatures[2]` has 0 of `subject`, `subjectPrefix` and `subjectRegex`
              --> wharf.yaml:17:11
               |
            17 |         - { issuer: x }
               |           ^^^^^^^^^^^^^
               |
               = hint: write one of them: without it everybody whom the issuer knows could sign

            error: `trust.rules[6].signatures[3]` has 2 of `subject`, `subjectPrefix` and `subjectRegex`
              --> wharf.yaml:18:11
               |
            18 |         - { issuer: x, subject: a, subjectPrefix: a }
               |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
               |
               = hint: write one of them: without it everybody whom the issuer knows could sign

            error: `trust.rules[6].signatures[4].subject` is empty
              --> wharf.yaml:19:33
               |
            19 |         - { issuer: x, subject: '' }
               |                                 ^^
               |
               = hint: give it a value

            error: `trust.rules[6].signatures[5].subjectRegex` is no regular expression: unclosed group
              --> wharf.yaml:20:38
               |
            20 |         - { issuer: x, subjectRegex: '(' }
               |                                      ^^^
               |
               = hint: in it, `.` is any character and `\.` is a dot

            error: `trust.rules[6].signatures[6].github` is neither an owner nor a repository: `https://github.com/acme`
              --> wharf.yaml:21:21
               |
            21 |         - { github: 'https://github.com/acme' }
               |                     ^^^^^^^^^^^^^^^^^^^^^^^^^
               |
               = hint: write `acme` or `acme/plugins`, without `https://github.com/`

            error: `trust.rules[6].signatures[7]` does not say in exactly one way who signs
              --> wharf.yaml:22:11
               |
            22 |         - { github: acme, subject: a }
               |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
               |
               = hint: write `key`, or `issuer` with one of `subject`, `subjectPrefix` and `subjectRegex`, or `github`

            error: `trust.rules[6].signatures[8].annotations.a` is to be text, and this is a number
              --> wharf.yaml:23:45
               |
            23 |         - { github: acme, annotations: { a: 1 } }
               |                                             ^
               |
               = hint: put it between quotes: "1""#]],
    );
}

#[test]
fn kubewardens_verification_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("verification.yml");
    let text = "---
apiVersion: v1
allOf:
  - kind: githubAction
    owner: kubewarden
    repo: policies
    annotations: { env: prod }
  - kind: githubAction
    owner: kubewarden
anyOf:
  minimumMatches: 2
  signatures:
    - kind: pubKey
      owner: somebody
      key: |
        -----BEGIN PUBLIC KEY-----
    - { kind: genericIssuer, issuer: https://issuer.example, subject: { urlPrefix: https://github.com/acme } }
    - { kind: genericIssuer, issuer: https://issuer.example, subject: { equal: a@acme.example } }
";
    fs::write(&file, text).unwrap();
    let (read, warnings) = load_verification(&file).unwrap();
    assert_eq!(warnings, []);
    let mut first = github("kubewarden", Some("policies"));
    first.annotations = pairs(&[("env", "prod")]);
    let alone = |signer: SignerConfig| SignerGroupConfig {
        require: 1,
        signers: vec![signer],
    };
    let any_of = SignerGroupConfig {
        require: 2,
        signers: vec![
            signer(WhoConfig::KeyPem("-----BEGIN PUBLIC KEY-----\n".to_owned())),
            // With a slash, so that `acme-evil` is not meant.
            by(
                "https://issuer.example",
                SubjectConfig::Prefix("https://github.com/acme/".to_owned()),
            ),
            by(
                "https://issuer.example",
                SubjectConfig::Exact("a@acme.example".to_owned()),
            ),
        ],
    };
    assert_eq!(
        read.groups,
        [alone(first), alone(github("kubewarden", None)), any_of]
    );
    assert_eq!(
        (read.log, read.annotations),
        (LogConfig::Identities, BTreeMap::new())
    );
}

#[test]
fn what_is_wrong_with_a_verification_is_told() {
    let told = |text: &str| {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("verification.yml");
        fs::write(&file, text).unwrap();
        let errors = load_verification(&file).unwrap_err();
        errors
            .errors
            .iter()
            .map(|error| error.message.clone())
            .collect::<Vec<_>>()
            .join("; ")
    };
    for (text, word) in [
        ("apiVersion: v2", "`apiVersion` cannot be `v2`"),
        ("apiVersion: v1", "asks for nobody's signature"),
        ("apiVersion: v1\nallOf: []", "asks for nobody's signature"),
        ("allOf: []", "has no `apiVersion`"),
        (
            "apiVersion: v1\nanyOf: { signatures: [] }",
            "asks for 1 of 0 signers",
        ),
        ("apiVersion: v1\nallOf: [{ kind: pubKey }]", "has no `key`"),
        ("apiVersion: v1\nallOf: [{ kind: other }]", "cannot be `other`"),
        (
            "apiVersion: v1\nallOf: [{ kind: githubAction }]",
            "has no `owner`",
        ),
        (
            "apiVersion: v1\nallOf: [{ kind: genericIssuer, issuer: x }]",
            "who the subject is",
        ),
        (
            "apiVersion: v1\nallOf: [{ kind: genericIssuer, issuer: x, subject: {} }]",
            "who the subject is",
        ),
        (
            "apiVersion: v1\nallOf: [{ kind: genericIssuer, issuer: x, subject: { equal: a, urlPrefix: b } }]",
            "who the subject is",
        ),
        ("[]", "is to be a mapping"),
    ] {
        let told = told(text);
        assert!(told.contains(word), "{text}: {told}");
    }
}
