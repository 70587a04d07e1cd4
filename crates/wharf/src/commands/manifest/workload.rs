//! What runs in the namespace: the server, its configuration and its Service. `deploy/kubernetes/base` has the same with
//! the reasons beside it, and a test compares the two.

use serde_json::{Map, Value, json};

use super::build::Manifest;
use super::deployed::DEFAULT_TIMEOUT;

/// The port of the server in its container.
const PORT: u16 = 8443;

/// The admin port, for probes and metrics.
const ADMIN_PORT: u16 = 9901;

/// The user and the group of the server.
const USER: u32 = 65532;

/// Read by the owner and the group. Some readers of YAML take `0440` for four hundred and forty.
const OWNER_AND_GROUP: u32 = 0o440;

/// How long a pod that is to end goes on serving, until every API server has heard of it.
const LAST_REQUESTS: u32 = 5;

/// What may be under way then has so long to finish.
const DRAIN: u32 = 30;

/// What the end may take: the last requests, the drain, and some seconds to end.
const GRACE: u32 = LAST_REQUESTS + DRAIN + 10;

impl Manifest<'_> {
    pub(super) fn config_map(&self) -> Value {
        let config = json!({
            "version": 1,
            "admission": {
                "bind": format!("0.0.0.0:{PORT}"),
                "tls": { "certificate": "/tls/tls.crt", "key": "/tls/tls.key" },
                "policies": { "file": "policies.yml" },
                "timeout": format!("{}s", DEFAULT_TIMEOUT.as_secs()),
                // With the limits of policies and of bodies they are what the pod's memory must hold.
                "queue": { "concurrent": 4, "waiting": 64 },
                "drainTimeout": format!("{DRAIN}s"),
            },
            "admin": { "bind": format!("0.0.0.0:{ADMIN_PORT}") },
            // A folder that Wharf makes itself: that of the volume belongs to root.
            "cache": { "directory": "/cache/compiled", "size": "256MiB" },
        });
        let mut data = Map::new();
        data.insert("wharf.yaml".to_owned(), json!(wharf_config::to_yaml(&config)));
        data.insert("policies.yml".to_owned(), json!(self.policy_file));
        self.object("v1", "ConfigMap", json!({ "data": data }))
    }

    pub(super) fn service(&self) -> Value {
        let ports = json!([{ "name": "https", "protocol": "TCP", "port": 443, "targetPort": "https" }]);
        let spec = json!({ "spec": { "selector": self.labels(), "ports": ports } });
        let mut service = self.object("v1", "Service", spec);
        service["metadata"]["name"] = json!(self.service);
        service
    }

    pub(super) fn deployment(&self) -> Value {
        let spread = |key: &str| {
            json!({
                "maxSkew": 1,
                "topologyKey": key,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": { "matchLabels": self.labels() },
            })
        };
        let pod = json!({
            "serviceAccountName": self.name,
            "automountServiceAccountToken": self.asks_cluster(),
            "enableServiceLinks": false,
            "terminationGracePeriodSeconds": GRACE,
            "topologySpreadConstraints": [
                spread("kubernetes.io/hostname"),
                spread("topology.kubernetes.io/zone"),
            ],
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": USER,
                "runAsGroup": USER,
                "fsGroup": USER,
                "seccompProfile": { "type": "RuntimeDefault" },
            },
            "containers": [self.container()],
            "volumes": [
                { "name": "config", "configMap": { "name": self.name } },
                {
                    "name": "tls",
                    "secret": { "secretName": format!("{}-tls", self.name), "defaultMode": OWNER_AND_GROUP },
                },
                { "name": "cache", "emptyDir": { "sizeLimit": "512Mi" } },
            ],
        });
        let spec = json!({
            "replicas": 2,
            "selector": { "matchLabels": self.labels() },
            "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": 0, "maxSurge": 1 } },
            "template": { "metadata": { "labels": self.labels() }, "spec": pod },
        });
        self.object("apps/v1", "Deployment", json!({ "spec": spec }))
    }

    fn container(&self) -> Value {
        let probe = |path: &str, seconds: u32, failures: u32| {
            json!({
                "httpGet": { "path": path, "port": "admin" },
                "periodSeconds": seconds,
                "timeoutSeconds": 2,
                "failureThreshold": failures,
            })
        };
        json!({
            "name": "wharf",
            "image": self.image,
            "args": ["serve", "/etc/wharf/wharf.yaml"],
            "ports": [
                { "name": "https", "protocol": "TCP", "containerPort": PORT },
                { "name": "admin", "protocol": "TCP", "containerPort": ADMIN_PORT },
            ],
            // The ports are there when the policies are compiled, which takes a while without the cache.
            "startupProbe": probe("/readyz", 2, 90),
            "readinessProbe": probe("/readyz", 5, 2),
            "livenessProbe": probe("/healthz", 10, 6),
            "lifecycle": { "preStop": { "sleep": { "seconds": LAST_REQUESTS } } },
            "resources": {
                "requests": { "cpu": "250m", "memory": "256Mi" },
                "limits": { "memory": "3Gi", "ephemeral-storage": "1Gi" },
            },
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": { "drop": ["ALL"] },
            },
            "volumeMounts": [
                { "name": "config", "mountPath": "/etc/wharf", "readOnly": true },
                { "name": "tls", "mountPath": "/tls", "readOnly": true },
                { "name": "cache", "mountPath": "/cache" },
            ],
        })
    }

    pub(super) fn disruption_budget(&self) -> Value {
        let spec = json!({ "minAvailable": 1, "selector": { "matchLabels": self.labels() } });
        self.object("policy/v1", "PodDisruptionBudget", json!({ "spec": spec }))
    }

    /// Reviews may come from anywhere, because nobody knows the addresses of API servers; metrics may be read from one
    /// namespace. Probes come from the node, which may always.
    pub(super) fn network_policy(&self) -> Value {
        let monitoring = json!({ "kubernetes.io/metadata.name": "monitoring" });
        let spec = json!({
            "podSelector": { "matchLabels": self.labels() },
            "policyTypes": ["Ingress"],
            "ingress": [
                { "ports": [{ "protocol": "TCP", "port": "https" }] },
                {
                    "from": [{ "namespaceSelector": { "matchLabels": monitoring } }],
                    "ports": [{ "protocol": "TCP", "port": "admin" }],
                },
            ],
        });
        self.object("networking.k8s.io/v1", "NetworkPolicy", json!({ "spec": spec }))
    }
}
