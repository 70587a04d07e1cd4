//! Policies that ask for objects: all of a kind, those of a namespace, those that a selector selects, and single ones.

use serde_json::json;

use crate::objects::{config_map, config_maps, dry, ingress, ingresses, pod, pods};
use crate::outcome::{FAILED_CALL, Outcome, accepted, refused};
use crate::world::World;

fn taken(host: &str, name: &str, namespace: &str) -> String {
    format!("the host `{host}` belongs to the Ingress `{name}` in the namespace `{namespace}`")
}

pub(super) async fn a_host_is_unique_in_the_cluster(world: &mut World) -> Outcome {
    let namespace = world.namespace("unique", &["unique"]).await?;
    let elsewhere = world.namespace("unique-2", &["unique"]).await?;
    let (here, there) = (ingresses(&namespace), dry(&ingresses(&elsewhere)));
    let host = format!("unique.{}.example.com", world.name);
    let api = &world.cluster.api;
    let second = ingress("second", &host);
    // So that there is a watch, which has to see what comes now.
    accepted(&api.post(&there, &second).await?, &[])?;
    accepted(&api.post(&here, &ingress("first", &host)).await?, &[])?;
    let message = taken(&host, "first", &namespace);
    world
        .eventually_refused(&there, &second, "unique", 409, &message)
        .await?;
    let change = json!({ "spec": ingress("first", &format!("other.{host}"))["spec"] });
    accepted(&api.patch(&format!("{here}/first"), &change).await?, &[])?;
    world.eventually_accepted(&there, &second).await?;
    let change = json!({ "spec": ingress("first", &host)["spec"] });
    accepted(&api.patch(&format!("{here}/first"), &change).await?, &[])?;
    world
        .eventually_refused(&there, &second, "unique", 409, &message)
        .await?;
    world.remove(&format!("{here}/first")).await?;
    world.eventually_accepted(&there, &second).await
}

pub(super) async fn a_host_is_unique_in_its_namespace(world: &mut World) -> Outcome {
    let namespace = world.namespace("unique-here", &["unique-here"]).await?;
    let elsewhere = world.namespace("unique-here-2", &["unique-here"]).await?;
    let here = ingresses(&namespace);
    let host = format!("unique-here.{}.example.com", world.name);
    let api = &world.cluster.api;
    accepted(&api.post(&here, &ingress("first", &host)).await?, &[])?;
    let second = ingress("second", &host);
    let message = taken(&host, "first", &namespace);
    world
        .eventually_refused(&dry(&here), &second, "unique-here", 409, &message)
        .await?;
    accepted(&api.post(&dry(&ingresses(&elsewhere)), &second).await?, &[])?;
    world.remove(&format!("{here}/first")).await?;
    world.eventually_accepted(&dry(&here), &second).await
}

pub(super) async fn an_object_that_changes_is_seen(world: &mut World) -> Outcome {
    let maps = config_maps(&world.namespace("reserved", &[]).await?);
    let path = dry(&ingresses(&world.namespace("takes", &["reserved"]).await?));
    let host = format!("reserved.{}.example.com", world.name);
    let wanted = ingress("wanted", &host);
    let api = &world.cluster.api;
    let answer = api.post(&path, &wanted).await?;
    let absent = format!(
        "{FAILED_CALL}Cannot find v1/ConfigMap named 'reserved-hosts' inside of namespace 'Some(\"{}-reserved\")'",
        world.name
    );
    refused(&answer, "reserved", 500, &absent)?;
    let map = config_map("reserved-hosts", &json!({}));
    api.post(&maps, &map).await?.succeeded("making a ConfigMap")?;
    world.eventually_accepted(&path, &wanted).await?;
    let change = json!({ "data": { host.as_str(): "" } });
    let object = format!("{maps}/reserved-hosts");
    api.patch(&object, &change).await?.succeeded("reserving a host")?;
    let message = format!("the host `{host}` is reserved");
    world
        .eventually_refused(&path, &wanted, "reserved", 403, &message)
        .await?;
    let change = json!({ "data": { host.as_str(): null } });
    api.patch(&object, &change)
        .await?
        .succeeded("giving a host free")?;
    world.eventually_accepted(&path, &wanted).await
}

pub(super) async fn objects_are_counted_by_a_selector(world: &mut World) -> Outcome {
    let path = pods(&world.namespace("quota", &["quota"]).await?);
    let web = |name: &str| pod(name, &json!({ "app": "web" }));
    let api = &world.cluster.api;
    for name in ["web-1", "web-2"] {
        accepted(&api.post(&path, &web(name)).await?, &[])?;
    }
    let message = "there are 2 of v1/Pod, and at most 2 are allowed";
    world
        .eventually_refused(&dry(&path), &web("web-3"), "quota", 403, message)
        .await?;
    // It leaves the selection without being deleted.
    let change = json!({ "metadata": { "labels": { "app": "old" } } });
    accepted(&api.patch(&format!("{path}/web-1"), &change).await?, &[])?;
    world.eventually_accepted(&dry(&path), &web("web-3")).await?;
    accepted(&api.post(&path, &web("web-3")).await?, &[])?;
    world
        .eventually_refused(&dry(&path), &web("web-4"), "quota", 403, message)
        .await?;
    world.remove(&format!("{path}/web-2")).await?;
    world.eventually_accepted(&dry(&path), &web("web-4")).await
}

pub(super) async fn an_object_is_read_past_the_cache(world: &mut World) -> Outcome {
    let namespace = world.namespace("quota-map", &["quota-map"]).await?;
    let (path, maps) = (dry(&pods(&namespace)), config_maps(&namespace));
    let plain = pod("plain", &json!({}));
    let api = &world.cluster.api;
    let map = config_map("quota", &json!({ "max": "1" }));
    api.post(&maps, &map).await?.succeeded("making a ConfigMap")?;
    // With no wait in between: the policy asks for the object as it is now.
    for most in ["1", "0", "3", "0"] {
        let change = json!({ "data": { "max": most } });
        let answer = api.patch(&format!("{maps}/quota"), &change).await?;
        answer.succeeded("changing a ConfigMap")?;
        let answer = api.post(&path, &plain).await?;
        match most {
            "0" => {
                let message = "there are 0 of v1/Pod, and at most 0 are allowed";
                refused(&answer, "quota-map", 403, message)?;
            }
            _ => accepted(&answer, &[])?,
        }
    }
    Ok(())
}
