//! Where a plugin is from and who signed it, for people, for programs and for the log.

use std::fmt::Write as _;

use serde_json::Value;
use wharf_distribution::{CheckedSignature, Layout, Origin, Provenance};
use wharf_plugin::Verification;
use wharf_signature::Timestamp;

use crate::commands::single::shown;
use crate::words::say;

/// The same for programs.
pub(crate) fn json(provenance: &Provenance) -> Value {
    serde_json::to_value(provenance).expect("texts and numbers are JSON")
}

/// What a report has of it: the form, where it is from, and each signature. Of a file about which nobody was asked there is nothing.
pub(crate) fn facts(provenance: &Provenance) -> Vec<(&'static str, String)> {
    let Provenance {
        layout,
        resolved,
        origin,
        verified,
        ..
    } = provenance;
    if *layout == Layout::File && verified.verification == Verification::Unverified {
        return Vec::new();
    }
    let mut facts = vec![("layout", format!("{layout}, {}", place(origin)))];
    if *layout != Layout::File {
        facts.insert(0, ("resolved", resolved.to_string()));
    }
    match verified.verification {
        Verification::Signed => {
            let signers = verified.signatures.iter().map(signer);
            facts.extend(signers.map(|signer| ("signed by", signer)));
        }
        Verification::AllowedUnsigned => {
            facts.push(("signed by", "nobody is asked for: `trust` lets it run".to_owned()));
        }
        _ => facts.push(("signed by", "not looked at: there is no `trust`".to_owned())),
    }
    facts
}

/// The same as lines below a heading.
pub(crate) fn lines(provenance: &Provenance) -> String {
    let mut out = String::new();
    for (name, value) in facts(provenance) {
        // Writing to a text cannot fail.
        let _ = writeln!(out, "  {name:<10} {value}");
    }
    out
}

fn place(origin: &Origin) -> &'static str {
    match origin {
        Origin::File => "a file",
        Origin::Network => "fetched just now",
        Origin::Store => "from the store",
        Origin::StoreInstead(_) => "from the store, because the registry could not be asked",
    }
}

fn signer(signature: &CheckedSignature) -> String {
    let mut text = shown(&signature.signer);
    if let Some(issuer) = &signature.issuer {
        let _ = write!(text, " (by {})", shown(issuer));
    }
    if let Some(time) = signature.time {
        let since = time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let _ = write!(text, ", at {}", Timestamp::from_unix_seconds(since.as_secs()));
    }
    if let Some(index) = signature.log_index {
        let _ = write!(text, ", log entry {index}");
    }
    text
}

/// Says what a deployer should hear of though the plugin may run.
pub(crate) fn warn(name: &str, provenance: &Provenance) {
    if let Origin::StoreInstead(error) = &provenance.origin {
        say(format_args!(
            "warning: {name} is what the store had, because the registry could not be asked: {error}"
        ));
    }
    for warning in &provenance.verified.warnings {
        say(format_args!("warning: {warning}"));
    }
}
