//! Where a plugin is from and who signed it, for people, for programs and for the log.

use std::fmt::Write as _;

use serde_json::Value;
use wharf_distribution::{CheckedSignature, Layout, Origin, Provenance, Verified};
use wharf_plugin::Verification;
use wharf_signature::Timestamp;

use crate::commands::single::shown;
use crate::words::say;

/// The same for programs.
pub(crate) fn json(provenance: &Provenance) -> Value {
    serde_json::to_value(provenance).expect("texts and numbers are JSON")
}

/// Writes the lines of a report: the form, where it is from, and each signature. Writing to a text cannot fail.
pub(crate) fn tell(out: &mut String, layout: Layout, origin: &Origin, verified: &Verified) {
    let _ = writeln!(out, "  layout     {layout}, {}", place(origin));
    match verified.verification {
        Verification::Signed => {
            for signature in &verified.signatures {
                let _ = writeln!(out, "  signed by  {}", signer(signature));
            }
        }
        Verification::AllowedUnsigned => {
            let _ = writeln!(out, "  signed by  nobody who was asked for; `trust` lets it run");
        }
        _ => {
            let _ = writeln!(out, "  signed by  not looked at: there is no `trust`");
        }
    }
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
pub(crate) fn warn(name: &str, origin: &Origin, verified: &Verified) {
    if let Origin::StoreInstead(error) = origin {
        say(format_args!(
            "warning: {name} is what the store had, because the registry could not be asked: {error}"
        ));
    }
    for warning in &verified.warnings {
        say(format_args!("warning: {warning}"));
    }
}
