//! The server ends and starts again while it is asked, on the same port.

use std::time::Instant;

use crate::checks::stream::{Seen, Stage, Stream, hold};
use crate::outcome::{Failure, Outcome, denial, webhook};
use crate::world::World;

const MISSING: &str = "the label `team` is missing";

pub(super) async fn nothing_gets_past_a_restart_where_failures_refuse(world: &mut World) -> Outcome {
    let seen = restart(world, "restarted").await?;
    let (refusal, name) = (denial("restarted", MISSING), webhook("restarted"));
    let words = refusal.clone();
    let known = Stage::new(
        "the policy's refusal, or that of a webhook that failed",
        move |one| one.is(&words) || one.is_failure_of(&name),
    );
    seen.hold(&refusal, known)
}

pub(super) async fn only_the_gap_of_a_restart_is_open_where_failures_are_ignored(
    world: &mut World,
) -> Outcome {
    let seen = restart(world, "restarted-ignored").await?;
    let refusal = denial("restarted-ignored", MISSING);
    let words = refusal.clone();
    let known = Stage::new("the policy's refusal, or to be let through", move |one| {
        one.is(&words) || one.is_accepted()
    });
    seen.hold(&refusal, known)
}

/// A restart and the reviews around it.
struct Restart {
    told: Instant,
    ready: Instant,
    /// How many of them the server says that it answered.
    answered: usize,
    reviews: Vec<Vec<Seen>>,
}

async fn restart(world: &mut World, policy: &str) -> Outcome<Restart> {
    let namespace = world.namespace(policy, &[policy]).await?;
    let stream_api = world.cluster.api.clone();
    // What making the namespace asked is not of the stream.
    let before = world.server.reviews(policy);
    let stream = Stream::start(&stream_api, &namespace);
    stream.wait_for(40).await?;
    let told = Instant::now();
    world.server.stop().await?;
    // So that some come while there is nobody.
    stream.wait_for(20).await?;
    world.server.start().await?;
    let ready = Instant::now();
    stream.wait_for(40).await?;
    let reviews = stream.stop().await?;
    Ok(Restart {
        told,
        ready,
        answered: world.server.reviews(policy) - before,
        reviews,
    })
}

impl Restart {
    /// Nothing else comes than what is known; each review that the server answered came to the API server; and those that are
    /// not refused by the policy were asked while there was no server.
    fn hold(&self, refusal: &str, known: Stage) -> Outcome {
        let known = [known];
        for asker in &self.reviews {
            hold(asker, &known)?;
        }
        let all = || self.reviews.iter().flatten();
        let outside =
            all().find(|one| !one.is(refusal) && (one.answered < self.told || one.asked > self.ready));
        if let Some(one) = outside {
            let when = if one.asked > self.ready { "after" } else { "before" };
            let expected = format!("the policy's refusal {when} the restart");
            return Err(Failure::new(expected, one));
        }
        let refused = all().filter(|one| one.is(refusal)).count();
        if refused == self.answered {
            Ok(())
        } else {
            let expected = format!(
                "{} refusals, as many reviews as the server answered",
                self.answered
            );
            Err(Failure::new(expected, refused))
        }
    }
}
