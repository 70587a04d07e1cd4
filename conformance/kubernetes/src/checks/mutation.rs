//! Policies that change what they review.

use serde_json::json;

use crate::objects::{dry, pod, pods};
use crate::outcome::{Outcome, accepted, refused, same};
use crate::world::World;

pub(super) async fn what_a_pod_lacks_is_in_the_stored_object(world: &mut World) -> Outcome {
    let path = pods(&world.namespace("defaults", &["defaults"]).await?);
    let api = &world.cluster.api;
    accepted(
        &api.post(&path, &pod("plain", &json!({ "app": "web" }))).await?,
        &[],
    )?;
    let stored = api.get(&format!("{path}/plain")).await?.body;
    let labels = json!({ "app": "web", "team": "unknown" });
    same("the labels", &stored["metadata"]["labels"], &labels)?;
    let context = json!({ "runAsNonRoot": true });
    same(
        "the security context",
        &stored["spec"]["securityContext"],
        &context,
    )?;
    let image = &stored["spec"]["containers"][0]["image"];
    same("what was not changed", image, &json!("registry.example/none:1"))
}

pub(super) async fn what_a_pod_says_itself_stays(world: &mut World) -> Outcome {
    let path = pods(&world.namespace("own", &["defaults"]).await?);
    let api = &world.cluster.api;
    let mut own = pod("own", &json!({ "team": "a" }));
    own["spec"]["securityContext"] = json!({ "runAsNonRoot": false, "runAsUser": 7 });
    accepted(&api.post(&path, &own).await?, &[])?;
    let stored = api.get(&format!("{path}/own")).await?.body;
    same(
        "the labels",
        &stored["metadata"]["labels"],
        &json!({ "team": "a" }),
    )?;
    let context = json!({ "runAsNonRoot": false, "runAsUser": 7 });
    same(
        "the security context",
        &stored["spec"]["securityContext"],
        &context,
    )?;
    // An update is changed as well.
    let change = json!({ "metadata": { "labels": { "team": null } } });
    accepted(&api.patch(&format!("{path}/own"), &change).await?, &[])?;
    let stored = api.get(&format!("{path}/own")).await?.body;
    same(
        "the labels",
        &stored["metadata"]["labels"],
        &json!({ "team": "unknown" }),
    )
}

pub(super) async fn a_change_without_leave_is_refused(world: &mut World) -> Outcome {
    let path = dry(&pods(&world.namespace("no-leave", &["no-leave"]).await?));
    let answer = world.cluster.api.post(&path, &pod("plain", &json!({}))).await?;
    let message = "Request rejected by policy no-leave. The policy attempted to mutate the request, but it is \
                   currently configured to not allow mutations.";
    refused(&answer, "no-leave", 400, message)
}

pub(super) async fn a_policy_that_validates_sees_the_changed_object(world: &mut World) -> Outcome {
    let path = pods(&world.namespace("both", &["defaults", "labels"]).await?);
    let api = &world.cluster.api;
    accepted(&api.post(&path, &pod("plain", &json!({}))).await?, &[])?;
    let stored = api.get(&format!("{path}/plain")).await?.body;
    same(
        "the label",
        &stored["metadata"]["labels"]["team"],
        &json!("unknown"),
    )?;
    let answer = api.post(&path, &pod("old", &json!({ "legacy": "1" }))).await?;
    refused(&answer, "labels", 422, "the label `legacy` is not allowed")
}
