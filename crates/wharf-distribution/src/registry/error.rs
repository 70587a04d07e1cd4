//! Why a registry gave nothing of use.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use wharf_plugin::{ByteSize, ContentDigest};

use super::CredentialsError;

/// Why a registry gave nothing of use. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// 401: it does not know who asks, or does not like it.
    #[error("the registry {host} gives `{repository}` to nobody without credentials that it knows{said}")]
    Unauthorized {
        /// The registry.
        host: Arc<str>,
        /// The repository.
        repository: Arc<str>,
        /// Whether credentials were sent.
        with_credentials: bool,
        /// What the registry says, with `: ` in front.
        said: Arc<str>,
    },
    /// 403: it knows who asks, and they may not.
    #[error("the registry {host} refuses `{repository}` to these credentials{said}")]
    Forbidden {
        /// The registry.
        host: Arc<str>,
        /// The repository.
        repository: Arc<str>,
        /// Whether credentials were sent.
        with_credentials: bool,
        /// What the registry says, with `: ` in front.
        said: Arc<str>,
    },
    /// The token server does not take the credentials.
    #[error("the token server {server} of the registry {host} answered {status}{said}")]
    TokenRefused {
        /// The registry.
        host: Arc<str>,
        /// The token server.
        server: Arc<str>,
        /// Its status.
        status: u16,
        /// What it says, with `: ` in front.
        said: Arc<str>,
    },
    /// What is to be known of tokens was not understood.
    #[error("the registry {host} cannot be logged in to: {reason}")]
    Login {
        /// The registry.
        host: Arc<str>,
        /// Why.
        reason: Arc<str>,
    },
    /// The credentials that are configured cannot be had.
    #[error("the credentials for the registry {host} cannot be had: {error}")]
    Credentials {
        /// The registry.
        host: Arc<str>,
        /// Why.
        error: CredentialsError,
    },
    /// 404: there is no such repository.
    #[error("the registry {host} has no repository `{repository}`")]
    NoRepository {
        /// The registry.
        host: Arc<str>,
        /// The repository.
        repository: Arc<str>,
    },
    /// 404: the repository has no such tag or digest.
    #[error("the repository `{repository}` of the registry {host} has no `{name}`")]
    NoManifest {
        /// The registry.
        host: Arc<str>,
        /// The repository.
        repository: Arc<str>,
        /// The tag or digest.
        name: Arc<str>,
    },
    /// 404 for a blob that a manifest names.
    #[error(
        "the repository `{repository}` of the registry {host} lacks the blob {digest}, which its manifest names"
    )]
    NoBlob {
        /// The registry.
        host: Arc<str>,
        /// The repository.
        repository: Arc<str>,
        /// The blob.
        digest: ContentDigest,
    },
    /// 404 that does not say of what.
    #[error("the registry {host} answered 404 for `{name}` of `{repository}`")]
    NotFound {
        /// The registry.
        host: Arc<str>,
        /// The repository.
        repository: Arc<str>,
        /// The tag or digest.
        name: Arc<str>,
    },
    /// 429.
    #[error("the registry {host} was asked too often{}", after(.retry_after))]
    TooManyRequests {
        /// The registry.
        host: Arc<str>,
        /// When it may be asked again, where it says so in seconds.
        retry_after: Option<Duration>,
    },
    /// Another status than a success.
    #[error("the registry {host} answered {status}{said}")]
    Status {
        /// The registry.
        host: Arc<str>,
        /// The status.
        status: u16,
        /// What it says, with `: ` in front.
        said: Arc<str>,
    },
    /// The name has no address.
    #[error("no address is known for the host {host}: {reason}")]
    NoAddress {
        /// The host.
        host: Arc<str>,
        /// The resolver's reason.
        reason: Arc<str>,
    },
    /// Nobody answers there.
    #[error("{host} cannot be reached: {reason}")]
    Unreachable {
        /// The host and port.
        host: Arc<str>,
        /// The system's reason.
        reason: Arc<str>,
    },
    /// The TLS handshake failed.
    #[error("there is no TLS with {host}: {reason}")]
    Tls {
        /// The host and port.
        host: Arc<str>,
        /// Why.
        reason: Arc<str>,
    },
    /// The proxy is none, or does not let one through.
    #[error("{host} cannot be reached through the proxy: {reason}")]
    Proxy {
        /// The host and port.
        host: Arc<str>,
        /// Why.
        reason: Arc<str>,
    },
    /// The answer ended before its end, or was no HTTP.
    #[error("the answer of {host} broke off: {reason}")]
    Broken {
        /// The host and port.
        host: Arc<str>,
        /// Why.
        reason: Arc<str>,
    },
    /// It took too long.
    #[error("{host} did not answer within {limit:?}")]
    Slow {
        /// The host.
        host: Arc<str>,
        /// The bound.
        limit: Duration,
    },
    /// An address that has a meaning only here, and was not named by the deployer.
    #[error(
        "{host} is {address}, which means this machine, its network or its cloud: it is not connected to"
    )]
    ForbiddenAddress {
        /// The host.
        host: Arc<str>,
        /// Its address, or the host again.
        address: ForbiddenAddress,
    },
    /// A redirect that is not followed.
    #[error("{host} redirects to {to}, which is not followed: {reason}")]
    Redirect {
        /// The registry or server that was asked first.
        host: Arc<str>,
        /// Where to, without a query.
        to: Arc<str>,
        /// Why not.
        reason: &'static str,
    },
    /// More bytes than are taken.
    #[error("{what} has more than {limit}")]
    TooLarge {
        /// What has.
        what: &'static str,
        /// The bound.
        limit: ByteSize,
    },
    /// Other bytes than those that were asked for.
    #[error("{what} is not what was asked for: its digest is {actual}, and should be {wanted}")]
    WrongDigest {
        /// What it is.
        what: &'static str,
        /// As it should be.
        wanted: ContentDigest,
        /// As it is.
        actual: ContentDigest,
    },
    /// More or fewer bytes than the manifest says.
    #[error("{what} has {} than the {wanted} bytes that its manifest says", more_or_fewer(.wanted, .actual))]
    WrongSize {
        /// What it is.
        what: &'static str,
        /// As the manifest says.
        wanted: u64,
        /// As many as there are, as far as they were read.
        actual: u64,
    },
    /// Compressed in a way that was not asked for.
    #[error("{host} gives it encoded with {encoding}, which was not asked for")]
    Encoding {
        /// The host and port.
        host: Arc<str>,
        /// The encoding.
        encoding: Arc<str>,
    },
    /// A page for people.
    #[error("{host} gives a page of HTML where {what} is due")]
    Page {
        /// The host and port.
        host: Arc<str>,
        /// What should be there.
        what: &'static str,
    },
    /// 404 from a server that is no registry.
    #[error("{host} has no such file")]
    NoFile {
        /// The server.
        host: Arc<str>,
    },
    /// 401 or 403 from a server that is no registry.
    #[error("{host} does not give the file to everybody: it answered {status}")]
    NotPublic {
        /// The server.
        host: Arc<str>,
        /// The status.
        status: u16,
    },
    /// The registry's part of an upload is not as it should be.
    #[error("nothing can be pushed to the registry {host}: {reason}")]
    NoUpload {
        /// The registry.
        host: Arc<str>,
        /// Why.
        reason: Arc<str>,
    },
    /// Something else than a manifest, such as a page.
    #[error("{host} gives {media_type} where a manifest is due")]
    MediaType {
        /// The registry.
        host: Arc<str>,
        /// What it says that it gives.
        media_type: Arc<str>,
    },
    /// A manifest that is not as the specification has it.
    #[error("the manifest cannot be understood: {reason}")]
    BadManifest {
        /// Why.
        reason: Arc<str>,
    },
    /// An index that has nothing for this machine.
    #[error("the index has no image for {platform}")]
    NoPlatform {
        /// Such as `linux/amd64`.
        platform: Arc<str>,
    },
}

/// What is forbidden about a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForbiddenAddress {
    /// Its address.
    Address(IpAddr),
    /// Its name.
    Name,
}

impl std::fmt::Display for ForbiddenAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name => f.write_str("a name"),
        }
    }
}

fn after(retry_after: &Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |wait| {
        format!(", and may be again in {} s", wait.as_secs())
    })
}

fn more_or_fewer(wanted: &u64, actual: &u64) -> &'static str {
    if actual > wanted { "more" } else { "fewer" }
}

impl RegistryError {
    /// Whether the registry could not be asked at all, or could not answer: not what it said of what was asked for.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::NoAddress { .. }
            | Self::Unreachable { .. }
            | Self::Tls { .. }
            | Self::Proxy { .. }
            | Self::Broken { .. }
            | Self::Slow { .. }
            | Self::TooManyRequests { .. } => true,
            Self::Status { status, .. } | Self::TokenRefused { status, .. } => {
                *status == 429 || *status >= 500
            }
            _ => false,
        }
    }

    pub(super) fn wrong_size(what: &'static str, wanted: u64, actual: u64) -> Self {
        Self::WrongSize { what, wanted, actual }
    }

    pub(super) fn wrong_digest(what: &'static str, wanted: &ContentDigest, actual: &ContentDigest) -> Self {
        Self::WrongDigest {
            what,
            wanted: wanted.clone(),
            actual: actual.clone(),
        }
    }

    pub(super) fn too_large(what: &'static str, limit: ByteSize) -> Self {
        Self::TooLarge { what, limit }
    }

    pub(super) fn bad_manifest(reason: &(impl ToString + ?Sized)) -> Self {
        Self::BadManifest {
            reason: words(&reason.to_string()),
        }
    }

    pub(super) fn no_platform() -> Self {
        let (os, architecture) = super::manifest::platform();
        Self::NoPlatform {
            platform: format!("{os}/{architecture}").into(),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unauthorized {
                with_credentials: false,
                ..
            } => {
                "check the name, since many registries say this of what does not exist; for a private repository log in with \
                 `wharf login`, or name Docker's config.json in `registries.dockerConfig`"
            }
            Self::Unauthorized { .. } => {
                "check the name and the credentials in Docker's config.json; they may have expired"
            }
            Self::Forbidden {
                with_credentials: false,
                ..
            } => "log in with `wharf login`, or name Docker's config.json in `registries.dockerConfig`",
            Self::Forbidden { .. } => "let these credentials pull from the repository, or use others",
            Self::TokenRefused { status: 429, .. } => "wait, or give credentials that may ask more often",
            Self::TokenRefused {
                status: 400..=499, ..
            } => "check the credentials in Docker's config.json; they may have expired",
            Self::TokenRefused { .. } => "it is the token server's trouble: try again later",
            Self::Login { .. } => "ask whoever runs the registry",
            Self::Credentials { error, .. } => error.hint(),
            Self::NoRepository { .. } => "check the name of the repository",
            Self::NoManifest { .. } => {
                "check the tag or digest, or push the image; a registry may have deleted it"
            }
            Self::NoBlob { .. } => "push the image anew: the registry has only a part of it",
            Self::NotFound { .. } => "check the name, the tag, and that this host is a registry",
            Self::TooManyRequests { .. } => {
                "wait, name images by digest, or give credentials, which may ask more often"
            }
            Self::Status {
                status: 500..=599, ..
            } => "it is the registry's trouble: try again later",
            Self::Status { .. } => "ask whoever runs the registry",
            Self::NoAddress { .. } => "check the name of the registry, and this machine's resolver",
            Self::Unreachable { .. } => {
                "check that the registry runs, the network, and whether a proxy is needed (HTTPS_PROXY)"
            }
            Self::Tls { .. } => {
                "name the authority of its certificate with `ca` under `registries.hosts`; a registry without TLS needs \
                 `plainHttp: true` there"
            }
            Self::Proxy { .. } => "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY",
            Self::Broken { .. } => {
                "try again; where the registry speaks TLS, it is not to be named with `plainHttp`"
            }
            Self::Slow { .. } => "try again later, or give reviews more time",
            Self::ForbiddenAddress { .. } => {
                "a registry on this machine has to be named under `registries.hosts`; otherwise somebody tries to reach \
                 what is not theirs"
            }
            Self::Redirect { .. } => "ask whoever runs the registry where it leads",
            Self::TooLarge { .. } => "is it an image? Nothing that is one is so large",
            Self::WrongDigest { .. } => {
                "do not use it: the registry, or somebody on the way to it, gives other bytes than it should"
            }
            Self::WrongSize { .. } => {
                "push it anew; where it happens again, the registry or somebody on the way to it lies"
            }
            Self::Encoding { .. } => "have the server give the file as it is",
            Self::Page { .. } => "check the address: it may be one for people, or want a login",
            Self::NoFile { .. } => "check the address",
            Self::NotPublic { .. } => {
                "credentials are given to registries only: push the plugin to one, or let everybody read it"
            }
            Self::NoUpload { .. } => "ask whoever runs the registry",
            Self::MediaType { .. } => {
                "check that this host is a registry, and not a website or a proxy's page"
            }
            Self::BadManifest { .. } => "push the image anew with a current tool",
            Self::NoPlatform { .. } => "name the image of one platform by its digest",
        }
    }
}

/// The beginning of what somebody else says, on one line.
pub(super) fn words(text: &str) -> Arc<str> {
    const MOST: usize = 300;
    let shown = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let beginning: String = shown.take(MOST).collect();
    let rest = if text.chars().nth(MOST).is_some() {
        "…"
    } else {
        ""
    };
    format!("{}{rest}", beginning.trim()).into()
}

/// An error with those behind it, each once.
pub(super) fn in_full(error: &(dyn std::error::Error + 'static)) -> Arc<str> {
    let mut texts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !texts.last().is_some_and(|last| last.contains(&text)) {
            texts.push(text);
        }
        next = error.source();
    }
    words(&texts.join(": "))
}
