//! `wharf verify`: who signed a plugin, and whether that is enough.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{ArgGroup, Args};
use serde_json::{Value, json};
use wharf_distribution::registry::RegistryError;
use wharf_distribution::{Attachments, Subject};
use wharf_plugin::{ContentDigest, Reference};
use wharf_signature::{
    IdentityPattern, LogRule, Purpose, SignatureRule, Signer, SignerGroup, SignerPattern, SubjectPattern,
    VerifiedSignature, WantedSigner,
};
use wharf_trust::{Examination, Place, RootOfTrust, examine, now};

use super::push::annotation;
use super::sign::predicate_type;
use super::single::{self, shown};
use crate::exit::Code;
use crate::provenance;
use crate::supply::{Supply, SupplyArguments, block_on};
use crate::trust::{self, TrustError};
use crate::words::{complain, print, say};

/// What is verified, and who has to have signed it.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("who").multiple(true).args(["keys", "issuer", "github"]),
    group = ArgGroup::new("whom").args(["subject", "subject_prefix", "subject_regex"]).requires("issuer")
)]
pub(crate) struct VerifyArguments {
    /// The plugin: an image in a registry, or a file with its bundle beside it.
    #[arg(value_name = "REF", value_parser = single::artifact)]
    reference: Reference,
    /// Somebody who has to have signed: a public key as PEM. Without any of --key, --issuer and --github the section `trust` of the
    /// configuration decides.
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// The OpenID provider of an identity that has to have signed; one of the three --subject… says which.
    #[arg(long, value_name = "URL", requires = "whom")]
    issuer: Option<String>,
    /// The subject, exactly.
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// What the subject begins with; end it with a slash.
    #[arg(long, value_name = "TEXT")]
    subject_prefix: Option<String>,
    /// A regular expression that the whole subject matches.
    #[arg(long, value_name = "REGEX")]
    subject_regex: Option<String>,
    /// Workflows of GitHub Actions of an owner, or of one repository: OWNER or OWNER/REPOSITORY.
    #[arg(long, value_name = "OWNER[/REPOSITORY]")]
    github: Option<String>,
    /// How many of those that are named have to agree; all of them by default.
    #[arg(long, value_name = "COUNT", requires = "who")]
    require: Option<usize>,
    /// What the signatures have to say beside the digest.
    #[arg(short, long = "annotation", value_name = "NAME=VALUE", value_parser = annotation, requires = "who")]
    annotations: Vec<(String, String)>,
    /// Look for statements of this type in place of signatures: a URI, or a short name as `wharf attest` has them.
    #[arg(long, value_name = "TYPE", value_parser = predicate_type, requires = "who")]
    attestation: Option<String>,
    /// The `trusted_root.json` that identities are checked with; that of the configuration, or the public one, by default.
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    #[command(flatten)]
    supply: SupplyArguments,
    /// Print what was found as JSON on stdout.
    #[arg(long)]
    json: bool,
}

/// What was found.
struct Report {
    reference: Reference,
    digest: ContentDigest,
    signers: Vec<Signer>,
    /// Why it is not enough.
    refused: Option<String>,
    examination: Examination,
}

/// Looks at the signatures of a plugin, and says whether they are enough.
pub(super) fn run(arguments: &VerifyArguments) -> Code {
    let outcome = match rule(arguments) {
        Ok(Some(rule)) => by_rule(arguments, &rule),
        Ok(None) => return by_policy(arguments),
        Err(error) => {
            complain(&error, Some(error.hint()));
            return Code::CommandLine;
        }
    };
    let report = match outcome {
        Ok(report) => report,
        Err(code) => return code,
    };
    let printed = if arguments.json {
        print(format_args!("{:#}", report.json()))
    } else {
        print(report.text().trim_end())
    };
    match (printed, &report.refused) {
        (Err(_), _) => Code::Failure,
        (Ok(()), None) => Code::Success,
        (Ok(()), Some(reason)) => {
            let hint = match report.examination.bad.first() {
                Some(bad) if report.examination.good.is_empty() => bad.why.hint().to_owned(),
                _ => "have it signed by those that are named, or name others".to_owned(),
            };
            say(format_args!(
                "error: {} is not signed as is asked for: {reason}\n\nhint: {hint}",
                report.reference
            ));
            Code::Plugin
        }
    }
}

/// What the flags ask for; nothing where they name nobody.
fn rule(arguments: &VerifyArguments) -> Result<Option<SignatureRule>, TrustError> {
    let mut signers = Vec::new();
    for path in &arguments.keys {
        signers.push(SignerPattern::Key(trust::key(path)?));
    }
    if let Some(issuer) = &arguments.issuer {
        let subject = match (&arguments.subject, &arguments.subject_prefix) {
            (Some(text), _) => SubjectPattern::Exact(text.clone()),
            (None, Some(text)) => SubjectPattern::Prefix(text.clone()),
            // One of the three is there.
            (None, None) => {
                let regex = arguments.subject_regex.as_deref().unwrap_or_default();
                SubjectPattern::Regex(trust::regex(regex)?)
            }
        };
        signers.push(SignerPattern::Identity(IdentityPattern::Subject {
            issuer: issuer.clone(),
            subject,
        }));
    }
    if let Some(github) = &arguments.github {
        let (owner, repository) = match github.split_once('/') {
            Some((owner, repository)) => (owner, Some(repository.to_owned())),
            None => (github.as_str(), None),
        };
        signers.push(SignerPattern::Identity(IdentityPattern::Github {
            owner: owner.to_owned(),
            repository,
        }));
    }
    if signers.is_empty() {
        return Ok(None);
    }
    let signers: Vec<WantedSigner> = signers
        .into_iter()
        .map(|signer| WantedSigner {
            signer,
            annotations: BTreeMap::new(),
        })
        .collect();
    Ok(Some(SignatureRule {
        groups: vec![SignerGroup {
            require: arguments.require.unwrap_or(signers.len()),
            signers,
        }],
        annotations: arguments.annotations.iter().cloned().collect(),
        log: LogRule::default(),
    }))
}

fn by_rule(arguments: &VerifyArguments, rule: &SignatureRule) -> Result<Report, Code> {
    let supply = Supply::by_flags(&arguments.supply, std::iter::once(&arguments.reference))?;
    let root = match &arguments.root {
        Some(path) => trust::root(Some(path)).map_err(|error| {
            complain(&error, Some(error.hint()));
            Code::CommandLine
        })?,
        None => supply.root().clone(),
    };
    let purpose = match &arguments.attestation {
        Some(predicate_type) => Purpose::Attestation { predicate_type },
        None => Purpose::Signature,
    };
    let (digest, examination) = match &arguments.reference {
        Reference::File(_) => examine_file(&arguments.reference, purpose, rule, &root)?,
        reference => {
            let Some(Ok(image)) = reference.as_image() else {
                say(format_args!(
                    "error: {reference} is neither an image nor a file, and nothing lies beside it\n\nhint: its digest is what keeps it"
                ));
                return Err(Code::CommandLine);
            };
            let client = supply.client();
            let looking = async {
                let manifest = client.manifest(&image).await?;
                let attachments = Attachments::of_registry(client, &image);
                let subject = Subject {
                    reference,
                    digest: &manifest.digest,
                    bytes: Some(manifest.text.as_bytes()),
                    attachments: Some(&attachments),
                };
                let examination = examine(&subject, purpose, &rule.keys(), Some(root.get()), now()).await;
                match examination.missed {
                    Some(error) => Err(error),
                    None => Ok((manifest.digest, examination)),
                }
            };
            block_on(looking)?.map_err(|error: RegistryError| {
                complain(&error, Some(error.hint()));
                Code::Failure
            })?
        }
    };
    let verified = examination.verified();
    let checked = match arguments.attestation {
        Some(_) => rule.check_statements(&verified),
        None => rule.check(&verified),
    };
    let (signers, refused) = match checked {
        Ok(signers) => (signers, None),
        Err(missing) => (Vec::new(), Some(missing.to_string())),
    };
    Ok(Report {
        reference: arguments.reference.clone(),
        digest,
        signers,
        refused,
        examination,
    })
}

fn examine_file(
    reference: &Reference,
    purpose: Purpose<'_>,
    rule: &SignatureRule,
    root: &RootOfTrust,
) -> Result<(ContentDigest, Examination), Code> {
    let artifact = wharf_distribution::fetch(reference).map_err(|error| {
        complain(&error, Some(&error.hint()));
        Code::Plugin
    })?;
    let digest = ContentDigest::Sha256(artifact.digest());
    let subject = Subject {
        reference,
        digest: &digest,
        bytes: Some(artifact.bytes()),
        attachments: None,
    };
    let keys = rule.keys();
    let examining = examine(&subject, purpose, &keys, Some(root.get()), now());
    let examination = block_on(examining)?;
    Ok((digest, examination))
}

/// By the section `trust` of the configuration: the plugin is fetched as it would be to run it.
fn by_policy(arguments: &VerifyArguments) -> Code {
    let supply = match Supply::by_flags_for(&arguments.supply, true) {
        Ok(supply) => supply,
        Err(code) => return code,
    };
    if !supply.has_policy() {
        say(
            "error: nobody says whose signatures are wanted\n\nhint: give --key, --issuer or --github, or a configuration with \
             `trust:` by --wharf-config",
        );
        return Code::CommandLine;
    }
    match supply.fetcher().fetch(&arguments.reference) {
        Err(error) => {
            complain(&error, Some(&error.hint()));
            Code::Plugin
        }
        Ok(fetched) => {
            let digest = fetched.resolved.to_string();
            let (_, known) = fetched.into_parts();
            let printed = if arguments.json {
                let told = json!({
                    "reference": arguments.reference.to_string(),
                    "digest": digest,
                    "verified": true,
                    "provenance": provenance::json(&known),
                });
                print(format_args!("{told:#}"))
            } else {
                let lines = provenance::lines(&known);
                print(format_args!("{}\n{}", arguments.reference, lines.trim_end()))
            };
            provenance::warn(&arguments.reference.to_string(), &known);
            printed.map_or(Code::Failure, |()| Code::Success)
        }
    }
}

impl Report {
    fn text(&self) -> String {
        let mut out = format!("{}\n  digest     {}\n", self.reference, self.digest);
        for (place, signature) in &self.examination.good {
            let counts = if self.counts(signature) { "good" } else { "other" };
            let _ = writeln!(out, "  {counts:<10} {}", told(place, signature));
        }
        for bad in &self.examination.bad {
            let _ = writeln!(out, "  bad        {}", shown(&bad.to_string()));
        }
        if self.examination.good.is_empty() && self.examination.bad.is_empty() {
            out.push_str("  there are no signatures\n");
        }
        out
    }

    fn counts(&self, signature: &VerifiedSignature) -> bool {
        self.signers
            .iter()
            .any(|signer| signer.is_same_as(&signature.signer))
    }

    fn json(&self) -> Value {
        let good = self.examination.good.iter().map(|(place, signature)| {
            json!({
                "place": place.to_string(),
                "signer": signature.signer.to_string(),
                "counts": self.counts(signature),
                "signedAt": signature.signed_at.map(|time| time.to_string()),
                "logIndex": signature.log.as_ref().map(|entry| entry.index),
                "annotations": signature.annotations,
                "predicateType": signature.statement.as_ref().map(|statement| &statement.predicate_type),
                "predicate": signature.statement.as_ref().map(|statement| &statement.predicate),
            })
        });
        let bad = self.examination.bad.iter().map(|bad| {
            json!({ "place": bad.place.to_string(), "reason": bad.why.to_string(), "hint": bad.why.hint() })
        });
        json!({
            "reference": self.reference.to_string(),
            "digest": self.digest.to_string(),
            "verified": self.refused.is_none(),
            "reason": self.refused,
            "signatures": good.collect::<Vec<_>>(),
            "refused": bad.collect::<Vec<_>>(),
        })
    }
}

fn told(place: &Place, signature: &VerifiedSignature) -> String {
    let mut text = shown(&signature.signer.to_string());
    if let Some(time) = signature.signed_at {
        let _ = write!(text, ", at {time}");
    }
    if let Some(entry) = &signature.log {
        let _ = write!(text, ", log entry {}", entry.index);
    }
    for (name, value) in &signature.annotations {
        let _ = write!(text, ", {}={}", shown(name), shown(value));
    }
    if let Some(statement) = &signature.statement {
        let _ = write!(text, ", states {}", shown(&statement.predicate_type));
    }
    let _ = write!(text, " ({place})");
    text
}
