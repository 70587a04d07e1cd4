//! The two servers, on loopback.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::answer::Answer;

/// How long a server may take to compile all policies.
const PATIENCE: Duration = Duration::from_secs(300);

/// A server that serves. It ends with this.
pub(crate) struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    /// Wharf with these policies.
    pub(crate) fn wharf(program: &Path, policies: &Value, folder: &Path) -> Result<Self, String> {
        let port = free_port()?;
        let config = folder.join("wharf.yaml");
        // JSON is YAML too.
        let content = json!({
            "version": 1,
            "cache": { "directory": folder.join("compiled") },
            "admission": { "bind": format!("127.0.0.1:{port}"), "tls": "none", "policies": policies },
        });
        write(&config, &content)?;
        let mut command = Command::new(program);
        command.args(["--log-level", "warn", "serve"]).arg(&config);
        Self::start(command, port, &folder.join("wharf.log"))
    }

    /// policy-server with these policies.
    pub(crate) fn policy_server(program: &Path, policies: &Value, folder: &Path) -> Result<Self, String> {
        let (port, probe) = (free_port()?, free_port()?);
        let file = folder.join("policies.yml");
        write(&file, policies)?;
        let cache = folder.join("policy-server");
        fs::create_dir_all(&cache).map_err(|error| format!("{}: {error}", cache.display()))?;
        let mut command = Command::new(program);
        command
            .args(["--addr", "127.0.0.1", "--log-level", "warn"])
            .args(["--port", &port.to_string()])
            .args(["--readiness-probe-port", &probe.to_string()])
            .arg("--ignore-kubernetes-connection-failure")
            .arg("--policies")
            .arg(&file)
            .arg("--policies-download-dir")
            .arg(&cache)
            .arg("--sigstore-cache-dir")
            .arg(&cache);
        Self::start(command, port, &folder.join("policy-server.log"))
    }

    fn start(mut command: Command, port: u16, log: &Path) -> Result<Self, String> {
        let file = File::create(log).map_err(|error| format!("{}: {error}", log.display()))?;
        let errors = file
            .try_clone()
            .map_err(|error| format!("{}: {error}", log.display()))?;
        let program = command.get_program().to_owned();
        let process = command
            .stdin(std::process::Stdio::null())
            .stdout(file)
            .stderr(errors)
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let mut server = Self {
            process,
            address: (Ipv4Addr::LOCALHOST, port).into(),
        };
        let until = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(server.address).is_err() {
            let has_ended = server.process.try_wait().is_ok_and(|ended| ended.is_some());
            if has_ended || Instant::now() > until {
                let said = fs::read_to_string(log).unwrap_or_default();
                return Err(format!("{} does not serve:\n{said}", program.display()));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(server)
    }

    /// Asks, each time on a connection of its own. Nothing comes where it is broken off.
    pub(crate) fn ask(&self, target: &str, body: &str) -> Result<Option<Answer>, String> {
        let mut client = wharf_testing::connect(self.address);
        let head = format!(
            "POST {target} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        client.send(head + body);
        let Ok(response) = client.try_response() else {
            return Ok(None);
        };
        let text = response.text();
        Ok(Some(Answer {
            status: response.status,
            body: serde_json::from_str(text).unwrap_or_else(|_| text.into()),
        }))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Whoever has ended already has no need of it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn write(path: &Path, content: &Value) -> Result<(), String> {
    fs::write(path, content.to_string()).map_err(|error| format!("{}: {error}", path.display()))
}

fn free_port() -> Result<u16, String> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    bound
        .map(|address| address.port())
        .map_err(|error| format!("no port is free: {error}"))
}
