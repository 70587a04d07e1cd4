//! Where signatures lie: beside an image in its registry, beside a file in its directory.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wharf_distribution::registry::{Descriptor, Manifest, ManifestKind, RegistryError};
use wharf_distribution::{Attachments, Subject};
use wharf_plugin::{ByteSize, ContentDigest, Reference};
use wharf_signature::{
    BUNDLE_MEDIA_TYPE_PREFIX, ENVELOPE_MEDIA_TYPE, MOST_SIGNATURE_BYTES, MOST_SIGNATURES, Purpose,
    SIGN_PREDICATE_TYPE, SIMPLE_SIGNING_MEDIA_TYPE, SignatureSource, attestation_tag, signature_tag,
};

/// The artifact types of referrers that cosign 2 makes in its mode for registries that list them.
const COSIGN_ARTIFACT_PREFIX: &str = "application/vnd.dev.cosign.artifact.";
/// What cosign 3 says of a bundle in the index of a registry that lists no referrers: the type of its configuration.
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// The annotation by which a bundle says what kind of statement it is. Nobody signed it: it only saves downloads.
const PREDICATE_TYPE: &str = "dev.sigstore.bundle.predicateType";
/// What the name of a file's bundle has behind the file's own.
const BUNDLE_SUFFIX: &str = ".sigstore.json";

/// A signature, as it was found.
#[derive(Debug, Clone)]
pub struct FoundSignature {
    /// Where.
    pub place: Place,
    content: Content,
}

/// Where a signature lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A layer of what a tag of the repository means.
    Tag {
        /// The tag.
        tag: String,
        /// The digest of the layer.
        layer: ContentDigest,
    },
    /// A layer of a manifest that refers to what is signed.
    Referrer {
        /// The digest of the manifest.
        manifest: ContentDigest,
    },
    /// A file.
    File(PathBuf),
    /// Further ones of the repository, which were not looked at.
    Others,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag { tag, layer } => write!(f, "{layer} under the tag {tag}"),
            Self::Referrer { manifest } => write!(f, "the referrer {manifest}"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Others => f.write_str("the others"),
        }
    }
}

#[derive(Debug, Clone)]
enum Content {
    Bundle(Vec<u8>),
    SimpleSigning(Vec<u8>, BTreeMap<String, String>),
    Envelope(Vec<u8>, BTreeMap<String, String>),
}

impl FoundSignature {
    /// A bundle that somebody names.
    pub fn bundle(place: Place, json: Vec<u8>) -> Self {
        Self {
            place,
            content: Content::Bundle(json),
        }
    }

    /// As it is to be checked.
    pub fn source(&self) -> SignatureSource<'_> {
        match &self.content {
            Content::Bundle(json) => SignatureSource::Bundle(json),
            Content::SimpleSigning(payload, annotations) => {
                SignatureSource::SimpleSigning { payload, annotations }
            }
            Content::Envelope(envelope, annotations) => SignatureSource::Envelope {
                envelope,
                annotations,
            },
        }
    }
}

/// What was found beside a plugin.
#[derive(Debug, Default)]
pub struct Found {
    /// Signatures; nobody checked them yet.
    pub signatures: Vec<FoundSignature>,
    /// Those that cannot be read, and why. They do not hide the others.
    pub unreadable: Vec<(Place, Unreadable)>,
    /// Why there may be more: the registry did not say all that there is.
    pub missed: Option<RegistryError>,
}

/// Why a signature cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unreadable {
    /// The registry does not give it.
    #[error(transparent)]
    Registry(RegistryError),
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    File(Arc<io::Error>),
    /// There are more than are looked at.
    #[error("there are {found}, and {most} are looked at")]
    TooMany {
        /// How many there are.
        found: usize,
        /// How many are looked at.
        most: usize,
    },
}

impl Unreadable {
    /// What to do, as a sentence without its full stop.
    pub fn hint(&self) -> &str {
        match self {
            Self::Registry(error) => error.hint(),
            Self::File(_) => "let this user read the file",
            Self::TooMany { .. } => "remove those that are not needed from the registry",
        }
    }
}

/// The file in which the bundle of a file is looked for: `plugin.wasm.sigstore.json` for `plugin.wasm`.
pub fn bundle_beside(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(BUNDLE_SUFFIX);
    name.into()
}

/// Finds what lies beside a plugin: of an image the layers of cosign's tags and of its referrers, of a file the bundle of
/// [`bundle_beside`], of a URL nothing. No more than [`MOST_SIGNATURES`] of each kind are fetched.
pub async fn find(subject: &Subject<'_>, purpose: Purpose<'_>) -> Found {
    let mut found = Found::default();
    match (subject.reference, subject.attachments) {
        (Reference::File(path), _) => found.read_bundle(&bundle_beside(path)),
        (_, Some(attachments)) => {
            let tag = match purpose {
                Purpose::Signature => signature_tag(subject.digest),
                Purpose::Attestation { .. } => attestation_tag(subject.digest),
            };
            let (tagged, referrers) =
                futures_util::future::join(attachments.tag(&tag), attachments.referrers(subject.digest))
                    .await;
            found.take_tagged(tagged, &tag, attachments).await;
            found.take_referrers(referrers, purpose, attachments).await;
        }
        (_, None) => {}
    }
    found
}

impl Found {
    fn read_bundle(&mut self, path: &Path) {
        match read(path) {
            Ok(json) => self
                .signatures
                .push(FoundSignature::bundle(Place::File(path.to_owned()), json)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self
                .unreadable
                .push((Place::File(path.to_owned()), Unreadable::File(Arc::new(error)))),
        }
    }

    async fn take_tagged(
        &mut self,
        tagged: Result<Option<Manifest>, RegistryError>,
        tag: &str,
        attachments: &Attachments<'_>,
    ) {
        let image = match tagged {
            Ok(Some(Manifest {
                kind: ManifestKind::Image(image),
                ..
            })) => image,
            Ok(_) => return,
            Err(error) => return self.miss(error),
        };
        for (count, layer) in image
            .layers
            .iter()
            .filter(|layer| is_signature(layer))
            .enumerate()
        {
            if count == MOST_SIGNATURES {
                return self.too_many(image.layers.len());
            }
            let place = Place::Tag {
                tag: tag.to_owned(),
                layer: layer.digest.clone(),
            };
            self.take(place, layer, attachments).await;
        }
    }

    async fn take_referrers(
        &mut self,
        referrers: Result<Vec<Descriptor>, RegistryError>,
        purpose: Purpose<'_>,
        attachments: &Attachments<'_>,
    ) {
        let referrers = match referrers {
            Ok(referrers) => referrers,
            Err(error) => return self.miss(error),
        };
        let wanted = referrers
            .iter()
            .filter(|referrer| may_be_wanted(referrer, purpose));
        for (count, referrer) in wanted.enumerate() {
            if count == MOST_SIGNATURES {
                return self.too_many(referrers.len());
            }
            let place = Place::Referrer {
                manifest: referrer.digest.clone(),
            };
            let image = match attachments.manifest(&referrer.digest).await {
                Ok(Manifest {
                    kind: ManifestKind::Image(image),
                    ..
                }) => image,
                Ok(_) => continue,
                Err(error) => {
                    self.unread(place, error);
                    continue;
                }
            };
            // One signature is in each; whoever puts more into one does not get more than others.
            if let Some(layer) = image.layers.iter().find(|layer| is_signature(layer)) {
                self.take(place, layer, attachments).await;
            }
        }
    }

    async fn take(&mut self, place: Place, layer: &Descriptor, attachments: &Attachments<'_>) {
        let most = ByteSize::from_bytes(MOST_SIGNATURE_BYTES as u64);
        let bytes = match attachments.blob(layer, most).await {
            Ok(bytes) => bytes,
            Err(error) => return self.unread(place, error),
        };
        let annotations = || layer.annotations.clone();
        let content = match layer.media_type.as_str() {
            SIMPLE_SIGNING_MEDIA_TYPE => Content::SimpleSigning(bytes, annotations()),
            ENVELOPE_MEDIA_TYPE => Content::Envelope(bytes, annotations()),
            _ => Content::Bundle(bytes),
        };
        self.signatures.push(FoundSignature { place, content });
    }

    /// One cannot be read. Where that is because the registry is away, it may be good all the same.
    fn unread(&mut self, place: Place, error: RegistryError) {
        if error.is_outage() {
            self.miss(error);
        } else {
            self.unreadable.push((place, Unreadable::Registry(error)));
        }
    }

    fn miss(&mut self, error: RegistryError) {
        self.missed.get_or_insert(error);
    }

    fn too_many(&mut self, found: usize) {
        let most = MOST_SIGNATURES;
        self.unreadable
            .push((Place::Others, Unreadable::TooMany { found, most }));
    }
}

fn is_signature(layer: &Descriptor) -> bool {
    let media_type = layer.media_type.as_str();
    media_type == SIMPLE_SIGNING_MEDIA_TYPE
        || media_type == ENVELOPE_MEDIA_TYPE
        || media_type.starts_with(BUNDLE_MEDIA_TYPE_PREFIX)
}

/// Whether a referrer may be what is asked for, by what is said of it. That saves downloads, and decides nothing.
fn may_be_wanted(referrer: &Descriptor, purpose: Purpose<'_>) -> bool {
    let is_one = referrer.artifact_type.as_deref().is_none_or(|kind| {
        kind.starts_with(BUNDLE_MEDIA_TYPE_PREFIX)
            || kind.starts_with(COSIGN_ARTIFACT_PREFIX)
            || kind == EMPTY
    });
    let stated = referrer.annotations.get(PREDICATE_TYPE);
    is_one
        && stated.is_none_or(|stated| match purpose {
            Purpose::Signature => stated == SIGN_PREDICATE_TYPE,
            Purpose::Attestation { predicate_type } => stated == predicate_type,
        })
}

/// A file of at most as many bytes as a signature can have, and one more, so that a larger one is told as such.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MOST_SIGNATURE_BYTES as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
