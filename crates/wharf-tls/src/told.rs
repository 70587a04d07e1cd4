//! What the log says of a server's files: each thing once.

use std::collections::HashSet;
use std::error::Error;

use crate::certificate::Certificate;
use crate::error::LoadError;
use crate::settings::ServerTlsSettings;
use crate::warning::Warning;

/// The most texts that are remembered. A server with more of them than this has worse problems than a log that repeats itself.
const MOST: usize = 64;

/// What has been logged, so that no look at the files repeats it.
#[derive(Default)]
pub(crate) struct Told {
    /// Why changed files cannot be used.
    failures: HashSet<String>,
    /// What is odd about the files in use.
    warnings: HashSet<String>,
}

impl Told {
    pub(crate) fn warn(&mut self, warnings: &[Warning]) {
        for warning in warnings {
            if let Some(reason) = first_time(&mut self.warnings, warning.to_string()) {
                tracing::warn!(reason, hint = warning.hint(), "A file of a server's TLS is odd.");
            }
        }
    }

    pub(crate) fn refused(&mut self, error: &LoadError) {
        if let Some(reason) = first_time(&mut self.failures, with_causes(error)) {
            tracing::warn!(
                reason,
                hint = error.hint(),
                "Changed files of a server's TLS cannot be used; the old ones go on serving."
            );
        }
    }

    /// The files are again those in use, so that the next failure is news.
    pub(crate) fn recovered(&mut self, settings: &ServerTlsSettings) {
        self.failures.clear();
        tracing::info!(
            certificate = %settings.certificate.display(),
            "The files of a server's TLS are again those in use."
        );
    }

    /// Other files are in use, so that whatever comes is news.
    pub(crate) fn reloaded(&mut self, settings: &ServerTlsSettings, certificate: &Certificate) {
        *self = Told::default();
        let not_after = certificate
            .validity
            .map(|validity| tracing::field::display(validity.not_after));
        tracing::info!(
            certificate = %settings.certificate.display(),
            names = ?certificate.names,
            serial = certificate.serial,
            fingerprint = %certificate.fingerprint,
            not_after,
            "A server's TLS was reloaded from its files."
        );
    }
}

/// Gives the text if it is new.
fn first_time(told: &mut HashSet<String>, text: String) -> Option<String> {
    if told.len() == MOST && !told.contains(&text) {
        told.clear();
    }
    told.insert(text.clone()).then_some(text)
}

/// An error with what it comes from.
pub(crate) fn with_causes(error: &LoadError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
