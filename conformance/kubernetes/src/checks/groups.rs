//! A group of policies with an expression.

use serde_json::json;

use crate::objects::{dry, pod, pods};
use crate::outcome::{Outcome, accepted, refused, same};
use crate::world::World;

const MESSAGE: &str = "the pod is neither owned and current nor public";

pub(super) async fn a_group_refuses_with_its_message_and_the_causes(world: &mut World) -> Outcome {
    let path = dry(&pods(&world.namespace("group", &["group"]).await?));
    let api = &world.cluster.api;
    let answer = api.post(&path, &pod("none", &json!({}))).await?;
    refused(&answer, "group", 400, MESSAGE)?;
    // `current` was not asked, because `owned` had settled its side of the expression.
    let causes = json!([
        { "field": "spec.policies.owned", "message": "the label `owner` is missing" },
        { "field": "spec.policies.public", "message": "the label `public` is missing" },
    ]);
    same("the causes", &answer.body["details"]["causes"], &causes)?;
    let answer = api
        .post(&path, &pod("old", &json!({ "owner": "a", "legacy": "1" })))
        .await?;
    refused(&answer, "group", 400, MESSAGE)?;
    let causes = json!([
        { "field": "spec.policies.current", "message": "the label `legacy` is not allowed" },
        { "field": "spec.policies.public", "message": "the label `public` is missing" },
    ]);
    same("the causes", &answer.body["details"]["causes"], &causes)
}

pub(super) async fn a_group_accepts_by_its_expression(world: &mut World) -> Outcome {
    let path = dry(&pods(&world.namespace("group-good", &["group"]).await?));
    for labels in [json!({ "owner": "a" }), json!({ "public": "1", "legacy": "1" })] {
        accepted(&world.cluster.api.post(&path, &pod("good", &labels)).await?, &[])?;
    }
    Ok(())
}
