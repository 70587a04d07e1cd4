//! Asks an authorization service about every request, by an HTTP call-out, and holds the request until it answers.
//!
//! The configuration is JSON: `{"upstream": "auth", "path": "/check"}` and, optional, `"timeoutMs"` (1000).
//!
//! | the service | the request |
//! |---|---|
//! | says 200 | goes on, with the service's `x-user` header in place of any that the client sent |
//! | says 5xx, fails, or does not answer in time | 503 |
//! | says anything else | 403 with the service's body |

use std::rc::Rc;
use std::time::Duration;

use log::{error, info, warn};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};
use serde::Deserialize;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Trace);
    proxy_wasm::set_root_context(|_| Box::<AuthRoot>::default());
}}

/// The header that tells the origin who is asking.
const USER: &str = "x-user";

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Config {
    upstream: String,
    path: String,
    #[serde(default = "default_timeout_ms")]
    timeout_ms: u32,
}

fn default_timeout_ms() -> u32 {
    1000
}

#[derive(Default)]
struct AuthRoot {
    config: Option<Rc<Config>>,
}

impl Context for AuthRoot {}

impl RootContext for AuthRoot {
    fn on_configure(&mut self, _size: usize) -> bool {
        match serde_json::from_slice(&self.get_plugin_configuration().unwrap_or_default()) {
            Ok(config) => {
                self.config = Some(Rc::new(config));
                true
            }
            Err(reason) => {
                error!("rust-auth: the configuration is not valid: {reason}");
                false
            }
        }
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        let config = self.config.clone()?;
        Some(Box::new(AuthStream { config }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct AuthStream {
    config: Rc<Config>,
}

impl HttpContext for AuthStream {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        // Who the user is, the service says, never the client.
        self.set_http_request_header(USER, None);
        let authorization = self.get_http_request_header("authorization");
        let mut headers =
            vec![(":method", "GET"), (":path", &*self.config.path), (":authority", &*self.config.upstream)];
        headers.extend(authorization.as_deref().map(|value| ("authorization", value)));
        let timeout = Duration::from_millis(self.config.timeout_ms.into());
        if let Err(status) = self.dispatch_http_call(&self.config.upstream, headers, None, vec![], timeout) {
            warn!("rust-auth: the call to {} was not accepted: {status:?}", self.config.upstream);
            self.reply_unavailable();
        }
        Action::Pause
    }
}

impl Context for AuthStream {
    fn on_http_call_response(&mut self, _call: u32, header_count: usize, body_size: usize, _trailers: usize) {
        // A failed call has no headers at all; some hosts give it a status of 503 or 504 of their own.
        let status = (header_count > 0).then(|| self.get_http_call_response_header(":status")).flatten();
        match status.as_deref() {
            Some("200") => self.let_pass(),
            Some(status) if !status.starts_with('5') => self.reply_forbidden(body_size),
            failure => {
                warn!(
                    "rust-auth: {} gave no verdict: {}",
                    self.config.upstream,
                    failure.unwrap_or("no answer")
                );
                self.reply_unavailable();
            }
        }
    }
}

impl AuthStream {
    fn let_pass(&self) {
        if let Some(user) = self.get_http_call_response_header(USER) {
            info!("rust-auth: {user} may pass");
            self.set_http_request_header(USER, Some(&user));
        }
        self.resume_http_request();
    }

    fn reply_forbidden(&self, body_size: usize) {
        let body = self.get_http_call_response_body(0, body_size).unwrap_or_default();
        self.send_http_response(403, vec![("content-type", "text/plain")], Some(&body));
    }

    fn reply_unavailable(&self) {
        self.send_http_response(
            503,
            vec![("content-type", "text/plain")],
            Some(b"authorization is unavailable\n"),
        );
    }
}
