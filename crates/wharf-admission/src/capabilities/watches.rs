//! The watches of all policies: which there are, who shares one, and which have to go.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use wharf_telemetry::Metrics;

use super::discovery::Resource;
use super::lists::ListQuery;
use super::objects::{Cut, Mask};
use super::watch::{End, Means, Phase, Snapshot, Watch, WatchId};

/// How often one watch may be started anew because further fields are asked for. After that it has whole objects, so that
/// no policy can have it listed again and again by asking for other fields each time.
const MOST_WIDENINGS: u32 = 8;
/// How often watches are looked at that nobody asks for.
const SWEEP: Duration = Duration::from_secs(5);

/// The watches of a server.
pub(super) struct Watches {
    means: Arc<Means>,
    runtime: Handle,
    metrics: Arc<Metrics>,
    entries: Mutex<HashMap<WatchId, Entry>>,
    /// Itself, for the tasks of watches.
    this: Weak<Self>,
}

enum Entry {
    Watched(Watched),
    /// The list is fetched each time, until then.
    Fetched {
        until: Instant,
    },
}

struct Watched {
    serving: Arc<Watch>,
    /// Has more fields, and takes the place of the other when it is ready.
    wider: Option<Arc<Watch>>,
    /// When another wider one may be tried, where there was no room for this.
    again: Option<Instant>,
    widenings: u32,
    used: Instant,
}

/// Where a list is to be had.
pub(super) enum Source {
    Watch(Arc<Watch>),
    Fetch,
}

impl Watches {
    /// No watches yet.
    pub(super) fn new(means: Means, runtime: Handle, metrics: Arc<Metrics>) -> Arc<Self> {
        let watches = Arc::new_cyclic(|this| Self {
            means: Arc::new(means),
            runtime,
            metrics,
            entries: Mutex::default(),
            this: Weak::clone(this),
        });
        let swept = Arc::downgrade(&watches);
        let every = SWEEP
            .min(watches.means.limits.watch_idle / 2)
            .max(Duration::from_millis(10));
        watches.runtime.spawn(async move {
            loop {
                tokio::time::sleep(every).await;
                match swept.upgrade() {
                    Some(watches) => watches.sweep(),
                    None => return,
                }
            }
        });
        watches
    }

    /// A list that is there already. Nothing is started for it.
    pub(super) fn ready(&self, query: &ListQuery, mask: &Mask) -> Option<Snapshot> {
        let id = WatchId { query: query.clone() };
        let mut dropped = Vec::new();
        let mut entries = self.entries();
        let watch = match entries.get_mut(&id) {
            Some(Entry::Watched(watched)) => {
                watched.used = Instant::now();
                watched.promote(self.pause(), &mut dropped);
                watched.covering(mask).cloned()
            }
            _ => None,
        };
        drop(entries);
        drop(dropped);
        watch?.ready()
    }

    /// Where a list is to be had. A watch is started where there is none and there may be one.
    pub(super) fn source(&self, query: &ListQuery, resource: &Resource, mask: &Mask) -> Source {
        let id = WatchId { query: query.clone() };
        let mut dropped = Vec::new();
        let mut entries = self.entries();
        let found = match entries.get_mut(&id) {
            Some(Entry::Watched(watched)) => watched.find(mask, self.pause(), &mut dropped),
            Some(Entry::Fetched { until }) if *until > Instant::now() => Find::Fetch,
            Some(Entry::Fetched { .. }) => Find::Start(mask.clone(), 0),
            None => Find::Start(mask.clone(), 0),
        };
        let source = match found {
            Find::Watch(watch) => Source::Watch(watch),
            Find::Fetch => Source::Fetch,
            Find::FetchUntil(until) => {
                entries.insert(id, Entry::Fetched { until });
                Source::Fetch
            }
            Find::Start(mask, widenings) => {
                self.start(&mut entries, id, resource, mask, widenings, &mut dropped)
            }
        };
        drop(entries);
        drop(dropped);
        source
    }

    /// Starts a watch, if there is a place for it.
    fn start(
        &self,
        entries: &mut HashMap<WatchId, Entry>,
        id: WatchId,
        resource: &Resource,
        mask: Mask,
        widenings: u32,
        dropped: &mut Vec<Entry>,
    ) -> Source {
        if widenings == 0 {
            dropped.extend(entries.remove(&id));
        }
        while count(entries) >= self.means.limits.watches {
            match self.least_needed(entries, &id).and_then(|id| entries.remove(&id)) {
                Some(entry) => dropped.push(entry),
                None => return Source::Fetch,
            }
        }
        let mask = if widenings > MOST_WIDENINGS {
            Mask::Whole
        } else {
            mask
        };
        let cut = Cut::new(resource.name.clone(), &mask);
        let (means, this) = (Arc::clone(&self.means), Weak::clone(&self.this));
        let watch = Arc::new(Watch::start(&self.runtime, means, id.clone(), cut, mask, this));
        match entries.get_mut(&id) {
            Some(Entry::Watched(watched)) if widenings > 0 => {
                watched.widenings = widenings;
                watched.again = None;
                dropped.extend(watched.wider.replace(Arc::clone(&watch)).map(Entry::of));
            }
            _ => {
                let entry = Watched {
                    serving: Arc::clone(&watch),
                    wider: None,
                    again: None,
                    widenings,
                    used: Instant::now(),
                };
                dropped.extend(entries.insert(id, Entry::Watched(entry)));
            }
        }
        Source::Watch(watch)
    }

    /// Ends the watch that was not asked for the longest, so that another has room. Those that somebody asked for a short
    /// while ago stay. False where there is none.
    pub(super) fn make_room(&self, other: &WatchId) -> bool {
        let mut entries = self.entries();
        let removed = self
            .least_needed(&entries, other)
            .and_then(|id| entries.remove(&id));
        drop(entries);
        match removed {
            Some(Entry::Watched(watched)) => {
                watched.end();
                true
            }
            _ => false,
        }
    }

    /// The watch that was not asked for the longest, of those that need not stay.
    fn least_needed(&self, entries: &HashMap<WatchId, Entry>, other: &WatchId) -> Option<WatchId> {
        let candidates = entries.iter().filter(|(id, _)| *id != other);
        let used = candidates.filter_map(|(id, entry)| match entry {
            Entry::Watched(watched) => Some((watched.used, id)),
            Entry::Fetched { .. } => None,
        });
        let (used, id) = used.min_by_key(|(used, _)| *used)?;
        (used.elapsed() >= self.pause()).then(|| id.clone())
    }

    /// Drops what nobody asks for any more.
    fn sweep(&self) {
        let idle = self.means.limits.watch_idle;
        let mut dropped = Vec::new();
        let mut entries = self.entries();
        let ids: Vec<WatchId> = entries.keys().cloned().collect();
        for id in ids {
            let old = match entries.get(&id) {
                Some(Entry::Watched(watched)) => watched.used.elapsed() > idle,
                Some(Entry::Fetched { until }) => *until <= Instant::now(),
                None => false,
            };
            if old {
                dropped.extend(entries.remove(&id));
            }
        }
        self.gauge(&entries);
        drop(entries);
        drop(dropped);
    }

    fn gauge(&self, entries: &HashMap<WatchId, Entry>) {
        let (mut listing, mut following, mut broken) = (0, 0, 0);
        for watch in watches(entries) {
            match watch.phase() {
                Phase::Listing => listing += 1,
                Phase::Serving { broken: None } => following += 1,
                Phase::Serving { broken: Some(_) } => broken += 1,
                Phase::Ended(_) => {}
            }
        }
        let metrics = self.metrics.admission();
        for (state, count) in [("listing", listing), ("following", following), ("broken", broken)] {
            metrics.watches(state).set(count);
        }
        metrics
            .watch_bytes
            .set(i64::try_from(self.means.budget.used()).unwrap_or(i64::MAX));
    }

    fn pause(&self) -> Duration {
        self.means.limits.watch_pause
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<WatchId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn watches(entries: &HashMap<WatchId, Entry>) -> impl Iterator<Item = &Arc<Watch>> {
    entries
        .values()
        .flat_map(|entry| match entry {
            Entry::Watched(Watched { serving, wider, .. }) => [Some(serving), wider.as_ref()],
            Entry::Fetched { .. } => [None, None],
        })
        .flatten()
}

/// How many watches there are. What is fetched each time takes a place too, so that the list of these has an end.
fn count(entries: &HashMap<WatchId, Entry>) -> usize {
    let fetched = entries
        .values()
        .filter(|entry| matches!(entry, Entry::Fetched { .. }))
        .count();
    watches(entries).count() + fetched
}

/// What becomes of a request.
enum Find {
    Watch(Arc<Watch>),
    Fetch,
    FetchUntil(Instant),
    /// With these fields, as the so-many-eth watch with more fields than the one before.
    Start(Mask, u32),
}

impl Watched {
    fn find(&mut self, mask: &Mask, pause: Duration, dropped: &mut Vec<Entry>) -> Find {
        self.used = Instant::now();
        self.promote(pause, dropped);
        if let Phase::Ended(end) = self.serving.phase() {
            return match end {
                // Those that waited for it have got the error. Whoever comes later tries again.
                End::Failed(_) => Find::Start(mask.clone(), 0),
                End::Unkept(_) | End::Stale => Find::FetchUntil(Instant::now() + pause),
            };
        }
        if let Some(watch) = self.covering(mask) {
            return match watch.phase() {
                // More fields than there is room for: fewer are served, and these are fetched.
                Phase::Ended(_) => Find::Fetch,
                _ => Find::Watch(Arc::clone(watch)),
            };
        }
        let widest = self.wider.as_ref().unwrap_or(&self.serving);
        Find::Start(widest.mask.with(mask), self.widenings.saturating_add(1))
    }

    /// The watch that has all these fields.
    fn covering(&self, mask: &Mask) -> Option<&Arc<Watch>> {
        let known = [Some(&self.serving), self.wider.as_ref()];
        known.into_iter().flatten().find(|watch| watch.mask.covers(mask))
    }

    /// Puts the wider watch in place of the other once it is ready, and forgets it where it failed.
    fn promote(&mut self, pause: Duration, dropped: &mut Vec<Entry>) {
        match self.wider.as_ref().map(|wider| wider.phase()) {
            Some(Phase::Serving { .. }) => {
                if let Some(wider) = self.wider.take() {
                    let older = std::mem::replace(&mut self.serving, wider);
                    dropped.push(Entry::of(older));
                }
            }
            Some(Phase::Ended(End::Failed(_))) => dropped.extend(self.wider.take().map(Entry::of)),
            Some(Phase::Ended(_)) => {
                let now = Instant::now();
                if *self.again.get_or_insert(now + pause) <= now {
                    dropped.extend(self.wider.take().map(Entry::of));
                    self.again = None;
                }
            }
            _ => {}
        }
    }

    fn end(&self) {
        self.serving.end();
        if let Some(wider) = &self.wider {
            wider.end();
        }
    }
}

impl Entry {
    /// For what is only there to be dropped.
    fn of(watch: Arc<Watch>) -> Self {
        Self::Watched(Watched {
            serving: watch,
            wider: None,
            again: None,
            widenings: 0,
            used: Instant::now(),
        })
    }
}
