//! Replaces a text in bodies, and adds a trailer when it is asked to.
//!
//! The configuration is JSON: `{"replace": "cat", "with": "mouse"}` and, all optional, `"direction"` (`"response"`, the
//! default, or `"request"`), `"hold"` (see below) and `"trailer": {"name": "x-rewritten", "value": "yes"}`.
//!
//! The body is buffered until it is whole, because its length may change. What becomes of the headers meanwhile is
//! the matter of `hold`. Without it they go ahead without their `content-length`. With it they wait, and leave with
//! the right `content-length`; that needs a host that still delivers body callbacks while the headers are paused.
//! A message with a `content-encoding` is left alone.

use std::rc::Rc;

use log::{debug, error};
use memchr::memmem;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, BufferType, ContextType, LogLevel, MapType};
use serde::Deserialize;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Trace);
    proxy_wasm::set_root_context(|_| Box::<BodyRoot>::default());
}}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    replace: String,
    with: String,
    #[serde(default)]
    direction: Direction,
    #[serde(default)]
    hold: bool,
    trailer: Option<Trailer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Trailer {
    name: String,
    value: String,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Request,
    #[default]
    Response,
}

impl Direction {
    fn headers(self) -> MapType {
        match self {
            Self::Request => MapType::HttpRequestHeaders,
            Self::Response => MapType::HttpResponseHeaders,
        }
    }

    fn trailers(self) -> MapType {
        match self {
            Self::Request => MapType::HttpRequestTrailers,
            Self::Response => MapType::HttpResponseTrailers,
        }
    }

    fn body(self) -> BufferType {
        match self {
            Self::Request => BufferType::HttpRequestBody,
            Self::Response => BufferType::HttpResponseBody,
        }
    }
}

#[derive(Default)]
struct BodyRoot {
    config: Option<Rc<Config>>,
}

impl BodyRoot {
    fn configure(&mut self) -> Result<(), String> {
        let text = self.get_plugin_configuration().unwrap_or_default();
        let config: Config = serde_json::from_slice(&text)
            .map_err(|error| format!("the configuration is not valid: {error}"))?;
        if config.replace.is_empty() {
            return Err("`replace` is empty: there would be no end of places to put `with`".to_owned());
        }
        self.config = Some(Rc::new(config));
        Ok(())
    }
}

impl Context for BodyRoot {}

impl RootContext for BodyRoot {
    fn on_configure(&mut self, _size: usize) -> bool {
        self.configure().inspect_err(|reason| error!("rust-body: {reason}")).is_ok()
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        let config = self.config.clone()?;
        Some(Box::new(BodyStream { config, rewrites: false, has_length: false }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct BodyStream {
    config: Rc<Config>,
    /// This message has a body, and it is one to look into.
    rewrites: bool,
    /// The headers are on hold and have a `content-length` to put right.
    has_length: bool,
}

impl Context for BodyStream {}

impl HttpContext for BodyStream {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        self.on_headers(Direction::Request, end_of_stream)
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.on_body(Direction::Request, size, end_of_stream)
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        self.on_trailers(Direction::Request)
    }

    fn on_http_response_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        self.on_headers(Direction::Response, end_of_stream)
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.on_body(Direction::Response, size, end_of_stream)
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        self.on_trailers(Direction::Response)
    }
}

impl BodyStream {
    fn on_headers(&mut self, direction: Direction, end_of_stream: bool) -> Action {
        let config = Rc::clone(&self.config);
        if direction != config.direction || end_of_stream {
            return Action::Continue;
        }
        if let Some(encoding) = header(direction, "content-encoding") {
            debug!("rust-body: a body in {encoding} is left alone");
            return Action::Continue;
        }
        self.rewrites = true;
        if let Some(trailer) = &config.trailer {
            // HTTP/1.1 sends trailers only in a chunked message, and some peers only where `trailer` announces them.
            set_header(direction, "trailer", Some(&trailer.name));
        }
        self.has_length =
            config.hold && config.trailer.is_none() && header(direction, "content-length").is_some();
        if !self.has_length {
            set_header(direction, "content-length", None);
        }
        if config.hold {
            Action::Pause
        } else {
            Action::Continue
        }
    }

    /// A pause keeps what came so far, and the next call's size is the whole again.
    fn on_body(&mut self, direction: Direction, size: usize, end_of_stream: bool) -> Action {
        if !self.rewrites || direction != self.config.direction {
            return Action::Continue;
        }
        if !end_of_stream {
            return Action::Pause;
        }
        self.rewrite(direction, size);
        if let Some(trailer) = &self.config.trailer {
            add_trailer(direction, trailer);
        }
        Action::Continue
    }

    /// A message with trailers ends here, not in its last body callback.
    fn on_trailers(&mut self, direction: Direction) -> Action {
        if !self.rewrites || direction != self.config.direction {
            return Action::Continue;
        }
        self.rewrite(direction, usize::MAX);
        if let Some(trailer) = &self.config.trailer {
            add_trailer(direction, trailer);
        }
        Action::Continue
    }

    fn rewrite(&mut self, direction: Direction, size: usize) {
        self.rewrites = false;
        let body = match hostcalls::get_buffer(direction.body(), 0, size) {
            Ok(body) => body.unwrap_or_default(),
            Err(status) => return error!("rust-body: the body could not be read: {status:?}"),
        };
        let new = replace_all(&body, self.config.replace.as_bytes(), self.config.with.as_bytes());
        if new != body {
            if let Err(status) = hostcalls::set_buffer(direction.body(), 0, body.len(), &new) {
                return error!("rust-body: the body could not be replaced: {status:?}");
            }
        }
        if self.has_length {
            set_header(direction, "content-length", Some(&new.len().to_string()));
        }
    }
}

fn replace_all(body: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut new = Vec::with_capacity(body.len());
    let mut rest = 0;
    for at in memmem::find_iter(body, from) {
        new.extend_from_slice(&body[rest..at]);
        new.extend_from_slice(to);
        rest = at + from.len();
    }
    new.extend_from_slice(&body[rest..]);
    new
}

fn header(direction: Direction, name: &str) -> Option<String> {
    hostcalls::get_map_value(direction.headers(), name).ok().flatten()
}

fn set_header(direction: Direction, name: &str, value: Option<&str>) {
    if let Err(status) = hostcalls::set_map_value(direction.headers(), name, value) {
        error!("rust-body: the header {name} could not be set: {status:?}");
    }
}

fn add_trailer(direction: Direction, trailer: &Trailer) {
    if let Err(status) = hostcalls::add_map_value(direction.trailers(), &trailer.name, &trailer.value) {
        error!("rust-body: the trailer {} could not be added: {status:?}", trailer.name);
    }
}
