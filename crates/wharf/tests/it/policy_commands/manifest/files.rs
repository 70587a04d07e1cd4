//! `wharf manifest --policies`: what a file of policies says goes into the objects.

use expect_test::expect;
use serde_json::{Value, json};

use super::policies;
use crate::deployment::objects::{check, documents};
use crate::harness::Folder;

/// Two entries and a custom resource, in the two forms that a file may have.
const FILE: &str = r#"labels:
  module: file:///policies/labels.wat
  timeout: 4500ms
  contextAwareResources: [{ apiVersion: v1, kind: Namespace }]
  hostCapabilities: [kubernetes/get_resource]
both:
  policies:
    first: { module: file:///policies/labels.wat }
    second: { module: file:///policies/Pods_1.wat }
  expression: first() && second()
  message: one of them says no
---
apiVersion: policies.kubewarden.io/v1
kind: ClusterAdmissionPolicy
metadata: { name: jobs }
spec:
  module: file:///policies/labels.wat
  mutating: true
  rules: [{ apiGroups: [batch], apiVersions: [v1], resources: [jobs], operations: [CREATE] }]
  failurePolicy: Ignore
  matchPolicy: Exact
  timeoutSeconds: 7
  namespaceSelector: { matchLabels: { team: a } }
  objectSelector: { matchExpressions: [{ key: x, operator: Exists }] }
  matchConditions: [{ name: not-x, expression: "object.metadata.name != 'x'" }]
"#;

/// The objects for a file of policies, whose modules are in the folder.
fn of_file(folder: &Folder, arguments: &[&str]) -> Vec<Value> {
    let arguments = [&["manifest", "--policies", "p.yml", "--modules", "."], arguments].concat();
    let output = folder.run(&arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let objects = documents(std::str::from_utf8(&output.stdout).unwrap());
    for object in &objects {
        check(object).unwrap();
    }
    objects
}

fn find<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    objects.iter().find(|object| object["kind"] == kind).unwrap()
}

#[test]
fn a_file_of_policies_says_what_is_made() {
    let folder = policies().with("p.yml", FILE);
    let objects = of_file(&folder, &["--ca-bundle", "ca.pem"]);
    let data = &find(&objects, "ConfigMap")["data"];
    assert_eq!(data["policies.yml"], FILE);
    // What is granted, and not all that the metadata ask for.
    let all = json!(["get", "list", "watch"]);
    assert_eq!(
        find(&objects, "ClusterRole")["rules"][0],
        json!({ "apiGroups": [""], "resources": ["namespaces"], "verbs": all })
    );
    let mutating = &find(&objects, "MutatingWebhookConfiguration")["webhooks"];
    assert_eq!(mutating.as_array().unwrap().len(), 1);
    let jobs = &mutating[0];
    let own = json!({ "key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["wharf", "kube-system"] });
    for (key, expected) in [
        ("timeoutSeconds", json!(7)),
        ("failurePolicy", json!("Ignore")),
        ("matchPolicy", json!("Exact")),
        (
            "namespaceSelector",
            json!({ "matchLabels": { "team": "a" }, "matchExpressions": [own] }),
        ),
    ] {
        assert_eq!(jobs[key], expected, "{key}");
    }
    assert_eq!(jobs["rules"][0]["resources"], json!(["jobs"]));
    assert_eq!(
        jobs["objectSelector"]["matchExpressions"][0]["operator"],
        "Exists"
    );
    assert_eq!(jobs["matchConditions"][0]["name"], "not-x");
    assert_eq!(
        jobs["clientConfig"]["service"]["path"],
        "/validate/clusterwide-jobs"
    );
    let validating = &find(&objects, "ValidatingWebhookConfiguration")["webhooks"];
    let told = validating.as_array().unwrap().iter().map(|webhook| {
        let rules = webhook["rules"].as_array().unwrap().len();
        (
            webhook["name"].as_str().unwrap(),
            webhook["timeoutSeconds"].as_u64(),
            rules,
        )
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            ("labels.wharf-admission.wharf.svc", Some(6), 1),
            // Its members are asked one after the other, each for 2 s.
            ("both.wharf-admission.wharf.svc", Some(5), 2),
        ]
    );
}

#[test]
fn who_is_exempt_and_what_happens_without_an_answer_is_said() {
    let file = "p: { module: /policies/Pods_1.wat }\n";
    let folder = policies().with("p.yml", file);
    let arguments = [
        "--cluster-wide",
        "--failure-policy",
        "ignore",
        "--exempt-namespace",
        "a",
        "--exempt-namespace",
        "b",
        "--inject-ca-from",
        "wharf/certificate",
    ];
    let objects = of_file(&folder, &arguments);
    // It asks the cluster for nothing.
    assert_eq!(objects.len(), 1);
    let webhook = &objects[0]["webhooks"][0];
    assert_eq!(webhook["failurePolicy"], "Ignore");
    let exempt = &webhook["namespaceSelector"]["matchExpressions"][0]["values"];
    assert_eq!(exempt, &json!(["wharf", "a", "b"]));
    let annotations = &objects[0]["metadata"]["annotations"];
    assert_eq!(annotations["cert-manager.io/inject-ca-from"], "wharf/certificate");
    let objects = of_file(&folder, &[]);
    let pod = &find(&objects, "Deployment")["spec"]["template"]["spec"];
    assert_eq!(pod["automountServiceAccountToken"], false);
}

#[test]
fn files_of_policies_that_cannot_be_deployed() {
    let arguments = [
        "manifest",
        "--policies",
        "p.yml",
        "--modules",
        ".",
        "--ca-bundle",
        "ca.pem",
    ];
    for (file, expected) in [
        (
            "p: { module: Pods_1.wat }\n",
            expect![[r#"
            exit code 4
            --- stderr ---
            error: p.yml:1: the policy `p` has a module whose path is relative, and in the pod nothing is there

            hint: write the path in the image, such as `file:///policies/NAME.wasm`; --modules DIR says where the modules are here

        "#]],
        ),
        (
            "p_1: { module: /policies/Pods_1.wat }\n",
            expect![[r#"
            exit code 4
            --- stderr ---
            error: p.yml:1: the API server takes no webhook for the id `p_1`

            hint: use a-z, 0-9, and `-` and `.` inside

        "#]],
        ),
        (
            "p: { module: /policies/none.wasm }\n",
            expect![[r#"
            exit code 4
            --- stderr ---
            error: there is no file ./none.wasm

            hint: a relative path in a configuration is relative to its file; was the plugin built?

        "#]],
        ),
        (
            "p: { modul: x }\n",
            expect![[r#"
            exit code 3
            --- stderr ---
            error: `p` has neither `module` nor `policies`
             --> p.yml:1:1
              |
            1 | p: { modul: x }
              | ^
              |
              = hint: a policy has a `module`, a group has `policies` and an `expression`

        "#]],
        ),
        (
            "p: { module: /policies/Pods_1.wat, timeout: 31s }\n",
            expect![[r#"
                exit code 0
                warning: the policy `p` may take longer than the 30 s that the API server waits at most
            "#]],
        ),
    ] {
        let text = policies().with("p.yml", file).transcript(&arguments);
        // What is printed for the last is known.
        let lines = text.lines().filter(|line| !line.starts_with("--- stdout"));
        let told = lines
            .take_while(|line| *line != "apiVersion: v1")
            .collect::<Vec<_>>();
        let warning = text.lines().find(|line| line.starts_with("warning"));
        expected.assert_eq(&format!("{}\n{}\n", told.join("\n"), warning.unwrap_or_default()));
    }
}
