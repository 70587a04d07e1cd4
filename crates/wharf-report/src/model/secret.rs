//! Secrets, and the lines of code that findings show.

use super::Layer;
use crate::json::go_object;

go_object! {
    /// The secrets of one file, as an analyzer gives them.
    pub struct Secret {
        /// The file.
        pub file_path: String => "FilePath",
        /// What was found in it.
        pub findings: Option<Vec<DetectedSecret>> => "Findings",
    }
}

go_object! {
    /// A secret that was found.
    pub struct DetectedSecret {
        /// The rule that found it.
        pub rule_id: String => "RuleID",
        /// What it is for.
        pub category: String => "Category",
        /// How severe it is.
        pub severity: String => "Severity",
        /// A line about it.
        pub title: String => "Title",
        /// The first line.
        pub start_line: i64 => "StartLine",
        /// The last line.
        pub end_line: i64 => "EndLine",
        /// The lines, without the secret.
        pub code: Code => "Code",
        /// What matched, without the secret.
        pub matched: String => "Match",
        /// The layer that the file is in.
        pub layer: Layer => "Layer" omit,
        /// Where it is in the file, in bytes.
        pub offset: i64 => "Offset" omit,
    }
}

go_object! {
    /// Some lines of a file. No list of lines is another thing than an empty one.
    pub struct Code {
        /// The lines.
        pub lines: Option<Vec<Line>> => "Lines",
    }
}

go_object! {
    /// A line of a file.
    pub struct Line {
        /// Its number.
        pub number: i64 => "Number",
        /// Its text.
        pub content: String => "Content",
        /// Whether it is what was found.
        pub is_cause: bool => "IsCause",
        /// A remark on it.
        pub annotation: String => "Annotation",
        /// Whether it was cut.
        pub truncated: bool => "Truncated",
        /// Its text with colours.
        pub highlighted: String => "Highlighted" omit,
        /// Whether it is the first of what was found.
        pub first_cause: bool => "FirstCause",
        /// Whether it is the last of what was found.
        pub last_cause: bool => "LastCause",
    }
}
