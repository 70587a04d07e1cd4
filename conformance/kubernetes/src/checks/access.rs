//! Rights: those of users, which a policy asks about, and those of the server itself.

use serde_json::json;

use crate::objects::{binding, dry, ingress, ingresses, pod, pods, role, role_bindings, roles};
use crate::outcome::{Failure, Outcome, accepted, eventually, refused};
use crate::world::{CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, World};

pub(super) async fn a_role_that_is_bound_flips_the_verdict(world: &mut World) -> Outcome {
    let namespace = world.namespace("override", &["override"]).await?;
    let (path, host) = (
        ingresses(&namespace),
        format!("override.{}.example.com", world.name),
    );
    let token = world.account(&namespace, "tenant").await?;
    let tenant = world.cluster.with_token(&token)?;
    let ingress_rule = |verb: &str| json!([{ "apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": [verb] }]);
    let account = (namespace.as_str(), "tenant");
    world
        .make(&roles(&namespace), role("maker", &ingress_rule("create")))
        .await?;
    let bound = binding("RoleBinding", "maker", "Role", "maker", account);
    world.make(&role_bindings(&namespace), bound).await?;
    let api = &world.cluster.api;
    api.post(&path, &ingress("first", &host))
        .await?
        .succeeded("making an Ingress")?;
    let message = format!("the host `{host}` belongs to the Ingress `first` in the namespace `{namespace}`");
    let second = ingress("second", &host);
    let ask = async || tenant.post(&dry(&path), &second).await;
    // The tenant's right to make an Ingress comes a moment later too.
    eventually(async || refused(&ask().await?, "override", 409, &message)).await?;
    world
        .make(
            &roles(&namespace),
            role("overrider", &ingress_rule("override-host")),
        )
        .await?;
    let bound = binding("RoleBinding", "overrider", "Role", "overrider", account);
    world.make(&role_bindings(&namespace), bound).await?;
    eventually(async || accepted(&ask().await?, &[&message])).await?;
    world
        .remove(&format!("{}/overrider", role_bindings(&namespace)))
        .await?;
    eventually(async || refused(&ask().await?, "override", 409, &message)).await
}

pub(super) async fn a_kind_that_may_not_be_listed_is_told_by_name(world: &mut World) -> Outcome {
    let namespace = world.namespace("secrets", &["quota-secrets"]).await?;
    let path = dry(&pods(&namespace));
    let plain = pod("plain", &json!({}));
    let answer = world.cluster.api.post(&path, &plain).await?;
    let words = [
        "cannot list v1/Secret".to_owned(),
        "403 Forbidden".to_owned(),
        format!("system:serviceaccount:{}-server:server", world.name),
        format!("cannot list resource \"secrets\" in API group \"\" in the namespace \"{namespace}\""),
    ];
    if answer.status != 500 || !words.iter().all(|word| answer.message().contains(word.as_str())) {
        return Err(Failure::new(
            format!("status 500 with the words {words:?}"),
            answer,
        ));
    }
    // The right comes without a restart.
    let name = format!("{}-secrets", world.name);
    let rules = json!([{ "apiGroups": [""], "resources": ["secrets"], "verbs": ["list", "watch"] }]);
    let mut more = role(&name, &rules);
    more["kind"] = "ClusterRole".into();
    world.make(CLUSTER_ROLES, more).await?;
    let server = format!("{}-server", world.name);
    let bound = binding(
        "ClusterRoleBinding",
        &name,
        "ClusterRole",
        &name,
        (&server, "server"),
    );
    world.make(CLUSTER_ROLE_BINDINGS, bound).await?;
    world.eventually_accepted(&path, &plain).await
}
