//! Why a policy's question about the cluster, about an image or about who signed it is not answered, in the words that the policy gets.

use std::fmt;
use std::sync::Arc;

use wharf_abi_wapc::kubewarden::capability::CapabilityError;
use wharf_distribution::registry::RegistryError;
use wharf_plugin::{ByteSize, ImageReference, ImageReferenceError};

use super::api::ApiError;
use super::names::NameError;
use super::signatures::SignerError;

/// Why a question is not answered. Those that Kubewarden's server has too begin with its words, since policies and their
/// tests know them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AskError {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("Cannot find {api_version}/{kind} named '{name}' inside of namespace '{namespace:?}'")]
    NotFound {
        api_version: Arc<str>,
        kind: Arc<str>,
        name: Arc<str>,
        namespace: Option<Arc<str>>,
    },
    #[error("Cannot find resource {0}: the cluster has no such kind")]
    UnknownKind(KindName),
    #[error("resource {0} is cluster wide. Cannot search for it inside of a namespace")]
    ClusterWide(KindName),
    #[error("Resource {0} is namespaced, but no namespace was provided")]
    Namespaced(KindName),
    #[error("objects of {kind} cannot be asked for with `{verb}`: the cluster does not offer it")]
    NoVerb { kind: KindName, verb: &'static str },
    #[error(
        "the list of {kind} has more than {most}: ask for one namespace, with a selector, or for less of each object \
         with field masks"
    )]
    ListTooLarge { kind: KindName, most: ByteSize },
    #[error("the SubjectAccessReview has more than {0}, which is what is taken")]
    AccessReviewTooLarge(ByteSize),
    #[error("SubjectAccessReview did not return a response")]
    NoVerdict,
    #[error(transparent)]
    Image(ImageReferenceError),
    #[error("{image}: {error}; {}", .error.hint())]
    Registry {
        image: Arc<ImageReference>,
        error: RegistryError,
    },
    #[error("{0}: its configuration is not JSON, so that it is no image that runs in containers")]
    NoConfiguration(Arc<ImageReference>),
    #[error(transparent)]
    Signers(#[from] SignerError),
    #[error("no signatures found for image: {0}")]
    Unsigned(Arc<ImageReference>),
    #[error("Image verification failed: missing signatures: {image}: {reason}")]
    NotSigned {
        image: Arc<ImageReference>,
        reason: String,
    },
    #[error("{doing}: {error}")]
    Api { doing: Arc<str>, error: ApiError },
}

impl AskError {
    pub(super) fn api(doing: impl fmt::Display, error: ApiError) -> Self {
        Self::Api {
            doing: doing.to_string().into(),
            error,
        }
    }
}

impl From<AskError> for CapabilityError {
    fn from(error: AskError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// A kind with its version, as `v1/Pod`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct KindName {
    pub(super) api_version: Arc<str>,
    pub(super) kind: Arc<str>,
}

impl fmt::Display for KindName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind: String = self.kind.chars().filter(|c| !c.is_control()).take(80).collect();
        write!(f, "{}/{kind}", self.api_version)
    }
}
