//! Trivy's files: `.trivyignore.yaml`, which says what findings are passed over, and `trivy.yaml`, its configuration.
//!
//! Both are read as Trivy 0.76 reads them, into structs that know nothing of reports.

mod ignore;
mod settings;

pub use ignore::{IgnoreEntry, TrivyIgnore, parse_trivyignore_yaml};
pub use settings::{TrivySettings, UnusedKey, parse_trivy_yaml};
