use serde_json::{Value, json};

use super::*;

fn resource(api_version: &str, kind: &str) -> ContextAwareResource {
    ContextAwareResource {
        api_version: api_version.into(),
        kind: kind.into(),
    }
}

fn object(namespace: Option<&str>, name: &str) -> Value {
    match namespace {
        Some(namespace) => json!({"metadata": {"namespace": namespace, "name": name}}),
        None => json!({"metadata": {"name": name}}),
    }
}

fn listed<'a>(resource: &'a ContextAwareResource, plural: &str, objects: &[Value]) -> Listed<'a> {
    given(resource, plural, &json!({ "items": objects }).to_string())
}

fn given<'a>(resource: &'a ContextAwareResource, plural: &str, list: &str) -> Listed<'a> {
    Listed {
        resource,
        plural: plural.into(),
        list: list.into(),
    }
}

#[test]
fn objects_are_where_rego_policies_look_for_them() {
    let (namespaces, deployments) = (resource("v1", "Namespace"), resource("apps/v1", "Deployment"));
    let lists = [
        listed(&namespaces, "namespaces", &[object(None, "shop")]),
        listed(
            &deployments,
            "deployments",
            &[
                object(Some("shop"), "web"),
                object(Some("shop"), "db"),
                object(Some("x"), "web"),
            ],
        ),
    ];
    let at = |namespace: &str, name: &str| object(Some(namespace), name);
    assert_eq!(
        json!(of_opa(&lists).unwrap()),
        json!({
            "namespaces": {"shop": object(None, "shop")},
            "deployments": {"shop": {"web": at("shop", "web"), "db": at("shop", "db")}, "x": {"web": at("x", "web")}}
        })
    );
    assert_eq!(
        json!(of_gatekeeper(&lists).unwrap()),
        json!({
            "cluster": {"v1": {"Namespace": {"shop": object(None, "shop")}}},
            "namespace": {
                "shop": {"apps/v1": {"Deployment": {"web": at("shop", "web"), "db": at("shop", "db")}}},
                "x": {"apps/v1": {"Deployment": {"web": at("x", "web")}}}
            }
        })
    );
}

#[test]
fn objects_keep_every_digit_and_kinds_without_objects_have_a_place() {
    let pods = resource("v1", "Pod");
    let lists = [given(
        &pods,
        "pods",
        r#"{"items":[{"metadata":{"name":"a"},"spec":1.0,"big":12345678901234567890123}]}"#,
    )];
    assert_eq!(
        serde_json::to_string(&of_opa(&lists).unwrap()).unwrap(),
        r#"{"pods":{"a":{"metadata":{"name":"a"},"spec":1.0,"big":12345678901234567890123}}}"#
    );
    let none = [listed(&pods, "pods", &[])];
    assert_eq!(json!(of_opa(&none).unwrap()), json!({"pods": {}}));
    assert_eq!(
        json!(of_gatekeeper(&none).unwrap()),
        json!({"cluster": {}, "namespace": {}})
    );
}

#[test]
fn what_has_no_place_is_an_error() {
    let pods = resource("v1", "Pod");
    let told = |objects: &[Value]| {
        let lists = [listed(&pods, "pods", objects)];
        let opa = of_opa(&lists).unwrap_err().problem.to_string();
        let gatekeeper = of_gatekeeper(&lists).unwrap_err().problem.to_string();
        assert_eq!(opa, gatekeeper);
        opa
    };
    let nameless = "at `items.metadata.name`: an object has no name";
    assert_eq!(told(&[json!({"metadata": {}})]), nameless);
    assert_eq!(told(&[json!({})]), nameless);
    assert_eq!(told(&[json!(["metadata"])]), "at `items`: this is no object");
    for wrong in [
        json!({"metadata": 7}),
        json!({"metadata": {"name": 7}}),
        json!({"metadata": {"name": "a", "namespace": []}}),
    ] {
        let told = told(&[wrong]);
        assert!(told.starts_with("at `items.metadata"), "{told}");
    }
}

#[test]
fn objects_of_one_plural_are_all_in_namespaces_or_none() {
    let pods = resource("v1", "Pod");
    for mixed in [
        [object(Some("a"), "b"), object(None, "a")],
        [object(None, "a"), object(Some("a"), "b")],
    ] {
        let lists = [listed(&pods, "pods", &mixed)];
        assert_eq!(
            of_opa(&lists).unwrap_err().problem.to_string(),
            "at `items.metadata.namespace`: some pods are in a namespace and others are not"
        );
        of_gatekeeper(&lists).unwrap();
    }
}

#[test]
fn what_is_no_list_is_an_error() {
    let pods = resource("v1", "Pod");
    for list in [
        "",
        "[]",
        "{}",
        "7",
        r#"{"items": {}}"#,
        r#"{"items": null}"#,
        r#"{"items": ["#,
        "\u{0}",
    ] {
        assert_eq!(
            of_opa(&[given(&pods, "pods", list)]).unwrap_err().resource,
            "v1/Pod"
        );
        of_gatekeeper(&[given(&pods, "pods", list)]).unwrap_err();
    }
}
