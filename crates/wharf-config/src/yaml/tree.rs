//! The tree of nodes, built from the parser's events without recursion.

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span};

use crate::diagnostic::{Complaint, quoted};

use super::Scalar;

/// The depth to which mappings and lists may be nested.
const MAX_DEPTH: usize = 64;

/// What the tree may weigh with its aliases written out, in bytes: its text, and [`NODE_WEIGHT`] for each node.
const MAX_WEIGHT: usize = 8 << 20;
const NODE_WEIGHT: usize = 32;

/// A value in the text. A node with an anchor is shared by all that refer to it.
#[derive(Debug)]
pub(crate) struct Node {
    /// The bytes of the text at which it stands.
    pub(crate) span: Range<usize>,
    pub(crate) value: Value,
    /// What this node and all below it weigh, aliases written out.
    weight: usize,
    /// How many levels there are below this one, aliases written out.
    height: usize,
}

#[derive(Debug)]
pub(crate) enum Value {
    Scalar(Scalar),
    List(Vec<Rc<Node>>),
    Mapping(Vec<Entry>),
}

/// A key and its value. Keys are always text, and no two of a mapping are equal.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Range<usize>,
    pub(crate) value: Rc<Node>,
}

impl Node {
    /// What it is, with an article, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Scalar(scalar) => scalar.kind().with_article(),
            Value::List(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }

    /// Whether it is empty or says `null`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.kind() == super::ScalarKind::Null)
    }
}

/// How many documents a text may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Documents {
    One,
    Any,
}

/// Builds the trees of the documents of a text, in their order.
///
/// Duplicate keys and keys that are no text are reported to `complain`, and the trees go on without them.
///
/// # Errors
/// What makes it impossible to go on: bad syntax, a second document where there may be one, too much of something in
/// all documents together.
pub(crate) fn parse_trees(
    text: &str,
    documents: Documents,
    complain: &mut dyn FnMut(Complaint),
) -> Result<Vec<Rc<Node>>, Complaint> {
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
        disallow_directives: true
    };
    let mut builder = Builder {
        complain,
        open: Vec::new(),
        anchors: HashMap::new(),
        roots: Vec::new(),
        weight: 0,
        started: 0,
        documents,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| syntax_complaint(text, &error))?;
        builder.take(event, &span)?;
    }
    Ok(builder.roots)
}

struct Builder<'c> {
    complain: &'c mut dyn FnMut(Complaint),
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    roots: Vec<Rc<Node>>,
    /// What the roots weigh together.
    weight: usize,
    started: usize,
    documents: Documents,
}

/// A list or mapping whose end has not come yet.
struct Open {
    start: usize,
    anchor: usize,
    weight: usize,
    height: usize,
    content: Content,
}

enum Content {
    List(Vec<Rc<Node>>),
    Mapping {
        entries: Vec<Entry>,
        seen: HashMap<String, Range<usize>>,
        key: Key,
    },
}

/// The key whose value comes next.
enum Key {
    /// The next node is a key.
    Awaited,
    Read(String, Range<usize>),
    /// It was reported; its value is skipped.
    Refused,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), Complaint> {
        let span = bytes(span);
        match event {
            Event::DocumentStart(..) => self.start_document(span),
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned();
                let node = node.ok_or_else(|| {
                    Complaint::new(span.clone(), "this alias refers to a value that contains it")
                        .hint("write the value out")
                })?;
                self.add(node, span)
            }
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(tag.is_some(), &span)?;
                let scalar = Scalar::new(text.into_owned(), style == ScalarStyle::Plain);
                let weight = NODE_WEIGHT + scalar.text().len();
                let node = Node {
                    span: span.clone(),
                    value: Value::Scalar(scalar),
                    weight,
                    height: 0,
                };
                self.finish(node, anchor, span)
            }
            Event::SequenceStart(_, anchor, tag) => {
                refuse_tag(tag.is_some(), &span)?;
                self.open(span, anchor, Content::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                refuse_tag(tag.is_some(), &span)?;
                let content = Content::Mapping {
                    entries: Vec::new(),
                    seen: HashMap::new(),
                    key: Key::Awaited,
                };
                self.open(span, anchor, content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span.end),
            _ => Ok(()),
        }
    }

    fn start_document(&mut self, span: Range<usize>) -> Result<(), Complaint> {
        self.started += 1;
        // An alias refers to its own document only.
        self.anchors.clear();
        if self.started == 1 || self.documents == Documents::Any {
            return Ok(());
        }
        Err(
            Complaint::new(span, "a second document begins here, and a file is one document")
                .hint("remove the `---`, or put the second document into a file of its own"),
        )
    }

    fn open(&mut self, span: Range<usize>, anchor: usize, content: Content) -> Result<(), Complaint> {
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(span));
        }
        self.open.push(Open {
            start: span.start,
            anchor,
            weight: NODE_WEIGHT,
            height: 0,
            content,
        });
        Ok(())
    }

    fn close(&mut self, end: usize) -> Result<(), Complaint> {
        let open = self.open.pop().expect("the parser gives one end for each start");
        let value = match open.content {
            Content::List(items) => Value::List(items),
            Content::Mapping { entries, .. } => Value::Mapping(entries),
        };
        let span = open.start..end.max(open.start);
        let node = Node {
            span: span.clone(),
            value,
            weight: open.weight,
            height: open.height + 1,
        };
        self.finish(node, open.anchor, span)
    }

    fn finish(&mut self, node: Node, anchor: usize, span: Range<usize>) -> Result<(), Complaint> {
        let node = Rc::new(node);
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        self.add(node, span)
    }

    /// Puts a complete node where the text has it: below what is open, or as the root.
    fn add(&mut self, node: Rc<Node>, span: Range<usize>) -> Result<(), Complaint> {
        if self.open.len() + node.height > MAX_DEPTH {
            return Err(too_deep(span));
        }
        let Some(open) = self.open.last_mut() else {
            self.weight = self.weight.saturating_add(node.weight);
            if self.weight > MAX_WEIGHT {
                return Err(too_heavy(span));
            }
            self.roots.push(node);
            return Ok(());
        };
        open.height = open.height.max(node.height);
        open.weight = open.weight.saturating_add(node.weight);
        if open.weight > MAX_WEIGHT {
            return Err(too_heavy(span));
        }
        match &mut open.content {
            Content::List(items) => items.push(node),
            Content::Mapping { entries, seen, key } => match std::mem::replace(key, Key::Awaited) {
                Key::Awaited => *key = read_key(&node, span, seen, self.complain),
                Key::Read(key, key_span) => entries.push(Entry {
                    key,
                    key_span,
                    value: node,
                }),
                Key::Refused => {}
            },
        }
        Ok(())
    }
}

fn read_key(
    node: &Node,
    span: Range<usize>,
    seen: &mut HashMap<String, Range<usize>>,
    complain: &mut dyn FnMut(Complaint),
) -> Key {
    let Value::Scalar(scalar) = &node.value else {
        let complaint = Complaint::new(span, format!("a key is text, and this one is {}", node.kind()));
        complain(complaint.hint("text that begins with a bracket must stand between quotes"));
        return Key::Refused;
    };
    let key = scalar.text().to_owned();
    if let Some(first) = seen.get(&key) {
        let message = format!("the key {} is given twice", quoted(&key));
        complain(
            Complaint::new(span, message)
                .related(first.clone(), "first given here")
                .hint("remove one of the two"),
        );
        return Key::Refused;
    }
    seen.insert(key.clone(), span.clone());
    Key::Read(key, span)
}

fn refuse_tag(tagged: bool, span: &Range<usize>) -> Result<(), Complaint> {
    if !tagged {
        return Ok(());
    }
    Err(Complaint::new(
        span.clone(),
        "this value has a tag (`!…`), and tags have no meaning here",
    )
    .hint("remove the tag; put text between quotes"))
}

fn too_heavy(span: Range<usize>) -> Complaint {
    Complaint::new(
        span,
        "the file is too large from here on, with its aliases written out",
    )
    .hint(format!("at most {} MiB of values can be read", MAX_WEIGHT >> 20))
}

fn too_deep(span: Range<usize>) -> Complaint {
    Complaint::new(
        span,
        format!("mappings and lists are nested more than {MAX_DEPTH} deep here"),
    )
    .hint("nothing needs that; is a bracket missing?")
}

fn bytes(span: &Span) -> Range<usize> {
    // Offsets in bytes are always there for text in memory; without them the place would be wrong, not the reading.
    let offset = |marker: &granit_parser::Marker| marker.byte_offset().unwrap_or_else(|| marker.index());
    offset(&span.start)..offset(&span.end).max(offset(&span.start))
}

fn syntax_complaint(text: &str, error: &ScanError) -> Complaint {
    let at = error
        .marker()
        .byte_offset()
        .unwrap_or_else(|| error.marker().index())
        .min(text.len());
    if *error.kind() == ErrorKind::RecursionLimitExceeded {
        return too_deep(at..at);
    }
    let complaint = Complaint::new(at..at, format!("this is not valid YAML: {}", error.kind()));
    complaint.hint(syntax_hint(text, at, error.kind()))
}

fn syntax_hint(text: &str, at: usize, kind: &ErrorKind) -> &'static str {
    let at = text.floor_char_boundary(at);
    let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let indentation = text[line_start..]
        .split(|c: char| !c.is_whitespace())
        .next()
        .unwrap_or_default();
    if indentation.contains('\t') {
        return "indent with spaces, not with tabs";
    }
    match kind {
        ErrorKind::UnclosedQuotedScalar => "a quote that was opened is never closed",
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::MisplacedFlowCollectionEnd
        | ErrorKind::MismatchedFlowCollectionEnd { .. } => "look for a missing comma or closing bracket",
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => {
            "text that contains `: ` must stand between quotes, and the keys of a mapping begin in the same column"
        }
        ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::InvalidIndentation
        | ErrorKind::SimpleKeyExpected
        | ErrorKind::ExpectedBlockSequenceEntry => {
            "each line is `key: value` or `- item`; check the indentation of this line and the one before"
        }
        ErrorKind::UnknownQuotedScalarEscape => "write `\\\\` for a backslash, or use single quotes",
        ErrorKind::UnknownAnchor => "no value before this place has that anchor (`&name`)",
        ErrorKind::DirectiveDisallowed => "remove the line that begins with `%`",
        ErrorKind::UnexpectedCharacter { .. } => {
            "text that begins with this character must stand between quotes"
        }
        _ => "check this line and the one before",
    }
}
