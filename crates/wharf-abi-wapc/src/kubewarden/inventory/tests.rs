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

fn listed<'a>(resource: &'a ContextAwareResource, plural: &str, objects: Vec<Value>) -> Listed<'a> {
    Listed {
        resource,
        plural: plural.into(),
        objects,
    }
}

#[test]
fn objects_are_where_rego_policies_look_for_them() {
    let (namespaces, deployments) = (resource("v1", "Namespace"), resource("apps/v1", "Deployment"));
    let lists = || {
        vec![
            listed(&namespaces, "namespaces", vec![object(None, "shop")]),
            listed(
                &deployments,
                "deployments",
                vec![
                    object(Some("shop"), "web"),
                    object(Some("shop"), "db"),
                    object(Some("x"), "web"),
                ],
            ),
        ]
    };
    let at = |namespace: &str, name: &str| object(Some(namespace), name);
    assert_eq!(
        of_opa(lists()).unwrap(),
        json!({
            "namespaces": {"shop": object(None, "shop")},
            "deployments": {"shop": {"web": at("shop", "web"), "db": at("shop", "db")}, "x": {"web": at("x", "web")}}
        })
    );
    assert_eq!(
        of_gatekeeper(lists()).unwrap(),
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
fn what_has_no_place_is_an_error() {
    let pods = resource("v1", "Pod");
    let nameless = listed(&pods, "pods", vec![json!({"metadata": {}})]);
    assert_eq!(
        of_gatekeeper(vec![nameless]).unwrap_err().to_string(),
        "at `items.metadata.name`: an object has no name"
    );
    let mixed = listed(&pods, "pods", vec![object(Some("a"), "b"), object(None, "a")]);
    assert_eq!(
        of_opa(vec![mixed]).unwrap_err().to_string(),
        "at `items.metadata.namespace`: some pods are in a namespace and others are not"
    );
}

#[test]
fn lists_are_read() {
    assert_eq!(
        objects(br#"{"kind": "PodList", "items": [{"a": 1}]}"#).unwrap(),
        [json!({"a": 1})]
    );
    for list in ["", "[]", "{}", r#"{"items": {}}"#] {
        objects(list.as_bytes()).unwrap_err();
    }
}
