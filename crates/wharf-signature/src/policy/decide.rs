//! Whether the signatures that there are are enough.

use std::collections::BTreeMap;
use std::fmt;

use wharf_plugin::UnclearReference;

use crate::verifier::{Signer, VerifiedSignature};

use super::{
    Applicable, DefaultAction, LogRule, Needs, SignatureRule, SignerGroup, SignerPattern, WantedSigner,
};

/// Whether a plugin may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Allowed(Grounds),
    /// It may, and somebody should know that nobody vouches for it.
    Warned(Denial),
    /// It may not.
    Denied(Denial),
}

/// Why a plugin may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grounds {
    /// These signers agree, whom the rule names. Each stands here once.
    Signed(Vec<Signer>),
    /// The rule lets it run unsigned.
    UnsignedAllowed,
    /// There is no rule for it, and what has none may run.
    NoRule,
}

/// Why a plugin may not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denial {
    /// No rule is for it.
    #[error("no rule of `trust` is for it")]
    NoRule,
    /// It cannot be said which rule is for it.
    #[error(transparent)]
    Unclear(UnclearReference),
    /// Too few of those that the rule names signed.
    #[error(transparent)]
    NotEnough(Missing),
}

/// Who is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// How many have to agree.
    pub required: usize,
    /// How many do.
    pub agreed: usize,
    /// Who could agree and does not, at most ten of them.
    pub missing: Vec<String>,
    /// Who signed in vain, and why it is in vain; at most ten of them.
    pub others: Vec<(Signer, InVain)>,
}

/// Why a good signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InVain {
    /// The rule does not name its signer.
    NotNamed,
    /// It does not say what the rule asks for.
    Annotations,
    /// It is in no log.
    NotLogged,
    /// It is a statement and no signature.
    Statement,
}

impl fmt::Display for InVain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotNamed => "whom the rule does not name",
            Self::Annotations => "whose signature lacks annotations that the rule asks for",
            Self::NotLogged => "whose signature is in no log",
            Self::Statement => "who made a statement, which is no signature",
        })
    }
}

const MOST_SHOWN: usize = 10;

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of those who have to vouch for it did, and {} must: {} did not",
            self.agreed,
            self.required,
            self.missing.join(", ")
        )?;
        for (signer, why) in &self.others {
            write!(f, "; it is signed by {signer}, {why}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Missing {}

impl Denial {
    /// What to do, as a sentence without its full stop.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoRule => "add a rule with a pattern for it under `trust.rules`, or set `trust.default`",
            Self::Unclear(_) => "write the reference without `..`, escapes and credentials",
            Self::NotEnough(_) => "have it signed by those whom the rule names, or change the rule",
        }
    }
}

/// Whether a plugin may run with these signatures, all of which are good. What is refused was refused before.
pub fn decide(applicable: &Applicable<'_>, signatures: &[VerifiedSignature]) -> Verdict {
    match applicable {
        Applicable::Unclear(unclear) => Verdict::Denied(Denial::Unclear(unclear.clone())),
        Applicable::Default(DefaultAction::Deny) => Verdict::Denied(Denial::NoRule),
        Applicable::Default(DefaultAction::Warn) => Verdict::Warned(Denial::NoRule),
        Applicable::Default(DefaultAction::Allow) => Verdict::Allowed(Grounds::NoRule),
        Applicable::Rule(rule) => match &rule.needs {
            Needs::Nothing => Verdict::Allowed(Grounds::UnsignedAllowed),
            Needs::Signatures(rule) => match rule.check(signatures) {
                Ok(signers) => Verdict::Allowed(Grounds::Signed(signers)),
                Err(missing) => Verdict::Denied(Denial::NotEnough(missing)),
            },
        },
    }
}

impl SignatureRule {
    /// Who of those that are named signed.
    ///
    /// # Errors
    /// Too few did, in one of the groups.
    pub fn check(&self, signatures: &[VerifiedSignature]) -> Result<Vec<Signer>, Missing> {
        if self.groups.is_empty() {
            return Err(self.missing(1, 0, &[], signatures));
        }
        let mut signers: Vec<Signer> = Vec::new();
        for group in &self.groups {
            let agreed = self.agreed(group, signatures);
            let count = agreed.iter().flatten().count();
            let required = group.require.max(1);
            if count < required {
                let absent: Vec<&WantedSigner> = group
                    .signers
                    .iter()
                    .zip(&agreed)
                    .filter(|(_, agreed)| agreed.is_none())
                    .map(|(wanted, _)| wanted)
                    .collect();
                return Err(self.missing(required, count, &absent, signatures));
            }
            for signer in agreed.into_iter().flatten() {
                if !signers.iter().any(|known| known.is_same_as(signer)) {
                    signers.push(signer.clone());
                }
            }
        }
        Ok(signers)
    }

    /// The same for statements, as attestations are: who of those that are named made one. Signatures that are none do not
    /// count.
    ///
    /// # Errors
    /// Too few did, in one of the groups.
    pub fn check_statements(&self, signatures: &[VerifiedSignature]) -> Result<Vec<Signer>, Missing> {
        let statements: Vec<VerifiedSignature> = signatures
            .iter()
            .filter(|signature| signature.statement.is_some())
            .map(|signature| VerifiedSignature {
                statement: None,
                ..signature.clone()
            })
            .collect();
        self.check(&statements)
    }

    /// For each of a group's patterns a signer who counts for it, no signer for two of them, and as many as can be.
    fn agreed<'s>(
        &self,
        group: &SignerGroup,
        signatures: &'s [VerifiedSignature],
    ) -> Vec<Option<&'s Signer>> {
        let mut distinct: Vec<&Signer> = Vec::new();
        for signature in signatures {
            if !distinct.iter().any(|known| known.is_same_as(&signature.signer)) {
                distinct.push(&signature.signer);
            }
        }
        // Which of the distinct signers could stand for each pattern.
        let candidates: Vec<Vec<usize>> = group
            .signers
            .iter()
            .map(|wanted| {
                let counts = |signer: &&Signer| {
                    let mut own = signatures.iter().filter(|other| other.signer.is_same_as(signer));
                    own.any(|signature| self.why_in_vain(wanted, signature).is_none())
                };
                let places = distinct.iter().enumerate().filter(|(_, signer)| counts(signer));
                places.map(|(place, _)| place).collect()
            })
            .collect();
        let mut taken: Vec<Option<usize>> = vec![None; distinct.len()];
        for pattern in 0..candidates.len() {
            let mut tried = vec![false; distinct.len()];
            assign(pattern, &candidates, &mut taken, &mut tried);
        }
        let signer_of = |pattern: usize| {
            let place = taken.iter().position(|owner| *owner == Some(pattern))?;
            distinct.get(place).copied()
        };
        (0..candidates.len()).map(signer_of).collect()
    }

    /// Why a good signature does not count for a pattern. None where it does.
    fn why_in_vain(&self, wanted: &WantedSigner, signature: &VerifiedSignature) -> Option<InVain> {
        let named = match (&wanted.signer, &signature.signer) {
            (SignerPattern::Key(key), Signer::Key(fingerprint)) => key.fingerprint() == *fingerprint,
            (SignerPattern::Identity(pattern), Signer::Identity(identity)) => pattern.matches(identity),
            _ => false,
        };
        let has_all = |asked: &BTreeMap<String, String>| {
            asked
                .iter()
                .all(|(key, value)| signature.annotations.get(key) == Some(value))
        };
        let logged = match self.log {
            LogRule::Never => true,
            LogRule::Always => signature.log.is_some(),
            LogRule::Identities => signature.log.is_some() || matches!(signature.signer, Signer::Key(_)),
        };
        match signature {
            _ if !named => Some(InVain::NotNamed),
            VerifiedSignature {
                statement: Some(_), ..
            } => Some(InVain::Statement),
            _ if !has_all(&self.annotations) || !has_all(&wanted.annotations) => Some(InVain::Annotations),
            _ if !logged => Some(InVain::NotLogged),
            _ => None,
        }
    }

    fn missing(
        &self,
        required: usize,
        agreed: usize,
        absent: &[&WantedSigner],
        signatures: &[VerifiedSignature],
    ) -> Missing {
        let in_vain = |signature: &VerifiedSignature| {
            // What comes nearest to counting is what is told.
            let reasons = self
                .groups
                .iter()
                .flat_map(|group| &group.signers)
                .map(|wanted| self.why_in_vain(wanted, signature));
            let mut nearest = InVain::NotNamed;
            for reason in reasons {
                match reason {
                    None => return None,
                    Some(InVain::NotNamed) => {}
                    Some(other) => nearest = other,
                }
            }
            Some((signature.signer.clone(), nearest))
        };
        Missing {
            required,
            agreed,
            missing: absent
                .iter()
                .take(MOST_SHOWN)
                .map(|wanted| wanted.signer.to_string())
                .collect(),
            others: signatures.iter().filter_map(in_vain).take(MOST_SHOWN).collect(),
        }
    }
}

/// Finds a signer for a pattern; who has one already may take another, so that there is one for both. Each signer is
/// tried once, so its depth is bounded by how many there are, which is at most a hundred.
fn assign(
    pattern: usize,
    candidates: &[Vec<usize>],
    taken: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    for &place in candidates.get(pattern).into_iter().flatten() {
        let Some(tried_here) = tried.get_mut(place) else {
            continue;
        };
        if std::mem::replace(tried_here, true) {
            continue;
        }
        let owner = taken.get(place).copied().flatten();
        if owner.is_none_or(|owner| assign(owner, candidates, taken, tried)) {
            if let Some(slot) = taken.get_mut(place) {
                *slot = Some(pattern);
            }
            return true;
        }
    }
    false
}
