//! Kubewarden's `verification.yml`: whose signatures a policy needs.
//!
//! ```yaml
//! apiVersion: v1
//! allOf: [{ kind: githubAction, owner: kubewarden, repo: policies, annotations: { env: prod } }]
//! anyOf:
//!   minimumMatches: 2
//!   signatures:
//!     - { kind: pubKey, owner: somebody, key: "-----BEGIN PUBLIC KEY-----…" }
//!     - { kind: genericIssuer, issuer: "https://issuer.example", subject: { urlPrefix: "https://github.com/acme" } }
//! ```

use std::path::Path;

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::{Complaint, ConfigErrors, Diagnostic};
use crate::load::{FileKind, decode, read_text};
use crate::table::{Field, Kind, Presence, Section, TEXT};
use crate::trust::{
    LogConfig, MOST_SIGNERS, SignaturesConfig, SignerConfig, SignerGroupConfig, SubjectConfig, WhoConfig,
    decode_pairs,
};

use super::decode_filled;

const VERIFICATION_FILE: FileKind = FileKind {
    what: "the file of signatures",
    name: "verification.yml",
    start: "begin with `apiVersion: v1` and `allOf:` or `anyOf:`",
};

const SIGNATURES: Kind = Kind::List {
    item: &Kind::Loose(&SIGNATURE),
    min: 0,
};

static VERIFICATION: Section = Section {
    id: "kubewardenVerification",
    doc: "Whose signatures a policy needs: those of `allOf`, and of `anyOf` as many as it says.",
    fields: &[
        Field {
            key: "apiVersion",
            kind: Kind::Choice(&["v1"]),
            presence: Presence::Required,
            doc: "The version of the format.",
        },
        Field {
            key: "allOf",
            kind: SIGNATURES,
            presence: Presence::Absent("none"),
            doc: "Signers all of whom have to agree.",
        },
        Field {
            key: "anyOf",
            kind: Kind::Section(&ANY_OF),
            presence: Presence::Absent("none"),
            doc: "Signers some of whom have to agree.",
        },
    ],
};

static ANY_OF: Section = Section {
    id: "kubewardenAnyOf",
    doc: "Signers some of whom have to agree.",
    fields: &[
        Field {
            key: "minimumMatches",
            kind: Kind::Integer {
                min: 1,
                max: MOST_SIGNERS as i64,
            },
            presence: Presence::Default("1"),
            doc: "How many.",
        },
        Field {
            key: "signatures",
            kind: SIGNATURES,
            presence: Presence::Required,
            doc: "The signers.",
        },
    ],
};

static SIGNATURE: Section = Section {
    id: "kubewardenSignature",
    doc: "A signer.",
    fields: &[
        Field {
            key: "kind",
            kind: Kind::Choice(&["pubKey", "genericIssuer", "githubAction"]),
            presence: Presence::Required,
            doc: "How the signer is known.",
        },
        Field {
            key: "key",
            kind: TEXT,
            presence: Presence::Absent("it is no `pubKey`"),
            doc: "The public key as PEM.",
        },
        Field {
            key: "issuer",
            kind: TEXT,
            presence: Presence::Absent("it is no `genericIssuer`"),
            doc: "The OpenID provider.",
        },
        Field {
            key: "subject",
            kind: Kind::Section(&SUBJECT),
            presence: Presence::Absent("it is no `genericIssuer`"),
            doc: "Whom the provider names.",
        },
        Field {
            key: "owner",
            kind: TEXT,
            presence: Presence::Absent("anybody for `pubKey`, where it is a note"),
            doc: "The owner at GitHub.",
        },
        Field {
            key: "repo",
            kind: TEXT,
            presence: Presence::Absent("all of the owner's"),
            doc: "The repository at GitHub.",
        },
        Field {
            key: "annotations",
            kind: Kind::Map {
                key: "name",
                value: &TEXT,
            },
            presence: Presence::Absent("none"),
            doc: "What the signature has to say.",
        },
    ],
};

static SUBJECT: Section = Section {
    id: "kubewardenSubject",
    doc: "Whom a provider names.",
    fields: &[
        Field {
            key: "equal",
            kind: TEXT,
            presence: Presence::Absent("`urlPrefix` says it"),
            doc: "The subject, exactly.",
        },
        Field {
            key: "urlPrefix",
            kind: TEXT,
            presence: Presence::Absent("`equal` says it"),
            doc: "A URL that the subject begins with; a `/` is put behind it.",
        },
    ],
};

/// Reads a `verification.yml`, and what is doubtful in it.
///
/// # Errors
/// All that is wrong with it, in one go; when it cannot be read or is larger than 1 MiB, only that.
pub fn load_verification(path: &Path) -> Result<(SignaturesConfig, Vec<Diagnostic>), ConfigErrors> {
    let text = read_text(path, &VERIFICATION_FILE)?;
    decode(&text, path, &VERIFICATION_FILE, None, decode_verification)
}

fn decode_verification(cx: &mut Context<'_>, item: &Item<'_>) -> Option<SignaturesConfig> {
    // Kubewarden passes over keys that it does not know.
    let fields = Fields::open_loose(cx, item, &VERIFICATION)?;
    fields.choice(cx, "apiVersion")?;
    let mut groups = Vec::new();
    // Each signer of `allOf` is a group of one.
    for signer in decode_signatures(cx, &fields, "allOf")? {
        groups.push(SignerGroupConfig {
            require: 1,
            signers: vec![signer],
        });
    }
    if let Some(item) = fields.item("anyOf") {
        let any_of = Fields::open_loose(cx, item, &ANY_OF)?;
        let require = any_of.integer(cx, "minimumMatches")?;
        let signers = decode_signatures(cx, &any_of, "signatures")?;
        let require = usize::try_from(require).ok()?;
        if require > signers.len() {
            let message = format!("{} asks for {require} of {} signers", item.name(), signers.len());
            let hint = "name as many signers as are asked for, or ask for fewer";
            cx.error(Complaint::new(item.at.clone(), message).hint(hint));
            return None;
        }
        groups.push(SignerGroupConfig { require, signers });
    }
    if groups.is_empty() {
        let message = "this asks for nobody's signature, and so nothing could ever be enough".to_owned();
        cx.error(Complaint::new(item.span(), message).hint("name signers in `allOf` or `anyOf`"));
        return None;
    }
    Some(SignaturesConfig {
        groups,
        annotations: std::collections::BTreeMap::new(),
        log: LogConfig::Identities,
    })
}

fn decode_signatures(cx: &mut Context<'_>, fields: &Fields<'_>, key: &str) -> Option<Vec<SignerConfig>> {
    let items = fields.list(cx, key)?;
    if let Some(item) = items.get(MOST_SIGNERS) {
        let message = format!(
            "there are {} signers, and the most is {MOST_SIGNERS}",
            items.len()
        );
        cx.error(Complaint::new(item.at.clone(), message).hint("remove those that are not needed"));
        return None;
    }
    let signers: Vec<Option<SignerConfig>> = items.iter().map(|item| decode_signature(cx, item)).collect();
    signers.into_iter().collect()
}

fn decode_signature(cx: &mut Context<'_>, item: &Item<'_>) -> Option<SignerConfig> {
    let fields = Fields::open_loose(cx, item, &SIGNATURE)?;
    let annotations = decode_pairs(cx, &fields, "annotations");
    let needed = |cx: &mut Context<'_>, key: &str| match fields.item(key) {
        Some(_) => decode_filled(cx, &fields, key),
        None => {
            let message = format!("{} has no `{key}`", item.name());
            cx.error(Complaint::new(item.at.clone(), message).hint(format!("add `{key}:`")));
            None
        }
    };
    let who = match fields.choice(cx, "kind")? {
        "pubKey" => WhoConfig::KeyPem(needed(cx, "key")?),
        "githubAction" => WhoConfig::Github {
            owner: needed(cx, "owner")?,
            repository: match fields.item("repo") {
                Some(_) => Some(needed(cx, "repo")?),
                None => None,
            },
        },
        _ => WhoConfig::Subject {
            issuer: needed(cx, "issuer")?,
            subject: decode_subject(cx, item, fields.item("subject"))?,
        },
    };
    Some(SignerConfig {
        who,
        annotations: annotations?,
    })
}

fn decode_subject(
    cx: &mut Context<'_>,
    signature: &Item<'_>,
    item: Option<&Item<'_>>,
) -> Option<SubjectConfig> {
    let wrong = |cx: &mut Context<'_>, at: &Item<'_>| {
        let message = format!("{} does not say in exactly one way who the subject is", at.name());
        let hint = "write `subject: { equal: … }` or `subject: { urlPrefix: … }`";
        cx.error(Complaint::new(at.at.clone(), message).hint(hint));
        None
    };
    let Some(item) = item else {
        return wrong(cx, signature);
    };
    let fields = Fields::open_loose(cx, item, &SUBJECT)?;
    match (fields.item("equal"), fields.item("urlPrefix")) {
        (Some(_), None) => decode_filled(cx, &fields, "equal").map(SubjectConfig::Exact),
        (None, Some(_)) => {
            let prefix = decode_filled(cx, &fields, "urlPrefix")?;
            // So that the owner whose name begins with another's is not taken for that one.
            let slash = if prefix.ends_with('/') { "" } else { "/" };
            Some(SubjectConfig::Prefix(format!("{prefix}{slash}")))
        }
        _ => wrong(cx, item),
    }
}
