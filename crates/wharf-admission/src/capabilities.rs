//! What policies may ask of this server beyond their review.
//!
//! | operation | answered by |
//! |---|---|
//! | `kubernetes/get_resource` | the API server; an answer is kept for 5 s unless the policy says otherwise |
//! | `kubernetes/list_resources_all`, `…_by_namespace` | a watch, which begins when a list is asked for first |
//! | `kubernetes/can_i` | the API server, as a SubjectAccessReview; kept for 5 s as well |
//! | `net/v1/dns_lookup_host` | the system's resolver |
//! | `crypto/v1/is_certificate_trusted` | this process alone |
//! | `oci/v1/manifest_digest`, `oci/v1/oci_manifest`, `…_config` | the image's registry; an answer is kept for a minute |
//! | `oci/v1/verify`, `oci/v2/verify` | the image's registry, and this process with the root of trust; kept for a minute |
//!
//! ```text
//! a guest's thread            the runtime
//! ClusterCapabilities::call ─► cluster.rs ─► discovery.rs   which kinds there are
//!   waits until the review's                 answers.rs     objects and verdicts, each fetched once for all who ask
//!   deadline and no longer                   watches.rs ─► watch.rs    lists that are kept up to date
//!                                            lists.rs       lists that are not
//!                                               └─► api.rs ─► the API server
//!                           ► oci.rs ─► answers.rs ─► wharf-distribution ─► registries
//!                           ► signatures.rs ─► answers.rs ─► wharf-trust ──┘
//! ```
//!
//! **What a list may lack.** A watch is behind the API server by as long as it takes an event to come. While it is
//! interrupted its list stays as it was, for a minute; then lists are fetched, and fail if they cannot be. Answers do not
//! say how old they are, since policies know no such answer; the log and the metric `wharf_admission_kubernetes_watches`
//! do. A list that no watch has a place for is fetched each time. What is kept of each object is what the policies' field
//! masks have in it, together; `metadata.managedFields` and what `kubectl apply` leaves in the annotations are in no list.
//!
//! **How much.** [`CapabilityLimits`] has the bounds. A policy's texts get into URLs encoded and after they were checked,
//! so that no name leads to another kind than the one that was granted.

mod answers;
mod api;
mod certificate;
mod cluster;
mod connect;
mod discovery;
mod dns;
mod error;
mod limits;
mod lists;
mod names;
mod objects;
mod oci;
mod signatures;
mod watch;
mod watches;

use std::sync::Arc;

use crossbeam_channel::RecvTimeoutError;
use tokio::runtime::Handle;
use wharf_abi_wapc::kubewarden::capability::{CapabilityError, CapabilityRequest};
use wharf_config::KubernetesConfig;
use wharf_distribution::registry::RegistryClient;
use wharf_engine::Deadline;
use wharf_telemetry::Metrics;
use wharf_trust::RootOfTrust;

use self::cluster::{Cluster, ListAsk};
use self::connect::{Found, Surroundings};
use self::dns::Resolver;
use self::error::AskError;
use self::oci::{Images, Question};
use self::signatures::{Inquiry, Signatures};
use crate::host::SharedCapabilities;

pub use self::connect::ConnectError;
pub use self::limits::CapabilityLimits;

/// Answers what policies ask, for all of them and from any thread but those of its runtime.
///
/// It costs nothing while nobody asks. Its watches and connections end when it is dropped.
pub struct ClusterCapabilities {
    runtime: Handle,
    cluster: Result<Arc<Cluster>, &'static str>,
    resolver: Arc<Resolver>,
    registries: Option<Registries>,
    trust: RootOfTrust,
}

/// Who answers about images.
struct Registries {
    images: Arc<Images>,
    signatures: Arc<Signatures>,
}

impl ClusterCapabilities {
    /// Finds the cluster and asks it for its version. Where there is none to be found, `kubernetes/*` is not offered. Blocks
    /// the thread, which must not be one of the runtime's, for at most [`CapabilityLimits::connect`].
    ///
    /// # Errors
    /// [`ConnectError`]. A cluster that does not answer is none with `ignore_connection_failure`: each request tries again.
    pub fn connect(
        config: &KubernetesConfig,
        runtime: &Handle,
        metrics: Arc<Metrics>,
        limits: &CapabilityLimits,
    ) -> Result<Self, ConnectError> {
        Self::connect_from(config, &Surroundings::look(), runtime, metrics, limits)
    }

    fn connect_from(
        config: &KubernetesConfig,
        around: &Surroundings,
        runtime: &Handle,
        metrics: Arc<Metrics>,
        limits: &CapabilityLimits,
    ) -> Result<Self, ConnectError> {
        let cluster = match connect::find(config, around)? {
            Found::Cluster(found) => {
                let url = found.cluster_url.to_string();
                let _inside = runtime.enter();
                let api = Arc::new(connect::client(*found)?);
                let (asked, limit) = (Arc::clone(&api), limits.connect);
                let checked = wait(runtime, Deadline::after(limit.saturating_mul(2)), async move {
                    Ok(connect::check(&asked, limit).await)
                });
                let reason = match checked {
                    Ok(Ok(())) => None,
                    Ok(Err(error)) => Some(error.to_string()),
                    Err(error) => Some(error.to_string()),
                };
                match reason {
                    None => tracing::info!(url, "Policies may ask a cluster."),
                    Some(reason) if config.ignore_connection_failure => {
                        tracing::warn!(
                            url,
                            reason,
                            "The cluster cannot be asked; policies that try fail until it can."
                        );
                    }
                    Some(reason) => return Err(ConnectError::Unreachable { url, reason }),
                }
                Ok(Arc::new(Cluster::new(api, limits, runtime, metrics)))
            }
            Found::None(reason) => Err(reason),
        };
        Ok(Self {
            runtime: runtime.clone(),
            cluster,
            resolver: Arc::new(Resolver::new(runtime.clone())),
            registries: None,
            trust: RootOfTrust::public(),
        })
    }

    /// Lets policies ask about images too. Without it `oci/*` is not offered.
    #[must_use]
    pub fn with_registries(mut self, client: Arc<RegistryClient>) -> Self {
        self.registries = Some(Registries {
            images: Arc::new(Images::new(Arc::clone(&client))),
            signatures: Arc::new(Signatures::new(client)),
        });
        self
    }

    /// Believes other authorities and logs, where policies ask who signed images. Default: those of the public instance of
    /// Sigstore.
    #[must_use]
    pub fn with_trust(self, trust: RootOfTrust) -> Self {
        Self { trust, ..self }
    }

    /// Whether there is a cluster that policies can ask. Otherwise, why not, in the words that they get.
    ///
    /// # Errors
    /// The words.
    pub fn cluster(&self) -> Result<(), &'static str> {
        self.cluster.as_ref().map(|_| ()).map_err(|reason| *reason)
    }

    /// Asks the cluster on the runtime and waits for it here.
    fn ask<F>(
        &self,
        deadline: Deadline,
        ask: impl FnOnce(Arc<Cluster>) -> F,
    ) -> Result<Vec<u8>, CapabilityError>
    where
        F: Future<Output = Result<Vec<u8>, AskError>> + Send + 'static,
    {
        let asked = ask(Arc::clone(self.known_cluster()?));
        wait(&self.runtime, deadline, async move {
            asked.await.map_err(CapabilityError::from)
        })
    }

    fn known_cluster(&self) -> Result<&Arc<Cluster>, CapabilityError> {
        self.cluster
            .as_ref()
            .map_err(|reason| CapabilityError::NotOffered(reason))
    }

    /// Asks a registry on the runtime and waits for it here.
    fn image(
        &self,
        request: &CapabilityRequest,
        question: Result<Question, AskError>,
        deadline: Deadline,
    ) -> Result<Vec<u8>, CapabilityError> {
        let images = &self.known_registries(request)?.images;
        let question = question?;
        if let Some(known) = images.known(&question) {
            return Ok(known);
        }
        let images = Arc::clone(images);
        wait(&self.runtime, deadline, async move {
            images.ask(question).await.map_err(CapabilityError::from)
        })
    }

    /// Asks who signed an image, on the runtime, and waits for it here.
    fn signatures(
        &self,
        request: &CapabilityRequest,
        inquiry: Inquiry,
        deadline: Deadline,
    ) -> Result<Vec<u8>, CapabilityError> {
        let signatures = &self.known_registries(request)?.signatures;
        if let Some(known) = signatures.known(&inquiry) {
            return Ok(known);
        }
        let (signatures, trust) = (Arc::clone(signatures), self.trust.clone());
        wait(&self.runtime, deadline, async move {
            signatures
                .ask(inquiry, trust)
                .await
                .map_err(CapabilityError::from)
        })
    }

    fn known_registries(&self, request: &CapabilityRequest) -> Result<&Registries, CapabilityError> {
        let known = self.registries.as_ref();
        known.ok_or_else(|| CapabilityError::NotOffered(request.path()))
    }

    fn list(&self, ask: ListAsk, deadline: Deadline) -> Result<Vec<u8>, CapabilityError> {
        match self.known_cluster()?.known_list(&ask) {
            Some(list) => Ok(list),
            None => self.ask(deadline, |cluster| async move { cluster.list(ask).await }),
        }
    }
}

impl SharedCapabilities for ClusterCapabilities {
    fn call(&self, request: &CapabilityRequest, deadline: Deadline) -> Result<Vec<u8>, CapabilityError> {
        match request.clone() {
            CapabilityRequest::KubernetesListResourceAll(list) => self.list(ListAsk::all(&list)?, deadline),
            CapabilityRequest::KubernetesListResourceNamespace(list) => {
                self.list(ListAsk::in_namespace(&list)?, deadline)
            }
            CapabilityRequest::KubernetesGetResource(get) => match self.known_cluster()?.known_object(&get) {
                Some(object) => Ok(object),
                None => self.ask(deadline, |cluster| async move { cluster.object(get).await }),
            },
            CapabilityRequest::KubernetesCanI {
                request,
                disable_cache,
            } => match self.known_cluster()?.known_access(&request, disable_cache) {
                Some(verdict) => Ok(verdict),
                None => self.ask(deadline, move |cluster| async move {
                    cluster.access(request, disable_cache).await
                }),
            },
            CapabilityRequest::KubernetesGetResourcePluralName { api_version, kind } => self
                .ask(deadline, |cluster| async move {
                    cluster.plural(&api_version, &kind).await
                }),
            CapabilityRequest::DnsLookupHost { host } => {
                let resolver = Arc::clone(&self.resolver);
                wait(
                    &self.runtime,
                    deadline,
                    async move { resolver.look_up(&host).await },
                )
            }
            CapabilityRequest::CryptoIsCertificateTrusted { request } => {
                let answer = certificate::verify(&request);
                answer
                    .map(|answer| answer.encode())
                    .map_err(|error| CapabilityError::Failed(error.to_string()))
            }
            CapabilityRequest::SigstoreCertificateVerify(_) => Err(CapabilityError::NotOffered(
                "oci/v2/verify with a certificate of the policy's own; name the public key of the certificate instead",
            )),
            other => match (Question::of(&other), Inquiry::of(&other)) {
                (Some(question), _) => self.image(&other, question, deadline),
                (_, Some(inquiry)) => self.signatures(&other, inquiry, deadline),
                _ => Err(CapabilityError::NotOffered(other.path())),
            },
        }
    }
}

/// Does something on the runtime and waits for it here, until the deadline and no longer. It is broken off when nobody
/// waits any more.
fn wait<T: Send + 'static>(
    runtime: &Handle,
    deadline: Deadline,
    work: impl Future<Output = Result<T, CapabilityError>> + Send + 'static,
) -> Result<T, CapabilityError> {
    let (sender, done) = crossbeam_channel::bounded(1);
    let task = runtime.spawn(async move {
        // Whoever waited may have gone.
        let _ = sender.send(work.await);
    });
    match done.recv_timeout(deadline.left()) {
        Ok(answer) => answer,
        Err(RecvTimeoutError::Timeout) => {
            task.abort();
            Err(CapabilityError::Timeout)
        }
        Err(RecvTimeoutError::Disconnected) => Err(CapabilityError::Failed(
            "the server broke this off, because it stops or because of a mistake of its own, which is in its log".into(),
        )),
    }
}
