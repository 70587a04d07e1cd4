//! `wharf manifest`: what is printed can be applied, and Wharf reads what it made for itself.

mod files;

use expect_test::expect;

use super::{METADATA, VALID, policy};
use crate::harness::{Folder, folder};

const MUTATING: &str = r#"{"protocolVersion":"v1","mutating":true,
  "rules":[{"apiGroups":["apps"],"apiVersions":["v1"],"resources":["deployments"],"operations":["CREATE"]}],
  "contextAwareResources":[{"apiVersion":"v1","kind":"Namespace"},{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy"}],
  "hostCapabilities":["kubernetes/*"]}"#;

const VALIDATING: &str = r#"{"protocolVersion":"v1","mutating":false,
  "rules":[{"apiGroups":[""],"apiVersions":["v1"],"resources":["pods"],"operations":["CREATE","UPDATE"]}]}"#;

fn policies() -> Folder {
    folder()
        .with("labels.wat", policy(MUTATING, VALID, "{}", "(call $say)"))
        .with("Pods_1.wat", policy(VALIDATING, VALID, "{}", "(call $say)"))
        .with("ca.pem", "CA\n")
}

#[test]
fn all_objects_of_two_policies() {
    let arguments = ["manifest", "labels.wat", "Pods_1.wat", "--ca-bundle", "ca.pem"];
    let text = policies().transcript(&arguments);
    expect![[r#"
        exit code 0
        --- stdout ---
        apiVersion: v1
        kind: Namespace
        metadata:
          name: wharf
          labels:
            app.kubernetes.io/name: wharf-admission
            pod-security.kubernetes.io/enforce: restricted
        ---
        apiVersion: v1
        kind: ServiceAccount
        metadata:
          name: wharf-admission
          namespace: wharf
          labels:
            app.kubernetes.io/name: wharf-admission
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRole
        metadata:
          name: wharf-admission
          labels:
            app.kubernetes.io/name: wharf-admission
        rules:
          - apiGroups:
              - ""
            resources:
              - namespaces
            verbs:
              - get
              - list
              - watch
          - apiGroups:
              - networking.k8s.io
            resources:
              - networkpolicies
            verbs:
              - get
              - list
              - watch
          - apiGroups:
              - authorization.k8s.io
            resources:
              - subjectaccessreviews
            verbs:
              - create
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRoleBinding
        metadata:
          name: wharf-admission
          labels:
            app.kubernetes.io/name: wharf-admission
        roleRef:
          apiGroup: rbac.authorization.k8s.io
          kind: ClusterRole
          name: wharf-admission
        subjects:
          - kind: ServiceAccount
            name: wharf-admission
            namespace: wharf
        ---
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: wharf-admission
          namespace: wharf
          labels:
            app.kubernetes.io/name: wharf-admission
        data:
          wharf.yaml: |
            version: 1
            admission:
              bind: "0.0.0.0:8443"
              tls:
                certificate: /tls/tls.crt
                key: /tls/tls.key
              policies:
                file: policies.yml
              timeout: "2s"
              queue:
                concurrent: 4
                waiting: 64
              drainTimeout: "30s"
            admin:
              bind: "0.0.0.0:9901"
            cache:
              directory: /cache/compiled
              size: "256MiB"
          policies.yml: |
            labels:
              module: "file:///policies/labels.wasm"
              allowedToMutate: true
              contextAwareResources:
                - apiVersion: networking.k8s.io/v1
                  kind: NetworkPolicy
                - apiVersion: v1
                  kind: Namespace
              hostCapabilities:
                - "kubernetes/*"
              settings: {}
            pods-1:
              module: "file:///policies/pods-1.wasm"
              settings: {}
        ---
        apiVersion: v1
        kind: Service
        metadata:
          name: wharf-admission
          namespace: wharf
          labels:
            app.kubernetes.io/name: wharf-admission
        spec:
          selector:
            app.kubernetes.io/name: wharf-admission
          ports:
            - name: https
              protocol: TCP
              port: 443
              targetPort: https
        ---
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          name: wharf-admission
          namespace: wharf
          labels:
            app.kubernetes.io/name: wharf-admission
        spec:
          replicas: 2
          selector:
            matchLabels:
              app.kubernetes.io/name: wharf-admission
          strategy:
            type: RollingUpdate
            rollingUpdate:
              maxUnavailable: 0
              maxSurge: 1
          template:
            metadata:
              labels:
                app.kubernetes.io/name: wharf-admission
            spec:
              serviceAccountName: wharf-admission
              automountServiceAccountToken: true
              enableServiceLinks: false
              terminationGracePeriodSeconds: 45
              topologySpreadConstraints:
                - maxSkew: 1
                  topologyKey: kubernetes.io/hostname
                  whenUnsatisfiable: ScheduleAnyway
                  labelSelector:
                    matchLabels:
                      app.kubernetes.io/name: wharf-admission
                - maxSkew: 1
                  topologyKey: topology.kubernetes.io/zone
                  whenUnsatisfiable: ScheduleAnyway
                  labelSelector:
                    matchLabels:
                      app.kubernetes.io/name: wharf-admission
              securityContext:
                runAsNonRoot: true
                runAsUser: 65532
                runAsGroup: 65532
                fsGroup: 65532
                seccompProfile:
                  type: RuntimeDefault
              containers:
                - name: wharf
                  image: "wharf:latest"
                  args:
                    - serve
                    - /etc/wharf/wharf.yaml
                  ports:
                    - name: https
                      protocol: TCP
                      containerPort: 8443
                    - name: admin
                      protocol: TCP
                      containerPort: 9901
                  startupProbe:
                    httpGet:
                      path: /readyz
                      port: admin
                    periodSeconds: 2
                    timeoutSeconds: 2
                    failureThreshold: 90
                  readinessProbe:
                    httpGet:
                      path: /readyz
                      port: admin
                    periodSeconds: 5
                    timeoutSeconds: 2
                    failureThreshold: 2
                  livenessProbe:
                    httpGet:
                      path: /healthz
                      port: admin
                    periodSeconds: 10
                    timeoutSeconds: 2
                    failureThreshold: 6
                  lifecycle:
                    preStop:
                      sleep:
                        seconds: 5
                  resources:
                    requests:
                      cpu: "250m"
                      memory: "256Mi"
                    limits:
                      memory: "3Gi"
                      ephemeral-storage: "1Gi"
                  securityContext:
                    allowPrivilegeEscalation: false
                    readOnlyRootFilesystem: true
                    capabilities:
                      drop:
                        - ALL
                  volumeMounts:
                    - name: config
                      mountPath: /etc/wharf
                      readOnly: true
                    - name: tls
                      mountPath: /tls
                      readOnly: true
                    - name: cache
                      mountPath: /cache
              volumes:
                - name: config
                  configMap:
                    name: wharf-admission
                - name: tls
                  secret:
                    secretName: wharf-admission-tls
                    defaultMode: 288
                - name: cache
                  emptyDir:
                    sizeLimit: "512Mi"
        ---
        apiVersion: policy/v1
        kind: PodDisruptionBudget
        metadata:
          name: wharf-admission
          namespace: wharf
          labels:
            app.kubernetes.io/name: wharf-admission
        spec:
          minAvailable: 1
          selector:
            matchLabels:
              app.kubernetes.io/name: wharf-admission
        ---
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata:
          name: wharf-admission
          namespace: wharf
          labels:
            app.kubernetes.io/name: wharf-admission
        spec:
          podSelector:
            matchLabels:
              app.kubernetes.io/name: wharf-admission
          policyTypes:
            - Ingress
          ingress:
            - ports:
                - protocol: TCP
                  port: https
            - from:
                - namespaceSelector:
                    matchLabels:
                      kubernetes.io/metadata.name: monitoring
              ports:
                - protocol: TCP
                  port: admin
        ---
        apiVersion: admissionregistration.k8s.io/v1
        kind: MutatingWebhookConfiguration
        metadata:
          name: wharf-admission
          labels:
            app.kubernetes.io/name: wharf-admission
            app.kubernetes.io/component: webhooks
        webhooks:
          - name: labels.wharf-admission.wharf.svc
            admissionReviewVersions:
              - v1
            sideEffects: None
            timeoutSeconds: 3
            failurePolicy: Fail
            matchPolicy: Equivalent
            namespaceSelector:
              matchExpressions:
                - key: kubernetes.io/metadata.name
                  operator: NotIn
                  values:
                    - wharf
                    - kube-system
            clientConfig:
              service:
                name: wharf-admission
                namespace: wharf
                path: /validate/labels
                port: 443
              caBundle: Q0EK
            rules:
              - apiGroups:
                  - apps
                apiVersions:
                  - v1
                resources:
                  - deployments
                operations:
                  - CREATE
        ---
        apiVersion: admissionregistration.k8s.io/v1
        kind: ValidatingWebhookConfiguration
        metadata:
          name: wharf-admission
          labels:
            app.kubernetes.io/name: wharf-admission
            app.kubernetes.io/component: webhooks
        webhooks:
          - name: pods-1.wharf-admission.wharf.svc
            admissionReviewVersions:
              - v1
            sideEffects: None
            timeoutSeconds: 3
            failurePolicy: Fail
            matchPolicy: Equivalent
            namespaceSelector:
              matchExpressions:
                - key: kubernetes.io/metadata.name
                  operator: NotIn
                  values:
                    - wharf
                    - kube-system
            clientConfig:
              service:
                name: wharf-admission
                namespace: wharf
                path: /validate/pods-1
                port: 443
              caBundle: Q0EK
            rules:
              - apiGroups:
                  - ""
                apiVersions:
                  - v1
                resources:
                  - pods
                operations:
                  - CREATE
                  - UPDATE
    "#]]
    .assert_eq(&text);
}

#[test]
fn names_are_given_and_nothing_is_asked_that_is_not_needed() {
    let arguments = [
        "manifest",
        "Pods_1.wat",
        "--name",
        "a",
        "--namespace",
        "b",
        "--service",
        "c",
        "--image",
        "registry/x:1",
    ];
    let output = policies().run(&arguments);
    let (text, warning) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(warning.contains("--ca-bundle"), "{warning}");
    for absent in [
        "ClusterRole",
        "Mutating",
        "caBundle",
        "hostCapabilities",
        "wharf-admission",
    ] {
        assert!(!text.contains(absent), "{absent} in\n{text}");
    }
    for there in [
        "image: \"registry/x:1\"",
        "namespace: b",
        "secretName: a-tls",
        "pods-1.c.b.svc",
    ] {
        assert!(text.contains(there), "{there} is not in\n{text}");
    }
}

#[test]
fn older_policies_may_read_the_kinds_that_they_name() {
    let metadata = MUTATING.replace(",\n  \"hostCapabilities\":[\"kubernetes/*\"]", "");
    let folder = folder().with("old.wat", policy(&metadata, VALID, "{}", "(call $say)"));
    let text = folder.transcript(&["manifest", "old.wat"]);
    for there in [
        "kubernetes/get_resource",
        "kubernetes/list_resources_all",
        "- networkpolicies",
    ] {
        assert!(text.contains(there), "{there} is not in\n{text}");
    }
    assert!(
        !text.contains("can_i") && !text.contains("subjectaccessreviews"),
        "{text}"
    );
}

#[test]
fn a_policy_without_rules_is_told_of() {
    let folder = folder().with("p.wat", policy(METADATA, VALID, "{}", "(call $say)"));
    let output = folder.run(&["manifest", "p.wat"]);
    let warnings = String::from_utf8(output.stderr).unwrap();
    assert!(warnings.contains("file:p.wat has no rules"), "{warnings}");
}

#[test]
fn wharf_reads_the_configuration_that_it_made() {
    let folder = policies();
    let text = folder.transcript(&["manifest", "labels.wat", "Pods_1.wat"]);
    let part = |key: &str| {
        let (_, rest) = text.split_once(&format!("  {key}: |\n")).unwrap();
        let lines = rest.lines().take_while(|line| line.starts_with("    "));
        lines.map(|line| format!("{}\n", &line[4..])).collect::<String>()
    };
    let path = folder.path().display().to_string();
    std::fs::rename(folder.path().join("Pods_1.wat"), folder.path().join("pods-1.wat")).unwrap();
    let policies = part("policies.yml")
        .replace(
            "file:///policies/labels.wasm",
            &format!("file://{path}/labels.wat"),
        )
        .replace(
            "file:///policies/pods-1.wasm",
            &format!("file://{path}/pods-1.wat"),
        );
    let config = part("wharf.yaml")
        .replace("certificate: /tls/tls.crt", "certificate: tls.crt")
        .replace("key: /tls/tls.key", "key: tls.key")
        .replace("0.0.0.0", "127.0.0.1")
        .replace("directory: /cache/compiled", "directory: compiled");
    let tls = "  tls:\n    certificate: tls.crt\n    key: tls.key\n";
    assert!(config.contains(tls), "{config}");
    let folder = folder
        .with("policies.yml", policies)
        .with("wharf.yaml", config.replace(tls, "  tls: none\n"));
    let output = folder.run(&["check", "wharf.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn what_is_no_policy_has_no_manifest() {
    let raw = METADATA.replace('}', r#","policyType":"raw"}"#);
    let folder = policies()
        .with("raw.wat", policy(&raw, VALID, "{}", "(call $say)"))
        .with("pods-1.wat", policy(VALIDATING, VALID, "{}", "(call $say)"));
    for (arguments, expected) in [
        (
            &["manifest", "raw.wat"][..],
            expect![[r#"
            exit code 4
            --- stderr ---
            error: file:raw.wat judges any JSON (its policyType is raw), and the API server has no webhooks for that

            hint: send raw reviews to `/validate_raw/ID` of a server that you deploy yourself
        "#]],
        ),
        (
            &["manifest", "guests/rego-gatekeeper/rego-gatekeeper.wasm"],
            expect![[r#"
                exit code 4
                --- stderr ---
                error: file:guests/rego-gatekeeper/rego-gatekeeper.wasm has no Kubewarden metadata

                hint: `kwctl annotate` adds them, with the rules of the webhook
            "#]],
        ),
        (
            &["manifest", "guests/rust-headers/rust-headers.wasm"],
            expect![[r#"
                exit code 4
                --- stderr ---
                error: file:guests/rust-headers/rust-headers.wasm is a proxy-wasm filter

                hint: `wharf inspect` says what the module is
            "#]],
        ),
        (
            &["manifest", "Pods_1.wat", "pods-1.wat"],
            expect![[r#"
            exit code 4
            --- stderr ---
            error: file:Pods_1.wat and file:pods-1.wat would both have the id `pods-1`

            hint: rename one of the files: the ids are made of their names
        "#]],
        ),
        (
            &["manifest", "none.wasm"],
            expect![[r#"
            exit code 4
            --- stderr ---
            error: there is no file none.wasm

            hint: a relative path in a configuration is relative to its file; was the plugin built?
        "#]],
        ),
        (
            &["manifest", "Pods_1.wat", "--name", "A"],
            expect![[r#"
            exit code 2
            --- stderr ---
            error: invalid value 'A' for '--name <NAME>': a name has a-z, 0-9 and `-` inside, and 63 bytes at most

            For more information, try '--help'.
        "#]],
        ),
        (
            &["manifest", "Pods_1.wat", "--ca-bundle", "none.pem"],
            expect![[r#"
                exit code 3
                --- stderr ---
                error: none.pem cannot be read: No such file or directory (os error 2)
            "#]],
        ),
    ] {
        expected.assert_eq(&folder.transcript(arguments));
    }
}
