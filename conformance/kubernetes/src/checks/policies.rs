//! Policies that change while the server works.

use serde_json::{Value, json};

use crate::checks::stream::{Stage, Stream, hold};
use crate::objects::{dry, pod, pods};
use crate::outcome::{Failure, Outcome, denial, eventually, refused, same, webhook};
use crate::policies;
use crate::world::World;

const TEAM: &str = "the label `team` is missing";
const OWNER: &str = "the label `owner` is missing";

pub(super) async fn policies_change_under_reviews(world: &mut World) -> Outcome {
    let mut streams = Vec::new();
    let mut namespaces = Vec::new();
    for policy in ["changed", "added", "removed", "steady"] {
        let namespace = world.namespace(&format!("reload-{policy}"), &[policy]).await?;
        streams.push(Stream::start(&world.cluster.api, &namespace));
        namespaces.push(namespace);
    }
    for stream in &streams {
        stream.wait_for(20).await?;
    }
    let owner = policies::labels(&world.guests, &json!({ "required": ["owner"] }));
    world.write_policies(|file| {
        file["changed"] = owner.clone();
        file["added"] = owner;
        file["removed"] = Value::Null;
    })?;
    let plain = pod("plain", &json!({}));
    let (changed, added) = (dry(&pods(&namespaces[0])), dry(&pods(&namespaces[1])));
    world
        .eventually_refused(&changed, &plain, "changed", 422, OWNER)
        .await?;
    world
        .eventually_refused(&added, &plain, "added", 422, OWNER)
        .await?;
    for stream in &streams {
        stream.wait_for(40).await?;
    }
    let mut seen = Vec::new();
    for stream in streams {
        seen.push(stream.stop().await?);
    }
    let expected = [
        vec![refusal("changed", TEAM), refusal("changed", OWNER)],
        vec![no_policy("added"), refusal("added", OWNER)],
        vec![refusal("removed", TEAM), no_policy("removed")],
        vec![refusal("steady", TEAM)],
    ];
    for (askers, expected) in seen.iter().zip(&expected) {
        for asker in askers {
            hold(asker, expected)?;
        }
    }
    // As they were, at once.
    world.write_policies(|_| ())?;
    world.server.hang_up()?;
    world
        .eventually_refused(&changed, &plain, "changed", 422, TEAM)
        .await
}

fn refusal(policy: &str, message: &str) -> Stage {
    let words = denial(policy, message);
    Stage::new("a refusal by the policy", move |one| one.is(&words))
}

/// The server has no such policy, and the webhook fails.
fn no_policy(policy: &str) -> Stage {
    let name = webhook(policy);
    Stage::new("a webhook that fails", move |one| one.is_failure_of(&name))
}

pub(super) async fn a_policy_that_became_bad_serves_its_older_form(world: &mut World) -> Outcome {
    let path = dry(&pods(&world.namespace("outdated", &["changed"]).await?));
    let plain = pod("plain", &json!({}));
    let nonsense = policies::labels(&world.guests, &json!({ "required": ["a b"] }));
    world.write_policies(|file| file["changed"] = nonsense)?;
    eventually(async || {
        let policy = world.server.policy("changed").await?;
        same("the policy's state", &policy["state"], &json!("outdated"))?;
        let reason = policy["reason"].as_str().unwrap_or_default();
        match reason.contains("`a b` cannot be a label's key") {
            true => Ok(()),
            false => Err(Failure::new("the policy's own words about its settings", reason)),
        }
    })
    .await?;
    let answer = world.cluster.api.post(&path, &plain).await?;
    refused(&answer, "changed", 422, TEAM)?;
    world.write_policies(|_| ())?;
    eventually(async || {
        let policy = world.server.policy("changed").await?;
        same("the policy's state", &policy["state"], &json!("ready"))
    })
    .await
}
