//! Trying again, for a while: what large downloads need, and what a review that somebody waits for must not do.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{Response, StatusCode};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::RegistryError;
use super::inquiry::Inquiry;
use super::url::Origin;

/// How long the first wait is; each further one is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// How long somebody is waited for, and how often what fails is tried again.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    /// The end of it all.
    pub(super) until: Instant,
    /// How long nothing at all may come.
    pub(super) idle: Duration,
    /// How often what fails is tried again.
    pub(super) retries: u32,
}

impl Inquiry<'_> {
    /// Waits for something that must come within the time in which anything must.
    pub(super) async fn without_idling<T>(
        &self,
        origin: &Origin,
        coming: impl Future<Output = T>,
    ) -> Result<T, RegistryError> {
        let Some(patience) = &self.patience else {
            return Ok(coming.await);
        };
        let limit = patience.idle;
        tokio::time::timeout(limit, coming)
            .await
            .map_err(|_| RegistryError::Slow {
                host: origin.host_and_port().into(),
                limit,
            })
    }

    /// Waits after an error that may be gone a little later. False where it will not, or there is no more patience.
    pub(super) async fn waits_after(&self, error: &RegistryError, tries: &mut u32) -> bool {
        let may_pass = matches!(
            error,
            RegistryError::Unreachable { .. } | RegistryError::Broken { .. } | RegistryError::Slow { .. }
        );
        may_pass && self.waits(None, tries).await
    }

    /// Waits after a status that may be another a little later, as long as the server says, if it does.
    pub(super) async fn waits_after_status(&self, response: &Response<Incoming>, tries: &mut u32) -> bool {
        let may_pass = matches!(
            response.status(),
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::INTERNAL_SERVER_ERROR
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        );
        let said = response.headers().get(RETRY_AFTER);
        let said = said.and_then(|said| said.to_str().ok()?.trim().parse().ok());
        may_pass && self.waits(said.map(Duration::from_secs), tries).await
    }

    /// Waits, unless the end would come first.
    async fn waits(&self, asked: Option<Duration>, tries: &mut u32) -> bool {
        let Some(patience) = self
            .patience
            .as_ref()
            .filter(|patience| *tries < patience.retries)
        else {
            return false;
        };
        let wait = asked.unwrap_or(FIRST_WAIT * 2_u32.saturating_pow((*tries).min(6)));
        let Some(end) = Instant::now()
            .checked_add(wait)
            .filter(|end| *end < patience.until)
        else {
            return false;
        };
        *tries += 1;
        tokio::time::sleep_until(end).await;
        true
    }
}
