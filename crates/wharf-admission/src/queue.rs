//! The threads that run guests, and the reviews that wait for them.
//!
//! Guests are plain calls that block, so they never run where connections are served. As many reviews run at once as there
//! are threads, a bounded number waits, and what comes beyond is turned away at once: a quick no lets the API server decide
//! by its own `failurePolicy`, a late answer only holds it up. A review whose time is over, or that nobody waits for any
//! more, is dropped where it waits and runs no guest.
//!
//! One policy has no more than its share of the threads and of the places to wait ([`lines`]), so that one that is slow holds
//! up its own reviews and not those of the others.

mod lines;

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use wharf_engine::Deadline;
use wharf_telemetry::{AdmissionMetrics, Metrics};

use self::lines::{Bounds, Lines};

/// The stack of a thread that runs guests: what a guest may have at most, and the host functions below it.
const STACK: usize = 4 << 20;

/// Threads that run guests.
pub(crate) struct Queue {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What the threads and those who wait for them share.
struct Shared {
    state: Mutex<State>,
    /// What wakes each of the threads.
    bells: Vec<Condvar>,
    /// Where it is seen how many reviews run and wait, as soon as they do.
    metrics: Arc<Metrics>,
}

struct State {
    lines: Lines<Box<dyn Job>>,
    /// The threads that wait for a job. The last to come is the first to be called, for what it touches is still in the
    /// caches of its core.
    idle: Vec<usize>,
    stopped: bool,
}

/// Why a review got no result from the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotRun {
    /// As many wait as may, of its policy or of all.
    Full,
    /// Its time was over before a thread was free.
    TooLate,
    /// The work ended without a result: it panicked, or the server is stopping.
    Lost,
}

trait Job: Send {
    fn run(self: Box<Self>);
}

struct Work<F, R> {
    work: F,
    /// Set by whoever comes first: the thread that runs it, or the one who waited for it too long.
    taken: Arc<AtomicBool>,
    result: oneshot::Sender<R>,
}

impl<F, R> Job for Work<F, R>
where
    F: FnOnce() -> R + Send,
    R: Send,
{
    fn run(self: Box<Self>) {
        if self.result.is_closed() || self.taken.swap(true, Ordering::AcqRel) {
            return;
        }
        // Whoever waited may have gone meanwhile.
        let _ = self.result.send((self.work)());
    }
}

impl Queue {
    /// Starts `concurrent` threads, and lets `waiting` reviews wait for them. The gauges of reviews in `metrics` are this
    /// queue's.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(crate) fn start(concurrent: usize, waiting: usize, metrics: Arc<Metrics>) -> io::Result<Self> {
        let threads = concurrent.max(1);
        let state = State {
            lines: Lines::new(Bounds { threads, waiting }),
            idle: Vec::with_capacity(threads),
            stopped: false,
        };
        let mut queue = Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                bells: (0..threads).map(|_| Condvar::new()).collect(),
                metrics,
            }),
            threads: Vec::with_capacity(threads),
        };
        for index in 0..threads {
            let shared = Arc::clone(&queue.shared);
            let thread = std::thread::Builder::new()
                .name(format!("wharf-review-{index}"))
                .stack_size(STACK)
                .spawn(move || shared.run_jobs(index))?;
            queue.threads.push(thread);
        }
        Ok(queue)
    }

    /// Runs `work` for `policy` on one of the threads and waits for its result; no longer than until `deadline` for a free
    /// thread. Work that has begun is waited for: it holds the deadline by itself.
    ///
    /// # Errors
    /// [`NotRun`]; unless it is [`NotRun::Lost`], nothing of the work was done.
    pub(crate) async fn run<R: Send + 'static>(
        &self,
        policy: &Arc<str>,
        deadline: Deadline,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, NotRun> {
        let (sender, mut result) = oneshot::channel();
        let taken = Arc::<AtomicBool>::default();
        let job = Work {
            work,
            taken: Arc::clone(&taken),
            result: sender,
        };
        if self.shared.add(policy, Box::new(job))? == Added::Starts {
            // A timer for what begins at once would cost more than the queue does.
            return result.await.map_err(|_| NotRun::Lost);
        }
        match tokio::time::timeout(deadline.left(), &mut result).await {
            Ok(result) => result.map_err(|_| NotRun::Lost),
            Err(_) if taken.swap(true, Ordering::AcqRel) => result.await.map_err(|_| NotRun::Lost),
            Err(_) => Err(NotRun::TooLate),
        }
    }

    /// Waits until the threads have ended what they run, at most for `patience`; says whether they have. What waits is not
    /// run any more.
    pub(crate) fn stop(&self, patience: Duration) -> bool {
        self.shared.stop();
        let deadline = Deadline::after(patience);
        while self.threads.iter().any(|thread| !thread.is_finished()) {
            if deadline.has_passed() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("threads", &self.threads.len())
            .finish_non_exhaustive()
    }
}

/// What becomes of a job that was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Added {
    /// A thread that had nothing to do was called for it.
    Starts,
    /// It waits for its turn.
    Waits,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, policy: &Arc<str>, job: Box<dyn Job>) -> Result<Added, NotRun> {
        let mut state = self.state();
        if state.stopped {
            return Err(NotRun::Lost);
        }
        let may_run = state.lines.push(policy, job).map_err(|_| NotRun::Full)?;
        self.metrics.admission().waiting.inc();
        let called = if may_run { state.idle.pop() } else { None };
        // Whoever is woken needs the lock at once.
        drop(state);
        let Some(thread) = called else {
            return Ok(Added::Waits);
        };
        self.bells[thread].notify_one();
        Ok(Added::Starts)
    }

    fn stop(&self) {
        let mut state = self.state();
        state.stopped = true;
        let never_run = state.lines.clear();
        drop(state);
        self.metrics.admission().waiting.dec_by(never_run.len() as i64);
        for bell in &self.bells {
            bell.notify_one();
        }
    }

    /// What each of the threads does.
    fn run_jobs(&self, index: usize) {
        let metrics = self.metrics.admission();
        let mut state = self.state();
        while !state.stopped {
            let Some((policy, job)) = state.lines.take() else {
                state.idle.push(index);
                let is_idle = |state: &mut State| !state.stopped && state.idle.contains(&index);
                state = self.bells[index]
                    .wait_while(state, is_idle)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(state);
            run(job, metrics);
            state = self.state();
            state.lines.done(&policy);
        }
    }
}

fn run(job: Box<dyn Job>, metrics: &AdmissionMetrics) {
    metrics.waiting.dec();
    metrics.running.inc();
    // A panic is a mistake in this program: it costs one review, which whoever waits for it notices, and not a thread.
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job.run()));
    metrics.running.dec();
    if outcome.is_err() {
        tracing::error!("A review panicked, which is a mistake in Wharf; please report it.");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(future)
    }

    #[test]
    fn what_does_not_fit_is_turned_away_and_what_waits_too_long_is_dropped() {
        let queue = Arc::new(Queue::start(1, 1, Arc::new(Metrics::new())).unwrap());
        let metrics = Arc::clone(&queue.shared.metrics);
        block_on(async {
            let (hold, running) = held(&queue, "policy").await;
            assert_eq!(metrics.admission().running.get(), 1);
            let policy = Arc::from("policy");
            let late = queue.run(&policy, Deadline::after(Duration::from_millis(20)), || -> u32 {
                panic!("its time is over")
            });
            assert_eq!(late.await, Err(NotRun::TooLate));
            // It waits still, dead, until a thread throws it away.
            let more = queue.run(&policy, Deadline::after(LONG), || 3);
            assert_eq!(more.await, Err(NotRun::Full));
            hold.send(()).unwrap();
            assert_eq!(running.await.unwrap(), Ok(1));
            while metrics.admission().waiting.get() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(queue.run(&policy, Deadline::after(LONG), || 4).await, Ok(4));
        });
    }

    /// Has work run for a policy that ends when it is told to, and waits until it has begun.
    async fn held(
        queue: &Arc<Queue>,
        policy: &str,
    ) -> (mpsc::Sender<()>, tokio::task::JoinHandle<Result<u32, NotRun>>) {
        let (hold, held) = mpsc::channel::<()>();
        let (began, begins) = oneshot::channel();
        let (queue, policy) = (Arc::clone(queue), Arc::from(policy));
        let running = tokio::spawn(async move {
            let work = move || {
                began.send(()).unwrap();
                held.recv().unwrap();
                1
            };
            queue.run(&policy, Deadline::after(LONG), work).await
        });
        begins.await.unwrap();
        (hold, running)
    }

    #[test]
    fn a_policy_that_is_slow_holds_up_no_other() {
        let queue = Arc::new(Queue::start(2, 10, Arc::new(Metrics::new())).unwrap());
        block_on(async {
            let (hold, running) = held(&queue, "slow").await;
            let (slow, quick) = (Arc::from("slow"), Arc::from("quick"));
            let more = queue.run(&slow, Deadline::after(Duration::from_millis(20)), || 2);
            assert_eq!(more.await, Err(NotRun::TooLate));
            for _ in 0..100 {
                assert_eq!(queue.run(&quick, Deadline::after(LONG), || 3).await, Ok(3));
            }
            hold.send(()).unwrap();
            assert_eq!(running.await.unwrap(), Ok(1));
            assert_eq!(queue.run(&slow, Deadline::after(LONG), || 4).await, Ok(4));
        });
    }

    #[test]
    fn a_panic_costs_one_review() {
        let queue = Queue::start(1, 4, Arc::new(Metrics::new())).unwrap();
        let policy = Arc::from("policy");
        let panics = queue.run(&policy, Deadline::after(LONG), || -> u32 { panic!("a mistake") });
        assert_eq!(block_on(panics), Err(NotRun::Lost));
        let next = queue.run(&policy, Deadline::after(LONG), || 5);
        assert_eq!(block_on(next), Ok(5));
    }

    #[test]
    fn work_that_has_begun_is_waited_for_past_its_deadline() {
        let queue = Queue::start(1, 0, Arc::new(Metrics::new())).unwrap();
        let policy = Arc::from("policy");
        let mut tries = (0..1_000).map(|_| {
            let work = || {
                std::thread::sleep(Duration::from_millis(50));
                6
            };
            block_on(queue.run(&policy, Deadline::after(Duration::from_millis(5)), work))
        });
        // On a busy machine it takes its thread longer than that to begin.
        let outcome = tries.find(|outcome| !matches!(outcome, Err(NotRun::Full | NotRun::TooLate)));
        assert_eq!(outcome, Some(Ok(6)));
        assert!(queue.stop(LONG));
        let late = queue.run(&policy, Deadline::after(LONG), || 7);
        assert_eq!(block_on(late), Err(NotRun::Lost));
    }

    #[test]
    fn what_waits_when_the_queue_stops_is_lost() {
        let queue = Arc::new(Queue::start(1, 4, Arc::new(Metrics::new())).unwrap());
        let metrics = Arc::clone(&queue.shared.metrics);
        block_on(async {
            let (hold, running) = held(&queue, "policy").await;
            let waits = tokio::spawn({
                let queue = Arc::clone(&queue);
                async move { queue.run(&Arc::from("policy"), Deadline::after(LONG), || 8).await }
            });
            while metrics.admission().waiting.get() == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert!(!queue.stop(Duration::ZERO));
            assert_eq!(waits.await.unwrap(), Err(NotRun::Lost));
            assert_eq!(metrics.admission().waiting.get(), 0);
            hold.send(()).unwrap();
            assert_eq!(running.await.unwrap(), Ok(1));
            assert!(queue.stop(LONG));
        });
    }
}
