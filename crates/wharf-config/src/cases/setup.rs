//! How the filter of a case is set up. What a case does not say, its file says.

use std::collections::BTreeMap;
use std::time::Duration;

use wharf_plugin::{ByteSize, Limits, Reference};

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::{Complaint, quoted};
use crate::plugins::decode_env;
use crate::table::TEXT;
use crate::yaml::Value;

use super::content::{decode_content, decode_payload};
use super::exchange::decode_answers;
use super::{Answer, Answers, Clock, Content, Randomness, Setup, clock};

/// The time that callbacks have where the case does not say: so long that a busy machine does not reach it.
const DEADLINE: Duration = Duration::from_secs(10);

/// What is said in one place.
#[derive(Default)]
pub(super) struct Given {
    /// The inner is none where it is wrong, which was reported.
    plugin: Option<Option<Reference>>,
    config: Option<Content>,
    vm_config: Option<Content>,
    root_id: Option<String>,
    vm_id: Option<String>,
    env: BTreeMap<String, String>,
    properties: BTreeMap<String, Content>,
    allow_on_headers_stop_iteration: Option<bool>,
    limits: GivenLimits,
    clock: Option<Clock>,
    random: Option<Randomness>,
    callouts: Answers,
    shared_data: BTreeMap<String, Content>,
}

/// The limits that are said in one place.
#[derive(Default, Clone, Copy)]
pub(super) struct GivenLimits {
    memory: Option<ByteSize>,
    table_elements: Option<i64>,
    deadline: Option<Duration>,
    startup_deadline: Option<Duration>,
    stack: Option<ByteSize>,
}

/// Reads what a file or a case says of the set-up.
pub(super) fn decode(cx: &mut Context<'_>, fields: &Fields<'_>) -> Given {
    let text = |cx: &mut Context<'_>, key| fields.item(key)?.text(cx, &TEXT).map(str::to_owned);
    let given = |key| fields.item(key).is_some();
    Given {
        plugin: fields.item("plugin").map(|item| decode_plugin(cx, item)),
        config: decode_payload(cx, fields, "config"),
        vm_config: decode_payload(cx, fields, "vmConfig"),
        root_id: text(cx, "rootId"),
        vm_id: text(cx, "vmId"),
        env: decode_env(cx, fields).unwrap_or_default(),
        properties: decode_properties(cx, fields),
        allow_on_headers_stop_iteration: given("allowOnHeadersStopIteration")
            .then(|| fields.bool(cx, "allowOnHeadersStopIteration"))
            .flatten(),
        limits: decode_limits(cx, fields),
        clock: fields.item("clock").and_then(|item| decode_clock(cx, item)),
        random: decode_random(cx, fields),
        callouts: decode_answers(cx, fields),
        shared_data: decode_shared_data(cx, fields),
    }
}

impl Given {
    /// About how many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        const ENTRY: usize = 64;
        let contents = |map: &BTreeMap<String, Content>| {
            map.iter()
                .map(|(key, value)| ENTRY + key.len() + value.weight())
                .sum::<usize>()
        };
        let env = self
            .env
            .iter()
            .map(|(name, value)| ENTRY + name.len() + value.len());
        let answers = self.callouts.iter().map(|(upstream, answers)| {
            let answers = answers.iter().map(Answer::weight);
            ENTRY + upstream.len() + answers.sum::<usize>()
        });
        let texts = [&self.root_id, &self.vm_id]
            .into_iter()
            .flatten()
            .map(String::len);
        let configurations = [&self.config, &self.vm_config].into_iter().flatten();
        env.chain(answers)
            .chain(texts)
            .chain(configurations.map(Content::weight))
            .sum::<usize>()
            .saturating_add(contents(&self.properties))
            .saturating_add(contents(&self.shared_data))
    }

    /// What a case says, over what its file says. Mappings are joined key by key.
    pub(super) fn over(self, file: &Self) -> Self {
        fn joined<T: Clone>(mut own: BTreeMap<String, T>, file: &BTreeMap<String, T>) -> BTreeMap<String, T> {
            for (key, value) in file {
                own.entry(key.clone()).or_insert_with(|| value.clone());
            }
            own
        }
        Self {
            plugin: self.plugin.or_else(|| file.plugin.clone()),
            config: self.config.or_else(|| file.config.clone()),
            vm_config: self.vm_config.or_else(|| file.vm_config.clone()),
            root_id: self.root_id.or_else(|| file.root_id.clone()),
            vm_id: self.vm_id.or_else(|| file.vm_id.clone()),
            env: joined(self.env, &file.env),
            properties: joined(self.properties, &file.properties),
            allow_on_headers_stop_iteration: self
                .allow_on_headers_stop_iteration
                .or(file.allow_on_headers_stop_iteration),
            limits: self.limits.over(file.limits),
            clock: self.clock.or(file.clock),
            random: self.random.or(file.random),
            callouts: joined(self.callouts, &file.callouts),
            shared_data: joined(self.shared_data, &file.shared_data),
        }
    }

    /// Reports a case of a table for which nobody names a plugin.
    pub(super) fn report_missing(&self, cx: &mut Context<'_>, case: &Item<'_>) {
        if self.plugin.is_none() {
            let complaint = Complaint::new(case.at.clone(), format!("{} has no `plugin`", case.name()));
            cx.error(
                complaint.hint("add `plugin: ../greet.wasm`, here or at the top of the file for all cases"),
            );
        }
    }

    /// The whole set-up, with the defaults. None where the plugin is missing or wrong, which was reported.
    pub(super) fn finish(self) -> Option<Setup> {
        Some(Setup {
            plugin: self.plugin??,
            config: self.config.unwrap_or(Content::EMPTY),
            vm_config: self.vm_config.unwrap_or(Content::EMPTY),
            root_id: self.root_id.unwrap_or_default(),
            vm_id: self.vm_id.unwrap_or_default(),
            env: self.env,
            properties: self.properties,
            allow_on_headers_stop_iteration: self.allow_on_headers_stop_iteration.unwrap_or_default(),
            limits: self.limits.finish(Limits::default().memory),
            clock: self.clock.or_else(|| clock::parse(clock::DEFAULT))?,
            random: self.random.unwrap_or(Randomness::Seeded),
            callouts: self.callouts,
            shared_data: self.shared_data,
        })
    }
}

impl GivenLimits {
    pub(super) fn over(self, file: Self) -> Self {
        Self {
            memory: self.memory.or(file.memory),
            table_elements: self.table_elements.or(file.table_elements),
            deadline: self.deadline.or(file.deadline),
            startup_deadline: self.startup_deadline.or(file.startup_deadline),
            stack: self.stack.or(file.stack),
        }
    }

    /// All limits, with the memory where nobody says it.
    pub(super) fn finish(self, memory: ByteSize) -> Limits {
        let default = Limits::default();
        let elements = self.table_elements.and_then(|count| u32::try_from(count).ok());
        Limits {
            memory: self.memory.unwrap_or(memory),
            table_elements: elements.unwrap_or(default.table_elements),
            instances: default.instances,
            deadline: self.deadline.unwrap_or(DEADLINE),
            startup_deadline: self.startup_deadline.unwrap_or(DEADLINE),
            stack: self.stack.unwrap_or(default.stack),
        }
    }
}

pub(super) fn decode_plugin(cx: &mut Context<'_>, item: &Item<'_>) -> Option<Reference> {
    let text = item.text(cx, &super::tables::REFERENCE)?;
    let reference = text.parse::<Reference>();
    let has_scheme = ["file:", "https:", "http:", "oci:"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    match reference {
        Ok(reference) => Some(match reference {
            Reference::File(path) => Reference::File(cx.resolve(path)),
            other => other,
        }),
        Err(_) if !has_scheme && !text.is_empty() && !text.chars().any(char::is_control) => {
            Some(Reference::File(cx.resolve(text)))
        }
        Err(_) if text.is_empty() => {
            let complaint = Complaint::new(item.span(), format!("{} is empty", item.name()));
            cx.error(complaint.hint("write the path of the module, such as `../greet.wasm`"));
            None
        }
        Err(error) => {
            cx.error(Complaint::new(item.span(), error.to_string()).hint(error.hint()));
            None
        }
    }
}

pub(super) fn decode_random(cx: &mut Context<'_>, fields: &Fields<'_>) -> Option<Randomness> {
    fields.item("random")?;
    fields.choice(cx, "random").map(|word| match word {
        "real" => Randomness::Real,
        _ => Randomness::Seeded,
    })
}

pub(super) fn decode_clock(cx: &mut Context<'_>, item: &Item<'_>) -> Option<Clock> {
    let text = item.text(cx, &super::tables::CLOCK)?;
    let clock = clock::parse(text);
    if clock.is_none() {
        let message = format!("{} is neither `real` nor a time in UTC", quoted(text));
        let hint = format!("write for example `{}`", clock::DEFAULT);
        cx.error(Complaint::new(item.span(), message).hint(hint));
    }
    clock
}

pub(super) fn decode_limits(cx: &mut Context<'_>, fields: &Fields<'_>) -> GivenLimits {
    let given = fields.item("limits").is_some();
    let Some(limits) = given.then(|| fields.section(cx, "limits")).flatten() else {
        return GivenLimits::default();
    };
    let given = |key| limits.item(key).is_some();
    GivenLimits {
        memory: given("memory").then(|| limits.size(cx, "memory")).flatten(),
        table_elements: given("tableElements")
            .then(|| limits.integer(cx, "tableElements"))
            .flatten(),
        deadline: given("deadline")
            .then(|| limits.duration(cx, "deadline"))
            .flatten(),
        startup_deadline: given("startupDeadline")
            .then(|| limits.duration(cx, "startupDeadline"))
            .flatten(),
        stack: given("stack").then(|| limits.size(cx, "stack")).flatten(),
    }
}

/// Properties in the encodings of the ABI: a number has 8 bytes, a truth value one.
pub(super) fn decode_properties(cx: &mut Context<'_>, fields: &Fields<'_>) -> BTreeMap<String, Content> {
    let mut properties = BTreeMap::new();
    for (entry, item) in fields.map(cx, "properties").unwrap_or_default() {
        if entry.key.is_empty() {
            let complaint = Complaint::new(entry.key_span.clone(), "a property has a path");
            cx.error(complaint.hint("write for example `source.address`"));
        }
        let content = if let Some(number) = item.integer_value() {
            Some(Content::Bytes(number.to_le_bytes().to_vec()))
        } else if let Some(truth) = truth(&item) {
            Some(Content::Bytes(vec![u8::from(truth)]))
        } else {
            decode_content(cx, &item)
        };
        properties.extend(content.map(|content| (entry.key.clone(), content)));
    }
    properties
}

fn truth(item: &Item<'_>) -> Option<bool> {
    match &item.node.value {
        Value::Scalar(scalar) => scalar.as_bool(),
        _ => None,
    }
}

fn decode_shared_data(cx: &mut Context<'_>, fields: &Fields<'_>) -> BTreeMap<String, Content> {
    let mut data = BTreeMap::new();
    for (entry, item) in fields.map(cx, "sharedData").unwrap_or_default() {
        let content = decode_content(cx, &item);
        data.extend(content.map(|content| (entry.key.clone(), content)));
    }
    data
}
