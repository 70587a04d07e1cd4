//! `oci/v1/*`: what images are, as their registries have them.
//!
//! | operation | answer |
//! |---|---|
//! | `oci/v1/manifest_digest` | `{"digest": "sha256:…"}` |
//! | `oci/v1/oci_manifest` | the manifest or index, byte for byte |
//! | `oci/v1/oci_manifest_config` | `{"manifest": …, "digest": …, "config": …}`, of an index those of this machine's platform |
//!
//! An answer is kept for a minute, as Kubewarden's server does it, so that a review does not wait for a registry each time.
//! Errors are not kept. Who asks for the same at the same time waits for one answer.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use wharf_abi_wapc::kubewarden::capability::{CapabilityRequest, DigestAnswer};
use wharf_distribution::registry::{ImageConfiguration, RegistryClient};
use wharf_plugin::{ByteSize, ImageReference};

use super::answers::{self, Age, Answers, Bounds};
use super::error::AskError;

/// How long an answer is kept.
const KEEP: Duration = Duration::from_secs(60);
/// How many answers are kept.
const MOST_ANSWERS: usize = 1024;
/// How many bytes they have together.
const MOST_BYTES: ByteSize = ByteSize::from_mib(64);

/// Answers what policies ask about images.
pub(super) struct Images {
    client: Arc<RegistryClient>,
    answers: Answers<Question, Arc<[u8]>>,
}

/// What is asked about which image.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Question {
    pub(super) about: About,
    pub(super) image: ImageReference,
}

impl answers::Question for Question {
    fn bytes(&self) -> usize {
        self.image.to_string().len()
    }
}

/// What is asked about an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum About {
    Digest,
    Manifest,
    Configuration,
}

impl Question {
    /// What a request asks; none where it is about something else.
    pub(super) fn of(request: &CapabilityRequest) -> Option<Result<Self, AskError>> {
        let (about, image) = match request {
            CapabilityRequest::OciManifestDigest { image } => (About::Digest, image),
            CapabilityRequest::OciManifest { image } => (About::Manifest, image),
            CapabilityRequest::OciManifestAndConfig { image } => (About::Configuration, image),
            _ => return None,
        };
        let image = image.parse().map_err(AskError::Image);
        Some(image.map(|image| Self { about, image }))
    }
}

impl Images {
    pub(super) fn new(client: Arc<RegistryClient>) -> Self {
        let bounds = Bounds {
            keep: KEEP,
            count: MOST_ANSWERS,
            bytes: MOST_BYTES.as_usize(),
        };
        Self {
            client,
            answers: Answers::new(bounds),
        }
    }

    /// An answer that is known already.
    pub(super) fn known(&self, question: &Question) -> Option<Vec<u8>> {
        self.answers.known(question, KEEP).map(|answer| answer.to_vec())
    }

    /// The answer, by the registry where it is not known.
    pub(super) async fn ask(&self, question: Question) -> Result<Vec<u8>, AskError> {
        // On the heap, since all that connecting and a handshake need is in it.
        let fetch = Box::pin(fetch(Arc::clone(&self.client), question.clone()));
        let (answer, _) = self.answers.get(question, Age::UpTo(KEEP), fetch).await?;
        Ok(answer.to_vec())
    }
}

async fn fetch(client: Arc<RegistryClient>, question: Question) -> Result<Arc<[u8]>, AskError> {
    let Question { about, image } = &question;
    let failed = |error| AskError::Registry {
        image: Arc::new(image.clone()),
        error,
    };
    let answer = match about {
        About::Digest => {
            let digest = client.resolve(image).await.map_err(failed)?.to_string();
            DigestAnswer { digest }.encode()
        }
        About::Manifest => client.manifest(image).await.map_err(failed)?.text.into_bytes(),
        About::Configuration => {
            let found = client.configuration(image).await.map_err(failed)?;
            encode(&found).ok_or_else(|| AskError::NoConfiguration(Arc::new(image.clone())))?
        }
    };
    Ok(answer.into())
}

/// Both texts as they are, within JSON. None where the configuration is no JSON, as that of an artifact may be.
fn encode(found: &ImageConfiguration) -> Option<Vec<u8>> {
    #[derive(Serialize)]
    struct Both<'a> {
        manifest: &'a RawValue,
        digest: String,
        config: &'a RawValue,
    }
    let both = Both {
        manifest: serde_json::from_str(&found.manifest.text).ok()?,
        digest: found.manifest.digest.to_string(),
        config: serde_json::from_slice(&found.config).ok()?,
    };
    serde_json::to_vec(&both).ok()
}
