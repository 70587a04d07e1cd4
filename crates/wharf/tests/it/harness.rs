//! Configurations, and the folders that they lie in.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

use crate::process::Wharf;

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// A folder with a configuration, in which `guests/` is the repository's. The last handle to it removes it.
#[derive(Clone)]
pub(crate) struct Folder {
    folder: Arc<TempDir>,
}

/// An empty folder.
pub(crate) fn folder() -> Folder {
    let folder = TempDir::new().expect("the system has a folder for temporary files");
    let guests = fs::canonicalize(root().join("guests")).expect("the repository has guests");
    std::os::unix::fs::symlink(guests, folder.path().join("guests")).expect("the folder is empty");
    Folder {
        folder: Arc::new(folder),
    }
}

impl Folder {
    /// Writes a file.
    pub(crate) fn with(self, name: &str, content: impl AsRef<[u8]>) -> Folder {
        fs::write(self.path().join(name), content).expect("the folder can be written");
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The program in this folder. Compiled guests are kept for all tests, and for their next run.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("XDG_CACHE_HOME", shared_cache())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command that ends by itself, without its log.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        command
            .env("WHARF_LOG", "off")
            .output()
            .expect("the program can be started")
    }

    /// Everything that a command gives: its exit code, and what it prints. No path of this machine may be in it.
    pub(crate) fn transcript(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let code = output.status.code().expect("the command was not killed");
        let part = |name: &str, bytes: &[u8]| match String::from_utf8_lossy(bytes) {
            text if text.is_empty() => String::new(),
            text => format!("--- {name} ---\n{text}"),
        };
        let (out, err) = (part("stdout", &output.stdout), part("stderr", &output.stderr));
        let text = format!("exit code {code}\n{out}{err}");
        let lines = text.lines().map(str::trim_end);
        // Blank lines of help texts have spaces in them, which a snapshot should not.
        lines.map(|line| format!("{line}\n")).collect()
    }
}

/// Where compiled guests are kept. Tests that look at the cache have their own.
fn shared_cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

/// A configuration that is being written: one listener, which is called `web`, an admin port, and an upstream
/// `hello`.
pub(crate) struct Config {
    plugins: String,
    routes: String,
    upstreams: String,
    listener: String,
    proxy: String,
    files: Vec<(String, String)>,
}

/// The upstream `hello` answers so.
pub(crate) const HELLO: &str = "hello\n";

pub(crate) fn config() -> Config {
    Config {
        plugins: String::new(),
        routes: String::new(),
        upstreams: String::new(),
        listener: String::new(),
        proxy: "workers: 1".to_owned(),
        files: Vec::new(),
    }
}

impl Config {
    /// A plugin from this file under `guests/`, with these further keys. Its deadline is so long that a busy machine
    /// does not reach it, unless the keys have `limits`.
    pub(crate) fn plugin(self, name: &str, guest: &str, keys: &str) -> Config {
        self.plugin_from(name, &format!("guests/{guest}"), keys)
    }

    /// A plugin that is written in the test, in WAT.
    pub(crate) fn plugin_of(mut self, name: &str, wat: &str, keys: &str) -> Config {
        let file = format!("{name}.wat");
        self.files.push((file.clone(), wat.to_owned()));
        self.plugin_from(name, &file, keys)
    }

    fn plugin_from(mut self, name: &str, file: &str, keys: &str) -> Config {
        let limits = if keys.contains("limits:") {
            ""
        } else {
            "limits: { deadline: 20s }, "
        };
        self.plugins += &format!("  {name}: {{ source: \"file:{file}\", {limits}{keys} }}\n");
        self
    }

    /// A route; each filter is the name of a plugin, or that and `, config: …`.
    pub(crate) fn route(mut self, path_prefix: &str, filters: &[&str], upstream: &str) -> Config {
        let filters: Vec<_> = filters
            .iter()
            .map(|filter| format!("{{ plugin: {filter} }}"))
            .collect();
        let filters = filters.join(", ");
        let matched = format!("match: {{ pathPrefix: {path_prefix} }}");
        self.routes += &format!("        - {{ {matched}, filters: [ {filters} ], upstream: {upstream} }}\n");
        self
    }

    /// An upstream with this endpoint.
    pub(crate) fn upstream(self, name: &str, endpoint: impl Display) -> Config {
        self.upstream_with(name, &format!("endpoints: [ \"{endpoint}\" ]"))
    }

    /// An upstream with these keys.
    pub(crate) fn upstream_with(mut self, name: &str, keys: &str) -> Config {
        self.upstreams += &format!("    {name}: {{ {keys} }}\n");
        self
    }

    /// The keys of the listener's `limits`.
    pub(crate) fn limits(mut self, keys: &str) -> Config {
        self.listener = format!("      limits: {{ {keys} }}\n");
        self
    }

    pub(crate) fn workers(mut self, workers: usize) -> Config {
        self.proxy = format!("workers: {workers}");
        self
    }

    /// A further key of `proxy`.
    pub(crate) fn proxy(mut self, line: &str) -> Config {
        self.proxy += &format!("\n  {line}");
        self
    }

    /// The YAML.
    pub(crate) fn text(&self) -> String {
        let Config {
            plugins,
            routes,
            upstreams,
            listener,
            proxy,
            ..
        } = self;
        let plugins = if plugins.is_empty() {
            String::new()
        } else {
            format!("plugins:\n{plugins}")
        };
        format!(
            "version: 1\n{plugins}proxy:\n  {proxy}\n  listeners:\n    - name: web\n      bind: 127.0.0.1:0\n\
             {listener}      routes:\n{routes}  upstreams:\n    \
             hello: {{ respond: {{ headers: {{ content-type: text/plain }}, body: \"hello\\n\" }} }}\n\
             {upstreams}admin: {{ bind: 127.0.0.1:0 }}\n"
        )
    }

    /// Puts it in a folder as `wharf.yaml`.
    pub(crate) fn write(&self) -> Folder {
        let folder = folder().with("wharf.yaml", self.text());
        self.files
            .iter()
            .fold(folder, |folder, (name, text)| folder.with(name, text))
    }

    /// Serves it.
    pub(crate) fn start(self) -> Wharf {
        Wharf::start(self.write())
    }
}
