//! Who one is to a registry: its challenge, credentials, and tokens.
//!
//! ```text
//! GET /v2/… ─► 401, WWW-Authenticate: Bearer realm="https://auth.example/token",service="registry.example"
//!   GET realm?service=…&scope=repository:REPOSITORY:pull   (`pull,push` for what is pushed) with the credentials for the registry, or without any
//!   POST realm   grant_type=refresh_token&…                where the credentials are an identity token
//! GET /v2/… Authorization: Bearer TOKEN
//! ```

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use wharf_plugin::RegistryHost;

use super::RegistryError;
use super::credentials::Credentials;
use super::error::words;
use super::inquiry::{Actions, Answer, Ask, Inquiry, Payload};
use super::refusal;
use super::url::Url;

/// How long a token lives that does not say so.
const SHORT_LIFE: Duration = Duration::from_secs(60);
/// How long a token is used at most.
const LONG_LIFE: Duration = Duration::from_secs(3600);
/// So much before its end a token is not used any more.
const MARGIN: Duration = Duration::from_secs(10);
/// How many tokens are kept.
const MOST_TOKENS: usize = 256;
/// The most bytes of a token.
const MOST_TOKEN: usize = 32 << 10;
/// What is kept as it is in queries.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Tokens that can be used again, by registry, repository and what may be done with them.
#[derive(Default)]
pub(super) struct Tokens(Mutex<HashMap<For, Token>>);

/// What a token is for.
type For = (RegistryHost, String, Actions);

struct Token {
    known: Known,
    until: Instant,
}

/// What a registry was told and took.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) authorization: HeaderValue,
    pub(super) with_credentials: bool,
}

impl Tokens {
    pub(super) fn find(&self, host: &RegistryHost, repository: &str, actions: Actions) -> Option<Known> {
        let tokens = self.lock();
        let token = tokens.get(&(host.clone(), repository.to_owned(), actions))?;
        (token.until > Instant::now()).then(|| token.known.clone())
    }

    fn keep(&self, key: For, known: Known, life: Duration) {
        let now = Instant::now();
        let mut tokens = self.lock();
        if tokens.len() >= MOST_TOKENS {
            tokens.retain(|_, token| token.until > now);
        }
        if tokens.len() >= MOST_TOKENS {
            tokens.clear();
        }
        let until = now + life.saturating_sub(MARGIN);
        tokens.insert(key, Token { known, until });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<For, Token>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One way in which a registry wants to know who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Challenge {
    scheme: String,
    parameters: Vec<(String, String)>,
}

/// A token server's answer.
#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Inquiry<'_> {
    /// Finds out what to tell the registry after its challenge. Nothing is told where there is nothing to tell.
    pub(super) async fn authorize(&mut self, challenge: &Answer) -> Result<(), RegistryError> {
        self.authorization = None;
        let challenges: Vec<Challenge> = challenge.headers(&WWW_AUTHENTICATE).flat_map(parse).collect();
        let credentials = match &self.given {
            Some(given) => given.clone(),
            None => self.client.credentials(self.host(), self.repository()).await?,
        };
        self.with_credentials = !matches!(credentials, Credentials::None);
        let named = |scheme: &str| challenges.iter().find(|challenge| challenge.scheme == scheme);
        if let (Some(_), Credentials::RegistryToken(token)) = (named("bearer"), &credentials) {
            self.authorization = Some(self.header(&format!("Bearer {token}"))?);
        } else if let Some(bearer) = named("bearer") {
            let (token, life) = self.token(bearer, &credentials).await?;
            let known = Known {
                authorization: self.header(&format!("Bearer {token}"))?,
                with_credentials: self.with_credentials,
            };
            self.authorization = Some(known.authorization.clone());
            // Credentials that are only tried are nobody else's.
            if self.given.is_none() {
                let key = (self.host().clone(), self.repository().to_owned(), self.actions);
                self.client.tokens.keep(key, known, life);
            }
        } else if let (Some(_), Credentials::Password { user, password }) = (named("basic"), &credentials) {
            self.authorization = Some(self.header(&basic(user, password))?);
        }
        Ok(())
    }

    /// Asks the token server that the registry names.
    async fn token(
        &mut self,
        bearer: &Challenge,
        credentials: &Credentials,
    ) -> Result<(String, Duration), RegistryError> {
        let realm = bearer.parameter("realm").unwrap_or_default();
        let url =
            Url::parse(realm).ok_or_else(|| self.no_login("its challenge names no token server by a URL"))?;
        if !url.origin.is_tls && !self.may_be_plain(&url.origin) {
            let reason = format!(
                "its token server {} is plain HTTP, which the configuration does not name it for",
                url.origin
            );
            return Err(self.no_login(&reason));
        }
        let server: Arc<str> = words(&url.origin.authority());
        let ask = self.token_request(url, bearer.parameter("service"), credentials)?;
        let answer = self.follow(ask).await?;
        if !answer.status.is_success() {
            return Err(RegistryError::TokenRefused {
                host: self.host().authority().into(),
                server,
                status: answer.status.as_u16(),
                said: refusal::read(&answer).1,
            });
        }
        self.read_token(&answer)
    }

    fn token_request(
        &self,
        mut url: Url,
        service: Option<&str>,
        credentials: &Credentials,
    ) -> Result<Ask, RegistryError> {
        let mut pairs = Vec::new();
        pairs.extend(service.map(|service| ("service", service.to_owned())));
        if !self.repository().is_empty() {
            let scope = format!("repository:{}:{}", self.repository(), self.actions.in_scope());
            pairs.push(("scope", scope));
        }
        let most = ("the token server's answer", self.limits().other);
        let mut ask = Ask::new(Method::GET, url.clone(), "application/json", most);
        if let Credentials::IdentityToken(token) = credentials {
            pairs.push(("grant_type", "refresh_token".into()));
            pairs.push(("client_id", "wharf".into()));
            pairs.push(("refresh_token", token.clone()));
            ask.method = Method::POST;
            ask.payload = Payload::Form(encode(&pairs));
            return Ok(ask);
        }
        if let Credentials::Password { user, password } = credentials {
            ask.authorization = Some(self.header(&basic(user, password))?);
        }
        let separator = if url.target.contains('?') { '&' } else { '?' };
        url.target = format!("{}{separator}{}", url.target, encode(&pairs));
        ask.url = url;
        Ok(ask)
    }

    fn read_token(&self, answer: &Answer) -> Result<(String, Duration), RegistryError> {
        let read: TokenAnswer = serde_json::from_slice(&answer.body)
            .map_err(|_| self.no_login("its token server's answer is not what the specification has"))?;
        let token = read.token.filter(|token| !token.is_empty()).or(read.access_token);
        let token = token
            .filter(|token| !token.is_empty() && token.len() <= MOST_TOKEN)
            .ok_or_else(|| self.no_login("its token server gives no token that can be used"))?;
        let life = read.expires_in.map_or(SHORT_LIFE, Duration::from_secs);
        Ok((token, life.clamp(SHORT_LIFE, LONG_LIFE)))
    }

    fn header(&self, value: &str) -> Result<HeaderValue, RegistryError> {
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| self.no_login("a credential or token has characters that cannot be sent"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn no_login(&self, reason: &str) -> RegistryError {
        RegistryError::Login {
            host: self.host().authority().into(),
            reason: words(reason),
        }
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

fn encode(pairs: &[(&str, String)]) -> String {
    let pairs = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, KEPT)));
    pairs.collect::<Vec<_>>().join("&")
}

impl Challenge {
    fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The challenges of one header: `Bearer realm="…",service="…", Basic realm="…"`.
fn parse(header: &str) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([',', ' ', '\t']);
        let word_end = rest.find(|c: char| !is_token(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(word_end);
        if word.is_empty() {
            return challenges;
        }
        match after.trim_start().strip_prefix('=') {
            Some(value) => {
                let (value, after) = parameter_value(value.trim_start());
                if let Some(challenge) = challenges.last_mut() {
                    challenge.parameters.push((word.to_ascii_lowercase(), value));
                }
                rest = after;
            }
            None => {
                challenges.push(Challenge {
                    scheme: word.to_ascii_lowercase(),
                    parameters: Vec::new(),
                });
                rest = after;
            }
        }
    }
}

/// The value of a parameter, and what follows it.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: &str, expected: &[(&str, &[(&str, &str)])]) {
        let owned = |(scheme, parameters): &(&str, &[(&str, &str)])| Challenge {
            scheme: (*scheme).to_owned(),
            parameters: parameters
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        let expected: Vec<Challenge> = expected.iter().map(owned).collect();
        assert_eq!(parse(header), expected, "{header}");
    }

    #[test]
    fn challenges_are_read() {
        check("Basic realm=\"a b, c\"", &[("basic", &[("realm", "a b, c")])]);
        check(
            "Bearer realm=\"https://auth.example/token\",service=\"registry\", scope=repository:a:pull",
            &[(
                "bearer",
                &[
                    ("realm", "https://auth.example/token"),
                    ("service", "registry"),
                    ("scope", "repository:a:pull"),
                ],
            )],
        );
        check(
            "Negotiate, BEARER Realm = \"a\\\"b\" , Basic realm=x",
            &[
                ("negotiate", &[]),
                ("bearer", &[("realm", "a\"b")]),
                ("basic", &[("realm", "x")]),
            ],
        );
    }

    #[test]
    fn hostile_challenges_are_read_as_far_as_they_go() {
        check("", &[]);
        check("realm=\"x\"", &[]);
        check("Bearer realm=\"unclosed", &[("bearer", &[("realm", "unclosed")])]);
        check("Bearer realm=\"\\", &[("bearer", &[("realm", "")])]);
        check("Bearer =x", &[]);
        check("\"Bearer\"", &[]);
        let many = "a,".repeat(30_000);
        assert_eq!(parse(&many).len(), 30_000);
    }
}
