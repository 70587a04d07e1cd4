//! What a watch sends: an event on each line.

use bytes::{Buf, Bytes};
use http::StatusCode;
use http_body_util::BodyExt;
use kube::client::Body;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::api::{ApiError, StatusObject, broken};
use super::super::objects::{Cut, Kept};

/// The most bytes of one event. The API server takes objects of up to 3 MiB.
const MOST_LINE: usize = 16 << 20;

/// Something that happened to the objects that are watched.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    Put(Kept),
    Removed(Kept),
    /// Nothing, up to this version.
    Version(String),
    /// The watch cannot go on.
    Failed(ApiError),
}

/// Reads events from the body of a watch.
pub(super) struct Events {
    body: Body,
    /// What came and is not a whole line yet.
    rest: Vec<u8>,
    /// What came and was not looked at yet.
    next: Bytes,
}

impl Events {
    pub(super) fn new(body: Body) -> Self {
        Self {
            body,
            rest: Vec::new(),
            next: Bytes::new(),
        }
    }

    /// The next event; none at the end.
    pub(super) async fn next(&mut self, cut: &Cut) -> Result<Option<Event>, ApiError> {
        loop {
            let Some(line) = self.line().await? else {
                return Ok(None);
            };
            if !line.trim_ascii().is_empty() {
                return parse(&line, cut).map(Some);
            }
        }
    }

    async fn line(&mut self) -> Result<Option<Vec<u8>>, ApiError> {
        loop {
            if let Some(end) = self.next.iter().position(|byte| *byte == b'\n') {
                let mut line = std::mem::take(&mut self.rest);
                line.extend_from_slice(&self.next[..end]);
                self.next.advance(end + 1);
                return Ok(Some(line));
            }
            self.rest.extend_from_slice(&self.next);
            self.next = Bytes::new();
            if self.rest.len() > MOST_LINE {
                return Err(ApiError::unreadable("an event has more than 16 MiB"));
            }
            match self.body.frame().await {
                None if self.rest.is_empty() => return Ok(None),
                None => return Err(ApiError::unreadable("an event is cut off")),
                Some(Ok(frame)) => self.next = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Err(broken(&error)),
            }
        }
    }
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    what: String,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bookmark {
    metadata: BookmarkMetadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BookmarkMetadata {
    resource_version: String,
}

fn parse(line: &[u8], cut: &Cut) -> Result<Event, ApiError> {
    let line: Line<'_> = serde_json::from_slice(line).map_err(ApiError::unreadable)?;
    let object = line.object.get();
    Ok(match line.what.as_str() {
        "ADDED" | "MODIFIED" => Event::Put(cut.cut(object)?),
        "DELETED" => Event::Removed(cut.cut(object)?),
        "BOOKMARK" => {
            let bookmark: Bookmark = serde_json::from_str(object).map_err(ApiError::unreadable)?;
            Event::Version(bookmark.metadata.resource_version)
        }
        "ERROR" => {
            let said: StatusObject = serde_json::from_str(object).map_err(ApiError::unreadable)?;
            let status = StatusCode::from_u16(said.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Event::Failed(ApiError::refused(status, &said.message))
        }
        other => {
            let other: String = other.chars().take(40).collect();
            return Err(ApiError::unreadable(format_args!(
                "an event is of the type {other:?}"
            )));
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::super::error::KindName;
    use super::super::super::objects::Mask;
    use super::*;

    fn cut() -> Cut {
        let kind = KindName {
            api_version: Arc::from("v1"),
            kind: Arc::from("ConfigMap"),
        };
        Cut::new(kind, &Mask::Whole)
    }

    fn parsed(line: &str) -> String {
        match parse(line.as_bytes(), &cut()) {
            Ok(Event::Put(kept)) => format!("put {} {}", kept.key.1, kept.version),
            Ok(Event::Removed(kept)) => format!("removed {} {}", kept.key.1, kept.version),
            Ok(Event::Version(version)) => format!("version {version}"),
            Ok(Event::Failed(error)) | Err(error) => error.to_string(),
        }
    }

    #[test]
    fn lines_become_events() {
        let object = r#"{"metadata":{"name":"a","resourceVersion":"7"}}"#;
        for (what, event) in [
            ("ADDED", "put a 7"),
            ("MODIFIED", "put a 7"),
            ("DELETED", "removed a 7"),
            ("BOOKMARK", "version 7"),
        ] {
            assert_eq!(
                parsed(&format!(r#"{{"type":"{what}","object":{object}}}"#)),
                event
            );
        }
    }

    #[test]
    fn what_is_no_event_is_an_error() {
        let prefix = "the answer of the cluster's API server cannot be understood: ";
        for line in [
            "x",
            "{}",
            r#"{"type":"ADDED"}"#,
            r#"{"type":"ADDED","object":7}"#,
            r#"{"type":"ADDED","object":{"metadata":{}}}"#,
            r#"{"type":"BOOKMARK","object":{}}"#,
            r#"{"type":"\u001b[2J","object":{}}"#,
        ] {
            assert!(parsed(line).starts_with(prefix), "{line}: {}", parsed(line));
        }
        assert_eq!(
            parsed(r#"{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old"}}"#),
            "the cluster's API server answered 410 Gone: too old"
        );
        assert_eq!(
            parsed(r#"{"type":"ERROR","object":{}}"#),
            "the cluster's API server answered 500 Internal Server Error"
        );
    }

    async fn events(body: Vec<u8>) -> Vec<String> {
        let mut events = Events::new(Body::from(body));
        let mut seen = Vec::new();
        loop {
            match events.next(&cut()).await {
                Ok(Some(Event::Version(version))) => seen.push(version),
                Ok(Some(other)) => seen.push(format!("{other:?}")),
                Ok(None) => return seen,
                Err(error) => {
                    seen.push(error.to_string());
                    return seen;
                }
            }
        }
    }

    #[tokio::test]
    async fn empty_lines_do_not_count_and_a_cut_line_does() {
        let bookmark = |version: u8| {
            format!(r#"{{"type":"BOOKMARK","object":{{"metadata":{{"resourceVersion":"{version}"}}}}}}"#)
        };
        let whole = format!("\n{}\r\n\n{}\n", bookmark(1), bookmark(2));
        assert_eq!(events(whole.into_bytes()).await, ["1", "2"]);
        let cut = format!("{}\n{}", bookmark(1), &bookmark(2)[..20]);
        let seen = events(cut.into_bytes()).await;
        assert_eq!(seen.len(), 2);
        assert!(seen[1].ends_with("an event is cut off"), "{seen:?}");
    }

    #[tokio::test]
    async fn a_line_without_end_is_not_kept() {
        let seen = events(vec![b' '; MOST_LINE + 1]).await;
        assert_eq!(
            seen,
            ["the answer of the cluster's API server cannot be understood: an event has more than 16 MiB"]
        );
    }
}
