//! Why a signature does not count.

use crate::time::Timestamp;

/// Why one signature does not count. Its text says what is wrong; [`Refusal::hint`] says what to do, and
/// [`Refusal::fault`] who has to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// More bytes than a signature can have.
    #[error("it has {bytes} bytes, and a signature has at most {most}")]
    TooLarge {
        /// Its bytes.
        bytes: usize,
        /// The most that are read.
        most: usize,
    },
    /// More signatures than are looked at.
    #[error("there are {found} signatures, and only the first {most} were looked at")]
    TooMany {
        /// How many there are.
        found: usize,
        /// How many are looked at.
        most: usize,
    },
    /// Bytes that are not the JSON that they are to be.
    #[error("{what} cannot be read: {reason}")]
    BadJson {
        /// What was read.
        what: &'static str,
        /// What is wrong with it, with line and column.
        reason: String,
    },
    /// A part that is missing or damaged.
    #[error("{part} is missing or damaged")]
    Malformed {
        /// Which part.
        part: &'static str,
    },
    /// A bundle of a format that is not understood.
    #[error("it is of the format {media_type:?}, which is not understood")]
    UnknownFormat {
        /// What it calls itself.
        media_type: String,
    },
    /// It is good for something else.
    #[error("it is a signature of {signed}, and not of {wanted}")]
    OtherDigest {
        /// What was signed.
        signed: String,
        /// What was to be signed.
        wanted: String,
    },
    /// A statement that says something else.
    #[error("it is a statement {predicate_type:?} about the plugin, and not what is asked for")]
    OtherPredicate {
        /// What the statement is.
        predicate_type: String,
    },
    /// A signature, where a statement is asked for.
    #[error("it is a signature, and a statement is asked for")]
    NoStatement,
    /// It was made with another key.
    #[error("none of the {keys} keys of the rule made it")]
    WrongKey {
        /// How many keys the rule has.
        keys: usize,
    },
    /// What was signed was changed, or the signature was.
    #[error("the signature does not fit what it is said to sign")]
    BadSignature,
    /// It does not fit its Ed25519 key, which it would not either if it were one of Ed25519ph. Those are not understood, and
    /// which it is it does not say.
    #[error(
        "the signature does not fit its Ed25519 key: either something was changed, or it is one of Ed25519ph, which is not understood"
    )]
    NotEd25519,
    /// Nothing is known of certificates.
    #[error("it was made with a certificate, and there is no root of trust to check it with")]
    NoTrustRoot,
    /// The certificate is of an authority that is not in the root of trust.
    #[error("its certificate is of an authority that the root of trust does not have")]
    UnknownAuthority,
    /// The signature was made after the certificate's end.
    #[error(
        "its certificate had expired when it was made: it was made at {made}, and the certificate ended at {ended}"
    )]
    CertificateExpired {
        /// When the signature was made.
        made: Timestamp,
        /// When the certificate ended.
        ended: Timestamp,
    },
    /// The signature was made before the certificate's begin.
    #[error(
        "its certificate was not valid yet when it was made: it was made at {made}, and the certificate began at {began}"
    )]
    CertificateNotYetValid {
        /// When the signature was made.
        made: Timestamp,
        /// When the certificate began.
        began: Timestamp,
    },
    /// The certificate is damaged, or is for something else.
    #[error("its certificate cannot be used: {reason}")]
    BadCertificate {
        /// Why.
        reason: &'static str,
    },
    /// The certificate is in no log of certificates that the root of trust has.
    #[error("its certificate has no valid entry of a log of certificates: {reason}")]
    CertificateNotLogged {
        /// Why.
        reason: &'static str,
    },
    /// When it was made is said by nobody who is trusted.
    #[error(
        "nobody who is trusted says when it was made: it has neither an entry of a log with a signed time nor a timestamp"
    )]
    NoTrustedTime,
    /// It was made later than now.
    #[error("it was made at {made}, and now it is {now}")]
    FromTheFuture {
        /// When it was made.
        made: Timestamp,
        /// What the clock says.
        now: Timestamp,
    },
    /// The log of signatures is not in the root of trust.
    #[error("its entry is of a log that the root of trust does not have: {log}")]
    UnknownLog {
        /// The log's identifier, in hexadecimal digits.
        log: String,
    },
    /// The log was not in use when the entry was made.
    #[error("its entry is of {made}, when the log was not in use")]
    LogNotInUse {
        /// When the entry was made.
        made: Timestamp,
    },
    /// The entry of the log is no proof of anything.
    #[error("its entry of the log does not hold: {reason}")]
    BadLogEntry {
        /// What does not hold.
        reason: LogFault,
    },
    /// The timestamp is no proof of anything.
    #[error("its timestamp does not hold: {reason}")]
    BadTimestamp {
        /// Why.
        reason: &'static str,
    },
}

/// What is wrong with an entry of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum LogFault {
    /// Neither a promise nor a proof.
    #[error("it has neither a promise of the log nor a proof")]
    NoProof,
    /// The log did not sign the promise.
    #[error("the promise is not signed by the log")]
    BadPromise,
    /// The hashes do not lead from the entry to the root.
    #[error("the hashes of the proof do not lead to its root")]
    BadInclusion,
    /// The root is not one that the log signed.
    #[error("the checkpoint is not signed by the log")]
    BadCheckpoint,
    /// The checkpoint is that of another tree.
    #[error("the checkpoint is of another tree than the proof")]
    OtherTree,
    /// An entry of a kind that is not understood.
    #[error("it is of a kind that is not understood")]
    UnknownKind,
    /// The entry is not of this signature.
    #[error("it is the entry of another signature")]
    OtherSignature,
    /// The entry is not of this key or certificate.
    #[error("it is the entry of another key or certificate")]
    OtherKey,
    /// The entry is not of what was signed.
    #[error("it is the entry of something else that was signed")]
    OtherPayload,
}

/// Who has to do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Whoever signed, or the tool that they used.
    Signer,
    /// What was signed was changed since, or stands in the wrong place.
    Tampering,
    /// Whoever wrote the policy or chose the root of trust.
    Policy,
    /// This machine: its clock.
    Machine,
}

impl Refusal {
    /// Who has to do something.
    pub fn fault(&self) -> Fault {
        match self {
            Self::TooLarge { .. }
            | Self::TooMany { .. }
            | Self::BadJson { .. }
            | Self::Malformed { .. }
            | Self::OtherDigest { .. }
            | Self::BadSignature
            | Self::BadLogEntry { .. }
            | Self::BadTimestamp { .. }
            | Self::LogNotInUse { .. } => Fault::Tampering,
            Self::UnknownFormat { .. }
            | Self::OtherPredicate { .. }
            | Self::NoStatement
            | Self::NotEd25519
            | Self::CertificateExpired { .. }
            | Self::CertificateNotYetValid { .. }
            | Self::BadCertificate { .. }
            | Self::CertificateNotLogged { .. }
            | Self::NoTrustedTime => Fault::Signer,
            Self::WrongKey { .. } | Self::NoTrustRoot | Self::UnknownAuthority | Self::UnknownLog { .. } => {
                Fault::Policy
            }
            Self::FromTheFuture { .. } => Fault::Machine,
        }
    }

    /// What to do, as a sentence without its full stop.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } | Self::BadJson { .. } | Self::Malformed { .. } => {
                "sign again, and find out who put it beside the plugin"
            }
            Self::TooMany { .. } => "remove those that are not needed from the registry",
            Self::UnknownFormat { .. } => "sign with cosign 2 or 3, or with `wharf sign`",
            Self::OtherDigest { .. } => {
                "sign this digest; a signature of another plugin, or of an older version, says nothing about it"
            }
            Self::OtherPredicate { .. } => {
                "a statement is not a signature: sign with `cosign sign` or `wharf sign`"
            }
            Self::NoStatement => "state what is asked for with `cosign attest` or `wharf attest`",
            Self::WrongKey { .. } => {
                "sign with a key of the rule, or add the signer's public key to the rule in `trust`"
            }
            Self::NotEd25519 => {
                "cosign 3 signs with Ed25519ph: sign with an ECDSA key, with cosign 2, or with `wharf sign`"
            }
            Self::BadSignature => "do not use it: sign again, and find out who changed it",
            Self::NoTrustRoot | Self::UnknownAuthority | Self::UnknownLog { .. } => {
                "give the `trusted_root.json` of those who run the authority and the log as `root` in `trust`"
            }
            Self::CertificateExpired { .. } | Self::CertificateNotYetValid { .. } => {
                "sign again; a certificate is for the minutes after it was issued"
            }
            Self::BadCertificate { .. } | Self::CertificateNotLogged { .. } => {
                "sign again with a certificate of the authority in the root of trust"
            }
            Self::NoTrustedTime => "sign again with a log or a timestamp authority; or sign with a key",
            Self::FromTheFuture { .. } => "set the clock of this machine",
            Self::LogNotInUse { .. } | Self::BadLogEntry { .. } | Self::BadTimestamp { .. } => {
                "do not use it: sign again, and find out who changed it"
            }
        }
    }

    pub(crate) fn bad_json(what: &'static str, error: &serde_json::Error) -> Self {
        Self::BadJson {
            what,
            reason: error.to_string().chars().take(200).collect(),
        }
    }
}

impl From<LogFault> for Refusal {
    fn from(reason: LogFault) -> Self {
        Self::BadLogEntry { reason }
    }
}
