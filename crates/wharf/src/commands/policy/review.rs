//! The review that a policy is asked about.

use std::path::Path;

use serde_json::Value;
use serde_json::value::RawValue;
use wharf_abi_wapc::kubewarden::{AdmissionRequest, RawRequest, ReviewRequest};

use super::Stop;
use crate::commands::single::with_causes;

/// Reads a review. Where the request stands alone, it is put into one.
pub(super) fn read(path: &Path, raw: bool) -> Result<ReviewRequest, Stop> {
    let body = std::fs::read(path).map_err(|error| {
        let error = format!("{} cannot be read: {error}", path.display());
        Stop::File(error.into(), "check the path".to_owned())
    })?;
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&body);
    let keys = serde_json::from_slice::<Value>(body).ok();
    let has = |key: &str| keys.as_ref().is_some_and(|value| value.get(key).is_some());
    let outcome = if raw {
        match has("request") {
            true => RawRequest::of_review(body).map_err(|error| with_causes(&error)),
            false => serde_json::from_slice::<Box<RawValue>>(body)
                .map(|request| RawRequest::new(&request))
                .map_err(|error| format!("this is no JSON: {error}")),
        }
        .map(ReviewRequest::Raw)
    } else {
        let alone = !has("request") && has("uid");
        let request = match alone {
            true => AdmissionRequest::of_review(&[br#"{"request":"#, body, b"}"].concat()),
            false => AdmissionRequest::of_review(body),
        };
        request
            .map(|request| ReviewRequest::Admission(Box::new(request)))
            .map_err(|error| with_causes(&error))
    };
    outcome.map_err(|reason| {
        let error = format!("{}: {reason}", path.display());
        let hint = match raw {
            true => "a raw review is any JSON, alone or as `{\"request\": …}`",
            false => "a review is what the API server sends to webhooks, or its `request` alone; --raw takes any JSON",
        };
        Stop::File(error.into(), hint.to_owned())
    })
}
