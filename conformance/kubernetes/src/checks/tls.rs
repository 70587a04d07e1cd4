//! The server's certificate, which is replaced as Kubernetes replaces what is in a mounted Secret.

use crate::checks::stream::{Stage, Stream, hold};
use crate::outcome::{Failure, Outcome, denial, eventually};
use crate::world::World;

pub(super) async fn a_certificate_is_replaced_under_reviews(world: &mut World) -> Outcome {
    let namespace = world.namespace("tls", &["steady"]).await?;
    let stream = Stream::start(&world.cluster.api, &namespace);
    stream.wait_for(20).await?;
    let (old, new) = &world.authorities;
    let trusts_new = async || {
        // A client of its own for each try, so that no connection is there from before.
        let answer = world.direct(new)?.get("/readiness").await?;
        answer
            .succeeded("a connection with trust in the new authority")
            .map(drop)
    };
    if trusts_new().await.is_ok() {
        return Err(Failure::new("the old certificate before the swap", "the new one"));
    }
    world
        .mount
        .swap(new)
        .map_err(|reason| Failure::new("a swapped certificate", reason))?;
    eventually(trusts_new).await?;
    if let Ok(answer) = world.direct(old)?.get("/readiness").await {
        return Err(Failure::new(
            "no connection with trust in the old authority alone",
            answer,
        ));
    }
    stream.wait_for(20).await?;
    // From now on the API server gets through to the new certificate only.
    world.trust(&[&new.pem]).await?;
    stream.wait_for(100).await?;
    let refusal = denial("steady", "the label `team` is missing");
    let stages = [Stage::new("the policy's refusal", move |one| one.is(&refusal))];
    for seen in stream.stop().await? {
        hold(&seen, &stages)?;
    }
    Ok(())
}
