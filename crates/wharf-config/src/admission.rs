//! `admission`: the server that answers the API server's reviews.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use wharf_plugin::{ByteSize, Limits};

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::{Complaint, shortened};
use crate::kubewarden::{
    Collection, DEFAULT_LIMITS, ENTRIES, HOST_CAPABILITY, PolicyModule, PolicySet, decode_default_limits,
    decode_entries, decode_host_capabilities, read_policies,
};
use crate::listeners::{Bound, decode_bind};
use crate::table::{ADDRESS, Field, Kind, PATH, Presence, Section, TextRule, milliseconds, seconds};

/// The server that answers the API server's reviews.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmissionConfig {
    /// Where it listens.
    pub bind: SocketAddr,
    /// How connections are protected.
    pub tls: AdmissionTls,
    /// The policies, good and bad. Empty where only a text was parsed and the policies are in other files.
    pub policies: PolicySet,
    /// The files that the policies are from; none where they are written in the configuration itself.
    pub policy_files: Vec<PathBuf>,
    /// What happens when some policies are bad. Default: the others are served.
    pub on_bad_policy: OnBadPolicy,
    /// How many reviews there may be at the same time.
    pub queue: QueueConfig,
    /// The largest body of a review. Default: 8MiB.
    pub body_limit: ByteSize,
    /// How long a review may take by policies that do not say otherwise, from its arrival. Default: 2s.
    pub timeout: Duration,
    /// What policies may cost that do not say otherwise. The deadline among them is `timeout`.
    pub limits: Limits,
    /// The namespace whose reviews are accepted without asking any policy. Default: none.
    pub always_accept_namespace: Option<String>,
    /// The cluster that policies may ask for objects.
    pub kubernetes: KubernetesConfig,
    /// How long reviews that are under way may take to finish after SIGTERM. Default: 30s.
    pub drain_timeout: Duration,
}

/// How connections are protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdmissionTls {
    /// Not at all.
    None,
    /// By TLS.
    Files(TlsFiles),
}

/// What is needed for TLS, as PEM files. They were not looked at yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate with those between it and the authority.
    pub certificate: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
    /// The authorities whose clients may connect. Everybody may where there are none.
    pub client_ca: Vec<PathBuf>,
}

/// What happens when some policies are bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnBadPolicy {
    /// The server does not start, and a running one keeps the policies that it has.
    RefuseStart,
    /// The others are served, and reviews for the bad ones are answered with code 500 and the reason. The default.
    #[default]
    ServeOthers,
}

/// How many reviews there may be at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueConfig {
    /// Those that are evaluated; one policy has at most four fifths of them. Default: the number of cores and a quarter of it
    /// more, rounded up.
    pub concurrent: NonZeroUsize,
    /// Those that wait; further ones are turned away at once. Default: 256.
    pub waiting: usize,
}

/// The cluster that policies may ask for objects.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KubernetesConfig {
    /// How to reach it. None for the service account of the pod, or for the user's own file outside of a pod.
    pub kubeconfig: Option<PathBuf>,
    /// Whether to start without a cluster that answers. Default: no.
    pub ignore_connection_failure: bool,
}

/// How many reviews wait at most.
const WAITING: usize = 256;

/// The admission server.
pub(crate) static ADMISSION: Section = Section {
    id: "admission",
    doc: "The server that answers the reviews of Kubernetes' API server with the verdicts of Kubewarden's policies.",
    fields: &[
        Field {
            key: "bind",
            kind: ADDRESS,
            presence: Presence::Required,
            doc: "The address and port to listen on.",
        },
        Field {
            key: "tls",
            kind: Kind::Either(&[Kind::Choice(&["none"]), Kind::Section(&TLS)]),
            presence: Presence::Required,
            doc: "Write `tls: { certificate: tls.crt, key: tls.key }`, or `tls: none` for plain HTTP on an address that \
                  only this machine reaches.",
        },
        Field {
            key: "policies",
            kind: Kind::Either(&[Kind::Section(&FILES), ENTRIES]),
            presence: Presence::Required,
            doc: "The policies: files of them, or the entries themselves by their ids. Reviews for a policy are sent to \
                  `/validate/` and its id, which is not empty and has no `/`.",
        },
        Field {
            key: "onBadPolicy",
            kind: Kind::Choice(&["serveOthers", "refuseStart"]),
            presence: Presence::Default("serveOthers"),
            doc: "What happens when nothing can be made of a policy: `serveOthers` answers its reviews with code 500 and \
                  the reason, `refuseStart` does not start, and a running server keeps the policies that it has.",
        },
        Field {
            key: "queue",
            kind: Kind::Section(&QUEUE),
            presence: Presence::Absent("the defaults"),
            doc: "How many reviews there may be at the same time.",
        },
        Field {
            key: "bodyLimit",
            kind: Kind::Size {
                min: ByteSize::from_kib(1),
                max: ByteSize::from_gib(1),
            },
            presence: Presence::Default("8MiB"),
            doc: "The largest body of a review. The API server takes objects of up to 3 MiB, and a review has two of them.",
        },
        Field {
            key: "timeout",
            kind: Kind::Duration {
                min: milliseconds(1),
                max: seconds(3600),
            },
            presence: Presence::Default("2s"),
            doc: "How long a review may take, from its arrival to its answer, waiting and calls to the host included; \
                  for policies without a timeout of their own. The API server waits at most 30s.",
        },
        Field {
            key: "limits",
            kind: Kind::Section(&DEFAULT_LIMITS),
            presence: Presence::Absent("the defaults of each limit"),
            doc: "What a policy may cost, as far as it has no limits of its own.",
        },
        Field {
            key: "alwaysAcceptNamespace",
            kind: NAMESPACE,
            presence: Presence::Absent("none"),
            doc: "The namespace whose reviews are accepted without asking any policy, so that a policy cannot keep what \
                  runs there from starting.",
        },
        Field {
            key: "namespacedPoliciesCapabilities",
            kind: Kind::List {
                item: &HOST_CAPABILITY,
                min: 0,
            },
            presence: Presence::Absent("`*`"),
            doc: "What custom resources of a namespace may ask of the host; the PolicyServer resource has the same key. \
                  Entries of `policies.yml` have `hostCapabilities` of their own.",
        },
        Field {
            key: "kubernetes",
            kind: Kind::Section(&KUBERNETES),
            presence: Presence::Absent("the defaults"),
            doc: "The cluster that policies may ask for objects.",
        },
        Field {
            key: "drainTimeout",
            kind: Kind::Duration {
                min: Duration::ZERO,
                max: seconds(86_400),
            },
            presence: Presence::Default("30s"),
            doc: "How long reviews that are under way may take to finish after SIGTERM.",
        },
    ],
};

static TLS: Section = Section {
    id: "admissionTls",
    doc: "PEM files. They are read again when they change.",
    fields: &[
        Field {
            key: "certificate",
            kind: CERTIFICATE,
            presence: Presence::Required,
            doc: "The server's certificate with those between it and the authority.",
        },
        Field {
            key: "key",
            kind: KEY,
            presence: Presence::Required,
            doc: "The certificate's private key.",
        },
        Field {
            key: "clientCa",
            kind: PATHS,
            presence: Presence::Absent("everybody may connect"),
            doc: "The authorities whose clients may connect.",
        },
    ],
};

const CERTIFICATE: Kind = Kind::Text(TextRule {
    what: "a path",
    pattern: "^.+$",
    example: "tls/server.crt",
});

const KEY: Kind = Kind::Text(TextRule {
    what: "a path",
    pattern: "^.+$",
    example: "tls/server.key",
});

static FILES: Section = Section {
    id: "policyFiles",
    doc: "Files of policies. Each has entries by their ids, as they may stand here too, or Kubewarden's custom resources \
          (`ClusterAdmissionPolicy`, `AdmissionPolicy` and the groups of both), one or several documents, or a list as \
          `kubectl get --output yaml` prints it. The id of a resource is that of the Kubewarden controller: \
          `clusterwide-NAME`, `namespaced-NAMESPACE-NAME`, `clusterwide-group-NAME`, `namespaced-group-NAMESPACE-NAME`. \
          What the API server does by itself, such as selecting objects, is not done again.",
    fields: &[Field {
        key: "file",
        kind: PATHS,
        presence: Presence::Required,
        doc: "The files, relative to the directory of the configuration file.",
    }],
};

/// One path or several.
const PATHS: Kind = Kind::Either(&[PATH, PATH_LIST]);
const PATH_LIST: Kind = Kind::List { item: &PATH, min: 1 };

static QUEUE: Section = Section {
    id: "queue",
    doc: "How many reviews there may be at the same time. Those beyond it are turned away at once, because the API server \
          gains nothing from a late answer.",
    fields: &[
        Field {
            key: "concurrent",
            kind: Kind::Integer { min: 1, max: 1024 },
            presence: Presence::Absent("the cores and a quarter more"),
            doc: "The reviews that are evaluated. One policy has at most four fifths of them, and of those that wait, so that one that \
                  is slow leaves room for the others. With 1 there is no room to leave. By default one policy can use every core.",
        },
        Field {
            key: "waiting",
            kind: Kind::Integer { min: 0, max: 100_000 },
            presence: Presence::Default("256"),
            doc: "The reviews that wait. Their bodies are in memory.",
        },
    ],
};

static KUBERNETES: Section = Section {
    id: "kubernetes",
    doc: "The cluster that policies may ask for objects.",
    fields: &[
        Field {
            key: "kubeconfig",
            kind: PATH,
            presence: Presence::Absent("the service account of the pod, or the user's own file"),
            doc: "The file that says how to reach the cluster.",
        },
        Field {
            key: "ignoreConnectionFailure",
            kind: Kind::Bool,
            presence: Presence::Default("false"),
            doc: "Whether to start although the cluster cannot be reached. Policies that ask for objects fail until it \
                  can be.",
        },
    ],
};

const NAMESPACE: Kind = Kind::Text(TextRule {
    what: "the name of a namespace",
    pattern: "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
    example: "kubewarden",
});

impl AdmissionConfig {
    /// A server with no policies and the defaults for everything else.
    pub fn new(bind: SocketAddr, tls: AdmissionTls) -> Self {
        let timeout = Duration::from_secs(2);
        Self {
            bind,
            tls,
            policies: PolicySet::default(),
            policy_files: Vec::new(),
            on_bad_policy: OnBadPolicy::default(),
            queue: QueueConfig::default(),
            body_limit: ByteSize::from_mib(8),
            timeout,
            limits: Limits {
                memory: ByteSize::from_mib(256),
                deadline: timeout,
                ..Limits::default()
            },
            always_accept_namespace: None,
            kubernetes: KubernetesConfig::default(),
            drain_timeout: Duration::from_secs(30),
        }
    }

    /// What a policy of this server may cost. The deadline is the time that one review may take.
    pub fn limits_of(&self, policy: &PolicyModule) -> Limits {
        let mut limits = policy.limits.or(&self.limits);
        limits.deadline = policy.timeout.unwrap_or(self.timeout);
        limits
    }
}

impl AdmissionTls {
    /// Whether a server may listen there: without TLS only where nobody else hears what is said, because reviews
    /// contain whole objects, Secrets too.
    pub fn allows(&self, address: SocketAddr) -> bool {
        matches!(self, Self::Files(_)) || address.ip().to_canonical().is_loopback()
    }
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            concurrent: concurrent(),
            waiting: WAITING,
        }
    }
}

/// As many as make every core work for one policy, and those that one policy does not get.
fn concurrent() -> NonZeroUsize {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    cores.saturating_add(cores.get().div_ceil(4))
}

/// The admission server, if there is one and nothing is wrong with it.
pub(crate) fn decode_admission(
    cx: &mut Context<'_>,
    root: &Fields<'_>,
    bound: &mut Bound,
) -> Option<AdmissionConfig> {
    let fields = Fields::open(cx, root.item("admission")?, &ADMISSION)?;
    let bind = decode_bind(cx, &fields, "the admission server", bound);
    let tls = decode_tls(cx, &fields, bind);
    let on_bad_policy = fields.choice(cx, "onBadPolicy").map(|word| match word {
        "refuseStart" => OnBadPolicy::RefuseStart,
        _ => OnBadPolicy::ServeOthers,
    });
    let queue = decode_queue(cx, &fields);
    let body_limit = fields.size(cx, "bodyLimit");
    let timeout = fields.duration(cx, "timeout");
    let limits = decode_default_limits(cx, &fields, timeout);
    let always_accept_namespace = decode_namespace(cx, &fields);
    let kubernetes = decode_kubernetes(cx, &fields);
    let drain_timeout = fields.duration(cx, "drainTimeout");
    let policies = decode_policies(cx, &fields, on_bad_policy);
    let (policies, policy_files) = policies?;
    Some(AdmissionConfig {
        bind: bind?,
        tls: tls?,
        policies,
        policy_files,
        on_bad_policy: on_bad_policy?,
        queue: queue?,
        body_limit: body_limit?,
        timeout: timeout?,
        limits: limits?,
        always_accept_namespace,
        kubernetes: kubernetes?,
        drain_timeout: drain_timeout?,
    })
}

fn decode_tls(
    cx: &mut Context<'_>,
    admission: &Fields<'_>,
    bind: Option<SocketAddr>,
) -> Option<AdmissionTls> {
    let item = admission.item("tls")?;
    if item.is_mapping() {
        let fields = Fields::open(cx, item, &TLS)?;
        let certificate = decode_path(cx, &fields, "certificate");
        let key = decode_path(cx, &fields, "key");
        let client_ca = decode_paths(cx, &fields, "clientCa");
        return Some(AdmissionTls::Files(TlsFiles {
            certificate: certificate?,
            key: key?,
            client_ca: client_ca?,
        }));
    }
    if item.plain_text() != Some("none") {
        let complaint = Complaint::new(item.span(), "`admission.tls` is a mapping, or `none`");
        cx.error(complaint.hint("write `tls: { certificate: tls.crt, key: tls.key }`"));
        return None;
    }
    let tls = AdmissionTls::None;
    if let Some(address) = bind.filter(|address| !tls.allows(*address)) {
        let message = format!(
            "`tls: none` cannot be used on {address}: reviews contain whole objects, Secrets too, and others could read \
             and change them on the way"
        );
        let complaint = Complaint::new(item.span(), message);
        cx.error(complaint.hint(
            "write `tls: { certificate: tls.crt, key: tls.key }`, or bind to a loopback address such as `127.0.0.1`",
        ));
    }
    Some(tls)
}

fn decode_path(cx: &mut Context<'_>, fields: &Fields<'_>, key: &str) -> Option<PathBuf> {
    decode_path_item(cx, fields.item(key)?)
}

fn decode_path_item(cx: &mut Context<'_>, item: &Item<'_>) -> Option<PathBuf> {
    let path = item.text(cx, &PATH)?;
    if path.is_empty() || path.contains('\0') {
        let complaint = Complaint::new(item.span(), format!("{} is not a path", item.name()));
        cx.error(
            complaint.hint("write the name of a file, relative to the directory of the configuration file"),
        );
        return None;
    }
    Some(cx.resolve(path))
}

/// One path or several; none where the key is not given.
fn decode_paths(cx: &mut Context<'_>, fields: &Fields<'_>, key: &str) -> Option<Vec<PathBuf>> {
    let Some(item) = fields.item(key) else {
        return Some(Vec::new());
    };
    if item.plain_text().is_some() {
        return decode_path_item(cx, item).map(|path| vec![path]);
    }
    if !item.is_list() {
        item.wrong_kind(cx, &PATHS);
        return None;
    }
    let paths = item.list(cx, &PATH_LIST, 1)?;
    let paths: Vec<Option<PathBuf>> = paths.iter().map(|item| decode_path_item(cx, item)).collect();
    paths.into_iter().collect()
}

fn decode_queue(cx: &mut Context<'_>, admission: &Fields<'_>) -> Option<QueueConfig> {
    let fields = admission.section(cx, "queue")?;
    let concurrent = match fields.item("concurrent") {
        None => Some(concurrent()),
        Some(_) => {
            let concurrent = fields.integer(cx, "concurrent");
            let concurrent = concurrent.and_then(|count| usize::try_from(count).ok());
            concurrent.and_then(NonZeroUsize::new)
        }
    };
    let waiting = fields.integer(cx, "waiting");
    Some(QueueConfig {
        concurrent: concurrent?,
        waiting: usize::try_from(waiting?).ok()?,
    })
}

/// The namespace, if it is given and can be one.
fn decode_namespace(cx: &mut Context<'_>, admission: &Fields<'_>) -> Option<String> {
    let item = admission.item("alwaysAcceptNamespace")?;
    let name = item.text(cx, &NAMESPACE)?;
    let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    let good = bytes.iter().all(|byte| inner(byte) || *byte == b'-');
    let ends_well = bytes.first().is_some_and(inner) && bytes.last().is_some_and(inner);
    if good && ends_well && name.len() <= 63 {
        return Some(name.to_owned());
    }
    let complaint = Complaint::new(
        item.span(),
        format!("{} is not the name of a namespace", item.name()),
    );
    cx.error(complaint.hint("a name is made of `a-z`, `0-9` and, between them, `-`, at most 63 characters"));
    None
}

fn decode_kubernetes(cx: &mut Context<'_>, admission: &Fields<'_>) -> Option<KubernetesConfig> {
    let fields = admission.section(cx, "kubernetes")?;
    let kubeconfig = decode_path(cx, &fields, "kubeconfig");
    let ignore_connection_failure = fields.bool(cx, "ignoreConnectionFailure");
    Some(KubernetesConfig {
        kubeconfig,
        ignore_connection_failure: ignore_connection_failure?,
    })
}

/// The policies and the files that they are from. Those that are bad are errors only where none may be.
fn decode_policies(
    cx: &mut Context<'_>,
    admission: &Fields<'_>,
    on_bad_policy: Option<OnBadPolicy>,
) -> Option<(PolicySet, Vec<PathBuf>)> {
    let capabilities = match admission.item("namespacedPoliciesCapabilities") {
        Some(_) => decode_host_capabilities(cx, admission, "namespacedPoliciesCapabilities"),
        None => None,
    };
    let item = admission.item("policies")?;
    let mut found = Collection::default();
    let mut files = Vec::new();
    // A policy may be called `file`; then a mapping is behind it.
    if item.peek("file").is_some_and(|file| !file.is_mapping()) {
        let fields = Fields::open(cx, item, &FILES)?;
        files = decode_paths(cx, &fields, "file")?;
        if cx.reads_files() {
            for file in &files {
                read_policies(cx, file, &mut found);
            }
        }
    } else if let Some(path) = item.plain_text() {
        let message = format!("{} is to be a mapping, and this is text", item.name());
        let hint = format!("write `policies: {{ file: {} }}` for a file", shortened(path));
        cx.error(Complaint::new(item.span(), message).hint(hint));
    } else {
        decode_entries(cx, item, &mut found);
    }
    let mut policies = found.finish();
    if let Some(capabilities) = capabilities {
        policies.limit_namespaced(&capabilities);
    }
    if on_bad_policy == Some(OnBadPolicy::RefuseStart) {
        for bad in std::mem::take(&mut policies.bad) {
            cx.append(bad.errors);
        }
    }
    Some((policies, files))
}
