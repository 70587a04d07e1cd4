//! The cluster as Rego policies see it, made of lists of Kubernetes objects.
//!
//! OPA's policies have it below `data.kubernetes`, Gatekeeper's below `data.inventory`:
//!
//! ```text
//! kubernetes.PLURAL.NAME                  inventory.cluster.VERSION.KIND.NAME
//! kubernetes.PLURAL.NAMESPACE.NAME        inventory.namespace.NAMESPACE.VERSION.KIND.NAME
//! ```

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::json::{self, JsonProblem};
use super::metadata::ContextAwareResource;

/// The objects of one kind.
pub(super) struct Listed<'a> {
    pub(super) resource: &'a ContextAwareResource,
    /// What OPA calls the kind.
    pub(super) plural: String,
    pub(super) objects: Vec<Value>,
}

/// The objects of a list, as the Kubernetes API gives it.
pub(super) fn objects(list: &[u8]) -> Result<Vec<Value>, JsonProblem> {
    match json::decode(list)? {
        Value::Object(mut fields) => match fields.remove("items") {
            Some(Value::Array(items)) => Ok(items),
            _ => Err(JsonProblem::at("items", "the list has no objects")),
        },
        _ => Err(JsonProblem::at("", "this is no list of objects")),
    }
}

/// What stands below `data.kubernetes`. Kinds of the same plural share a place, and so all their objects must be in
/// namespaces, or none of them.
pub(super) fn of_opa(lists: Vec<Listed<'_>>) -> Result<Value, JsonProblem> {
    let mut kinds = Map::new();
    let mut in_namespaces: BTreeMap<String, bool> = BTreeMap::new();
    for list in lists {
        let below = child(&mut kinds, &list.plural);
        for object in list.objects {
            let place = Place::of(&object)?;
            let namespaced = place.namespace.is_some();
            if *in_namespaces.entry(list.plural.clone()).or_insert(namespaced) != namespaced {
                let reason = format!("some {} are in a namespace and others are not", list.plural);
                return Err(JsonProblem::at("items.metadata.namespace", reason));
            }
            match place.namespace {
                Some(namespace) => child(below, &namespace).insert(place.name, object),
                None => below.insert(place.name, object),
            };
        }
    }
    Ok(Value::Object(kinds))
}

/// What stands below `data.inventory`.
pub(super) fn of_gatekeeper(lists: Vec<Listed<'_>>) -> Result<Value, JsonProblem> {
    let mut cluster = Map::new();
    let mut namespaces = Map::new();
    for list in lists {
        for object in list.objects {
            let place = Place::of(&object)?;
            let versions = match &place.namespace {
                Some(namespace) => child(&mut namespaces, namespace),
                None => &mut cluster,
            };
            let kinds = child(versions, &list.resource.api_version);
            child(kinds, &list.resource.kind).insert(place.name, object);
        }
    }
    Ok(json!({ "cluster": cluster, "namespace": namespaces }))
}

/// Where an object is in the cluster.
struct Place {
    namespace: Option<String>,
    name: String,
}

impl Place {
    fn of(object: &Value) -> Result<Self, JsonProblem> {
        let text = |field: &str| object["metadata"][field].as_str().map(str::to_owned);
        let name =
            text("name").ok_or_else(|| JsonProblem::at("items.metadata.name", "an object has no name"))?;
        Ok(Self {
            namespace: text("namespace").filter(|namespace| !namespace.is_empty()),
            name,
        })
    }
}

/// The object at a key; one that was something else is replaced.
fn child<'a>(map: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    let value = map.entry(key).or_insert_with(|| Value::Object(Map::new()));
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("it was made one")
}

#[cfg(test)]
mod tests;
