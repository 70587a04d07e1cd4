//! Clients, and what they ask.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use wharf_distribution::registry::{
    HostSettings, ImageConfiguration, Manifest, RegistryClient, RegistryError, RegistryLimits,
    RegistrySettings,
};
use wharf_plugin::{ContentDigest, ImageReference};

/// An image's configuration.
pub(crate) const CONFIG: &str = r#"{"architecture":"amd64","os":"linux","config":{"User":"1000"},"rootfs":{"type":"layers","diff_ids":[]}}"#;

/// A client and a registry that it may ask over plain HTTP.
pub(crate) struct Asking {
    pub(crate) client: RegistryClient,
    address: SocketAddr,
}

/// Settings for a registry on this machine.
pub(crate) fn settings(address: SocketAddr) -> RegistrySettings {
    let plain = HostSettings {
        plain_http: true,
        ..HostSettings::default()
    };
    RegistrySettings {
        hosts: BTreeMap::from([(address.to_string().parse().unwrap(), plain)]),
        ..RegistrySettings::default()
    }
}

impl Asking {
    pub(crate) fn of(address: SocketAddr) -> Self {
        Self::with(address, settings(address))
    }

    pub(crate) fn with_credentials(address: SocketAddr, docker_config: &Path) -> Self {
        let docker_config = Some(docker_config.to_owned());
        Self::with(
            address,
            RegistrySettings {
                docker_config,
                ..settings(address)
            },
        )
    }

    /// One that gives up after a short while.
    pub(crate) fn impatient(address: SocketAddr) -> Self {
        let limits = RegistryLimits {
            operation: Duration::from_millis(300),
            ..RegistryLimits::default()
        };
        Self::with(
            address,
            RegistrySettings {
                limits,
                ..settings(address)
            },
        )
    }

    pub(crate) fn with(address: SocketAddr, settings: RegistrySettings) -> Self {
        Self {
            client: RegistryClient::new(settings).unwrap(),
            address,
        }
    }

    pub(crate) fn image(&self, rest: &str) -> ImageReference {
        format!("{}/{rest}", self.address).parse().unwrap()
    }

    pub(crate) async fn resolve(&self, rest: &str) -> Result<ContentDigest, RegistryError> {
        self.client.resolve(&self.image(rest)).await
    }

    pub(crate) async fn manifest(&self, rest: &str) -> Result<Manifest, RegistryError> {
        self.client.manifest(&self.image(rest)).await
    }

    pub(crate) async fn configuration(&self, rest: &str) -> Result<ImageConfiguration, RegistryError> {
        self.client.configuration(&self.image(rest)).await
    }
}

/// An error's text, with the address that it has in this run replaced. Each error has a hint.
pub(crate) fn told(error: &RegistryError, address: SocketAddr) -> String {
    assert!(!error.hint().is_empty(), "{error:?}");
    error.to_string().replace(&address.to_string(), "ADDRESS")
}
