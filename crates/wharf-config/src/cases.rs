//! The files of `wharf test`: cases of filters and of policies, in tables and in golden folders.
//!
//! A *table* is a file whose name ends in `.test.yaml`, with any number of cases. A *golden folder* has a file `case.yaml`
//! with one case, whose whole report is compared with a file beside it. Both have the same keys, from the same tables as
//! the decoder, the JSON Schema ([`json_schema`]) and the reference ([`reference()`]).

mod clock;
mod content;
mod exchange;
mod expect;
mod message;
mod outcome;
mod policy;
mod reference;
mod setup;
mod tables;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value, json};
use wharf_plugin::{Limits, Reference};

use crate::decode::{Context, Fields, FileCheck, Item};
use crate::diagnostic::{Complaint, ConfigErrors, quoted};
use crate::load::{FileKind, check_file, decode, read_text};
use crate::schema;

pub use self::expect::{
    BodyExpectation, CallExpectation, ExchangeExpectation, FAULTS, HeaderPattern, LOG_LEVELS, LogLine,
    MessageExpectation, ReplyExpectation, StageExpectation,
};
pub use self::outcome::{MetricExpectation, OutcomeExpectation};
pub use self::policy::{
    Deployed, HOST_CALLS, HostAnswer, HostCallExpectation, Input, Judge, JudgingPolicy, POLICY_FAULTS,
    PolicyCase, PolicyExpectation, PolicySetup, SettingsExpectation,
};
pub use self::reference::reference;

use self::policy::tables::{POLICY_GOLDEN, POLICY_TABLE};
use self::setup::Given;
use self::tables::{CASE, GOLDEN, TABLE};

/// Which of the two forms a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Many cases.
    Table,
    /// One case, whose report is compared with a file beside it.
    Golden,
}

/// The cases of a file. All of them are about the same kind of plugins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cases {
    /// Of filters.
    Filters(Vec<FilterCase>),
    /// Of policies.
    Policies(Vec<PolicyCase>),
}

/// The filter, how it is set up, what it goes through, and what is expected of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterCase {
    /// What the case is called; no other one of its file is called the same.
    pub name: String,
    /// The line where it begins.
    pub line: usize,
    /// How the filter is set up.
    pub setup: Setup,
    /// What happens before the first request.
    pub start: Start,
    /// The requests, in order, through one VM.
    pub exchanges: Vec<ExchangeCase>,
    /// What is expected of all of it.
    pub expect: OutcomeExpectation,
}

/// How a filter is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// The module. Paths begin with the directory of the case's file.
    pub plugin: Reference,
    /// The plugin's configuration. Default: empty.
    pub config: Content,
    /// The VM's configuration. Default: empty.
    pub vm_config: Content,
    /// Which root context of the module is meant. Default: empty.
    pub root_id: String,
    /// The id of the VM. Default: empty.
    pub vm_id: String,
    /// The environment variables that the guest sees. Default: none.
    pub env: BTreeMap<String, String>,
    /// The properties that the filter may ask for, by their paths with dots, in the encodings of the ABI. Default: none.
    pub properties: BTreeMap<String, Content>,
    /// Whether a pause on headers lets body callbacks come. Default: false.
    pub allow_on_headers_stop_iteration: bool,
    /// What it may cost. Default: as for a plugin, but with deadlines of 10 s, which a busy machine does not reach.
    pub limits: Limits,
    /// What its clocks show. Default: 2025-01-01T00:00:00Z.
    pub clock: Clock,
    /// Where its random bytes come from. Default: seeded.
    pub random: Randomness,
    /// What upstreams answer to call-outs. Default: nobody answers.
    pub callouts: Answers,
    /// The shared data that is there from the start. Default: none.
    pub shared_data: BTreeMap<String, Content>,
}

/// What upstreams answer to call-outs, by their names. The answers of one are for its calls in turn; the last one is for
/// all that follow. Never an empty list.
pub type Answers = BTreeMap<String, Vec<Answer>>;

/// What an upstream does with a call-out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It does not answer, or not in time.
    Fails,
    /// It answers.
    Responds(Message),
}

/// A response as it is given; of a request, the part that follows its first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The status of a response. Default: 200.
    pub status: u16,
    /// The headers.
    pub headers: Vec<Header>,
    /// The body, in the pieces in which it comes.
    pub body: Vec<Content>,
    /// The trailers.
    pub trailers: Vec<Header>,
}

/// A header: its name in lower case, and its value.
pub type Header = (String, String);

/// Some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// These.
    Bytes(Vec<u8>),
    /// These, so many times, at most 64 MiB in all.
    Repeated {
        /// What is repeated.
        bytes: Vec<u8>,
        /// How often it stands there.
        times: u32,
    },
    /// Those of a file, which was there when the case was read.
    File(PathBuf),
}

/// What the clocks of a guest show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The machine's.
    Real,
    /// They begin at so many nanoseconds since 1970 and go on only by what the case says.
    Fixed(u64),
}

/// Where the random bytes of a guest come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Randomness {
    /// From the machine.
    Real,
    /// From a generator that gives the same in each run.
    Seeded,
}

/// What happens before the first request, and what is expected of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Start {
    /// What happens.
    pub between: Between,
    /// Whether the filter is to refuse to start, with the line that says so.
    pub refused: Option<Placed<bool>>,
    /// What is expected.
    pub expect: StageExpectation,
}

/// What happens to a filter beside its requests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Between {
    /// How much time passes first.
    pub after: Duration,
    /// What others put on its queues first: the queue, and the items.
    pub queued: Vec<(String, Vec<Content>)>,
    /// What upstreams answer, for those that are named here.
    pub callouts: Answers,
    /// How many ticks pass.
    pub ticks: u32,
}

/// A request, what the upstream answers, and what is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeCase {
    /// The line where it begins.
    pub line: usize,
    /// The method. Default: GET.
    pub method: String,
    /// The path with the query. Default: `/`.
    pub path: String,
    /// The rest of the request; its status means nothing.
    pub request: Message,
    /// What the upstream answers.
    pub response: Message,
    /// Properties of this request alone.
    pub properties: BTreeMap<String, Content>,
    /// What else happens.
    pub between: Between,
    /// What is expected.
    pub expect: ExchangeExpectation,
}

/// Something that the file says, and the line where it says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed<T> {
    /// The line, from 1.
    pub line: usize,
    /// What it says.
    pub value: T,
}

/// The most bytes that the set-ups of all cases of a file may have together.
const MOST_BYTES: usize = 64 << 20;

const CASE_FILE: FileKind = FileKind {
    what: "the case file",
    name: "greet.test.yaml",
    start: "begin with `plugin: ../greet.wasm`, then `cases:` and for each `- name:`",
};

impl Form {
    /// The form that a file of this name has; `None`: it is no file of cases.
    pub fn of(file_name: &str) -> Option<Self> {
        let is_table = [".test.yaml", ".test.yml"]
            .iter()
            .any(|ending| file_name.ends_with(ending));
        let is_golden = matches!(file_name, "case.yaml" | "case.yml");
        is_table
            .then_some(Self::Table)
            .or_else(|| is_golden.then_some(Self::Golden))
    }
}

/// Reads and checks a file of cases. The files that it names must exist, but for the plugins, which may be yet to build.
///
/// # Errors
/// All that is wrong with it, in one go; when the file cannot be read, is larger than 1 MiB, or is not UTF-8, only that.
pub fn load(path: &Path, form: Form) -> Result<Cases, ConfigErrors> {
    let text = read_text(path, &CASE_FILE)?;
    // Only a name is taken from it; where there is no current directory, there is another name.
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    check(&text, path, form, &folder_name(&whole), Some(&check_file))
}

/// Checks the text of a file of cases. `origin` is the file's name for messages, and relative paths are relative to its
/// directory; nothing outside the text is looked at.
///
/// # Errors
/// All that is wrong with it, in one go; when it is larger than 1 MiB or is not YAML, only that.
pub fn parse(text: &str, origin: &Path, form: Form) -> Result<Cases, ConfigErrors> {
    check(text, origin, form, &folder_name(origin), None)
}

/// The name of a golden case that has none of its own.
fn folder_name(path: &Path) -> String {
    let folder = path.parent().and_then(Path::file_name);
    folder.map_or_else(|| "case".to_owned(), |name| name.to_string_lossy().into_owned())
}

fn check(
    text: &str,
    origin: &Path,
    form: Form,
    default_name: &str,
    file_check: Option<FileCheck<'_>>,
) -> Result<Cases, ConfigErrors> {
    let decode_root = |cx: &mut Context<'_>, root: &Item<'_>| match (policy::is_meant(root), form) {
        (false, Form::Table) => decode_table(cx, root).map(Cases::Filters),
        (false, Form::Golden) => decode_golden(cx, root, default_name).map(|case| Cases::Filters(vec![case])),
        (true, Form::Table) => policy::decode_table(cx, root).map(Cases::Policies),
        (true, Form::Golden) => {
            policy::decode_golden(cx, root, default_name).map(|case| Cases::Policies(vec![case]))
        }
    };
    let (cases, _) = decode(text, origin, &CASE_FILE, file_check, decode_root)?;
    Ok(cases)
}

fn decode_table(cx: &mut Context<'_>, root: &Item<'_>) -> Option<Vec<FilterCase>> {
    let fields = Fields::open(cx, root, &TABLE)?;
    let common = setup::decode(cx, &fields);
    let mut weight = Weight::default();
    let mut names = Names::default();
    let mut cases = Vec::new();
    for item in fields.list(cx, "cases")? {
        let Some(fields) = Fields::open(cx, &item, &CASE) else {
            continue;
        };
        let name = decode_name(cx, &fields);
        names.note(cx, &fields, name.as_deref());
        let given = setup::decode(cx, &fields);
        weight.add(cx, &item, common.weight().saturating_add(given.weight()))?;
        let given = given.over(&common);
        given.report_missing(cx, &item);
        let case = decode_case(cx, &item, &fields, given, name.unwrap_or_default());
        cases.extend(case);
    }
    Some(cases)
}

/// The names of the cases of a file, and where they stand.
#[derive(Default)]
struct Names(BTreeMap<String, Range<usize>>);

impl Names {
    /// Notes a name, and reports the second case that has it.
    fn note(&mut self, cx: &mut Context<'_>, case: &Fields<'_>, name: Option<&str>) {
        let (Some(name), Some(item)) = (name, case.item("name")) else {
            return;
        };
        let Some(first) = self.0.get(name) else {
            self.0.insert(name.to_owned(), item.span());
            return;
        };
        let message = format!("two cases are called {}", quoted(name));
        let complaint = Complaint::new(item.span(), message).related(first.clone(), "the first one");
        cx.error(complaint.hint("say in the name what is special about each"));
    }
}

/// How much the cases of a file have together.
#[derive(Default)]
struct Weight(usize);

impl Weight {
    /// Adds what a case has. None where that is too much, which is reported.
    fn add(&mut self, cx: &mut Context<'_>, case: &Item<'_>, weight: usize) -> Option<()> {
        self.0 = self.0.saturating_add(weight);
        if self.0 <= MOST_BYTES {
            return Some(());
        }
        let message = "the cases are too large from here on, with what the file says for all of them";
        let complaint = Complaint::new(case.at.clone(), message);
        cx.error(complaint.hint("split the file, or say what is large in the cases that need it"));
        None
    }
}

fn decode_golden(cx: &mut Context<'_>, root: &Item<'_>, default_name: &str) -> Option<FilterCase> {
    let fields = Fields::open(cx, root, &GOLDEN)?;
    let name = match fields.item("name") {
        Some(_) => decode_name(cx, &fields)?,
        None => default_name.to_owned(),
    };
    let given = setup::decode(cx, &fields);
    decode_case(cx, root, &fields, given, name)
}

fn decode_name(cx: &mut Context<'_>, fields: &Fields<'_>) -> Option<String> {
    let item = fields.item("name")?;
    let name = item.text(cx, fields.kind("name"))?;
    if name.trim().is_empty() {
        let complaint = Complaint::new(item.span(), format!("{} is empty", item.name()));
        cx.error(complaint.hint("say what the plugin does, such as `adds the greeting`"));
        return None;
    }
    Some(name.to_owned())
}

fn decode_case(
    cx: &mut Context<'_>,
    item: &Item<'_>,
    fields: &Fields<'_>,
    given: Given,
    name: String,
) -> Option<FilterCase> {
    let setup = given.finish();
    let is_real = setup.as_ref().is_some_and(|setup| setup.clock == Clock::Real);
    let (mut start, refusal) = exchange::decode_start(cx, fields, is_real);
    let mut exchanges = Vec::new();
    for item in fields.list(cx, "requests").unwrap_or_default() {
        exchanges.extend(exchange::decode(cx, &item, is_real));
    }
    let (expect, refused) = outcome::decode(cx, fields);
    let refusal = refusal.or_else(|| fields.item("expect")?.peek("refused"));
    start.refused = start.refused.or(refused);
    let stops = start.refused.as_ref().is_some_and(|refused| refused.value) || start.expect.fault.is_some();
    if let (true, Some(requests)) = (stops && !exchanges.is_empty(), fields.item("requests")) {
        let message = "the filter is expected not to start, and then it gets no requests";
        let mut complaint = Complaint::new(requests.at.clone(), message);
        if let Some(refusal) = refusal {
            complaint = complaint.related(refusal.at, "expected here");
        }
        cx.error(complaint.hint("put the requests into a case of their own"));
    }
    Some(FilterCase {
        name,
        line: cx.line(&item.at),
        setup: setup?,
        start,
        exchanges,
        expect,
    })
}

/// The JSON Schema (draft 2020-12) of files of cases, in both forms.
///
/// What it refuses, [`parse`] refuses too; what concerns several places, such as two cases of one name, only the latter
/// sees.
pub fn json_schema() -> Value {
    let mut definitions = Map::new();
    let mut of = |table, golden| {
        json!({
            "if": { "required": ["cases"] },
            "then": schema::reference(table, false, &mut definitions),
            "else": schema::reference(golden, false, &mut definitions),
        })
    };
    let filters = of(&TABLE, &GOLDEN);
    let policies = of(&POLICY_TABLE, &POLICY_GOLDEN);
    let names_policies = json!({ "anyOf": [{ "required": ["policy"] }, { "required": ["group"] }] });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:wharf:test:1",
        "title": "Wharf test cases",
        "if": { "anyOf": [names_policies, {
            "required": ["cases"],
            "properties": { "cases": { "type": "array", "contains": names_policies } },
        }] },
        "then": policies,
        "else": filters,
        "examples": [{
            "plugin": "../greet.wasm",
            "cases": [{
                "name": "adds the greeting",
                "requests": [{
                    "request": { "path": "/hello" },
                    "expect": { "client": { "status": 200, "added": ["x-greeting: hello"] } },
                }],
            }],
        }, {
            "policy": "../labels.wasm",
            "settings": { "required": ["team"] },
            "cases": [{
                "name": "refuses pods without a team",
                "review": { "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "web" } },
                "expect": { "allowed": false, "messageContains": ["team"] },
            }],
        }],
        "$defs": definitions,
    })
}
