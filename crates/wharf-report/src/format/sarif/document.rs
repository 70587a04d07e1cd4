//! The objects of a SARIF document, as far as they are written, in the order in which they are.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{Tool, uri};

#[derive(Serialize)]
pub(super) struct Document<'a> {
    version: &'static str,
    #[serde(rename = "$schema")]
    schema: &'static str,
    runs: [Run<'a>; 1],
}

impl<'a> Document<'a> {
    pub(super) fn of(run: Run<'a>) -> Self {
        Self {
            version: "2.1.0",
            schema: "https://raw.githubusercontent.com/oasis-tcs/sarif-spec/main/sarif-2.1/schema/sarif-schema-2.1.0.json",
            runs: [run],
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Run<'a> {
    pub(super) tool: ToolComponent<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) invocations: Vec<Invocation<'a>>,
    pub(super) results: Vec<Finding<'a>>,
    pub(super) column_kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) original_uri_base_ids: Option<Root>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) properties: Option<RunProperties<'a>>,
}

#[derive(Serialize)]
pub(super) struct ToolComponent<'a> {
    driver: Driver<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver<'a> {
    full_name: &'a str,
    information_uri: &'a str,
    name: &'a str,
    rules: Vec<Rule<'a>>,
    version: &'a str,
}

impl<'a> ToolComponent<'a> {
    pub(super) fn of(tool: &'a Tool, rules: Vec<Rule<'a>>) -> Self {
        Self {
            driver: Driver {
                full_name: &tool.full_name,
                information_uri: &tool.information_uri,
                name: &tool.name,
                rules,
                version: &tool.version,
            },
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rule<'a> {
    pub(super) id: Cow<'a, str>,
    pub(super) name: &'static str,
    pub(super) short_description: Message<'a>,
    pub(super) full_description: Message<'a>,
    pub(super) default_configuration: Configuration,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) help_uri: Option<String>,
    pub(super) help: Help,
    pub(super) properties: BTreeMap<&'static str, Value>,
}

#[derive(Serialize)]
pub(super) struct Configuration {
    pub(super) level: &'static str,
}

#[derive(Serialize)]
pub(super) struct Help {
    pub(super) text: String,
    pub(super) markdown: String,
}

#[derive(Serialize)]
pub(super) struct Message<'a> {
    text: Cow<'a, str>,
}

impl<'a, T: Into<Cow<'a, str>>> From<T> for Message<'a> {
    fn from(text: T) -> Self {
        Self { text: text.into() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Finding<'a> {
    pub(super) rule_id: Cow<'a, str>,
    pub(super) rule_index: usize,
    pub(super) level: &'static str,
    pub(super) message: Message<'a>,
    pub(super) locations: Vec<Location<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Location<'a> {
    pub(super) physical_location: PhysicalLocation,
    pub(super) message: Message<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PhysicalLocation {
    pub(super) artifact_location: ArtifactLocation,
    pub(super) region: Region,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ArtifactLocation {
    uri: String,
    uri_base_id: &'static str,
}

impl ArtifactLocation {
    pub(super) fn below_root(uri: String) -> Self {
        Self {
            uri,
            uri_base_id: "ROOTPATH",
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Region {
    start_line: i64,
    start_column: i64,
    end_line: i64,
    end_column: i64,
}

impl Region {
    /// Lines count from 1.
    pub(super) fn of_lines(start: i64, end: i64) -> Self {
        let start_line = start.max(1);
        Self {
            start_line,
            start_column: 1,
            end_line: end.max(start_line),
            end_column: 1,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Root {
    #[serde(rename = "ROOTPATH")]
    root: RootLocation,
}

#[derive(Serialize)]
struct RootLocation {
    uri: String,
}

impl Root {
    pub(super) fn of(folder: &str) -> Self {
        let path = folder.trim_matches('/');
        let uri = match path {
            "" => "file:///".to_owned(),
            path => format!("file:///{}/", uri::escaped_path(path)),
        };
        Self {
            root: RootLocation { uri },
        }
    }
}

#[derive(Serialize)]
pub(super) struct RunProperties<'a> {
    #[serde(rename = "imageID")]
    pub(super) image_id: &'a str,
    #[serde(rename = "imageName")]
    pub(super) image_name: &'a str,
    #[serde(rename = "repoDigests")]
    pub(super) repo_digests: &'a [String],
    #[serde(rename = "repoTags")]
    pub(super) repo_tags: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Invocation<'a> {
    pub(super) execution_successful: bool,
    pub(super) tool_execution_notifications: Vec<Notification<'a>>,
}

#[derive(Serialize)]
pub(super) struct Notification<'a> {
    pub(super) descriptor: Descriptor,
    pub(super) level: &'static str,
    pub(super) message: Message<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) locations: Vec<NotificationLocation>,
}

#[derive(Serialize)]
pub(super) struct Descriptor {
    pub(super) id: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NotificationLocation {
    pub(super) physical_location: PhysicalArtifact,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PhysicalArtifact {
    pub(super) artifact_location: ArtifactLocation,
}
