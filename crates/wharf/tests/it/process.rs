//! A `wharf serve` that runs.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use wharf_testing::{Client, Response, connect, eventually};

use crate::harness::Folder;

/// The process. It is killed when it is dropped.
pub(crate) struct Wharf {
    child: Child,
    folder: Folder,
    stdout: Stream,
    stderr: Stream,
    listeners: BTreeMap<String, SocketAddr>,
    admin: Option<SocketAddr>,
    admission: Option<SocketAddr>,
}

/// What a process left behind.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) access_log: Vec<Value>,
    pub(crate) log: Vec<Value>,
    pub(crate) stderr: Vec<String>,
}

impl Wharf {
    pub(crate) fn start(folder: Folder) -> Wharf {
        let command = folder.command(&["serve", "wharf.yaml"]);
        Wharf::start_by(folder, command)
    }

    /// Starts it by this command, and waits until it serves.
    pub(crate) fn start_by(folder: Folder, mut command: std::process::Command) -> Wharf {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program can be started");
        let stdout = Stream::read(child.stdout.take().expect("it is piped"));
        let stderr = Stream::read(child.stderr.take().expect("it is piped"));
        let mut wharf = Wharf {
            child,
            folder,
            stdout,
            stderr,
            listeners: BTreeMap::new(),
            admin: None,
            admission: None,
        };
        eventually("wharf serves", || {
            assert!(wharf.is_running(), "wharf ended where it should serve");
            wharf.stderr.any(|line| line.contains("Serving."))
        });
        for line in wharf.stderr.lines() {
            if let Some(listening) = line.strip_prefix("listening on http://") {
                let (address, name) = listening.split_once(" (").expect("the listener has a name");
                let name = name.trim_end_matches(')').to_owned();
                wharf.listeners.insert(name, address.parse().expect("an address"));
            } else if let Some(address) = line.strip_prefix("admin on http://") {
                wharf.admin = Some(address.parse().expect("an address"));
            } else if let Some(address) = line
                .strip_prefix("admission on http://")
                .or_else(|| line.strip_prefix("admission on https://"))
            {
                wharf.admission = Some(address.parse().expect("an address"));
            }
        }
        wharf
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The address of the listener `web`.
    pub(crate) fn address(&self) -> SocketAddr {
        self.listener("web")
    }

    pub(crate) fn listener(&self, name: &str) -> SocketAddr {
        self.listeners[name]
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin.expect("the configuration has an admin port")
    }

    pub(crate) fn admission(&self) -> SocketAddr {
        self.admission.expect("the configuration has an admission server")
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> Client {
        connect(self.address())
    }

    /// A GET on a connection of its own.
    pub(crate) fn get(&self, target: &str) -> Response {
        self.connect().get(target)
    }

    /// A POST on a connection of its own, with this body in one piece.
    pub(crate) fn post(&self, target: &str, body: impl AsRef<[u8]>) -> Response {
        let mut client = self.connect();
        post(&mut client, target, body.as_ref());
        client.response()
    }

    pub(crate) fn admin_get(&self, target: &str) -> Response {
        connect(self.admin()).get(target)
    }

    /// The value of a metric, by its name and labels as they stand in the text.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        let text = self.admin_get("/metrics");
        let line = text
            .text()
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map(|value| value.parse().expect("a number"))
    }

    /// What `/plugins` says of a plugin.
    pub(crate) fn plugin(&self, name: &str) -> Value {
        let answer = self.admin_get("/plugins");
        let all: Value = serde_json::from_slice(&answer.body).expect("JSON");
        let plugin = all
            .as_array()
            .expect("a list")
            .iter()
            .find(|plugin| plugin["name"] == name);
        plugin.expect("the plugin is there").clone()
    }

    /// Waits until all VMs of a plugin run, after it faulted.
    pub(crate) fn wait_for_vms(&self, plugin: &str) {
        eventually("the VMs run", || {
            let vms = self.plugin(plugin)["vms"].clone();
            vms["running"] == vms["expected"]
        });
    }

    /// The lines of the log so far.
    pub(crate) fn log(&self) -> Vec<Value> {
        json_lines(&self.stderr.lines())
    }

    /// The messages that plugins have logged so far.
    pub(crate) fn plugin_log(&self) -> Vec<String> {
        plugin_messages(&self.log())
    }

    /// Waits until a plugin has logged this.
    pub(crate) fn wait_for_plugin_log(&self, message: &str) {
        eventually(message, || self.plugin_log().iter().any(|line| line == message));
    }

    /// Waits for the access log's line about a path, of which there must be one.
    pub(crate) fn access(&self, path: &str) -> Value {
        let mut found = None;
        eventually(&format!("{path} is in the access log"), || {
            let lines = json_lines(&self.stdout.lines());
            found = lines.into_iter().find(|line| line["path"] == path);
            found.is_some()
        });
        found.expect("it was found")
    }

    /// The process's id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the process is our child").is_none()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the process is there");
    }

    /// Ends it by SIGTERM.
    pub(crate) fn stop(self) -> Ended {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Ended {
        eventually("wharf ends", || !self.is_running());
        let status = self.child.wait().expect("the process is our child");
        self.stdout.finish();
        self.stderr.finish();
        Ended {
            code: status.code(),
            access_log: json_lines(&self.stdout.lines()),
            log: self.log(),
            stderr: self.stderr.lines(),
        }
    }
}

impl Drop for Wharf {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            self.show_output();
        }
    }
}

impl Wharf {
    #[expect(
        clippy::print_stdout,
        reason = "the test runner shows it with the test that failed"
    )]
    fn show_output(&self) {
        println!("--- wharf's stderr ---\n{}", self.stderr.lines().join("\n"));
        println!("--- wharf's stdout ---\n{}", self.stdout.lines().join("\n"));
    }
}

impl Ended {
    /// The paths in the access log, in order.
    pub(crate) fn paths(&self) -> Vec<&str> {
        self.access_log
            .iter()
            .filter_map(|line| line["path"].as_str())
            .collect()
    }

    pub(crate) fn plugin_log(&self) -> Vec<String> {
        plugin_messages(&self.log)
    }
}

/// Sends a POST with this body in one piece.
pub(crate) fn post(client: &mut Client, target: &str, body: &[u8]) {
    let length = body.len();
    client.send(format!(
        "POST {target} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n"
    ));
    client.send(body);
}

/// The lines of an output, as they come.
struct Stream {
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Stream {
    fn read(output: impl Read + Send + 'static) -> Stream {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                kept.lock().expect("no holder panics").push(line);
            }
        });
        Stream {
            lines,
            reader: Some(reader),
        }
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no holder panics").clone()
    }

    fn any(&self, matches: impl Fn(&str) -> bool) -> bool {
        self.lines
            .lock()
            .expect("no holder panics")
            .iter()
            .any(|line| matches(line))
    }

    /// Waits for the end of the output.
    fn finish(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader does not panic");
        }
    }
}

/// Those lines that are JSON; the others are words for people.
fn json_lines(lines: &[String]) -> Vec<Value> {
    lines
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn plugin_messages(log: &[Value]) -> Vec<String> {
    let messages = log.iter().filter(|line| line["target"] == "wharf::plugin");
    messages
        .filter_map(|line| line["message"].as_str().map(str::to_owned))
        .collect()
}
