//! The two servers, with the same policies.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Outcome;
use crate::load::{Question, body_of};
use crate::process::{Process, free_ports};

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

/// A server that serves.
pub(super) struct Server {
    pub(super) process: Process,
    pub(super) port: u16,
    /// From the start of the process to a verdict of its last policy.
    pub(super) first_verdict: Duration,
}

impl Server {
    /// Starts a server with `count` policies. `cache` names the folder of what it keeps for its next start.
    pub(super) fn start(
        kind: Kind,
        binaries: &Binaries,
        policy: &Policy,
        count: usize,
        cache: &str,
        review: &Review,
    ) -> Outcome<Self> {
        let [port, probe] = free_ports(2)?[..] else {
            return Err("there are no free ports".into());
        };
        let entries = policy.entries(count)?;
        let cache = binaries.directory.join(format!("{}-{cache}", kind.name()));
        std::fs::create_dir_all(&cache)?;
        let command = match kind {
            Kind::Wharf => wharf(binaries, &entries, port, &cache)?,
            Kind::PolicyServer => policy_server(binaries, &entries, [port, probe], &cache)?,
        };
        let log = binaries.directory.join(format!("{}.log", kind.name()));
        let began = Instant::now();
        let mut server = Self {
            process: Process::start(command, log)?,
            port,
            first_verdict: Duration::ZERO,
        };
        let last = Question::post(&path(count - 1), &review.json);
        server
            .process
            .wait(PATIENCE, || ask_once(port, &last.request).is_ok())?;
        server.first_verdict = began.elapsed();
        Ok(server)
    }

    /// Asks the policy at this place once, checks that it gives a verdict, and gives the question with that answer.
    pub(super) fn question(&self, review: &Review, index: usize) -> Outcome<Question> {
        let mut question = Question::post(&path(index), &review.json);
        let body = ask_once(self.port, &question.request)?;
        let answer: Value = serde_json::from_slice(&body)?;
        let response = &answer["response"];
        let is_verdict = response["uid"] == review.uid.as_str()
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
}

fn path(index: usize) -> String {
    format!("/validate/{}", policies::id(index))
}

/// Asks on a connection of its own and gives the body of the 200.
fn ask_once(port: u16, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(request)?;
    let (mut answer, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut part)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&part[..read]);
        if let Some(body) = body_of(&answer)? {
            return Ok(body.to_owned());
        }
    }
}

/// JSON is YAML too.
fn wharf(binaries: &Binaries, entries: &Value, port: u16, cache: &Path) -> Outcome<Command> {
    let config = binaries.directory.join("wharf.yaml");
    let content = json!({
        "version": 1,
        "cache": { "directory": cache },
        "admission": { "bind": format!("127.0.0.1:{port}"), "tls": "none", "policies": entries },
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
    Ok(command)
}
