//! Runs cases side by side and gives their outcomes in order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::Builder;
use std::time::{Duration, Instant};

use super::case::{Case, Outcome, Place};

/// The stack of the threads, which guests use too: as large as that of the main thread, on which `run` runs them.
const STACK: usize = 8 << 20;

/// A case that has run.
pub(super) struct Done {
    pub(super) place: Place,
    pub(super) outcome: Outcome,
    pub(super) took: Duration,
}

/// Runs the cases on so many threads. `told` hears of each in the order of `cases`, as soon as those before it are done.
pub(super) fn run(cases: &[Box<dyn Case>], jobs: usize, mut told: impl FnMut(&Done)) -> Vec<Done> {
    let next = AtomicUsize::new(0);
    let work = |sender: Sender<(usize, Done)>| {
        while let Some((index, case)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            cases.get(index).map(|case| (index, case))
        } {
            // The receiver is there until all senders are gone.
            let _ = sender.send((index, one(case.as_ref())));
        }
    };
    std::thread::scope(|scope| {
        let (sender, receiver) = channel();
        let mut threads = 0;
        for _ in 0..jobs.min(cases.len()) {
            let sender = sender.clone();
            let thread = Builder::new().name("wharf-test".into()).stack_size(STACK);
            threads += usize::from(thread.spawn_scoped(scope, || work(sender)).is_ok());
        }
        if threads == 0 {
            // The system refuses threads: this one does the work.
            work(sender.clone());
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut all = Vec::with_capacity(cases.len());
        for (index, done) in receiver {
            waiting.insert(index, done);
            while let Some(done) = waiting.remove(&all.len()) {
                told(&done);
                all.push(done);
            }
        }
        all
    })
}

fn one(case: &dyn Case) -> Done {
    let started = Instant::now();
    let outcome = case.run();
    Done {
        place: case.place().clone(),
        outcome,
        took: started.elapsed(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::super::case::Verdict;
    use super::*;

    /// A case that ends only when others have begun.
    struct Waits<'a>(Place, &'a Barrier);

    impl Case for Waits<'_> {
        fn place(&self) -> &Place {
            &self.0
        }

        fn run(&self) -> Outcome {
            self.1.wait();
            Outcome {
                verdict: Verdict::Passed,
                report: String::new(),
                updated: None,
            }
        }
    }

    fn cases(count: usize, barrier: &'static Barrier) -> Vec<Box<dyn Case>> {
        let place = |line: usize| Place {
            file: "a".into(),
            line,
            name: line.to_string(),
        };
        (0..count)
            .map(|line| Box::new(Waits(place(line), barrier)) as Box<dyn Case>)
            .collect()
    }

    #[test]
    fn cases_run_side_by_side_and_are_told_in_order() {
        static ALL_FOUR: Barrier = Barrier::new(4);
        let mut told = Vec::new();
        let done = run(&cases(8, &ALL_FOUR), 4, |done| told.push(done.place.line));
        assert_eq!(told, [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(done.len(), 8);
    }

    #[test]
    fn more_jobs_than_cases_and_no_case_at_all() {
        static ALONE: Barrier = Barrier::new(1);
        assert_eq!(run(&cases(1, &ALONE), 64, |_| ()).len(), 1);
        assert!(run(&[], 64, |_| panic!("there is none")).is_empty());
    }
}
