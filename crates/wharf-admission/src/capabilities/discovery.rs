//! Which kinds the cluster has, and where their objects are.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use wharf_plugin::ByteSize;

use super::answers::{Age, Answers, Bounds, Question, Weighed};
use super::api::{Api, ApiError};
use super::error::{AskError, KindName};
use super::names::{ApiVersion, encode, is_plural};

/// How long it is taken for granted where a kind's objects are.
const KEEP: Duration = Duration::from_secs(600);
/// How long it is taken for granted that there is no such kind.
const KEEP_UNKNOWN: Duration = Duration::from_secs(5);
/// How many groups and versions are kept.
const MOST_VERSIONS: usize = 256;
/// The most bytes of what the API server says about one group and version.
const MOST_BYTES: ByteSize = ByteSize::from_mib(8);

/// A kind of objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) name: KindName,
    pub(super) plural: Arc<str>,
    pub(super) namespaced: bool,
    verbs: Arc<[String]>,
    /// The path of its group and version.
    root: Arc<str>,
}

impl Resource {
    /// Where all its objects are, or those of a namespace. The namespace must have been checked.
    pub(super) fn collection(&self, namespace: Option<&str>) -> String {
        match namespace {
            Some(namespace) => format!("{}/namespaces/{namespace}/{}", self.root, self.plural),
            None => format!("{}/{}", self.root, self.plural),
        }
    }

    /// Where one object is. The names must have been checked.
    pub(super) fn object(&self, namespace: Option<&str>, name: &str) -> String {
        format!("{}/{}", self.collection(namespace), encode(name))
    }

    /// Whether something can be done with its objects.
    pub(super) fn offers(&self, verb: &str) -> bool {
        self.verbs.iter().any(|offered| offered == verb)
    }

    pub(super) fn demand(&self, verb: &'static str) -> Result<(), AskError> {
        self.offers(verb).then_some(()).ok_or_else(|| AskError::NoVerb {
            kind: self.name.clone(),
            verb,
        })
    }
}

/// The kinds of the cluster, as far as they were asked for.
pub(super) struct Discovery {
    api: Arc<Api>,
    versions: Answers<ApiVersion, Arc<Kinds>>,
}

/// The kinds of one group and version, by their names.
struct Kinds {
    by_kind: HashMap<String, Resource>,
    bytes: usize,
}

impl Question for ApiVersion {
    fn bytes(&self) -> usize {
        self.as_str().len()
    }
}

impl Weighed for Arc<Kinds> {
    fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Discovery {
    pub(super) fn new(api: Arc<Api>) -> Self {
        let bounds = Bounds {
            keep: KEEP,
            count: MOST_VERSIONS,
            bytes: MOST_BYTES.as_usize(),
        };
        Self {
            api,
            versions: Answers::new(bounds),
        }
    }

    /// A kind that was looked up before.
    pub(super) fn known(&self, api_version: &str, kind: &str) -> Option<Resource> {
        let version = ApiVersion::parse(api_version).ok()?;
        self.versions.known(&version, KEEP)?.by_kind.get(kind).cloned()
    }

    /// A kind. One that is not known is looked for again, but not more often than every few seconds.
    pub(super) async fn find(&self, api_version: &str, kind: &str) -> Result<Resource, AskError> {
        let version = ApiVersion::parse(api_version)?;
        for age in [KEEP, KEEP_UNKNOWN] {
            if let Some(resource) = self.kinds(&version, age).await?.by_kind.get(kind) {
                return Ok(resource.clone());
            }
        }
        Err(AskError::UnknownKind(KindName {
            api_version: api_version.into(),
            kind: kind.into(),
        }))
    }

    async fn kinds(&self, version: &ApiVersion, age: Duration) -> Result<Arc<Kinds>, AskError> {
        let (api, asked) = (Arc::clone(&self.api), version.clone());
        let fetch = async move {
            fetch(&api, &asked).await.map_err(|error| {
                AskError::api(
                    format_args!("cannot look up the kinds of {}", asked.as_str()),
                    error,
                )
            })
        };
        let (kinds, _) = self.versions.get(version.clone(), Age::UpTo(age), fetch).await?;
        Ok(kinds)
    }
}

#[derive(Deserialize)]
struct Listed {
    resources: Vec<ListedResource>,
}

#[derive(Deserialize)]
struct ListedResource {
    name: String,
    kind: String,
    #[serde(default)]
    namespaced: bool,
    #[serde(default)]
    verbs: Vec<String>,
}

async fn fetch(api: &Api, version: &ApiVersion) -> Result<Arc<Kinds>, ApiError> {
    let path = version.path();
    let text = match api.get(&path, MOST_BYTES).await {
        Ok(text) => text,
        // No such group or version: it has no kinds.
        Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => {
            return Ok(Arc::new(Kinds {
                by_kind: HashMap::new(),
                bytes: 0,
            }));
        }
        Err(error) => return Err(error),
    };
    let listed: Listed = serde_json::from_slice(&text).map_err(ApiError::unreadable)?;
    let api_version: Arc<str> = version.as_str().into();
    let root: Arc<str> = path.into();
    let mut by_kind: HashMap<String, Resource> = HashMap::new();
    // What has a `/` is a part of another resource and may have any kind.
    for one in listed.resources.into_iter().filter(|one| is_plural(&one.name)) {
        let resource = Resource {
            name: KindName {
                api_version: Arc::clone(&api_version),
                kind: one.kind.as_str().into(),
            },
            plural: one.name.into(),
            namespaced: one.namespaced,
            verbs: one.verbs.into(),
            root: Arc::clone(&root),
        };
        by_kind.entry(one.kind).or_insert(resource);
    }
    Ok(Arc::new(Kinds {
        by_kind,
        bytes: text.len(),
    }))
}
