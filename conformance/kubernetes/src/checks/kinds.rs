//! Custom resources, whose kind the cluster gets while the server runs.

use serde_json::{Value, json};

use crate::objects::{collection, dry, pod, pods};
use crate::outcome::{FAILED_CALL, Outcome, accepted, eventually, refused};
use crate::world::{CRDS, World};

pub(super) async fn a_kind_that_comes_later_is_found(world: &mut World) -> Outcome {
    let namespace = world.namespace("widgets", &["quota-widgets"]).await?;
    let path = dry(&pods(&namespace));
    let plain = pod("plain", &json!({}));
    let answer = world.cluster.api.post(&path, &plain).await?;
    let unknown = format!(
        "{FAILED_CALL}Cannot find resource {}/v1/Widget: the cluster has no such kind",
        world.group
    );
    refused(&answer, "quota-widgets", 500, &unknown)?;
    world.make(CRDS, definition(&world.group)).await?;
    world.eventually_accepted(&path, &plain).await?;
    let version = format!("{}/v1", world.group);
    let widgets = collection(&version, &namespace, "widgets");
    let widget =
        |name: &str| json!({ "apiVersion": version, "kind": "Widget", "metadata": { "name": name } });
    for name in ["first", "second"] {
        // The API server begins to serve a new kind when it has got round to it.
        eventually(async || {
            let answer = world.cluster.api.post(&widgets, &widget(name)).await?;
            accepted(&answer, &[])
        })
        .await?;
    }
    let message = format!("there are 2 of {version}/Widget, and at most 2 are allowed");
    world
        .eventually_refused(&dry(&widgets), &widget("third"), "quota-widgets", 403, &message)
        .await?;
    world
        .eventually_refused(&path, &plain, "quota-widgets", 403, &message)
        .await?;
    world.remove(&format!("{widgets}/first")).await?;
    world.eventually_accepted(&dry(&widgets), &widget("third")).await
}

fn definition(group: &str) -> Value {
    let schema = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("widgets.{group}") },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": { "plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList" },
            "versions": [{ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": schema } }],
        },
    })
}
