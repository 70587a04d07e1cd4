//! Misconfigurations.

use super::{Code, Layer, Location};
use crate::json::go_object;

go_object! {
    /// A misconfiguration that was found, or a check that passed.
    pub struct DetectedMisconfiguration {
        /// The kind of check.
        pub kind: String => "Type" omit,
        /// The id of the check.
        pub id: String => "ID" omit,
        /// Its older id.
        pub avd_id: String => "AVDID" omit,
        /// A line about it.
        pub title: String => "Title" omit,
        /// A text about it.
        pub description: String => "Description" omit,
        /// What is wrong here.
        pub message: String => "Message" omit,
        /// The package of the check.
        pub namespace: String => "Namespace" omit,
        /// The rule of the check.
        pub query: String => "Query" omit,
        /// What to do.
        pub resolution: String => "Resolution" omit,
        /// `UNKNOWN`, `LOW`, `MEDIUM`, `HIGH` or `CRITICAL`.
        pub severity: String => "Severity" omit,
        /// Where to read about it.
        pub primary_url: String => "PrimaryURL" omit,
        /// Where to read more.
        pub references: Vec<String> => "References" omit,
        /// `PASS`, `FAIL` or `EXCEPTION`.
        pub status: String => "Status" omit,
        /// The layer that the file is in.
        pub layer: Layer => "Layer" omit,
        /// Where it is.
        pub cause: CauseMetadata => "CauseMetadata" omit,
        /// What the check did.
        pub traces: Vec<String> => "Traces" omit,
    }
}

go_object! {
    /// Where a misconfiguration is.
    pub struct CauseMetadata {
        /// The resource.
        pub resource: String => "Resource" omit,
        /// Its provider.
        pub provider: String => "Provider" omit,
        /// Its service.
        pub service: String => "Service" omit,
        /// The first line.
        pub start_line: i64 => "StartLine" omit,
        /// The last line.
        pub end_line: i64 => "EndLine" omit,
        /// The lines.
        pub code: Code => "Code" omit,
        /// Where else it stands.
        pub occurrences: Vec<Occurrence> => "Occurrences" omit,
        /// The cause as it comes out of a template.
        pub rendered_cause: RenderedCause => "RenderedCause" omit,
    }
}

go_object! {
    /// A place from which a cause is used.
    pub struct Occurrence {
        /// The resource.
        pub resource: String => "Resource" omit,
        /// The file.
        pub filename: String => "Filename" omit,
        /// The lines.
        pub location: Location => "Location",
    }
}

go_object! {
    /// A cause as it comes out of a template.
    pub struct RenderedCause {
        /// As it is.
        pub raw: String => "Raw" omit,
        /// With colours.
        pub highlighted: String => "Highlighted" omit,
    }
}

go_object! {
    /// What an analyzer found in one file.
    pub struct Misconfiguration {
        /// The kind of file.
        pub file_type: String => "FileType" omit,
        /// The file.
        pub file_path: String => "FilePath" omit,
        /// The checks that passed.
        pub successes: Vec<MisconfigurationResult> => "Successes" omit,
        /// Those that warn.
        pub warnings: Vec<MisconfigurationResult> => "Warnings" omit,
        /// Those that failed.
        pub failures: Vec<MisconfigurationResult> => "Failures" omit,
        /// The layer that the file is in.
        pub layer: Layer => "Layer" omit,
    }
}

go_object! {
    /// What one check said of a file.
    pub struct MisconfigurationResult {
        /// The package of the check.
        pub namespace: String => "Namespace" omit,
        /// The rule of the check.
        pub query: String => "Query" omit,
        /// What is wrong.
        pub message: String => "Message" omit,
        /// The check. Its fields stand among these.
        pub policy: PolicyMetadata => inline,
        /// Where it is. Its fields stand among these.
        pub cause: CauseMetadata => inline,
        /// What the check did.
        pub traces: Vec<String> => "Traces" omit,
    }
}

go_object! {
    /// What a check says of itself.
    pub struct PolicyMetadata {
        /// Its id.
        pub id: String => "ID" omit,
        /// Its older id.
        pub avd_id: String => "AVDID" omit,
        /// Its other ids.
        pub aliases: Vec<String> => "Aliases" omit,
        /// Its kind.
        pub kind: String => "Type" omit,
        /// A line about it.
        pub title: String => "Title" omit,
        /// A text about it.
        pub description: String => "Description" omit,
        /// How severe it is.
        pub severity: String => "Severity" omit,
        /// What to do.
        pub recommended_actions: String => "RecommendedActions" omit,
        /// Where to read more.
        pub references: Vec<String> => "References" omit,
    }
}
