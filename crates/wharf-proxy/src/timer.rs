//! A timer that is cheap to move.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// Wakes its task at a deadline that moves often. Moving the deadline later costs nothing: the runtime's timer is
/// set again only when it fires, so a busy connection touches it about once per timeout and not once per request.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    /// Ready at or after the deadline.
    pub(crate) fn poll_until(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    fn paused() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
    }

    #[test]
    fn a_deadline_moves_later_and_earlier() {
        paused().block_on(async {
            let mut timer = Timer::default();
            let start = Instant::now();
            let (soon, later) = (start + Duration::from_millis(2), start + Duration::from_millis(8));
            let first = poll_fn(|cx| Poll::Ready(timer.poll_until(soon, cx))).await;
            assert!(first.is_pending());
            poll_fn(|cx| timer.poll_until(later, cx)).await;
            assert!(Instant::now() >= later);
            let far = Instant::now() + Duration::from_secs(3_600);
            assert!(
                poll_fn(|cx| Poll::Ready(timer.poll_until(far, cx)))
                    .await
                    .is_pending()
            );
            let near = Instant::now() + Duration::from_millis(1);
            poll_fn(|cx| timer.poll_until(near, cx)).await;
            assert!(Instant::now() >= near);
        });
    }
}
