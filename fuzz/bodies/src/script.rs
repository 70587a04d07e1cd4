//! What the scripted guest does, and how that is written into its memory.
//!
//! ```text
//! page 0  the guest's own; what its allocator gives      page 1  the script, and from DATA on the texts
//! page 2  question marks, for what host functions answer
//!
//! script: 32 × (u32 address of the next turn, u32 turns left) │ turns: u32 steps, u32 result, steps × (u64 do, 12 × u64)
//! ```

use std::sync::OnceLock;

use wharf_abi_proxy_wasm::host_functions;
use wharf_plugin::ProxyWasmVersion;

/// Where the guest's memory ends when it starts.
pub(crate) const END: u32 = 0x30000;
/// Where the script is.
pub(crate) const SCRIPT: u32 = 0x10000;
/// Where the texts begin that scripts point to.
pub(crate) const DATA: u32 = 0x1a000;
/// Where what host functions may overwrite begins.
pub(crate) const FREE: u32 = 0x20000;
/// The most steps of a turn; the guest does not do more, whatever its script has become.
pub(crate) const MOST_STEPS: usize = 16;

const TABLE: usize = 32 * 8;
const STEP: usize = 13 * 8;

/// The host functions that the guest can call, with the meaning of their parameters:
///
/// | letter | parameter |
/// |---|---|
/// | `n`, `N` | a number of 32 or 64 bits |
/// | `p` | bytes: a pointer and a length |
/// | `q` | a pointer to bytes whose length the function knows |
/// | `o`, `O`, `w` | a place for an answer of 4, of 8, of any number of bytes |
const FUNCTIONS: &[(&str, &str, &str)] = &[
    ("env", "proxy_log", "np"),
    ("env", "proxy_get_log_level", "o"),
    ("env", "proxy_get_current_time_nanoseconds", "O"),
    ("env", "proxy_set_tick_period_milliseconds", "n"),
    ("env", "proxy_get_buffer_bytes", "nnnoo"),
    ("env", "proxy_get_buffer_status", "noo"),
    ("env", "proxy_set_buffer_bytes", "nnnp"),
    ("env", "proxy_get_header_map_size", "no"),
    ("env", "proxy_get_header_map_pairs", "noo"),
    ("env", "proxy_set_header_map_pairs", "np"),
    ("env", "proxy_get_header_map_value", "npoo"),
    ("env", "proxy_add_header_map_value", "npp"),
    ("env", "proxy_replace_header_map_value", "npp"),
    ("env", "proxy_remove_header_map_value", "np"),
    ("env", "proxy_continue_stream", "n"),
    ("env", "proxy_close_stream", "n"),
    ("env", "proxy_send_local_response", "npppn"),
    ("env", "proxy_http_call", "ppppno"),
    ("env", "proxy_grpc_call", "pppppno"),
    ("env", "proxy_grpc_stream", "ppppo"),
    ("env", "proxy_grpc_send", "npn"),
    ("env", "proxy_grpc_cancel", "n"),
    ("env", "proxy_grpc_close", "n"),
    ("env", "proxy_get_status", "ooo"),
    ("env", "proxy_set_shared_data", "ppn"),
    ("env", "proxy_get_shared_data", "pooo"),
    ("env", "proxy_register_shared_queue", "po"),
    ("env", "proxy_resolve_shared_queue", "ppo"),
    ("env", "proxy_enqueue_shared_queue", "np"),
    ("env", "proxy_dequeue_shared_queue", "noo"),
    ("env", "proxy_define_metric", "npo"),
    ("env", "proxy_record_metric", "nN"),
    ("env", "proxy_increment_metric", "nN"),
    ("env", "proxy_get_metric", "nO"),
    ("env", "proxy_get_property", "poo"),
    ("env", "proxy_set_property", "pp"),
    ("env", "proxy_call_foreign_function", "ppoo"),
    ("env", "proxy_set_effective_context", "n"),
    ("env", "proxy_done", ""),
    ("env", "pthread_equal", "nn"),
    ("env", "emscripten_notify_memory_growth", "n"),
    ("env", "proxy_get_configuration", "oo"),
    ("env", "proxy_continue_request", ""),
    ("env", "proxy_continue_response", ""),
    ("env", "proxy_clear_route_cache", ""),
    (WASI, "args_get", "ww"),
    (WASI, "args_sizes_get", "oo"),
    (WASI, "clock_res_get", "nO"),
    (WASI, "clock_time_get", "nNO"),
    (WASI, "environ_get", "ww"),
    (WASI, "environ_sizes_get", "oo"),
    (WASI, "fd_fdstat_get", "nw"),
    (WASI, "fd_readdir", "nwnNo"),
    (WASI, "fd_seek", "nNnO"),
    (WASI, "fd_write", "nqno"),
    (WASI, "path_readlink", "npwno"),
    (WASI, "poll_oneoff", "qwno"),
    (WASI, "random_get", "wn"),
];

pub(crate) const WASI: &str = "wasi_snapshot_preview1";

/// A host function that the guest can call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) module: &'static str,
    pub(crate) name: &'static str,
    /// The letters of its parameters.
    pub(crate) parameters: &'static str,
}

/// The functions that a guest of this version can call, by their index in its table.
pub(crate) fn functions(version: ProxyWasmVersion) -> &'static [Function] {
    static FOUND: [OnceLock<Vec<Function>>; 3] = [const { OnceLock::new() }; 3];
    FOUND[version as usize].get_or_init(|| find(version))
}

fn find(version: ProxyWasmVersion) -> Vec<Function> {
    let given = host_functions(version);
    FUNCTIONS
        .iter()
        .map(|&(module, name, parameters)| Function {
            module,
            name,
            parameters,
        })
        .filter(|function| {
            given
                .iter()
                .any(|given| (given.module, given.name) == (function.module, function.name))
        })
        .collect()
}

/// What the guest can do beside host calls; in its table they follow the host functions.
pub(crate) const SPECIAL: &[&str] = &["trap", "exit", "grow", "allocator", "resume_all"];

macro_rules! callbacks {
    ($($variant:ident $name:literal $parameters:literal $default:expr,)*) => {
        /// A callback that the guest exports.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
        match (self, version) {
            (Self::RequestHeaders | Self::ResponseHeaders, ProxyWasmVersion::V0_1_0) => 2,
            _ => self.export().1,
        }
    }
}

/// One host call, or something special: an index into the guest's table, and raw arguments.
#[derive(Debug, Clone, Default)]
pub(crate) struct Step {
    pub(crate) function: usize,
    pub(crate) arguments: Vec<u64>,
}

/// What the guest does at one coming of a callback.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turn {
    pub(crate) steps: Vec<Step>,
    pub(crate) result: u32,
}

/// What the guest does: for each callback its turns, each for one coming. When they are done it lets everything go on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    pub(crate) turns: [Vec<Turn>; Callback::ALL.len()],
    /// The texts, one after the other.
    pub(crate) data: Vec<u8>,
}

impl Script {
    /// The script as it lies in memory from [`SCRIPT`] on. What is too much is left out.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut image = vec![0; TABLE];
        for (index, turns) in self.turns.iter().enumerate() {
            let address = SCRIPT + image.len() as u32;
            let mut count = 0_u32;
            for turn in turns {
                if image.len() + 8 + MOST_STEPS * STEP > (DATA - SCRIPT) as usize {
                    break;
                }
                turn.encode(&mut image);
                count += 1;
            }
            image[index * 8..index * 8 + 4].copy_from_slice(&address.to_le_bytes());
            image[index * 8 + 4..index * 8 + 8].copy_from_slice(&count.to_le_bytes());
        }
        image.resize((DATA - SCRIPT) as usize, 0);
        let data = self.data.len().min((FREE - DATA) as usize);
        image.extend_from_slice(&self.data[..data]);
        image
    }
}

impl Turn {
    fn encode(&self, out: &mut Vec<u8>) {
        let steps = &self.steps[..self.steps.len().min(MOST_STEPS)];
        out.extend((steps.len() as u32).to_le_bytes());
        out.extend(self.result.to_le_bytes());
        for step in steps {
            let mut fields = [0_u64; 13];
            fields[0] = step.function as u64;
            fields[1..]
                .iter_mut()
                .zip(&step.arguments)
                .for_each(|(field, argument)| *field = *argument);
            fields.iter().for_each(|field| out.extend(field.to_le_bytes()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_function_of_the_abi_can_be_called() {
        for version in ProxyWasmVersion::ALL {
            let known = functions(version);
            for given in host_functions(version)
                .iter()
                .filter(|given| given.module == "env")
            {
                assert!(
                    known.iter().any(|function| function.name == given.name),
                    "{} cannot be called by the fuzzer's guest: add it to FUNCTIONS",
                    given.name
                );
            }
        }
    }
}
