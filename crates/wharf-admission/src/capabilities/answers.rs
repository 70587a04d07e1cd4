//! Answers that are given to several askers: to those who ask at the same time, and for a while to those who ask later.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};

use super::error::AskError;

/// A value that takes room.
pub(super) trait Weighed: Clone + Send + Sync + 'static {
    /// About how many bytes it takes.
    fn bytes(&self) -> usize;
}

/// What is asked. It takes room too, and guests choose its length.
pub(super) trait Question: Eq + Hash + Send + Sync + 'static {
    /// About how many bytes it takes.
    fn bytes(&self) -> usize;
}

impl Weighed for Arc<[u8]> {
    fn bytes(&self) -> usize {
        self.len()
    }
}

/// The bounds of [`Answers`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// How long an answer is kept.
    pub(super) keep: Duration,
    /// How many are kept.
    pub(super) count: usize,
    /// How many bytes they have together, with what was asked.
    pub(super) bytes: usize,
}

/// How old an answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    /// So old. Whoever else is asking for the same right now is waited for.
    UpTo(Duration),
    /// It must have been given after it was asked for.
    None,
}

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Kept,
    Joined,
    Fetched,
}

/// Answers by what was asked. Errors are not kept: whoever asks after one tries again.
///
/// An answer is fetched by those who wait for it. When the last of them gives up, so does the fetching.
pub(super) struct Answers<K, V>(Arc<Mutex<State<K, V>>>);

type Fetching<V> = Shared<BoxFuture<'static, Result<V, AskError>>>;

struct State<K, V> {
    bounds: Bounds,
    known: HashMap<Arc<K>, Known<V>>,
    /// The known ones, the oldest first; some may stand here that were asked for again since.
    order: VecDeque<(Arc<K>, Instant)>,
    bytes: usize,
    running: HashMap<Arc<K>, Running<V>>,
    started: u64,
}

struct Known<V> {
    value: V,
    /// When it was asked for: what it says may be as old as that.
    asked: Instant,
}

struct Running<V> {
    number: u64,
    future: WeakShared<BoxFuture<'static, Result<V, AskError>>>,
}

impl<K, V> Clone for Answers<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Question, V: Weighed> Answers<K, V> {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self(Arc::new(Mutex::new(State {
            bounds,
            known: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            running: HashMap::new(),
            started: 0,
        })))
    }

    /// An answer that is known already and not older.
    pub(super) fn known(&self, key: &K, age: Duration) -> Option<V> {
        self.lock().known(key, age)
    }

    /// An answer, by `fetch` where there is none.
    ///
    /// # Errors
    /// That of `fetch`, for all that waited for it.
    pub(super) async fn get<F>(&self, key: K, age: Age, fetch: F) -> Result<(V, Origin), AskError>
    where
        F: Future<Output = Result<V, AskError>> + Send + 'static,
    {
        match age {
            Age::None => self.fetch_now(key, fetch).await,
            Age::UpTo(age) => match self.find_or_start(key, age, fetch) {
                Found::Known(value) => Ok((value, Origin::Kept)),
                Found::Running(future) => Ok((future.await?, Origin::Joined)),
                Found::Started(future) => Ok((future.await?, Origin::Fetched)),
            },
        }
    }

    async fn fetch_now<F>(&self, key: K, fetch: F) -> Result<(V, Origin), AskError>
    where
        F: Future<Output = Result<V, AskError>>,
    {
        let asked = Instant::now();
        let fetched = fetch.await;
        let mut state = self.lock();
        match fetched {
            Ok(value) => {
                state.keep(Arc::new(key), value.clone(), asked);
                Ok((value, Origin::Fetched))
            }
            Err(error) => {
                state.forget(&key);
                Err(error)
            }
        }
    }

    fn find_or_start<F>(&self, key: K, age: Duration, fetch: F) -> Found<V>
    where
        F: Future<Output = Result<V, AskError>> + Send + 'static,
    {
        let mut state = self.lock();
        if let Some(value) = state.known(&key, age) {
            return Found::Known(value);
        }
        if let Some(future) = state
            .running
            .get(&key)
            .and_then(|running| running.future.upgrade())
        {
            return Found::Running(future);
        }
        let key = Arc::new(key);
        state.started += 1;
        let number = state.started;
        let ended = Ended {
            answers: self.clone(),
            key: Arc::clone(&key),
            number,
        };
        let asked = Instant::now();
        let future = async move {
            let value = fetch.await?;
            ended
                .answers
                .lock()
                .keep(Arc::clone(&ended.key), value.clone(), asked);
            Ok(value)
        };
        let future = future.boxed().shared();
        if let Some(weak) = future.downgrade() {
            state.running.insert(key, Running { number, future: weak });
        }
        Found::Started(future)
    }
}

impl<K, V> Answers<K, V> {
    fn lock(&self) -> MutexGuard<'_, State<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Found<V> {
    Known(V),
    Running(Fetching<V>),
    Started(Fetching<V>),
}

/// Takes a fetching from the list when it has ended, or when nobody waits for it any more.
struct Ended<K: Eq + Hash, V> {
    answers: Answers<K, V>,
    key: Arc<K>,
    number: u64,
}

impl<K: Eq + Hash, V> Drop for Ended<K, V> {
    fn drop(&mut self) {
        let mut state = self.answers.lock();
        if state
            .running
            .get(&self.key)
            .is_some_and(|running| running.number == self.number)
        {
            state.running.remove(&self.key);
        }
    }
}

impl<K: Question, V: Weighed> State<K, V> {
    fn known(&self, key: &K, age: Duration) -> Option<V> {
        let known = self.known.get(key)?;
        let fresh = known.asked.elapsed() < age.min(self.bounds.keep);
        fresh.then(|| known.value.clone())
    }

    fn keep(&mut self, key: Arc<K>, value: V, asked: Instant) {
        if self.known.get(&key).is_some_and(|known| known.asked > asked) {
            return;
        }
        self.forget(&key);
        let bytes = weight(&*key, &value);
        if bytes > self.bounds.bytes || self.bounds.count == 0 {
            return;
        }
        self.make_room(bytes);
        self.bytes += bytes;
        self.order.push_back((Arc::clone(&key), asked));
        self.known.insert(key, Known { value, asked });
    }

    fn forget(&mut self, key: &K) {
        if let Some(known) = self.known.remove(key) {
            self.bytes -= weight(key, &known.value);
        }
    }

    /// Drops what is too old, and then the oldest until there is room for so many bytes more.
    fn make_room(&mut self, bytes: usize) {
        let Bounds {
            keep,
            count,
            bytes: most,
        } = self.bounds;
        while let Some((_, asked)) = self.order.front() {
            // `order` has entries of what is forgotten, so it is bounded by itself.
            let full =
                self.bytes + bytes > most || self.known.len() >= count || self.order.len() >= 2 * count;
            if asked.elapsed() < keep && !full {
                return;
            }
            if let Some((key, asked)) = self.order.pop_front()
                && self.known.get(&key).is_some_and(|known| known.asked == asked)
            {
                self.forget(&key);
            }
        }
    }
}

fn weight<K: Question, V: Weighed>(key: &K, value: &V) -> usize {
    key.bytes() + value.bytes()
}

#[cfg(test)]
mod tests;
