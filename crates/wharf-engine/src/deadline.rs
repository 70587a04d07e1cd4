//! The moment by which something must have ended.

use std::time::{Duration, Instant};

/// The moment by which a piece of work must have ended that takes several calls: instances, guest calls, and what host
/// functions wait for in between each get what is left.
///
/// Making and asking one reads a clock that never goes back, which costs some tens of nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    given: Duration,
    at: Instant,
}

impl Deadline {
    /// A deadline so long from now. One that the clock cannot express is a day away.
    pub fn after(given: Duration) -> Self {
        Self {
            given,
            at: deadline_from(Instant::now(), given),
        }
    }

    /// How long it is until then; zero once it has passed.
    pub fn left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// How long it was when it was set, for messages.
    pub fn given(&self) -> Duration {
        self.given
    }

    /// Whether it has passed.
    pub fn has_passed(&self) -> bool {
        self.left().is_zero()
    }

    /// This one, or one so long from now where that comes first.
    #[must_use]
    pub fn at_most(self, given: Duration) -> Self {
        let other = Self::after(given);
        if other.at < self.at { other } else { self }
    }
}

/// A deadline so far away that the clock cannot express it is a day.
pub(crate) fn deadline_from(start: Instant, deadline: Duration) -> Instant {
    start
        .checked_add(deadline)
        .unwrap_or_else(|| start + Duration::from_secs(86_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_never_more_than_was_given() {
        let hour = Duration::from_secs(3_600);
        let deadline = Deadline::after(hour);
        assert!(deadline.left() <= hour && !deadline.has_passed());
        assert_eq!(deadline.given(), hour);

        let none = Deadline::after(Duration::ZERO);
        assert!(none.has_passed());
        assert_eq!(none.left(), Duration::ZERO);
        assert!(!Deadline::after(Duration::MAX).has_passed());
    }

    #[test]
    fn the_earlier_of_two_counts() {
        let hour = Duration::from_secs(3_600);
        assert_eq!(
            Deadline::after(hour).at_most(Duration::ZERO).given(),
            Duration::ZERO
        );
        assert_eq!(
            Deadline::after(Duration::ZERO).at_most(hour).given(),
            Duration::ZERO
        );
    }
}
