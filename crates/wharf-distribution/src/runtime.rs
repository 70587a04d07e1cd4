//! Asynchronous work for those who wait for it on a thread of their own.

use std::io;

/// Runs what `make` makes to its end. On a thread that serves a tokio runtime, which may not be blocked in this way, another
/// thread runs it.
pub(crate) fn block_on<F: Future>(make: impl FnOnce() -> F + Send) -> io::Result<F::Output>
where
    F::Output: Send,
{
    if tokio::runtime::Handle::try_current().is_err() {
        return block_here(make);
    }
    std::thread::scope(|scope| {
        let work = std::thread::Builder::new().name("wharf-fetch".into());
        let thread = work.spawn_scoped(scope, || block_here(make))?;
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn block_here<F: Future>(make: impl FnOnce() -> F) -> io::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(make());
    // A lookup of a name cannot be broken off, and whoever does not want it any more does not wait for its end.
    runtime.shutdown_background();
    Ok(outcome)
}
