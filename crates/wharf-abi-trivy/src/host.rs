//! What a module reaches.

/// The world of a module. Any number of threads may call it at once: those that call the module.
pub trait Host: Send + Sync {
    /// The module says something.
    fn log(&self, line: &LogLine<'_>);

    /// The nanoseconds since 1970-01-01T00:00:00Z. Asked only under [`Clock::Real`](crate::Clock::Real).
    fn realtime_nanoseconds(&self) -> u64;

    /// Nanoseconds of a clock that never goes back. Asked only under [`Clock::Real`](crate::Clock::Real).
    fn monotonic_nanoseconds(&self) -> u64;
}

/// Something that a module says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// By which way.
    pub source: LogSource,
    /// The file that it is looking at; none in a post-scan and while it starts.
    pub file: Option<&'a str>,
    /// What it says; at most [`PayloadLimits::text`](crate::PayloadLimits::text) and a remark. It may have control characters
    /// and line ends.
    pub text: &'a str,
}

/// The way by which a module says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogSource {
    /// `env.debug`.
    Debug,
    /// `env.info`.
    Info,
    /// `env.warn`.
    Warn,
    /// `env.error`.
    Error,
    /// Standard output, which Trivy does not show.
    Stdout,
    /// Standard error, which Trivy does not show. Runtimes write there before they abort.
    Stderr,
}
