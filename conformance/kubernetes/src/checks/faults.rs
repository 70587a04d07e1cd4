//! Policies that give no verdict.

use serde_json::json;

use crate::objects::{dry, pod, pods};
use crate::outcome::{Failure, Outcome, accepted, refused, webhook};
use crate::world::World;

pub(super) async fn a_policy_that_never_ends_is_ended(world: &mut World) -> Outcome {
    let path = dry(&pods(&world.namespace("endless", &["endless"]).await?));
    let answer = world.cluster.api.post(&path, &pod("plain", &json!({}))).await?;
    let message = "Policy execution interrupted because it exceeded the allowed execution time";
    refused(&answer, "endless", 500, message)
}

pub(super) async fn a_policy_that_traps_refuses(world: &mut World) -> Outcome {
    let path = dry(&pods(&world.namespace("trapping", &["trapping"]).await?));
    let answer = world.cluster.api.post(&path, &pod("plain", &json!({}))).await?;
    if answer.status == 500 && answer.message().contains("internal server error: ") {
        Ok(())
    } else {
        Err(Failure::new("status 500 with an internal server error", answer))
    }
}

pub(super) async fn a_policy_that_is_missing_fails_as_the_webhook_says(world: &mut World) -> Outcome {
    let path = dry(&pods(&world.namespace("missing", &["missing"]).await?));
    let ignored = dry(&pods(&world.namespace("ignored", &["missing-ignored"]).await?));
    let plain = pod("plain", &json!({}));
    let answer = world.cluster.api.post(&path, &plain).await?;
    let words = format!("failed calling webhook \"{}\"", webhook("missing"));
    if answer.status != 500 || !answer.message().contains(&words) {
        return Err(Failure::new(format!("status 500 with `{words}`"), answer));
    }
    accepted(&world.cluster.api.post(&ignored, &plain).await?, &[])
}
