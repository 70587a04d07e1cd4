//! The manifests in `deploy/kubernetes`, and those that `wharf manifest` prints: the API has all that is in them, they agree
//! with each other, and the server does by their configuration what they expect of it.

mod kustomization;
pub(crate) mod objects;

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use expect_test::expect_file;
use serde_json::{Value, json};
use wharf_testing::{api_server, connect};

use self::objects::{check, difference, documents, text, yaml};
use crate::harness::{folder, root};
use crate::process::{Wharf, post};

fn kubernetes() -> PathBuf {
    root().join("deploy/kubernetes")
}

/// The arguments of the README, from the root of the repository: `wharf manifest` for the example.
const FOR_THE_EXAMPLE: [&str; 7] = [
    "manifest",
    "--policies",
    "deploy/kubernetes/example/policies.yml",
    "--modules",
    "modules",
    "--inject-ca-from",
    "wharf/wharf-admission",
];

/// What `wharf manifest` prints for the example, with further arguments.
fn printed(arguments: &[&str]) -> String {
    let folder = folder();
    let path = folder.path();
    let deploy = std::fs::canonicalize(root().join("deploy")).unwrap();
    std::os::unix::fs::symlink(deploy, path.join("deploy")).unwrap();
    std::fs::create_dir(path.join("modules")).unwrap();
    for policy in ["policy-defaults", "policy-unique-host"] {
        let file = format!("{policy}.wasm");
        let built = path.join("guests/policies").join(policy).join(&file);
        std::fs::copy(built, path.join("modules").join(&file)).unwrap();
    }
    let output = folder.run(&[&FOR_THE_EXAMPLE[..], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    String::from_utf8(output.stdout).unwrap()
}

fn find<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let found = objects.iter().find(|object| object["kind"] == kind);
    found.unwrap_or_else(|| panic!("there is no {kind}"))
}

#[test]
fn the_api_has_all_that_is_in_the_manifests() {
    for folder in ["base", "example"] {
        let objects = kustomization::build(&kubernetes().join(folder));
        assert!(objects.len() > 6, "{folder}");
        for object in objects {
            check(&object).unwrap_or_else(|reason| panic!("{folder}: {reason}"));
        }
    }
}

#[test]
fn what_the_api_does_not_have_is_found() {
    let objects = kustomization::build(&kubernetes().join("example"));
    let deployment = find(&objects, "Deployment");
    let container = "/spec/template/spec/containers/0";
    for (pointer, key, value, expected) in [
        (container, "readinesProbe", json!({}), "is no field"),
        ("/spec", "replicas", json!("2"), "invalid type"),
        ("/metadata", "label", json!({}), "/metadata/label is no field"),
        (
            container,
            "ports",
            json!([{ "name": "x" }]),
            "containerPort is missing",
        ),
        ("", "apiVersion", json!("apps/v2"), "apps/v1"),
        ("", "kind", json!("Deploiment"), "a kind that no test knows"),
    ] {
        let mut wrong = deployment.clone();
        wrong.pointer_mut(pointer).unwrap()[key] = value;
        let reason = check(&wrong).unwrap_err();
        assert!(reason.contains(expected), "{key}: {reason}");
    }
    let mut wrong = find(&objects, "ValidatingWebhookConfiguration").clone();
    wrong["webhooks"][0]["clientConfig"]["caBundle"] = json!("no base64!");
    check(&wrong).unwrap_err();
}

#[test]
fn what_hangs_on_the_policies_is_current() {
    let file = kubernetes().join("example/cluster-wide.yaml");
    expect_file![file].assert_eq(&printed(&["--cluster-wide"]));
}

#[test]
fn the_example_is_what_wharf_manifest_prints() {
    let by_kind = |objects: Vec<Value>| -> BTreeMap<String, Value> {
        let objects = objects.into_iter();
        objects.map(|object| (text(&object, "/kind"), object)).collect()
    };
    let image = ["--image", "registry.example.com/wharf:0.1.0"];
    let printed = documents(&printed(&image));
    for object in &printed {
        check(object).unwrap();
    }
    let mut written = by_kind(kustomization::build(&kubernetes().join("example")));
    let mut printed = by_kind(printed);
    for objects in [&mut written, &mut printed] {
        // Two ways to write the same.
        let data = &mut objects.get_mut("ConfigMap").unwrap()["data"]["wharf.yaml"];
        *data = documents(data.as_str().unwrap()).remove(0);
    }
    let kinds = |objects: &BTreeMap<String, Value>| objects.keys().cloned().collect::<Vec<_>>();
    assert_eq!(kinds(&written), kinds(&printed));
    for (kind, object) in &written {
        difference("", object, &printed[kind]).unwrap_or_else(|reason| panic!("{kind}: {reason}"));
    }
}

#[test]
fn the_certificate_is_that_of_the_service_and_of_the_volume() {
    let objects = kustomization::build(&kubernetes().join("example"));
    let certificates = kustomization::build(&kubernetes().join("cert-manager"));
    let kinds: Vec<_> = certificates.iter().map(|object| text(object, "/kind")).collect();
    assert_eq!(kinds, ["Issuer", "Certificate", "Issuer", "Certificate"]);
    let (ca, server) = (&certificates[1], &certificates[3]);
    assert_eq!(
        ca["spec"]["secretName"],
        certificates[2]["spec"]["ca"]["secretName"]
    );
    let service = find(&objects, "Service");
    let name = |object: &Value| text(object, "/metadata/name");
    let host = format!("{}.{}.svc", name(service), text(service, "/metadata/namespace"));
    assert_eq!(server["spec"]["dnsNames"], json!([host]));
    let deployment = find(&objects, "Deployment");
    let secret = deployment.pointer("/spec/template/spec/volumes/1/secret/secretName");
    assert_eq!(Some(&server["spec"]["secretName"]), secret);
    for kind in ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] {
        let annotation = &find(&objects, kind)["metadata"]["annotations"]["cert-manager.io/inject-ca-from"];
        let certificate = format!("{}/{}", text(server, "/metadata/namespace"), name(server));
        assert_eq!(annotation, &json!(certificate));
    }
}

/// The configuration of the ConfigMap in a folder, with the pod's paths and ports replaced by those that a test may have.
fn server_of_the_example(kubeconfig: &str) -> Wharf {
    let objects = kustomization::build(&kubernetes().join("example"));
    let data = &find(&objects, "ConfigMap")["data"];
    let folder = folder();
    let path = folder.path();
    let replace = |text: String, from: &str, to: &str| {
        assert!(text.contains(from), "{from} is not in\n{text}");
        text.replace(from, to)
    };
    let guests = format!("{}/guests/policies", path.display());
    let mut policies = text(data, "/policies.yml");
    for policy in ["policy-defaults", "policy-unique-host"] {
        let module = format!("{guests}/{policy}/{policy}.wasm");
        policies = replace(policies, &format!("/policies/{policy}.wasm"), &module);
    }
    let mut config = text(data, "/wharf.yaml");
    let tls = "tls: { certificate: /tls/tls.crt, key: /tls/tls.key }";
    let plain = "tls: none\n  kubernetes: { kubeconfig: kubeconfig }";
    for (from, to) in [
        ("0.0.0.0:8443", "127.0.0.1:0"),
        ("0.0.0.0:9901", "127.0.0.1:0"),
        (tls, plain),
        ("/cache/compiled", "cache/compiled"),
        // Patient enough for any machine.
        ("timeout: 2s", "timeout: 60s"),
    ] {
        config = replace(config, from, to);
    }
    // As Kubernetes makes an emptyDir for an `fsGroup`.
    let volume = path.join("cache");
    std::fs::create_dir(&volume).unwrap();
    std::fs::set_permissions(&volume, std::fs::Permissions::from_mode(0o2777)).unwrap();
    let folder = folder
        .with("wharf.yaml", config)
        .with("policies.yml", policies)
        .with("kubeconfig", kubeconfig);
    Wharf::start(folder)
}

#[test]
fn the_server_is_what_the_deployment_expects() {
    let cluster = api_server(|_| None);
    let wharf = server_of_the_example(&cluster.kubeconfig());
    let objects = kustomization::build(&kubernetes().join("example"));
    let deployment = find(&objects, "Deployment");
    let container = deployment.pointer("/spec/template/spec/containers/0").unwrap();
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let probe = &container[probe]["httpGet"];
        assert_eq!(probe["port"], "admin");
        assert_eq!(wharf.admin_get(probe["path"].as_str().unwrap()).status, 200);
    }
    // The modules were kept, in a folder that only the server can write.
    let cache = wharf.folder().path().join("cache/compiled");
    let metadata = std::fs::metadata(&cache).unwrap();
    assert_eq!(metadata.mode() & 0o777, 0o700);
    let kept = std::fs::read_dir(&cache).unwrap().flatten();
    let kept = kept.filter(|entry| entry.file_name().to_string_lossy().ends_with(".cwasm"));
    assert_eq!(kept.count(), 2);
    let states: Value = serde_json::from_slice(&wharf.admin_get("/policies").body).unwrap();
    for policy in states.as_array().unwrap() {
        assert_eq!(policy["state"], "ready", "{policy}");
    }
    // Each webhook's path is that of a policy.
    for kind in ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] {
        let path = text(find(&objects, kind), "/webhooks/0/clientConfig/service/path");
        let mut client = connect(wharf.admission());
        let review = root().join("guests/policies/reviews/pod-create.json");
        post(&mut client, &path, &std::fs::read(review).unwrap());
        assert_eq!(client.response().status, 200, "{path}");
    }
    let ended = wharf.stop();
    assert_eq!(ended.code, Some(0));
}

#[test]
fn a_pod_has_the_time_that_its_end_takes() {
    let objects = kustomization::build(&kubernetes().join("example"));
    let config = text(&find(&objects, "ConfigMap")["data"], "/wharf.yaml");
    let config = documents(&config).remove(0);
    let pod = find(&objects, "Deployment")
        .pointer("/spec/template/spec")
        .unwrap();
    let drain = text(&config, "/admission/drainTimeout");
    let drain: u64 = drain.strip_suffix('s').unwrap().parse().unwrap();
    let sleep = pod.pointer("/containers/0/lifecycle/preStop/sleep/seconds");
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(grace > sleep.unwrap().as_u64().unwrap() + drain);
}

#[test]
fn the_readme_has_the_command_of_the_example() {
    let readme = std::fs::read_to_string(kubernetes().join("README.md")).unwrap();
    let command = readme.replace("\\\n  ", "");
    let expected = format!("wharf {} --cluster-wide", FOR_THE_EXAMPLE.join(" "));
    assert!(command.contains(&expected), "{expected} is not in the README");
    // It is for the folder that the kustomization names.
    let kustomization = yaml(&kubernetes().join("example/kustomization.yaml"));
    assert_eq!(
        kustomization["resources"],
        json!(["../base", "cluster-wide.yaml"])
    );
}
