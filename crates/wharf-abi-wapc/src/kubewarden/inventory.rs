//! The cluster as Rego policies see it, made of lists of Kubernetes objects.
//!
//! OPA's policies have it below `data.kubernetes`, Gatekeeper's below `data.inventory`:
//!
//! ```text
//! kubernetes.PLURAL.NAME                  inventory.cluster.VERSION.KIND.NAME
//! kubernetes.PLURAL.NAMESPACE.NAME        inventory.namespace.NAMESPACE.VERSION.KIND.NAME
//! ```
//!
//! It is made anew for each review, and nothing of it is left afterwards: what the host keeps are the lists. The objects stay
//! the text that the host gave, so that it takes little more than that text has.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::json::{self, JsonProblem};
use super::metadata::ContextAwareResource;

/// The objects of one kind.
pub(super) struct Listed<'a> {
    pub(super) resource: &'a ContextAwareResource,
    /// What OPA calls the kind.
    pub(super) plural: String,
    /// The list as the Kubernetes API gives it.
    pub(super) list: Vec<u8>,
}

impl Listed<'_> {
    fn objects(&self) -> Result<Vec<&RawValue>, JsonProblem> {
        #[derive(Deserialize)]
        struct List<'a> {
            #[serde(borrow, default)]
            items: Option<Vec<&'a RawValue>>,
        }
        let list: List<'_> = json::decode_object(&self.list)?;
        list.items
            .ok_or_else(|| JsonProblem::at("items", "the list has no objects"))
    }
}

/// Why there is no inventory.
#[derive(Debug)]
pub(super) struct BadList {
    /// The kind whose list it is.
    pub(super) resource: String,
    pub(super) problem: JsonProblem,
}

impl Listed<'_> {
    fn bad(&self, problem: JsonProblem) -> BadList {
        BadList {
            resource: self.resource.to_string(),
            problem,
        }
    }
}

type ByName<'a> = BTreeMap<String, &'a RawValue>;

/// What stands below `data.kubernetes`: objects by the plural of their kind.
#[derive(Debug, Serialize)]
pub(super) struct OfOpa<'a>(BTreeMap<&'a str, Kind<'a>>);

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Kind<'a> {
    Cluster(ByName<'a>),
    Namespaces(BTreeMap<String, ByName<'a>>),
}

/// What stands below `data.kubernetes`. Kinds of the same plural share a place, and so all their objects must be in
/// namespaces, or none of them.
pub(super) fn of_opa<'a>(lists: &'a [Listed<'_>]) -> Result<OfOpa<'a>, BadList> {
    let mut kinds: BTreeMap<&str, Kind<'_>> = BTreeMap::new();
    for list in lists {
        let kind = kinds
            .entry(list.plural.as_str())
            .or_insert_with(|| Kind::Cluster(BTreeMap::new()));
        for object in list.objects().map_err(|problem| list.bad(problem))? {
            let place = Place::of(object).map_err(|problem| list.bad(problem))?;
            kind.put(place, object)
                .map_err(|()| list.bad(mixed(&list.plural)))?;
        }
    }
    Ok(OfOpa(kinds))
}

fn mixed(plural: &str) -> JsonProblem {
    let reason = format!("some {plural} are in a namespace and others are not");
    JsonProblem::at("items.metadata.namespace", reason)
}

impl<'a> Kind<'a> {
    /// Fails where some objects are in a namespace and others are not.
    fn put(&mut self, place: Place, object: &'a RawValue) -> Result<(), ()> {
        match (&mut *self, place.namespace) {
            (Self::Namespaces(namespaces), Some(namespace)) => {
                namespaces
                    .entry(namespace)
                    .or_default()
                    .insert(place.name, object);
            }
            (Self::Cluster(objects), None) => {
                objects.insert(place.name, object);
            }
            (Self::Cluster(objects), Some(namespace)) if objects.is_empty() => {
                let first = [(namespace, [(place.name, object)].into())];
                *self = Self::Namespaces(first.into());
            }
            _ => return Err(()),
        }
        Ok(())
    }
}

type ByKind<'a> = BTreeMap<&'a str, ByName<'a>>;
type ByVersion<'a> = BTreeMap<&'a str, ByKind<'a>>;

/// What stands below `data.inventory`.
#[derive(Debug, Default, Serialize)]
pub(super) struct OfGatekeeper<'a> {
    cluster: ByVersion<'a>,
    namespace: BTreeMap<String, ByVersion<'a>>,
}

/// What stands below `data.inventory`.
pub(super) fn of_gatekeeper<'a>(lists: &'a [Listed<'_>]) -> Result<OfGatekeeper<'a>, BadList> {
    let mut inventory = OfGatekeeper::default();
    for list in lists {
        for object in list.objects().map_err(|problem| list.bad(problem))? {
            let Place { namespace, name } = Place::of(object).map_err(|problem| list.bad(problem))?;
            let versions = match namespace {
                Some(namespace) => inventory.namespace.entry(namespace).or_default(),
                None => &mut inventory.cluster,
            };
            let kinds = versions.entry(&list.resource.api_version).or_default();
            kinds.entry(&list.resource.kind).or_default().insert(name, object);
        }
    }
    Ok(inventory)
}

/// Where an object is in the cluster.
struct Place {
    namespace: Option<String>,
    name: String,
}

impl Place {
    fn of(object: &RawValue) -> Result<Self, JsonProblem> {
        #[derive(Deserialize)]
        struct Object {
            #[serde(default)]
            metadata: Metadata,
        }
        #[derive(Default, Deserialize)]
        struct Metadata {
            #[serde(default)]
            name: Option<String>,
            #[serde(default)]
            namespace: Option<String>,
        }
        let object: Object =
            json::decode_object(object.get().as_bytes()).map_err(|problem| problem.inside("items"))?;
        let Metadata { name, namespace } = object.metadata;
        let name = name.ok_or_else(|| JsonProblem::at("items.metadata.name", "an object has no name"))?;
        Ok(Self {
            namespace: namespace.filter(|namespace| !namespace.is_empty()),
            name,
        })
    }
}

#[cfg(test)]
mod tests;
