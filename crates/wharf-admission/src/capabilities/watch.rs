//! One watch: a list that is fetched once and kept up to date from then on.
//!
//! ```text
//!          list ok               connected
//! Listing ─────────► Serving ◄─────────────► Serving, broken since …
//!    │                  │  └─ 410 Gone, or broken for too long: the list is fetched once more, and the older one serves
//!    │                  │     until then
//!    ▼                  ▼
//!  Ended              Ended: no room, or the API server does not let it be watched
//! ```

mod events;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::runtime::Handle;
use tokio::sync::watch::{self, Receiver, Sender};
use tokio::task::AbortHandle;

use self::events::{Event, Events};
use super::api::{Api, ApiError};
use super::error::KindName;
use super::limits::CapabilityLimits;
use super::lists::{ListError, ListQuery, Lister, Sink};
use super::names::encode;
use super::objects::{Budget, Cut, Kept, ListText, Mask, NoRoom, Objects};
use super::watches::Watches;

/// How long the API server is asked to keep a watch open: so long, and up to as much again, so that not all of them end
/// together.
const OPEN: Duration = Duration::from_secs(150);
/// How much longer than asked for a watch may stay open without its end.
const OVERTIME: Duration = Duration::from_secs(30);
/// How long the first list of a watch may take. Those that ask for it wait no longer than their reviews.
const LIST_PATIENCE: Duration = Duration::from_secs(60);
/// The pauses between attempts to go on: the first, and the longest. Each is twice the one before.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// A watch that was open for so long without a word follows what happens.
const SETTLED: Duration = Duration::from_secs(5);
/// A watch that was open for so long has worked: the next pause is the first again.
const WORKED: Duration = Duration::from_secs(10);

/// What a watch needs beside its own query.
pub(super) struct Means {
    pub(super) api: Arc<Api>,
    pub(super) lister: Arc<Lister>,
    pub(super) budget: Arc<Budget>,
    pub(super) limits: CapabilityLimits,
}

/// A watch. It ends when it is dropped.
pub(super) struct Watch {
    pub(super) mask: Mask,
    shared: Arc<Shared>,
    phase: Receiver<Phase>,
    patience: Duration,
    task: AbortHandle,
}

/// How far a watch is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    Listing,
    Serving {
        /// Since when nobody says what changes.
        broken: Option<Instant>,
    },
    Ended(End),
}

/// Why a watch gives no list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The list could not be fetched.
    Failed(ApiError),
    /// The list can be fetched, but not be kept.
    Unkept(&'static str),
    /// It has been interrupted for too long.
    Stale,
}

/// What the task of a watch and those that ask it have in common.
struct Shared {
    /// None once the watch has ended, so that nobody takes what is left for the list.
    objects: Mutex<Option<Objects>>,
    phase: Sender<Phase>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watch {
    /// Begins to watch. `id` names it to `watches`, which is asked for room.
    pub(super) fn start(
        runtime: &Handle,
        means: Arc<Means>,
        id: WatchId,
        cut: Cut,
        mask: Mask,
        watches: Weak<Watches>,
    ) -> Self {
        let (sender, phase) = watch::channel(Phase::Listing);
        let shared = Arc::new(Shared {
            objects: Mutex::new(None),
            phase: sender,
        });
        let patience = means.limits.watch_broken;
        let task = Task {
            shared: Arc::clone(&shared),
            means,
            id,
            cut,
            watches,
        };
        let task = runtime.spawn(task.run()).abort_handle();
        Self {
            mask,
            shared,
            phase,
            patience,
            task,
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase.borrow().clone()
    }

    /// The list, if it is there already and up to date.
    pub(super) fn ready(&self) -> Option<Snapshot> {
        self.look(&self.phase())?.ok()
    }

    /// The list, once it is there.
    pub(super) async fn list(&self) -> Result<Snapshot, End> {
        let mut phase = self.phase.clone();
        let now = phase
            .wait_for(|phase| *phase != Phase::Listing)
            .await
            .map(|phase| phase.clone());
        match now {
            Ok(now) => self.look(&now).unwrap_or(Err(GONE)),
            // The task is gone without a word: the server stops.
            Err(_) => Err(GONE),
        }
    }

    fn look(&self, phase: &Phase) -> Option<Result<Snapshot, End>> {
        match phase {
            Phase::Listing => None,
            Phase::Serving { broken: Some(since) } if since.elapsed() > self.patience => {
                Some(Err(End::Stale))
            }
            Phase::Serving { .. } => {
                let objects = self.shared.objects();
                Some(objects.as_ref().map(Snapshot::of).ok_or(GONE))
            }
            Phase::Ended(end) => Some(Err(end.clone())),
        }
    }

    /// Ends it at once and gives back what its objects take.
    pub(super) fn end(&self) {
        self.task.abort();
        self.shared.end(GONE);
    }
}

const GONE: End = End::Unkept("it made room for others");

/// The objects of a watch at some time.
pub(super) struct Snapshot {
    objects: Vec<Arc<[u8]>>,
    bytes: usize,
}

impl Snapshot {
    fn of(objects: &Objects) -> Self {
        let (objects, bytes) = objects.snapshot();
        Self { objects, bytes }
    }

    /// The list as policies get it.
    pub(super) fn text(&self, kind: &KindName) -> Vec<u8> {
        let mut text = ListText::new(kind, self.bytes);
        self.objects.iter().for_each(|object| text.push(object));
        text.finish()
    }
}

impl Shared {
    fn objects(&self) -> MutexGuard<'_, Option<Objects>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serving(&self, broken: Option<Instant>) {
        self.phase.send_if_modified(|phase| {
            let next = Phase::Serving { broken };
            let changed = !matches!(phase, Phase::Ended(_)) && *phase != next;
            if changed {
                *phase = next;
            }
            changed
        });
    }

    fn end(&self, end: End) {
        self.phase.send_if_modified(|phase| {
            let first = !matches!(phase, Phase::Ended(_));
            if first {
                *phase = Phase::Ended(end);
            }
            first
        });
        let objects = self.objects().take();
        drop(objects);
    }
}

struct EndedOnDrop(Arc<Shared>);

impl Drop for EndedOnDrop {
    fn drop(&mut self) {
        self.0.end(GONE);
    }
}

/// What is watched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct WatchId {
    pub(super) query: ListQuery,
}

struct Task {
    shared: Arc<Shared>,
    means: Arc<Means>,
    id: WatchId,
    cut: Cut,
    watches: Weak<Watches>,
}

/// How a connection ended.
enum Closed {
    /// As it should, after a while.
    Well,
    /// The API server does not know any more what happened since the last event, or said what nobody understands.
    Behind(ApiError),
    Badly(ApiError),
    /// It will not get better.
    Forever(End),
}

impl Task {
    async fn run(self) {
        // However it ends, nobody waits for it any more.
        let _ended = EndedOnDrop(Arc::clone(&self.shared));
        match self.list().await {
            Ok(version) if version.is_empty() => self.shared.end(End::Unkept("its list has no version")),
            Ok(version) => self.follow(version).await,
            Err(end) => self.shared.end(end),
        }
    }

    /// Fetches the list and puts it in place of the one before.
    async fn list(&self) -> Result<String, End> {
        let mut sink = ObjectsSink {
            objects: self.nothing(),
            task: self,
        };
        let listed = self.means.lister.objects(&self.id.query, &self.cut, &mut sink);
        let listed = tokio::time::timeout(LIST_PATIENCE, listed)
            .await
            .unwrap_or(Err(ListError::Api(ApiError::Slow(LIST_PATIENCE))));
        let version = match listed {
            Ok(version) => version,
            Err(ListError::Api(error)) => return Err(End::Failed(error)),
            Err(ListError::NoRoom(no_room)) => return Err(no_room.into()),
        };
        let older = self.shared.objects().replace(sink.objects);
        drop(older);
        self.shared.serving(Some(Instant::now()));
        Ok(version)
    }

    fn nothing(&self) -> Objects {
        let Means { budget, limits, .. } = &*self.means;
        Objects::new(Arc::clone(budget), limits.list_bytes)
    }

    /// Keeps the list up to date for as long as it can.
    async fn follow(&self, mut version: String) {
        let mut pause = PAUSES.0;
        loop {
            let opened = Instant::now();
            let closed = self.connect(&mut version).await;
            let since = self.broken_since();
            self.shared.serving(Some(since));
            let mut behind = match closed {
                Closed::Forever(end) => return self.shared.end(end),
                Closed::Well => false,
                Closed::Behind(error) => {
                    self.warn(&error, "A watch of the cluster has to begin anew.");
                    true
                }
                Closed::Badly(error) => {
                    self.warn(&error, "A watch of the cluster was interrupted.");
                    false
                }
            };
            // It may be the version that it cannot go on from, as where the cluster was restored from a backup.
            behind |= since.elapsed() > self.means.limits.watch_broken;
            if opened.elapsed() > WORKED {
                pause = PAUSES.0;
            } else {
                tokio::time::sleep(between(pause / 2, pause)).await;
                pause = (pause * 2).min(PAUSES.1);
            }
            if behind {
                match self.list().await {
                    Ok(next) => version = next,
                    Err(End::Failed(error)) if !is_final(&error) => {
                        self.shared.serving(Some(self.broken_since()));
                        self.warn(&error, "The objects of a watch cannot be listed anew.");
                    }
                    Err(end) => return self.shared.end(end),
                }
            }
        }
    }

    fn warn(&self, error: &ApiError, what: &str) {
        tracing::warn!(kind = %self.cut.kind(), path = self.id.query.path, %error, "{what}");
    }

    /// Since when nobody says what changes, now that nobody does.
    fn broken_since(&self) -> Instant {
        match *self.shared.phase.borrow() {
            Phase::Serving { broken: Some(since) } => since,
            _ => Instant::now(),
        }
    }

    async fn connect(&self, version: &mut String) -> Closed {
        let open = between(OPEN, OPEN * 2);
        let more = format!(
            "watch=true&allowWatchBookmarks=true&resourceVersion={}&timeoutSeconds={}",
            encode(version),
            open.as_secs()
        );
        let body = match self.means.api.open(&self.id.query.target(&more)).await {
            Ok(body) => body,
            Err(error) if error.status() == Some(StatusCode::GONE) => return Closed::Behind(error),
            Err(error) if is_final(&error) => {
                self.warn(
                    &error,
                    "Objects cannot be watched, and so they are listed each time that a policy asks.",
                );
                return Closed::Forever(End::Unkept("the API server does not let it be watched"));
            }
            Err(error) => return Closed::Badly(error),
        };
        let events = self.take(Events::new(body), version);
        // A connection that nobody is at the other end of has no end.
        let events = tokio::time::timeout(open + OVERTIME, events);
        tokio::select! {
            closed = events => closed.unwrap_or(Closed::Badly(ApiError::Slow(open + OVERTIME))),
            never = self.settle() => match never {},
        }
    }

    /// A watch that is silent follows once it was open for a while: one that is cut off each time as soon as it was opened,
    /// as by what stands in between, says nothing of what changes.
    async fn settle(&self) -> std::convert::Infallible {
        tokio::time::sleep(SETTLED.min(self.means.limits.watch_broken / 2)).await;
        self.shared.serving(None);
        std::future::pending().await
    }

    async fn take(&self, mut events: Events, version: &mut String) -> Closed {
        loop {
            let kept = match events.next(&self.cut).await {
                Ok(Some(Event::Put(kept))) => {
                    if let Err(no_room) = self.put(&kept) {
                        return Closed::Forever(no_room.into());
                    }
                    kept.version
                }
                Ok(Some(Event::Removed(kept))) => {
                    if let Some(objects) = &mut *self.shared.objects() {
                        objects.remove(&kept.key);
                    }
                    kept.version
                }
                Ok(Some(Event::Version(version))) => version,
                Ok(Some(Event::Failed(error))) if error.status() == Some(StatusCode::GONE) => {
                    return Closed::Behind(error);
                }
                // An event that was not understood is an event that was missed.
                Err(error @ ApiError::Unreadable(_)) => return Closed::Behind(error),
                Ok(Some(Event::Failed(error))) | Err(error) => return Closed::Badly(error),
                Ok(None) => return Closed::Well,
            };
            self.shared.serving(None);
            if !kept.is_empty() {
                *version = kept;
            }
        }
    }

    fn put(&self, kept: &Kept) -> Result<(), NoRoom> {
        self.with_room(|| match &mut *self.shared.objects() {
            Some(objects) => objects.put(kept),
            None => Ok(()),
        })
    }

    /// Tries, and tries again for as long as watches that nobody needs make room.
    fn with_room(&self, mut attempt: impl FnMut() -> Result<(), NoRoom>) -> Result<(), NoRoom> {
        loop {
            match attempt() {
                Err(NoRoom::Together) => {
                    let freed = self
                        .watches
                        .upgrade()
                        .is_some_and(|watches| watches.make_room(&self.id));
                    if !freed {
                        return Err(NoRoom::Together);
                    }
                }
                ended => return ended,
            }
        }
    }
}

/// Whether the API server says that it will go on saying no.
fn is_final(error: &ApiError) -> bool {
    let passing = [
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::GONE,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    error
        .status()
        .is_some_and(|status| status.is_client_error() && !passing.contains(&status))
}

impl From<NoRoom> for End {
    fn from(no_room: NoRoom) -> Self {
        Self::Unkept(match no_room {
            NoRoom::List => "it has more than one list may have",
            NoRoom::Together => "the objects of all watches have more than they may have",
        })
    }
}

/// Takes a new list beside the one that still serves.
struct ObjectsSink<'a> {
    objects: Objects,
    task: &'a Task,
}

impl Sink for ObjectsSink<'_> {
    fn begin(&mut self) {
        self.objects = self.task.nothing();
    }

    fn take(&mut self, kept: Kept) -> Result<(), NoRoom> {
        let Self { objects, task } = self;
        task.with_room(|| objects.put(&kept))
    }
}

/// Some time between two.
fn between(least: Duration, most: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    let part = (random % 1024) as u32;
    least + (most - least) * part / 1024
}
