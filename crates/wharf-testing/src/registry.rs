//! A registry of images that answers as the OCI distribution specification demands, but for the faults that it is given.

mod pushed;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wharf_plugin::Digest;

use crate::message::Received;
use crate::origin::{Conversation, Origin, scripted_origin};

/// The media type of an image's manifest.
pub const IMAGE_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of an index.
pub const IMAGE_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A running registry. It stops accepting when it is dropped.
pub struct Registry {
    origin: Origin,
    content: Arc<Mutex<BTreeMap<String, Content>>>,
}

/// A registry that is being described.
#[derive(Default)]
pub struct RegistryBuilder {
    content: Arc<Mutex<BTreeMap<String, Content>>>,
    faults: Vec<Planned>,
    login: Option<Login>,
    ignores_ranges: bool,
}

/// A fault, and whom it befalls.
struct Planned {
    part: String,
    fault: Fault,
    /// How often it is still to come; none for always.
    left: Option<AtomicUsize>,
}

#[derive(Clone)]
struct Content {
    media_type: String,
    digest: String,
    bytes: Vec<u8>,
}

/// How the registry wants to know who asks.
#[derive(Clone)]
struct Login {
    /// The value of `WWW-Authenticate`; `{address}` in it is the registry's own.
    challenge: String,
    /// The `Authorization` that the token server wants; none for one that gives tokens to everybody.
    authorization: Option<String>,
}

/// What is wrong with the answer to a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// A status with these headers, as they stand in a message, and this body.
    Status(u16, &'static str, &'static str),
    /// These bytes under the digest and media type of the right ones.
    Bytes(Vec<u8>),
    /// Another media type.
    MediaType(&'static str),
    /// Another digest in the header.
    Digest(String),
    /// No digest in the header.
    NoDigest,
    /// A body that has no end, in chunks of 64 KiB.
    Endless,
    /// A `content-length` of so much, and nothing behind it.
    Length(u64),
    /// One byte after the other.
    Pieces,
    /// Half of the body, and then nothing.
    Stall,
    /// Half of the body, and then the end of the connection.
    Cut,
    /// Half of the body, and then the good end of a body in chunks.
    Short,
    /// All of the body, and then a little more, in chunks.
    Long,
    /// A body in chunks, without its length.
    Chunked,
    /// Another part than was asked for.
    OtherPart,
    /// These headers beside the right ones.
    Header(&'static str),
    /// A redirect; `{address}` in it is the registry's own.
    Redirect(String),
}

/// Begins to describe one.
pub fn registry() -> RegistryBuilder {
    RegistryBuilder::default()
}

/// The digest of some bytes as registries write it.
pub fn digest_of(bytes: impl AsRef<[u8]>) -> String {
    Digest::of(bytes.as_ref()).to_string()
}

/// The text of an image's manifest whose configuration has these bytes. It has no layers.
pub fn image_manifest(config: &[u8]) -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{IMAGE_MANIFEST}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},"layers":[]}}"#,
        digest_of(config),
        config.len()
    )
}

impl RegistryBuilder {
    /// Adds a manifest by its tag and its digest.
    #[must_use]
    pub fn manifest(self, repository: &str, tag: &str, media_type: &str, text: impl Into<Vec<u8>>) -> Self {
        let bytes = text.into();
        let content = Content {
            media_type: media_type.to_owned(),
            digest: digest_of(&bytes),
            bytes,
        };
        for name in [tag, &content.digest] {
            let path = format!("/v2/{repository}/manifests/{name}");
            self.lock().insert(path, content.clone());
        }
        self
    }

    /// Adds an image by its tag and its digest, with this configuration.
    #[must_use]
    pub fn image(self, repository: &str, tag: &str, config: &str) -> Self {
        let manifest = image_manifest(config.as_bytes());
        self.manifest(repository, tag, IMAGE_MANIFEST, manifest)
            .blob(repository, config)
    }

    /// Adds a blob.
    #[must_use]
    pub fn blob(self, repository: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let digest = digest_of(&bytes);
        let content = Content {
            media_type: "application/octet-stream".into(),
            digest: digest.clone(),
            bytes,
        };
        self.lock()
            .insert(format!("/v2/{repository}/blobs/{digest}"), content);
        self
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Content>> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers at this path with these bytes, for what is no part of a registry.
    #[must_use]
    pub fn file(self, path: &str, media_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let content = Content {
            media_type: media_type.into(),
            digest: digest_of(&bytes),
            bytes,
        };
        self.lock().insert(path.to_owned(), content);
        self
    }

    /// Always gives the whole, also where a part is asked for.
    #[must_use]
    pub fn ignoring_ranges(mut self) -> Self {
        self.ignores_ranges = true;
        self
    }

    /// Whatever is asked for with `METHOD PATH` that has this in it has this fault; the first that fits counts.
    #[must_use]
    pub fn fault(mut self, part: &str, fault: Fault) -> Self {
        self.faults.push(Planned {
            part: part.to_owned(),
            fault,
            left: None,
        });
        self
    }

    /// The same for so many requests only; those that follow get a good answer, or the fault that fits next.
    #[must_use]
    pub fn fault_times(mut self, times: usize, part: &str, fault: Fault) -> Self {
        self.faults.push(Planned {
            part: part.to_owned(),
            fault,
            left: Some(AtomicUsize::new(times)),
        });
        self
    }

    /// Wants a token of its own token server, `/token`, which gives one to whoever comes with this `Authorization`, or to
    /// everybody.
    #[must_use]
    pub fn token(self, authorization: Option<&str>) -> Self {
        let challenge = r#"Bearer realm="http://{address}/token",service="fake",scope="repository:*:*""#;
        self.challenge(challenge, authorization)
    }

    /// Wants what this challenge says; `{address}` in it is the registry's own. With `Basic` it is this `Authorization`.
    #[must_use]
    pub fn challenge(mut self, challenge: &str, authorization: Option<&str>) -> Self {
        self.login = Some(Login {
            challenge: challenge.to_owned(),
            authorization: authorization.map(str::to_owned),
        });
        self
    }

    /// Starts it, for plain HTTP.
    pub fn start(self) -> Registry {
        let content = Arc::clone(&self.content);
        let origin = scripted_origin(move |mut conversation| {
            while let Some(request) = conversation.request() {
                if !self.answer(&mut conversation, &request) {
                    return;
                }
            }
        });
        Registry { origin, content }
    }

    /// Answers a request. False where the connection is of no more use.
    fn answer(&self, conversation: &mut Conversation, request: &Received) -> bool {
        let address = request.header("host").unwrap_or_default().to_owned();
        let path = request.target.split('?').next().unwrap_or_default();
        let line = format!("{} {path}", request.method);
        let fault = self
            .faults
            .iter()
            .find(|planned| line.contains(&planned.part) && planned.comes())
            .map(|planned| &planned.fault);
        if let Some(Fault::Status(status, headers, body)) = fault {
            return conversation.send(message(*status, headers, body.as_bytes(), request));
        }
        if let Some(Fault::Redirect(to)) = fault {
            let location = format!("location: {}\r\n", to.replace("{address}", &address));
            return conversation.send(message(307, &location, b"", request));
        }
        if path == "/token" {
            return conversation.send(self.give_token(request));
        }
        if let Some(challenge) = self.wanted_of(request) {
            let header = format!(
                "www-authenticate: {}\r\n",
                challenge.replace("{address}", &address)
            );
            let body = br#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
            return conversation.send(message(401, &header, body, request));
        }
        if path == "/v2/" {
            return conversation.send(message(200, "content-type: application/json\r\n", b"{}", request));
        }
        if let Some(answer) = self.push(path, request) {
            return conversation.send(answer);
        }
        let content = self.lock().get(path).cloned();
        match content {
            Some(content) => {
                let from = if self.ignores_ranges {
                    0
                } else {
                    first_wanted(request)
                };
                give(conversation, &content, from, fault, request)
            }
            None => conversation.send(self.missing(path, request)),
        }
    }

    fn give_token(&self, request: &Received) -> Vec<u8> {
        let wanted = self
            .login
            .as_ref()
            .and_then(|login| login.authorization.as_deref());
        if wanted.is_some() && request.header("authorization") != wanted {
            let body = br#"{"errors":[{"code":"UNAUTHORIZED","message":"no such user"}]}"#;
            return message(401, "", body, request);
        }
        let body = br#"{"token":"the-token","expires_in":300}"#;
        message(200, "content-type: application/json\r\n", body, request)
    }

    /// The challenge, where the request does not come with what is wanted.
    fn wanted_of(&self, request: &Received) -> Option<&str> {
        let login = self.login.as_ref()?;
        let given = request.header("authorization");
        let is_good = match login.challenge.starts_with("Basic") {
            true => given == login.authorization.as_deref(),
            false => given == Some("Bearer the-token"),
        };
        (!is_good).then_some(login.challenge.as_str())
    }

    fn missing(&self, path: &str, request: &Received) -> Vec<u8> {
        let repository = path.rsplitn(3, '/').last().unwrap_or_default();
        let is_known = self
            .lock()
            .keys()
            .any(|known| known.starts_with(&format!("{repository}/")));
        let code = match (is_known, path.contains("/blobs/")) {
            (false, _) => "NAME_UNKNOWN",
            (true, true) => "BLOB_UNKNOWN",
            (true, false) => "MANIFEST_UNKNOWN",
        };
        let body = format!(r#"{{"errors":[{{"code":"{code}","message":"unknown"}}]}}"#);
        message(
            404,
            "content-type: application/json\r\n",
            body.as_bytes(),
            request,
        )
    }
}

impl Planned {
    /// Whether it comes this time.
    fn comes(&self) -> bool {
        let Some(left) = &self.left else { return true };
        let less = |left: usize| left.checked_sub(1);
        left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
            .is_ok()
    }
}

/// The first byte that is asked for.
fn first_wanted(request: &Received) -> usize {
    let range = request.header("range").unwrap_or_default();
    let first = range
        .strip_prefix("bytes=")
        .and_then(|range| range.strip_suffix('-'));
    first.and_then(|first| first.parse().ok()).unwrap_or(0)
}

/// Gives what there is, with its fault.
fn give(
    conversation: &mut Conversation,
    content: &Content,
    from: usize,
    fault: Option<&Fault>,
    request: &Received,
) -> bool {
    let mut content = content.clone();
    let mut digest = Some(content.digest.clone());
    match fault {
        Some(Fault::Bytes(bytes)) => content.bytes.clone_from(bytes),
        Some(Fault::MediaType(media_type)) => content.media_type = (*media_type).to_owned(),
        Some(Fault::Digest(other)) => digest = Some(other.clone()),
        Some(Fault::NoDigest) => digest = None,
        _ => {}
    }
    let mut headers = format!("content-type: {}\r\n", content.media_type);
    if let Some(digest) = digest {
        headers += &format!("docker-content-digest: {digest}\r\n");
    }
    if let Some(Fault::Header(more)) = fault {
        headers += more;
    }
    let total = content.bytes.len();
    if from >= total && from > 0 {
        return conversation.send(message(416, "", b"", request));
    }
    let status = if from > 0 { 206 } else { 200 };
    let said = from + usize::from(matches!(fault, Some(Fault::OtherPart)));
    if from > 0 {
        content.bytes.drain(..from);
        headers += &format!("content-range: bytes {said}-{}/{total}\r\n", total - 1);
    }
    let whole = message(status, &headers, &content.bytes, request);
    // The answer to HEAD has no body.
    let half = whole.len().saturating_sub(content.bytes.len().div_ceil(2));
    match fault {
        _ if request.method == "HEAD" => conversation.send(whole),
        Some(Fault::Endless) => endless(conversation, &headers),
        Some(Fault::Length(length)) => {
            conversation.send(format!(
                "HTTP/1.1 200 -\r\n{headers}content-length: {length}\r\n\r\n"
            ));
            conversation.wait_for_close();
            false
        }
        Some(Fault::Pieces) => whole.iter().all(|byte| conversation.send([*byte])),
        Some(Fault::Stall) => {
            conversation.send(&whole[..half]);
            conversation.wait_for_close();
            false
        }
        Some(Fault::Short) => {
            let (half, _) = content.bytes.split_at(total / 2);
            conversation.send(chunked(status, &headers, half))
        }
        Some(Fault::Long) => {
            let more = [content.bytes.as_slice(), b"more"].concat();
            conversation.send(chunked(status, &headers, &more))
        }
        Some(Fault::Chunked) => conversation.send(chunked(status, &headers, &content.bytes)),
        Some(Fault::Cut) => {
            conversation.send(&whole[..half]);
            false
        }
        _ => conversation.send(whole),
    }
}

fn chunked(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} -\r\n{headers}transfer-encoding: chunked\r\n\r\n");
    let mut message = head.into_bytes();
    for chunk in body.chunks(8192) {
        message.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        message.extend_from_slice(chunk);
        message.extend_from_slice(b"\r\n");
    }
    message.extend_from_slice(b"0\r\n\r\n");
    message
}

fn endless(conversation: &mut Conversation, headers: &str) -> bool {
    conversation.send(format!(
        "HTTP/1.1 200 -\r\n{headers}transfer-encoding: chunked\r\n\r\n"
    ));
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    while conversation.send(&chunk) {}
    false
}

fn message(status: u16, headers: &str, body: &[u8], request: &Received) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status} -\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    let sent = if request.method == "HEAD" { &[][..] } else { body };
    [head.as_bytes(), sent].concat()
}

impl Registry {
    /// What was pushed, or is there from the beginning, at a path: `/v2/app/manifests/1`.
    pub fn content(&self, path: &str) -> Option<Vec<u8>> {
        let content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        content.get(path).map(|content| content.bytes.clone())
    }

    /// Gives a tag another manifest.
    pub fn retag(&self, repository: &str, tag: &str, media_type: &str, text: impl Into<Vec<u8>>) {
        let bytes = text.into();
        let content = Content {
            media_type: media_type.to_owned(),
            digest: digest_of(&bytes),
            bytes,
        };
        let mut all = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        for name in [tag, content.digest.as_str()] {
            all.insert(format!("/v2/{repository}/manifests/{name}"), content.clone());
        }
    }

    /// Takes away what is at a path.
    pub fn remove(&self, path: &str) {
        let mut all = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(path);
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.origin.address()
    }

    /// Every request that was received as a whole.
    pub fn received(&self) -> Vec<Received> {
        self.origin.received()
    }

    /// The methods and targets of all requests so far, in their order.
    pub fn asked(&self) -> Vec<String> {
        let received = self.origin.received();
        received
            .into_iter()
            .map(|request| format!("{} {}", request.method, request.target))
            .collect()
    }
}
