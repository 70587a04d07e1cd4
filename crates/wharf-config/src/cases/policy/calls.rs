//! What the host of a case answers.

use serde_json::{Map, Value};

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::{Complaint, quoted};
use crate::nearest::nearest;
use crate::table::TEXT;
use crate::yaml::{OtherReader, json_text, json_value};

use super::HostAnswer;
use super::tables::{HOST_ANSWER, HOST_CALL};

/// The calls of a host by the names that they have in reports. Both versions of the check of signatures ask the same, and
/// have the second one's name; the name of a kind in plural is asked for policies in Rego.
pub const HOST_CALLS: [&str; 11] = [
    "crypto/v1/is_certificate_trusted",
    "kubernetes/can_i",
    "kubernetes/get_resource",
    "kubernetes/list_resources_all",
    "kubernetes/list_resources_by_namespace",
    "kubernetes/plural_name",
    "net/v1/dns_lookup_host",
    "oci/v1/manifest_digest",
    "oci/v1/oci_manifest",
    "oci/v1/oci_manifest_config",
    "oci/v2/verify",
];

impl HostAnswer {
    /// About how many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        const ENTRY: usize = 256;
        let (Ok(text) | Err(text)) = &self.answer;
        ENTRY + text.len()
    }
}

pub(super) fn decode(cx: &mut Context<'_>, fields: &Fields<'_>) -> Option<Vec<HostAnswer>> {
    let items = fields.list(cx, "calls")?;
    Some(items.iter().filter_map(|item| decode_answer(cx, item)).collect())
}

fn decode_answer(cx: &mut Context<'_>, item: &Item<'_>) -> Option<HostAnswer> {
    let fields = Fields::open(cx, item, &HOST_ANSWER)?;
    let call = fields.item("call").and_then(|item| decode_operation(cx, item));
    let request = decode_request(cx, &fields);
    let answer = match (fields.item("answer"), fields.item("error")) {
        (Some(answer), None) => json_text(answer.node)
            .map(Ok)
            .map_err(|complaint| cx.error(complaint))
            .ok(),
        (None, Some(error)) => error.text(cx, &TEXT).map(|text| Err(text.to_owned())),
        (given, _) => {
            let message = match given {
                Some(_) => format!("{} has both an `answer` and an `error`", item.name()),
                None => format!("{} has neither an `answer` nor an `error`", item.name()),
            };
            let complaint = Complaint::new(item.at.clone(), message);
            cx.error(
                complaint.hint("a call is answered with `answer`, or it fails with the text of `error`"),
            );
            None
        }
    };
    Some(HostAnswer {
        line: cx.line(&item.at),
        call: call?,
        request: request?,
        answer: answer?,
    })
}

/// What is asked, as far as it is named.
pub(super) fn decode_request(cx: &mut Context<'_>, fields: &Fields<'_>) -> Option<Map<String, Value>> {
    let Some(item) = fields.item("request") else {
        return Some(Map::new());
    };
    if !item.is_mapping() {
        item.wrong_kind(cx, fields.kind("request"));
        return None;
    }
    match json_value(item.node, OtherReader::PolicyServer) {
        Ok(Value::Object(request)) => Some(request),
        Ok(_) => None,
        Err(complaint) => {
            cx.error(complaint);
            None
        }
    }
}

/// A namespace and an operation of the host.
pub(super) fn decode_operation(cx: &mut Context<'_>, item: &Item<'_>) -> Option<&'static str> {
    let text = item.text(cx, &HOST_CALL)?;
    let known = HOST_CALLS.into_iter().find(|known| *known == text);
    if known.is_none() {
        let message = format!("{} is no call of a host", quoted(text));
        let hint = match nearest(text, HOST_CALLS) {
            Some(close) => format!("did you mean `{close}`?"),
            None => "write the namespace and the operation, such as `kubernetes/get_resource`".to_owned(),
        };
        cx.error(Complaint::new(item.span(), message).hint(hint));
    }
    known
}
