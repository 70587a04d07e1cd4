//! Messages as they came beside those that are expected.

use serde_json::Value;
use wharf_abi_proxy_wasm::{HeaderList, HttpCall};
use wharf_config::cases::{BodyExpectation, CallExpectation, MessageExpectation, Placed};

use super::super::case::Broken;
use super::super::difference::Difference;
use super::headers::{self, Came};
use super::plan;
use crate::commands::run::exchange::Message;
use crate::commands::run::report;

/// A message that left, and what it was made of.
pub(super) struct Left<'a> {
    /// `upstream` or `client`.
    pub(super) what: &'static str,
    pub(super) message: &'a Message,
    /// What the filter was given; none where it made the message itself.
    pub(super) given: Option<&'a HeaderList>,
}

/// All that is not as expected.
pub(super) fn compare(expected: &MessageExpectation, left: &Left<'_>) -> Result<Vec<Difference>, Broken> {
    let Left { what, message, given } = left;
    let mut found = Vec::new();
    let pseudo = |name: &str| message.headers.get_str(name).unwrap_or_default().to_owned();
    let status = expected.status.as_ref().map(|placed| Placed {
        line: placed.line,
        value: placed.value.to_string(),
    });
    for (key, wanted) in [
        ("status", status.as_ref()),
        ("method", expected.method.as_ref()),
        ("path", expected.path.as_ref()),
    ] {
        if let Some(Placed { line, value }) = wanted {
            let came = pseudo(&format!(":{key}"));
            if came != *value {
                let text = format!("`{what}.{key}` is expected to be {value}, and is {came}");
                found.push(Difference::new(*line, text));
            }
        }
    }
    let (added, removed) = changes(expected, message, *given);
    for (key, wanted, came) in [
        ("added", &expected.added, added),
        ("removed", &expected.removed, removed),
    ] {
        if let Some(Placed { line, value }) = wanted {
            found.extend(headers::compare(*line, &format!("{what}.{key}"), value, &came));
        }
    }
    let none = HeaderList::new();
    let trailers = message.trailers.as_ref().unwrap_or(&none);
    found.extend(parts(expected, what, &message.headers, &message.body, trailers)?);
    Ok(found)
}

/// A call-out, in what is looked at.
pub(super) fn compare_call(expected: &CallExpectation, call: &HttpCall) -> Result<Vec<Difference>, Broken> {
    let what = format!("calloutsMade: {}", report::call_line(call));
    parts(
        &expected.message,
        &what,
        &call.headers,
        &call.body,
        &call.trailers,
    )
}

/// What all messages have.
fn parts(
    expected: &MessageExpectation,
    what: &str,
    came: &HeaderList,
    body: &[u8],
    trailers: &HeaderList,
) -> Result<Vec<Difference>, Broken> {
    let mut found = Vec::new();
    let came = headers::all(came);
    for Placed { line, value } in &expected.headers {
        found.extend(headers::find(*line, &format!("{what}.headers"), value, &came));
    }
    for Placed { line, value } in &expected.absent {
        found.extend(headers::miss(*line, &format!("{what}.absent"), value, &came));
    }
    if let Some(Placed { line, value }) = &expected.body {
        found.extend(compare_body(*line, &format!("{what}.body"), value, body)?);
    }
    for Placed { line, value } in &expected.body_contains {
        if !String::from_utf8_lossy(body).contains(value) {
            let text = format!(
                "`{what}.bodyContains`: `{value}` is not in the body{}",
                excerpt(body)
            );
            found.push(Difference::new(*line, text));
        }
    }
    if let Some(Placed { line, value }) = &expected.trailers {
        let came = headers::all(trailers);
        found.extend(headers::compare(*line, &format!("{what}.trailers"), value, &came));
    }
    Ok(found)
}

/// The headers that the filter added and took away. Pseudo-headers do not count that are looked at by themselves, nor the
/// status of an answer of its own.
fn changes(
    expected: &MessageExpectation,
    message: &Message,
    given: Option<&HeaderList>,
) -> (Vec<Came>, Vec<Came>) {
    let mut left_out = Vec::new();
    if expected.status.is_some() || given.is_none() {
        left_out.push(":status");
    }
    if expected.method.is_some() {
        left_out.push(":method");
    }
    if expected.path.is_some() {
        left_out.push(":path");
    }
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    for (mark, name, value) in report::compare(&message.headers, given) {
        if left_out.contains(&name.as_str()) {
            continue;
        }
        match mark {
            '-' => removed.push((name, value)),
            ' ' if given.is_some() => {}
            _ => added.push((name, value)),
        }
    }
    (added, removed)
}

fn compare_body(
    line: usize,
    what: &str,
    expected: &BodyExpectation,
    came: &[u8],
) -> Result<Option<Difference>, Broken> {
    match expected {
        BodyExpectation::Bytes(content) => Ok(Difference::of_bytes(line, what, &plan::bytes(content)?, came)),
        BodyExpectation::Json(text) => Ok(compare_json(line, what, text, came)),
    }
}

fn compare_json(line: usize, what: &str, expected: &str, came: &[u8]) -> Option<Difference> {
    let wanted: Value = match serde_json::from_str(expected) {
        Ok(wanted) => wanted,
        // JSON that is nested too deep for the reader is compared as it is written.
        Err(_) => return Difference::of_bytes(line, what, expected.as_bytes(), came),
    };
    let value: Value = match serde_json::from_slice(came) {
        Ok(value) => value,
        Err(error) => {
            let text = format!("`{what}` is not JSON: {error}{}", excerpt(came));
            return Some(Difference::new(line, text));
        }
    };
    if wanted == value {
        return None;
    }
    let pretty = |mut value: Value| {
        value.sort_all_objects();
        format!("{value:#}\n")
    };
    Difference::of_bytes(line, what, pretty(wanted).as_bytes(), pretty(value).as_bytes())
}

/// What a body begins with, to stand at the end of a sentence.
fn excerpt(body: &[u8]) -> String {
    const MOST: usize = 200;
    match std::str::from_utf8(body) {
        Ok("") => ", which is empty".to_owned(),
        Ok(text) => {
            let end = text.floor_char_boundary(MOST);
            let more = if end < text.len() { "…" } else { "" };
            format!(": {}{more}", &text[..end])
        }
        Err(_) => format!(", which is no text and has {} bytes", body.len()),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn json(expected: &str, came: &str) -> String {
        let mut text = String::new();
        if let Some(difference) = compare_json(1, "client.body", expected, came.as_bytes()) {
            text = format!("{}\n", difference.message);
            difference.write_lines(&mut text, 0);
        }
        text
    }

    #[test]
    fn json_is_compared_by_what_it_says() {
        assert_eq!(json(r#"{"a":1,"b":[1,2]}"#, "{ \"b\": [1, 2],\n \"a\": 1 }"), "");
        expect![[r#"
            `client.body` is not as expected
            --- expected
            +++ came
            @@ -1,7 +1,7 @@
             {
               "a": 1,
               "b": [
            -    1,
            -    2
            +    2,
            +    1
               ]
             }
        "#]]
        .assert_eq(&json(r#"{"a":1,"b":[1,2]}"#, r#"{"b":[2,1],"a":1}"#));
        expect![[r#"
            `client.body` is not JSON: expected value at line 1 column 1: \u{1b}[31m{
        "#]]
        .assert_eq(&json("{}", "\u{1b}[31m{"));
        expect![[r#"
            `client.body` is not JSON: EOF while parsing a value at line 1 column 0, which is empty
        "#]]
        .assert_eq(&json("{}", ""));
    }

    #[test]
    fn json_that_is_nested_without_end_is_compared_as_text() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        assert_eq!(json(&deep, &deep), "");
        assert_ne!(json("[]", &deep), "");
    }
}
