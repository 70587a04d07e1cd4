//! Which review is next: policies take turns, and none has more than its share.
//!
//! ```text
//! next   ─► a ─► c            policies whose first job may run, in the order of their turns
//! lines     a: ▪▪▪  (1 runs)
//!           b: ▪▪   (2 run, which is its share)
//!           c: ▪    (0 run)
//! ```

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// How many jobs there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// That run at the same time; at least one.
    pub(super) threads: usize,
    /// That wait beside them.
    pub(super) waiting: usize,
}

/// The jobs that wait and how many run, by policy. It starts nothing by itself.
pub(super) struct Lines<J> {
    bounds: Bounds,
    /// Those of which something runs or waits.
    lines: HashMap<Arc<str>, Line<J>>,
    next: VecDeque<Arc<str>>,
    waiting: usize,
    running: usize,
}

/// What there is of one policy.
struct Line<J> {
    waiting: VecDeque<J>,
    running: usize,
    /// Whether it stands in [`Lines::next`].
    is_next: bool,
}

/// There is no room for a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

impl Bounds {
    /// How many of the threads one policy may have: all but a fifth of them, rounded up, where there are several.
    fn threads_of_one(self) -> usize {
        self.threads.saturating_sub(self.threads.div_ceil(5)).max(1)
    }

    /// How many of the places to wait one policy may have: all but a fifth of them, rounded down.
    fn waiting_of_one(self) -> usize {
        self.waiting - self.waiting / 5
    }
}

impl<J> Lines<J> {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            lines: HashMap::new(),
            next: VecDeque::new(),
            waiting: 0,
            running: 0,
        }
    }

    /// Puts a job behind those of its policy. Says whether its policy may have a thread for it now.
    ///
    /// # Errors
    /// [`Full`]: as many wait as may, of this policy or of all.
    pub(super) fn push(&mut self, policy: &Arc<str>, job: J) -> Result<bool, Full> {
        let share = self.bounds.threads_of_one();
        // What a free thread is about to take does not wait.
        let free = self.bounds.threads.saturating_sub(self.running);
        if self.waiting >= self.bounds.waiting.saturating_add(free) {
            return Err(Full);
        }
        let line = self.lines.entry(Arc::clone(policy)).or_insert_with(|| Line {
            waiting: VecDeque::new(),
            running: 0,
            is_next: false,
        });
        let free = share.saturating_sub(line.running);
        if line.waiting.len() >= self.bounds.waiting_of_one().saturating_add(free) {
            return Err(Full);
        }
        line.waiting.push_back(job);
        self.waiting += 1;
        let may_run = line.waiting.len() <= free;
        line.stand(policy, share, &mut self.next);
        Ok(may_run)
    }

    /// The job whose turn it is, which runs from now on; none where all that wait have to.
    pub(super) fn take(&mut self) -> Option<(Arc<str>, J)> {
        let policy = self.next.pop_front()?;
        let share = self.bounds.threads_of_one();
        let line = self.lines.get_mut(&policy)?;
        line.is_next = false;
        let job = line.waiting.pop_front()?;
        line.running += 1;
        line.stand(&policy, share, &mut self.next);
        self.waiting -= 1;
        self.running += 1;
        Some((policy, job))
    }

    /// A job of this policy has ended.
    pub(super) fn done(&mut self, policy: &Arc<str>) {
        self.running = self.running.saturating_sub(1);
        let share = self.bounds.threads_of_one();
        let Some(line) = self.lines.get_mut(policy) else {
            return;
        };
        line.running = line.running.saturating_sub(1);
        line.stand(policy, share, &mut self.next);
        if line.running == 0 && line.waiting.is_empty() {
            self.lines.remove(policy);
        }
    }

    /// Takes out all that wait.
    pub(super) fn clear(&mut self) -> Vec<J> {
        self.next.clear();
        self.waiting = 0;
        let lines = self.lines.values_mut();
        lines
            .flat_map(|line| {
                line.is_next = false;
                std::mem::take(&mut line.waiting)
            })
            .collect()
    }
}

impl<J> Line<J> {
    /// Takes a turn where the first job may run.
    fn stand(&mut self, policy: &Arc<str>, share: usize, next: &mut VecDeque<Arc<str>>) {
        if !self.is_next && !self.waiting.is_empty() && self.running < share {
            self.is_next = true;
            next.push_back(Arc::clone(policy));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(threads: usize, waiting: usize) -> Lines<u32> {
        Lines::new(Bounds { threads, waiting })
    }

    fn taken(lines: &mut Lines<u32>) -> Vec<u32> {
        std::iter::from_fn(|| lines.take()).map(|(_, job)| job).collect()
    }

    #[test]
    fn one_policy_has_no_more_than_its_share_and_others_do_not_wait_for_it() {
        let mut lines = lines(3, 100);
        let [slow, quick] = [Arc::from("slow"), Arc::from("quick")];
        assert_eq!(
            [1, 2, 3].map(|job| lines.push(&slow, job)),
            [Ok(true), Ok(true), Ok(false)]
        );
        assert_eq!(taken(&mut lines), [1, 2]);
        assert_eq!(lines.push(&quick, 10), Ok(true));
        assert_eq!(taken(&mut lines), [10]);
        lines.done(&quick);
        assert_eq!(taken(&mut lines), [0; 0]);
        lines.done(&slow);
        assert_eq!(taken(&mut lines), [3]);
        for policy in [&slow, &slow] {
            lines.done(policy);
        }
        assert!(lines.lines.is_empty() && lines.next.is_empty());
        assert_eq!((lines.waiting, lines.running), (0, 0));
    }

    #[test]
    fn policies_take_turns() {
        let mut lines = lines(1, 100);
        let [a, b] = [Arc::from("a"), Arc::from("b")];
        for job in [1, 2, 3] {
            lines.push(&a, job).unwrap();
        }
        lines.push(&b, 10).unwrap();
        lines.push(&b, 11).unwrap();
        let mut order = Vec::new();
        while let Some((policy, job)) = lines.take() {
            order.push(job);
            lines.done(&policy);
        }
        assert_eq!(order, [1, 10, 2, 11, 3]);
    }

    #[test]
    fn one_policy_leaves_places_to_wait_for_others() {
        let mut lines = lines(2, 10);
        let [flood, other] = [Arc::from("flood"), Arc::from("other")];
        lines.push(&flood, 0).unwrap();
        assert_eq!(lines.take().unwrap().1, 0);
        for job in 1..=8 {
            assert_eq!(lines.push(&flood, job), Ok(false));
        }
        assert_eq!(lines.push(&flood, 9), Err(Full));
        // One for the thread that is free, and the two places that are left.
        assert_eq!(
            [1, 2, 3].map(|job| lines.push(&other, job)),
            [Ok(true), Ok(false), Ok(false)]
        );
        assert_eq!(lines.push(&other, 4), Err(Full));
    }

    #[test]
    fn shares() {
        let share = |threads, waiting| {
            let bounds = Bounds { threads, waiting };
            (bounds.threads_of_one(), bounds.waiting_of_one())
        };
        assert_eq!(share(1, 0), (1, 0));
        assert_eq!(share(2, 1), (1, 1));
        assert_eq!(share(3, 5), (2, 4));
        assert_eq!(share(8, 256), (6, 205));
        assert_eq!(share(10, 100_000), (8, 80_000));
    }

    #[test]
    fn what_is_cleared_does_not_run() {
        let mut lines = lines(2, 10);
        let policy = Arc::from("a");
        for job in 0..3 {
            lines.push(&policy, job).unwrap();
        }
        assert_eq!(lines.take().unwrap().1, 0);
        assert_eq!(lines.clear(), [1, 2]);
        lines.done(&policy);
        assert_eq!(taken(&mut lines), [0; 0]);
    }
}
