//! A case: filters, and what passes through them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::allowed::Allowance;
use crate::yaml;

/// One folder below `cases/`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Case {
    /// The folder's name.
    #[serde(skip)]
    pub(crate) name: String,
    /// What it shows, in a sentence.
    pub(crate) about: String,
    pub(crate) filters: Vec<Filter>,
    pub(crate) exchanges: Vec<Exchange>,
    /// The differences that are right here.
    #[serde(default)]
    pub(crate) allowed: Vec<Allowance>,
}

/// A filter of the case's chain.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Filter {
    /// A folder of `guests/`, or `wat/` and a name.
    pub(crate) guest: String,
    /// Text as it is, all else as JSON text.
    config: Option<Value>,
    #[serde(default)]
    pub(crate) root_id: String,
    /// By default one that no other filter has.
    pub(crate) vm_id: Option<String>,
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) allow_on_headers_stop_iteration: bool,
    #[serde(default)]
    pub(crate) on_fault: OnFault,
}

/// What a fault does to a request.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnFault {
    #[default]
    Closed,
    Open,
}

/// A request and who answers what.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exchange {
    pub(crate) request: Request,
    /// What the upstream `app` answers.
    #[serde(default)]
    pub(crate) answer: Answer,
    /// What the upstream `service` answers, to which filters call out.
    #[serde(default)]
    pub(crate) service: Answer,
}

/// What the client sends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    #[serde(default = "get")]
    pub(crate) method: String,
    #[serde(default = "root")]
    pub(crate) path: String,
    /// Lines. `host` and `connection: close` are added, and what the payload needs.
    #[serde(default)]
    pub(crate) headers: Vec<String>,
    body: Option<String>,
    /// How often the body is repeated.
    #[serde(default = "once")]
    repeat: usize,
    #[serde(default)]
    chunks: Vec<String>,
    #[serde(default)]
    trailers: Vec<String>,
}

/// What an upstream sends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    #[serde(default = "ok")]
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) headers: Vec<String>,
    body: Option<String>,
    #[serde(default = "once")]
    repeat: usize,
    #[serde(default)]
    chunks: Vec<String>,
    #[serde(default)]
    trailers: Vec<String>,
    /// The connection is closed in place of an answer.
    #[serde(default)]
    pub(crate) close: bool,
}

/// What follows a message's head.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    None,
    Whole(String),
    Chunked {
        chunks: Vec<String>,
        trailers: Vec<String>,
    },
}

fn get() -> String {
    "GET".to_owned()
}

fn root() -> String {
    "/".to_owned()
}

fn once() -> usize {
    1
}

fn ok() -> u16 {
    200
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            status: ok(),
            headers: vec!["content-type: text/plain".to_owned(), "x-origin: yes".to_owned()],
            body: Some("hello from the origin\n".to_owned()),
            repeat: once(),
            chunks: Vec::new(),
            trailers: Vec::new(),
            close: false,
        }
    }
}

impl Request {
    pub(crate) fn payload(&self) -> Payload {
        payload(&self.body, self.repeat, &self.chunks, &self.trailers)
    }
}

impl Answer {
    /// An answer without a body has a `content-length` of 0, unless its status has none.
    pub(crate) fn payload(&self) -> Payload {
        match payload(&self.body, self.repeat, &self.chunks, &self.trailers) {
            Payload::None if !matches!(self.status, 204 | 304) => Payload::Whole(String::new()),
            payload => payload,
        }
    }
}

fn payload(body: &Option<String>, repeat: usize, chunks: &[String], trailers: &[String]) -> Payload {
    match body {
        Some(body) => Payload::Whole(body.repeat(repeat)),
        None if chunks.is_empty() && trailers.is_empty() => Payload::None,
        None => Payload::Chunked {
            chunks: chunks.to_vec(),
            trailers: trailers.to_vec(),
        },
    }
}

impl Case {
    /// The name of a filter's plugin, for either proxy.
    pub(crate) fn plugin(&self, filter: usize) -> String {
        format!("{}.{filter}", self.name)
    }

    /// The VM id of a filter, for either proxy.
    pub(crate) fn vm_id(&self, filter: usize) -> String {
        let own = || self.plugin(filter);
        self.filters[filter].vm_id.clone().unwrap_or_else(own)
    }

    /// What a filter's lines are known by in Envoy's log: the root id, where there is one, and the VM id. Filters that share
    /// both share their lines.
    pub(crate) fn log_name(&self, filter: usize) -> String {
        let (root_id, vm_id) = (&self.filters[filter].root_id, self.vm_id(filter));
        if root_id.is_empty() {
            vm_id
        } else {
            format!("{root_id} {vm_id}")
        }
    }
}

impl Filter {
    /// The configuration as the guest gets it; empty where there is none.
    pub(crate) fn configuration(&self) -> String {
        match &self.config {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        }
    }
}

/// All cases, or the one of this name, sorted.
///
/// # Errors
/// Which case cannot be read, and why; or that there is none of this name.
pub(crate) fn load(folder: &Path, only: Option<&str>) -> Result<Vec<Case>, String> {
    let unreadable = |path: &Path, reason: &dyn std::fmt::Display| format!("{}: {reason}", path.display());
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    let mut cases = Vec::new();
    for folder in folders {
        let name = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if only.is_some_and(|only| only != name) {
            continue;
        }
        let path = folder.join("case.yaml");
        let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
        let case: Case = yaml::read(&text).map_err(|error| unreadable(&path, &error))?;
        cases.push(Case { name, ..case });
    }
    if cases.is_empty() {
        return Err(match only {
            Some(name) => format!("there is no case `{name}` in {}", folder.display()),
            None => format!("there is no case in {}", folder.display()),
        });
    }
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_cases_can_be_read() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let cases = load(&root.join("cases"), None).unwrap();
        assert!(cases.len() >= 40, "there are {}", cases.len());
        for case in cases {
            assert!(!case.exchanges.is_empty(), "{} has no exchange", case.name);
        }
    }

    #[test]
    fn a_word_that_nobody_knows_is_an_error() {
        let error = yaml::read::<Case>("about: x\nfilters: []\nexchanges: []\nexchangs: []").unwrap_err();
        assert!(error.contains("exchangs"), "{error}");
    }
}
