//! Policies from one or several files, each good or bad by itself.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::decode::Context;
use crate::diagnostic::{Complaint, ConfigErrors, KEPT, about_file, printable, quoted};
use crate::yaml::Node;

use super::{BadPolicy, CustomResource, PolicyEntry, PolicyKind, PolicySet, PolicySource};

/// The policies that were found so far.
#[derive(Default)]
pub(crate) struct Collection {
    set: PolicySet,
    /// Where each id was first.
    first: HashMap<String, Place>,
    /// Ids that came again. Nobody knows which of them was meant, so that none is used.
    repeated: HashSet<String>,
    /// Where each bad policy is in the set.
    bad: HashMap<String, usize>,
    /// How many errors are kept so far.
    errors: usize,
    overflow: bool,
}

struct Place {
    source: PolicySource,
    span: Range<usize>,
}

/// A policy that is to be decoded.
pub(crate) struct Candidate<'n> {
    pub(crate) id: String,
    /// Where its id is.
    pub(crate) at: Range<usize>,
    /// All of it.
    pub(crate) value: &'n Node,
}

/// What was made of it.
pub(crate) struct Decoded {
    pub(crate) kind: PolicyKind,
    pub(crate) resource: Option<Box<CustomResource>>,
}

/// As many policies can be served together.
const MOST_POLICIES: usize = 5_000;

/// After so many errors only one is kept for each bad policy.
const ENOUGH_ERRORS: usize = 500;

/// The longest id, in bytes.
const LONGEST_ID: usize = 253;

impl Collection {
    /// Adds a policy: a good one where `decode` finds nothing wrong with it, otherwise a bad one.
    pub(crate) fn add(
        &mut self,
        cx: &mut Context<'_>,
        candidate: &Candidate<'_>,
        decode: impl FnOnce(&mut Context<'_>) -> Option<Decoded>,
    ) {
        if self.first.len() >= MOST_POLICIES {
            self.report_overflow(cx, candidate);
            return;
        }
        let source = PolicySource {
            file: cx.file().to_owned(),
            line: cx.line(&candidate.at),
        };
        let again = self.again(&source, candidate);
        let flaws = cx.flaws.take(&candidate.at, candidate.value);
        let kept = if self.errors < ENOUGH_ERRORS { KEPT } else { 1 };
        let decoded = cx.apart(kept, |cx| {
            let complaints = check_id(candidate).into_iter().chain(again).chain(flaws);
            complaints.for_each(|complaint| cx.error(complaint));
            decode(cx)
        });
        match decoded {
            Ok(Some(Decoded { kind, resource })) => self.set.entries.push(PolicyEntry {
                id: candidate.id.clone(),
                source,
                kind,
                resource,
            }),
            // A part is missing only where an error says why.
            Ok(None) => {
                let errors = about_file(&source.file, "this policy cannot be used", "write it anew");
                self.add_bad(candidate, source, errors);
            }
            Err(errors) => self.add_bad(candidate, source, errors),
        }
    }

    /// A complaint where the id was used before; notes it otherwise.
    fn again(&mut self, source: &PolicySource, candidate: &Candidate<'_>) -> Option<Complaint> {
        let Some(first) = self.first.get(&candidate.id) else {
            let place = Place {
                source: source.clone(),
                span: candidate.at.clone(),
            };
            self.first.insert(candidate.id.clone(), place);
            return None;
        };
        self.repeated.insert(candidate.id.clone());
        let message = format!("two policies have the id {}", quoted(&candidate.id));
        let complaint = Complaint::new(candidate.at.clone(), message);
        Some(if first.source.file == source.file {
            complaint
                .related(first.span.clone(), "the first of them")
                .hint("remove one of the two, or give it another name")
        } else {
            complaint.hint(format!(
                "the other one is at {}; remove one of the two, or give it another name",
                first.source
            ))
        })
    }

    fn add_bad(&mut self, candidate: &Candidate<'_>, source: PolicySource, errors: ConfigErrors) {
        self.errors += errors.errors.len();
        if let Some(at) = self.bad.get(&candidate.id) {
            let all = &mut self.set.bad[*at].errors;
            all.errors.extend(errors.errors);
            all.warnings.extend(errors.warnings);
            all.omitted += errors.omitted;
            return;
        }
        self.bad.insert(candidate.id.clone(), self.set.bad.len());
        self.set.bad.push(BadPolicy {
            id: printable(&candidate.id),
            source,
            errors,
        });
    }

    fn report_overflow(&mut self, cx: &mut Context<'_>, candidate: &Candidate<'_>) {
        if !std::mem::replace(&mut self.overflow, true) {
            let message = format!("there are more than {MOST_POLICIES} policies");
            let hint = "let several servers have a part of them each";
            cx.error(Complaint::new(candidate.at.clone(), message).hint(hint));
        }
    }

    /// All of them.
    pub(crate) fn finish(mut self) -> PolicySet {
        self.set
            .entries
            .retain(|entry| !self.repeated.contains(&entry.id));
        self.set
    }
}

/// What is wrong with an id.
fn check_id(candidate: &Candidate<'_>) -> Option<Complaint> {
    let id = candidate.id.as_str();
    let refuse = |reason: &str| {
        let complaint = Complaint::new(candidate.at.clone(), format!("a policy's id {reason}"));
        Some(complaint.hint("reviews are sent to `/validate/` and the id; write for example `safe-labels`"))
    };
    if id.is_empty() {
        return refuse("cannot be empty");
    }
    if id.contains('/') {
        return refuse("cannot contain `/`");
    }
    if id == "." || id == ".." {
        return refuse("cannot be `.` or `..`");
    }
    if printable(id) != id {
        return refuse("cannot contain control characters");
    }
    if id.len() > LONGEST_ID {
        return refuse(&format!("has at most {LONGEST_ID} bytes"));
    }
    None
}

/// Whether a name can be called in an expression, as Kubewarden requires it of the members of groups.
pub(crate) fn is_identifier(name: &str) -> bool {
    let begins = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(begins) && name.chars().all(|c| begins(c) || c.is_ascii_digit())
}
