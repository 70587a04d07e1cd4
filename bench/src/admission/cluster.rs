//! The API server that policies ask: it has one namespace, in which nothing changes.

use std::sync::Mutex;

use wharf_testing::api_server::{Answer, ApiServer, Asked, api_server};

const NAMESPACE: &str = r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"default","resourceVersion":"1","labels":{"kubernetes.io/metadata.name":"default"}},"spec":{"finalizers":["kubernetes"]},"status":{"phase":"Active"}}"#;

/// Starts it.
pub(super) fn start() -> ApiServer {
    // Watches stay open for as long as the ends of their streams are kept.
    let watches = Mutex::new(Vec::new());
    api_server(move |asked: &Asked| match asked.path.as_str() {
        "/api/v1/namespaces" if asked.is_watch() => {
            let (sender, answer) = Answer::stream();
            watches.lock().ok()?.push(sender);
            Some(answer)
        }
        "/api/v1/namespaces" => Some(Answer::ok(format!(
            r#"{{"apiVersion":"v1","kind":"NamespaceList","metadata":{{"resourceVersion":"1"}},"items":[{NAMESPACE}]}}"#
        ))),
        "/api/v1/namespaces/default" => Some(Answer::ok(NAMESPACE)),
        _ => None,
    })
}
