//! Logging in and out: credentials that were tried, kept where Docker's `config.json` says that they are kept.
//!
//! ```text
//! login(host, user, password)
//!   GET /v2/ with them                ─► refused: nothing is kept
//!   credHelpers[host], or credsStore  ─► docker-credential-… store
//!   else                              ─► auths[host].auth, and the file is replaced as a whole, for its owner alone
//! ```

use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use serde_json::{Map, Value, json};
use wharf_plugin::RegistryHost;

use super::credentials::{Credentials, DOCKER_HUB, file_at};
use super::error::words;
use super::inquiry::Inquiry;
use super::refusal::Wanted;
use super::{CredentialsError, RegistryClient, RegistryError, helper};
use crate::bounded::read_bounded;

/// Where credentials are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptIn {
    /// In the file itself, where whoever reads it has them.
    File(PathBuf),
    /// With a credential helper, by its name without `docker-credential-`.
    Helper(String),
}

/// Why somebody is not logged in, or not out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The registry does not take the credentials, or cannot be asked.
    #[error("{host} does not take these credentials")]
    Refused {
        /// The registry.
        host: RegistryHost,
        /// Why.
        source: Box<RegistryError>,
    },
    /// Docker's `config.json` or a helper cannot be used.
    #[error("the credentials for {host} cannot be kept")]
    NotKept {
        /// The registry.
        host: RegistryHost,
        /// Why.
        source: CredentialsError,
    },
}

impl LoginError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Refused { source, .. } => match &**source {
                RegistryError::Unauthorized { .. }
                | RegistryError::Forbidden { .. }
                | RegistryError::TokenRefused {
                    status: 400..=499, ..
                } => "check the user and the password; many registries want a token in place of the password",
                other => other.hint(),
            },
            Self::NotKept { source, .. } => source.hint(),
        }
    }
}

impl RegistryClient {
    /// Asks a registry whether it takes these credentials, and keeps them for Docker's clients and this one in `config`:
    /// Docker's `config.json`, or the directory that it is in, or will be.
    ///
    /// # Errors
    /// [`LoginError`]. Then nothing is kept.
    pub async fn login(
        &self,
        host: &RegistryHost,
        user: &str,
        password: &str,
        config: &Path,
    ) -> Result<KeptIn, LoginError> {
        let tried = self.try_login(host, user, password).await;
        tried.map_err(|error| LoginError::Refused {
            host: host.clone(),
            source: Box::new(error),
        })?;
        let kept = self.keep(host, user, password, config).await;
        kept.map_err(|source| LoginError::NotKept {
            host: host.clone(),
            source,
        })
    }

    /// Forgets the credentials for a registry. Gives whether there were any, as far as that can be told: a helper does not
    /// say it.
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn logout(&self, host: &RegistryHost, config: &Path) -> Result<bool, LoginError> {
        let forgotten = self.forget(host, config).await;
        forgotten.map_err(|source| LoginError::NotKept {
            host: host.clone(),
            source,
        })
    }

    async fn try_login(&self, host: &RegistryHost, user: &str, password: &str) -> Result<(), RegistryError> {
        let trying = async {
            let mut inquiry = Inquiry::of_registry(self, host);
            inquiry.given = Some(Credentials::Password {
                user: user.to_owned(),
                password: password.to_owned(),
            });
            let most = ("the answer to a login", self.limits.other);
            let answer = inquiry.ask(&Method::GET, "/v2/", "*/*", most).await?;
            inquiry.accepted(answer, &Wanted::Login).map(|_| ())
        };
        let limit = self.limits.operation;
        match tokio::time::timeout(limit, trying).await {
            Ok(tried) => tried,
            Err(_) => Err(RegistryError::Slow {
                host: host.authority().into(),
                limit,
            }),
        }
    }

    async fn keep(
        &self,
        host: &RegistryHost,
        user: &str,
        password: &str,
        config: &Path,
    ) -> Result<KeptIn, CredentialsError> {
        let path = file_at(config);
        let mut file = read(&path, self.limits.other.bytes())?;
        let server = server_of(host);
        if let Some(name) = helper_of(&file, &server) {
            let secret = json!({ "ServerURL": server, "Username": user, "Secret": password });
            helper::tell(&name, "store", &secret.to_string(), &self.limits).await?;
            return Ok(KeptIn::Helper(name));
        }
        let auths = object(&mut file, "auths", &path)?;
        let entry = auths.entry(server).or_insert_with(|| json!({}));
        let auth = BASE64_STANDARD.encode(format!("{user}:{password}"));
        // What stood there was for somebody else.
        *entry = json!({ "auth": auth });
        write(&path, &file)?;
        Ok(KeptIn::File(path))
    }

    async fn forget(&self, host: &RegistryHost, config: &Path) -> Result<bool, CredentialsError> {
        let path = file_at(config);
        let mut file = read(&path, self.limits.other.bytes())?;
        let server = server_of(host);
        let helper = helper_of(&file, &server);
        if let Some(name) = &helper {
            helper::tell(name, "erase", &server, &self.limits).await?;
        }
        let had = match file.get("auths") {
            Some(_) => object(&mut file, "auths", &path)?.shift_remove(&server).is_some(),
            None => false,
        };
        if had {
            write(&path, &file)?;
        }
        Ok(had || helper.is_some())
    }
}

/// What Docker calls a registry in its file.
fn server_of(host: &RegistryHost) -> String {
    if host.is_docker_hub() {
        DOCKER_HUB.to_owned()
    } else {
        host.as_str().to_owned()
    }
}

/// The helper that keeps the credentials of a registry.
fn helper_of(file: &Map<String, Value>, server: &str) -> Option<String> {
    let own = file.get("credHelpers").and_then(|helpers| helpers.get(server));
    let name = own.or_else(|| file.get("credsStore"))?.as_str()?;
    (!name.is_empty()).then(|| name.to_owned())
}

fn read(path: &Path, most: u64) -> Result<Map<String, Value>, CredentialsError> {
    let shown = || -> Arc<str> { path.to_string_lossy().into() };
    let bytes = match read_bounded(path, most) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Map::new()),
        Err(error) => {
            return Err(CredentialsError::Unreadable {
                path: shown(),
                reason: words(&error.to_string()),
            });
        }
    };
    serde_json::from_slice(&bytes).map_err(|error| CredentialsError::Malformed {
        path: shown(),
        reason: format!("line {}, column {}", error.line(), error.column()).into(),
    })
}

fn object<'f>(
    file: &'f mut Map<String, Value>,
    key: &str,
    path: &Path,
) -> Result<&'f mut Map<String, Value>, CredentialsError> {
    let value = file.entry(key).or_insert_with(|| json!({}));
    value.as_object_mut().ok_or_else(|| CredentialsError::Malformed {
        path: path.to_string_lossy().into(),
        reason: format!("its `{key}` is no object").into(),
    })
}

/// Replaces the file as a whole. Nobody but its owner may read it, whoever could before.
fn write(path: &Path, file: &Map<String, Value>) -> Result<(), CredentialsError> {
    let written = || -> io::Result<()> {
        // What is a link stays one: the file behind it is replaced.
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}", std::process::id()));
        let temporary = PathBuf::from(name);
        let mut text = serde_json::to_string_pretty(file)?;
        text.push('\n');
        let whole = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.sync_all()
            })
            .and_then(|()| std::fs::rename(&temporary, &path));
        whole.inspect_err(|_| {
            let _ = std::fs::remove_file(&temporary);
        })
    };
    written().map_err(|error| CredentialsError::Unwritable {
        path: path.to_string_lossy().into(),
        reason: words(&error.to_string()),
    })
}
