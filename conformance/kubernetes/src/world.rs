//! What a run has: a cluster, a server of policies beside it, the webhooks that lead from one to the other, and namespaces.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::certificates::{Ca, Mount};
use crate::cluster::{Api, Cluster};
use crate::objects::{binding, dry, pod, pods, service_accounts};
use crate::outcome::{Failure, Outcome, accepted, eventually, refused};
use crate::policies::{self, Names, Policy};
use crate::server::Server;

/// The label of all that a run makes; its value is the run's name.
pub(crate) const OWNED: &str = "conformance.wharf/run";
/// Where those of the whole cluster are.
pub(crate) const VALIDATING: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
pub(crate) const MUTATING: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
pub(crate) const CLUSTER_ROLES: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
pub(crate) const CLUSTER_ROLE_BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
pub(crate) const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
pub(crate) const NAMESPACES: &str = "/api/v1/namespaces";

/// What a run has.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) server: Server,
    pub(crate) mount: Mount,
    /// Of the first certificate, and of the one that takes its place.
    pub(crate) authorities: (Ca, Ca),
    /// What the custom resources' group is called.
    pub(crate) group: String,
    /// The name of all that the run makes begins so.
    pub(crate) name: String,
    pub(crate) guests: PathBuf,
    /// The server as this program reaches it, and as the API server does.
    pub(crate) url: String,
    webhook_url: String,
    /// Whether the cluster has controllers, which make accounts for namespaces and empty them.
    pub(crate) has_controllers: bool,
    /// What restarts the cluster's API server.
    pub(crate) restart_command: Option<String>,
    folder: PathBuf,
    policies: Vec<Policy>,
}

/// What a run is given.
pub(crate) struct Inputs {
    pub(crate) cluster: Cluster,
    pub(crate) wharf: PathBuf,
    /// The name under which the API server reaches this machine.
    pub(crate) advertise: Option<String>,
    pub(crate) guests: PathBuf,
    /// What restarts the cluster's API server.
    pub(crate) restart_command: Option<String>,
    /// Where files are written.
    pub(crate) folder: PathBuf,
}

impl World {
    /// Nothing is in the cluster yet, and nothing runs.
    ///
    /// # Errors
    /// When the files cannot be written, or there is no port.
    pub(crate) fn new(inputs: Inputs) -> Result<Self, String> {
        let Inputs {
            cluster,
            wharf,
            advertise,
            guests,
            restart_command,
            folder,
        } = inputs;
        let name = format!("wharf-{}", suffix()?);
        let made = |error: rcgen::Error| format!("no certificate can be made: {error}");
        let authorities = (Ca::new("first").map_err(made)?, Ca::new("second").map_err(made)?);
        let (port, admin) = free_ports().map_err(|error| format!("no free port: {error}"))?;
        let host = advertise.as_deref().unwrap_or("127.0.0.1");
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned(), host.to_owned()];
        let mount = Mount::new(folder.join("tls"), names, &authorities.0)?;
        let group = format!("{name}.example.com");
        let reserved = format!("{name}-reserved");
        let policies = policies::all(
            &guests,
            &Names {
                group: group.clone(),
                reserved,
            },
        );
        let all_interfaces = if advertise.is_some() {
            "0.0.0.0"
        } else {
            "127.0.0.1"
        };
        let config = json!({
            "version": 1,
            "admission": {
                "bind": format!("{all_interfaces}:{port}"),
                "tls": { "certificate": mount.certificate(), "key": mount.key() },
                "policies": { "file": folder.join("policies.yml") },
                "kubernetes": { "kubeconfig": folder.join("kubeconfig") },
                // Generous, since the machine may be busy with other things.
                "queue": { "concurrent": 4, "waiting": 1000 },
                "limits": { "startupDeadline": "60s" },
            },
            "admin": { "bind": format!("127.0.0.1:{admin}") },
            "cache": { "directory": folder.join("cache") },
        });
        let config_file = folder.join("wharf.yaml");
        fs::write(&config_file, config.to_string())
            .map_err(|error| format!("{}: {error}", config_file.display()))?;
        let admin = Api::at("the admin port", &format!("http://127.0.0.1:{admin}"), None)
            .map_err(|failure| failure.to_string())?;
        Ok(Self {
            cluster,
            server: Server::new(&wharf, config_file, folder.join("wharf.log"), admin),
            mount,
            authorities,
            group,
            guests,
            url: format!("https://127.0.0.1:{port}"),
            webhook_url: format!("https://{host}:{port}"),
            has_controllers: false,
            restart_command,
            folder,
            policies,
            name,
        })
    }

    /// Starts the server with rights of its own, and has the API server ask it.
    ///
    /// # Errors
    /// What did not come about.
    pub(crate) async fn set_up(&mut self) -> Outcome {
        let home = self.namespace("server", &[]).await?;
        let default = format!("{}/default", service_accounts(&home));
        self.has_controllers = self.cluster.api.get(&default).await?.is_success();
        let token = self.account(&home, "server").await?;
        self.grant_to_server(&home).await?;
        let kubeconfig = self.cluster.kubeconfig_with_token(&token);
        self.write("kubeconfig", &kubeconfig)?;
        self.write_policies(|_| ())?;
        self.server.start().await?;
        self.register(&[&self.authorities.0.pem, &self.authorities.1.pem])
            .await?;
        self.wait_for_webhooks().await
    }

    /// What the server may do: what its policies need, but for Secrets.
    async fn grant_to_server(&self, home: &str) -> Outcome {
        let rules = json!([
            { "apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": ["list", "watch"] },
            { "apiGroups": [self.group], "resources": ["*"], "verbs": ["list", "watch"] },
            { "apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"] },
            { "apiGroups": [""], "resources": ["configmaps", "namespaces"], "verbs": ["get"] },
            { "apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"] },
        ]);
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": { "name": self.name },
            "rules": rules,
        });
        self.make(CLUSTER_ROLES, role).await?;
        let bound = binding(
            "ClusterRoleBinding",
            &self.name,
            "ClusterRole",
            &self.name,
            (home, "server"),
        );
        self.make(CLUSTER_ROLE_BINDINGS, bound).await.map(drop)
    }

    /// Has the API server ask the policies.
    async fn register(&self, authorities: &[&str]) -> Outcome {
        for (path, kind, mutating) in [
            (VALIDATING, "ValidatingWebhookConfiguration", false),
            (MUTATING, "MutatingWebhookConfiguration", true),
        ] {
            let configuration = json!({
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": kind,
                "metadata": { "name": self.name },
                "webhooks": self.webhooks(mutating, authorities),
            });
            self.make(path, configuration).await?;
        }
        Ok(())
    }

    /// From now on the API server trusts servers of these authorities.
    ///
    /// # Errors
    /// When it does not take that.
    pub(crate) async fn trust(&self, authorities: &[&str]) -> Outcome {
        for (path, mutating) in [(VALIDATING, false), (MUTATING, true)] {
            let change = json!({ "webhooks": self.webhooks(mutating, authorities) });
            let path = format!("{path}/{}", self.name);
            let answer = self.cluster.api.patch(&path, &change).await?;
            answer.succeeded("changing the webhooks' CA")?;
        }
        Ok(())
    }

    fn webhooks(&self, mutating: bool, authorities: &[&str]) -> Vec<Value> {
        let bundle = BASE64_STANDARD.encode(authorities.concat());
        let policies = self.policies.iter();
        let policies = policies.filter(|policy| policy.has_webhook() && policy.is_mutating() == mutating);
        policies
            .map(|policy| policy.webhook(&self.name, &self.webhook_url, &bundle))
            .collect()
    }

    /// Until the API server has read the configurations that it was given.
    async fn wait_for_webhooks(&self) -> Outcome {
        let namespace = self.namespace("ready", &["labels", "no-leave"]).await?;
        let path = dry(&pods(&namespace));
        eventually(async || {
            let answer = self.cluster.api.post(&path, &pod("ready", &json!({}))).await?;
            let message = "Request rejected by policy no-leave. The policy attempted to mutate the request, but \
                           it is currently configured to not allow mutations.";
            refused(&answer, "no-leave", 400, message)
        })
        .await?;
        // The mutating webhook has nothing to say of this one.
        let mut complete = pod("ready", &json!({ "team": "unknown" }));
        complete["spec"]["securityContext"] = json!({ "runAsNonRoot": true });
        complete["metadata"]["labels"]["legacy"] = "yes".into();
        eventually(async || {
            let answer = self.cluster.api.post(&path, &complete).await?;
            refused(&answer, "labels", 422, "the label `legacy` is not allowed")
        })
        .await
    }

    /// Makes a namespace whose objects these policies review, and waits until pods can be made there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) async fn namespace(&self, name: &str, policies: &[&str]) -> Outcome<String> {
        let name = format!("{}-{name}", self.name);
        let mut labels = json!({});
        for policy in policies {
            labels[policies::label(policy)] = self.name.as_str().into();
        }
        let namespace = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": { "name": name, "labels": labels },
        });
        self.make(NAMESPACES, namespace).await?;
        // Where controllers run, a namespace gets its account a moment later, and no pod before.
        let probe = dry(&pods(&name));
        eventually(async || {
            let answer = self.cluster.api.post(&probe, &pod("probe", &json!({}))).await?;
            match answer.message().contains("service account") {
                true => Err(Failure::new("a namespace that takes pods", answer)),
                false => Ok(()),
            }
        })
        .await?;
        Ok(name)
    }

    /// Makes a service account, and gives a token for it.
    ///
    /// # Errors
    /// When the API server has none.
    pub(crate) async fn account(&self, namespace: &str, name: &str) -> Outcome<String> {
        let path = service_accounts(namespace);
        let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": name } });
        self.make(&path, account).await?;
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": { "expirationSeconds": 7200 },
        });
        let path = format!("{path}/{name}/token");
        let answer = self.cluster.api.post(&path, &request).await?;
        let answer = answer.succeeded("a token for a service account")?;
        let token = answer.body["status"]["token"].as_str().map(str::to_owned);
        token.ok_or_else(|| Failure::new("a token for a service account", answer))
    }

    /// Makes an object that belongs to this run, and gives it as it is stored.
    ///
    /// # Errors
    /// When the API server does not take it.
    pub(crate) async fn make(&self, path: &str, mut object: Value) -> Outcome<Value> {
        object["metadata"]["labels"][OWNED] = self.name.as_str().into();
        let doing = format!("making the {} {}", object["kind"], object["metadata"]["name"]);
        let answer = self.cluster.api.post(path, &object).await?;
        Ok(answer.succeeded(doing)?.body)
    }

    /// Takes an object away.
    ///
    /// # Errors
    /// When it is still there.
    pub(crate) async fn remove(&self, path: &str) -> Outcome {
        let answer = self.cluster.api.delete(path).await?;
        answer.succeeded(format!("deleting {path}")).map(drop)
    }

    /// The server of policies, for this program alone.
    ///
    /// # Errors
    /// When no client can be made.
    pub(crate) fn direct(&self, ca: &Ca) -> Outcome<Api> {
        Api::at("the server of policies", &self.url, Some(&ca.der))
    }

    /// Writes `policies.yml` with changed entries. Those that are null are left out.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write_policies(&self, change: impl FnOnce(&mut Value)) -> Outcome {
        let mut file = policies::file(&self.policies);
        change(&mut file);
        if let Some(entries) = file.as_object_mut() {
            entries.retain(|_, entry| !entry.is_null());
        }
        self.write("policies.yml", &file)
    }

    /// Writes a file all at once.
    fn write(&self, name: &str, content: &Value) -> Outcome {
        let (file, new) = (self.folder.join(name), self.folder.join(format!("{name}.new")));
        let written = fs::write(&new, content.to_string()).and_then(|()| fs::rename(&new, &file));
        written.map_err(|error| Failure::new(format!("{} to be written", file.display()), error))
    }

    /// Holds a review against being accepted, as often as that takes.
    ///
    /// # Errors
    /// What came last.
    pub(crate) async fn eventually_accepted(&self, path: &str, object: &Value) -> Outcome {
        eventually(async || accepted(&self.cluster.api.post(path, object).await?, &[])).await
    }

    /// Holds a review against being refused, as often as that takes.
    ///
    /// # Errors
    /// What came last.
    pub(crate) async fn eventually_refused(
        &self,
        path: &str,
        object: &Value,
        policy: &str,
        code: u16,
        message: &str,
    ) -> Outcome {
        eventually(async || {
            let answer = self.cluster.api.post(path, object).await?;
            refused(&answer, policy, code, message)
        })
        .await
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Eight digits that no other run has.
fn suffix() -> Result<String, String> {
    let mut bytes = [0; 4];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|error| format!("the system gave no random bytes: {error}"))?;
    Ok(format!("{:08x}", u32::from_ne_bytes(bytes)))
}

/// Ports that were free just now. The server keeps them when it starts again, so they cannot be chosen by itself.
fn free_ports() -> std::io::Result<(u16, u16)> {
    let listeners = [TcpListener::bind("0.0.0.0:0")?, TcpListener::bind("127.0.0.1:0")?];
    let [server, admin] = listeners.map(|listener| listener.local_addr().map(|address| address.port()));
    Ok((server?, admin?))
}
