//! The ledgers in `conformance/`: what is there, how far, and the tests that say so.

use granit_parser::{Event, Parser};
use serde_json::{Map, Value};

use super::DocsError;
use crate::repository::Repository;

/// The ledger of the proxy-wasm ABI. A test of its crate holds it against the code.
pub(super) const PROXY_WASM: &str = "conformance/proxy-wasm.yaml";
/// The ledger of waPC.
pub(super) const WAPC: &str = "conformance/wapc.yaml";
/// The ledger of Kubewarden's policies and of policy-server.
pub(super) const KUBEWARDEN: &str = "conformance/kubewarden.yaml";

/// The ledger of Trivy's modules.
pub(super) const TRIVY: &str = "conformance/trivy.yaml";

/// How far something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Support {
    Supported,
    Partial,
    No,
}

/// A line of the ledger.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) support: Support,
    /// Why it is not wholly there; empty where it is.
    pub(super) reason: String,
    /// How it is other than what it is held against; empty where it is not.
    pub(super) differs: String,
    /// The tests that say so, as they stand there.
    pub(super) tests: Vec<String>,
    /// The checks before a real cluster that say so.
    pub(super) e2e: Vec<String>,
}

/// A part of the ledger, such as the host functions.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) key: String,
    pub(super) entries: Vec<Entry>,
}

impl Section {
    /// How many are there so far.
    pub(super) fn count(&self, support: Support) -> usize {
        self.entries
            .iter()
            .filter(|entry| entry.support == support)
            .count()
    }
}

/// Reads a ledger: each of its top-level lists whose items have a name and a status is a section.
///
/// # Errors
/// [`DocsError::Missing`], and [`DocsError::Ledger`] where it is not such a file.
pub(super) fn read(repository: &Repository, path: &'static str) -> Result<Vec<Section>, DocsError> {
    let text = repository.text(path).ok_or(DocsError::Missing { path })?;
    let tree = parse(text).map_err(|reason| DocsError::Ledger { path, reason })?;
    let sections = tree.as_object().into_iter().flatten();
    let sections = sections.filter_map(|(key, value)| value.as_array().map(|items| section(key, items)));
    sections
        .collect::<Result<_, _>>()
        .map_err(|reason| DocsError::Ledger { path, reason })
}

fn section(key: &str, items: &[Value]) -> Result<Section, String> {
    let entries = items.iter().map(entry).collect::<Result<_, _>>();
    Ok(Section {
        key: key.to_owned(),
        entries: entries.map_err(|reason| format!("{key}: {reason}"))?,
    })
}

fn entry(item: &Value) -> Result<Entry, String> {
    let text = |key: &str| item[key].as_str().unwrap_or_default().to_owned();
    let name = text("name");
    let support = match text("status").as_str() {
        "supported" => Support::Supported,
        "partial" => Support::Partial,
        "no" => Support::No,
        other => {
            return Err(format!(
                "{name:?} has the status {other:?}; use supported, partial or no"
            ));
        }
    };
    let line = |key: &str| text(key).split_whitespace().collect::<Vec<_>>().join(" ");
    let (reason, differs) = (line("reason"), line("differs"));
    let list = |key: &str| {
        let names = item[key].as_array().into_iter().flatten();
        names.filter_map(|name| Some(name.as_str()?.to_owned())).collect()
    };
    let (tests, e2e) = (list("tests"), list("e2e"));
    if name.is_empty() {
        return Err("there is an item without a name".to_owned());
    }
    if support != Support::Supported && reason.is_empty() {
        return Err(format!("{name} is not wholly supported and gives no reason"));
    }
    Ok(Entry {
        name,
        support,
        reason,
        differs,
        tests,
        e2e,
    })
}

/// A list or a mapping that is not at its end.
enum Open {
    List(Vec<Value>),
    Mapping(Map<String, Value>, Option<String>),
}

/// YAML as JSON, with every scalar as text.
fn parse(text: &str) -> Result<Value, String> {
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| error.to_string())?;
        let complete = match event {
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Mapping(Map::new(), None));
                continue;
            }
            Event::Scalar(text, ..) => Value::String(text.into_owned()),
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(items)) => Value::Array(items),
                Some(Open::Mapping(entries, _)) => Value::Object(entries),
                None => return Err("an end without a beginning".to_owned()),
            },
            _ => continue,
        };
        match (open.last_mut(), complete) {
            (Some(Open::List(items)), item) => items.push(item),
            (Some(Open::Mapping(_, key @ None)), Value::String(text)) => *key = Some(text),
            (Some(Open::Mapping(entries, key)), value) => {
                let key = key.take().ok_or("a key is not text")?;
                entries.insert(key, value);
            }
            (None, root) => return Ok(root),
        }
    }
    Err("it is empty".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(text: &str) -> Result<Vec<Section>, DocsError> {
        read(&Repository::of(&[(WAPC, text)]), WAPC)
    }

    #[test]
    fn sections_are_read() {
        let text = "\
about: [{ name: x, status: supported, tests: [a, b] }]
words: text
callbacks:
  - name: proxy_on_x
    status: partial
    reason: >
      only on
      Tuesdays
    tests: [a::b]
    e2e: [c::d]
";
        let sections = ledger(text).unwrap();
        assert_eq!(
            sections
                .iter()
                .map(|section| section.key.as_str())
                .collect::<Vec<_>>(),
            ["about", "callbacks"]
        );
        let Entry {
            name,
            support,
            reason,
            differs,
            tests,
            e2e,
        } = &sections[1].entries[0];
        assert_eq!(
            (name.as_str(), *support, reason.as_str()),
            ("proxy_on_x", Support::Partial, "only on Tuesdays")
        );
        assert_eq!(
            (differs.as_str(), tests.as_slice()),
            ("", &["a::b".to_owned()][..])
        );
        assert_eq!(e2e, &["c::d"]);
        assert_eq!(sections[1].count(Support::Partial), 1);
        assert_eq!(sections[1].count(Support::No), 0);
    }

    #[test]
    fn gaps_need_a_reason_and_a_known_status() {
        for (text, expected) in [
            (
                "a: [{ name: x, status: no }]",
                "x is not wholly supported and gives no reason",
            ),
            ("a: [{ name: x, status: maybe }]", "use supported, partial or no"),
            ("a: [{ status: supported }]", "without a name"),
            ("a: [", ""),
        ] {
            let error = ledger(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
