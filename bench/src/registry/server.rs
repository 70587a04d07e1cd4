//! Docker's registry as a process, with its images in a folder.

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::Outcome;
use crate::process::{Process, free_ports};

/// A registry that runs; dropping it ends it.
pub(super) struct Registry {
    _process: Process,
    host: String,
}

impl Registry {
    /// Starts one on a free port of loopback, without TLS and without users.
    pub(super) fn start(program: &Path, directory: &Path) -> Outcome<Self> {
        let port = *free_ports(1)?.first().ok_or("there is no free port")?;
        let host = format!("{}:{port}", Ipv4Addr::LOCALHOST);
        let config = format!(
            "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: true }} }}\n\
             storage: {{ filesystem: {{ rootdirectory: {}/registry }} }}\nhttp: {{ addr: \"{host}\" }}\n",
            directory.display()
        );
        let file = directory.join("registry.yml");
        std::fs::write(&file, config)?;
        let mut command = Command::new(program);
        // It reads settings from variables of these names too.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("REGISTRY_") {
                command.env_remove(name);
            }
        }
        command.arg("serve").arg(&file);
        let mut process = Process::start(command, directory.join("registry.log"))?;
        let listens = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        process.wait(Duration::from_secs(20), listens)?;
        Ok(Self {
            _process: process,
            host,
        })
    }

    /// Its name in references, with its port.
    pub(super) fn host(&self) -> &str {
        &self.host
    }
}
