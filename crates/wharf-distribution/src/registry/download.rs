//! Large blobs, piece by piece into a sink: begun where an earlier download broke off, and checked as a whole.

use std::io;
use std::time::Duration;

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::Instant;
use wharf_plugin::{ByteSize, ContentDigest, RegistryHost};

use super::error::words;
use super::inquiry::{Answer, Ask, Inquiry, Responded};
use super::patience::Patience;
use super::refusal::Wanted;
use super::url::Url;
use super::{RegistryClient, RegistryError};
use crate::FetchLimits;

/// A download that gets on by so much is worth another try, however often it broke off.
const WORTH_ANOTHER: u64 = 1 << 20;

/// Where the bytes of a blob go.
pub(crate) trait Sink: Send {
    /// How many it has.
    fn length(&self) -> u64;
    /// Forgets them all.
    fn restart(&mut self) -> io::Result<()>;
    /// Takes more.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// The digest of what it has, by the algorithm that is wanted.
    fn digest(&self) -> ContentDigest;
}

/// What is to be downloaded.
pub(crate) struct Download<'a> {
    pub(crate) what: &'static str,
    pub(crate) digest: &'a ContentDigest,
    /// How many bytes it is said to have, where somebody says so.
    pub(crate) size: Option<u64>,
    pub(crate) most: ByteSize,
    /// How long all of it may take, and nothing at all may come; how often what fails is tried again.
    pub(crate) whole: Duration,
    pub(crate) idle: Duration,
    pub(crate) retries: u32,
    /// Hears of the bytes that are there, and of how many there will be.
    pub(crate) progress: &'a (dyn Fn(u64, Option<u64>) + Send + Sync),
}

/// Why a download came to nothing.
#[derive(Debug)]
pub(crate) enum DownloadError {
    Registry(RegistryError),
    /// The sink did not take it.
    Sink(io::Error),
}

impl From<RegistryError> for DownloadError {
    fn from(error: RegistryError) -> Self {
        Self::Registry(error)
    }
}

impl RegistryClient {
    /// Downloads a file of any server, over TLS.
    pub(crate) async fn download_file(
        &self,
        url: &str,
        download: &Download<'_>,
        sink: &mut dyn Sink,
    ) -> Result<(), DownloadError> {
        let not_followed = || RegistryError::NoAddress {
            host: words(url.split('?').next().unwrap_or_default()),
            reason: "it is no URL of HTTPS with a host".into(),
        };
        let url = Url::parse(url).filter(|url| url.origin.is_tls);
        let url = url.ok_or_else(not_followed)?;
        let host: RegistryHost = url.origin.authority().parse().map_err(|_| not_followed())?;
        let mut inquiry = Inquiry::of_server(self, &host);
        self.download(&mut inquiry, url, download, sink).await
    }

    /// Downloads a file of any server whose digest nobody knows yet. It is taken from the beginning.
    pub(crate) async fn download_anything(
        &self,
        url: &str,
        limits: &FetchLimits,
        progress: &(dyn Fn(u64, Option<u64>) + Send + Sync),
        sink: &mut dyn Sink,
    ) -> Result<(), DownloadError> {
        let nothing = ContentDigest::sha256_of(b"");
        let download = Download {
            what: "the plugin",
            digest: &nothing,
            size: None,
            most: limits.module,
            whole: limits.download,
            idle: limits.idle,
            retries: limits.retries,
            progress,
        };
        let mut any = AnyDigest { sink };
        self.download_file(url, &download, &mut any).await
    }

    pub(super) async fn download(
        &self,
        inquiry: &mut Inquiry<'_>,
        url: Url,
        download: &Download<'_>,
        sink: &mut dyn Sink,
    ) -> Result<(), DownloadError> {
        if download.size.is_some_and(|size| size > download.most.bytes()) {
            return Err(RegistryError::too_large(download.what, download.most).into());
        }
        let until = Instant::now() + download.whole;
        inquiry.patience = Some(Patience {
            until,
            idle: download.idle,
            retries: download.retries,
        });
        let slow = RegistryError::Slow {
            host: url.origin.host_and_port().into(),
            limit: download.whole,
        };
        let placed = async {
            // It is never closed.
            let _place = self.places.acquire().await.ok();
            Box::pin(repeated(inquiry, url, download, sink)).await
        };
        tokio::time::timeout_at(until, placed)
            .await
            .unwrap_or(Err(DownloadError::Registry(slow)))
    }
}

/// Downloads until all is there and right, or it cannot be.
async fn repeated(
    inquiry: &mut Inquiry<'_>,
    url: Url,
    download: &Download<'_>,
    sink: &mut dyn Sink,
) -> Result<(), DownloadError> {
    let mut tries = 0;
    let most = download.size.unwrap_or(download.most.bytes());
    if sink.length() > most {
        sink.restart().map_err(DownloadError::Sink)?;
    }
    // What an earlier process left may be anything.
    let mut is_inherited = sink.length() > 0;
    loop {
        let before = sink.length();
        let mut has_begun = false;
        match once(inquiry, &url, download, sink, &mut has_begun).await {
            Ok(()) => {
                let actual = sink.digest();
                if actual == *download.digest {
                    return Ok(());
                }
                sink.restart().map_err(DownloadError::Sink)?;
                if !std::mem::take(&mut is_inherited) {
                    return Err(RegistryError::wrong_digest(download.what, download.digest, &actual).into());
                }
            }
            Err(DownloadError::Registry(error)) => {
                if sink.length() < before {
                    is_inherited = false;
                }
                if sink.length() >= before.saturating_add(WORTH_ANOTHER) {
                    tries = 0;
                }
                // What never began was tried again as often as may be.
                if !has_begun || !inquiry.waits_after(&error, &mut tries).await {
                    return Err(error.into());
                }
            }
            Err(error) => return Err(error),
        }
    }
}

/// One request for what is missing.
async fn once(
    inquiry: &mut Inquiry<'_>,
    url: &Url,
    download: &Download<'_>,
    sink: &mut dyn Sink,
    has_begun: &mut bool,
) -> Result<(), DownloadError> {
    let from = sink.length();
    if from > 0 && download.size == Some(from) {
        return Ok(());
    }
    let mut ask = Ask::new(Method::GET, url.clone(), "*/*", (download.what, download.most));
    ask.from = from;
    let (response, ask) = match Box::pin(inquiry.respond(ask)).await? {
        Responded::Begun(response, ask) => (response, ask),
        Responded::Whole(answer) => return Err(refused(inquiry, &answer, download).into()),
    };
    let is_usable = match response.status() {
        StatusCode::PARTIAL_CONTENT => from > 0 && begins_at(response.headers()) == Some(from),
        StatusCode::OK => {
            if from > 0 {
                sink.restart().map_err(DownloadError::Sink)?;
            }
            true
        }
        StatusCode::RANGE_NOT_SATISFIABLE => false,
        _ => {
            let answer = inquiry.receive(response, &ask).await?;
            return Err(refused(inquiry, &answer, download).into());
        }
    };
    *has_begun = true;
    if !is_usable {
        sink.restart().map_err(DownloadError::Sink)?;
        return Err(RegistryError::Broken {
            host: ask.url.origin.host_and_port().into(),
            reason: "it gave another part than was asked for".into(),
        }
        .into());
    }
    if let Err(error) = check_head(response.headers(), &ask, download, sink.length()) {
        sink.restart().map_err(DownloadError::Sink)?;
        return Err(error.into());
    }
    let taken = take(inquiry, response, &ask, download, sink).await;
    let is_hopeless = matches!(
        taken,
        Err(DownloadError::Registry(
            RegistryError::WrongSize { .. } | RegistryError::TooLarge { .. }
        ))
    );
    if is_hopeless {
        sink.restart().map_err(DownloadError::Sink)?;
    }
    taken
}

fn refused(inquiry: &Inquiry<'_>, answer: &Answer, download: &Download<'_>) -> RegistryError {
    let wanted = if inquiry.repository().is_empty() {
        Wanted::File
    } else {
        Wanted::Blob(download.digest)
    };
    inquiry.refusal(answer, &wanted)
}

/// The first byte of a part: `bytes 100-199/200`.
fn begins_at(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (first, _) = range.trim().strip_prefix("bytes")?.trim().split_once('-')?;
    first.parse().ok()
}

/// What can be known before the first byte.
fn check_head(
    headers: &HeaderMap,
    ask: &Ask,
    download: &Download<'_>,
    length: u64,
) -> Result<(), RegistryError> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = || ask.url.origin.host_and_port().into();
    if let Some(encoding) =
        text(CONTENT_ENCODING).filter(|encoding| !encoding.eq_ignore_ascii_case("identity"))
    {
        return Err(RegistryError::Encoding {
            host: host(),
            encoding: words(encoding),
        });
    }
    let is_page = text(CONTENT_TYPE).is_some_and(|named| {
        let named = named.split(';').next().unwrap_or_default().trim();
        named.eq_ignore_ascii_case("text/html")
    });
    if is_page {
        return Err(RegistryError::Page {
            host: host(),
            what: download.what,
        });
    }
    let rest = text(CONTENT_LENGTH).and_then(|length| length.trim().parse::<u64>().ok());
    let Some(total) = rest.map(|rest| rest.saturating_add(length)) else {
        return Ok(());
    };
    match download.size {
        Some(size) if size != total => Err(RegistryError::wrong_size(download.what, size, total)),
        _ if total > download.most.bytes() => Err(RegistryError::too_large(download.what, download.most)),
        _ => Ok(()),
    }
}

/// Takes the body of a good answer.
async fn take(
    inquiry: &Inquiry<'_>,
    response: Response<Incoming>,
    ask: &Ask,
    download: &Download<'_>,
    sink: &mut dyn Sink,
) -> Result<(), DownloadError> {
    let origin = &ask.url.origin;
    let mut incoming = response.into_body();
    while let Some(frame) = inquiry.without_idling(origin, incoming.frame()).await? {
        let frame = frame.map_err(|error| super::connect::broken(origin, &error))?;
        let data = frame.into_data().unwrap_or_default();
        let total = sink.length().saturating_add(data.len() as u64);
        if let Some(size) = download.size.filter(|size| total > *size) {
            return Err(RegistryError::wrong_size(download.what, size, total).into());
        }
        if total > download.most.bytes() {
            return Err(RegistryError::too_large(download.what, download.most).into());
        }
        sink.append(&data).map_err(DownloadError::Sink)?;
        (download.progress)(total, download.size);
    }
    match download.size {
        Some(size) if sink.length() < size => {
            Err(RegistryError::wrong_size(download.what, size, sink.length()).into())
        }
        _ => Ok(()),
    }
}

/// Takes bytes whatever their digest is.
struct AnyDigest<'s> {
    sink: &'s mut dyn Sink,
}

impl Sink for AnyDigest<'_> {
    fn length(&self) -> u64 {
        self.sink.length()
    }

    fn restart(&mut self) -> io::Result<()> {
        self.sink.restart()
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sink.append(bytes)
    }

    /// The one that [`RegistryClient::download_anything`] asks for.
    fn digest(&self) -> ContentDigest {
        ContentDigest::sha256_of(b"")
    }
}
