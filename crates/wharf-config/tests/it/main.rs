//! Configuration files as people write them, and as they should not.

mod accepted;
mod admission;
mod cases;
mod files;
mod generated;
mod hostile;
mod refused;
mod registries;
mod trivy;
mod trust;

use std::path::Path;

use expect_test::Expect;
use wharf_config::{ConfigErrors, Loaded};

/// The file that the README shows.
const EXAMPLE: &str = include_str!("example.yaml");

fn parse(text: &str) -> Result<Loaded, ConfigErrors> {
    wharf_config::parse(text, Path::new("wharf.yaml"))
}

/// What somebody sees who loads this text: the errors, or the warnings where there are none.
fn check(text: &str, expected: &Expect) {
    let seen = match parse(text) {
        Ok(loaded) => loaded
            .warnings
            .iter()
            .map(|warning| warning.render(false))
            .collect::<Vec<_>>()
            .join("\n\n"),
        Err(errors) => errors.render(false),
    };
    expected.assert_eq(&seen);
}
