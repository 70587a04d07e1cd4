//! Policies in Rego, for OPA and for Gatekeeper, without and with the cluster.

use serde_json::json;

use crate::objects::{dry, ingress, ingresses, pod, pods};
use crate::outcome::{Outcome, accepted, refused, same};
use crate::world::World;

pub(super) async fn a_policy_for_opa_answers_with_a_patch_or_a_refusal(world: &mut World) -> Outcome {
    let path = pods(&world.namespace("opa", &["opa"]).await?);
    let api = &world.cluster.api;
    accepted(
        &api.post(&path, &pod("plain", &json!({ "app": "web" }))).await?,
        &[],
    )?;
    let stored = api.get(&format!("{path}/plain")).await?.body;
    let labels = json!({ "app": "web", "owner": "platform" });
    same("the labels", &stored["metadata"]["labels"], &labels)?;
    let mut privileged = pod("privileged", &json!({ "owner": "a" }));
    privileged["spec"]["containers"][0]["securityContext"] = json!({ "privileged": true });
    let answer = api.post(&dry(&path), &privileged).await?;
    refused(&answer, "opa", 400, "container main is privileged")
}

pub(super) async fn a_policy_for_gatekeeper_names_its_violations(world: &mut World) -> Outcome {
    let path = dry(&pods(&world.namespace("gatekeeper", &["gatekeeper"]).await?));
    let api = &world.cluster.api;
    let answer = api.post(&path, &pod("plain", &json!({}))).await?;
    refused(&answer, "gatekeeper", 400, "you must provide labels: {\"team\"}")?;
    let answer = api.post(&path, &pod("odd", &json!({ "team": "A1" }))).await?;
    let message = "label <team: A1> does not satisfy allowed regex: ^[a-z]+$";
    refused(&answer, "gatekeeper", 400, message)?;
    accepted(
        &api.post(&path, &pod("good", &json!({ "team": "a" }))).await?,
        &[],
    )
}

pub(super) async fn a_policy_for_opa_sees_the_cluster(world: &mut World) -> Outcome {
    sees_the_cluster(world, "opa-hosts").await
}

pub(super) async fn a_policy_for_gatekeeper_sees_the_cluster(world: &mut World) -> Outcome {
    sees_the_cluster(world, "gatekeeper-hosts").await
}

async fn sees_the_cluster(world: &World, policy: &str) -> Outcome {
    let namespace = world.namespace(policy, &[policy]).await?;
    let elsewhere = world.namespace(&format!("{policy}-2"), &[policy]).await?;
    let host = format!("{policy}.{}.example.com", world.name);
    let (here, there) = (ingresses(&namespace), dry(&ingresses(&elsewhere)));
    let second = ingress("second", &host);
    accepted(&world.cluster.api.post(&there, &second).await?, &[])?;
    accepted(
        &world.cluster.api.post(&here, &ingress("first", &host)).await?,
        &[],
    )?;
    let message = format!("the host {host} belongs to the Ingress first in the namespace {namespace}");
    world
        .eventually_refused(&there, &second, policy, 400, &message)
        .await?;
    // The Ingress itself may be changed.
    let change = json!({ "metadata": { "labels": { "a": "b" } } });
    accepted(
        &world.cluster.api.patch(&format!("{here}/first"), &change).await?,
        &[],
    )?;
    world.remove(&format!("{here}/first")).await?;
    world.eventually_accepted(&there, &second).await
}
