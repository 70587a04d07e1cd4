//! What policies ask about the cluster.

use std::sync::Arc;

use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::runtime::Handle;
use wharf_abi_wapc::kubewarden::capability::{
    AccessAnswer, GetResource, ListAll, ListByNamespace, SubjectAccessReview,
};
use wharf_plugin::ByteSize;
use wharf_telemetry::Metrics;

use super::answers::{Age, Answers, Bounds, Origin, Question};
use super::api::{Api, ApiError};
use super::discovery::{Discovery, Resource};
use super::error::AskError;
use super::limits::CapabilityLimits;
use super::lists::{ListQuery, Lister};
use super::names::{check_name, check_namespace, selector};
use super::objects::{Budget, Cut, Mask};
use super::watch::Means;
use super::watches::{Source, Watches};

/// The most bytes of one object. The API server takes up to 3 MiB.
const MOST_OBJECT: ByteSize = ByteSize::from_mib(8);
/// The most bytes of a question what somebody may do: more than all the groups of a user have.
const MOST_ACCESS_REVIEW: ByteSize = ByteSize::from_kib(64);
/// Where it is asked what somebody may do.
const ACCESS_REVIEWS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";

/// A cluster that policies may ask.
pub(super) struct Cluster {
    api: Arc<Api>,
    discovery: Discovery,
    objects: Answers<ObjectKey, Arc<[u8]>>,
    access: Answers<SubjectAccessReview, Arc<[u8]>>,
    lister: Arc<Lister>,
    watches: Arc<Watches>,
    limits: CapabilityLimits,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ObjectKey {
    api_version: String,
    kind: String,
    namespace: Option<String>,
    name: String,
}

impl Question for ObjectKey {
    fn bytes(&self) -> usize {
        let Self {
            api_version,
            kind,
            namespace,
            name,
        } = self;
        api_version.len() + kind.len() + namespace.as_ref().map_or(0, String::len) + name.len()
    }
}

impl Question for SubjectAccessReview {
    fn bytes(&self) -> usize {
        let attributes = &self.resource_attributes;
        let optional = [
            &attributes.group,
            &attributes.name,
            &attributes.namespace,
            &attributes.subresource,
            &attributes.version,
        ];
        let groups = self.groups.iter().flatten();
        // A group takes its place in the list too.
        groups
            .map(|group| group.len() + size_of::<String>())
            .chain(optional.into_iter().flatten().map(String::len))
            .chain([&self.user, &attributes.resource, &attributes.verb].map(String::len))
            .sum()
    }
}

/// A list that is asked for.
pub(super) struct ListAsk {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) namespace: Option<String>,
    label_selector: Option<String>,
    field_selector: Option<String>,
    mask: Mask,
}

impl ListAsk {
    pub(super) fn all(list: &ListAll) -> Result<Self, AskError> {
        Ok(Self {
            api_version: list.api_version.clone(),
            kind: list.kind.clone(),
            namespace: None,
            label_selector: selector("label", list.label_selector.as_deref())?,
            field_selector: selector("field", list.field_selector.as_deref())?,
            mask: Mask::of(list.field_masks.as_ref()),
        })
    }

    pub(super) fn in_namespace(list: &ListByNamespace) -> Result<Self, AskError> {
        check_namespace(&list.namespace)?;
        Ok(Self {
            api_version: list.api_version.clone(),
            kind: list.kind.clone(),
            namespace: Some(list.namespace.clone()),
            label_selector: selector("label", list.label_selector.as_deref())?,
            field_selector: selector("field", list.field_selector.as_deref())?,
            mask: Mask::of(list.field_masks.as_ref()),
        })
    }

    fn query(&self, resource: &Resource) -> Result<ListQuery, AskError> {
        if self.namespace.is_some() && !resource.namespaced {
            return Err(AskError::ClusterWide(resource.name.clone()));
        }
        resource.demand("list")?;
        Ok(ListQuery {
            path: resource.collection(self.namespace.as_deref()),
            label_selector: self.label_selector.clone(),
            field_selector: self.field_selector.clone(),
        })
    }
}

impl Cluster {
    pub(super) fn new(
        api: Arc<Api>,
        limits: &CapabilityLimits,
        runtime: &Handle,
        metrics: Arc<Metrics>,
    ) -> Self {
        let lister = Arc::new(Lister::new(Arc::clone(&api), limits));
        let means = Means {
            api: Arc::clone(&api),
            lister: Arc::clone(&lister),
            budget: Arc::new(Budget::new(limits.watch_bytes)),
            limits: limits.clone(),
        };
        let bounds = Bounds {
            keep: limits.answer_age,
            count: limits.answers,
            bytes: limits.answer_bytes.as_usize(),
        };
        Self {
            discovery: Discovery::new(Arc::clone(&api)),
            api,
            objects: Answers::new(bounds),
            access: Answers::new(bounds),
            lister,
            watches: Watches::new(means, runtime.clone(), Arc::clone(&metrics)),
            limits: limits.clone(),
            metrics,
        }
    }

    /// An object that is known already.
    pub(super) fn known_object(&self, ask: &GetResource) -> Option<Vec<u8>> {
        let age = self.age(ask.disable_cache)?;
        let known = self.objects.known(&ObjectKey::of(ask), age)?;
        self.count("get_resource", Origin::Kept);
        Some(known.to_vec())
    }

    pub(super) async fn object(&self, ask: GetResource) -> Result<Vec<u8>, AskError> {
        let key = ObjectKey::of(&ask);
        check_name(&key.name)?;
        let resource = self.discovery.find(&key.api_version, &key.kind).await?;
        resource.demand("get")?;
        let namespace = match &key.namespace {
            // A namespace says nothing about an object that is in none, and policies give one all the same.
            _ if !resource.namespaced => None,
            Some(namespace) => {
                check_namespace(namespace)?;
                Some(namespace.clone())
            }
            None => return Err(AskError::Namespaced(resource.name)),
        };
        let api = Arc::clone(&self.api);
        let name = key.name.clone();
        let fetch = async move { fetch_object(&api, &resource, namespace.as_deref(), &name).await };
        let age = self.age(ask.disable_cache).map_or(Age::None, Age::UpTo);
        let (object, origin) = self.objects.get(key, age, fetch).await?;
        self.count("get_resource", origin);
        Ok(object.to_vec())
    }

    /// A verdict that is known already.
    pub(super) fn known_access(&self, ask: &SubjectAccessReview, disable_cache: bool) -> Option<Vec<u8>> {
        let known = self.access.known(ask, self.age(disable_cache)?)?;
        self.count("can_i", Origin::Kept);
        Some(known.to_vec())
    }

    pub(super) async fn access(
        &self,
        ask: SubjectAccessReview,
        disable_cache: bool,
    ) -> Result<Vec<u8>, AskError> {
        if ask.bytes() > MOST_ACCESS_REVIEW.as_usize() {
            return Err(AskError::AccessReviewTooLarge(MOST_ACCESS_REVIEW));
        }
        let (api, asked) = (Arc::clone(&self.api), ask.clone());
        let fetch = async move { fetch_access(&api, &asked).await };
        let age = self.age(disable_cache).map_or(Age::None, Age::UpTo);
        let (verdict, origin) = self.access.get(ask, age, fetch).await?;
        self.count("can_i", origin);
        Ok(verdict.to_vec())
    }

    /// A list that is watched already.
    pub(super) fn known_list(&self, ask: &ListAsk) -> Option<Vec<u8>> {
        let resource = self.discovery.known(&ask.api_version, &ask.kind)?;
        let query = ask.query(&resource).ok()?;
        let snapshot = self.watches.ready(&query, &ask.mask)?;
        self.count_list("watched");
        Some(snapshot.text(&resource.name))
    }

    pub(super) async fn list(&self, ask: ListAsk) -> Result<Vec<u8>, AskError> {
        let resource = self.discovery.find(&ask.api_version, &ask.kind).await?;
        let query = ask.query(&resource)?;
        if let Source::Watch(watch) = self.source(&query, &resource, &ask.mask) {
            match watch.list().await {
                Ok(snapshot) => {
                    self.count_list("watched");
                    return Ok(snapshot.text(&resource.name));
                }
                Err(super::watch::End::Failed(error)) => {
                    return Err(AskError::api(
                        format_args!("cannot list {}", resource.name),
                        error,
                    ));
                }
                Err(_) => {}
            }
        }
        self.count_list("fetched");
        let cut = Cut::new(resource.name.clone(), &ask.mask);
        self.lister.text(&query, &cut).await
    }

    fn source(&self, query: &ListQuery, resource: &Resource, mask: &Mask) -> Source {
        if !resource.offers("watch") {
            return Source::Fetch;
        }
        self.watches.source(query, resource, mask)
    }

    /// What a kind is called in plural, as JSON.
    pub(super) async fn plural(&self, api_version: &str, kind: &str) -> Result<Vec<u8>, AskError> {
        let resource = self.discovery.find(api_version, kind).await?;
        Ok(json!(&*resource.plural).to_string().into_bytes())
    }

    /// How old an answer may be that is kept.
    fn age(&self, disable_cache: bool) -> Option<std::time::Duration> {
        (!disable_cache).then_some(self.limits.answer_age)
    }

    fn count(&self, operation: &'static str, origin: Origin) {
        let source = match origin {
            Origin::Kept => "kept",
            Origin::Joined => "joined",
            Origin::Fetched => "fetched",
        };
        self.metrics.admission().cluster_answer(operation, source);
    }

    fn count_list(&self, source: &'static str) {
        self.metrics.admission().cluster_answer("list_resources", source);
    }
}

impl ObjectKey {
    fn of(ask: &GetResource) -> Self {
        Self {
            api_version: ask.api_version.clone(),
            kind: ask.kind.clone(),
            namespace: ask.namespace.clone().filter(|namespace| !namespace.is_empty()),
            name: ask.name.clone(),
        }
    }
}

async fn fetch_object(
    api: &Api,
    resource: &Resource,
    namespace: Option<&str>,
    name: &str,
) -> Result<Arc<[u8]>, AskError> {
    let doing = || format!("cannot get {} named '{name}'", resource.name);
    let text = match api.get(&resource.object(namespace, name), MOST_OBJECT).await {
        Ok(text) => text,
        Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => {
            return Err(AskError::NotFound {
                api_version: Arc::clone(&resource.name.api_version),
                kind: Arc::clone(&resource.name.kind),
                name: name.into(),
                namespace: namespace.map(Arc::from),
            });
        }
        Err(error) => return Err(AskError::api(doing(), error)),
    };
    // As it is, but surely an object.
    let object: &RawValue =
        serde_json::from_slice(&text).map_err(|error| AskError::api(doing(), ApiError::unreadable(error)))?;
    if object.get().starts_with('{') {
        Ok(object.get().as_bytes().into())
    } else {
        Err(AskError::api(doing(), ApiError::unreadable("this is no object")))
    }
}

#[derive(Deserialize)]
struct ReviewedAccess {
    #[serde(default)]
    status: Option<AccessAnswer>,
}

async fn fetch_access(api: &Api, ask: &SubjectAccessReview) -> Result<Arc<[u8]>, AskError> {
    let attributes = &ask.resource_attributes;
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": ask.user,
            "groups": ask.groups,
            "resourceAttributes": {
                "group": attributes.group,
                "name": attributes.name,
                "namespace": attributes.namespace,
                "resource": attributes.resource,
                "subresource": attributes.subresource,
                "verb": attributes.verb,
                "version": attributes.version,
            },
        },
    });
    let failed = |error| AskError::api("cannot find out what somebody may do", error);
    let text = api
        .post(ACCESS_REVIEWS, review.to_string().into_bytes(), MOST_OBJECT)
        .await
        .map_err(failed)?;
    let reviewed: ReviewedAccess =
        serde_json::from_slice(&text).map_err(|error| failed(ApiError::unreadable(error)))?;
    let status = reviewed.status.ok_or(AskError::NoVerdict)?;
    Ok(status.encode().into())
}
