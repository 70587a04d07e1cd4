//! From what a policy asks for to a rule that signatures are held against.

use http::Uri;
use wharf_abi_wapc::kubewarden::capability::{KeylessInfo, KeylessPrefixInfo};
use wharf_signature::{
    IdentityPattern, KeyError, LogRule, PublicKey, SignatureRule, SignerGroup, SignerPattern, SubjectPattern,
    WantedSigner,
};

use super::{Inquiry, Signers};

/// How many signers a policy may name.
const MOST_SIGNERS: usize = 64;
/// How much of a policy's text is shown to it.
const MOST_SHOWN: usize = 80;

/// Why what a policy asks for is no rule. The first three have the words of Kubewarden's server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::capabilities) enum SignerError {
    #[error("Must provide at least one pub key")]
    NoKey,
    #[error("Must provide keyless info")]
    NoIdentity,
    #[error("Must provide owner info")]
    NoOwner,
    #[error("{count} signers are named, and the most is {MOST_SIGNERS}")]
    TooMany { count: usize },
    #[error("the public key {number} of {count} cannot be used: {error}")]
    BadKey {
        number: usize,
        count: usize,
        error: KeyError,
    },
    #[error(
        "{prefix:?} is not how a URL begins: it needs a scheme and a host, such as `https://github.com/acme/`"
    )]
    BadPrefix { prefix: String },
}

impl Inquiry {
    /// Whose signatures are needed.
    pub(super) fn rule(&self) -> Result<SignatureRule, SignerError> {
        let wanted = match &self.signers {
            Signers::Keys(all) => {
                bounded(all, SignerError::NoKey)?;
                let keys = all.iter().enumerate();
                keys.map(|(place, pem)| key(pem, place + 1, all.len()))
                    .collect::<Result<Vec<_>, _>>()?
            }
            Signers::Identities(all) => {
                bounded(all, SignerError::NoIdentity)?;
                all.iter().map(identity).collect()
            }
            Signers::Prefixes(all) => {
                bounded(all, SignerError::NoIdentity)?;
                all.iter().map(prefix).collect::<Result<Vec<_>, _>>()?
            }
            Signers::Github { owner, .. } if owner.is_empty() => return Err(SignerError::NoOwner),
            Signers::Github { owner, repository } => {
                vec![SignerPattern::Identity(IdentityPattern::Github {
                    owner: owner.clone(),
                    repository: repository.clone(),
                })]
            }
        };
        // Each is a group of its own, so that each is held against all signatures: one may count for several.
        let group = |signer| SignerGroup {
            require: 1,
            signers: vec![WantedSigner {
                signer,
                annotations: self.annotations.clone().unwrap_or_default(),
            }],
        };
        Ok(SignatureRule {
            groups: wanted.into_iter().map(group).collect(),
            annotations: std::collections::BTreeMap::new(),
            log: LogRule::Identities,
        })
    }
}

fn bounded<T>(all: &[T], none: SignerError) -> Result<(), SignerError> {
    match all.len() {
        0 => Err(none),
        1..=MOST_SIGNERS => Ok(()),
        count => Err(SignerError::TooMany { count }),
    }
}

fn key(pem: &str, number: usize, count: usize) -> Result<SignerPattern, SignerError> {
    PublicKey::from_pem(pem)
        .map(SignerPattern::Key)
        .map_err(|error| SignerError::BadKey { number, count, error })
}

fn identity(wanted: &KeylessInfo) -> SignerPattern {
    SignerPattern::Identity(IdentityPattern::Subject {
        issuer: wanted.issuer.clone(),
        subject: SubjectPattern::Exact(wanted.subject.clone()),
    })
}

/// A prefix ends with `/`, so that the owner whose name begins with another's is not taken for that one; and it has a host,
/// since `https://` would be everybody.
fn prefix(wanted: &KeylessPrefixInfo) -> Result<SignerPattern, SignerError> {
    let text = &wanted.url_prefix;
    let url = text.parse::<Uri>().ok();
    let has_host =
        url.is_some_and(|url| url.scheme().is_some() && url.host().is_some_and(|host| !host.is_empty()));
    if !has_host {
        return Err(SignerError::BadPrefix {
            prefix: text.chars().take(MOST_SHOWN).collect(),
        });
    }
    let slash = if text.ends_with('/') { "" } else { "/" };
    Ok(SignerPattern::Identity(IdentityPattern::Subject {
        issuer: wanted.issuer.clone(),
        subject: SubjectPattern::Prefix(format!("{text}{slash}")),
    }))
}
