//! Nothing is left behind: all that a run made in the cluster carries its label, and is taken away by it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::objects::{
    collection, config_maps, deployments, ingresses, pods, role_bindings, roles, service_accounts,
};
use crate::outcome::{Failure, Outcome};
use crate::world::{
    CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, CRDS, MUTATING, NAMESPACES, OWNED, VALIDATING, World,
};

/// How long the cluster may take to empty namespaces.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long webhooks that were taken away may still be asked.
const PAUSE: Duration = Duration::from_millis(500);

/// Takes everything away.
///
/// # Errors
/// What is still there.
pub(crate) async fn clean(world: &World) -> Outcome {
    // First, so that no policy keeps anything from being deleted.
    for path in [VALIDATING, MUTATING] {
        remove_all(world, path).await?;
    }
    let until = Instant::now() + PATIENCE;
    loop {
        let outcome = clean_once(world).await;
        match outcome {
            Err(failure) if Instant::now() > until => return Err(failure),
            Err(_) => tokio::time::sleep(PAUSE).await,
            Ok(()) => return Ok(()),
        }
    }
}

async fn clean_once(world: &World) -> Outcome {
    let namespaces = owned(world, NAMESPACES).await?;
    for namespace in &namespaces {
        empty(world, &name(namespace)).await?;
    }
    for path in [CRDS, CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, NAMESPACES] {
        remove_all(world, path).await?;
    }
    let left = owned(world, NAMESPACES).await?;
    for namespace in &left {
        finalize_where_nobody_does(world, namespace).await?;
    }
    for path in [
        NAMESPACES,
        CRDS,
        CLUSTER_ROLE_BINDINGS,
        CLUSTER_ROLES,
        VALIDATING,
        MUTATING,
    ] {
        let left: Vec<String> = owned(world, path).await?.iter().map(name).collect();
        if !left.is_empty() {
            return Err(Failure::new(format!("nothing left at {path}"), left.join(", ")));
        }
    }
    Ok(())
}

/// Deletes what is in a namespace. Where controllers run they would do so too.
async fn empty(world: &World, namespace: &str) -> Outcome {
    let widgets = collection(&format!("{}/v1", world.group), namespace, "widgets");
    let of_kinds = [
        pods,
        deployments,
        ingresses,
        config_maps,
        role_bindings,
        roles,
        service_accounts,
    ];
    for path in of_kinds.map(|path| path(namespace)).into_iter().chain([widgets]) {
        let answer = world.cluster.api.delete(&path).await?;
        // A kind that the cluster does not have has no objects.
        if answer.status != 404 {
            answer.succeeded(format!("deleting all at {path}"))?;
        }
    }
    Ok(())
}

/// A namespace is gone when a controller says that it is empty. An API server without controllers waits for that for ever; it
/// also has made no service account in it.
async fn finalize_where_nobody_does(world: &World, namespace: &Value) -> Outcome {
    let conditions = namespace["status"]["conditions"].as_array();
    let is_looked_after = conditions.is_some_and(|conditions| !conditions.is_empty());
    let is_deleted = namespace["metadata"]["deletionTimestamp"].is_string();
    if is_looked_after || !is_deleted || world.has_controllers {
        return Ok(());
    }
    let mut free = namespace.clone();
    free["apiVersion"] = "v1".into();
    free["kind"] = "Namespace".into();
    free["spec"]["finalizers"] = json!([]);
    let path = format!("{NAMESPACES}/{}/finalize", name(namespace));
    // Somebody may have been faster.
    world.cluster.api.put(&path, &free).await.map(drop)
}

async fn remove_all(world: &World, path: &str) -> Outcome {
    for object in owned(world, path).await? {
        if object["metadata"]["deletionTimestamp"].is_string() {
            continue;
        }
        let answer = world
            .cluster
            .api
            .delete(&format!("{path}/{}", name(&object)))
            .await?;
        if answer.status != 404 {
            answer.succeeded(format!("deleting {path}/{}", name(&object)))?;
        }
    }
    Ok(())
}

async fn owned(world: &World, path: &str) -> Outcome<Vec<Value>> {
    let path = format!(
        "{path}?labelSelector={}%3D{}",
        OWNED.replace('/', "%2F"),
        world.name
    );
    let answer = world
        .cluster
        .api
        .get(&path)
        .await?
        .succeeded("listing what the run made")?;
    Ok(answer.body["items"].as_array().cloned().unwrap_or_default())
}

fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}
