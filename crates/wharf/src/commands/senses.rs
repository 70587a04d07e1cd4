//! The clocks and the random bytes of a guest that is run by hand.

use std::time::{Duration, Instant, SystemTime};

use wharf_config::cases::{Clock, Randomness};

/// How far a fixed clock goes on with each reading: durations that a guest measures are never nothing.
const READING: Duration = Duration::from_micros(1);

/// What the monotonic clock shows when a fixed clock begins.
const MONOTONIC_START: u64 = 1_000_000_000;

/// The time that a guest sees.
pub(super) enum Time {
    Real { started: Instant },
    Fixed { began: u64, now: u64 },
}

/// Where the random bytes of a guest come from.
pub(super) enum Random {
    System,
    Seeded(SplitMix),
}

/// The generator SplitMix64: small, and the same everywhere. Nothing is guarded by it.
pub(super) struct SplitMix(u64);

impl Time {
    pub(super) fn new(clock: Clock) -> Self {
        match clock {
            Clock::Real => Self::Real {
                started: Instant::now(),
            },
            Clock::Fixed(now) => Self::Fixed { began: now, now },
        }
    }

    /// Lets time pass, where it does not pass by itself.
    pub(super) fn pass(&mut self, duration: Duration) {
        if let Self::Fixed { now, .. } = self {
            *now = now.saturating_add(nanoseconds(duration));
        }
    }

    /// The nanoseconds since 1970.
    pub(super) fn realtime(&mut self) -> u64 {
        self.pass(READING);
        match self {
            Self::Real { .. } => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                nanoseconds(now.unwrap_or_default())
            }
            Self::Fixed { now, .. } => *now,
        }
    }

    /// Nanoseconds that never go back.
    pub(super) fn monotonic(&mut self) -> u64 {
        self.pass(READING);
        match self {
            Self::Real { started } => nanoseconds(started.elapsed()),
            Self::Fixed { began, now } => MONOTONIC_START.saturating_add(*now - *began),
        }
    }
}

impl Random {
    pub(super) fn new(randomness: Randomness) -> Self {
        match randomness {
            Randomness::Real => Self::System,
            Randomness::Seeded => Self::Seeded(SplitMix(0)),
        }
    }

    /// Fills a buffer.
    ///
    /// # Errors
    /// Where the system gives no random bytes; the rest of the buffer is as it was.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<(), rustix::io::Errno> {
        match self {
            Self::Seeded(generator) => {
                generator.fill(buffer);
                Ok(())
            }
            Self::System => fill_from_the_system(buffer),
        }
    }
}

fn fill_from_the_system(buffer: &mut [u8]) -> Result<(), rustix::io::Errno> {
    let mut filled = 0;
    while filled < buffer.len() {
        let flags = rustix::rand::GetRandomFlags::empty();
        match rustix::rand::getrandom(&mut buffer[filled..], flags) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn fill(&mut self, buffer: &mut [u8]) {
        for piece in buffer.chunks_mut(8) {
            let bytes = self.next().to_le_bytes();
            piece.copy_from_slice(&bytes[..piece.len()]);
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeded_bytes_are_those_of_the_published_generator() {
        let mut generator = SplitMix(1_234_567);
        assert_eq!(generator.next(), 6_457_827_717_110_365_317);
        assert_eq!(generator.next(), 3_203_168_211_198_807_973);
        let mut bytes = [0; 11];
        SplitMix(0).fill(&mut bytes);
        assert_eq!(bytes[..8], 0xe220_a839_7b1d_cdaf_u64.to_le_bytes());
        assert_ne!(bytes[8..], [0; 3]);
    }

    #[test]
    fn a_fixed_clock_goes_on_by_readings_and_by_what_is_told() {
        let mut time = Time::new(Clock::Fixed(5_000));
        assert_eq!((time.realtime(), time.realtime()), (6_000, 7_000));
        time.pass(Duration::from_nanos(500));
        assert_eq!(time.monotonic(), MONOTONIC_START + 3_500);
    }
}
