//! What stands beside a signature, and what it proves: that a log has it, and when it was made.

use crate::log::{Entry, LogEntry, Logged};
use crate::refusal::Refusal;
use crate::time::Timestamp;
use crate::timestamp_token;
use crate::trust_root::TrustRoot;

/// A signature of any layout, taken apart. Nothing in it is believed.
pub(crate) struct Parsed {
    pub(crate) signature: Vec<u8>,
    pub(crate) material: Material,
    pub(crate) entries: Vec<Entry>,
    pub(crate) timestamps: Vec<Vec<u8>>,
}

/// What a signature is said to be made with.
pub(crate) enum Material {
    /// A key that is not there: which one, may be hinted at.
    Key { hint: String },
    /// A certificate, and perhaps others between it and an authority.
    Certificate { leaf: Vec<u8>, others: Vec<Vec<u8>> },
}

/// What was proven.
pub(crate) struct Evidence<'p> {
    /// The entries that a log signed, with what they are as they came.
    entries: Vec<(&'p Entry, LogEntry)>,
    /// When the signature was there, as logs and authorities say.
    pub(crate) times: Vec<Timestamp>,
    /// Why something that was there proves nothing, though nothing is wrong with it.
    pub(crate) unknown: Option<Refusal>,
}

impl Parsed {
    /// What logs and authorities prove of this signature. What is signed by one that is not known is passed over; what is
    /// said to be of one that is known has to hold.
    pub(crate) fn evidence(&self, root: Option<&TrustRoot>, now: Timestamp) -> Result<Evidence<'_>, Refusal> {
        let mut evidence = Evidence {
            entries: Vec::new(),
            times: Vec::new(),
            unknown: None,
        };
        let Some(root) = root else { return Ok(evidence) };
        for entry in &self.entries {
            match entry.check(root, now) {
                Ok(checked) => {
                    evidence.times.extend(checked.integrated_time);
                    evidence.entries.push((entry, checked));
                }
                Err(refusal @ Refusal::UnknownLog { .. }) => evidence.unknown = Some(refusal),
                Err(refusal) => return Err(refusal),
            }
        }
        for timestamp in &self.timestamps {
            match timestamp_token::check(timestamp, &self.signature, root, now) {
                Ok(time) => evidence.times.push(time),
                Err(refusal) if timestamp_token::is_of_unknown_authority(&refusal) => {
                    evidence.unknown.get_or_insert(refusal);
                }
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(evidence)
    }
}

impl Evidence<'_> {
    /// The entry of the log, if there is one and all that there are belong to this signature.
    pub(crate) fn log_entry(self, logged: &Logged<'_>) -> Result<Option<LogEntry>, Refusal> {
        for (entry, _) in &self.entries {
            entry.check_body(logged)?;
        }
        Ok(self.entries.into_iter().next().map(|(_, checked)| checked))
    }
}
