//! Cases of policies: how a policy is set up, what it is asked, and what is expected of it.

mod calls;
mod expect;
mod setup;
pub(super) mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::{Map, Value};
use wharf_plugin::{Limits, Reference};

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::Complaint;
use crate::kubewarden::{ContextAwareResource, ExecutionMode, PolicyMode};

use super::{Clock, Placed, Randomness};

pub use self::calls::HOST_CALLS;
pub use self::expect::{HostCallExpectation, POLICY_FAULTS, PolicyExpectation, SettingsExpectation};

use self::setup::Given;
use self::tables::{POLICY_CASE, POLICY_GOLDEN, POLICY_TABLE};

/// A policy, how it is set up, what it is asked, and what is expected of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyCase {
    /// What the case is called; no other one of its file is called the same.
    pub name: String,
    /// The line where it begins.
    pub line: usize,
    /// How the policy is set up.
    pub setup: PolicySetup,
    /// What it is asked about; none where it is only asked about its settings.
    pub review: Option<Placed<Input>>,
    /// What is expected.
    pub expect: PolicyExpectation,
}

/// How a policy is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySetup {
    /// Who decides.
    pub judge: Judge,
    /// Whether reviews are any JSON. Default: what the metadata say.
    pub raw: bool,
    /// What the deployer makes of the verdict. None for the policy's own verdict.
    pub deployed: Option<Deployed>,
    /// What the host answers. Default: nobody answers.
    pub calls: Vec<HostAnswer>,
    /// A recording of further answers, in kwctl's format.
    pub replay: Option<PathBuf>,
    /// What it may cost. Default: as for a policy, but with deadlines of 10 s, which a busy machine does not reach.
    pub limits: Limits,
    /// What its clocks show. Default: 2025-01-01T00:00:00Z.
    pub clock: Clock,
    /// Where its random bytes come from. Default: seeded.
    pub random: Randomness,
}

/// Who decides about a review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judge {
    /// One policy.
    Policy(JudgingPolicy),
    /// Several policies whose verdicts an expression joins.
    Group {
        /// When the group accepts.
        expression: String,
        /// What is said to whoever is rejected.
        message: String,
        /// The members by the names that the expression calls them by; at least one.
        members: BTreeMap<String, JudgingPolicy>,
    },
}

/// A module and what it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgingPolicy {
    /// The module. Paths begin with the directory of the case's file.
    pub module: Reference,
    /// How it is run. None for what its metadata say.
    pub execution_mode: Option<ExecutionMode>,
    /// Its settings. Default: `{}`.
    pub settings: Input,
    /// The kinds of objects that it may read. Default: none.
    pub context_aware_resources: BTreeSet<ContextAwareResource>,
    /// What it may ask of the host. Default: nothing.
    pub host_capabilities: Vec<String>,
}

/// Something in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// This text.
    Json(String),
    /// What a file has, in JSON or YAML. It was there when the case was read.
    File(PathBuf),
}

/// What the deployer says about the verdicts of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployed {
    /// Whether the verdict counts. Default: it does.
    pub mode: PolicyMode,
    /// Whether the policy may change what it reviews. Default: no.
    pub allowed_to_mutate: bool,
    /// What is said to whoever is rejected, in place of the policy's own message.
    pub message: Option<String>,
}

/// What the host answers to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostAnswer {
    /// The line where it begins.
    pub line: usize,
    /// The namespace and the operation: `kubernetes/get_resource`.
    pub call: &'static str,
    /// What is asked, as far as it matters which.
    pub request: Map<String, Value>,
    /// The answer as JSON, or an error.
    pub answer: Result<String, String>,
}

/// Whether a file of cases is about policies. It is about filters otherwise.
pub(super) fn is_meant(root: &Item<'_>) -> bool {
    let names_policies = |item: &Item<'_>| ["policy", "group"].iter().any(|key| item.peek(key).is_some());
    let cases = root.peek("cases").into_iter().flat_map(|cases| cases.items());
    names_policies(root) || cases.into_iter().any(|case| names_policies(&case))
}

pub(super) fn decode_table(cx: &mut Context<'_>, root: &Item<'_>) -> Option<Vec<PolicyCase>> {
    let fields = Fields::open(cx, root, &POLICY_TABLE)?;
    let common = setup::decode(cx, &fields);
    let mut weight = super::Weight::default();
    let mut names = super::Names::default();
    let mut cases = Vec::new();
    for item in fields.list(cx, "cases")? {
        let Some(fields) = Fields::open(cx, &item, &POLICY_CASE) else {
            continue;
        };
        let name = super::decode_name(cx, &fields);
        names.note(cx, &fields, name.as_deref());
        let given = setup::decode(cx, &fields);
        weight.add(cx, &item, common.weight() + given.weight())?;
        let given = given.over(&common);
        given.report_missing(cx, &item);
        cases.extend(decode_case(cx, &item, &fields, given, name.unwrap_or_default()));
    }
    Some(cases)
}

pub(super) fn decode_golden(cx: &mut Context<'_>, root: &Item<'_>, default_name: &str) -> Option<PolicyCase> {
    let fields = Fields::open(cx, root, &POLICY_GOLDEN)?;
    let name = match fields.item("name") {
        Some(_) => super::decode_name(cx, &fields)?,
        None => default_name.to_owned(),
    };
    let given = setup::decode(cx, &fields);
    given.report_missing(cx, root);
    decode_case(cx, root, &fields, given, name)
}

fn decode_case(
    cx: &mut Context<'_>,
    item: &Item<'_>,
    fields: &Fields<'_>,
    mut given: Given,
    name: String,
) -> Option<PolicyCase> {
    let only_settings = fields.choice(cx, "operation") == Some("settings");
    let mut review = given.review.take();
    if only_settings {
        review = None;
    } else if let (None, Some(operation)) = (&review, fields.item("operation")) {
        let complaint = Complaint::new(operation.at.clone(), format!("{} has no `review`", item.name()));
        cx.error(complaint.hint("add `review:` with the path of a review, or an object"));
    }
    let expect = expect::decode(cx, fields, review.is_some());
    Some(PolicyCase {
        name,
        line: cx.line(&item.at),
        setup: given.finish()?,
        review,
        expect,
    })
}
