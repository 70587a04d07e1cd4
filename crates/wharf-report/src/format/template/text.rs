//! Values as texts.

use std::borrow::Cow;

use minijinja::{AutoEscape, Error, Output, State, Value, escape_formatter};

use crate::format::escape::{escape_html, only_characters};

/// The text of a value: none and what is not there are empty.
pub(super) fn of(value: &Value) -> Cow<'_, str> {
    match value.as_str() {
        Some(text) => Cow::Borrowed(text),
        None if value.is_none() || value.is_undefined() => Cow::Borrowed(""),
        None => Cow::Owned(value.to_string()),
    }
}

/// Writes a value into the output.
pub(super) fn write(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.is_none() {
        return Ok(());
    }
    if !matches!(state.auto_escape(), AutoEscape::Html) {
        return escape_formatter(out, state, value);
    }
    let text = of(value);
    let written = match value.is_safe() {
        true => only_characters(&text),
        false => escape_html(&text),
    };
    out.write_str(&written).map_err(Error::from)
}
