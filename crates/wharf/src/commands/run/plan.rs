//! What a filter goes through, whoever says it: the command line of `run`, or a case of `test`.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use wharf_abi_proxy_wasm::{HeaderList, HttpCallResponse};
use wharf_config::cases::{Clock, Randomness};
use wharf_plugin::Limits;

/// The filter's set-up, and all that it goes through.
#[derive(Debug, Clone)]
pub(in crate::commands) struct Plan {
    pub(in crate::commands) setup: Setup,
    /// What happens before the first exchange.
    pub(in crate::commands) start: Between,
    pub(in crate::commands) exchanges: Vec<Planned>,
}

/// How a filter is set up.
#[derive(Debug, Clone)]
pub(in crate::commands) struct Setup {
    pub(in crate::commands) config: Bytes,
    pub(in crate::commands) vm_config: Bytes,
    pub(in crate::commands) root_id: String,
    pub(in crate::commands) vm_id: String,
    pub(in crate::commands) env: Vec<(String, String)>,
    pub(in crate::commands) properties: Properties,
    pub(in crate::commands) allow_on_headers_stop_iteration: bool,
    pub(in crate::commands) limits: Limits,
    pub(in crate::commands) clock: Clock,
    pub(in crate::commands) random: Randomness,
    pub(in crate::commands) shared_data: Vec<(String, Bytes)>,
}

/// Properties by their paths with dots, in the encodings of the ABI.
pub(in crate::commands) type Properties = BTreeMap<String, Bytes>;

/// A header as it is given: its name, and its value.
pub(in crate::commands) type Header = (String, String);

#[derive(Debug, Clone)]
pub(in crate::commands) struct RequestLine {
    pub(in crate::commands) method: String,
    pub(in crate::commands) path: String,
}

/// What happens to a filter beside its exchanges.
#[derive(Debug, Clone, Default)]
pub(in crate::commands) struct Between {
    /// How much time passes first.
    pub(in crate::commands) after: Duration,
    /// What others put on its queues first.
    pub(in crate::commands) queued: Vec<(String, Vec<Bytes>)>,
    /// Later ones count first.
    pub(in crate::commands) callouts: Vec<Callout>,
    pub(in crate::commands) ticks: u32,
}

/// What one upstream answers to call-outs.
#[derive(Debug, Clone)]
pub(in crate::commands) struct Callout {
    pub(in crate::commands) upstream: String,
    /// For the calls of one stage in turn, the last one for all that follow; none: the call fails.
    pub(in crate::commands) answers: Vec<Option<Answer>>,
}

#[derive(Debug, Clone)]
pub(in crate::commands) struct Answer {
    pub(in crate::commands) headers: HeaderList,
    pub(in crate::commands) body: Bytes,
    pub(in crate::commands) trailers: HeaderList,
}

impl Answer {
    pub(super) fn response(&self) -> HttpCallResponse {
        HttpCallResponse {
            headers: self.headers.clone(),
            body: self.body.clone(),
            trailers: self.trailers.clone(),
        }
    }
}

/// One exchange as it is asked for.
#[derive(Debug, Clone)]
pub(in crate::commands) struct Planned {
    pub(in crate::commands) request: RequestLine,
    pub(in crate::commands) headers: Vec<Header>,
    /// In the pieces in which it comes, none of them empty.
    pub(in crate::commands) body: Vec<Bytes>,
    pub(in crate::commands) trailers: Vec<Header>,
    pub(in crate::commands) status: u16,
    pub(in crate::commands) response_headers: Vec<Header>,
    pub(in crate::commands) response_body: Vec<Bytes>,
    pub(in crate::commands) response_trailers: Vec<Header>,
    /// Properties of this exchange alone.
    pub(in crate::commands) properties: Properties,
    pub(in crate::commands) between: Between,
}

impl Default for Planned {
    /// `GET /`, answered with 200 and nothing else.
    fn default() -> Self {
        Self {
            request: RequestLine {
                method: "GET".to_owned(),
                path: "/".to_owned(),
            },
            headers: Vec::new(),
            body: Vec::new(),
            trailers: Vec::new(),
            status: 200,
            response_headers: Vec::new(),
            response_body: Vec::new(),
            response_trailers: Vec::new(),
            properties: Properties::new(),
            between: Between::default(),
        }
    }
}
