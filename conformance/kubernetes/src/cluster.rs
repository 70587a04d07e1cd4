//! The cluster: requests to its API server as they are, and what it answered. The server of policies is asked in the same way.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use http::{Method, Request};
use http_body_util::BodyExt;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

use crate::outcome::Failure;

/// For one request. The API server itself waits up to 30 s for a webhook.
const PATIENCE: Duration = Duration::from_secs(60);

/// Something that answers requests with JSON. Clones share the connections.
#[derive(Clone)]
pub(crate) struct Api {
    name: &'static str,
    client: Client,
}

/// The cluster that the run was given.
pub(crate) struct Cluster {
    pub(crate) api: Api,
    config: Config,
    kubeconfig: Kubeconfig,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) warnings: Vec<String>,
}

impl Cluster {
    /// Reads the file, or the files that `KUBECONFIG` names.
    ///
    /// # Errors
    /// Why there is no cluster.
    pub(crate) async fn find(file: Option<&Path>) -> Result<Self, String> {
        let kubeconfig = match file {
            Some(file) => {
                Kubeconfig::read_from(file).map_err(|error| format!("{}: {error}", file.display()))?
            }
            None => Kubeconfig::from_env()
                .map_err(|error| format!("KUBECONFIG: {error}"))?
                .ok_or("neither --kubeconfig nor KUBECONFIG names a cluster")?,
        };
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig.clone(), &options).await;
        let config = config.map_err(|error| format!("the kubeconfig cannot be used: {error}"))?;
        Ok(Self {
            api: Api::of("the API server", config.clone())?,
            config,
            kubeconfig,
        })
    }

    /// Where the API server is.
    pub(crate) fn url(&self) -> String {
        self.config.cluster_url.to_string()
    }

    /// The same cluster as whoever a token belongs to.
    ///
    /// # Errors
    /// When no client can be made.
    pub(crate) fn with_token(&self, token: &str) -> Result<Api, Failure> {
        let mut config = self.config.clone();
        config.auth_info = kube::config::AuthInfo {
            token: Some(token.to_owned().into()),
            ..Default::default()
        };
        Api::of("the API server", config).map_err(|reason| Failure::new("a client with a token", reason))
    }

    /// A kubeconfig for this cluster with a token and nothing else. JSON is YAML.
    pub(crate) fn kubeconfig_with_token(&self, token: &str) -> Value {
        let current = self.kubeconfig.current_context.as_deref().unwrap_or_default();
        let context = self.kubeconfig.contexts.iter().find(|one| one.name == current);
        let name = context.and_then(|one| Some(one.context.as_ref()?.cluster.clone()));
        let clusters = self.kubeconfig.clusters.iter();
        let cluster = clusters
            .filter(|one| Some(&one.name) == name.as_ref())
            .find_map(|one| one.cluster.as_ref());
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "cluster", "cluster": cluster }],
            "users": [{ "name": "server", "user": { "token": token } }],
            "contexts": [{ "name": "server", "context": { "cluster": "cluster", "user": "server" } }],
            "current-context": "server",
        })
    }
}

impl Api {
    /// Somebody who is at this URL, and trusted by this CA.
    ///
    /// # Errors
    /// When no client can be made of these.
    pub(crate) fn at(name: &'static str, url: &str, ca: Option<&[u8]>) -> Result<Self, Failure> {
        let unusable = |reason: String| Failure::new(format!("a client for {url}"), reason);
        let uri = url
            .parse()
            .map_err(|error: http::uri::InvalidUri| unusable(error.to_string()))?;
        let mut config = Config::new(uri);
        config.root_cert = ca.map(|ca| vec![ca.to_vec()]);
        Self::of(name, config).map_err(unusable)
    }

    fn of(name: &'static str, mut config: Config) -> Result<Self, String> {
        // What is not answered is a finding, and not to be asked again.
        config.default_retry = false;
        let client = Client::try_from(config).map_err(|error| error.to_string())?;
        Ok(Self { name, client })
    }

    /// # Errors
    /// When no answer came.
    pub(crate) async fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.send(Method::GET, path, None, "application/json").await
    }

    /// Posts JSON. As an object for the API server, it is made; with `?dryRun=All` it is only reviewed.
    ///
    /// # Errors
    /// When no answer came.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Answer, Failure> {
        self.send(Method::POST, path, Some(body), "application/json")
            .await
    }

    /// Replaces an object.
    ///
    /// # Errors
    /// When no answer came.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Result<Answer, Failure> {
        self.send(Method::PUT, path, Some(body), "application/json").await
    }

    /// Changes an object by a merge patch.
    ///
    /// # Errors
    /// When no answer came.
    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Result<Answer, Failure> {
        let media_type = "application/merge-patch+json";
        self.send(Method::PATCH, path, Some(body), media_type).await
    }

    /// # Errors
    /// When no answer came.
    pub(crate) async fn delete(&self, path: &str) -> Result<Answer, Failure> {
        let now = json!({ "gracePeriodSeconds": 0, "propagationPolicy": "Background" });
        self.send(Method::DELETE, path, Some(&now), "application/json")
            .await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        media_type: &str,
    ) -> Result<Answer, Failure> {
        let failed = |came: String| {
            let expected = format!("an answer of {} to {method} {path}", self.name);
            Failure::new(expected, came)
        };
        let bytes = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = Request::builder()
            .method(&method)
            .uri(path)
            .header("content-type", media_type)
            .header("accept", "application/json")
            .body(Body::from(bytes))
            .map_err(|error| failed(error.to_string()))?;
        let exchange = async {
            let response = self
                .client
                .send(request)
                .await
                .map_err(|error| failed(in_full(&error)))?;
            let (head, body) = response.into_parts();
            let body = body
                .collect()
                .await
                .map_err(|error| failed(format!("it broke off: {error}")))?
                .to_bytes();
            let warnings = head.headers.get_all("warning").iter();
            let warnings = warnings.map(|value| warning(value.to_str().unwrap_or_default()));
            Ok(Answer {
                status: head.status.as_u16(),
                warnings: warnings.collect(),
                body: serde_json::from_slice(&body)
                    .unwrap_or_else(|_| String::from_utf8_lossy(&body).into_owned().into()),
            })
        };
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .unwrap_or_else(|_| Err(failed(format!("none within {PATIENCE:?}"))))
    }
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// What a Status says.
    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    /// The answer, where it is a success.
    ///
    /// # Errors
    /// The answer as what came instead.
    pub(crate) fn succeeded(self, doing: impl fmt::Display) -> Result<Self, Failure> {
        if self.is_success() {
            Ok(self)
        } else {
            Err(Failure::new(format!("{doing}: a success"), self))
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_success() {
            write!(f, "status {}", self.status)?;
        } else if self.message().is_empty() {
            write!(f, "status {}: {}", self.status, self.body)?;
        } else {
            write!(f, "status {}: {}", self.status, self.message())?;
        }
        for warning in &self.warnings {
            write!(f, ", with the warning `{warning}`")?;
        }
        Ok(())
    }
}

/// The text of a `Warning` header: `299 - "text"`.
fn warning(header: &str) -> String {
    let text = header.splitn(3, ' ').nth(2).unwrap_or(header);
    let text = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    text.replace("\\\"", "\"").replace("\\\\", "\\")
}

/// An error with those behind it.
fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let own = error.to_string();
        if !text.contains(&own) {
            text.push_str(": ");
            text.push_str(&own);
        }
        next = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_what_stands_between_the_quotes() {
        assert_eq!(warning(r#"299 - "the label `a` \"b\"""#), "the label `a` \"b\"");
        assert_eq!(warning("odd"), "odd");
    }
}
