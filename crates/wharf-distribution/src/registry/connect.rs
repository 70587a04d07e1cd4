//! Connections: from a name to an address that may be reached, through a proxy where there is one, to HTTP/1.1.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{HOST, PROXY_AUTHORIZATION};
use http::{Method, Request, StatusCode};
use http_body_util::{Empty, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use wharf_plugin::RegistryHost;

use super::error::{ForbiddenAddress, in_full, words};
use super::place::{self, Place};
use super::proxy::Proxy;
use super::url::Origin;
use super::{RegistryClient, RegistryError};

/// The most bytes of a response's head.
const MOST_HEAD: usize = 64 << 10;

/// A connection to somebody.
pub(super) struct Connection {
    pub(super) sender: SendRequest<Full<Bytes>>,
    /// Where a proxy is to pass on plain requests: with which credentials of its own, if any.
    pub(super) through: Option<Option<String>>,
}

/// For whom a connection is made.
pub(super) struct Errand<'a> {
    /// The registry that was named in the beginning.
    pub(super) registry: &'a RegistryHost,
    /// Whether it is the registry itself that is connected to, and not where it leads.
    pub(super) is_registry: bool,
    /// Where the registry is, once that is known.
    pub(super) place: Option<IpAddr>,
}

impl RegistryClient {
    /// Connects. Gives the address too, where no proxy looked it up.
    pub(super) async fn connect(
        &self,
        origin: &Origin,
        errand: &Errand<'_>,
    ) -> Result<(Connection, Option<IpAddr>), RegistryError> {
        let limit = self.limits.connect;
        // On the heap, since a handshake is large and most requests have their connection.
        tokio::time::timeout(limit, Box::pin(self.connect_at_leisure(origin, errand)))
            .await
            .unwrap_or_else(|_| {
                Err(RegistryError::Slow {
                    host: origin.host_and_port().into(),
                    limit,
                })
            })
    }

    async fn connect_at_leisure(
        &self,
        origin: &Origin,
        errand: &Errand<'_>,
    ) -> Result<(Connection, Option<IpAddr>), RegistryError> {
        let proxy = self.proxies.on_the_way_to(origin);
        let proxy = proxy.map_err(|reason| proxy_error(origin, reason))?;
        self.check_name(origin, errand)?;
        let Some(proxy) = proxy else {
            let addresses = self.look_up(&origin.host, origin.port).await?;
            self.check_addresses(origin, errand, &addresses)?;
            let (stream, address) = open(&addresses, &origin.host_and_port()).await?;
            let connection = self.secured(origin, errand, stream).await?;
            return Ok((connection, Some(address)));
        };
        let addresses = self.look_up(&proxy.host, proxy.port).await;
        let addresses = addresses.map_err(|error| proxy_error(origin, &error.to_string()))?;
        let opened = open(&addresses, "the proxy").await;
        let (stream, _) = opened.map_err(|error| proxy_error(origin, &error.to_string()))?;
        if !origin.is_tls {
            let mut connection = handshake(origin, stream).await?;
            connection.through = Some(proxy.authorization.clone());
            return Ok((connection, None));
        }
        let tunnel = tunnel(origin, proxy, stream).await?;
        Ok((self.secured(origin, errand, tunnel).await?, None))
    }

    /// The addresses of a name. A lookup cannot be broken off, so it keeps its place until it has ended.
    async fn look_up(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, RegistryError> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let unknown = |reason: &str| RegistryError::NoAddress {
            host: host.into(),
            reason: words(reason),
        };
        let place = Arc::clone(&self.lookups).acquire_owned().await.ok();
        let name = host.to_owned();
        let looking = tokio::spawn(async move {
            let _place = place;
            let found = tokio::net::lookup_host((name, port)).await?;
            Ok::<Vec<SocketAddr>, std::io::Error>(found.collect())
        });
        let found = looking.await.map_err(|error| unknown(&error.to_string()))?;
        let found = found.map_err(|error| unknown(&error.to_string()))?;
        if found.is_empty() {
            return Err(unknown("the name has none"));
        }
        Ok(found)
    }

    /// Refuses names that mean something here alone; addresses are looked at later.
    fn check_name(&self, origin: &Origin, errand: &Errand<'_>) -> Result<(), RegistryError> {
        let special = match origin.address() {
            Some(address) => place::of_address(address).map(|place| (place, Some(address))),
            None => place::of_name(&origin.host).map(|place| (place, None)),
        };
        match special {
            Some((place, address)) if !self.may_reach(place, address, errand) => {
                Err(forbidden(origin, address))
            }
            _ => Ok(()),
        }
    }

    /// Refuses addresses that mean something here alone. One such among others makes the others suspicious.
    fn check_addresses(
        &self,
        origin: &Origin,
        errand: &Errand<'_>,
        addresses: &[SocketAddr],
    ) -> Result<(), RegistryError> {
        for address in addresses.iter().map(SocketAddr::ip) {
            if let Some(place) = place::of_address(address)
                && !self.may_reach(place, Some(address), errand)
            {
                return Err(forbidden(origin, Some(address)));
            }
        }
        Ok(())
    }

    /// A registry may be in such a place where the deployer named it, and leads where it is itself.
    fn may_reach(&self, place: Place, address: Option<IpAddr>, errand: &Errand<'_>) -> bool {
        if errand.is_registry {
            return self.hosts.contains_key(errand.registry);
        }
        let Some(registry) = errand.place else {
            return false;
        };
        let both_here = place == Place::Loopback && place::of_address(registry) == Some(Place::Loopback);
        both_here || address.is_some_and(|address| address.to_canonical() == registry.to_canonical())
    }

    /// HTTP on a stream, with TLS below where the origin has it.
    async fn secured<S>(
        &self,
        origin: &Origin,
        errand: &Errand<'_>,
        stream: S,
    ) -> Result<Connection, RegistryError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        if !origin.is_tls {
            return handshake(origin, stream).await;
        }
        let failed = |reason: Arc<str>| RegistryError::Tls {
            host: origin.host_and_port().into(),
            reason,
        };
        let mut hosts: Vec<RegistryHost> = origin.names().collect();
        hosts.push(errand.registry.clone());
        let name = ServerName::try_from(origin.host.clone()).map_err(|error| failed(in_full(&error)))?;
        let connector = TlsConnector::from(self.trust.config(&hosts));
        let stream = connector.connect(name, stream).await;
        handshake(origin, stream.map_err(|error| failed(in_full(&error)))?).await
    }
}

/// Connects to the first address that takes it.
async fn open(addresses: &[SocketAddr], host: &str) -> Result<(TcpStream, IpAddr), RegistryError> {
    let mut last = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Without it requests wait for each other's acknowledgements; they arrive all the same.
                let _ = stream.set_nodelay(true);
                return Ok((stream, address.ip()));
            }
            Err(error) => last = Some(error),
        }
    }
    Err(RegistryError::Unreachable {
        host: host.into(),
        reason: last.map_or_else(|| "it has no address".into(), |error| words(&error.to_string())),
    })
}

/// Has a proxy connect to somebody.
async fn tunnel(
    origin: &Origin,
    proxy: &Proxy,
    stream: TcpStream,
) -> Result<TokioIo<hyper::upgrade::Upgraded>, RegistryError> {
    let failed = |error: &hyper::Error| proxy_error(origin, &in_full(error));
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MOST_HEAD)
        .handshake::<_, Empty<Bytes>>(TokioIo::new(stream))
        .await
        .map_err(|error| failed(&error))?;
    // It ends with the tunnel.
    tokio::spawn(connection.with_upgrades());
    let authority = origin.host_and_port();
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .uri(&authority)
        .header(HOST, &authority);
    if let Some(authorization) = &proxy.authorization {
        request = request.header(PROXY_AUTHORIZATION, authorization);
    }
    let request = request.body(Empty::new());
    let request = request.map_err(|error| proxy_error(origin, &error.to_string()))?;
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| failed(&error))?;
    match response.status() {
        StatusCode::OK => {
            let upgraded = hyper::upgrade::on(response).await;
            Ok(TokioIo::new(upgraded.map_err(|error| failed(&error))?))
        }
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            Err(proxy_error(origin, "it wants credentials, or others (407)"))
        }
        status => Err(proxy_error(origin, &format!("it answered {status}"))),
    }
}

async fn handshake<S>(origin: &Origin, stream: S) -> Result<Connection, RegistryError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(MOST_HEAD)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(origin, &error))?;
    // It ends when nobody sends any more; what goes wrong is told to whoever waits for an answer.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(Connection {
        sender,
        through: None,
    })
}

/// An answer that ended before its end.
pub(super) fn broken(origin: &Origin, error: &hyper::Error) -> RegistryError {
    RegistryError::Broken {
        host: origin.host_and_port().into(),
        reason: in_full(error),
    }
}

fn proxy_error(origin: &Origin, reason: &str) -> RegistryError {
    RegistryError::Proxy {
        host: origin.host_and_port().into(),
        reason: words(reason),
    }
}

fn forbidden(origin: &Origin, address: Option<IpAddr>) -> RegistryError {
    RegistryError::ForbiddenAddress {
        host: origin.host_and_port().into(),
        address: address.map_or(ForbiddenAddress::Name, ForbiddenAddress::Address),
    }
}
