//! The requests, typed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};

use super::super::json::{self, JsonProblem};

/// What a policy asks of its host.
///
/// As JSON, each is an object with the variant's name as its one key, under the names that `kwctl` gives them in recorded
/// sessions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CapabilityRequest {
    /// The digest of an image's manifest.
    OciManifestDigest {
        /// The reference of the image.
        image: String,
    },
    /// An image's manifest, or its index.
    OciManifest {
        /// The reference of the image.
        image: String,
    },
    /// An image's manifest, the manifest's digest and the image's configuration.
    OciManifestAndConfig {
        /// The reference of the image.
        image: String,
    },
    /// Whether an image is signed by all of some keys.
    SigstorePubKeyVerify(PubKeyVerification),
    /// Whether an image is signed by all of some identities.
    SigstoreKeylessVerify(KeylessVerification),
    /// Whether an image is signed by identities that begin in some ways.
    SigstoreKeylessPrefixVerify(KeylessPrefixVerification),
    /// Whether an image is signed by a workflow of GitHub Actions.
    SigstoreGithubActionsVerify(GithubActionsVerification),
    /// Whether an image is signed by the holder of a certificate.
    SigstoreCertificateVerify(SignerCertificateVerification),
    /// The addresses of a host.
    #[serde(rename = "DNSLookupHost")]
    DnsLookupHost {
        /// Its name.
        host: String,
    },
    /// The objects of a kind in a namespace.
    KubernetesListResourceNamespace(ListByNamespace),
    /// The objects of a kind in the whole cluster.
    KubernetesListResourceAll(ListAll),
    /// One object.
    KubernetesGetResource(GetResource),
    /// What a kind is called in plural, as JSON text. No policy asks for this; OPA's view of the cluster needs it.
    KubernetesGetResourcePluralName {
        /// The version, with its group before it where it has one.
        api_version: String,
        /// The kind.
        kind: String,
    },
    /// Whether somebody may do something.
    KubernetesCanI {
        /// Who and what.
        request: SubjectAccessReview,
        /// Whether an answer of some seconds ago will not do.
        disable_cache: bool,
    },
    /// Whether a certificate is to be trusted.
    CryptoIsCertificateTrusted {
        /// Which, and why it might be.
        request: CertificateVerification,
    },
}

/// Whether an image is signed by all of some keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PubKeyVerification {
    /// The reference of the image.
    pub image: String,
    /// The keys, in PEM.
    pub pub_keys: Vec<String>,
    /// What each signature must be annotated with.
    pub annotations: Option<BTreeMap<String, String>>,
}

/// Whether an image is signed by all of some identities.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeylessVerification {
    /// The reference of the image.
    pub image: String,
    /// The identities.
    pub keyless: Vec<KeylessInfo>,
    /// What each signature must be annotated with.
    pub annotations: Option<BTreeMap<String, String>>,
}

/// Whether an image is signed by identities that begin in some ways.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeylessPrefixVerification {
    /// The reference of the image.
    pub image: String,
    /// How the identities begin.
    pub keyless_prefix: Vec<KeylessPrefixInfo>,
    /// What each signature must be annotated with.
    pub annotations: Option<BTreeMap<String, String>>,
}

/// Whether an image is signed by a workflow of GitHub Actions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GithubActionsVerification {
    /// The reference of the image.
    pub image: String,
    /// The owner of the repository.
    pub owner: String,
    /// The repository; any of the owner's where there is none.
    pub repo: Option<String>,
    /// What each signature must be annotated with.
    pub annotations: Option<BTreeMap<String, String>>,
}

/// Whether an image is signed by the holder of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SignerCertificateVerification {
    /// The reference of the image.
    pub image: String,
    /// The certificate, in PEM.
    pub certificate: Vec<u8>,
    /// Those that vouch for it, in PEM; it is trusted by itself where there are none.
    pub certificate_chain: Option<Vec<Vec<u8>>>,
    /// Whether the signature must be in the transparency log.
    pub require_rekor_bundle: bool,
    /// What each signature must be annotated with.
    pub annotations: Option<BTreeMap<String, String>>,
}

/// An identity that signs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeylessInfo {
    /// Who vouches for it.
    pub issuer: String,
    /// Who it is.
    pub subject: String,
}

/// How an identity that signs begins.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeylessPrefixInfo {
    /// Who vouches for it.
    pub issuer: String,
    /// How its URL begins. It is taken to end with `/`, so that `…/acme` is not also `…/acme-evil`.
    pub url_prefix: String,
}

/// The objects of a kind in a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ListByNamespace {
    /// The version, with its group before it where it has one.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// The namespace.
    pub namespace: String,
    /// Which labels the objects must have.
    pub label_selector: Option<String>,
    /// Which fields the objects must have.
    pub field_selector: Option<String>,
    /// The fields that are wanted of each object; all where there are none.
    pub field_masks: Option<BTreeSet<String>>,
}

/// The objects of a kind in the whole cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ListAll {
    /// The version, with its group before it where it has one.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// Which labels the objects must have.
    pub label_selector: Option<String>,
    /// Which fields the objects must have.
    pub field_selector: Option<String>,
    /// The fields that are wanted of each object; all where there are none.
    pub field_masks: Option<BTreeSet<String>>,
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GetResource {
    /// The version, with its group before it where it has one.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its namespace, where it is in one.
    pub namespace: Option<String>,
    /// Whether an answer of some seconds ago will not do.
    pub disable_cache: bool,
    /// The fields that are wanted; all where there are none.
    pub field_masks: Option<BTreeSet<String>>,
}

/// Who wants to do what.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SubjectAccessReview {
    /// The groups that they are in.
    pub groups: Option<Vec<String>>,
    /// What they want to do.
    pub resource_attributes: ResourceAttributes,
    /// Who they are.
    pub user: String,
}

/// Something that can be done to a resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ResourceAttributes {
    /// The API group; `*` is all.
    pub group: Option<String>,
    /// The name; empty is all.
    pub name: Option<String>,
    /// The namespace.
    pub namespace: Option<String>,
    /// The resource in plural; `*` is all.
    pub resource: String,
    /// The part of it.
    pub subresource: Option<String>,
    /// What is done, such as `get`; `*` is all.
    pub verb: String,
    /// The version; `*` is all.
    pub version: Option<String>,
}

/// A certificate and what speaks for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CertificateVerification {
    /// The certificate.
    pub cert: Certificate,
    /// Those that vouch for it, the root last. The usual authorities where there are none.
    pub cert_chain: Option<Vec<Certificate>>,
    /// The time (RFC 3339) at which it must not have expired; it is not looked at where there is none.
    #[serde(default, deserialize_with = "empty_is_none")]
    pub not_after: Option<String>,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Certificate {
    /// How it is written.
    pub encoding: CertificateEncoding,
    /// Its bytes, an array of numbers in JSON.
    pub data: Vec<u8>,
}

/// How a certificate is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CertificateEncoding {
    /// In binary.
    Der,
    /// As text.
    Pem,
}

fn empty_is_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

/// Why a policy's request is none. The first two have Kubewarden's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnreadableCapability {
    /// There is no such namespace.
    #[error("unknown namespace: {0}")]
    Namespace(String),
    /// There is no such operation in the namespace.
    #[error("unknown operation: {0}")]
    Operation(String),
    /// The payload is not what the operation wants.
    #[error("the payload of {path} cannot be read: {problem}")]
    Payload {
        /// The namespace and the operation.
        path: &'static str,
        /// What is wrong with it.
        problem: JsonProblem,
    },
}

/// The kinds that the first version of `verify` takes: an object with the kind as its one key.
#[derive(Deserialize)]
enum VerifyV1 {
    #[serde(rename = "SigstorePubKeyVerify")]
    PubKey(PubKeyVerification),
    #[serde(rename = "SigstoreKeylessVerify")]
    Keyless(KeylessVerification),
}

/// The kinds that the second version takes, with the kind in `type`.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum VerifyV2 {
    #[serde(rename = "SigstorePubKeyVerify")]
    PubKey(PubKeyVerification),
    #[serde(rename = "SigstoreKeylessVerify")]
    Keyless(KeylessVerification),
    #[serde(rename = "SigstoreKeylessPrefixVerify")]
    KeylessPrefix(KeylessPrefixVerification),
    #[serde(rename = "SigstoreGithubActionsVerify")]
    GithubActions(GithubActionsVerification),
    #[serde(rename = "SigstoreCertificateVerify")]
    Certificate(SignerCertificateVerification),
}

#[derive(Deserialize)]
struct CanI {
    subject_access_review: SubjectAccessReview,
    disable_cache: bool,
}

impl CapabilityRequest {
    /// Makes a typed request of what a policy asks.
    ///
    /// # Errors
    /// [`UnreadableCapability`].
    pub fn decode(namespace: &str, operation: &str, payload: &[u8]) -> Result<Self, UnreadableCapability> {
        let request = match (namespace, operation) {
            ("oci", "v1/verify") => match read("oci/v1/verify", payload)? {
                VerifyV1::PubKey(verify) => Self::SigstorePubKeyVerify(verify),
                VerifyV1::Keyless(verify) => Self::SigstoreKeylessVerify(verify),
            },
            ("oci", "v2/verify") => match read("oci/v2/verify", payload)? {
                VerifyV2::PubKey(verify) => Self::SigstorePubKeyVerify(verify),
                VerifyV2::Keyless(verify) => Self::SigstoreKeylessVerify(verify),
                VerifyV2::KeylessPrefix(verify) => Self::SigstoreKeylessPrefixVerify(verify),
                VerifyV2::GithubActions(verify) => Self::SigstoreGithubActionsVerify(verify),
                VerifyV2::Certificate(verify) => Self::SigstoreCertificateVerify(verify),
            },
            ("oci", "v1/manifest_digest") => Self::OciManifestDigest {
                image: read("oci/v1/manifest_digest", payload)?,
            },
            ("oci", "v1/oci_manifest") => Self::OciManifest {
                image: read("oci/v1/oci_manifest", payload)?,
            },
            ("oci", "v1/oci_manifest_config") => Self::OciManifestAndConfig {
                image: read("oci/v1/oci_manifest_config", payload)?,
            },
            ("net", "v1/dns_lookup_host") => Self::DnsLookupHost {
                host: read("net/v1/dns_lookup_host", payload)?,
            },
            ("crypto", "v1/is_certificate_trusted") => Self::CryptoIsCertificateTrusted {
                request: read("crypto/v1/is_certificate_trusted", payload)?,
            },
            ("kubernetes", "list_resources_by_namespace") => Self::KubernetesListResourceNamespace(read(
                "kubernetes/list_resources_by_namespace",
                payload,
            )?),
            ("kubernetes", "list_resources_all") => {
                Self::KubernetesListResourceAll(read("kubernetes/list_resources_all", payload)?)
            }
            ("kubernetes", "get_resource") => {
                Self::KubernetesGetResource(read("kubernetes/get_resource", payload)?)
            }
            ("kubernetes", "can_i") => {
                let asked: CanI = read("kubernetes/can_i", payload)?;
                Self::KubernetesCanI {
                    request: asked.subject_access_review,
                    disable_cache: asked.disable_cache,
                }
            }
            ("oci" | "net" | "crypto" | "kubernetes" | "tracing", other) => {
                return Err(UnreadableCapability::Operation(other.to_owned()));
            }
            (other, _) => return Err(UnreadableCapability::Namespace(other.to_owned())),
        };
        Ok(request)
    }

    /// The namespace and the operation by which policies ask for this.
    pub fn path(&self) -> &'static str {
        match self {
            Self::OciManifestDigest { .. } => "oci/v1/manifest_digest",
            Self::OciManifest { .. } => "oci/v1/oci_manifest",
            Self::OciManifestAndConfig { .. } => "oci/v1/oci_manifest_config",
            Self::SigstorePubKeyVerify(_)
            | Self::SigstoreKeylessVerify(_)
            | Self::SigstoreKeylessPrefixVerify(_)
            | Self::SigstoreGithubActionsVerify(_)
            | Self::SigstoreCertificateVerify(_) => "oci/v2/verify",
            Self::DnsLookupHost { .. } => "net/v1/dns_lookup_host",
            Self::KubernetesListResourceNamespace(_) => "kubernetes/list_resources_by_namespace",
            Self::KubernetesListResourceAll(_) => "kubernetes/list_resources_all",
            Self::KubernetesGetResource(_) => "kubernetes/get_resource",
            Self::KubernetesGetResourcePluralName { .. } => "kubernetes/plural_name",
            Self::KubernetesCanI { .. } => "kubernetes/can_i",
            Self::CryptoIsCertificateTrusted { .. } => "crypto/v1/is_certificate_trusted",
        }
    }

    /// The kind of Kubernetes objects that this reads, if it reads any: version and kind.
    pub fn resource(&self) -> Option<(&str, &str)> {
        match self {
            Self::KubernetesListResourceNamespace(list) => Some((&list.api_version, &list.kind)),
            Self::KubernetesListResourceAll(list) => Some((&list.api_version, &list.kind)),
            Self::KubernetesGetResource(get) => Some((&get.api_version, &get.kind)),
            Self::KubernetesGetResourcePluralName { api_version, kind } => Some((api_version, kind)),
            _ => None,
        }
    }

    /// The fields that are wanted of the objects.
    pub fn field_masks(&self) -> Option<&BTreeSet<String>> {
        match self {
            Self::KubernetesListResourceNamespace(list) => list.field_masks.as_ref(),
            Self::KubernetesListResourceAll(list) => list.field_masks.as_ref(),
            Self::KubernetesGetResource(get) => get.field_masks.as_ref(),
            _ => None,
        }
    }
}

fn read<'a, T: Deserialize<'a>>(path: &'static str, payload: &'a [u8]) -> Result<T, UnreadableCapability> {
    json::decode(payload).map_err(|problem| UnreadableCapability::Payload { path, problem })
}
