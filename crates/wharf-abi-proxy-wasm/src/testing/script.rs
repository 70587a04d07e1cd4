//! What a scripted guest does in each callback, and how that is written into its memory.
//!
//! ```text
//! page 0  what the allocator gives          page 1, 2  the scripts of roots 1 and 2
//! page 3  how often each callback came      page 4     question marks, for tests
//!
//! script: 32 × (u32 address of turns, u32 count) │ turns, each: u32 calls, u32 result, calls × (u64 function, 12 × u64)
//! ```

use std::collections::BTreeMap;

use wharf_plugin::ProxyWasmVersion;

/// Every host function of module `env` with its parameters (i: i32, I: i64) and the versions that have it.
pub(crate) const FUNCTIONS: &[(&str, &str, Versions)] = &[
    ("proxy_log", "iii", Versions::All),
    ("proxy_get_log_level", "i", Versions::Only021),
    ("proxy_get_current_time_nanoseconds", "i", Versions::All),
    ("proxy_set_tick_period_milliseconds", "i", Versions::All),
    ("proxy_get_buffer_bytes", "iiiii", Versions::All),
    ("proxy_get_buffer_status", "iii", Versions::All),
    ("proxy_set_buffer_bytes", "iiiii", Versions::All),
    ("proxy_get_header_map_size", "ii", Versions::All),
    ("proxy_get_header_map_pairs", "iii", Versions::All),
    ("proxy_set_header_map_pairs", "iii", Versions::All),
    ("proxy_get_header_map_value", "iiiii", Versions::All),
    ("proxy_add_header_map_value", "iiiii", Versions::All),
    ("proxy_replace_header_map_value", "iiiii", Versions::All),
    ("proxy_remove_header_map_value", "iii", Versions::All),
    ("proxy_continue_stream", "i", Versions::From020),
    ("proxy_close_stream", "i", Versions::From020),
    ("proxy_send_local_response", "iiiiiiii", Versions::All),
    ("proxy_http_call", "iiiiiiiiii", Versions::All),
    ("proxy_grpc_call", "iiiiiiiiiiii", Versions::All),
    ("proxy_grpc_stream", "iiiiiiiii", Versions::All),
    ("proxy_grpc_send", "iiii", Versions::All),
    ("proxy_grpc_cancel", "i", Versions::All),
    ("proxy_grpc_close", "i", Versions::All),
    ("proxy_get_status", "iii", Versions::All),
    ("proxy_set_shared_data", "iiiii", Versions::All),
    ("proxy_get_shared_data", "iiiii", Versions::All),
    ("proxy_register_shared_queue", "iii", Versions::All),
    ("proxy_resolve_shared_queue", "iiiii", Versions::All),
    ("proxy_enqueue_shared_queue", "iii", Versions::All),
    ("proxy_dequeue_shared_queue", "iii", Versions::All),
    ("proxy_define_metric", "iiii", Versions::All),
    ("proxy_record_metric", "iI", Versions::All),
    ("proxy_increment_metric", "iI", Versions::All),
    ("proxy_get_metric", "ii", Versions::All),
    ("proxy_get_property", "iiii", Versions::All),
    ("proxy_set_property", "iiii", Versions::All),
    ("proxy_call_foreign_function", "iiiiii", Versions::All),
    ("proxy_set_effective_context", "i", Versions::All),
    ("proxy_done", "", Versions::All),
    ("pthread_equal", "ii", Versions::All),
    ("emscripten_notify_memory_growth", "i", Versions::All),
    ("proxy_get_configuration", "ii", Versions::Only010),
    ("proxy_continue_request", "", Versions::Only010),
    ("proxy_continue_response", "", Versions::Only010),
    ("proxy_clear_route_cache", "", Versions::Only010),
];

/// What a guest can do beside host calls.
pub(crate) const SPECIAL: &[&str] = &["trap", "loop", "hog", "exit"];

/// The versions of the ABI that have a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Versions {
    All,
    Only010,
    From020,
    Only021,
}

impl Versions {
    pub(crate) fn contain(self, version: ProxyWasmVersion) -> bool {
        match self {
            Self::All => true,
            Self::Only010 => version == ProxyWasmVersion::V0_1_0,
            Self::From020 => version != ProxyWasmVersion::V0_1_0,
            Self::Only021 => version == ProxyWasmVersion::V0_2_1,
        }
    }
}

/// The functions that a guest of this version can call, by their index in its table.
pub(crate) fn functions(version: ProxyWasmVersion) -> Vec<(&'static str, &'static str)> {
    let given = FUNCTIONS
        .iter()
        .filter(|(_, _, versions)| versions.contain(version));
    given.map(|(name, parameters, _)| (*name, *parameters)).collect()
}

macro_rules! callbacks {
    ($($variant:ident $name:literal $parameters:literal $default:expr,)*) => {
        /// A callback that the scripted guest exports.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Callback { $($variant,)* }

        impl Callback {
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The export's name, how many parameters it has, and what it returns where no script says so; `None` where
            /// it returns nothing.
            pub(crate) fn export(self) -> (&'static str, usize, Option<u32>) {
                match self { $(Self::$variant => ($name, $parameters, $default),)* }
            }
        }
    };
}

callbacks! {
    ContextCreate "proxy_on_context_create" 2 None,
    VmStart "proxy_on_vm_start" 2 Some(1),
    Configure "proxy_on_configure" 2 Some(1),
    ValidateConfiguration "proxy_validate_configuration" 2 Some(1),
    Tick "proxy_on_tick" 1 None,
    NewConnection "proxy_on_new_connection" 1 Some(0),
    DownstreamData "proxy_on_downstream_data" 3 Some(0),
    UpstreamData "proxy_on_upstream_data" 3 Some(0),
    DownstreamClose "proxy_on_downstream_connection_close" 2 None,
    UpstreamClose "proxy_on_upstream_connection_close" 2 None,
    RequestHeaders "proxy_on_request_headers" 3 Some(0),
    RequestBody "proxy_on_request_body" 3 Some(0),
    RequestTrailers "proxy_on_request_trailers" 2 Some(0),
    ResponseHeaders "proxy_on_response_headers" 3 Some(0),
    ResponseBody "proxy_on_response_body" 3 Some(0),
    ResponseTrailers "proxy_on_response_trailers" 2 Some(0),
    HttpCallResponse "proxy_on_http_call_response" 5 None,
    GrpcInitialMetadata "proxy_on_grpc_receive_initial_metadata" 3 None,
    GrpcReceive "proxy_on_grpc_receive" 3 None,
    GrpcTrailingMetadata "proxy_on_grpc_receive_trailing_metadata" 3 None,
    GrpcClose "proxy_on_grpc_close" 3 None,
    QueueReady "proxy_on_queue_ready" 2 None,
    ForeignFunction "proxy_on_foreign_function" 3 None,
    Done "proxy_on_done" 1 Some(1),
    Log "proxy_on_log" 1 None,
    Delete "proxy_on_delete" 1 None,
}

impl Callback {
    /// How many parameters it has in this version.
    pub(crate) fn parameters(self, version: ProxyWasmVersion) -> usize {
        let is_headers = matches!(self, Self::RequestHeaders | Self::ResponseHeaders);
        match version {
            ProxyWasmVersion::V0_1_0 if is_headers => 2,
            _ => self.export().1,
        }
    }
}

/// One argument of a scripted call; text is put into the script and gives two arguments, its address and its length.
#[derive(Debug, Clone)]
pub(crate) enum Argument {
    Number(i64),
    Bytes(Vec<u8>),
}

macro_rules! numbers {
    ($($kind:ty),*) => { $(
        impl From<$kind> for Argument {
            fn from(number: $kind) -> Self {
                Self::Number(i64::from(number))
            }
        }
    )* };
}
numbers!(i32, u32, i64);

impl From<&str> for Argument {
    fn from(text: &str) -> Self {
        Self::Bytes(text.into())
    }
}

impl From<Vec<u8>> for Argument {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

/// The arguments of a scripted call.
macro_rules! args {
    ($($argument:expr),* $(,)?) => { vec![$($crate::testing::Argument::from($argument)),*] };
}
pub(crate) use args;

/// One call of a host function, or something of [`SPECIAL`].
#[derive(Debug, Clone)]
pub(crate) struct Step {
    function: &'static str,
    arguments: Vec<Argument>,
}

pub(crate) fn call(function: &'static str, arguments: Vec<Argument>) -> Step {
    Step { function, arguments }
}

/// What a guest does at one coming of a callback.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    pub(crate) steps: Vec<Step>,
    pub(crate) result: u32,
}

pub(crate) fn turn(result: u32, steps: impl IntoIterator<Item = Step>) -> Turn {
    Turn {
        steps: steps.into_iter().collect(),
        result,
    }
}

/// What one plugin of a guest does: for each callback its turns, of which the last is repeated.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    turns: BTreeMap<Callback, Vec<Turn>>,
}

impl Script {
    /// Sets the turns of a callback.
    pub(crate) fn set(&mut self, callback: Callback, turns: Vec<Turn>) {
        self.turns.insert(callback, turns);
    }

    /// The script as it lies in memory at `base`.
    pub(crate) fn encode(&self, base: u32, version: ProxyWasmVersion) -> Vec<u8> {
        let mut page = Page {
            base,
            bytes: vec![0; 32 * 8],
            functions: functions(version),
        };
        for (callback, turns) in &self.turns {
            let addresses: Vec<u32> = turns.iter().map(|turn| page.turn(turn)).collect();
            let list: Vec<u8> = addresses
                .iter()
                .flat_map(|address| address.to_le_bytes())
                .collect();
            let list = page.put(&list);
            let entry = *callback as usize * 8;
            page.bytes[entry..entry + 4].copy_from_slice(&list.to_le_bytes());
            page.bytes[entry + 4..entry + 8].copy_from_slice(&(turns.len() as u32).to_le_bytes());
        }
        assert!(page.bytes.len() <= 0x10000, "a script has at most 64 KiB");
        page.bytes
    }
}

struct Page {
    base: u32,
    bytes: Vec<u8>,
    functions: Vec<(&'static str, &'static str)>,
}

impl Page {
    fn put(&mut self, bytes: &[u8]) -> u32 {
        let address = self.base + self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        while !self.bytes.len().is_multiple_of(8) {
            self.bytes.push(0);
        }
        address
    }

    fn turn(&mut self, turn: &Turn) -> u32 {
        let mut bytes = (turn.steps.len() as u32).to_le_bytes().to_vec();
        bytes.extend(turn.result.to_le_bytes());
        for step in &turn.steps {
            let arguments = self.arguments(step);
            bytes.extend((self.function(step.function) as u64).to_le_bytes());
            bytes.extend(arguments.iter().flat_map(|argument| argument.to_le_bytes()));
        }
        self.put(&bytes)
    }

    fn function(&self, name: &str) -> usize {
        let host = self.functions.iter().position(|(function, _)| *function == name);
        let special = || SPECIAL.iter().position(|special| *special == name);
        host.or_else(|| Some(self.functions.len() + special()?))
            .unwrap_or_else(|| panic!("this version has no {name}"))
    }

    fn arguments(&mut self, step: &Step) -> [i64; 12] {
        let mut arguments = [0; 12];
        let mut count = 0;
        let mut push = |number| {
            arguments[count] = number;
            count += 1;
        };
        for argument in &step.arguments {
            match argument {
                Argument::Number(number) => push(*number),
                Argument::Bytes(bytes) => {
                    push(i64::from(self.put(bytes)));
                    push(bytes.len() as i64);
                }
            }
        }
        let known = self.functions.iter().find(|(name, _)| *name == step.function);
        let wanted = known.map_or(0, |(_, parameters)| parameters.len());
        assert_eq!(count, wanted, "the arguments of {}", step.function);
        arguments
    }
}
