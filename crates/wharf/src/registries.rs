//! The client of registries by a configuration.

use std::path::PathBuf;

use wharf_config::{RegistriesConfig, RegistryAuthority, RegistryConfig};
use wharf_distribution::registry::{
    Authority, AuthorityError, HostSettings, Proxies, RegistryClient, RegistrySettings,
};

/// The client of registries. Nothing is asked yet.
///
/// # Errors
/// [`AuthorityError`], where a private authority cannot be read.
pub(crate) fn client(config: &RegistriesConfig) -> Result<RegistryClient, AuthorityError> {
    let hosts = config.hosts.iter();
    RegistryClient::new(RegistrySettings {
        hosts: hosts
            .map(|(host, registry)| (host.clone(), settings(registry)))
            .collect(),
        docker_config: config.docker_config.clone().or_else(users_docker_config),
        proxies: Proxies::from_environment(),
        ..RegistrySettings::default()
    })
}

fn settings(registry: &RegistryConfig) -> HostSettings {
    let authorities = registry.authorities.iter().map(|authority| match authority {
        RegistryAuthority::File(path) => Authority::File(path.clone()),
        RegistryAuthority::Pem(text) => Authority::Pem(text.clone()),
    });
    HostSettings {
        plain_http: registry.plain_http,
        authorities: authorities.collect(),
        mirrors: registry.mirrors.clone(),
    }
}

/// Docker's own configuration of the user, where there is one.
fn users_docker_config() -> Option<PathBuf> {
    let file = docker_directory()?.join("config.json");
    file.exists().then_some(file)
}

/// The directory in which Docker's clients of this user keep their configuration, or will.
pub(crate) fn docker_directory() -> Option<PathBuf> {
    let variable = std::env::var_os("DOCKER_CONFIG").filter(|value| !value.is_empty());
    match variable {
        Some(directory) => Some(PathBuf::from(directory)),
        None => Some(std::env::home_dir()?.join(".docker")),
    }
}
