//! Which signatures a plugin needs.
//!
//! The first rule that has a pattern for a reference is its rule; where none has, the policy's default counts. A rule
//! lets plugins run unsigned, or names groups of signers: of each group so many have to agree.

mod decide;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use wharf_plugin::{PlainReference, Reference, ReferencePattern, UnclearReference};

use crate::identity::IdentityPattern;
use crate::key::PublicKey;

pub use decide::{Denial, Grounds, InVain, Missing, Verdict, decide};

/// What may run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustPolicy {
    /// What becomes of plugins for which there is no rule.
    pub default: DefaultAction,
    /// The rules. The first that matches counts.
    pub rules: Vec<Rule>,
}

/// What becomes of plugins for which there is no rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DefaultAction {
    /// They do not run.
    Deny,
    /// They run, and it is said that nothing was checked.
    Warn,
    /// They run. The default.
    #[default]
    Allow,
}

/// What plugins of some references need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Which references it is for.
    pub references: Vec<ReferencePattern>,
    /// What they need.
    pub needs: Needs,
}

/// What a plugin needs so that it may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// Signatures.
    Signatures(SignatureRule),
}

/// Whose signatures are needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureRule {
    /// The groups, each of which has to agree. With none nothing is ever enough.
    pub groups: Vec<SignerGroup>,
    /// What each signature has to say beside the digest; it may say more.
    pub annotations: BTreeMap<String, String>,
    /// Which signatures have to be in a log.
    pub log: LogRule,
}

/// Some signers, of whom so many have to agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignerGroup {
    /// How many of the signers have to agree, at least 1. Each counts once, however often they signed; and who is meant by
    /// several of the patterns counts for one of them.
    pub require: usize,
    /// The signers.
    pub signers: Vec<WantedSigner>,
}

/// A signer whose signature counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedSigner {
    /// Who it is.
    pub signer: SignerPattern,
    /// What this signer's signature has to say beside the digest, and beside what the rule asks for.
    pub annotations: BTreeMap<String, String>,
}

/// Who a signer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignerPattern {
    /// Whoever has this key.
    Key(PublicKey),
    /// Whom an authority knows.
    Identity(IdentityPattern),
}

/// Which signatures have to be in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LogRule {
    /// Those of identities, where the log is what lets them find out that somebody signed in their name. The default.
    #[default]
    Identities,
    /// All.
    Always,
    /// None. Identities then need a timestamp.
    Never,
}

/// What a policy has for a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applicable<'p> {
    /// A rule.
    Rule(&'p Rule),
    /// No rule, so the default.
    Default(DefaultAction),
    /// Nothing can be said, so it does not run.
    Unclear(UnclearReference),
}

impl TrustPolicy {
    /// What there is for a reference.
    pub fn rule_for(&self, reference: &Reference) -> Applicable<'_> {
        // Where nothing is to be told apart, nothing has to be clear.
        if self.rules.is_empty() {
            return Applicable::Default(self.default);
        }
        let plain = match PlainReference::of(reference) {
            Ok(plain) => plain,
            Err(unclear) => return Applicable::Unclear(unclear),
        };
        let matching = |rule: &&Rule| rule.references.iter().any(|pattern| pattern.matches(&plain));
        match self.rules.iter().find(matching) {
            Some(rule) => Applicable::Rule(rule),
            None => Applicable::Default(self.default),
        }
    }
}

impl Applicable<'_> {
    /// Whether signatures have to be fetched and checked.
    pub fn needs_signatures(&self) -> bool {
        matches!(
            self,
            Self::Rule(Rule {
                needs: Needs::Signatures(_),
                ..
            })
        )
    }

    /// The keys that a signature may be made with.
    pub fn keys(&self) -> Vec<PublicKey> {
        match self {
            Self::Rule(Rule {
                needs: Needs::Signatures(rule),
                ..
            }) => rule.keys(),
            _ => Vec::new(),
        }
    }
}

impl SignatureRule {
    /// The keys that a signature may be made with.
    pub fn keys(&self) -> Vec<PublicKey> {
        let signers = self.groups.iter().flat_map(|group| &group.signers);
        let keys = signers.filter_map(|wanted| match &wanted.signer {
            SignerPattern::Key(key) => Some(key.clone()),
            SignerPattern::Identity(_) => None,
        });
        keys.collect()
    }
}

impl fmt::Display for SignerPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "key {}", key.fingerprint()),
            Self::Identity(pattern) => pattern.fmt(f),
        }
    }
}
