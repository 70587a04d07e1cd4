//! An API server of Kubernetes that does what a script says: also what a real one does only on bad days.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use crate::origin::{Conversation, Origin, scripted_origin};

/// What the server says of itself, unless the script does.
const VERSION: &str = r#"{"major":"1","minor":"0","gitVersion":"v1.0.0"}"#;
/// The kinds of `v1`.
const CORE: &str = r#"{"kind":"APIResourceList","groupVersion":"v1","resources":[
    {"name":"configmaps","kind":"ConfigMap","namespaced":true,"verbs":["create","get","list","watch"]},
    {"name":"namespaces","kind":"Namespace","namespaced":false,"verbs":["get","list","watch"]},
    {"name":"namespaces/status","kind":"Namespace","namespaced":false,"verbs":["get"]},
    {"name":"bindings","kind":"Binding","namespaced":true,"verbs":["create"]},
    {"name":"componentstatuses","kind":"ComponentStatus","namespaced":false,"verbs":["get","list"]}
]}"#;

/// A running server. It stops accepting when it is dropped.
pub struct ApiServer {
    origin: Origin,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Such as `GET`.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// What follows `?`, as it was sent.
    pub query: BTreeMap<String, String>,
    /// As text.
    pub body: String,
}

impl Asked {
    /// Whether objects are to be watched.
    pub fn is_watch(&self) -> bool {
        self.query.contains_key("watch")
    }
}

/// What becomes of a request.
pub enum Answer {
    /// An answer.
    Json(u16, String),
    /// An answer with further headers, each with its line's end.
    Headed(u16, String, String),
    /// An answer of which only the first half comes.
    Half(String),
    /// An answer that begins with this and goes on with blanks until the other end has had enough.
    Endless(u16, String),
    /// An answer that comes byte by byte, with a pause after each.
    Slow(String),
    /// No answer; the connection stays.
    Nothing,
    /// No answer; the connection breaks.
    Break,
    /// An answer that comes bit by bit.
    Stream(Receiver<Piece>),
}

/// A piece of a stream. A stream whose other end is dropped ends as it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// As it is; events end with a line feed.
    Text(String),
    /// The connection breaks.
    Break,
}

impl Answer {
    /// A good one.
    pub fn ok(body: impl Into<String>) -> Self {
        Self::Json(200, body.into())
    }

    /// A Status object.
    pub fn status(code: u16, reason: &str, message: &str) -> Self {
        let message = message.replace('"', "\\\"");
        let body = format!(
            r#"{{"kind":"Status","status":"Failure","message":"{message}","reason":"{reason}","code":{code}}}"#
        );
        Self::Json(code, body)
    }

    /// An error that says when to come again.
    pub fn busy(code: u16, retry_after: &str) -> Self {
        match Self::status(code, "TooManyRequests", "too busy") {
            Self::Json(code, body) => Self::Headed(code, format!("retry-after: {retry_after}\r\n"), body),
            other => other,
        }
    }

    /// A stream, and what sends its pieces.
    pub fn stream() -> (Sender<Piece>, Self) {
        let (sender, pieces) = channel();
        (sender, Self::Stream(pieces))
    }
}

/// Starts a server with this script. What the script has no answer for gets that of a server with a few kinds in `v1` and
/// no objects.
pub fn api_server(script: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) -> ApiServer {
    let origin = scripted_origin(move |mut conversation| {
        while let Some(request) = conversation.request() {
            let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
            let pairs = query.split('&').filter(|pair| !pair.is_empty());
            let asked = Asked {
                method: request.method.clone(),
                path: path.to_owned(),
                query: pairs
                    .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect(),
                body: String::from_utf8_lossy(&request.body).into_owned(),
            };
            let answer = script(&asked).unwrap_or_else(|| by_default(&asked));
            if !send(&mut conversation, answer) {
                return;
            }
        }
    });
    ApiServer { origin }
}

impl ApiServer {
    /// Where it listens, for plain HTTP.
    pub fn address(&self) -> SocketAddr {
        self.origin.address()
    }

    /// A kubeconfig that leads here.
    pub fn kubeconfig(&self) -> String {
        kubeconfig_for(self.address())
    }

    /// The targets of all requests so far, in their order.
    pub fn asked(&self) -> Vec<String> {
        let received = self.origin.received();
        received.into_iter().map(|request| request.target).collect()
    }

    /// How many requests had a target with this in it.
    pub fn asked_for(&self, part: &str) -> usize {
        self.asked().iter().filter(|target| target.contains(part)).count()
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.origin.open()
    }
}

/// A kubeconfig that leads to an address, for plain HTTP and with a token.
pub fn kubeconfig_for(address: SocketAddr) -> String {
    format!(
        r#"apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: "http://{address}"}}}}]
users: [{{name: u, user: {{token: secret-token}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
current-context: x
"#
    )
}

fn by_default(asked: &Asked) -> Answer {
    match asked.path.as_str() {
        "/version" => Answer::ok(VERSION),
        "/api/v1" => Answer::ok(CORE),
        _ => Answer::status(
            404,
            "NotFound",
            "the server could not find the requested resource",
        ),
    }
}

/// Sends an answer. False where the connection is of no more use.
fn send(conversation: &mut Conversation, answer: Answer) -> bool {
    match answer {
        Answer::Json(status, body) => json(conversation, status, "", &body),
        Answer::Headed(status, headers, body) => json(conversation, status, &headers, &body),
        Answer::Half(body) => {
            let half: String = body.chars().take(body.chars().count() / 2).collect();
            conversation.send(format!(
                "HTTP/1.1 200 -\r\ncontent-length: {}\r\n\r\n{half}",
                body.len()
            ));
            false
        }
        Answer::Endless(status, start) => {
            conversation.send(format!("HTTP/1.1 {status} -\r\nconnection: close\r\n\r\n{start}"));
            while conversation.send([b' '; 64 << 10]) {}
            false
        }
        Answer::Slow(body) => {
            conversation.send(format!(
                "HTTP/1.1 200 -\r\ncontent-length: {}\r\n\r\n",
                body.len()
            ));
            for byte in body.bytes() {
                if conversation.is_closed() || !conversation.send([byte]) {
                    return false;
                }
                std::thread::sleep(LOOK);
            }
            true
        }
        Answer::Nothing => {
            while !conversation.is_closed() {
                std::thread::sleep(LOOK);
            }
            false
        }
        Answer::Break => false,
        Answer::Stream(pieces) => {
            stream(conversation, &pieces);
            false
        }
    }
}

fn json(conversation: &mut Conversation, status: u16, headers: &str, body: &str) -> bool {
    let length = body.len();
    conversation.send(format!(
        "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n{body}"
    ))
}

/// How often it is looked whether the other end has gone.
const LOOK: Duration = Duration::from_millis(5);

fn stream(conversation: &mut Conversation, pieces: &Receiver<Piece>) {
    conversation.send("HTTP/1.1 200 -\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n");
    loop {
        match pieces.recv_timeout(LOOK) {
            Ok(Piece::Text(text)) => {
                if !conversation.send(format!("{:x}\r\n{text}\r\n", text.len())) {
                    return;
                }
            }
            Ok(Piece::Break) => return,
            Err(RecvTimeoutError::Disconnected) => {
                conversation.send("0\r\n\r\n");
                return;
            }
            Err(RecvTimeoutError::Timeout) if conversation.is_closed() => return,
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}
