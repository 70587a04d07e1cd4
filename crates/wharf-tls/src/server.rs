//! A server's TLS, and how it changes when its files do.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::accept::TlsAcceptor;
use crate::certificate::Certificate;
use crate::error::LoadError;
use crate::files::{Contents, ContentsDigest};
use crate::loaded::Loaded;
use crate::settings::ServerTlsSettings;
use crate::timestamp::Timestamp;
use crate::told::{Told, with_causes};
use crate::warning::Warning;
use crate::watch::Watcher;

/// The TLS of one server. Cloning it gives another handle to the same.
#[derive(Clone)]
pub struct ServerTls {
    shared: Arc<Shared>,
}

/// What handles, acceptors and the watcher have in common.
pub(crate) struct Shared {
    settings: ServerTlsSettings,
    pub(crate) current: ArcSwap<Loaded>,
    outcome: ArcSwap<Outcome>,
    /// Held for a whole look at the files, so that there is one at a time. No handshake and no status waits for it.
    looking: Mutex<Looking>,
}

/// What came of the looks at the files so far.
#[derive(Clone)]
struct Outcome {
    checked_at: Timestamp,
    reloads: u64,
    refusals: u64,
    failure: Option<Arc<Failure>>,
}

/// What a look at the files remembers for the next one.
#[derive(Default)]
struct Looking {
    /// What the last look saw, where it was not what is in use.
    seen: Option<Seen>,
    told: Told,
}

#[derive(PartialEq)]
enum Seen {
    Contents(ContentsDigest),
    /// The files could not be read, for this reason.
    Unreadable(String),
}

/// What came of a look at the files.
#[derive(Clone, Debug)]
pub enum ReloadReport {
    /// They are those in use.
    Unchanged,
    /// They are not, and somebody may still be writing them: the next look decides.
    Unsettled,
    /// They have been taken: new connections get this certificate.
    Reloaded(Box<Certificate>),
    /// They cannot be used; the old ones go on serving.
    Refused(Arc<Failure>),
}

/// Why the files are not in use as they are now.
#[derive(Debug)]
pub struct Failure {
    /// Since when it has been so.
    pub since: Timestamp,
    /// What is wrong with them.
    pub error: LoadError,
}

/// How a server's TLS is, for the admin port.
#[derive(Clone, Debug)]
pub struct Status {
    /// When the files in use were loaded.
    pub loaded_at: Timestamp,
    /// When the files were last looked at.
    pub checked_at: Timestamp,
    /// How often files have been taken since the start.
    pub reloads: u64,
    /// How many looks found files that cannot be used.
    pub refusals: u64,
    /// The server's certificate in use, and then the others of its chain.
    pub chain: Vec<Certificate>,
    /// The CAs in use whose clients are let in; empty where clients need no certificate.
    pub client_cas: Vec<Certificate>,
    /// What is odd about the files in use, now.
    pub warnings: Vec<Warning>,
    /// Why the files on the disk are not those in use; `None` where they are.
    pub failure: Option<Arc<Failure>>,
}

impl ServerTls {
    /// Reads the files and checks that they fit together. What is odd about them is logged as warnings. Blocks the thread
    /// while the files are read.
    ///
    /// # Errors
    /// [`LoadError`] says which file cannot be used and why, and [`LoadError::hint`] what to do about it.
    pub fn load(settings: ServerTlsSettings) -> Result<ServerTls, LoadError> {
        let loaded = Loaded::from_contents(&settings, &Contents::read_settled(&settings)?)?;
        let mut looking = Looking::default();
        looking.told.warn(&loaded.warnings(loaded.loaded_at));
        let outcome = Outcome {
            checked_at: loaded.loaded_at,
            reloads: 0,
            refusals: 0,
            failure: None,
        };
        Ok(ServerTls {
            shared: Arc::new(Shared {
                settings,
                current: ArcSwap::from_pointee(loaded),
                outcome: ArcSwap::from_pointee(outcome),
                looking: Mutex::new(looking),
            }),
        })
    }

    /// Accepts connections, always with the files in use at that moment.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::new(Arc::clone(&self.shared))
    }

    /// Looks at the files now and then, from a thread of its own, until the [`Watcher`] is dropped; `report` is called
    /// after each look. The interval is at least 10 ms.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn watch(
        &self,
        interval: Duration,
        report: impl Fn(&ReloadReport) + Send + 'static,
    ) -> io::Result<Watcher> {
        Watcher::start(self.clone(), interval, report)
    }

    /// Looks at the files once. Changed ones are taken by the second look that sees the same; leave
    /// [`SETTLE`](crate::SETTLE) between the two. Blocks the thread while the files are read.
    pub fn look(&self) -> ReloadReport {
        let mut looking = self.shared.looking.lock().unwrap_or_else(PoisonError::into_inner);
        let report = self.look_once(&mut looking);
        self.record(&report, &mut looking.told);
        let warnings = self.shared.current.load().warnings(Timestamp::now());
        looking.told.warn(&warnings);
        report
    }

    /// How it is now. Waits for nobody.
    pub fn status(&self) -> Status {
        let loaded = self.shared.current.load();
        let outcome = self.shared.outcome.load();
        Status {
            loaded_at: loaded.loaded_at,
            checked_at: outcome.checked_at,
            reloads: outcome.reloads,
            refusals: outcome.refusals,
            chain: loaded.chain.clone(),
            client_cas: loaded.client_cas.clone(),
            warnings: loaded.warnings(Timestamp::now()),
            failure: outcome.failure.clone(),
        }
    }

    fn look_once(&self, looking: &mut Looking) -> ReloadReport {
        let settings = &self.shared.settings;
        let contents = Contents::read(settings);
        let seen = match &contents {
            Ok(contents) => Seen::Contents(contents.digest()),
            Err(error) => Seen::Unreadable(with_causes(error)),
        };
        if seen == Seen::Contents(self.shared.current.load().digest) {
            looking.seen = None;
            return ReloadReport::Unchanged;
        }
        if looking.seen.as_ref() != Some(&seen) {
            looking.seen = Some(seen);
            return ReloadReport::Unsettled;
        }
        match contents.and_then(|contents| Loaded::from_contents(settings, &contents)) {
            Ok(loaded) => {
                looking.seen = None;
                let certificate = loaded.chain[0].clone();
                self.shared.current.store(Arc::new(loaded));
                ReloadReport::Reloaded(Box::new(certificate))
            }
            Err(error) => ReloadReport::Refused(self.failure(error)),
        }
    }

    /// The same failure as before keeps its time.
    fn failure(&self, error: LoadError) -> Arc<Failure> {
        let same = |failure: &&Arc<Failure>| with_causes(&failure.error) == with_causes(&error);
        let outcome = self.shared.outcome.load();
        outcome.failure.as_ref().filter(same).cloned().unwrap_or_else(|| {
            let since = Timestamp::now();
            Arc::new(Failure { since, error })
        })
    }

    /// Writes a look's outcome into the status and the log.
    fn record(&self, report: &ReloadReport, told: &mut Told) {
        let mut outcome = Outcome::clone(&self.shared.outcome.load());
        outcome.checked_at = Timestamp::now();
        match report {
            ReloadReport::Unchanged => {
                if outcome.failure.take().is_some() {
                    told.recovered(&self.shared.settings);
                }
            }
            ReloadReport::Unsettled => {}
            ReloadReport::Reloaded(certificate) => {
                outcome.reloads += 1;
                outcome.failure = None;
                told.reloaded(&self.shared.settings, certificate);
            }
            ReloadReport::Refused(failure) => {
                outcome.refusals += 1;
                outcome.failure = Some(Arc::clone(failure));
                told.refused(&failure.error);
            }
        }
        self.shared.outcome.store(Arc::new(outcome));
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls")
            .field("settings", &self.shared.settings)
            .field("chain", &self.shared.current.load().chain)
            .finish_non_exhaustive()
    }
}
