//! Which cluster a server belongs to, and how it is reached.

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::header::USER_AGENT;
use http::{HeaderValue, StatusCode};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::ConfigExt;
use kube::config::Kubeconfig;
use kube::{Client, Config};
use tower::{BoxError, ServiceBuilder};
use wharf_config::KubernetesConfig;
use wharf_plugin::ByteSize;

use super::api::{Api, ApiError};

/// Where Kubernetes puts the token of a pod's service account.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// After so much silence on a connection the other end is asked whether it is still there, this often in these pauses. It
/// takes a minute to find out that an API server was unplugged.
const SILENCE: Duration = Duration::from_secs(30);
const PROBES: (u32, Duration) = (3, Duration::from_secs(10));
/// The most bytes of the API server's version.
const MOST_VERSION: ByteSize = ByteSize::from_kib(64);
const AGENT: HeaderValue = HeaderValue::from_static(concat!("wharf/", env!("CARGO_PKG_VERSION")));

/// Why policies cannot be given a cluster to ask.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The file cannot be read or is no kubeconfig.
    #[error("{} cannot be used to reach a cluster", .path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The files that `KUBECONFIG` names cannot be used.
    #[error("the files that the variable KUBECONFIG names cannot be used to reach a cluster")]
    KubeconfigVariable(#[source] Box<dyn Error + Send + Sync>),
    /// What Kubernetes puts into a pod is not as it should be.
    #[error("what the pod has of its service account cannot be used to reach the cluster")]
    ServiceAccount(#[source] Box<dyn Error + Send + Sync>),
    /// The kubeconfig has a proxy.
    #[error(
        "the cluster {0} is to be reached through a proxy, which is not possible: remove `proxy-url` from the kubeconfig"
    )]
    Proxy(String),
    /// No client can be made of the certificates and credentials.
    #[error("the certificates or credentials for the cluster {url} cannot be used")]
    Credentials {
        /// The cluster.
        url: String,
        /// What is wrong with them.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The cluster does not answer.
    #[error(
        "the cluster {url} cannot be asked: {reason}; `admission.kubernetes.ignoreConnectionFailure: true` starts without it"
    )]
    Unreachable {
        /// The cluster.
        url: String,
        /// Why.
        reason: String,
    },
}

/// A cluster, or why there is none.
pub(super) enum Found {
    Cluster(Box<Config>),
    /// With what policies are told that ask for it.
    None(&'static str),
}

/// What there is around the process.
pub(super) struct Surroundings {
    pub(super) in_cluster: bool,
    pub(super) token: bool,
    pub(super) kubeconfig: Option<OsString>,
    pub(super) home: Option<PathBuf>,
}

impl Surroundings {
    pub(super) fn look() -> Self {
        Self {
            in_cluster: std::env::var_os("KUBERNETES_SERVICE_HOST").is_some(),
            token: Path::new(TOKEN).exists(),
            kubeconfig: std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty()),
            home: std::env::home_dir(),
        }
    }
}

/// Finds the cluster: the file of the configuration, the service account of the pod, the files that `KUBECONFIG` names, or
/// `~/.kube/config`, whichever is there first.
pub(super) fn find(config: &KubernetesConfig, around: &Surroundings) -> Result<Found, ConnectError> {
    if let Some(path) = &config.kubeconfig {
        return read(path)?
            .map(Found::cluster)
            .ok_or_else(|| ConnectError::Kubeconfig {
                path: path.clone(),
                source: "it has no `current-context`".into(),
            });
    }
    if around.in_cluster && around.token {
        let found = Config::incluster().map_err(|error| ConnectError::ServiceAccount(error.into()))?;
        return Ok(Found::cluster(found));
    }
    if around.kubeconfig.is_some() {
        let unusable = |error: kube::config::KubeconfigError| ConnectError::KubeconfigVariable(error.into());
        if let Some(kubeconfig) = Kubeconfig::from_env().map_err(unusable)? {
            refuse_proxy(&kubeconfig)?;
            return Config::try_from(kubeconfig).map(Found::cluster).map_err(unusable);
        }
    }
    let default = around.home.as_ref().map(|home| home.join(".kube/config"));
    if let Some(path) = default.filter(|path| path.exists())
        && let Some(found) = read(&path)?
    {
        return Ok(Found::cluster(found));
    }
    Ok(Found::None(if around.in_cluster {
        "kubernetes/*: the server's pod has no token of a service account, and no kubeconfig is configured"
    } else {
        "kubernetes/*: the server runs outside of a cluster, and no kubeconfig is configured"
    }))
}

impl Found {
    fn cluster(mut config: Config) -> Self {
        // Kubeconfigs inherit HTTPS_PROXY, even where NO_PROXY says otherwise. What the file itself has was refused.
        config.proxy_url = None;
        Self::Cluster(Box::new(config))
    }
}

/// Reads a kubeconfig. None where it has no context, as a file that was only just made.
fn read(path: &Path) -> Result<Option<Config>, ConnectError> {
    let unusable = |error: kube::config::KubeconfigError| ConnectError::Kubeconfig {
        path: path.to_owned(),
        source: error.into(),
    };
    let kubeconfig = Kubeconfig::read_from(path).map_err(unusable)?;
    refuse_proxy(&kubeconfig)?;
    if kubeconfig
        .current_context
        .as_deref()
        .unwrap_or_default()
        .is_empty()
    {
        return Ok(None);
    }
    Config::try_from(kubeconfig).map(Some).map_err(unusable)
}

/// A proxy would have to be gone through; not doing so would send the credentials another way than was meant.
fn refuse_proxy(kubeconfig: &Kubeconfig) -> Result<(), ConnectError> {
    let current = kubeconfig.current_context.as_deref().unwrap_or_default();
    let context = kubeconfig.contexts.iter().find(|named| named.name == current);
    let context = context.and_then(|named| named.context.as_ref());
    let named = kubeconfig
        .clusters
        .iter()
        .find(|named| context.is_some_and(|context| context.cluster == named.name));
    match named.and_then(|named| Some((named, named.cluster.as_ref()?))) {
        Some((named, cluster)) if cluster.proxy_url.as_deref().is_some_and(|url| !url.is_empty()) => {
            Err(ConnectError::Proxy(named.name.clone()))
        }
        _ => Ok(()),
    }
}

/// Makes a client. Nothing is connected yet. It must be called inside of the runtime.
pub(super) fn client(mut config: Config) -> Result<Api, ConnectError> {
    config.headers.push((USER_AGENT, AGENT));
    let client = build(&config).map_err(|error| ConnectError::Credentials {
        url: config.cluster_url.to_string(),
        source: error.into(),
    })?;
    Ok(Api::new(client))
}

/// As `kube` would, but without tracing each failure as an error of its own, and with probes of silent connections.
fn build(config: &Config) -> kube::Result<Client> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT));
    connector.set_keepalive(Some(SILENCE));
    connector.set_keepalive_retries(Some(PROBES.0));
    connector.set_keepalive_interval(Some(PROBES.1));
    let connector = config.rustls_https_connector_with_connector(connector)?;
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(HttpClient::builder(TokioExecutor::new()).build(connector));
    Ok(Client::new(service, config.default_namespace.clone()))
}

/// Asks a cluster for its version, within some time. An answer that refuses to say it is an answer too, unless the
/// credentials are refused.
pub(super) async fn check(api: &Api, within: Duration) -> Result<(), ApiError> {
    let asked = tokio::time::timeout(within, api.get("/version", MOST_VERSION)).await;
    match asked.unwrap_or(Err(ApiError::Slow(within))) {
        Err(error) if error.status() == Some(StatusCode::FORBIDDEN) => Ok(()),
        asked => asked.map(|_| ()),
    }
}

#[cfg(test)]
mod tests;
