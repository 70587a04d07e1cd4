//! The deployer's policy, as the distribution crate asks for it.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, UNIX_EPOCH};

use wharf_distribution::{CheckedSignature, Refused, Subject, Verified, Verifier, Verifying};
use wharf_plugin::{Reference, Verification};
use wharf_signature::{Denial, Grounds, Purpose, Signer, TrustPolicy, TrustRoot, Verdict, decide};

use crate::examine::{Examination, examine};
use crate::now;

/// The most signatures that a refusal tells of one by one.
const MOST_TOLD: usize = 5;

/// Which authorities and logs are believed.
#[derive(Debug, Clone, Default)]
pub struct RootOfTrust(Arc<OnceLock<TrustRoot>>);

impl RootOfTrust {
    /// Those of somebody's file.
    pub fn of(root: TrustRoot) -> Self {
        Self(Arc::new(OnceLock::from(root)))
    }

    /// Those of the public instance of Sigstore; read when it is asked for first.
    pub fn public() -> Self {
        Self::default()
    }

    /// The root.
    pub fn get(&self) -> &TrustRoot {
        self.0.get_or_init(TrustRoot::public)
    }
}

/// Asks the deployer's policy: looks for signatures where the policy wants some, and for none where it does not.
#[derive(Debug, Clone)]
pub struct TrustVerifier {
    policy: TrustPolicy,
    root: RootOfTrust,
}

impl TrustVerifier {
    /// One for a policy, which believes a root of trust.
    pub fn new(policy: TrustPolicy, root: RootOfTrust) -> Self {
        Self { policy, root }
    }

    /// Which authorities and logs are believed.
    pub fn root(&self) -> &RootOfTrust {
        &self.root
    }

    /// The policy.
    pub fn policy(&self) -> &TrustPolicy {
        &self.policy
    }

    async fn ask(&self, subject: Subject<'_>) -> Result<Verified, Refused> {
        let applicable = self.policy.rule_for(subject.reference);
        let examination = if applicable.needs_signatures() {
            let keys = applicable.keys();
            examine(&subject, Purpose::Signature, &keys, Some(self.root.get()), now()).await
        } else {
            Examination::default()
        };
        match decide(&applicable, &examination.verified()) {
            Verdict::Allowed(Grounds::Signed(signers)) => Ok(Verified {
                verification: Verification::Signed,
                signatures: signers.iter().map(|signer| examination.checked(signer)).collect(),
                warnings: Vec::new(),
            }),
            Verdict::Allowed(Grounds::UnsignedAllowed | Grounds::NoRule) => Ok(unsigned(Vec::new())),
            Verdict::Warned(denial) => Ok(unsigned(vec![format!(
                "nobody vouches for {}: {denial}, and `trust.default` is `warn`",
                subject.reference
            )])),
            // What the registry did not say could have been enough.
            Verdict::Denied(denial) => Err(match examination.missed {
                Some(error) => Refused::Unavailable(error),
                None => refused(&denial, &examination, &subject),
            }),
        }
    }
}

impl Verifier for TrustVerifier {
    fn verify<'a>(&'a self, subject: Subject<'a>) -> Verifying<'a> {
        Box::pin(self.ask(subject))
    }
}

fn unsigned(warnings: Vec<String>) -> Verified {
    Verified {
        verification: Verification::AllowedUnsigned,
        signatures: Vec::new(),
        warnings,
    }
}

fn refused(denial: &Denial, examination: &Examination, subject: &Subject<'_>) -> Refused {
    let mut reason = denial.to_string();
    let is_unsigned = matches!(denial, Denial::NotEnough(_)) && examination.good.is_empty();
    if is_unsigned && examination.bad.is_empty() {
        reason.push_str("; it has no signature");
    }
    for bad in examination.bad.iter().take(MOST_TOLD) {
        let _ = write!(reason, "; a signature does not count ({bad})");
    }
    let more = examination.bad.len().saturating_sub(MOST_TOLD);
    if more > 0 {
        let _ = write!(reason, "; {more} more do not count");
    }
    let hint = match (examination.bad.first(), subject.reference) {
        (Some(bad), _) if is_unsigned => bad.why.hint().to_owned(),
        (None, Reference::Https(_)) if is_unsigned => {
            "signatures are looked for beside images and files, not beside URLs: push it to a registry, or let this URL \
             run with a rule that says `allow: unsigned`; its digest is checked all the same"
                .to_owned()
        }
        (None, Reference::File(path)) if is_unsigned => format!(
            "sign it with `wharf sign`, which writes {}, or with `cosign sign-blob --bundle` to that file",
            crate::bundle_beside(path).display()
        ),
        (None, _) if is_unsigned => {
            "sign this digest with `wharf sign` or `cosign sign`, as one of those whom the rule names".to_owned()
        }
        _ => denial.hint().to_owned(),
    };
    Refused::Policy {
        reason: reason.into(),
        hint: hint.into(),
    }
}

impl Examination {
    /// What is known of a signer's signature. Where there are several, the one that is logged tells most.
    fn checked(&self, signer: &Signer) -> CheckedSignature {
        let own = self.good.iter().map(|(_, signature)| signature);
        let mut own = own.filter(|signature| signature.signer.is_same_as(signer));
        let first = own.next();
        let told = own
            .find(|signature| signature.log.is_some() && first.is_some_and(|first| first.log.is_none()))
            .or(first);
        let (name, issuer) = match signer {
            Signer::Key(fingerprint) => (format!("key {fingerprint}"), None),
            Signer::Identity(identity) => (identity.subject.clone(), Some(identity.issuer.clone())),
        };
        CheckedSignature {
            signer: name,
            issuer,
            log_index: told.and_then(|told| told.log.as_ref()).map(|entry| entry.index),
            time: told
                .and_then(|told| told.signed_at)
                .map(|time| UNIX_EPOCH + Duration::from_secs(time.unix_seconds())),
        }
    }
}
