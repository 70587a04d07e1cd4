//! YAML text to a tree of nodes that know where they stand in the text.
//!
//! Nothing outside this module knows YAML. [`to_yaml`] goes the other way. What a hostile file can make it do is bounded: by the size of the text, by
//! the depth of the tree, and by what the tree would weigh once all its aliases are written out.

mod json;
mod scalar;
mod tree;
mod write;

pub(crate) use json::{OtherReader, json_text, json_value};
pub(crate) use scalar::{Scalar, ScalarKind};
pub(crate) use tree::{Documents, Entry, Node, Value, parse_trees};
pub use write::{to_yaml, to_yaml_documents};
