//! Groups: several policies whose verdicts an expression puts together.
//!
//! An expression has calls of members as `name()`, `!`, `&&`, `||`, `==`, `!=`, `true`, `false` and parentheses, with the
//! precedence that they have in most languages. Members are asked only where their verdict can still matter, from left to
//! right, and each at most once.
//!
//! A member that gives no verdict makes its call neither true nor false: `a() || b()` is true where `b` accepts, whatever
//! became of `a`. Where the expression hangs on it, the group gives no verdict either. So a policy that is stopped by its
//! deadline never lets a request through by `!a()`.

mod expression;

use std::collections::BTreeMap;

pub use expression::{Expression, ExpressionError, ExpressionProblem};

use super::fault::PolicyFault;
use super::response::{AdmissionResponse, Status, StatusCause, StatusDetails};

/// What is said of a member that changes the object; Kubewarden's words.
const MUTATION: &str = "mutation is not allowed inside of policy group";

/// A group of policies.
#[derive(Debug, Clone)]
pub struct Group {
    expression: Expression,
    message: String,
}

/// What the members of a group say together.
#[derive(Debug)]
#[must_use]
pub enum GroupVerdict {
    /// The expression is true.
    Accepted,
    /// The expression is false.
    Rejected {
        /// What the user reads.
        message: String,
        /// The members that were asked and rejected, by name, with their words.
        causes: BTreeMap<String, Option<String>>,
    },
    /// The expression hangs on members that gave no verdict.
    Undecided {
        /// Those members, by name.
        faults: BTreeMap<String, PolicyFault>,
    },
}

/// How a member's call came out.
enum Called {
    Accepted,
    Rejected(Option<String>),
    Faulted(PolicyFault),
}

impl Group {
    /// A group of the policies with these names.
    ///
    /// # Errors
    /// [`ExpressionError`] where `expression` is none, or calls what is no member.
    pub fn new<'a>(
        expression: &str,
        message: impl Into<String>,
        members: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, ExpressionError> {
        Ok(Self {
            expression: Expression::parse(expression, members)?,
            message: message.into(),
        })
    }

    /// The expression.
    pub fn expression(&self) -> &Expression {
        &self.expression
    }

    /// Asks the members by `ask`, as far as it takes. A member's answer with a patch counts as a rejection, since members
    /// cannot change objects.
    pub fn evaluate(
        &self,
        mut ask: impl FnMut(&str) -> Result<AdmissionResponse, PolicyFault>,
    ) -> GroupVerdict {
        let mut called: BTreeMap<String, Called> = BTreeMap::new();
        let truth = self.expression.evaluate(&mut |member| {
            let outcome = called
                .entry(member.to_owned())
                .or_insert_with(|| match ask(member) {
                    Ok(response) if response.patch.is_some() => Called::Rejected(Some(MUTATION.to_owned())),
                    Ok(response) if response.allowed => Called::Accepted,
                    Ok(response) => Called::Rejected(response.message().map(str::to_owned)),
                    Err(fault) => Called::Faulted(fault),
                });
            match outcome {
                Called::Accepted => Some(true),
                Called::Rejected(_) => Some(false),
                Called::Faulted(_) => None,
            }
        });
        match truth {
            Some(true) => GroupVerdict::Accepted,
            Some(false) => GroupVerdict::Rejected {
                message: self.message.clone(),
                causes: called.into_iter().filter_map(cause).collect(),
            },
            None => GroupVerdict::Undecided {
                faults: called.into_iter().filter_map(fault).collect(),
            },
        }
    }
}

fn cause((member, called): (String, Called)) -> Option<(String, Option<String>)> {
    match called {
        Called::Accepted => None,
        Called::Rejected(message) => Some((member, message)),
        Called::Faulted(fault) => Some((member, Some(fault.public_message()))),
    }
}

fn fault((member, called): (String, Called)) -> Option<(String, PolicyFault)> {
    match called {
        Called::Faulted(fault) => Some((member, fault)),
        Called::Accepted | Called::Rejected(_) => None,
    }
}

impl GroupVerdict {
    /// The answer to the request. Each member that rejected it is a cause, at the field `spec.policies.NAME`. Where there
    /// is no verdict the request is refused with code 500.
    pub fn into_response(self, uid: impl Into<String>) -> AdmissionResponse {
        let uid = uid.into();
        match self {
            Self::Accepted => AdmissionResponse::accepted(uid),
            Self::Rejected { message, causes } => refusal(uid, message, None, causes),
            Self::Undecided { faults } => {
                let names: Vec<&str> = faults.keys().map(String::as_str).collect();
                let message = format!(
                    "error evaluating policy group expression: no verdict of {}",
                    names.join(", ")
                );
                let causes = faults
                    .into_iter()
                    .map(|(member, fault)| (member, Some(fault.public_message())));
                refusal(uid, message, Some(500), causes)
            }
        }
    }
}

fn refusal(
    uid: String,
    message: String,
    code: Option<u16>,
    causes: impl IntoIterator<Item = (String, Option<String>)>,
) -> AdmissionResponse {
    let causes: Vec<StatusCause> = causes
        .into_iter()
        .map(|(member, message)| StatusCause {
            reason: None,
            message,
            field: Some(format!("spec.policies.{member}")),
        })
        .collect();
    AdmissionResponse {
        uid,
        status: Some(Status {
            message: Some(message),
            code,
            details: (!causes.is_empty()).then(|| StatusDetails {
                causes,
                ..StatusDetails::default()
            }),
            ..Status::default()
        }),
        ..AdmissionResponse::default()
    }
}

#[cfg(test)]
mod tests;
