//! Who signs: by key, by identity, by repository.

use std::collections::BTreeMap;

use regex_syntax::ParserBuilder;

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::{Complaint, quoted};
use crate::table::{Field, Kind, PATH, Presence, Section, TEXT, TextRule};

use super::{SignerConfig, SubjectConfig, WhoConfig, decode_existing};

/// The most signers of a rule.
pub(crate) const MOST_SIGNERS: usize = 64;

const ISSUER: Kind = Kind::Text(TextRule {
    what: "the URL of an OpenID provider",
    pattern: "^.+$",
    example: "https://token.actions.githubusercontent.com",
});

const GITHUB: Kind = Kind::Text(TextRule {
    what: "an owner at GitHub such as `acme`, or a repository such as `acme/plugins`",
    pattern: "^[-A-Za-z0-9_.]+(/[-A-Za-z0-9_.]+)?$",
    example: "acme/plugins",
});

/// A signer.
pub(crate) static SIGNER: Section = Section {
    id: "trustSigner",
    doc: "A signer: by `key`, by `issuer` and one of `subject`, `subjectPrefix` and `subjectRegex`, or by `github`.",
    fields: &[
        Field {
            key: "key",
            kind: PATH,
            presence: Presence::Absent("it is an identity"),
            doc: "A file with the public key, as `cosign generate-key-pair` writes it: ECDSA on P-256 or P-384, Ed25519, or RSA.",
        },
        Field {
            key: "issuer",
            kind: ISSUER,
            presence: Presence::Absent("it is a key, or GitHub's own"),
            doc: "The OpenID provider that said who the signer is, exactly.",
        },
        Field {
            key: "subject",
            kind: TEXT,
            presence: Presence::Absent("another of the three says it"),
            doc: "The subject, exactly: an e-mail address, or the URI of a workflow.",
        },
        Field {
            key: "subjectPrefix",
            kind: TEXT,
            presence: Presence::Absent("another of the three says it"),
            doc: "What the subject begins with. End it with `/`, or `https://github.com/acme` is also the beginning of \
                  `https://github.com/acme-evil`.",
        },
        Field {
            key: "subjectRegex",
            kind: TEXT,
            presence: Presence::Absent("another of the three says it"),
            doc: "A regular expression that the whole subject matches.",
        },
        Field {
            key: "github",
            kind: GITHUB,
            presence: Presence::Absent("it is a key, or another identity"),
            doc: "Workflows of GitHub Actions that run for a repository, or for any of an owner's.",
        },
        Field {
            key: "annotations",
            kind: Kind::Map {
                key: "name",
                value: &TEXT,
            },
            presence: Presence::Absent("none"),
            doc: "What this signer's signature has to say beside the digest.",
        },
    ],
};

pub(super) fn decode_signers(cx: &mut Context<'_>, rule: &Fields<'_>) -> Option<Vec<SignerConfig>> {
    let items = rule.list(cx, "signatures")?;
    if let Some(item) = items.get(MOST_SIGNERS) {
        let message = format!(
            "a rule has at most {MOST_SIGNERS} signers, and this has {}",
            items.len()
        );
        cx.error(Complaint::new(item.at.clone(), message).hint("use a prefix, or write another rule"));
        return None;
    }
    let signers: Vec<Option<SignerConfig>> = items.iter().map(|item| decode_signer(cx, item)).collect();
    signers.into_iter().collect()
}

fn decode_signer(cx: &mut Context<'_>, item: &Item<'_>) -> Option<SignerConfig> {
    let fields = Fields::open(cx, item, &SIGNER)?;
    let annotations = decode_pairs(cx, &fields, "annotations");
    let ways: Vec<&str> = ["key", "issuer", "github"]
        .into_iter()
        .filter(|key| fields.item(key).is_some())
        .collect();
    let who = match ways.as_slice() {
        ["key"] if !has_subject(&fields) => {
            let key = fields.item("key")?;
            decode_existing(cx, key, "the key").map(WhoConfig::KeyFile)
        }
        ["github"] if !has_subject(&fields) => decode_github(cx, &fields),
        ["issuer"] => decode_subject(cx, item, &fields),
        _ => {
            let message = format!("{} does not say in exactly one way who signs", item.name());
            let hint = "write `key`, or `issuer` with one of `subject`, `subjectPrefix` and `subjectRegex`, or `github`";
            cx.error(Complaint::new(item.at.clone(), message).hint(hint));
            None
        }
    };
    Some(SignerConfig {
        who: who?,
        annotations: annotations?,
    })
}

const SUBJECTS: [&str; 3] = ["subject", "subjectPrefix", "subjectRegex"];

fn has_subject(fields: &Fields<'_>) -> bool {
    SUBJECTS.iter().any(|key| fields.item(key).is_some())
}

fn decode_subject(cx: &mut Context<'_>, item: &Item<'_>, fields: &Fields<'_>) -> Option<WhoConfig> {
    let issuer = filled(cx, fields, "issuer")?;
    let given: Vec<&str> = SUBJECTS
        .into_iter()
        .filter(|key| fields.item(key).is_some())
        .collect();
    let [key] = given.as_slice() else {
        let message = format!(
            "{} has {} of `subject`, `subjectPrefix` and `subjectRegex`",
            item.name(),
            given.len()
        );
        let hint = "write one of them: without it everybody whom the issuer knows could sign";
        cx.error(Complaint::new(item.at.clone(), message).hint(hint));
        return None;
    };
    let text = filled(cx, fields, key)?;
    let subject = match *key {
        "subject" => SubjectConfig::Exact(text),
        "subjectPrefix" => SubjectConfig::Prefix(text),
        _ => SubjectConfig::Regex(decode_regex(cx, fields.item(key)?, text)?),
    };
    Some(WhoConfig::Subject { issuer, subject })
}

/// An expression that can be compiled as far as its text says it.
fn decode_regex(cx: &mut Context<'_>, item: &Item<'_>, text: String) -> Option<String> {
    match ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .build()
        .parse(&text)
    {
        Ok(_) => Some(text),
        Err(error) => {
            let reason = match &error {
                regex_syntax::Error::Parse(error) => error.kind().to_string(),
                regex_syntax::Error::Translate(error) => error.kind().to_string(),
                _ => "it cannot be read".to_owned(),
            };
            let message = format!("{} is no regular expression: {reason}", item.name());
            cx.error(
                Complaint::new(item.span(), message).hint("in it, `.` is any character and `\\.` is a dot"),
            );
            None
        }
    }
}

fn decode_github(cx: &mut Context<'_>, fields: &Fields<'_>) -> Option<WhoConfig> {
    let item = fields.item("github")?;
    let text = item.text(cx, &GITHUB)?;
    let (owner, repository) = match text.split_once('/') {
        Some((owner, repository)) => (owner, Some(repository)),
        None => (text, None),
    };
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    if !is_name(owner) || !repository.is_none_or(is_name) {
        let message = format!(
            "{} is neither an owner nor a repository: {}",
            item.name(),
            quoted(text)
        );
        cx.error(
            Complaint::new(item.span(), message)
                .hint("write `acme` or `acme/plugins`, without `https://github.com/`"),
        );
        return None;
    }
    Some(WhoConfig::Github {
        owner: owner.to_owned(),
        repository: repository.map(str::to_owned),
    })
}

/// Text that is not empty.
fn filled(cx: &mut Context<'_>, fields: &Fields<'_>, key: &str) -> Option<String> {
    crate::kubewarden::decode_filled(cx, fields, key)
}

/// Names with texts.
pub(crate) fn decode_pairs(
    cx: &mut Context<'_>,
    fields: &Fields<'_>,
    key: &str,
) -> Option<BTreeMap<String, String>> {
    let mut pairs = BTreeMap::new();
    let mut good = true;
    for (entry, item) in fields.map(cx, key)? {
        match item.text(cx, &TEXT) {
            Some(text) => {
                pairs.insert(entry.key.clone(), text.to_owned());
            }
            None => good = false,
        }
    }
    good.then_some(pairs)
}
