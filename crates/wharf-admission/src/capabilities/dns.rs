//! `net/v1/dns_lookup_host`: the addresses that the system's resolver has for a name.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use wharf_abi_wapc::kubewarden::capability::{CapabilityError, LookupAnswer};

/// How many names are looked up at the same time. The system's resolver cannot be broken off: it goes on when nobody waits
/// any more, and so a policy could otherwise take all threads.
const MOST_LOOKUPS: usize = 32;
/// The longest name.
const MOST_NAME: usize = 253;

/// Looks up names.
pub(super) struct Resolver {
    runtime: Handle,
    places: Arc<Semaphore>,
}

impl Resolver {
    pub(super) fn new(runtime: Handle) -> Self {
        Self {
            runtime,
            places: Arc::new(Semaphore::new(MOST_LOOKUPS)),
        }
    }

    /// The addresses of a host, in the resolver's order, each once.
    pub(super) async fn look_up(&self, host: &str) -> Result<Vec<u8>, CapabilityError> {
        let failed = |reason: String| CapabilityError::Failed(format!("cannot look up {host:?}: {reason}"));
        if host.is_empty() || host.len() > MOST_NAME || !host.bytes().all(|byte| byte.is_ascii_graphic()) {
            let shown: String = host.chars().take(80).collect();
            let text = format!("{shown:?} is not the name of a host");
            return Err(CapabilityError::Failed(text));
        }
        let stopping = || failed("the server is stopping".to_owned());
        let place = Arc::clone(&self.places)
            .acquire_owned()
            .await
            .map_err(|_| stopping())?;
        let name = host.to_owned();
        // A task of its own, which keeps its place until the resolver has answered.
        let looking = self.runtime.spawn(async move {
            let _place = place;
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect::<Vec<IpAddr>>())
        });
        let found: std::io::Result<Vec<IpAddr>> = looking.await.map_err(|_| stopping())?;
        let mut seen = BTreeSet::new();
        let ips = found.map_err(|error| failed(error.to_string()))?;
        let ips = ips
            .into_iter()
            .filter(|ip| seen.insert(*ip))
            .map(|ip| ip.to_string());
        Ok(LookupAnswer { ips: ips.collect() }.encode())
    }
}
