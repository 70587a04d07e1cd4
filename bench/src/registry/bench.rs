//! What all parts need: where the programs are, and how they are asked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::Outcome;
use crate::once::{self, Once};
use crate::report::median;

/// The programs, and where they may write.
pub(super) struct Bench {
    pub(super) wharf: PathBuf,
    pub(super) oras: Option<PathBuf>,
    pub(super) directory: PathBuf,
    /// The registry's name in references.
    pub(super) host: String,
    pub(super) rounds: u64,
}

impl Bench {
    /// The reference of a plugin, without its scheme.
    pub(super) fn image(&self, name: &str) -> String {
        format!("{}/bench/{name}:1", self.host)
    }

    /// A configuration that reaches the registry, with its store and its cache of compiled modules in folders of its own, and more.
    pub(super) fn config(&self, name: &str, more: &Value) -> Outcome<PathBuf> {
        let mut config = json!({
            "version": 1,
            "registries": { "hosts": { &self.host: { "plainHttp": true } } },
            "store": { "directory": self.store(name) },
            "cache": { "directory": self.directory.join(format!("{name}-cache")) },
        });
        if let (Some(config), Some(more)) = (config.as_object_mut(), more.as_object()) {
            config.extend(more.clone());
        }
        let path = self.directory.join(format!("{name}.yaml"));
        fs::write(&path, config.to_string())?;
        Ok(path)
    }

    /// Where the configuration of this name has its store.
    pub(super) fn store(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}-store"))
    }

    /// Wharf, with nothing of this user's.
    pub(super) fn wharf(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&self.wharf);
        command.args(arguments);
        command
    }

    /// A program with a home of its own, and without proxies.
    pub(super) fn command(&self, program: &Path) -> Command {
        let home = self.directory.join("home");
        let mut command = Command::new(program);
        command
            .env("HOME", &home)
            .env("DOCKER_CONFIG", &home)
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("NO_PROXY", "127.0.0.1")
            .current_dir(&self.directory);
        command
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// It fails.
    pub(super) fn run(&self, command: Command) -> Outcome<Once> {
        once::run(command, &self.directory.join("output"))
    }

    /// Pushes a file, as a plugin of this name.
    pub(super) fn push(&self, file: &Path, name: &str, config: &Path) -> Outcome<()> {
        let mut command = self.wharf(&["push"]);
        command
            .arg(file)
            .arg(self.image(name))
            .arg("--wharf-config")
            .arg(config);
        self.run(command)?;
        Ok(())
    }
}

/// The median of the times in milliseconds.
pub(super) fn time(rounds: &[Once]) -> Option<f64> {
    median(rounds.iter().map(|once| once.time.as_secs_f64() * 1e3))
}

/// The median of the CPU times in milliseconds.
pub(super) fn cpu(rounds: &[Once]) -> Option<f64> {
    median(rounds.iter().map(|once| once.cpu.as_secs_f64() * 1e3))
}
