//! The policy about labels: refusals, warnings, and what the deployer makes of a verdict.

use serde_json::json;

use crate::objects::{config_map, config_maps, dry, pod, pods};
use crate::outcome::{Failure, Outcome, accepted, eventually, refused, same};
use crate::world::World;

const MISSING: &str = "the label `team` is missing";

pub(super) async fn a_pod_without_the_label_is_refused_with_the_policys_words(world: &mut World) -> Outcome {
    let path = pods(&world.namespace("refused", &["labels"]).await?);
    let api = &world.cluster.api;
    let answer = api.post(&path, &pod("plain", &json!({ "legacy": "1" }))).await?;
    refused(
        &answer,
        "labels",
        422,
        "the label `team` is missing; the label `legacy` is not allowed",
    )?;
    let stored = api.get(&format!("{path}/plain")).await?;
    match stored.status {
        404 => Ok(()),
        _ => Err(Failure::new("no such pod", stored)),
    }
}

pub(super) async fn a_pod_with_the_label_is_accepted_with_a_warning(world: &mut World) -> Outcome {
    let path = pods(&world.namespace("warned", &["labels"]).await?);
    let api = &world.cluster.api;
    let labels = json!({ "team": "a", "tier": "b" });
    let answer = api.post(&path, &pod("good", &labels)).await?;
    accepted(&answer, &["the label `tier` will not be allowed for much longer"])?;
    let stored = api.get(&format!("{path}/good")).await?;
    same("the labels", &stored.body["metadata"]["labels"], &labels)
}

pub(super) async fn an_update_that_takes_the_label_away_is_refused(world: &mut World) -> Outcome {
    let path = config_maps(&world.namespace("update", &["labels"]).await?);
    let api = &world.cluster.api;
    let mut map = config_map("map", &json!({ "a": "1" }));
    map["metadata"]["labels"] = json!({ "team": "a" });
    let stored = api.post(&path, &map).await?.succeeded("making a ConfigMap")?;
    let object = format!("{path}/map");
    let removal = json!({ "metadata": { "labels": { "team": null } }, "data": { "a": "2" } });
    refused(&api.patch(&object, &removal).await?, "labels", 422, MISSING)?;
    let mut replacement = stored.body;
    replacement["metadata"]["labels"] = json!({ "legacy": "1" });
    let message = "the label `team` is missing; the label `legacy` is not allowed";
    refused(&api.put(&object, &replacement).await?, "labels", 422, message)?;
    let unchanged = api.get(&object).await?;
    same("the data", &unchanged.body["data"], &json!({ "a": "1" }))?;
    let change = json!({ "data": { "a": "2" } });
    accepted(&api.patch(&object, &change).await?, &[])
}

pub(super) async fn a_protected_object_cannot_be_deleted(world: &mut World) -> Outcome {
    let path = config_maps(&world.namespace("delete", &["labels"]).await?);
    let api = &world.cluster.api;
    let mut map = config_map("map", &json!({}));
    map["metadata"]["labels"] = json!({ "team": "a", "keep": "1" });
    api.post(&path, &map).await?.succeeded("making a ConfigMap")?;
    let object = format!("{path}/map");
    let message = "an object with the label `keep` cannot be deleted";
    refused(&api.delete(&object).await?, "labels", 403, message)?;
    api.get(&object)
        .await?
        .succeeded("reading the ConfigMap that was kept")?;
    let release = json!({ "metadata": { "labels": { "keep": null } } });
    accepted(&api.patch(&object, &release).await?, &[])?;
    accepted(&api.delete(&object).await?, &[])
}

pub(super) async fn the_deployers_message_takes_the_place_of_the_policys(world: &mut World) -> Outcome {
    let path = dry(&pods(&world.namespace("message", &["message"]).await?));
    let answer = world.cluster.api.post(&path, &pod("plain", &json!({}))).await?;
    refused(&answer, "message", 422, "ask the platform team")?;
    same(
        "the causes",
        &answer.body["details"]["causes"],
        &json!([{ "message": MISSING }]),
    )
}

pub(super) async fn monitor_mode_lets_everything_through_and_counts_the_verdict(
    world: &mut World,
) -> Outcome {
    let namespace = world.namespace("monitor", &["monitored"]).await?;
    let of_this = format!("resource_namespace=\"{namespace}\"");
    let labels = [
        "policy_name=\"monitored\"",
        "policy_mode=\"monitor\"",
        "accepted=\"false\"",
        &of_this,
    ];
    let before = world
        .server
        .metric("kubewarden_policy_evaluations_total", &labels)
        .await?;
    let answer = world
        .cluster
        .api
        .post(&pods(&namespace), &pod("plain", &json!({})))
        .await?;
    accepted(&answer, &[])?;
    eventually(async || {
        let after = world
            .server
            .metric("kubewarden_policy_evaluations_total", &labels)
            .await?;
        same(
            "one more verdict that refuses",
            &json!(after),
            &json!(before + 1.0),
        )
    })
    .await
}

pub(super) async fn an_audit_gives_the_policys_own_verdict(world: &mut World) -> Outcome {
    let namespace = world.namespace("audit", &["monitored"]).await?;
    let stored = world
        .cluster
        .api
        .post(&pods(&namespace), &pod("plain", &json!({})))
        .await?;
    let stored = stored.succeeded("making a pod that only is watched")?.body;
    let review = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": stored["metadata"]["uid"],
            "kind": { "group": "", "version": "v1", "kind": "Pod" },
            "resource": { "group": "", "version": "v1", "resource": "pods" },
            "name": "plain",
            "namespace": namespace,
            "operation": "CREATE",
            "userInfo": { "username": "auditor" },
            "object": stored,
        },
    });
    let server = world.direct(&world.authorities.0)?;
    let answer = server.post("/audit/monitored", &review).await?;
    same("the verdict", &answer.body["response"]["allowed"], &json!(false))?;
    same(
        "the code",
        &answer.body["response"]["status"]["code"],
        &json!(422),
    )?;
    same(
        "the message",
        &answer.body["response"]["status"]["message"],
        &json!(MISSING),
    )?;
    same(
        "the uid",
        &answer.body["response"]["uid"],
        &stored["metadata"]["uid"],
    )?;
    let answer = server.post("/validate/monitored", &review).await?;
    same(
        "what is answered to a webhook",
        &answer.body["response"]["allowed"],
        &json!(true),
    )
}
