//! What was wrong with a text although a tree could be built from it: keys that are given twice, keys that are no text.
//!
//! Most of the time each of these is an error. Where one of several entries may be bad without harm to the others, such a
//! mistake belongs to the entries whose values it is in; it is an error only where no entry takes it.

use std::ops::Range;

use crate::diagnostic::Complaint;
use crate::yaml::{Node, Value};

/// The mistakes that have not been reported yet.
#[derive(Default)]
pub(crate) struct Flaws {
    kept: Vec<Flaw>,
    /// Those that are only counted. Where there are any, nobody can say to which entries they belong.
    omitted: usize,
}

struct Flaw {
    complaint: Complaint,
    taken: bool,
}

/// So many are kept. Finding out whose they are costs time for each.
const KEPT: usize = 100;

impl Flaws {
    pub(crate) fn add(&mut self, complaint: Complaint) {
        if self.kept.len() < KEPT {
            self.kept.push(Flaw {
                complaint,
                taken: false,
            });
        } else {
            self.omitted += 1;
        }
    }

    /// Those that lie in the value of an entry, be it by an alias, and those that say that its key comes again. They may
    /// belong to other entries too.
    pub(crate) fn take(&mut self, key: &Range<usize>, value: &Node) -> Vec<Complaint> {
        if self.omitted > 0 {
            return Vec::new();
        }
        let mine = self.kept.iter_mut().filter(|flaw| {
            let again = flaw.complaint.related.as_ref();
            again.is_some_and(|(_, first)| first == key) || contains(value, flaw.complaint.span.start)
        });
        mine.map(|flaw| {
            flaw.taken = true;
            flaw.complaint.clone()
        })
        .collect()
    }

    /// Keeps those that can belong to the entries of `entries`: they lie in it, and in nothing else that `others` has.
    /// All others are returned.
    pub(crate) fn keep_in(&mut self, entries: Option<&Node>, others: &[&Node]) -> Vec<Complaint> {
        let mut returned = Vec::new();
        self.kept.retain(|flaw| {
            let at = flaw.complaint.span.start;
            let keep = entries.is_some_and(|entries| entries.span.contains(&at))
                && !others.iter().any(|other| contains(other, at));
            if !keep {
                returned.push(flaw.complaint.clone());
            }
            keep
        });
        returned
    }

    /// Those that nobody took, and how many there are beside.
    pub(crate) fn rest(&mut self) -> (Vec<Complaint>, usize) {
        let kept = std::mem::take(&mut self.kept).into_iter();
        let rest = kept
            .filter(|flaw| !flaw.taken)
            .map(|flaw| flaw.complaint)
            .collect();
        (rest, std::mem::take(&mut self.omitted))
    }
}

/// Whether a place lies in a value or in one to which it has an alias. Recursion is bounded by the depth of trees.
fn contains(node: &Node, at: usize) -> bool {
    match &node.value {
        Value::Scalar(_) => false,
        Value::List(items) => items.iter().any(|item| contains(item, at)),
        Value::Mapping(entries) => {
            node.span.contains(&at) || entries.iter().any(|entry| contains(&entry.value, at))
        }
    }
}
