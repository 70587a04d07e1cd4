//! The policies that are served, and how they change under running reviews.

mod prepare;
mod refresh;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use serde_json::{Value, json};
use wharf_abi_wapc::kubewarden::Policy;
use wharf_abi_wapc::kubewarden::group::Group;
use wharf_config::kubewarden::{PolicyEntry, PolicyMode};
use wharf_loader::LoadedPlugin;

pub(crate) use self::prepare::{Preparer, in_full};
pub(crate) use self::refresh::Failing;
pub use self::refresh::Refreshed;

/// The policies of a server, by their ids. A review keeps the policy that it began with.
pub(crate) struct Policies {
    current: ArcSwap<BTreeMap<String, Arc<Served>>>,
}

/// What reviews of one id get.
pub(crate) struct Served {
    /// The last part of the path.
    pub(crate) id: Arc<str>,
    /// What it was made from; none where nothing could be made of what was written.
    entry: Option<PolicyEntry>,
    /// What decides.
    pub(crate) judge: Arc<Judge>,
    pub(crate) terms: Terms,
    /// Why a newer form of it is not served, where there is one.
    outdated: Option<String>,
}

/// What becomes of a verdict.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// Whether it counts.
    pub(crate) mode: PolicyMode,
    /// Whether the policy may change what it reviews.
    pub(crate) allowed_to_mutate: bool,
    /// What is said to whoever is rejected, in place of the policy's words.
    pub(crate) message: Option<String>,
    /// How long a review may take, from its arrival.
    pub(crate) timeout: Duration,
}

/// What decides about a review.
pub(crate) enum Judge {
    /// One policy.
    Policy(Box<Member>),
    /// Several, by the names that the group's expression has for them.
    Group {
        group: Group,
        members: BTreeMap<String, Member>,
    },
    /// Nobody: the policy is bad, for this reason.
    Bad(String),
}

/// A policy that can be asked.
pub(crate) struct Member {
    pub(crate) policy: Policy,
    /// Its module, where that is from and who signed it. It keeps the code for another load of the same bytes.
    loaded: LoadedPlugin,
    /// Its own time; a group's members share that of the group as well.
    pub(crate) timeout: Duration,
}

/// What came of a change of the policies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Those that are new or were changed.
    pub taken: Vec<String>,
    /// Those that are gone.
    pub removed: Vec<String>,
    /// Those of which nothing could be made, with the reasons. Where an older form of one runs, it goes on.
    pub bad: BTreeMap<String, String>,
}

impl Policies {
    pub(crate) fn new(served: BTreeMap<String, Arc<Served>>) -> Self {
        Self {
            current: ArcSwap::from_pointee(served),
        }
    }

    /// The policy that answers for an id.
    pub(crate) fn get(&self, id: &str) -> Option<Arc<Served>> {
        self.current.load().get(id).cloned()
    }

    /// All policies as they are now.
    pub(crate) fn all(&self) -> Arc<BTreeMap<String, Arc<Served>>> {
        self.current.load_full()
    }

    /// Those of which nothing can be made, with the reasons.
    pub(crate) fn bad(&self) -> BTreeMap<String, String> {
        let all = self.current.load();
        all.values().filter_map(|served| served.reason()).collect()
    }

    /// Serves these from now on. One that is bad leaves an older form of itself in place.
    pub(crate) fn replace(&self, mut next: BTreeMap<String, Arc<Served>>) -> Change {
        let before = self.current.load_full();
        let mut change = Change::default();
        for (id, served) in &mut next {
            let older = before.get(id);
            if let Judge::Bad(reason) = &*served.judge {
                let reason = reason.clone();
                if let Some(older) = older.filter(|older| !older.is_bad()) {
                    *served = Arc::new(Served::outdated(older, &reason));
                }
                change.bad.insert(id.clone(), reason);
            } else if older.is_none_or(|older| !Arc::ptr_eq(older, served)) {
                change.taken.push(id.clone());
            }
        }
        change.removed = before
            .keys()
            .filter(|id| !next.contains_key(*id))
            .cloned()
            .collect();
        self.current.store(Arc::new(next));
        change
    }
}

impl Served {
    /// An id of which nothing could be made.
    fn bad(id: String, reason: String, timeout: Duration) -> Self {
        Self {
            id: id.into(),
            entry: None,
            judge: Arc::new(Judge::Bad(reason)),
            terms: Terms {
                mode: PolicyMode::Protect,
                allowed_to_mutate: false,
                message: None,
                timeout,
            },
            outdated: None,
        }
    }

    /// An older form that goes on because the newer one is bad.
    fn outdated(older: &Self, reason: &str) -> Self {
        Self {
            id: Arc::clone(&older.id),
            // So that the same text as before is not taken for the one that is served, once it can be used again.
            entry: older.entry.clone(),
            judge: Arc::clone(&older.judge),
            terms: older.terms.clone(),
            outdated: Some(reason.to_owned()),
        }
    }

    /// The same, of which it was found out that it is the newest form.
    fn current(served: &Arc<Self>) -> Arc<Self> {
        if served.outdated.is_none() {
            return Arc::clone(served);
        }
        Arc::new(Self {
            id: Arc::clone(&served.id),
            entry: served.entry.clone(),
            judge: Arc::clone(&served.judge),
            terms: served.terms.clone(),
            outdated: None,
        })
    }

    /// Whether nothing can be made of it.
    pub(crate) fn is_bad(&self) -> bool {
        matches!(*self.judge, Judge::Bad(_))
    }

    /// Its id, and why nothing can be made of it.
    pub(crate) fn reason(&self) -> Option<(String, String)> {
        match &*self.judge {
            Judge::Bad(reason) => Some((self.id.to_string(), reason.clone())),
            _ => None,
        }
    }

    /// `ready`, `bad` or `outdated`, for metrics and the admin port.
    pub(crate) fn state(&self) -> &'static str {
        match (&*self.judge, &self.outdated) {
            (Judge::Bad(_), _) => "bad",
            (_, Some(_)) => "outdated",
            (_, None) => "ready",
        }
    }

    /// The modules that it runs, by the names that a group has for them; a policy's own has none.
    pub(crate) fn members(&self) -> Vec<(Option<&str>, &Member)> {
        match &*self.judge {
            Judge::Policy(member) => vec![(None, &**member)],
            Judge::Group { members, .. } => members
                .iter()
                .map(|(name, member)| (Some(name.as_str()), member))
                .collect(),
            Judge::Bad(_) => Vec::new(),
        }
    }

    /// Whether it runs, and nothing newer is known of it.
    fn is_current(&self) -> bool {
        !self.is_bad() && self.outdated.is_none()
    }

    /// For the admin port. `refresh` is why its newest version may not be known.
    pub(crate) fn describe(&self, refresh: &Value) -> Value {
        let module = |(name, member): (Option<&str>, &Member)| {
            let loaded = &member.loaded;
            json!({
                "member": name,
                "source": loaded.reference.to_string(),
                "digest": loaded.digest.to_string(),
                "provenance": loaded.provenance,
                "executionMode": member.policy.mode().as_str(),
                "mutating": member.policy.metadata().is_some_and(|metadata| metadata.mutating),
            })
        };
        let reason = match &*self.judge {
            Judge::Bad(reason) => Some(reason),
            _ => self.outdated.as_ref(),
        };
        json!({
            "id": &*self.id,
            "state": self.state(),
            "reason": reason,
            "refresh": refresh,
            "mode": self.terms.mode.to_string(),
            "allowedToMutate": self.terms.allowed_to_mutate,
            "timeoutSeconds": self.terms.timeout.as_secs_f64(),
            "definedIn": self.entry.as_ref().map(|entry| entry.source.to_string()),
            "modules": self.members().into_iter().map(module).collect::<Vec<_>>(),
        })
    }
}
