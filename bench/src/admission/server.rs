//! The two servers, with the same policies.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wharf_testing::ApiServer;

use crate::Outcome;
use crate::load::{self, Measurement, Question, Transport};
use crate::process::{Process, free_ports};

use super::certificate::Certificate;
use super::policies::{self, Policy, Review};

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(600);

/// Where everything is.
pub(super) struct Binaries {
    pub(super) wharf: PathBuf,
    pub(super) policy_server: Option<PathBuf>,
    /// Where configurations, logs and caches go.
    pub(super) directory: PathBuf,
}

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Wharf,
    PolicyServer,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Wharf => "wharf",
            Self::PolicyServer => "policy-server",
        }
    }
}

impl Binaries {
    /// Those that are measured, Wharf first.
    pub(super) fn kinds(&self) -> Vec<Kind> {
        let peer = self.policy_server.is_some().then_some(Kind::PolicyServer);
        [Kind::Wharf].into_iter().chain(peer).collect()
    }
}

/// What a server is started with.
#[derive(Clone, Copy)]
pub(super) struct Setup<'a> {
    pub(super) policy: &'a Policy,
    /// How many ids the policy has.
    pub(super) count: usize,
    /// Whether each has a module of its own.
    pub(super) own_modules: bool,
    /// Names the folder of what the server keeps for its next start.
    pub(super) cache: &'a str,
    /// Without it, HTTP.
    pub(super) certificate: Option<&'a Certificate>,
    /// The cluster that it may ask.
    pub(super) cluster: Option<&'a ApiServer>,
}

impl<'a> Setup<'a> {
    /// The policy under one id, over HTTP.
    pub(super) fn of(policy: &'a Policy) -> Self {
        Self {
            policy,
            count: 1,
            own_modules: false,
            cache: "reviews",
            certificate: None,
            cluster: None,
        }
    }
}

/// A server that serves.
pub(super) struct Server {
    pub(super) process: Process,
    /// How it is asked where nothing else matters.
    transport: Transport,
    port: u16,
    /// From the start of the process to a verdict of its last policy.
    pub(super) first_verdict: Duration,
}

impl Server {
    pub(super) fn start(kind: Kind, binaries: &Binaries, setup: Setup<'_>) -> Outcome<Self> {
        let [port, probe] = free_ports(2)?[..] else {
            return Err("there are no free ports".into());
        };
        let copies = setup.own_modules.then_some(binaries.directory.as_path());
        let entries = setup.policy.entries(setup.count, copies)?;
        let cache = binaries
            .directory
            .join(format!("{}-{}", kind.name(), setup.cache));
        std::fs::create_dir_all(&cache)?;
        let mut command = match kind {
            Kind::Wharf => wharf(binaries, &entries, port, &cache, setup.certificate)?,
            Kind::PolicyServer => {
                policy_server(binaries, &entries, [port, probe], &cache, setup.certificate)?
            }
        };
        if let Some(cluster) = setup.cluster {
            let file = binaries.directory.join("kubeconfig");
            std::fs::write(&file, cluster.kubeconfig())?;
            command.env("KUBECONFIG", file);
        }
        let transport = match setup.certificate {
            None => Transport::Plain,
            Some(certificate) => Transport::Tls(certificate.connector("http/1.1")?),
        };
        let log = binaries.directory.join(format!("{}.log", kind.name()));
        let began = Instant::now();
        let mut process = Process::start(command, log)?;
        let last = question(setup.policy, setup.count - 1);
        process.wait(PATIENCE, || load::once(port, &transport, &last).is_ok())?;
        Ok(Self {
            process,
            transport,
            port,
            first_verdict: began.elapsed(),
        })
    }

    /// Asks the policy at this place once, checks that it gives a verdict, and gives the question with that answer.
    pub(super) fn question(&self, policy: &Policy, index: usize) -> Outcome<Question> {
        let mut question = question(policy, index);
        let body = load::once(self.port, &self.transport, &question)?;
        let answer: Value = serde_json::from_slice(&body)?;
        let response = &answer["response"];
        let is_verdict = response["uid"] == policy.review.uid.as_str()
            && response["allowed"].is_boolean()
            && response["status"]["code"] != 500;
        if !is_verdict {
            return Err(format!(
                "{} gave no verdict: {}",
                policies::id(index),
                String::from_utf8_lossy(&body)
            )
            .into());
        }
        question.body = Some(body);
        Ok(question)
    }

    /// Asks again and again.
    pub(super) fn measure(
        &self,
        transport: &Transport,
        question: &Question,
        clients: usize,
        duration: Duration,
    ) -> Outcome<Measurement> {
        load::run(self.port, transport, question, clients, duration, || {
            self.process.cpu_time()
        })
    }
}

fn question(policy: &Policy, index: usize) -> Question {
    let Review { endpoint, json, .. } = &policy.review;
    Question::post(&format!("{endpoint}/{}", policies::id(index)), json)
}

/// JSON is YAML too.
fn wharf(
    binaries: &Binaries,
    entries: &Value,
    port: u16,
    cache: &Path,
    certificate: Option<&Certificate>,
) -> Outcome<Command> {
    let tls = match certificate {
        None => json!("none"),
        Some(files) => json!({ "certificate": files.certificate, "key": files.key }),
    };
    let config = binaries.directory.join("wharf.yaml");
    let content = json!({
        "version": 1,
        "cache": { "directory": cache },
        "admission": { "bind": format!("127.0.0.1:{port}"), "tls": tls, "policies": entries },
    });
    std::fs::write(&config, content.to_string())?;
    let mut command = Command::new(&binaries.wharf);
    command.args(["--log-level", "warn", "serve"]).arg(config);
    Ok(command)
}

fn policy_server(
    binaries: &Binaries,
    entries: &Value,
    [port, probe]: [u16; 2],
    cache: &Path,
    certificate: Option<&Certificate>,
) -> Outcome<Command> {
    let policies = binaries.directory.join("policies.yml");
    std::fs::write(&policies, entries.to_string())?;
    let binary = binaries
        .policy_server
        .as_ref()
        .ok_or("there is no policy-server")?;
    let mut command = Command::new(binary);
    command
        .args(["--addr", "127.0.0.1", "--log-level", "warn"])
        .args(["--port", &port.to_string()])
        .args(["--readiness-probe-port", &probe.to_string()])
        .arg("--ignore-kubernetes-connection-failure")
        .arg("--policies")
        .arg(policies)
        .arg("--policies-download-dir")
        .arg(cache)
        .arg("--sigstore-cache-dir")
        .arg(cache);
    if let Some(files) = certificate {
        command.arg("--cert-file").arg(&files.certificate);
        command.arg("--key-file").arg(&files.key);
    }
    Ok(command)
}
