//! The differences that are right, each with its reason.

use std::path::Path;

use serde::Deserialize;

use crate::compare::Difference;
use crate::yaml;

/// A difference that is right.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Allowance {
    /// What differs, such as `client.header.server`; a `*` at the end stands for any rest.
    what: String,
    /// Only in this exchange, from 1; in all where it is not given.
    exchange: Option<usize>,
    /// Only where Envoy has this; whatever it has where this is not given.
    envoy: Option<String>,
    /// Only where Wharf has this; whatever it has where this is not given.
    wharf: Option<String>,
    /// Why it is right.
    pub(crate) reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    allowed: Vec<Allowance>,
}

impl Allowance {
    /// Whether this is the difference that is meant.
    pub(crate) fn covers(&self, difference: &Difference) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted
                .as_ref()
                .is_none_or(|wanted| wanted.trim_end() == found.trim_end())
        };
        let what = match self.what.strip_suffix('*') {
            Some(prefix) => difference.what.starts_with(prefix),
            None => difference.what == self.what,
        };
        what && self
            .exchange
            .is_none_or(|number| difference.exchange == Some(number))
            && is(&self.envoy, &difference.envoy)
            && is(&self.wharf, &difference.wharf)
    }

    /// What it is for, for a report that nothing needs it.
    pub(crate) fn title(&self) -> String {
        match self.exchange {
            Some(number) => format!("{} in exchange {number}", self.what),
            None => self.what.clone(),
        }
    }
}

/// Those for all cases.
///
/// # Errors
/// Why the file cannot be read.
pub(crate) fn load(path: &Path) -> Result<Vec<Allowance>, String> {
    let unreadable = |reason: String| format!("{}: {reason}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
    Ok(yaml::read::<File>(&text).map_err(unreadable)?.allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(what: &str, exchange: usize, envoy: &str, wharf: &str) -> Difference {
        Difference {
            what: what.into(),
            exchange: Some(exchange),
            envoy: envoy.into(),
            wharf: wharf.into(),
        }
    }

    #[test]
    fn an_allowance_covers_no_more_than_it_says() {
        let allowance: Allowance =
            yaml::read("what: client.framing\nexchange: 2\nwharf: chunked\nreason: x").unwrap();
        assert!(allowance.covers(&difference("client.framing", 2, "none", "chunked")));
        assert!(!allowance.covers(&difference("client.framing", 1, "none", "chunked")));
        assert!(!allowance.covers(&difference("client.framing", 2, "none", "close")));
        assert!(!allowance.covers(&difference("client.framing2", 2, "none", "chunked")));
        let family: Allowance = yaml::read("what: client.header.x-*\nreason: x").unwrap();
        assert!(family.covers(&difference("client.header.x-a", 1, "", "1")));
        assert!(!family.covers(&difference("client.header.y", 1, "", "1")));
    }
}
