//! The server of policies as a process.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::cluster::Api;
use crate::outcome::{Failure, Outcome};

/// It compiles all policies before it serves.
const PATIENCE_AT_START: Duration = Duration::from_secs(300);
/// It finishes the reviews that are under way.
const PATIENCE_AT_END: Duration = Duration::from_secs(60);

/// The binary with what it needs, running or not. It is killed when this is dropped.
pub(crate) struct Server {
    program: PathBuf,
    config: PathBuf,
    log: PathBuf,
    admin: Api,
    child: Option<Child>,
}

impl Server {
    pub(crate) fn new(program: &Path, config: PathBuf, log: PathBuf, admin: Api) -> Self {
        Self {
            program: program.to_owned(),
            config,
            log,
            admin,
            child: None,
        }
    }

    /// Starts it and waits until it is ready. Its log goes on where it was.
    ///
    /// # Errors
    /// With the end of its log.
    pub(crate) async fn start(&mut self) -> Outcome {
        let failed = |error: std::io::Error| Failure::new("a running server", error);
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let child = Command::new(&self.program)
            .args(["serve", "--log-format", "json"])
            // Each review leaves a line.
            .args(["--log-level", "info,wharf_admission=debug"])
            .arg(&self.config)
            .env_remove("KUBECONFIG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.map_err(failed)?)
            .spawn();
        self.child = Some(child.map_err(failed)?);
        let until = Instant::now() + PATIENCE_AT_START;
        while Instant::now() < until {
            if let Some(status) = self.ended() {
                return Err(self.failure("a running server", format!("it ended: {status}")));
            }
            if self
                .admin
                .get("/readyz")
                .await
                .is_ok_and(|answer| answer.is_success())
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(self.failure("a server that is ready", "it was not in time"))
    }

    /// Tells it to end, waits for that, and holds its exit code against 0.
    ///
    /// # Errors
    /// With the end of its log.
    pub(crate) async fn stop(&mut self) -> Outcome {
        self.signal(Signal::TERM)?;
        let until = Instant::now() + PATIENCE_AT_END;
        while Instant::now() < until {
            match self.ended() {
                Some(status) if status.success() => {
                    self.child = None;
                    return Ok(());
                }
                Some(status) => return Err(self.failure("exit code 0 after SIGTERM", status)),
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        Err(self.failure("a server that ends after SIGTERM", "it did not in time"))
    }

    /// Tells it to look for changed policies at once.
    ///
    /// # Errors
    /// When it does not run.
    pub(crate) fn hang_up(&self) -> Outcome {
        self.signal(Signal::HUP)
    }

    fn signal(&self, signal: Signal) -> Outcome {
        let child = self.child.as_ref();
        let pid = child.and_then(|child| Pid::from_raw(child.id().cast_signed()));
        let pid = pid.ok_or_else(|| self.failure("a running server", "there is none"))?;
        kill_process(pid, signal).map_err(|error| self.failure("a running server", error))
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().ok().flatten()
    }

    /// What its admin port says of a policy: `ready`, `bad` or `outdated`; and why.
    ///
    /// # Errors
    /// When it does not answer, or has no such policy.
    pub(crate) async fn policy(&self, id: &str) -> Outcome<Value> {
        let answer = self.admin.get("/policies").await?;
        let policies = answer.body.as_array().or(answer.body["policies"].as_array());
        let found = policies
            .into_iter()
            .flatten()
            .find(|policy| policy["id"] == id)
            .cloned();
        found.ok_or_else(|| Failure::new(format!("the policy {id} at /policies"), answer.body))
    }

    /// The sum of a metric over the lines that have all these labels.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn metric(&self, name: &str, labels: &[&str]) -> Outcome<f64> {
        let answer = self.admin.get("/metrics").await?;
        let text = answer.body.as_str().unwrap_or_default();
        let lines = text.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{'))
                && labels.iter().all(|label| line.contains(label))
        });
        Ok(lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum())
    }

    /// How many reviews of a policy have been answered, since the first start.
    pub(crate) fn reviews(&self, policy: &str) -> usize {
        let is_review = |line: &&str| {
            let line: Value = serde_json::from_str(line).unwrap_or_default();
            line["message"] == "Reviewed." && line["policy"] == policy
        };
        self.log_text().lines().filter(is_review).count()
    }

    fn failure(&self, expected: &str, came: impl std::fmt::Display) -> Failure {
        let text = self.log_text();
        let lines: Vec<&str> = text.lines().collect();
        let end = lines[lines.len().saturating_sub(20)..].join("\n    ");
        Failure::new(expected, format!("{came}. The end of its log:\n    {end}"))
    }

    fn log_text(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already.
            drop(child.kill());
            drop(child.wait());
        }
    }
}
