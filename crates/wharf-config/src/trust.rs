//! `trust`: which plugins may run, by who signed them.

mod signers;

use std::collections::BTreeMap;
use std::path::PathBuf;

use wharf_plugin::ReferencePattern;

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::{Complaint, quoted};
use crate::kubewarden::load_verification;
use crate::registries::decode_path;
use crate::table::{Field, Kind, PATH, Presence, Section, TEXT, TextRule};

pub(crate) use signers::{MOST_SIGNERS, SIGNER, decode_pairs};

/// Which plugins may run, by who signed them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustConfig {
    /// What becomes of plugins for which there is no rule. Default: they do not run.
    pub default: TrustDefault,
    /// The `trusted_root.json` that certificates and logs are checked with. None for the public instance of Sigstore.
    pub root: Option<PathBuf>,
    /// The rules. The first that matches counts.
    pub rules: Vec<TrustRule>,
}

/// What becomes of plugins for which there is no rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TrustDefault {
    /// They do not run. The default.
    #[default]
    Deny,
    /// They run, with a warning.
    Warn,
    /// They run.
    Allow,
}

/// What plugins of some references need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustRule {
    /// Which references it is for; at least one. Relative ones of files begin with the directory of the file.
    pub references: Vec<ReferencePattern>,
    /// Whose signatures are needed. None where plugins may be unsigned.
    pub signatures: Option<SignaturesConfig>,
}

/// Whose signatures are needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignaturesConfig {
    /// The groups, each of which has to agree; at least one.
    pub groups: Vec<SignerGroupConfig>,
    /// What each signature has to say.
    pub annotations: BTreeMap<String, String>,
    /// Which signatures have to be in a log. Default: those of identities.
    pub log: LogConfig,
}

/// Some signers, of whom so many have to agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignerGroupConfig {
    /// How many of the signers have to agree: 1 to as many as there are.
    pub require: usize,
    /// The signers; at least one.
    pub signers: Vec<SignerConfig>,
}

/// A signer whose signature counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignerConfig {
    /// Who it is.
    pub who: WhoConfig,
    /// What this signer's signature has to say.
    pub annotations: BTreeMap<String, String>,
}

/// Who a signer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhoConfig {
    /// Whoever has the private half of a key in a file. The file was not read yet.
    KeyFile(PathBuf),
    /// Whoever has the private half of this key, which is PEM and was not looked at yet.
    KeyPem(String),
    /// Whom an OpenID provider names.
    Subject {
        /// The provider.
        issuer: String,
        /// What it has to name.
        subject: SubjectConfig,
    },
    /// Workflows of GitHub Actions.
    Github {
        /// The owner.
        owner: String,
        /// The repository; none for all of the owner's.
        repository: Option<String>,
    },
}

/// What a subject has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectConfig {
    /// Exactly this.
    Exact(String),
    /// Something that begins with this.
    Prefix(String),
    /// Something of which the whole matches this regular expression.
    Regex(String),
}

/// Which signatures have to be in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LogConfig {
    /// Those of identities. The default.
    #[default]
    Identities,
    /// All.
    Always,
    /// None.
    Never,
}

/// The most rules.
const MOST_RULES: usize = 256;
/// The most patterns of a rule.
const MOST_PATTERNS: usize = 256;

const PATTERN: Kind = Kind::Text(TextRule {
    what: "a pattern of references such as `oci:registry.example/plugins/**`",
    pattern: "^(\\*\\*|oci:.+|registry:.+|file:.+|https:(//.+|\\*.*))$",
    example: "oci:registry.example/plugins/**",
});

/// The section.
pub(crate) static TRUST: Section = Section {
    id: "trust",
    doc: "Which plugins may run, by who signed them. Without this section all of them may.",
    fields: &[
        Field {
            key: "default",
            kind: Kind::Choice(&["deny", "warn", "allow"]),
            presence: Presence::Default("deny"),
            doc: "What becomes of plugins for which there is no rule: they do not run, they run with a warning, or they run.",
        },
        Field {
            key: "root",
            kind: PATH,
            presence: Presence::Absent("the public instance of Sigstore"),
            doc: "A `trusted_root.json`: the authorities and the logs that signatures of identities are checked with. Nothing \
                  is fetched to check a signature.",
        },
        Field {
            key: "rules",
            kind: Kind::List {
                item: &Kind::Section(&RULE),
                min: 0,
            },
            presence: Presence::Absent("none"),
            doc: "The rules. The first with a pattern that matches counts.",
        },
    ],
};

static RULE: Section = Section {
    id: "trustRule",
    doc: "What plugins of some references need: `signatures`, those of a `verification` file, or nothing with \
          `allow: unsigned`.",
    fields: &[
        Field {
            key: "references",
            kind: Kind::List {
                item: &PATTERN,
                min: 1,
            },
            presence: Presence::Required,
            doc: "Which references it is for. `**` is any text and `*` any without a slash; the whole reference has to match. \
                  Names of images match with their tag or without.",
        },
        Field {
            key: "require",
            kind: Kind::Integer {
                min: 1,
                max: MOST_SIGNERS as i64,
            },
            presence: Presence::Default("1"),
            doc: "How many of `signatures` have to be there. Each signer counts once.",
        },
        Field {
            key: "signatures",
            kind: Kind::List {
                item: &Kind::Section(&SIGNER),
                min: 1,
            },
            presence: Presence::Absent("none; then `verification` or `allow: unsigned` is needed"),
            doc: "Whose signatures count.",
        },
        Field {
            key: "verification",
            kind: PATH,
            presence: Presence::Absent("`signatures` says it"),
            doc: "Kubewarden's `verification.yml`, as it stands: whose signatures are needed.",
        },
        Field {
            key: "annotations",
            kind: Kind::Map {
                key: "name",
                value: &TEXT,
            },
            presence: Presence::Absent("none"),
            doc: "What each signature has to say beside the digest. It may say more.",
        },
        Field {
            key: "log",
            kind: Kind::Choice(&["identities", "always", "never"]),
            presence: Presence::Default("identities"),
            doc: "Which signatures have to be in a transparency log: those of identities, all, or none.",
        },
        Field {
            key: "allow",
            kind: Kind::Choice(&["unsigned"]),
            presence: Presence::Absent("signatures are needed"),
            doc: "Says that plugins of these references need no signature.",
        },
    ],
};

/// The section, if there is one and nothing is wrong with it.
pub(crate) fn decode_trust(cx: &mut Context<'_>, root: &Fields<'_>) -> Option<TrustConfig> {
    let fields = Fields::open(cx, root.item("trust")?, &TRUST)?;
    let default = fields.choice(cx, "default").map(|word| match word {
        "warn" => TrustDefault::Warn,
        "allow" => TrustDefault::Allow,
        _ => TrustDefault::Deny,
    });
    let root = match fields.item("root") {
        Some(item) => Some(decode_existing(cx, item, "the root of trust")?),
        None => None,
    };
    let items = fields.list(cx, "rules")?;
    if let Some(item) = items.get(MOST_RULES) {
        let message = format!("`trust` has {} rules, and the most is {MOST_RULES}", items.len());
        cx.error(Complaint::new(item.at.clone(), message).hint("join those that need the same"));
        return None;
    }
    let rules: Vec<Option<TrustRule>> = items.iter().map(|item| decode_rule(cx, item)).collect();
    Some(TrustConfig {
        default: default?,
        root,
        rules: rules.into_iter().collect::<Option<_>>()?,
    })
}

fn decode_rule(cx: &mut Context<'_>, item: &Item<'_>) -> Option<TrustRule> {
    let fields = Fields::open(cx, item, &RULE)?;
    let references = decode_references(cx, &fields);
    let signatures = decode_signatures(cx, item, &fields);
    Some(TrustRule {
        references: references?,
        signatures: signatures?,
    })
}

fn decode_references(cx: &mut Context<'_>, fields: &Fields<'_>) -> Option<Vec<ReferencePattern>> {
    fields.item("references")?;
    let items = fields.list(cx, "references")?;
    if let Some(item) = items.get(MOST_PATTERNS) {
        let message = format!("a rule has at most {MOST_PATTERNS} references");
        cx.error(Complaint::new(item.at.clone(), message).hint("use `**`, or write another rule"));
        return None;
    }
    let decoded: Vec<Option<ReferencePattern>> = items
        .iter()
        .map(
            |item| match item.text(cx, &PATTERN)?.parse::<ReferencePattern>() {
                Ok(pattern) => Some(pattern.relative_to(&cx.resolve(""))),
                Err(error) => {
                    let message = format!("{}: {error}", item.name());
                    let hint = "write for example `oci:registry.example/plugins/**`";
                    cx.error(Complaint::new(item.span(), message).hint(hint));
                    None
                }
            },
        )
        .collect();
    decoded.into_iter().collect()
}

/// What a rule needs; within, none where that is nothing.
fn decode_signatures(
    cx: &mut Context<'_>,
    item: &Item<'_>,
    fields: &Fields<'_>,
) -> Option<Option<SignaturesConfig>> {
    let allow = fields.choice(cx, "allow");
    let given: Vec<&str> = ["allow", "signatures", "verification"]
        .into_iter()
        .filter(|key| fields.item(key).is_some())
        .collect();
    if let [first, second, ..] = given.as_slice() {
        let message = format!("{} has both `{first}` and `{second}`", item.name());
        let at = fields
            .item(second)
            .map_or(item.at.clone(), |item| item.at.clone());
        cx.error(Complaint::new(at, message).hint("remove one of them"));
        return None;
    }
    let useless: &[&str] = match given.first() {
        Some(&"allow") => &["require", "annotations", "log"],
        // The file says how many, and which annotations.
        Some(&"verification") => &["require", "annotations"],
        _ => &[],
    };
    if let Some((key, useless)) = useless.iter().find_map(|key| Some((key, fields.item(key)?))) {
        let has = given.first().copied().unwrap_or_default();
        let message = match has {
            "allow" => format!("{} has `{key}`, and needs no signatures", item.name()),
            _ => format!("{} has `{key}`, which its `verification` says", item.name()),
        };
        cx.error(Complaint::new(useless.at.clone(), message).hint(format!("remove `{has}` or `{key}`")));
        return None;
    }
    if let Some(list) = fields.item("signatures") {
        return decode_needed(cx, fields, list).map(Some);
    }
    if let Some(file) = fields.item("verification") {
        return decode_verification_file(cx, fields, file).map(Some);
    }
    if fields.item("allow").is_some() {
        return allow.map(|_| None);
    }
    let message = format!(
        "{} says neither whose signatures it needs nor that it needs none",
        item.name()
    );
    cx.error(Complaint::new(item.at.clone(), message).hint("add `signatures:`, or `allow: unsigned`"));
    None
}

/// Reads Kubewarden's file. What is wrong with it is reported with the rest.
fn decode_verification_file(
    cx: &mut Context<'_>,
    fields: &Fields<'_>,
    item: &Item<'_>,
) -> Option<SignaturesConfig> {
    let log = decode_log(cx, fields)?;
    let path = decode_existing(cx, item, "the file of signatures")?;
    if !cx.reads_files() {
        // Nobody runs anything by a configuration whose files were not read; with no group nothing is ever enough.
        return Some(SignaturesConfig {
            groups: Vec::new(),
            annotations: BTreeMap::new(),
            log,
        });
    }
    match load_verification(&path) {
        Ok((mut signatures, _)) => {
            signatures.log = log;
            Some(signatures)
        }
        Err(errors) => {
            cx.append(errors);
            None
        }
    }
}

fn decode_log(cx: &mut Context<'_>, fields: &Fields<'_>) -> Option<LogConfig> {
    fields.choice(cx, "log").map(|word| match word {
        "always" => LogConfig::Always,
        "never" => LogConfig::Never,
        _ => LogConfig::Identities,
    })
}

fn decode_needed(cx: &mut Context<'_>, fields: &Fields<'_>, list: &Item<'_>) -> Option<SignaturesConfig> {
    let require = fields.integer(cx, "require");
    let annotations = decode_pairs(cx, fields, "annotations");
    let log = decode_log(cx, fields);
    let signers = signers::decode_signers(cx, fields);
    let signers = signers?;
    let require = usize::try_from(require?).ok()?;
    if require > signers.len() {
        let message = format!(
            "{require} signers are required, and {} has {}",
            list.name(),
            signers.len()
        );
        let at = fields.item("require").map_or(list.at.clone(), Item::span);
        cx.error(Complaint::new(at, message).hint("name as many signers as are required, or require fewer"));
        return None;
    }
    Some(SignaturesConfig {
        groups: vec![SignerGroupConfig { require, signers }],
        annotations: annotations?,
        log: log?,
    })
}

/// The path of a file that has to be there.
pub(crate) fn decode_existing(cx: &mut Context<'_>, item: &Item<'_>, what: &str) -> Option<PathBuf> {
    let path = decode_path(cx, item)?;
    match cx.check_file(&path) {
        Ok(()) => Some(path),
        Err(reason) => {
            let message = format!("{what} {} {reason}", quoted(&path.to_string_lossy()));
            cx.error(
                Complaint::new(item.span(), message)
                    .hint("the path is relative to the directory of this file"),
            );
            None
        }
    }
}
