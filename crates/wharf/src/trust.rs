//! The policy of trust by a configuration: its files of keys and its root of trust are read here.

use std::io;
use std::path::{Path, PathBuf};

use wharf_config::{
    LogConfig, SignaturesConfig, SignerConfig, SignerGroupConfig, SubjectConfig, TrustConfig, TrustDefault,
    TrustRule, WhoConfig,
};
use wharf_signature::{
    DefaultAction, IdentityPattern, KeyError, LogRule, MOST_TRUST_ROOT, Needs, PublicKey, Rule,
    SignatureRule, SignerGroup, SignerPattern, SubjectPattern, SubjectRegex, SubjectRegexError, TrustPolicy,
    TrustRoot, TrustRootError, WantedSigner,
};
use wharf_trust::{RootOfTrust, TrustVerifier};

use crate::files;

/// The most bytes of a file with a public key.
const MOST_KEY: u64 = 64 << 10;

/// Why a policy of trust cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrustError {
    /// A file that it names cannot be read.
    #[error("{what} {} cannot be read", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// A file that it names is no public key.
    #[error("the key {} of a rule of `trust` cannot be used", path.display())]
    Key { path: PathBuf, source: KeyError },
    /// A key that stands in a file of signatures cannot be used.
    #[error("a `pubKey` of a rule of `trust` cannot be used")]
    WrittenKey(#[source] KeyError),
    /// A regular expression that cannot be used.
    #[error("the `subjectRegex` {text:?} of a rule of `trust` cannot be used")]
    Regex { text: String, source: SubjectRegexError },
    /// The root of trust cannot be used.
    #[error("the root of trust {} cannot be used", path.display())]
    Root { path: PathBuf, source: TrustRootError },
}

impl TrustError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::File { .. } => "let the user who runs Wharf read it",
            Self::Key { .. } | Self::WrittenKey(_) => {
                "a key is PEM as `cosign generate-key-pair` or `cosign public-key` writes it: ECDSA on P-256 or P-384, \
                 Ed25519, or RSA of 2048 to 8192 bits"
            }
            Self::Regex { .. } => "write a regular expression that the whole subject matches",
            Self::Root { .. } => {
                "`cosign trusted-root create` writes such a file; without `root` the public instance is believed"
            }
        }
    }
}

/// The verifier that a configuration asks for.
///
/// # Errors
/// [`TrustError`], where a file that it names cannot be used.
pub(crate) fn verifier(config: &TrustConfig) -> Result<TrustVerifier, TrustError> {
    let root = root(config.root.as_deref())?;
    Ok(TrustVerifier::new(policy(config)?, root))
}

/// The root of trust in a file; without one, that of the public instance.
pub(crate) fn root(path: Option<&Path>) -> Result<RootOfTrust, TrustError> {
    let Some(path) = path else {
        return Ok(RootOfTrust::public());
    };
    let json = read("the root of trust", path, MOST_TRUST_ROOT as u64)?;
    let root = TrustRoot::from_json(&json).map_err(|source| TrustError::Root {
        path: path.to_owned(),
        source,
    })?;
    Ok(RootOfTrust::of(root))
}

fn policy(config: &TrustConfig) -> Result<TrustPolicy, TrustError> {
    Ok(TrustPolicy {
        default: match config.default {
            TrustDefault::Deny => DefaultAction::Deny,
            TrustDefault::Warn => DefaultAction::Warn,
            TrustDefault::Allow => DefaultAction::Allow,
        },
        rules: config.rules.iter().map(rule).collect::<Result<_, _>>()?,
    })
}

fn rule(config: &TrustRule) -> Result<Rule, TrustError> {
    Ok(Rule {
        references: config.references.clone(),
        needs: match &config.signatures {
            Some(signatures) => Needs::Signatures(signature_rule(signatures)?),
            None => Needs::Nothing,
        },
    })
}

fn signature_rule(config: &SignaturesConfig) -> Result<SignatureRule, TrustError> {
    Ok(SignatureRule {
        groups: config.groups.iter().map(group).collect::<Result<_, _>>()?,
        annotations: config.annotations.clone(),
        log: match config.log {
            LogConfig::Identities => LogRule::Identities,
            LogConfig::Always => LogRule::Always,
            LogConfig::Never => LogRule::Never,
        },
    })
}

fn group(config: &SignerGroupConfig) -> Result<SignerGroup, TrustError> {
    Ok(SignerGroup {
        require: config.require,
        signers: config.signers.iter().map(signer).collect::<Result<_, _>>()?,
    })
}

fn signer(config: &SignerConfig) -> Result<WantedSigner, TrustError> {
    let signer = match &config.who {
        WhoConfig::KeyFile(path) => SignerPattern::Key(key(path)?),
        WhoConfig::KeyPem(pem) => {
            SignerPattern::Key(PublicKey::from_pem(pem).map_err(TrustError::WrittenKey)?)
        }
        WhoConfig::Subject { issuer, subject } => SignerPattern::Identity(IdentityPattern::Subject {
            issuer: issuer.clone(),
            subject: match subject {
                SubjectConfig::Exact(text) => SubjectPattern::Exact(text.clone()),
                SubjectConfig::Prefix(text) => SubjectPattern::Prefix(text.clone()),
                SubjectConfig::Regex(text) => SubjectPattern::Regex(regex(text)?),
            },
        }),
        WhoConfig::Github { owner, repository } => SignerPattern::Identity(IdentityPattern::Github {
            owner: owner.clone(),
            repository: repository.clone(),
        }),
    };
    Ok(WantedSigner {
        signer,
        annotations: config.annotations.clone(),
    })
}

/// A regular expression for subjects.
pub(crate) fn regex(text: &str) -> Result<SubjectRegex, TrustError> {
    SubjectRegex::new(text).map_err(|source| TrustError::Regex {
        text: text.to_owned(),
        source,
    })
}

/// The public key in a file.
pub(crate) fn key(path: &Path) -> Result<PublicKey, TrustError> {
    let bytes = read("the key", path, MOST_KEY)?;
    PublicKey::from_pem(&String::from_utf8_lossy(&bytes)).map_err(|source| TrustError::Key {
        path: path.to_owned(),
        source,
    })
}

fn read(what: &'static str, path: &Path, most: u64) -> Result<Vec<u8>, TrustError> {
    files::read(path, most).map_err(|source| TrustError::File {
        what,
        path: path.to_owned(),
        source,
    })
}
