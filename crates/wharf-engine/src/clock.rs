//! The clock that holds deadlines.
//!
//! A thread advances the epoch of each engine every few milliseconds. Guests look at the epoch at each function and
//! loop, which costs them next to nothing, and ask for the time only when it has changed. While no guest has run for
//! a while the thread parks, so that an idle host sleeps.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;
use std::time::Duration;

use wasmtime::EngineWeak;

/// How many ticks without a guest the clock goes on before it parks: half a second at the default tick.
const TICKS_BEFORE_PARKING: u32 = 100;

/// A guest has run since the last tick.
const BUSY: u8 = 0;
/// No guest has run since the last tick.
const QUIET: u8 = 1;
/// The thread is parked, or about to be; whoever changes this must wake it.
const PARKED: u8 = 2;
/// Nobody needs the clock any more.
const ENDED: u8 = 3;

/// The handle of the clock's thread, which ends with it.
pub(crate) struct Clock {
    face: Arc<Face>,
    thread: Thread,
}

/// What the thread and its handle share.
struct Face {
    pace: AtomicU8,
    engines: Mutex<Vec<EngineWeak>>,
}

impl Clock {
    /// Starts the thread.
    pub(crate) fn start(tick: Duration) -> std::io::Result<Self> {
        let face = Arc::new(Face {
            pace: AtomicU8::new(BUSY),
            engines: Mutex::default(),
        });
        let run = {
            let face = Arc::clone(&face);
            move || face.run(tick)
        };
        let thread = std::thread::Builder::new()
            .name("wharf-clock".into())
            .spawn(run)?
            .thread()
            .clone();
        Ok(Self { face, thread })
    }

    /// Advances `engine` too from now on.
    pub(crate) fn drive(&self, engine: EngineWeak) {
        self.face.engines().push(engine);
    }

    /// A guest runs: the clock must tick. One load, but for the first time in each tick.
    #[inline]
    pub(crate) fn touch(&self) {
        if self.face.pace.load(Ordering::SeqCst) != BUSY {
            self.wake();
        }
    }

    #[cold]
    fn wake(&self) {
        if self.face.pace.swap(BUSY, Ordering::SeqCst) == PARKED {
            self.thread.unpark();
        }
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.face.pace.store(ENDED, Ordering::SeqCst);
        self.thread.unpark();
    }
}

impl Face {
    fn engines(&self) -> std::sync::MutexGuard<'_, Vec<EngineWeak>> {
        self.engines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, tick: Duration) {
        let mut quiet_ticks = 0;
        loop {
            std::thread::sleep(tick);
            self.engines()
                .retain(|engine| engine.upgrade().map(|engine| engine.increment_epoch()).is_some());
            match self.pace.load(Ordering::SeqCst) {
                ENDED => return,
                QUIET if quiet_ticks < TICKS_BEFORE_PARKING => quiet_ticks += 1,
                QUIET => {
                    self.park();
                    quiet_ticks = 0;
                }
                // It may have ended in the meantime, which must not be overwritten.
                _ => {
                    let _ = self
                        .pace
                        .compare_exchange(BUSY, QUIET, Ordering::SeqCst, Ordering::SeqCst);
                    quiet_ticks = 0;
                }
            }
        }
    }

    /// A guest that runs for long touches the clock at each tick, so none runs now: one that starts from here on finds
    /// that the clock is parked and wakes it.
    fn park(&self) {
        if self
            .pace
            .compare_exchange(QUIET, PARKED, Ordering::SeqCst, Ordering::SeqCst)
            .is_err()
        {
            return;
        }
        while self.pace.load(Ordering::SeqCst) == PARKED {
            std::thread::park();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_until(reached: impl Fn() -> bool) {
        for _ in 0..2_000 {
            if reached() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("it was not reached in ten seconds");
    }

    #[test]
    fn an_idle_clock_parks_and_a_touch_wakes_it() {
        let clock = Clock::start(Duration::from_millis(1)).unwrap();
        let pace = || clock.face.pace.load(Ordering::SeqCst);
        wait_until(|| pace() == PARKED);
        let engine = wasmtime::Engine::new(wasmtime::Config::new().epoch_interruption(true)).unwrap();
        clock.drive(engine.weak());
        clock.touch();
        wait_until(|| pace() == PARKED);
    }

    #[test]
    fn the_thread_ends_with_its_clock_whether_parked_or_ticking() {
        for parked in [false, true] {
            let clock = Clock::start(Duration::from_millis(1)).unwrap();
            let face = Arc::downgrade(&clock.face);
            if parked {
                wait_until(|| clock.face.pace.load(Ordering::SeqCst) == PARKED);
            }
            drop(clock);
            wait_until(|| face.upgrade().is_none());
        }
    }
}
