//! What a status that is no success means.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::Deserialize;
use wharf_plugin::{ContentDigest, ImageReference};

use super::RegistryError;
use super::error::words;
use super::inquiry::{Answer, Inquiry};

/// What was asked for.
pub(super) enum Wanted<'a> {
    Manifest(&'a ImageReference),
    Blob(&'a ContentDigest),
    /// That something is pushed.
    Upload,
    /// A file of a server that is no registry.
    File,
    /// To be somebody whom the registry knows.
    Login,
}

/// The body of an error, as the OCI distribution specification has it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Errors {
    errors: Vec<Said>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    code: String,
    message: String,
}

impl Inquiry<'_> {
    /// The answer, where it is a success.
    pub(super) fn accepted(&self, answer: Answer, wanted: &Wanted<'_>) -> Result<Answer, RegistryError> {
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(self.refusal(&answer, wanted))
    }

    /// What an answer means that is no success.
    pub(super) fn refusal(&self, answer: &Answer, wanted: &Wanted<'_>) -> RegistryError {
        let host: Arc<str> = self.host().authority().into();
        let repository: Arc<str> = self.repository().into();
        let with_credentials = self.has_credentials();
        let (code, said) = read(answer);
        if let (Wanted::File, Some(error)) = (wanted, refusal_of_file(answer)) {
            return error;
        }
        match answer.status {
            StatusCode::UNAUTHORIZED => RegistryError::Unauthorized {
                host,
                repository,
                with_credentials,
                said,
            },
            StatusCode::FORBIDDEN => RegistryError::Forbidden {
                host,
                repository,
                with_credentials,
                said,
            },
            // A server that has no `/v2/` is no registry.
            StatusCode::NOT_FOUND if !matches!(wanted, Wanted::Login) => {
                missing(&code, host, repository, wanted)
            }
            StatusCode::TOO_MANY_REQUESTS => RegistryError::TooManyRequests {
                host,
                retry_after: retry_after(answer),
            },
            status => RegistryError::Status {
                host,
                status: status.as_u16(),
                said,
            },
        }
    }
}

/// What a server means that is no registry, where it says no.
fn refusal_of_file(answer: &Answer) -> Option<RegistryError> {
    let host: Arc<str> = answer.host.as_str().into();
    match answer.status {
        StatusCode::NOT_FOUND | StatusCode::GONE => Some(RegistryError::NoFile { host }),
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Some(RegistryError::NotPublic {
            host,
            status: status.as_u16(),
        }),
        _ => None,
    }
}

fn missing(code: &str, host: Arc<str>, repository: Arc<str>, wanted: &Wanted<'_>) -> RegistryError {
    let name: Arc<str> = match wanted {
        Wanted::Manifest(image) => image.manifest().to_string().into(),
        Wanted::Blob(digest) => digest.to_string().into(),
        Wanted::Upload | Wanted::File | Wanted::Login => "the upload".into(),
    };
    match (code, wanted) {
        ("NAME_UNKNOWN", _) => RegistryError::NoRepository { host, repository },
        (_, Wanted::Blob(digest)) => RegistryError::NoBlob {
            host,
            repository,
            digest: ContentDigest::clone(digest),
        },
        ("MANIFEST_UNKNOWN", Wanted::Manifest(_)) => RegistryError::NoManifest {
            host,
            repository,
            name,
        },
        _ => RegistryError::NotFound {
            host,
            repository,
            name,
        },
    }
}

/// The code of the first error, and what it says, with `: ` in front.
pub(super) fn read(answer: &Answer) -> (String, Arc<str>) {
    // What a proxy in between says is a page and tells nothing.
    let errors: Errors = serde_json::from_slice(&answer.body).unwrap_or_default();
    let Some(first) = errors.errors.into_iter().next() else {
        return (String::new(), "".into());
    };
    let text = match (first.code.as_str(), first.message.as_str()) {
        ("", message) => message.to_owned(),
        (code, "") => code.to_owned(),
        (code, message) => format!("{code}, {message}"),
    };
    let said = if text.is_empty() {
        "".into()
    } else {
        format!(": {}", words(&text)).into()
    };
    (first.code, said)
}

fn retry_after(answer: &Answer) -> Option<Duration> {
    let seconds = answer.header(RETRY_AFTER.as_str())?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
