//! What a deployer says about registries, and the bounds of the client.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use wharf_plugin::{ByteSize, RegistryHost};

use super::Proxies;

/// What a deployer says about registries.
#[derive(Debug, Clone, Default)]
pub struct RegistrySettings {
    /// Those that are not like all others.
    pub hosts: BTreeMap<RegistryHost, HostSettings>,
    /// Docker's `config.json`, or the directory that it is in. None for no credentials.
    pub docker_config: Option<PathBuf>,
    /// The proxies to go through.
    pub proxies: Proxies,
    /// The bounds.
    pub limits: RegistryLimits,
}

/// How one registry is reached. That it is named at all lets it be on this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostSettings {
    /// Whether it is asked over plain HTTP, where anybody on the way can read and change what is said. Default: no.
    pub plain_http: bool,
    /// Authorities that its certificate may be from, beside those of the system.
    pub authorities: Vec<Authority>,
    /// Registries that have the same, and are asked first when plugins are fetched, in this order. They are named here too
    /// where they are not like all others. Default: none.
    pub mirrors: Vec<RegistryHost>,
}

/// A certificate of an authority, or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authority {
    /// A file, as PEM or DER.
    File(PathBuf),
    /// The text of such a file, as PEM.
    Pem(String),
}

/// How much the client takes, for all registries together and for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryLimits {
    /// How many operations run at the same time. Default: 16. Further ones wait.
    pub concurrent: usize,
    /// How long one operation may take, waiting included. Default: 30 s.
    pub operation: Duration,
    /// How long a push may take, waiting included. Default: 10 min.
    pub upload: Duration,
    /// How long looking up a name, connecting and the TLS handshake may take together. Default: 5 s.
    pub connect: Duration,
    /// How long a credential helper may take. Default: 10 s.
    pub helper: Duration,
    /// The most bytes of a manifest. Default: 4 MiB, which is what registries take.
    pub manifest: ByteSize,
    /// The most bytes of an image's configuration. Default: 8 MiB.
    pub config: ByteSize,
    /// The most bytes of a token server's answer, of an error's body and of Docker's `config.json`. Default: 256 KiB.
    pub other: ByteSize,
    /// How many redirects are followed for one request. Default: 5.
    pub redirects: usize,
}

impl Default for RegistryLimits {
    fn default() -> Self {
        Self {
            concurrent: 16,
            operation: Duration::from_secs(30),
            upload: Duration::from_mins(10),
            connect: Duration::from_secs(5),
            helper: Duration::from_secs(10),
            manifest: ByteSize::from_mib(4),
            config: ByteSize::from_mib(8),
            other: ByteSize::from_kib(256),
            redirects: 5,
        }
    }
}
