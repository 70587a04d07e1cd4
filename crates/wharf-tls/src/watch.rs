//! Looking at the files now and then.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use crate::server::{ReloadReport, ServerTls};

/// How often the files are best looked at: 5 s. A look reads some kilobytes.
pub const WATCH_INTERVAL: Duration = Duration::from_secs(5);

/// How long changed files must stay the same before they are taken: 1 s, or the interval where that is shorter.
pub const SETTLE: Duration = Duration::from_secs(1);

/// The shortest interval: what is shorter would only heat the machine.
const SHORTEST: Duration = Duration::from_millis(10);

/// Looks at a server's files until it is dropped. A look that is under way then is still finished.
#[derive(Debug)]
#[must_use = "dropping it ends the looking"]
pub struct Watcher {
    /// Dropping it wakes the thread and ends it.
    _stop: Sender<()>,
}

impl Watcher {
    pub(crate) fn start(
        tls: ServerTls,
        interval: Duration,
        report: impl Fn(&ReloadReport) + Send + 'static,
    ) -> io::Result<Watcher> {
        let (stop, stopped) = mpsc::channel();
        thread::Builder::new()
            .name("wharf-tls".to_owned())
            .spawn(move || watch(&tls, interval.max(SHORTEST), report, &stopped))?;
        Ok(Watcher { _stop: stop })
    }
}

fn watch(tls: &ServerTls, interval: Duration, report: impl Fn(&ReloadReport), stopped: &Receiver<()>) {
    let mut wait = interval;
    while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
        let found = tls.look();
        wait = match found {
            ReloadReport::Unsettled => interval.min(SETTLE),
            _ => interval,
        };
        report(&found);
    }
}
