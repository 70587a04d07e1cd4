//! A value of the file: reading it as what its table says it is.

use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};
use std::rc::Rc;

use wharf_plugin::units::UnitError;

use crate::diagnostic::{Complaint, quoted, shortened};
use crate::nearest::nearest;
use crate::table::{Kind, TextRule, word_list};
use crate::yaml::{Entry, Node, Scalar, ScalarKind, Value, json_text};

use super::Context;

/// A value with the place where it is wanted.
#[derive(Clone)]
pub(crate) struct Item<'n> {
    /// Where in the tree: `plugins.greet.limits`.
    pub(crate) path: String,
    /// The key before it, or itself where there is none.
    pub(crate) at: Range<usize>,
    pub(crate) node: &'n Node,
}

impl<'n> Item<'n> {
    pub(crate) fn root(node: &'n Node) -> Self {
        Self {
            path: String::new(),
            at: node.span.clone(),
            node,
        }
    }

    pub(crate) fn span(&self) -> Range<usize> {
        self.node.span.clone()
    }

    pub(super) fn child(&self, entry: &'n Entry) -> Self {
        let path = match self.path.as_str() {
            "" => entry.key.clone(),
            path => format!("{path}.{}", entry.key),
        };
        Item {
            path,
            at: entry.key_span.clone(),
            node: &entry.value,
        }
    }

    /// The item's path as it stands in messages.
    pub(crate) fn name(&self) -> String {
        if self.path.is_empty() {
            "the file".to_owned()
        } else {
            quoted(&self.path)
        }
    }

    pub(super) fn scalar(&self) -> Option<&'n Scalar> {
        match &self.node.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    pub(crate) fn wrong_kind(&self, cx: &mut Context<'_>, wanted: &Kind) {
        let message = format!(
            "{} is to be {}, and this is {}",
            self.name(),
            wanted.with_article(),
            self.node.kind()
        );
        cx.error(Complaint::new(self.span(), message).hint(self.wrong_kind_hint(wanted)));
    }

    fn wrong_kind_hint(&self, wanted: &Kind) -> String {
        let scalar = self.scalar().filter(|scalar| scalar.kind() != ScalarKind::Null);
        if self.node.is_null() {
            return "give it a value, or remove the key".to_owned();
        }
        match (wanted, scalar.map(Scalar::text)) {
            (Kind::Text(TextRule { example: "", .. }) | Kind::TextOrNumber, Some(text)) => {
                format!("put it between quotes: \"{}\"", shortened(text))
            }
            (Kind::Text(rule), _) if !rule.example.is_empty() => {
                format!("write for example `{}`", rule.example)
            }
            (Kind::Bool, Some("yes" | "on" | "1")) => "write `true`".to_owned(),
            (Kind::Bool, Some("no" | "off" | "0")) => "write `false`".to_owned(),
            (Kind::Bool, Some("true" | "false")) => "remove the quotes".to_owned(),
            (Kind::Integer { .. }, Some(text)) if text.parse::<i64>().is_ok() => {
                "remove the quotes".to_owned()
            }
            (Kind::Integer { .. }, _) => format!("it goes from {}", wanted.bounds().unwrap_or_default()),
            (Kind::List { .. }, Some(text)) => format!("write `[\"{}\"]`", shortened(text)),
            (Kind::List { .. }, None) => "begin each item with `- `".to_owned(),
            (Kind::Section(_) | Kind::Loose(_) | Kind::Map { .. }, None) => {
                "write `key: value`, without `-` in front".to_owned()
            }
            (Kind::Section(_) | Kind::Loose(_) | Kind::Map { .. }, Some(_)) => {
                "write `key: value`, with a space behind the colon".to_owned()
            }
            _ => format!("write {}", wanted.with_article()),
        }
    }

    pub(crate) fn text(&self, cx: &mut Context<'_>, kind: &Kind) -> Option<&'n str> {
        match self.scalar() {
            Some(scalar) if scalar.kind() == ScalarKind::Text => Some(scalar.text()),
            Some(scalar) if matches!(kind, Kind::TextOrNumber) && scalar.as_json_number().is_some() => {
                Some(scalar.text())
            }
            _ => {
                self.wrong_kind(cx, kind);
                None
            }
        }
    }

    pub(super) fn bool(&self, cx: &mut Context<'_>) -> Option<bool> {
        let value = self.scalar().and_then(Scalar::as_bool);
        if value.is_none() {
            self.wrong_kind(cx, &Kind::Bool);
        }
        value
    }

    pub(crate) fn integer(&self, cx: &mut Context<'_>, kind: &Kind, min: i64, max: i64) -> Option<i64> {
        let Some(value) = self.scalar().and_then(Scalar::as_integer) else {
            self.wrong_kind(cx, kind);
            return None;
        };
        let value = value.filter(|value| (min..=max).contains(value));
        if value.is_none() {
            self.out_of_bounds(cx, kind);
        }
        value
    }

    fn out_of_bounds(&self, cx: &mut Context<'_>, kind: &Kind) {
        let written = self.scalar().map(Scalar::text).unwrap_or_default();
        let complaint = Complaint::new(
            self.span(),
            format!("{} cannot be {}", self.name(), quoted(written)),
        );
        cx.error(complaint.hint(format!("it goes from {}", kind.bounds().unwrap_or_default())));
    }

    /// A size or a duration: text, or a number without its unit, which is then asked for.
    pub(super) fn quantity<T: PartialOrd>(
        &self,
        cx: &mut Context<'_>,
        kind: &Kind,
        parse: impl FnOnce(&str) -> Result<T, UnitError>,
        bounds: RangeInclusive<T>,
    ) -> Option<T> {
        let scalar = self
            .scalar()
            .filter(|scalar| !matches!(scalar.kind(), ScalarKind::Null | ScalarKind::Bool));
        let Some(scalar) = scalar else {
            self.wrong_kind(cx, kind);
            return None;
        };
        match parse(scalar.text()) {
            Ok(value) if bounds.contains(&value) => Some(value),
            Ok(_) => {
                self.out_of_bounds(cx, kind);
                None
            }
            Err(error) => {
                let message = format!("{}: {error}", self.name());
                cx.error(Complaint::new(self.span(), message).hint(error.hint()));
                None
            }
        }
    }

    pub(crate) fn choice(
        &self,
        cx: &mut Context<'_>,
        words: &'static [&'static str],
    ) -> Option<&'static str> {
        let written = self.scalar().map(Scalar::text);
        if let Some(word) = words.iter().find(|word| Some(**word) == written) {
            return Some(word);
        }
        let message = match written {
            Some(text) if !self.node.is_null() => format!("{} cannot be {}", self.name(), quoted(text)),
            _ => format!(
                "{} is to be {}, and this is {}",
                self.name(),
                word_list(words),
                self.node.kind()
            ),
        };
        let close = written.and_then(|written| nearest(written, words.iter().copied()));
        let hint = close.map_or_else(
            || format!("write {}", word_list(words)),
            |word| format!("did you mean `{word}`?"),
        );
        cx.error(Complaint::new(self.span(), message).hint(hint));
        None
    }

    pub(crate) fn list(&self, cx: &mut Context<'_>, kind: &Kind, min: usize) -> Option<Vec<Item<'n>>> {
        let Value::List(nodes) = &self.node.value else {
            self.wrong_kind(cx, kind);
            return None;
        };
        if nodes.len() < min {
            let complaint = Complaint::new(self.span(), format!("{} is empty", self.name()));
            cx.error(complaint.hint("it needs at least one item"));
            return None;
        }
        Some(self.items_of(nodes))
    }

    /// The entries of a mapping with free keys: the key, its place, and the value.
    pub(crate) fn map(&self, cx: &mut Context<'_>, kind: &Kind) -> Option<Vec<(&'n Entry, Item<'n>)>> {
        let Value::Mapping(entries) = &self.node.value else {
            self.wrong_kind(cx, kind);
            return None;
        };
        Some(entries.iter().map(|entry| (entry, self.child(entry))).collect())
    }

    /// The keys of a mapping, whatever is wrong with their values; none where it is no mapping.
    pub(crate) fn keys(&self) -> BTreeSet<String> {
        match &self.node.value {
            Value::Mapping(entries) => entries.iter().map(|entry| entry.key.clone()).collect(),
            _ => BTreeSet::new(),
        }
    }

    /// The value of one key of a mapping, before anything is checked.
    pub(crate) fn peek(&self, key: &str) -> Option<Self> {
        let Value::Mapping(entries) = &self.node.value else {
            return None;
        };
        entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| self.child(entry))
    }

    /// The values of a mapping with their keys, before anything is checked.
    pub(crate) fn children(&self) -> Vec<Self> {
        match &self.node.value {
            Value::Mapping(entries) => entries.iter().map(|entry| self.child(entry)).collect(),
            _ => Vec::new(),
        }
    }

    /// The items of a list, before anything is checked; none where it is no list.
    pub(crate) fn items(&self) -> Vec<Self> {
        match &self.node.value {
            Value::List(nodes) => self.items_of(nodes),
            _ => Vec::new(),
        }
    }

    fn items_of(&self, nodes: &'n [Rc<Node>]) -> Vec<Self> {
        let item = |(index, node): (usize, &'n Rc<Node>)| Item {
            path: format!("{}[{index}]", self.path),
            at: node.span.clone(),
            node,
        };
        nodes.iter().enumerate().map(item).collect()
    }

    /// The text, where this is text; nothing is reported.
    pub(crate) fn plain_text(&self) -> Option<&'n str> {
        self.scalar()
            .filter(|scalar| scalar.kind() == ScalarKind::Text)
            .map(Scalar::text)
    }

    /// The integer, where this is one of 64 bits; nothing is reported.
    pub(crate) fn integer_value(&self) -> Option<i64> {
        self.scalar().and_then(Scalar::as_integer).flatten()
    }

    pub(crate) fn is_mapping(&self) -> bool {
        matches!(self.node.value, Value::Mapping(_))
    }

    pub(crate) fn is_list(&self) -> bool {
        matches!(self.node.value, Value::List(_))
    }

    pub(super) fn payload(&self, cx: &mut Context<'_>) -> Option<Vec<u8>> {
        match self.scalar() {
            Some(scalar) if scalar.kind() == ScalarKind::Text => Some(scalar.text().as_bytes().to_vec()),
            _ => json_text(self.node)
                .map(String::into_bytes)
                .map_err(|complaint| cx.error(complaint))
                .ok(),
        }
    }
}
