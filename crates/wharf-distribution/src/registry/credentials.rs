//! The credentials of Docker's `config.json`.
//!
//! ```json
//! { "auths": { "registry.example": { "auth": "dXNlcjpwYXNzd29yZA==" } },
//!   "credHelpers": { "other.example": "ecr-login" },
//!   "credsStore": "secretservice" }
//! ```
//!
//! What is found first counts: the helper for the registry, what the file itself has for it, the store for all. The file is
//! read each time that a registry wants to know who asks, so that a change of it counts at once.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use wharf_plugin::RegistryHost;

use super::error::words;
use super::helper;
use super::{RegistryClient, RegistryError};
use crate::bounded::read_bounded;

/// The names that the file may have in its directory: Docker's, and that of a mounted Kubernetes Secret.
const NAMES: [&str; 2] = ["config.json", ".dockerconfigjson"];
/// What Docker calls its own registry there.
pub(super) const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// Where credentials are looked up.
pub(super) struct DockerConfig {
    path: Option<PathBuf>,
}

/// What to tell a registry.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    None,
    Password {
        user: String,
        password: String,
    },
    /// For the token server, which gives a token for it.
    IdentityToken(String),
    /// For the registry itself.
    RegistryToken(String),
}

/// Not a word of them.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Password { .. } => "Password",
            Self::IdentityToken(_) => "IdentityToken",
            Self::RegistryToken(_) => "RegistryToken",
        })
    }
}

/// Why credentials that are configured cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {reason}")]
    Unreadable {
        /// The file.
        path: Arc<str>,
        /// Why.
        reason: Arc<str>,
    },
    /// The file cannot be written.
    #[error("{path} cannot be written: {reason}")]
    Unwritable {
        /// The file.
        path: Arc<str>,
        /// Why.
        reason: Arc<str>,
    },
    /// The file is not as Docker writes it.
    #[error("{path} is no configuration of Docker: {reason}")]
    Malformed {
        /// The file.
        path: Arc<str>,
        /// What is wrong, without a word of what stands there.
        reason: Arc<str>,
    },
    /// A helper gave none.
    #[error("the credential helper `docker-credential-{name}` {reason}")]
    Helper {
        /// Its name, without `docker-credential-`.
        name: Arc<str>,
        /// What went wrong.
        reason: Arc<str>,
    },
}

impl CredentialsError {
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => {
                "check `registries.dockerConfig`, and that this process's user may read the file"
            }
            Self::Unwritable { .. } => {
                "let this process's user write the file and its directory, or set DOCKER_CONFIG to another"
            }
            Self::Malformed { .. } => {
                "write it anew with `docker login` or `kubectl create secret docker-registry`"
            }
            Self::Helper { .. } => {
                "check that the helper is in PATH and works when this process's user runs it"
            }
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct File {
    auths: HashMap<String, Auth>,
    cred_helpers: HashMap<String, String>,
    creds_store: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase", default)]
struct Auth {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

impl DockerConfig {
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self { path }
    }

    /// The file, where it is configured.
    fn read(&self, most: u64) -> Result<Option<File>, CredentialsError> {
        let Some(path) = &self.path else { return Ok(None) };
        let path = file_at(path);
        let shown: Arc<str> = path.to_string_lossy().into();
        let bytes = read_bounded(&path, most).map_err(|error| CredentialsError::Unreadable {
            path: Arc::clone(&shown),
            reason: words(&error.to_string()),
        })?;
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| CredentialsError::Malformed {
                path: shown,
                // The words of the error may have a part of the file, which is secret.
                reason: format!("line {}, column {}", error.line(), error.column()).into(),
            })
    }
}

pub(super) fn file_at(path: &Path) -> PathBuf {
    if !path.is_dir() {
        return path.to_owned();
    }
    let found = NAMES
        .iter()
        .map(|name| path.join(name))
        .find(|path| path.exists());
    found.unwrap_or_else(|| path.join(NAMES[0]))
}

impl RegistryClient {
    /// The credentials for a repository.
    pub(super) async fn credentials(
        &self,
        host: &RegistryHost,
        repository: &str,
    ) -> Result<Credentials, RegistryError> {
        let failed = |error| RegistryError::Credentials {
            host: host.authority().into(),
            error,
        };
        let file = self.docker.read(self.limits.other.bytes()).map_err(failed)?;
        let Some(file) = file else {
            return Ok(Credentials::None);
        };
        let (helpers, store) = (&file.cred_helpers, file.creds_store.as_str());
        if let Some(name) = best(helpers, host, repository).filter(|name| !name.is_empty()) {
            return self.ask_helper(name, host).await.map_err(failed);
        }
        if let Some(auth) = best(&file.auths, host, repository) {
            let found = auth.read().map_err(|reason| {
                failed(CredentialsError::Malformed {
                    path: self
                        .docker
                        .path
                        .as_deref()
                        .unwrap_or(Path::new(""))
                        .to_string_lossy()
                        .into(),
                    reason: reason.into(),
                })
            })?;
            // With a store the entries of the file are empty.
            if found != Credentials::None {
                return Ok(found);
            }
        }
        if store.is_empty() {
            return Ok(Credentials::None);
        }
        self.ask_helper(store, host).await.map_err(failed)
    }

    async fn ask_helper(&self, name: &str, host: &RegistryHost) -> Result<Credentials, CredentialsError> {
        let server = if host.is_docker_hub() {
            DOCKER_HUB
        } else {
            host.as_str()
        };
        helper::ask(name, server, &self.limits).await
    }
}

/// What the file has for a repository: of the keys that fit, the longest.
fn best<'f, T>(map: &'f HashMap<String, T>, host: &RegistryHost, repository: &str) -> Option<&'f T> {
    let fitting = map.iter().filter_map(|(key, value)| {
        let length = fits(key, host, repository)?;
        Some((length, key, value))
    });
    // By the key too, so that two of the same length give the same each time.
    let longest = fitting.max_by_key(|(length, key, _)| (*length, std::cmp::Reverse(*key)));
    longest.map(|(_, _, value)| value)
}

/// How many bytes of a repository's path a key has, where it fits: `registry.example`, `https://registry.example/v2/`, or
/// `registry.example/team`.
fn fits(key: &str, host: &RegistryHost, repository: &str) -> Option<usize> {
    let key = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key);
    let (name, path) = key.split_once('/').unwrap_or((key, ""));
    let is_host = name.parse::<RegistryHost>().is_ok_and(|named| named == *host);
    let path = path.trim_end_matches('/');
    let path = if matches!(path, "v1" | "v2") { "" } else { path };
    let is_below = path.is_empty()
        || repository
            .strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    (is_host && is_below).then_some(path.len())
}

impl Auth {
    fn read(&self) -> Result<Credentials, &'static str> {
        if !self.registrytoken.is_empty() {
            return Ok(Credentials::RegistryToken(self.registrytoken.clone()));
        }
        if !self.identitytoken.is_empty() {
            return Ok(Credentials::IdentityToken(self.identitytoken.clone()));
        }
        if !self.auth.is_empty() {
            // Some tools end the text with NULs.
            let text = BASE64_STANDARD.decode(self.auth.trim()).ok();
            let text = text.and_then(|text| String::from_utf8(text).ok());
            let pair = text
                .as_deref()
                .and_then(|text| text.trim_end_matches('\0').split_once(':'));
            let (user, password) = pair.ok_or("an `auth` is not the base64 of a user and a password")?;
            return Ok(password_of(user, password));
        }
        Ok(password_of(&self.username, &self.password))
    }
}

/// What a user and a password are: some are no user at all.
pub(super) fn password_of(user: &str, password: &str) -> Credentials {
    match (user, password) {
        ("", "") => Credentials::None,
        ("<token>", token) => Credentials::IdentityToken(token.to_owned()),
        (user, password) => Credentials::Password {
            user: user.to_owned(),
            password: password.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests;
