//! The policy that is a command, written in Go.

use serde_json::json;

use crate::objects::{deployment, deployments, dry};
use crate::outcome::{Outcome, accepted, refused, same};
use crate::world::{NAMESPACES, World};

pub(super) async fn too_many_replicas_are_refused(world: &mut World) -> Outcome {
    let path = deployments(&world.namespace("replicas", &["replicas"]).await?);
    let api = &world.cluster.api;
    let message = "5 replicas are too many: at most 3 are allowed";
    refused(
        &api.post(&path, &deployment("web", 5)).await?,
        "replicas",
        422,
        message,
    )?;
    accepted(&api.post(&path, &deployment("web", 3)).await?, &[])?;
    let more = json!({ "spec": { "replicas": 4 } });
    let message = "4 replicas are too many: at most 3 are allowed";
    let object = format!("{path}/web");
    refused(&api.patch(&object, &more).await?, "replicas", 422, message)?;
    let stored = api.get(&object).await?;
    same("the replicas", &stored.body["spec"]["replicas"], &json!(3))?;
    let fewer = json!({ "spec": { "replicas": 1 } });
    accepted(&api.patch(&object, &fewer).await?, &[])
}

pub(super) async fn an_annotation_of_the_namespace_is_seen_when_it_changes(world: &mut World) -> Outcome {
    let namespace = world.namespace("annotated", &["replicas"]).await?;
    let path = dry(&deployments(&namespace));
    let six = deployment("web", 6);
    let message = |most: u32| format!("6 replicas are too many: at most {most} are allowed");
    let answer = world.cluster.api.post(&path, &six).await?;
    refused(&answer, "replicas", 422, &message(3))?;
    let annotate = async |text: &str| {
        let change = json!({ "metadata": { "annotations": { "max-replicas": text } } });
        let answer = world
            .cluster
            .api
            .patch(&format!("{NAMESPACES}/{namespace}"), &change)
            .await?;
        answer.succeeded("annotating the namespace").map(drop)
    };
    annotate("6").await?;
    world.eventually_accepted(&path, &six).await?;
    annotate("5").await?;
    world
        .eventually_refused(&path, &six, "replicas", 422, &message(5))
        .await?;
    annotate("many").await?;
    let message =
        format!("the annotation \"max-replicas\" of the namespace \"{namespace}\" is no number: \"many\"");
    world
        .eventually_refused(&path, &six, "replicas", 500, &message)
        .await
}
