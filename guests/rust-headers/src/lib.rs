//! Adds one header to every request and to every response, and logs one line for each request.
//!
//! The configuration is JSON, both keys optional: `{"header": "x-greeting", "value": "hi"}`. Without a value the
//! environment variable `GREETING` of the VM decides, and without that the word `hello`.

use std::rc::Rc;

use log::{error, info};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};
use serde::Deserialize;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Trace);
    proxy_wasm::set_root_context(|_| Box::<HeadersRoot>::default());
}}

/// The configuration as it is written.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    header: Option<String>,
    value: Option<String>,
}

/// The header that is added: checked, and shared by the streams.
#[derive(Clone)]
struct Greeting {
    header: Rc<str>,
    value: Rc<str>,
}

impl Greeting {
    fn from_configuration(text: &[u8]) -> Result<Self, String> {
        let config: Config = if text.is_empty() {
            Config::default()
        } else {
            serde_json::from_slice(text)
                .map_err(|error| format!("the configuration is not valid: {error}"))?
        };
        let header = config.header.unwrap_or_else(|| "x-greeting".to_owned()).to_ascii_lowercase();
        let value =
            config.value.or_else(|| std::env::var("GREETING").ok()).unwrap_or_else(|| "hello".to_owned());
        if !is_header_name(&header) {
            return Err(format!("{header:?} is not a header name"));
        }
        if !is_header_value(&value) {
            return Err(format!("{value:?} is not a header value"));
        }
        Ok(Self { header: header.into(), value: value.into() })
    }
}

/// A token of RFC 9110, section 5.6.2.
fn is_header_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// No control character but the tab, and no space at either end: RFC 9110, section 5.5.
fn is_header_value(value: &str) -> bool {
    value.trim() == value && value.chars().all(|char| char == '\t' || !char.is_control())
}

#[derive(Default)]
struct HeadersRoot {
    greeting: Option<Greeting>,
}

impl Context for HeadersRoot {}

impl RootContext for HeadersRoot {
    fn on_configure(&mut self, _size: usize) -> bool {
        match Greeting::from_configuration(&self.get_plugin_configuration().unwrap_or_default()) {
            Ok(greeting) => {
                info!("rust-headers: adds {}: {}", greeting.header, greeting.value);
                self.greeting = Some(greeting);
                true
            }
            Err(reason) => {
                error!("rust-headers: {reason}");
                false
            }
        }
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        let greeting = self.greeting.clone()?;
        Some(Box::new(HeadersStream { greeting }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct HeadersStream {
    greeting: Greeting,
}

impl Context for HeadersStream {}

impl HttpContext for HeadersStream {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let method = self.get_http_request_header(":method").unwrap_or_default();
        let path = self.get_http_request_header(":path").unwrap_or_default();
        info!("rust-headers: request {method} {path}");
        self.add_http_request_header(&self.greeting.header, &self.greeting.value);
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        self.add_http_response_header(&self.greeting.header, &self.greeting.value);
        Action::Continue
    }
}
