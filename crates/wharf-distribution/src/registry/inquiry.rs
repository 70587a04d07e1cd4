//! The requests of one operation: to one registry, and to where it leads.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, LOCATION,
    PROXY_AUTHORIZATION, RANGE, USER_AGENT,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use wharf_plugin::{ByteSize, ImageReference, RegistryHost};

use super::connect::{Connection, Errand, broken};
use super::credentials::Credentials;
use super::error::words;
use super::patience::Patience;
use super::settings::RegistryLimits;
use super::url::{Origin, Url};
use super::{RegistryClient, RegistryError};

const AGENT: HeaderValue = HeaderValue::from_static(concat!("wharf/", env!("CARGO_PKG_VERSION")));

/// The requests of one operation. Connections are kept as long as it lasts, and shared with no other: so no redirect of
/// one registry uses a connection that was allowed for another.
pub(super) struct Inquiry<'c> {
    pub(super) client: &'c RegistryClient,
    host: &'c RegistryHost,
    repository: &'c str,
    /// Where the registry is.
    place: Option<IpAddr>,
    connections: Vec<(Origin, Connection)>,
    /// What is sent to the registry.
    pub(super) authorization: Option<HeaderValue>,
    pub(super) with_credentials: bool,
    /// What the registry is told who asks, in place of what Docker's `config.json` has.
    pub(super) given: Option<Credentials>,
    /// What is done in the repository.
    pub(super) actions: Actions,
    /// Whether the host is a registry, which may want to know who asks, and not just a server.
    is_registry: bool,
    /// How often what fails is tried again. Not at all, where there is none.
    pub(super) patience: Option<Patience>,
}

/// What is done in a repository, for which tokens are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Actions {
    Pull,
    Push,
}

/// An answer, with as much of its body as may be.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Who gave it.
    pub(super) host: String,
}

/// What came back.
pub(super) enum Responded {
    /// An answer whose body is still to be read, and the request that was answered in the end.
    Begun(Response<Incoming>, Box<Ask>),
    /// A refusal that was read already.
    Whole(Answer),
}

/// What is sent with a request.
#[derive(Clone)]
pub(super) enum Payload {
    Nothing,
    /// A form with a credential in it.
    Form(String),
    /// Bytes of a media type.
    Bytes(&'static str, Bytes),
}

/// What is asked of whom.
#[derive(Clone)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) accept: &'static str,
    /// For the origin of `url` alone.
    pub(super) authorization: Option<HeaderValue>,
    pub(super) payload: Payload,
    /// The first byte that is wanted, where it is not the first of all.
    pub(super) from: u64,
    /// What the body of a good answer is, and its most bytes.
    pub(super) most: (&'static str, ByteSize),
}

impl Actions {
    /// As the scope of a token has it.
    pub(super) fn in_scope(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "pull,push",
        }
    }
}

impl Ask {
    /// A request without a body, for all of what is there.
    pub(super) fn new(
        method: Method,
        url: Url,
        accept: &'static str,
        most: (&'static str, ByteSize),
    ) -> Self {
        Self {
            method,
            url,
            accept,
            authorization: None,
            payload: Payload::Nothing,
            from: 0,
            most,
        }
    }
}

impl Answer {
    /// A header that is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All headers of a name that are text.
    pub(super) fn headers(&self, name: &http::HeaderName) -> impl Iterator<Item = &str> {
        let all = self.headers.get_all(name).iter();
        all.filter_map(|value| value.to_str().ok())
    }
}

impl<'c> Inquiry<'c> {
    pub(super) fn new(client: &'c RegistryClient, image: &'c ImageReference) -> Self {
        Self {
            client,
            host: image.host(),
            repository: image.repository(),
            place: None,
            connections: Vec::new(),
            authorization: None,
            with_credentials: false,
            given: None,
            actions: Actions::Pull,
            is_registry: true,
            patience: None,
        }
    }

    /// The requests to a server that is no registry, and is told of no credentials.
    pub(super) fn of_server(client: &'c RegistryClient, host: &'c RegistryHost) -> Self {
        Self {
            client,
            host,
            repository: "",
            place: None,
            connections: Vec::new(),
            authorization: None,
            with_credentials: false,
            given: None,
            actions: Actions::Pull,
            is_registry: false,
            patience: None,
        }
    }

    /// A registry itself, and none of its repositories.
    pub(super) fn of_registry(client: &'c RegistryClient, host: &'c RegistryHost) -> Self {
        Self {
            is_registry: true,
            ..Self::of_server(client, host)
        }
    }

    pub(super) fn host(&self) -> &RegistryHost {
        self.host
    }

    pub(super) fn repository(&self) -> &str {
        self.repository
    }

    pub(super) fn has_credentials(&self) -> bool {
        self.with_credentials
    }

    pub(super) fn limits(&self) -> &'c RegistryLimits {
        &self.client.limits
    }

    /// Asks the registry. Where it wants to know who asks, that is told once.
    pub(super) async fn ask(
        &mut self,
        method: &Method,
        path: &str,
        accept: &'static str,
        most: (&'static str, ByteSize),
    ) -> Result<Answer, RegistryError> {
        let ask = Ask::new(method.clone(), self.url(path)?, accept, most);
        self.ask_for(ask).await
    }

    /// The same for any request.
    pub(super) async fn ask_for(&mut self, ask: Ask) -> Result<Answer, RegistryError> {
        match Box::pin(self.respond(ask)).await? {
            Responded::Begun(response, ask) => self.receive(response, &ask).await,
            Responded::Whole(answer) => Ok(answer),
        }
    }

    /// A URL of the registry.
    pub(super) fn url(&self, path: &str) -> Result<Url, RegistryError> {
        Ok(Url {
            origin: self.registry()?,
            target: path.to_owned(),
        })
    }

    /// The beginning of the answer to a request. Where the registry wants to know
    /// who asks, that is told once; what fails for a while is tried again as often as patience lets.
    pub(super) async fn respond(&mut self, ask: Ask) -> Result<Responded, RegistryError> {
        let registry = self.registry()?;
        let to_registry = self.is_registry && ask.url.origin == registry;
        if to_registry
            && self.authorization.is_none()
            && let Some(known) = self.client.tokens.find(self.host, self.repository, self.actions)
        {
            self.authorization = Some(known.authorization);
            self.with_credentials = known.with_credentials;
        }
        let mut was_challenged = false;
        let mut tries = 0;
        loop {
            let mut ask = ask.clone();
            if to_registry {
                ask.authorization = self.authorization.clone();
            }
            let repeatable = matches!(ask.method, Method::GET | Method::HEAD);
            let (response, answered) = match self.follow_to(ask).await {
                Ok(found) => found,
                Err(error) if repeatable && self.waits_after(&error, &mut tries).await => continue,
                Err(error) => return Err(error),
            };
            let is_challenge = response.status() == StatusCode::UNAUTHORIZED
                && to_registry
                && answered.url.origin == registry;
            if is_challenge && !was_challenged {
                was_challenged = true;
                let challenge = self.receive(response, &answered).await?;
                self.authorize(&challenge).await?;
                if self.authorization.is_none() {
                    return Ok(Responded::Whole(challenge));
                }
                continue;
            }
            if repeatable && self.waits_after_status(&response, &mut tries).await {
                continue;
            }
            return Ok(Responded::Begun(response, Box::new(answered)));
        }
    }

    fn registry(&self) -> Result<Origin, RegistryError> {
        let is_tls = !self.is_plain(self.host);
        Origin::of(self.host, is_tls).ok_or_else(|| RegistryError::NoAddress {
            host: self.host.as_str().into(),
            reason: "it is no host".into(),
        })
    }

    fn is_plain(&self, host: &RegistryHost) -> bool {
        self.client
            .hosts
            .get(host)
            .is_some_and(|settings| settings.plain_http)
    }

    /// Whether a deployer let somebody be asked over plain HTTP.
    pub(super) fn may_be_plain(&self, origin: &Origin) -> bool {
        origin.names().any(|name| self.is_plain(&name))
    }

    /// Sends a request and goes where the answers lead.
    pub(super) async fn follow(&mut self, ask: Ask) -> Result<Answer, RegistryError> {
        let (response, ask) = self.follow_to(ask).await?;
        self.receive(response, &ask).await
    }

    /// Sends a request and goes where the answers lead, so often and no more. Credentials stay with the first origin.
    async fn follow_to(&mut self, mut ask: Ask) -> Result<(Response<Incoming>, Ask), RegistryError> {
        let first = ask.url.origin.clone();
        for _ in 0..=self.limits().redirects {
            let response = self.send(&ask).await?;
            let Some(location) = redirect(&response) else {
                return Ok((response, ask));
            };
            let next = self.next(&ask.url, location)?;
            if next.origin != first {
                match ask.payload {
                    Payload::Nothing => {}
                    Payload::Form(_) => {
                        return Err(self.not_followed(&next, "what is sent has a credential in it"));
                    }
                    Payload::Bytes(..) => {
                        return Err(self.not_followed(&next, "what is pushed goes to the registry alone"));
                    }
                }
                ask.authorization = None;
            }
            ask.url = next;
        }
        Err(self.not_followed(&ask.url, "there are too many redirects"))
    }

    /// Where an answer from there leads.
    pub(super) fn next(&self, from: &Url, location: &HeaderValue) -> Result<Url, RegistryError> {
        let text = String::from_utf8_lossy(location.as_bytes());
        let next = from.join(&text).ok_or_else(|| RegistryError::Redirect {
            host: self.host.authority().into(),
            to: words(text.split('?').next().unwrap_or_default()),
            reason: "it is no URL of HTTP",
        })?;
        if !next.origin.is_tls && !self.may_be_plain(&next.origin) {
            return Err(self.not_followed(
                &next,
                "it is plain HTTP, which the configuration does not name it for",
            ));
        }
        Ok(next)
    }

    fn not_followed(&self, to: &Url, reason: &'static str) -> RegistryError {
        RegistryError::Redirect {
            host: self.host.authority().into(),
            to: words(&to.to_string()),
            reason,
        }
    }

    async fn send(&mut self, ask: &Ask) -> Result<Response<Incoming>, RegistryError> {
        let origin = &ask.url.origin;
        let mut connection = self.connection(origin).await?;
        let request = request(ask, &connection)?;
        let sending = connection.sender.send_request(request);
        // What takes its time is the sending of a large body.
        let sent = match ask.payload {
            Payload::Bytes(..) => sending.await,
            _ => self.without_idling(origin, sending).await?,
        };
        let response = sent.map_err(|error| broken(origin, &error))?;
        self.connections.push((origin.clone(), connection));
        Ok(response)
    }

    /// A connection that is there and at leisure, or a new one.
    async fn connection(&mut self, origin: &Origin) -> Result<Connection, RegistryError> {
        while let Some(index) = self.connections.iter().position(|(other, _)| other == origin) {
            let (_, mut kept) = self.connections.swap_remove(index);
            if kept.sender.ready().await.is_ok() {
                return Ok(kept);
            }
        }
        let is_registry = self.registry()? == *origin;
        let errand = Errand {
            registry: self.host,
            is_registry,
            place: self.place,
        };
        let (connection, address) = self.client.connect(origin, &errand).await?;
        if is_registry {
            self.place = address;
        }
        Ok(connection)
    }

    /// Reads the body: of a good answer all or an error, of another the beginning.
    pub(super) async fn receive(
        &self,
        response: Response<Incoming>,
        ask: &Ask,
    ) -> Result<Answer, RegistryError> {
        let origin = &ask.url.origin;
        let (head, mut incoming) = response.into_parts();
        let (what, limit) = ask.most;
        let is_good = head.status.is_success();
        let most = if is_good { limit } else { self.limits().other };
        let said = head
            .headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok());
        let said = said.and_then(|length| length.parse::<u64>().ok()).unwrap_or(0);
        if is_good && ask.method != Method::HEAD && said > most.bytes() {
            return Err(RegistryError::too_large(what, limit));
        }
        let mut body = Vec::new();
        while let Some(frame) = self.without_idling(origin, incoming.frame()).await? {
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) if is_good => return Err(broken(origin, &error)),
                // The status is what counts.
                Err(_) => break,
            };
            let data = frame.into_data().unwrap_or_default();
            if body.len() + data.len() > most.as_usize() {
                if is_good {
                    return Err(RegistryError::too_large(what, limit));
                }
                break;
            }
            body.extend_from_slice(&data);
        }
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
            host: origin.authority(),
        })
    }
}

/// Where an answer leads, if anywhere.
fn redirect(response: &Response<Incoming>) -> Option<&HeaderValue> {
    let leads = [
        StatusCode::MOVED_PERMANENTLY,
        StatusCode::FOUND,
        StatusCode::SEE_OTHER,
        StatusCode::TEMPORARY_REDIRECT,
        StatusCode::PERMANENT_REDIRECT,
    ];
    let location = response.headers().get(LOCATION);
    location.filter(|_| leads.contains(&response.status()))
}

fn request(ask: &Ask, connection: &Connection) -> Result<Request<Full<Bytes>>, RegistryError> {
    let origin = &ask.url.origin;
    let target = match connection.through {
        Some(_) => format!("{origin}{}", ask.url.target),
        None => ask.url.target.clone(),
    };
    let mut request = Request::builder()
        .method(ask.method.clone())
        .uri(target)
        .header(HOST, origin.authority())
        .header(USER_AGENT, AGENT)
        .header(ACCEPT, ask.accept)
        .header(ACCEPT_ENCODING, "identity");
    if ask.from > 0 {
        request = request.header(RANGE, format!("bytes={}-", ask.from));
    }
    if let Some(Some(authorization)) = &connection.through {
        request = request.header(PROXY_AUTHORIZATION, authorization);
    }
    if let Some(authorization) = &ask.authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    let body = match &ask.payload {
        Payload::Nothing => Bytes::new(),
        Payload::Form(form) => {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
            Bytes::from(form.clone())
        }
        Payload::Bytes(media_type, bytes) => {
            request = request.header(CONTENT_TYPE, *media_type);
            bytes.clone()
        }
    };
    let malformed = |error: http::Error| RegistryError::Redirect {
        host: Arc::from(origin.authority()),
        to: words(&ask.url.to_string()),
        reason: if error.is::<http::uri::InvalidUri>() {
            "it is no URL of HTTP"
        } else {
            "it cannot be asked for"
        },
    };
    request.body(Full::new(body)).map_err(malformed)
}
