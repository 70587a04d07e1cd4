//! What was scanned, and by what.

use serde_json::Value;

use crate::json::go_object;

go_object! {
    /// The scanner.
    pub struct TrivyInfo {
        /// Its version.
        pub version: String => "Version" omit,
        /// The server that scanned, where one did.
        pub server: ServerInfo => "Server" omit,
    }
}

go_object! {
    /// The server that scanned.
    pub struct ServerInfo {
        /// Its version.
        pub version: String => "Version" omit,
        /// Its vulnerability data.
        pub vulnerability_db: Value => "VulnerabilityDB" omit,
        /// Its Java index.
        pub java_db: Value => "JavaDB" omit,
        /// Its checks.
        pub policy_bundle: Value => "PolicyBundle" omit,
    }
}

go_object! {
    /// What is known of the artifact.
    pub struct Metadata {
        /// The bytes of an image.
        pub size: i64 => "Size" omit,
        /// The operating system that was found.
        pub os: Option<Os> => "OS" omit,
        /// The id of an image.
        pub image_id: String => "ImageID" omit,
        /// The digests of its layers, unpacked.
        pub diff_ids: Vec<String> => "DiffIDs" omit,
        /// Its tags.
        pub repo_tags: Vec<String> => "RepoTags" omit,
        /// Its digests in registries.
        pub repo_digests: Vec<String> => "RepoDigests" omit,
        /// The reference that it was asked for by.
        pub reference: Value => "Reference" omit,
        /// Its configuration.
        pub image_config: Value => "ImageConfig" omit,
        /// Its layers.
        pub layers: Vec<Layer> => "Layers" omit,
        /// Where a repository came from.
        pub repo_url: String => "RepoURL" omit,
        /// Its branch.
        pub branch: String => "Branch" omit,
        /// Its tags.
        pub tags: Vec<String> => "Tags" omit,
        /// Its commit.
        pub commit: String => "Commit" omit,
        /// The message of the commit.
        pub commit_message: String => "CommitMsg" omit,
        /// The author of the commit.
        pub author: String => "Author" omit,
        /// Who committed.
        pub committer: String => "Committer" omit,
    }
}

go_object! {
    /// An operating system.
    pub struct Os {
        /// Its family, such as `alpine`.
        pub family: String => "Family",
        /// Its version.
        pub name: String => "Name",
        /// Whether its support has ended.
        pub end_of_service_life: bool => "EOSL" omit,
        /// The third party that rebuilt its packages.
        pub supplier: String => "Supplier" omit,
        /// Whether it is in a programme of longer maintenance.
        pub extended: bool => "extended" omit,
    }
}

go_object! {
    /// A layer of an image.
    pub struct Layer {
        /// Its bytes.
        pub size: i64 => "Size" omit,
        /// Its digest.
        pub digest: String => "Digest" omit,
        /// Its digest, unpacked.
        pub diff_id: String => "DiffID" omit,
        /// The command that made it.
        pub created_by: String => "CreatedBy" omit,
    }
}
