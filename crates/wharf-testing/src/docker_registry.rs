//! Docker's own registry, as a process on a port that is free, with a directory of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;

use tempfile::TempDir;

use crate::PATIENCE;

/// A running registry. It ends with this.
pub struct DockerRegistry {
    process: Child,
    address: SocketAddr,
    directory: TempDir,
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl DockerRegistry {
    /// Starts the program and waits until it listens. `users` is a file of htpasswd with those whom it knows; without one it asks
    /// nobody who they are.
    pub fn start(program: &Path, users: Option<&str>) -> Self {
        let directory = tempfile::tempdir().expect("the system has a directory for temporary files");
        let at = directory.path().display();
        let mut config = format!(
            "version: 0.1\nlog: {{ level: info }}\nstorage: {{ filesystem: {{ rootdirectory: {at}/store }} }}\n\
             http: {{ addr: \"127.0.0.1:0\" }}\n"
        );
        let write = |name: &str, text: &str| {
            std::fs::write(directory.path().join(name), text).expect("the directory can be written");
        };
        if let Some(users) = users {
            write("users", users);
            config += &format!("auth: {{ htpasswd: {{ realm: test, path: {at}/users }} }}\n");
        }
        write("config.yml", &config);
        let process = Command::new(program)
            .arg("serve")
            .arg(directory.path().join("config.yml"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the registry can be started");
        // From here on it ends, also where it never listens.
        let mut registry = Self {
            process,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            directory,
        };
        registry.address = registry.wait_until_it_listens();
        registry
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A directory that goes with it.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn wait_until_it_listens(&mut self) -> SocketAddr {
        let stderr = self.process.stderr.take().expect("it is piped");
        let (sender, receiver) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let Some((_, rest)) = line.split_once("listening on ") else {
                    continue;
                };
                let digits = |c: &char| c.is_ascii_digit() || ".:".contains(*c);
                let address: String = rest.chars().take_while(digits).collect();
                // Whoever waited may have gone. What it writes later is read all the same, so that it can go on.
                let _ = sender.send(address.parse());
            }
        });
        let address = receiver.recv_timeout(PATIENCE);
        address
            .expect("the registry says where it listens")
            .expect("it listens on an address")
    }
}
