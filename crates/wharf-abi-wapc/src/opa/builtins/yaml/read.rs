//! YAML to values.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, Tag};

use super::super::{Context, Failure, MOST_TEXT, Outcome};
use super::scalar::Scalar;
use crate::opa::value::{DEEPEST, Object, Value};

/// The namespace of YAML's own tags.
const YAML: &str = "tag:yaml.org,2002:";

/// The value of the first document; null where there is none.
pub(super) fn read(context: &mut Context, text: &str) -> Outcome {
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: DEEPEST,
        block_nesting_limit: DEEPEST
    };
    let mut reader = Reader {
        open: Vec::new(),
        anchors: HashMap::new(),
        aliased: 0,
        root: None,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        context.step()?;
        let (event, span) = event.map_err(|error| match error.kind() {
            ErrorKind::RecursionLimitExceeded => too_deep(),
            _ => Failure::Undefined,
        })?;
        // What comes after the first document is not looked at, not even for mistakes.
        if matches!(event, Event::DocumentEnd) {
            break;
        }
        let at_end = !text.ends_with('\n') && span.end.byte_offset() == Some(text.len());
        reader.take(event, at_end)?;
    }
    match reader.root {
        Some(node) => node.value.ok_or(Failure::Undefined),
        None => Ok(Value::Null),
    }
}

fn too_deep() -> Failure {
    Failure::Limit("a YAML text is nested more than 300 deep")
}

/// A value, and what it is in the places where YAML tells more than the value.
#[derive(Clone)]
struct Node {
    /// The value; `None` where it has a number in it that JSON cannot write, which matters only if the value is used.
    value: Option<Value>,
    /// What it is as a key of an object; `None` where it cannot be one.
    key: Option<String>,
    /// How much it is, for anchors that are used again and again.
    weight: usize,
    /// Whether it is a plain `<<`.
    is_merge: bool,
    depth: usize,
}

/// A collection whose end has not come yet.
struct Open {
    anchor: usize,
    /// The elements of a sequence; keys and values in turn of a mapping.
    nodes: Vec<Node>,
    is_mapping: bool,
}

struct Reader {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    /// What aliases have repeated so far.
    aliased: usize,
    root: Option<Node>,
}

impl Reader {
    /// Takes the next event; `at_end` says that its text ends where the whole text does, without the end of a line.
    fn take(&mut self, event: Event<'_>, at_end: bool) -> Result<(), Failure> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                // The parser ends the last line of a block, where OPA's leaves it as it is.
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let text = if block && at_end {
                    text.strip_suffix('\n').unwrap_or(&text)
                } else {
                    &*text
                };
                let node = scalar(text, style, tag.as_deref())?;
                self.add(anchor, node)
            }
            Event::SequenceStart(_, anchor, _) => self.start(anchor, false),
            Event::MappingStart(_, anchor, _) => self.start(anchor, true),
            Event::SequenceEnd | Event::MappingEnd => {
                let open = self.open.pop().ok_or(Failure::Undefined)?;
                let node = if open.is_mapping {
                    mapping(open.nodes)?
                } else {
                    sequence(open.nodes)
                };
                self.add(open.anchor, node)
            }
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned().ok_or(Failure::Undefined)?;
                self.aliased += node.weight;
                if self.aliased > MOST_TEXT {
                    return Err(Failure::Limit(
                        "the aliases of a YAML text stand for more than 2MiB",
                    ));
                }
                self.add(0, node)
            }
            _ => Ok(()),
        }
    }

    fn start(&mut self, anchor: usize, is_mapping: bool) -> Result<(), Failure> {
        // An anchor of this collection inside of itself stands for nothing.
        self.anchors.remove(&anchor);
        self.open.push(Open {
            anchor,
            nodes: Vec::new(),
            is_mapping,
        });
        Ok(())
    }

    fn add(&mut self, anchor: usize, node: Node) -> Result<(), Failure> {
        if node.depth + self.open.len() > DEEPEST {
            return Err(too_deep());
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            Some(open) => open.nodes.push(node),
            None => self.root = Some(node),
        }
        Ok(())
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Node, Failure> {
    let is_plain = matches!(style, ScalarStyle::Plain);
    let name = tag.and_then(|tag| tag.suffix_in_namespace(YAML));
    let scalar = match (tag, name.as_deref()) {
        (None, _) if is_plain => Scalar::of(text),
        (None, _) => Scalar::Text,
        (Some(_), Some("binary")) => return binary(text),
        (Some(_), Some(name)) => tagged(name, text)?,
        (Some(_), None) => Scalar::Text,
    };
    Ok(Node {
        value: scalar.value(text),
        key: scalar.key(text),
        weight: text.len() + 8,
        is_merge: text == "<<" && ((tag.is_none() && is_plain) || name.as_deref() == Some("merge")),
        depth: 0,
    })
}

/// A scalar that says what it is must be just that, but for an integer that is taken for a float.
fn tagged(name: &str, text: &str) -> Result<Scalar, Failure> {
    let scalar = Scalar::of(text);
    let fits = match (name, &scalar) {
        ("bool", Scalar::Bool(_))
        | ("int", Scalar::Int(..))
        | ("float", Scalar::Float(_))
        | ("null", Scalar::Null) => true,
        ("float", Scalar::Int(_, small)) => *small,
        ("bool" | "int" | "float" | "null", _) => false,
        // Anything may be called a string, and whatever else there is stays text.
        _ => return Ok(Scalar::Text),
    };
    match (fits, scalar) {
        (true, Scalar::Int(digits, _)) if name == "float" => {
            Ok(Scalar::Float(digits.parse().map_err(|_| Failure::Undefined)?))
        }
        (true, scalar) => Ok(scalar),
        (false, _) => Err(Failure::Undefined),
    }
}

fn binary(text: &str) -> Result<Node, Failure> {
    let compact: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(compact)
        .map_err(|_| Failure::Undefined)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Node {
        weight: text.len() + 8,
        key: Some(text.clone()),
        value: Some(Value::String(text)),
        is_merge: false,
        depth: 0,
    })
}

fn sequence(nodes: Vec<Node>) -> Node {
    let (weight, depth) = measure(&nodes);
    Node {
        value: nodes
            .into_iter()
            .map(|node| node.value)
            .collect::<Option<_>>()
            .map(Value::Array),
        key: None,
        weight,
        is_merge: false,
        depth,
    }
}

/// The fields of an object as it is read.
type Fields = BTreeMap<Value, Option<Value>>;

fn mapping(nodes: Vec<Node>) -> Result<Node, Failure> {
    let (weight, depth) = measure(&nodes);
    let mut fields = Fields::new();
    let mut nodes = nodes.into_iter();
    while let (Some(key), Some(node)) = (nodes.next(), nodes.next()) {
        if key.is_merge {
            merge(&mut fields, node.value.ok_or(Failure::Undefined)?)?;
        } else {
            let key = key.key.ok_or(Failure::Undefined)?;
            fields.insert(Value::String(key), node.value);
        }
    }
    let fields = fields.into_iter().map(|(key, value)| Some((key, value?)));
    Ok(Node {
        value: fields.collect::<Option<Object>>().map(Value::Object),
        key: None,
        weight,
        is_merge: false,
        depth,
    })
}

/// Puts the fields of an object, or of several, in the place of a `<<`. As in OPA they count over those before them, and of
/// several objects the first counts most.
fn merge(all: &mut Fields, value: Value) -> Result<(), Failure> {
    let mut add = |fields: Object| all.extend(fields.into_iter().map(|(key, value)| (key, Some(value))));
    match value {
        Value::Object(fields) => add(fields),
        Value::Array(objects) => {
            for fields in objects.into_iter().rev() {
                let Value::Object(fields) = fields else {
                    return Err(Failure::Undefined);
                };
                add(fields);
            }
        }
        _ => return Err(Failure::Undefined),
    }
    Ok(())
}

fn measure(nodes: &[Node]) -> (usize, usize) {
    let weight = nodes.iter().map(|node| node.weight).sum::<usize>() + 8;
    let depth = nodes.iter().map(|node| node.depth).max().unwrap_or(0) + 1;
    (weight, depth)
}
