//! The properties of an exchange that do not stand in its messages. `docs/properties.md` lists them.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use http::Version;
use wharf_abi_proxy_wasm::StreamProperties;

use crate::context::Connection;
use crate::record::Record;

/// What is known of an exchange from its record.
pub(super) struct ExchangeProperties {
    pub(super) record: Rc<Record>,
}

/// The direction of a listener that clients connect to, as Envoy numbers it.
const INBOUND: u64 = 1;

impl StreamProperties for ExchangeProperties {
    fn property(&self, path: &[&[u8]]) -> Option<Vec<u8>> {
        match path {
            [b"request", name] => self.request(name),
            [b"response", name] => self.response(name),
            // Many filters ask for it, and it is at hand as text.
            [b"source", b"address"] => Some(self.record.connection().client_text.as_bytes().into()),
            [b"source", name] => address(self.record.connection().client, name),
            [b"destination", name] => address(self.record.connection().local, name),
            [b"connection", name] => connection(self.record.connection(), name),
            [b"upstream", name] => self.upstream(name),
            [b"xds", name] | [name] => self.place(name),
            _ => None,
        }
    }
}

impl ExchangeProperties {
    fn request(&self, name: &[u8]) -> Option<Vec<u8>> {
        match name {
            b"time" => Some(time(self.record.time())),
            b"duration" => Some(duration(self.record.started().elapsed())),
            b"protocol" => Some(protocol(self.record.request().version).into()),
            b"id" => Some(self.record.request_id().as_bytes().into()),
            _ => None,
        }
    }

    fn response(&self, name: &[u8]) -> Option<Vec<u8>> {
        match name {
            b"code_details" => Some(self.record.details()?.as_bytes().into()),
            b"flags" => Some(number(0)),
            b"backend_latency" => Some(duration(self.record.upstream_duration()?)),
            _ => None,
        }
    }

    fn upstream(&self, name: &[u8]) -> Option<Vec<u8>> {
        let endpoint = self.record.endpoint()?;
        match name {
            b"address" => Some(endpoint.as_bytes().into()),
            b"port" => Some(number(endpoint.rsplit_once(':')?.1.parse().ok()?)),
            _ => None,
        }
    }

    /// Where in the configuration the exchange is.
    fn place(&self, name: &[u8]) -> Option<Vec<u8>> {
        let route = self.record.route()?;
        match name {
            b"route_name" => Some(route.config.name.as_bytes().into()),
            b"cluster_name" => Some(route.upstream.name().as_bytes().into()),
            b"virtual_host_name" => Some(self.record.connection().listener.name.as_bytes().into()),
            b"listener_direction" => Some(number(INBOUND)),
            _ => None,
        }
    }
}

fn address(address: SocketAddr, name: &[u8]) -> Option<Vec<u8>> {
    match name {
        b"address" => Some(address.to_string().into()),
        b"port" => Some(number(address.port().into())),
        _ => None,
    }
}

fn connection(connection: &Connection, name: &[u8]) -> Option<Vec<u8>> {
    match name {
        b"id" => Some(number(connection.id)),
        b"mtls" => Some(vec![0]),
        _ => None,
    }
}

fn protocol(version: Version) -> &'static str {
    if version == Version::HTTP_10 {
        "HTTP/1.0"
    } else {
        "HTTP/1.1"
    }
}

fn time(time: SystemTime) -> Vec<u8> {
    duration(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

fn duration(duration: Duration) -> Vec<u8> {
    number(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

fn number(number: u64) -> Vec<u8> {
    number.to_le_bytes().into()
}

#[cfg(test)]
mod tests;
