//! Plugins of registries: pushed, pulled, signed, verified, locked, moved by hand, and run by every command.

mod errors;
mod files;
mod login;
mod push;
mod real;
mod refresh;
mod store;
mod trust;

use std::fmt::Write as _;
use std::process::{Command, Output};

use serde_json::Value;
use wharf_testing::registry::{Registry, RegistryBuilder, registry};

use crate::harness::{Folder, folder};

/// A registry, and a folder with a configuration that names it and has a store of its own.
pub(crate) struct Harbour {
    pub(crate) registry: Registry,
    pub(crate) folder: Folder,
}

/// A filter, a policy and a module of Trivy.
pub(crate) const FILTER: &str = "guests/rust-headers/rust-headers.wasm";
pub(crate) const OTHER_FILTER: &str = "guests/c-headers/c-headers.wasm";
pub(crate) const POLICY: &str = "guests/policies/policy-labels/policy-labels.wasm";

pub(crate) fn harbour() -> Harbour {
    harbour_of(registry())
}

pub(crate) fn harbour_of(described: RegistryBuilder) -> Harbour {
    let harbour = Harbour {
        registry: described.start(),
        folder: folder(),
    };
    harbour.configure("")
}

impl Harbour {
    /// The host and port of the registry.
    pub(crate) fn host(&self) -> String {
        self.registry.address().to_string()
    }

    /// A name of the registry.
    pub(crate) fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.host())
    }

    /// Writes the configuration with these further sections, in which `HOST` is the registry.
    pub(crate) fn configure(self, sections: &str) -> Self {
        self.write_configuration(sections);
        self
    }

    pub(crate) fn write_configuration(&self, sections: &str) {
        let host = self.host();
        let mut text = format!(
            "version: 1\nregistries: {{ hosts: {{ \"{host}\": {{ plainHttp: true }} }} }}\nstore: {{ directory: store }}\n"
        );
        let _ = writeln!(text, "{}", sections.replace("HOST", &host));
        std::fs::write(self.folder.path().join("wharf.yaml"), text).unwrap();
    }

    /// A command; `HOST` in its arguments is the registry.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let arguments: Vec<String> = arguments
            .iter()
            .map(|argument| argument.replace("HOST", &self.host()))
            .collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut command = self.folder.command(&arguments);
        command.env("WHARF_LOG", "off");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// A command that succeeds: what it prints.
    #[track_caller]
    pub(crate) fn good(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same with `--json`.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let text = self.good(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).unwrap()
    }

    /// A command that fails: its exit code and what it says, with `HOST` for the registry.
    #[track_caller]
    pub(crate) fn bad(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?}: {output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), said.replace(&self.host(), "HOST"))
    }

    /// Writes a new pair of keys: `NAME.key` and `NAME.pub`.
    pub(crate) fn keys(&self, name: &str) {
        let pair = rcgen::KeyPair::generate().unwrap();
        let path = self.folder.path();
        std::fs::write(path.join(format!("{name}.key")), pair.serialize_pem()).unwrap();
        std::fs::write(path.join(format!("{name}.pub")), pair.public_key_pem()).unwrap();
    }
}
