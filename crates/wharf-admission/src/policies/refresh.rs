//! Whether there is another version of the modules that run, behind tags that may have moved.
//!
//! The registries are asked for what may have become something else: modules that are named by a tag, and policies of
//! registries and servers that are not served as they are written. Whatever comes of that, reviews go on: a policy is replaced
//! only by one that was compiled and likes its settings, and the same bytes are neither compiled nor asked again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};
use wharf_config::kubewarden::{PolicyEntry, PolicySet};
use wharf_distribution::Origin;
use wharf_loader::LoadedPlugin;
use wharf_plugin::{Digest, ImageReference, Reference};

use super::prepare::{ById, Made, Preparer};
use super::{Policies, Served};

/// What came of asking for other versions of the policies' modules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refreshed {
    /// Those that run another version from now on, or run at last.
    pub changed: Vec<String>,
    /// Those that run the newest version.
    pub unchanged: Vec<String>,
    /// Those of which that is not known, or whose newer version cannot run; with the reasons. What ran before goes on.
    pub failed: BTreeMap<String, String>,
}

/// The policies of which it could not be found out whether there is another version.
#[derive(Debug, Default)]
pub(crate) struct Failing(Mutex<BTreeMap<String, Failure>>);

/// Why it could not be found out.
#[derive(Debug, Clone)]
struct Failure {
    error: String,
    /// Of the first time in a row.
    since: Timestamp,
}

impl Policies {
    /// Asks for other versions of what is served of `set`, and serves them.
    pub(crate) fn refresh(&self, set: &PolicySet, preparer: &Preparer, failing: &Failing) -> Refreshed {
        let before = self.all();
        let due: Vec<&PolicyEntry> = set
            .entries
            .iter()
            .filter(|entry| is_due(entry, before.get(&entry.id)))
            .collect();
        let mut refreshed = Refreshed::default();
        let mut next = ById::clone(&before);
        for (entry, made) in preparer.again(&due, &before) {
            let id = &entry.id;
            let older = before.get(id);
            match made {
                Ok(Made { served, stale }) => {
                    let is_other = older.is_none_or(|older| digests(older) != digests(&served));
                    if is_other {
                        note_change(older, &served);
                    }
                    next.insert(id.clone(), served);
                    match stale {
                        Some(error) => {
                            failing.add(id, &error);
                            refreshed.failed.insert(id.clone(), error);
                        }
                        None if is_other => {
                            failing.remove(id);
                            refreshed.changed.push(id.clone());
                        }
                        None => {
                            failing.remove(id);
                            refreshed.unchanged.push(id.clone());
                        }
                    }
                }
                Err(reason) => {
                    failing.add(id, &reason);
                    // What is served as it is written is not out of date for that.
                    if older.is_none_or(|older| !older.is_current()) {
                        next.insert(id.clone(), preparer.bad(entry, reason.clone()));
                    }
                    refreshed.failed.insert(id.clone(), reason);
                }
            }
        }
        self.replace(next);
        refreshed
    }
}

/// Whether there may be something else than what is served.
fn is_due(entry: &PolicyEntry, served: Option<&Arc<Served>>) -> bool {
    let modules = entry.modules();
    let is_as_written =
        served.is_some_and(|served| served.is_current() && served.entry.as_ref() == Some(entry));
    if is_as_written {
        modules.iter().any(|module| is_tag(&module.reference))
    } else {
        // Files are looked at by who watches them.
        let is_remote = |reference: &Reference| !matches!(reference, Reference::File(_));
        modules.iter().any(|module| is_remote(&module.reference))
    }
}

fn is_tag(reference: &Reference) -> bool {
    match reference {
        Reference::Oci(image) => image
            .parse::<ImageReference>()
            .is_ok_and(|image| image.digest().is_none()),
        Reference::File(_) | Reference::Https(_) => false,
    }
}

fn digests(served: &Served) -> Vec<Digest> {
    let members = served.members().into_iter();
    members.map(|(_, member)| member.loaded.digest).collect()
}

fn told(digests: &[Digest]) -> String {
    let each: Vec<String> = digests.iter().map(ToString::to_string).collect();
    each.join(", ")
}

fn note_change(older: Option<&Arc<Served>>, served: &Served) {
    let before = older.map(|older| told(&digests(older))).unwrap_or_default();
    let now = told(&digests(served));
    tracing::info!(
        policy = &*served.id,
        before,
        now,
        "Another version of a policy runs from now on."
    );
    for (_, member) in served.members() {
        member.loaded.note();
    }
}

/// Why what was loaded may not be the newest: the registry could not be asked, and the store had something.
pub(super) fn stale(loaded: &[LoadedPlugin]) -> Option<String> {
    loaded
        .iter()
        .find_map(|plugin| match &plugin.provenance.as_ref()?.origin {
            Origin::StoreInstead(error) => Some(format!("{error}; {}", error.hint())),
            Origin::File | Origin::Network | Origin::Store => None,
        })
}

impl Failing {
    /// It could not be found out. The log hears of the first time.
    fn add(&self, id: &str, error: &str) {
        let mut all = self.lock();
        if let Some(known) = all.get_mut(id) {
            error.clone_into(&mut known.error);
            return;
        }
        all.insert(id.to_owned(), Failure::now(error.to_owned()));
        drop(all);
        tracing::warn!(
            policy = id,
            error,
            "It cannot be found out whether there is another version of a policy, or the other version cannot run; what runs goes on."
        );
    }

    /// It could be found out again.
    fn remove(&self, id: &str) {
        if self.lock().remove(id).is_some() {
            tracing::info!(policy = id, "A policy runs in its newest version again.");
        }
    }

    /// These are all, now that everything was loaded anew. The log has heard of them.
    pub(crate) fn replace(&self, stale: BTreeMap<String, String>) {
        let mut all = self.lock();
        let mut before = std::mem::take(&mut *all);
        for (id, error) in stale {
            let failure = match before.remove(&id) {
                Some(known) => Failure { error, ..known },
                None => Failure::now(error),
            };
            all.insert(id, failure);
        }
    }

    /// The policies, with the reasons.
    pub(crate) fn reasons(&self) -> BTreeMap<String, String> {
        let all = self.lock();
        let reasons = all.iter();
        reasons
            .map(|(id, failure)| (id.clone(), failure.error.clone()))
            .collect()
    }

    /// For the admin port: null, or why and since when.
    pub(crate) fn describe(&self, id: &str) -> Value {
        match self.lock().get(id) {
            Some(Failure { error, since }) => json!({ "error": error, "since": since.to_string() }),
            None => Value::Null,
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Failure>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failure {
    fn now(error: String) -> Self {
        let now = Timestamp::now();
        // Parts of a second tell nobody anything.
        let since = Timestamp::from_second(now.as_second()).unwrap_or(now);
        Self { error, since }
    }
}
