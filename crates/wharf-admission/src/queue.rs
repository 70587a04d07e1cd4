//! The threads that run guests, and the reviews that wait for them.
//!
//! Guests are plain calls that block, so they never run where connections are served. As many reviews run at once as there
//! are threads, a bounded number waits, and what comes beyond is turned away at once: a quick no lets the API server decide
//! by its own `failurePolicy`, a late answer only holds it up. A review whose time is over, or that nobody waits for any
//! more, is dropped where it waits and runs no guest.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError};
use tokio::sync::oneshot;
use wharf_engine::Deadline;
use wharf_telemetry::{AdmissionMetrics, Metrics};

/// The stack of a thread that runs guests: what a guest may have at most, and the host functions below it.
const STACK: usize = 4 << 20;

/// Threads that run guests.
pub(crate) struct Queue {
    jobs: Sender<Box<dyn Job>>,
    /// Where it is seen how many reviews run and wait, as soon as they do.
    metrics: Arc<Metrics>,
    /// Dropped to stop the threads, and not touched before.
    stop: Mutex<Option<Sender<Never>>>,
    threads: Vec<JoinHandle<()>>,
}

/// What is never sent.
enum Never {}

/// Why a review got no result from the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotRun {
    /// As many wait as may.
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
        // A channel without room passes jobs on only to threads that wait for one.
        let (jobs, source) = crossbeam_channel::bounded(waiting);
        let (stop, stopped) = crossbeam_channel::bounded(0);
        let mut queue = Self {
            jobs,
            metrics,
            stop: Mutex::new(Some(stop)),
            threads: Vec::with_capacity(concurrent),
        };
        for index in 0..concurrent.max(1) {
            let (source, stopped, metrics) = (source.clone(), stopped.clone(), Arc::clone(&queue.metrics));
            let thread = std::thread::Builder::new()
                .name(format!("wharf-review-{index}"))
                .stack_size(STACK)
                .spawn(move || run_jobs(&source, &stopped, metrics.admission()))?;
            queue.threads.push(thread);
        }
        Ok(queue)
    }

    /// Runs `work` on one of the threads and waits for its result; no longer than until `deadline` for a free thread. Work
    /// that has begun is waited for: it holds the deadline by itself.
    ///
    /// # Errors
    /// [`NotRun`]; unless it is [`NotRun::Lost`], nothing of the work was done.
    pub(crate) async fn run<R: Send + 'static>(
        &self,
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
        self.metrics.admission().waiting.inc();
        if let Err(error) = self.jobs.try_send(Box::new(job)) {
            self.metrics.admission().waiting.dec();
            return Err(match error {
                TrySendError::Full(_) => NotRun::Full,
                TrySendError::Disconnected(_) => NotRun::Lost,
            });
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
        self.stop.lock().unwrap_or_else(PoisonError::into_inner).take();
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

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("threads", &self.threads.len())
            .finish_non_exhaustive()
    }
}

fn run_jobs(source: &Receiver<Box<dyn Job>>, stopped: &Receiver<Never>, metrics: &AdmissionMetrics) {
    loop {
        let job = crossbeam_channel::select_biased! {
            recv(stopped) -> _ => return,
            recv(source) -> job => job,
        };
        let Ok(job) = job else { return };
        metrics.waiting.dec();
        metrics.running.inc();
        // A panic is a mistake in this program: it costs one review, which whoever waits for it notices, and not a thread.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job.run()));
        metrics.running.dec();
        if outcome.is_err() {
            tracing::error!("A review panicked, which is a mistake in Wharf; please report it.");
        }
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
        let (hold, held) = mpsc::channel::<()>();
        let (began, begins) = mpsc::channel();
        block_on(async {
            let running = tokio::spawn({
                let queue = Arc::clone(&queue);
                async move {
                    let work = move || {
                        began.send(()).unwrap();
                        held.recv().unwrap();
                        1
                    };
                    queue.run(Deadline::after(LONG), work).await
                }
            });
            while begins.try_recv().is_err() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(queue.metrics.admission().running.get(), 1);
            let late = queue.run(Deadline::after(Duration::from_millis(20)), || -> u32 {
                panic!("its time is over")
            });
            assert_eq!(late.await, Err(NotRun::TooLate));
            // It waits still, dead, until a thread throws it away.
            let more = queue.run(Deadline::after(LONG), || 3);
            assert_eq!(more.await, Err(NotRun::Full));
            hold.send(()).unwrap();
            assert_eq!(running.await.unwrap(), Ok(1));
            while queue.metrics.admission().waiting.get() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(queue.run(Deadline::after(LONG), || 4).await, Ok(4));
        });
    }

    #[test]
    fn a_panic_costs_one_review() {
        let queue = Queue::start(1, 4, Arc::new(Metrics::new())).unwrap();
        let panics = queue.run(Deadline::after(LONG), || -> u32 { panic!("a mistake") });
        assert_eq!(block_on(panics), Err(NotRun::Lost));
        assert_eq!(block_on(queue.run(Deadline::after(LONG), || 5)), Ok(5));
    }

    #[test]
    fn work_that_has_begun_is_waited_for_past_its_deadline() {
        let queue = Queue::start(1, 0, Arc::new(Metrics::new())).unwrap();
        // A channel without room takes work only once its thread waits.
        let outcome = loop {
            let work = || {
                std::thread::sleep(Duration::from_millis(50));
                6
            };
            match block_on(queue.run(Deadline::after(Duration::from_millis(5)), work)) {
                Err(NotRun::Full) => std::thread::yield_now(),
                outcome => break outcome,
            }
        };
        assert_eq!(outcome, Ok(6));
        assert!(queue.stop(LONG));
        assert_eq!(
            block_on(queue.run(Deadline::after(LONG), || 7)),
            Err(NotRun::Lost)
        );
    }
}
