//! Modules in text form.

use std::path::Path;

use wast::parser::{self, ParseBuffer};
use wast::{Wat, token::Span};

use crate::FetchError;

/// How many characters of a line an excerpt has.
const EXCERPT: usize = 80;

/// Assembles the text of a module.
pub(crate) fn assemble(path: &Path, bytes: Vec<u8>) -> Result<Vec<u8>, FetchError> {
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let offset = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            return Err(at(
                path,
                &text,
                Span::from_offset(offset),
                "this is not UTF-8".to_owned(),
            ));
        }
    };
    assemble_text(&text).map_err(|error| at(path, &text, error.span(), error.message()))
}

fn assemble_text(text: &str) -> Result<Vec<u8>, wast::Error> {
    let buffer = ParseBuffer::new(text)?;
    parser::parse::<Wat<'_>>(&buffer)?.encode()
}

/// The error at a place of the text.
fn at(path: &Path, text: &str, span: Span, message: String) -> FetchError {
    let offset = text.floor_char_boundary(span.offset().min(text.len()));
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line_text = text[line_start..].lines().next().unwrap_or_default().trim();
    FetchError::Text {
        path: path.to_owned(),
        line: before.matches('\n').count() + 1,
        column: text[line_start..offset].chars().count() + 1,
        message,
        excerpt: line_text.chars().take(EXCERPT).collect(),
    }
}
