//! Signatures put where others find them: under the tags of cosign's older layout, and among the referrers of a digest.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};
use wharf_distribution::registry::{
    Descriptor, Manifest, ManifestKind, RegistryClient, RegistryError, Upload,
};
use wharf_plugin::{ByteSize, ContentDigest, ImageReference};
use wharf_signature::{
    BUNDLE_MEDIA_TYPE, SIMPLE_SIGNING_MEDIA_TYPE, SimpleSigned, bundle_annotations, signature_tag,
};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// The most bytes of the configuration that a tag's manifest has already.
const MOST_CONFIG: ByteSize = ByteSize::from_mib(1);

/// Adds a signature to those under the tag `sha256-….sig` of a digest. Gives the digest of the new manifest of the tag.
///
/// Registries have no way to do that at once: of two who sign at the same time one may undo what the other did.
///
/// # Errors
/// [`RegistryError`].
pub async fn attach_simple(
    client: &RegistryClient,
    image: &ImageReference,
    subject: &ContentDigest,
    signed: &SimpleSigned,
) -> Result<ContentDigest, RegistryError> {
    let tagged = image
        .with_tag(&signature_tag(subject))
        .expect("a digest is a tag once its colon is a dash");
    let mut layers = Vec::new();
    let mut config = None;
    if let Some(Manifest {
        kind: ManifestKind::Image(known),
        ..
    }) = client.find_manifest(&tagged).await?
    {
        layers.extend(known.layers.iter().map(described));
        let bytes = client.small_blob(image, &known.config, MOST_CONFIG).await?;
        config = Some((known.config.media_type.clone(), Bytes::from(bytes)));
    }
    let (config_type, config) =
        config.unwrap_or_else(|| (IMAGE_CONFIG.to_owned(), Bytes::from_static(b"{}")));
    let payload = Bytes::from(signed.payload.clone());
    let mut layer = descriptor(SIMPLE_SIGNING_MEDIA_TYPE, &payload);
    layer["annotations"] = json!(signed.annotations);
    layers.push(layer);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(&config_type, &config),
        "layers": layers,
    });
    let upload = Upload {
        blobs: vec![config, payload],
        media_type: MANIFEST,
        manifest: manifest.to_string(),
    };
    client.push(&tagged, &upload).await
}

/// Adds a bundle to the referrers of a manifest. `predicate_type` is that of its statement. Gives the digest of the manifest
/// that the bundle is in.
///
/// # Errors
/// [`RegistryError`].
pub async fn attach_bundle(
    client: &RegistryClient,
    image: &ImageReference,
    subject: &Manifest,
    bundle: Vec<u8>,
    predicate_type: &str,
) -> Result<ContentDigest, RegistryError> {
    let annotations: BTreeMap<String, String> = bundle_annotations(predicate_type)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let config = Bytes::from_static(b"{}");
    let bundle = Bytes::from(bundle);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": BUNDLE_MEDIA_TYPE,
        "config": descriptor(EMPTY, &config),
        "layers": [descriptor(BUNDLE_MEDIA_TYPE, &bundle)],
        "subject": {
            "mediaType": subject.media_type,
            "digest": subject.digest.to_string(),
            "size": subject.text.len(),
        },
        "annotations": annotations,
    });
    let upload = Upload {
        blobs: vec![config, bundle],
        media_type: MANIFEST,
        manifest: manifest.to_string(),
    };
    client
        .push_referrer(image, &subject.digest, &upload, BUNDLE_MEDIA_TYPE, &annotations)
        .await
}

fn descriptor(media_type: &str, bytes: &Bytes) -> Value {
    json!({
        "mediaType": media_type,
        "digest": ContentDigest::sha256_of(bytes).to_string(),
        "size": bytes.len(),
    })
}

fn described(known: &Descriptor) -> Value {
    let mut value = json!({
        "mediaType": known.media_type,
        "digest": known.digest.to_string(),
        "size": known.size,
    });
    if !known.annotations.is_empty() {
        value["annotations"] = json!(known.annotations);
    }
    value
}
