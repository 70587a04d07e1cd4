//! What the host of a case answers.

use serde_json::Value;
use wharf_abi_wapc::kubewarden::capability::{Capabilities, CapabilityError, CapabilityRequest};
use wharf_config::cases::HostAnswer;
use wharf_engine::Deadline;

use super::difference::named_of;
use crate::commands::policy::replay::{self, Recorded};

/// The answers of a case, and behind them those of a recording. Of several answers that fit, each is given once, in their
/// order, and the last one from then on.
pub(super) struct Answers {
    entries: Vec<Entry>,
    replay: Option<Recorded>,
}

struct Entry {
    answer: HostAnswer,
    used: bool,
}

impl Answers {
    pub(super) fn new(answers: &[HostAnswer], replay: Option<Recorded>) -> Self {
        let entry = |answer: &HostAnswer| Entry {
            answer: answer.clone(),
            used: false,
        };
        Self {
            entries: answers.iter().map(entry).collect(),
            replay,
        }
    }
}

impl Capabilities for Answers {
    fn call(&mut self, request: &CapabilityRequest, deadline: Deadline) -> Result<Vec<u8>, CapabilityError> {
        let fields = replay::fields(request);
        let mut fitting = self
            .entries
            .iter_mut()
            .filter(|entry| fits(&entry.answer, request.path(), &fields));
        let Some(mut entry) = fitting.next() else {
            return match &mut self.replay {
                Some(recorded) => recorded.call(request, deadline),
                None => Err(CapabilityError::Failed(format!(
                    "the case has no answer to {}",
                    replay::describe(request)
                ))),
            };
        };
        while entry.used
            && let Some(next) = fitting.next()
        {
            entry = next;
        }
        entry.used = true;
        match &entry.answer.answer {
            Ok(json) => Ok(json.clone().into_bytes()),
            Err(message) => Err(CapabilityError::Failed(message.clone())),
        }
    }
}

fn fits(answer: &HostAnswer, path: &str, fields: &Value) -> bool {
    let wanted = Value::Object(answer.request.clone());
    answer.call == path && named_of(&wanted, fields) == wanted
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use wharf_abi_wapc::kubewarden::capability::OPERATIONS;
    use wharf_config::cases::HOST_CALLS;

    use super::*;

    fn answer(name: Option<&str>, answer: Result<&str, &str>) -> HostAnswer {
        let request = name.map(|name| ("name".to_owned(), json!(name)));
        HostAnswer {
            line: 1,
            call: "kubernetes/get_resource",
            request: request.into_iter().collect(),
            answer: answer.map(str::to_owned).map_err(str::to_owned),
        }
    }

    #[test]
    fn the_calls_are_those_of_the_protocol() {
        let names = OPERATIONS.map(|(namespace, operation)| format!("{namespace}/{operation}"));
        let mut expected: Vec<_> = names.into_iter().filter(|name| name != "oci/v1/verify").collect();
        let plural = CapabilityRequest::KubernetesGetResourcePluralName {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
        };
        expected.push(plural.path().to_owned());
        expected.sort();
        assert_eq!(expected, HOST_CALLS);
    }

    #[test]
    fn answers_are_given_in_order_to_the_calls_that_they_fit() {
        let list = [
            answer(Some("a"), Ok("1")),
            answer(Some("a"), Ok("2")),
            answer(None, Err("gone")),
        ];
        let mut answers = Answers::new(&list, None);
        let mut get = |name: &str| {
            let payload = json!({ "api_version": "v1", "kind": "Pod", "name": name, "disable_cache": false });
            let request =
                CapabilityRequest::decode("kubernetes", "get_resource", payload.to_string().as_bytes());
            let answer = answers.call(&request.unwrap(), Deadline::after(Duration::from_secs(60)));
            answer
                .map(|bytes| String::from_utf8(bytes).unwrap())
                .map_err(|error| error.to_string())
        };
        assert_eq!(get("a"), Ok("1".to_owned()));
        assert_eq!(get("b"), Err("gone".to_owned()));
        assert_eq!(get("a"), Ok("2".to_owned()));
        assert_eq!(get("a"), Err("gone".to_owned()));
        let lookup = CapabilityRequest::DnsLookupHost {
            host: "example.com".to_owned(),
        };
        let error = answers
            .call(&lookup, Deadline::after(Duration::from_secs(60)))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("the case has no answer to net/v1/dns_lookup_host"),
            "{error}"
        );
    }
}
