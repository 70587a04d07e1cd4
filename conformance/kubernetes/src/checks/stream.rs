//! Reviews without a pause, while something happens to the server.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinHandle;

use crate::cluster::{Answer, Api};
use crate::objects::{dry, pod, pods};
use crate::outcome::{Failure, Outcome};

/// How many ask at the same time.
const ASKERS: usize = 4;
/// Between an answer and the next question.
const PAUSE: Duration = Duration::from_millis(10);
/// A stream ends by itself after this long, whatever becomes of its check.
const MOST: Duration = Duration::from_secs(300);

/// Pods without a label are offered to a namespace, as long as this lives.
pub(super) struct Stream {
    askers: Vec<JoinHandle<Vec<Seen>>>,
    stop: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
}

/// What came of one question.
pub(super) struct Seen {
    pub(super) asked: Instant,
    pub(super) answered: Instant,
    pub(super) answer: Outcome<Answer>,
}

impl Stream {
    pub(super) fn start(api: &Api, namespace: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let count = Arc::new(AtomicUsize::new(0));
        let path = dry(&pods(namespace));
        let askers = (0..ASKERS)
            .map(|_| {
                let asker = ask(api.clone(), path.clone(), Arc::clone(&stop), Arc::clone(&count));
                tokio::spawn(asker)
            })
            .collect();
        Self { askers, stop, count }
    }

    /// Waits until so many more questions are answered.
    ///
    /// # Errors
    /// When they are not in time.
    pub(super) async fn wait_for(&self, more: usize) -> Outcome {
        let wanted = self.count.load(Ordering::Relaxed) + more;
        let until = Instant::now() + MOST;
        while self.count.load(Ordering::Relaxed) < wanted {
            if Instant::now() > until {
                let expected = format!("{more} more reviews within {MOST:?}");
                return Err(Failure::new(expected, "fewer"));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Ends it. Gives what each asker saw, in its order.
    ///
    /// # Errors
    /// When an asker did not get to its end.
    pub(super) async fn stop(mut self) -> Outcome<Vec<Vec<Seen>>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut seen = Vec::new();
        for asker in std::mem::take(&mut self.askers) {
            seen.push(
                asker
                    .await
                    .map_err(|error| Failure::new("an asker that ends", error))?,
            );
        }
        Ok(seen)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for asker in &self.askers {
            asker.abort();
        }
    }
}

async fn ask(api: Api, path: String, stop: Arc<AtomicBool>, count: Arc<AtomicUsize>) -> Vec<Seen> {
    let began = Instant::now();
    let mut seen = Vec::new();
    while !stop.load(Ordering::Relaxed) && began.elapsed() < MOST {
        let asked = Instant::now();
        let answer = api.post(&path, &pod("plain", &json!({}))).await;
        seen.push(Seen {
            asked,
            answered: Instant::now(),
            answer,
        });
        count.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(PAUSE).await;
    }
    seen
}

impl Seen {
    /// Whether it is the refusal with this message, whole.
    pub(super) fn is(&self, message: &str) -> bool {
        self.answer
            .as_ref()
            .is_ok_and(|answer| !answer.is_success() && answer.message() == message)
    }

    pub(super) fn is_accepted(&self) -> bool {
        self.answer.as_ref().is_ok_and(Answer::is_success)
    }

    /// Whether the API server got no verdict.
    pub(super) fn is_failure_of(&self, webhook: &str) -> bool {
        let words = format!("failed calling webhook \"{webhook}\"");
        self.answer
            .as_ref()
            .is_ok_and(|answer| answer.status == 500 && answer.message().contains(&words))
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.answer {
            Ok(answer) => write!(f, "{answer}"),
            Err(failure) => write!(f, "{failure}"),
        }
    }
}

/// What reviews come to for a while.
pub(super) struct Stage {
    name: &'static str,
    fits: Box<dyn Fn(&Seen) -> bool>,
}

impl Stage {
    pub(super) fn new(name: &'static str, fits: impl Fn(&Seen) -> bool + 'static) -> Self {
        Self {
            name,
            fits: Box::new(fits),
        }
    }
}

/// Holds what one asker saw against stages: each answer belongs to the stage of the one before, or to a later one; and all of
/// them come.
///
/// # Errors
/// The first answer that does not fit, or the stage that did not come.
pub(super) fn hold(seen: &[Seen], stages: &[Stage]) -> Outcome {
    let mut counts = vec![0; stages.len()];
    let mut current = 0;
    for (number, one) in seen.iter().enumerate() {
        let Some(ahead) = stages.iter().skip(current).position(|stage| (stage.fits)(one)) else {
            let names: Vec<&str> = stages.iter().skip(current).map(|stage| stage.name).collect();
            let expected = format!("review {number} of {}: {}", seen.len(), names.join(", or "));
            return Err(Failure::new(expected, one));
        };
        current += ahead;
        counts[current] += 1;
    }
    let absent = stages.iter().zip(counts).find(|(_, count)| *count == 0);
    absent.map_or(Ok(()), |(stage, _)| {
        Err(Failure::new(
            format!("reviews that come to {}", stage.name),
            "none",
        ))
    })
}
