//! Entries of a log of signatures, such as Rekor.
//!
//! An entry is believed where its log signed it in one of two ways: a promise over the entry and its time, or a
//! checkpoint, which is the root of a tree, with the hashes that lead from the entry to that root. What is there has to
//! hold, both if there are both. Only the promise says when.

mod body;
mod checkpoint;
mod inclusion;

use ring::digest::{SHA256, digest};

use crate::pem::encode_base64;
use crate::refusal::{LogFault, Refusal};
use crate::time::Timestamp;
use crate::trust_root::{LogKey, TrustRoot};

pub(crate) use body::Logged;

/// An entry as a bundle has it; nothing of it is believed.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) index: u64,
    /// The identifier of the log.
    pub(crate) log: Vec<u8>,
    /// When the log says it took the entry; 0 where it does not say.
    pub(crate) integrated: u64,
    /// What was logged, as JSON.
    pub(crate) body: Vec<u8>,
    pub(crate) promise: Option<Vec<u8>>,
    pub(crate) proof: Option<Proof>,
}

/// How an entry leads to a root that the log signed.
#[derive(Debug, Clone)]
pub(crate) struct Proof {
    pub(crate) index: u64,
    pub(crate) tree_size: u64,
    pub(crate) root: Vec<u8>,
    pub(crate) hashes: Vec<Vec<u8>>,
    pub(crate) checkpoint: String,
}

/// The most entries of one signature.
pub(crate) const MOST_ENTRIES: usize = 4;
/// A tree of 2^64 entries has no longer proof.
pub(crate) const MOST_HASHES: usize = 64;
/// How far the clocks of a log or a timestamp authority and of this machine may be apart.
const CLOCK_TOLERANCE: u64 = 300;

/// An entry that a log of the root of trust signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Its place in the log.
    pub index: u64,
    /// The identifier of the log, in hexadecimal digits.
    pub log: String,
    /// When the log took it. None where the log does not sign that, as newer ones do not.
    pub integrated_time: Option<Timestamp>,
}

impl Entry {
    /// Whether a log that is believed has it, and when it took it.
    pub(crate) fn check(&self, root: &TrustRoot, now: Timestamp) -> Result<LogEntry, Refusal> {
        let log = root
            .log(&self.log)
            .ok_or_else(|| Refusal::UnknownLog { log: self.log_name() })?;
        if self.promise.is_none() && self.proof.is_none() {
            return Err(LogFault::NoProof.into());
        }
        let mut integrated_time = None;
        if let Some(promise) = &self.promise {
            if !log.key.verifies(self.promised().as_bytes(), promise) {
                return Err(LogFault::BadPromise.into());
            }
            let made = Timestamp::from_unix_seconds(self.integrated);
            check_time(made, now)?;
            if !log.valid.contains(made) {
                return Err(Refusal::LogNotInUse { made });
            }
            integrated_time = Some(made);
        }
        if let Some(proof) = &self.proof {
            self.check_proof(proof, log)?;
        }
        Ok(LogEntry {
            index: self.index,
            log: self.log_name(),
            integrated_time,
        })
    }

    fn check_proof(&self, proof: &Proof, log: &LogKey) -> Result<(), LogFault> {
        let leaf = inclusion::leaf(&self.body);
        let root = inclusion::root(leaf, proof.index, proof.tree_size, &proof.hashes);
        if root.as_ref().map(<[u8; 32]>::as_slice) != Some(proof.root.as_slice()) {
            return Err(LogFault::BadInclusion);
        }
        let checkpoint = checkpoint::check(&proof.checkpoint, log).ok_or(LogFault::BadCheckpoint)?;
        if checkpoint.tree_size != proof.tree_size || checkpoint.root != proof.root {
            return Err(LogFault::OtherTree);
        }
        Ok(())
    }

    /// What the log signs as its promise: JSON with the keys in order and no spaces.
    fn promised(&self) -> String {
        format!(
            r#"{{"body":"{}","integratedTime":{},"logID":"{}","logIndex":{}}}"#,
            encode_base64(&self.body),
            self.integrated,
            self.log_name(),
            self.index
        )
    }

    fn log_name(&self) -> String {
        self.log
            .iter()
            .take(64)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// Whether it is the entry of this signature.
    pub(crate) fn check_body(&self, logged: &Logged<'_>) -> Result<(), LogFault> {
        body::check(&self.body, logged)
    }
}

/// Whether something was not made later than now.
pub(crate) fn check_time(made: Timestamp, now: Timestamp) -> Result<(), Refusal> {
    if made > now.plus(CLOCK_TOLERANCE) {
        return Err(Refusal::FromTheFuture { made, now });
    }
    Ok(())
}

/// SHA-256 of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes)
        .as_ref()
        .try_into()
        .expect("SHA-256 has 32 bytes")
}
