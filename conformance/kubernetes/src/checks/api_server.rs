//! The API server goes away and comes back, where the run was told how to bring that about.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::objects::{dry, ingress, ingresses};
use crate::outcome::{Failure, Outcome, accepted, eventually};
use crate::world::World;

/// For the command that restarts it.
const PATIENCE: Duration = Duration::from_secs(180);

pub(super) async fn lists_follow_an_api_server_that_came_back(world: &mut World) -> Outcome {
    let namespace = world.namespace("back", &["unique"]).await?;
    let elsewhere = world.namespace("back-2", &["unique"]).await?;
    let (here, there) = (ingresses(&namespace), dry(&ingresses(&elsewhere)));
    let host = format!("back.{}.example.com", world.name);
    let second = ingress("second", &host);
    // So that there is a watch, which breaks off.
    accepted(&world.cluster.api.post(&there, &second).await?, &[])?;
    restart(world).await?;
    eventually(async || {
        let answer = world.cluster.api.post(&here, &ingress("first", &host)).await?;
        match answer.status {
            // An answer may have been lost.
            409 => Ok(()),
            _ => accepted(&answer, &[]),
        }
    })
    .await?;
    let message = format!("the host `{host}` belongs to the Ingress `first` in the namespace `{namespace}`");
    world
        .eventually_refused(&there, &second, "unique", 409, &message)
        .await?;
    world.remove(&format!("{here}/first")).await?;
    world.eventually_accepted(&there, &second).await
}

async fn restart(world: &World) -> Outcome {
    let failed = |came: String| Failure::new("the API server to be restarted by the command", came);
    let Some(command) = &world.restart_command else {
        return Err(failed("no --restart-command was given".to_owned()));
    };
    let mut child = std::process::Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(failed(status.to_string())),
            Ok(None) => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(error) => return Err(failed(error.to_string())),
        }
    }
    drop(child.kill());
    drop(child.wait());
    Err(failed(format!("it did not end within {PATIENCE:?}")))
}
