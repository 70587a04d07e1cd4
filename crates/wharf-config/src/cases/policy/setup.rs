//! How the policy of a case is set up. What a case does not say, its file says.

use std::collections::{BTreeMap, BTreeSet};

use wharf_plugin::{ByteSize, Reference};

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::Complaint;
use crate::kubewarden::{
    ContextAwareResource, ExecutionMode, decode_context_aware_resources, decode_execution_mode,
    decode_filled, decode_host_capabilities, decode_mode, is_identifier,
};
use crate::table::TEXT;
use crate::yaml::json_text;

use super::super::content::decode_path_of_file;
use super::super::setup::{GivenLimits, decode_clock, decode_limits, decode_plugin, decode_random};
use super::super::{Clock, Placed, Randomness, clock};
use super::tables::{DEPLOYED, GROUP, JUDGING_POLICY};
use super::{Deployed, HostAnswer, Input, Judge, JudgingPolicy, PolicySetup, calls};

/// What a policy may have where nobody says otherwise, as in `admission:`.
const MEMORY: ByteSize = ByteSize::from_mib(256);

/// What is said in one place.
#[derive(Default)]
pub(super) struct Given {
    /// The inner is none where it is wrong, which was reported.
    policy: Option<Option<Reference>>,
    group: Option<Option<Judge>>,
    execution_mode: Option<ExecutionMode>,
    settings: Option<Input>,
    context_aware_resources: Option<BTreeSet<ContextAwareResource>>,
    host_capabilities: Option<Vec<String>>,
    pub(super) review: Option<Placed<Input>>,
    raw: Option<bool>,
    deployed: Option<Deployed>,
    calls: Option<Vec<HostAnswer>>,
    replay: Option<std::path::PathBuf>,
    limits: GivenLimits,
    clock: Option<Clock>,
    random: Option<Randomness>,
}

/// Reads what a file or a case says of the set-up.
pub(super) fn decode(cx: &mut Context<'_>, fields: &Fields<'_>) -> Given {
    if let (Some(policy), Some(group)) = (fields.item("policy"), fields.item("group")) {
        let message = "there is both a `policy` and a `group`";
        let complaint = Complaint::new(group.at.clone(), message).related(policy.at.clone(), "the policy");
        cx.error(complaint.hint("put one of the two into a file of its own, or into the cases that need it"));
    }
    let given = |key| fields.item(key).is_some();
    Given {
        policy: fields.item("policy").map(|item| decode_plugin(cx, item)),
        group: fields.item("group").map(|item| decode_group(cx, item)),
        execution_mode: decode_execution_mode(cx, fields),
        settings: decode_settings(cx, fields),
        context_aware_resources: given("contextAwareResources")
            .then(|| decode_context_aware_resources(cx, fields))
            .flatten(),
        host_capabilities: given("hostCapabilities")
            .then(|| decode_host_capabilities(cx, fields, "hostCapabilities"))
            .flatten(),
        review: fields.item("review").and_then(|item| {
            let line = cx.line(&item.at);
            decode_input(cx, item).map(|value| Placed { line, value })
        }),
        raw: given("raw").then(|| fields.bool(cx, "raw")).flatten(),
        deployed: given("deployed").then(|| decode_deployed(cx, fields)).flatten(),
        calls: given("calls").then(|| calls::decode(cx, fields)).flatten(),
        replay: fields
            .item("replay")
            .and_then(|item| decode_path_of_file(cx, item)),
        limits: decode_limits(cx, fields),
        clock: fields.item("clock").and_then(|item| decode_clock(cx, item)),
        random: decode_random(cx, fields),
    }
}

impl Given {
    /// About how many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        const ENTRY: usize = 64;
        let input = |input: &Input| match input {
            Input::Json(text) => ENTRY + text.len(),
            Input::File(_) => ENTRY,
        };
        let calls = self.calls.iter().flatten().map(HostAnswer::weight);
        let group: usize = match &self.group {
            Some(Some(Judge::Group { members, .. })) => members.values().map(|m| input(&m.settings)).sum(),
            _ => 0,
        };
        self.settings.as_ref().map_or(0, input)
            + self.review.as_ref().map_or(0, |review| input(&review.value))
            + calls.sum::<usize>()
            + group
    }

    /// What a case says, over what its file says.
    pub(super) fn over(self, file: &Self) -> Self {
        // A case that names a policy is not about the group of its file, and the other way round.
        let names_none = self.policy.is_none() && self.group.is_none();
        let inherited = |of: &Option<Option<Reference>>| of.clone().filter(|_| names_none);
        Self {
            group: self.group.or_else(|| file.group.clone().filter(|_| names_none)),
            policy: self.policy.or_else(|| inherited(&file.policy)),
            execution_mode: self.execution_mode.or(file.execution_mode),
            settings: self.settings.or_else(|| file.settings.clone()),
            context_aware_resources: self
                .context_aware_resources
                .or_else(|| file.context_aware_resources.clone()),
            host_capabilities: self.host_capabilities.or_else(|| file.host_capabilities.clone()),
            review: self.review.or_else(|| file.review.clone()),
            raw: self.raw.or(file.raw),
            deployed: self.deployed.or_else(|| file.deployed.clone()),
            calls: self.calls.or_else(|| file.calls.clone()),
            replay: self.replay.or_else(|| file.replay.clone()),
            limits: self.limits.over(file.limits),
            clock: self.clock.or(file.clock),
            random: self.random.or(file.random),
        }
    }

    /// Reports a case for which nobody names a policy.
    pub(super) fn report_missing(&self, cx: &mut Context<'_>, case: &Item<'_>) {
        if self.policy.is_none() && self.group.is_none() {
            let complaint = Complaint::new(case.at.clone(), format!("{} has no `policy`", case.name()));
            cx.error(
                complaint.hint("add `policy: ../labels.wasm`, here or at the top of the file for all cases"),
            );
        }
    }

    /// The whole set-up, with the defaults. None where the policy is missing or wrong, which was reported.
    pub(super) fn finish(self) -> Option<PolicySetup> {
        let judge = match self.group {
            Some(group) => group?,
            None => Judge::Policy(JudgingPolicy {
                module: self.policy??,
                execution_mode: self.execution_mode,
                settings: self.settings.unwrap_or_else(no_settings),
                context_aware_resources: self.context_aware_resources.unwrap_or_default(),
                host_capabilities: self.host_capabilities.unwrap_or_default(),
            }),
        };
        Some(PolicySetup {
            judge,
            raw: self.raw.unwrap_or_default(),
            deployed: self.deployed,
            calls: self.calls.unwrap_or_default(),
            replay: self.replay,
            limits: self.limits.finish(MEMORY),
            clock: self.clock.or_else(|| clock::parse(clock::DEFAULT))?,
            random: self.random.unwrap_or(Randomness::Seeded),
        })
    }
}

fn no_settings() -> Input {
    Input::Json("{}".to_owned())
}

/// Text is the path of a file, anything else is meant itself.
fn decode_input(cx: &mut Context<'_>, item: &Item<'_>) -> Option<Input> {
    if item.plain_text().is_some() {
        return decode_path_of_file(cx, item).map(Input::File);
    }
    json_text(item.node)
        .map(Input::Json)
        .map_err(|complaint| cx.error(complaint))
        .ok()
}

fn decode_settings(cx: &mut Context<'_>, fields: &Fields<'_>) -> Option<Input> {
    let item = fields.item("settings")?;
    if !item.is_mapping() && item.plain_text().is_none() {
        item.wrong_kind(cx, fields.kind("settings"));
        return None;
    }
    decode_input(cx, item)
}

fn decode_deployed(cx: &mut Context<'_>, fields: &Fields<'_>) -> Option<Deployed> {
    let fields = Fields::open(cx, fields.item("deployed")?, &DEPLOYED)?;
    Some(Deployed {
        mode: decode_mode(cx, &fields, "policyMode")?,
        allowed_to_mutate: fields.bool(cx, "allowedToMutate")?,
        message: match fields.item("message") {
            Some(item) => Some(item.text(cx, &TEXT)?.to_owned()),
            None => None,
        },
    })
}

fn decode_group(cx: &mut Context<'_>, item: &Item<'_>) -> Option<Judge> {
    let fields = Fields::open(cx, item, &GROUP)?;
    let expression = decode_filled(cx, &fields, "expression");
    let message = fields.text(cx, "message");
    let mut members = BTreeMap::new();
    for (entry, item) in fields.map(cx, "policies")? {
        if !is_identifier(&entry.key) {
            let complaint = Complaint::new(
                entry.key_span.clone(),
                format!("{} cannot be called by the expression", item.name()),
            );
            cx.error(complaint.hint(
                "the names of members are made of letters, digits and `_` and do not begin with a digit",
            ));
        }
        let member = decode_member(cx, &item);
        members.extend(member.map(|member| (entry.key.clone(), member)));
    }
    if let (true, Some(item)) = (members.is_empty(), fields.item("policies")) {
        let complaint = Complaint::new(item.at.clone(), format!("{} has no members", item.name()));
        cx.error(complaint.hint("a group needs at least one policy"));
        return None;
    }
    Some(Judge::Group {
        expression: expression?,
        message: message?,
        members,
    })
}

fn decode_member(cx: &mut Context<'_>, item: &Item<'_>) -> Option<JudgingPolicy> {
    let fields = Fields::open(cx, item, &JUDGING_POLICY)?;
    let module = fields.item("policy").and_then(|item| decode_plugin(cx, item));
    let settings = decode_settings(cx, &fields);
    let resources = decode_context_aware_resources(cx, &fields);
    let host_capabilities = decode_host_capabilities(cx, &fields, "hostCapabilities");
    let execution_mode = decode_execution_mode(cx, &fields);
    Some(JudgingPolicy {
        module: module?,
        execution_mode,
        settings: settings.unwrap_or_else(no_settings),
        context_aware_resources: resources?,
        host_capabilities: host_capabilities?,
    })
}
