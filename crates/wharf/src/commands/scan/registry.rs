//! Images in registries as targets.

use std::error::Error;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use wharf_artifact::{
    BlobSource, Chosen, Descriptor, Documents, Image, ImageError, ImageNames, ImageOptions, Platform,
    choose_manifest,
};
use wharf_distribution::registry::Manifest;
use wharf_distribution::{RemoteImage, RemoteImageError, RemoteImageLimits, RemoteImages};
use wharf_plugin::{ByteSize, ContentDigest, ImageReference};
use wharf_scan::{Interrupt, Target};

use super::arguments::TargetChoice;
use super::plan::Plan;
use super::progress::Progress;
use crate::exit::Code;
use crate::words::{complain, explain, say};

/// What may stand before the name of an image: Wharf's own word, policy-server's, and that of other container tools.
const SCHEMES: [&str; 3] = ["oci:", "registry:", "docker:"];

/// The platform that is taken from an index where none is asked for, as in Trivy and on whatever machine: so the same name gives the
/// same report.
const PLATFORM: &str = "linux/amd64";

/// The name of an image in a registry that is the target.
pub(super) struct RemoteName {
    /// As it was written, without the scheme.
    pub(super) written: String,
    image: ImageReference,
    /// Whether no scheme says that it is one.
    is_plain: bool,
}

/// The image in a registry that a target names, if it does; says what is wrong with a name.
///
/// A file of that name counts before. A name without a scheme is one where the target is said to be an image, and is no path.
pub(super) fn named(target: &Path, said: TargetChoice) -> Result<Option<RemoteName>, Code> {
    let may_be = matches!(said, TargetChoice::Auto | TargetChoice::Image);
    let Some(text) = target
        .to_str()
        .filter(|_| may_be && target.symlink_metadata().is_err())
    else {
        return Ok(None);
    };
    if let Some(rest) = SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme)) {
        let written = rest.strip_prefix("//").unwrap_or(rest).to_owned();
        return match written.parse() {
            Ok(image) => Ok(Some(RemoteName {
                written,
                image,
                is_plain: false,
            })),
            Err(error) => {
                complain(
                    &error,
                    Some("write for example `oci:registry.example/team/app:1.2`"),
                );
                Err(Code::CommandLine)
            }
        };
    }
    let Some(image) = plain_name(text) else {
        return Ok(None);
    };
    if said == TargetChoice::Image {
        return Ok(Some(RemoteName {
            written: text.to_owned(),
            image,
            is_plain: true,
        }));
    }
    // What is missing is told by the scan itself, but for what is the name of an image beyond doubt.
    if text.contains([':', '@']) {
        say(format_args!(
            "error: there is no file or directory {text}\n\nhint: an image in a registry is named `oci:{text}`"
        ));
        return Err(Code::Failure);
    }
    Ok(None)
}

/// A name without a scheme, where it is neither the path of something nor of a layout with what is wanted in it, such as `layout:1.0`.
fn plain_name(text: &str) -> Option<ImageReference> {
    let path = text.split_once('@').or_else(|| text.split_once(':'));
    let is_in_layout = path.is_some_and(|(path, _)| Path::new(path).exists());
    text.parse().ok().filter(|_| !is_in_layout)
}

/// Fetches what the image says of itself; says what is wrong. Its layers are fetched when they are read.
pub(super) fn open(
    name: &RemoteName,
    plan: &Plan,
    options: &ImageOptions,
    interrupt: &Interrupt,
    progress: Arc<Progress>,
) -> Result<Target, Code> {
    let images = RemoteImages::new(Arc::clone(plan.supply.client()))
        .with_limits(limits(options))
        .with_stop(interrupt.flag())
        .with_progress(progress);
    let told = |failure: Failure| {
        let notes = match name.is_plain {
            true => vec![format!(
                "there is no file or directory {}, so it is the name of an image in a registry",
                name.written
            )],
            false => Vec::new(),
        };
        explain(&failure, &notes, Some(failure.hint()));
        Code::Failure
    };
    let remote = images
        .open(&name.image, |manifest| {
            choose(&name.written, manifest, options.platform.as_ref())
        })
        .map_err(told)?;
    let names = names(&name.image, remote.resolved());
    let remote = Arc::new(remote);
    let source = Arc::new(Layers {
        image: Arc::clone(&remote),
    });
    let documents = Documents {
        manifest: remote.manifest().text.as_bytes(),
        config: remote.config(),
    };
    let image = Image::from_source(&name.written, documents, names, source, options);
    let image = image.map_err(|error| told(error.into()))?;
    Ok(Target::Image(Box::new(image)))
}

/// What is transferred is bounded as what is unpacked, since it is mostly smaller.
fn limits(options: &ImageOptions) -> RemoteImageLimits {
    RemoteImageLimits {
        config: ByteSize::from_bytes(options.limits.most_document),
        layer: ByteSize::from_bytes(options.limits.most_layer),
        layers: ByteSize::from_bytes(options.limits.most_image),
        ..RemoteImageLimits::default()
    }
}

/// Which image of an index is scanned: that of the platform. Where none is asked for and the usual one is not there, the first.
fn choose(
    target: &str,
    manifest: &Manifest,
    platform: Option<&Platform>,
) -> Result<Option<ContentDigest>, Failure> {
    let document = manifest.text.as_bytes();
    let usual: Option<Platform> = PLATFORM.parse().ok();
    let chosen = match choose_manifest(target, document, None, platform.or(usual.as_ref())) {
        Err(ImageError::NoMatch { .. }) if platform.is_none() => {
            choose_manifest(target, document, None, None)
        }
        chosen => chosen,
    };
    Ok(match chosen? {
        Chosen::Entry(entry) => Some(content_digest(&entry)),
        _ => None,
    })
}

fn content_digest(descriptor: &Descriptor) -> ContentDigest {
    let text = descriptor.digest.to_string();
    text.parse()
        .expect("images and registries have the same two kinds of digests")
}

/// What the image is called in reports, as Trivy has it: with the tag, where it was not named by its digest, and with the digest of what
/// its name means. Names of Docker Hub are as short as people write them.
fn names(image: &ImageReference, resolved: &ContentDigest) -> ImageNames {
    let (host, repository) = (image.host(), image.repository());
    let repository = match host.is_docker_hub() {
        true => repository
            .strip_prefix("library/")
            .unwrap_or(repository)
            .to_owned(),
        false => format!("{host}/{repository}"),
    };
    let tag = image.tag().filter(|_| image.digest().is_none());
    ImageNames {
        tags: tag.map(|tag| format!("{repository}:{tag}")).into_iter().collect(),
        digests: vec![format!("{repository}@{resolved}")],
    }
}

/// What to do about an error of a scan that has the reason in a registry.
pub(super) fn hint(error: &dyn Error) -> Option<&'static str> {
    let mut next = error.source();
    while let Some(error) = next {
        // It comes to the scan as an error of reading a layer.
        let read = error.downcast_ref::<io::Error>();
        let inner = read.and_then(|error| error.get_ref());
        if let Some(remote) = inner.and_then(|inner| inner.downcast_ref::<RemoteImageError>()) {
            return Some(remote.hint());
        }
        next = error.source();
    }
    None
}

/// The layers of an image in a registry.
struct Layers {
    image: Arc<RemoteImage>,
}

impl BlobSource for Layers {
    fn open(&self, blob: &Descriptor) -> io::Result<Box<dyn Read + Send>> {
        let layer = self.image.layer(&content_digest(blob));
        Ok(Box::new(layer.map_err(io::Error::other)?))
    }
}

/// Why there is no image to scan.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Remote(#[from] RemoteImageError),
    #[error(transparent)]
    Image(#[from] ImageError),
}

impl Failure {
    fn hint(&self) -> &'static str {
        match self {
            Self::Remote(error) => error.hint(),
            Self::Image(error) => error.hint(),
        }
    }
}
