//! Work on several things at once.

use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many threads help.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// What `work` gives for each item, in their order, on as many threads as there are cores.
pub(crate) fn map<T: Sync, R: Send + Sync>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let outcomes: Vec<OnceLock<R>> = items.iter().map(|_| OnceLock::new()).collect();
    let next = AtomicUsize::new(0);
    let run = || {
        while let Some((item, outcome)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            items.get(index).zip(outcomes.get(index))
        } {
            // Each index is given out once, so the place is empty.
            let _ = outcome.set(work(item));
        }
    };
    thread::scope(|scope| {
        for _ in 1..cores().min(items.len()) {
            // Where the system refuses a thread, the others and this one do its work.
            let _ = thread::Builder::new()
                .name("wharf-scan-load".into())
                .spawn_scoped(scope, run);
        }
        run();
    });
    outcomes
        .into_iter()
        .map(|outcome| outcome.into_inner().expect("all indices were worked on"))
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn outcomes_are_in_the_order_of_the_items() {
        let items: Vec<u32> = (0..1000).collect();
        let doubled: Vec<u32> = items.iter().map(|item| item * 2).collect();
        assert_eq!(super::map(&items, |item| item * 2), doubled);
        assert!(super::map(&[] as &[u32], |item| *item).is_empty());
    }
}
