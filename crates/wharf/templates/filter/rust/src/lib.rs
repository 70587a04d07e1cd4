//! Adds a header to each request and response, takes `x-powered-by` away, and can require a header of each request.
//!
//! The configuration is JSON, all keys optional:
//!
//! ```json
//! { "header": "x-greeting", "value": "hello", "require": "x-api-key" }
//! ```

use std::rc::Rc;

use log::{error, info};
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel, MetricType};
use serde::Deserialize;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::<Plugin>::default());
}}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    header: String,
    value: String,
    /// Requests without this header are refused. Empty: none are.
    require: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            header: "x-greeting".to_owned(),
            value: "hello".to_owned(),
            require: String::new(),
        }
    }
}

impl Config {
    fn parse(text: &[u8]) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let config: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if !is_header_name(&config.header) {
            return Err(format!("header: {:?} is not a header name", config.header));
        }
        if config.value.chars().any(char::is_control) {
            return Err(format!("value: {:?} has a control character", config.value));
        }
        if !config.require.is_empty() && !is_header_name(&config.require) {
            return Err(format!(
                "require: {:?} is not a header name",
                config.require
            ));
        }
        Ok(config)
    }
}

fn is_header_name(name: &str) -> bool {
    let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(may_stand)
}

/// One for each place in the proxy's configuration that names the filter. It lives as long as that.
#[derive(Default)]
struct Plugin {
    config: Rc<Config>,
    /// The host's id of the counter `my_filter_refused`.
    refused: u32,
}

impl Context for Plugin {}

impl RootContext for Plugin {
    fn on_configure(&mut self, _size: usize) -> bool {
        match Config::parse(&self.get_plugin_configuration().unwrap_or_default()) {
            Ok(config) => self.config = Rc::new(config),
            Err(reason) => {
                error!("the configuration is refused: {reason}");
                return false;
            }
        }
        match hostcalls::define_metric(MetricType::Counter, "my_filter_refused") {
            Ok(id) => self.refused = id,
            Err(status) => {
                error!("the counter cannot be defined: {status:?}");
                return false;
            }
        }
        info!("adds {}: {}", self.config.header, self.config.value);
        true
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream {
            config: Rc::clone(&self.config),
            refused: self.refused,
        }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// One for each request.
struct Stream {
    config: Rc<Config>,
    refused: u32,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let Config {
            header,
            value,
            require,
        } = &*self.config;
        if !require.is_empty()
            && self
                .get_http_request_header(require)
                .unwrap_or_default()
                .is_empty()
        {
            if let Err(status) = hostcalls::increment_metric(self.refused, 1) {
                error!("the counter cannot be incremented: {status:?}");
            }
            let body = format!("this needs the header {require}\n");
            self.send_http_response(
                401,
                vec![("content-type", "text/plain")],
                Some(body.as_bytes()),
            );
            return Action::Pause;
        }
        self.add_http_request_header(header, value);
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        self.add_http_response_header(&self.config.header, &self.config.value);
        self.remove_http_response_header("x-powered-by");
        Action::Continue
    }
}
