//! The differences that are right, each with its reason.

use crate::difference::Difference;

/// A difference that is right.
#[derive(Clone, Debug)]
pub(crate) struct Allowance {
    /// What differs, such as `report.Metadata.Layers.Size`; a `*` at the end stands for any rest.
    pub(crate) what: &'static str,
    /// Only where Trivy has this; whatever it has where this is not given.
    pub(crate) trivy: Option<&'static str>,
    /// Only where Wharf has this; whatever it has where this is not given.
    pub(crate) wharf: Option<&'static str>,
    /// Why it is right.
    pub(crate) reason: &'static str,
}

impl Allowance {
    pub(crate) const fn of(what: &'static str, reason: &'static str) -> Self {
        Self {
            what,
            trivy: None,
            wharf: None,
            reason,
        }
    }

    /// Whether this is the difference that is meant.
    pub(crate) fn covers(&self, difference: &Difference) -> bool {
        let is = |wanted: Option<&str>, found: &str| wanted.is_none_or(|wanted| wanted == found);
        let what = match self.what.strip_suffix('*') {
            Some(beginning) => difference.what.starts_with(beginning),
            None => difference.what == self.what,
        };
        what && is(self.trivy, &difference.trivy) && is(self.wharf, &difference.wharf)
    }
}

/// Those that are right in every case.
pub(crate) const EVERYWHERE: [Allowance; 0] = [];

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(what: &str, trivy: &str, wharf: &str) -> Difference {
        Difference {
            what: what.into(),
            place: what.into(),
            trivy: trivy.into(),
            wharf: wharf.into(),
        }
    }

    #[test]
    fn an_allowance_covers_no_more_than_it_says() {
        let allowance = Allowance {
            wharf: Some("2"),
            ..Allowance::of("exit", "a fault is told")
        };
        assert!(allowance.covers(&difference("exit", "0", "2")));
        assert!(!allowance.covers(&difference("exit", "0", "1")));
        assert!(!allowance.covers(&difference("exit.code", "0", "2")));
        let family = Allowance::of("report.Results.*", "x");
        assert!(family.covers(&difference("report.Results.Secrets", "", "1")));
        assert!(!family.covers(&difference("report.Metadata", "", "1")));
    }
}
