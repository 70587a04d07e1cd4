//! What each parameter of each host function is, with an argument that is good in the callback of request headers.
//! Which functions there are is the linker's to say: [`catalog`] fails for one that is not here, and the guest does not
//! link where a parameter is missing or of another type.

use wharf_plugin::ProxyWasmVersion::{self, V0_1_0};

use crate::hostcalls::host_functions;
use crate::numbers::Status;
use crate::pairs;

/// What the WASI functions answer to a pointer that is not in memory.
pub(super) const FAULT: i32 = 21;

pub(super) const OK: i32 = Status::Ok as i32;
pub(super) const NOT_FOUND: i32 = Status::NotFound as i32;
pub(super) const BAD_ARGUMENT: i32 = Status::BadArgument as i32;
pub(super) const SERIALIZATION_FAILURE: i32 = Status::SerializationFailure as i32;
pub(super) const BAD_MEMORY: i32 = Status::InvalidMemoryAccess as i32;

/// One parameter, or two where a pointer and a length belong together.
#[derive(Debug, Clone)]
pub(super) enum Parameter {
    /// A pointer and a length of bytes that the host reads.
    In(In),
    /// A pointer and a length of a place that the host fills.
    Fill,
    /// A pointer and a count of vectors, each a pointer and a length.
    Vectors,
    /// A pointer to a place for so many bytes.
    Out {
        bytes: u32,
        /// What the log calls it.
        name: &'static str,
    },
    /// A number of which only some mean anything, and what the others give.
    Known {
        good: i64,
        known: &'static [i64],
        unknown: fn(u32) -> i32,
    },
    /// A number, of 32 or 64 bits, that may be anything.
    Free { good: i64, wide: bool },
}

#[derive(Debug, Clone)]
pub(super) struct In {
    /// What the log calls it.
    pub(super) name: &'static str,
    pub(super) good: Vec<u8>,
    /// What no bytes at all give.
    pub(super) empty: i32,
}

use Parameter::{Fill, Free, Known, Out, Vectors};

/// A host function.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) module: &'static str,
    pub(super) name: &'static str,
    pub(super) parameters: Vec<Parameter>,
    /// What good arguments give; `None` where the function returns nothing, or never.
    pub(super) good: Option<i32>,
}

impl Entry {
    /// One letter for each parameter as the linker has it: i for i32, I for i64.
    pub(super) fn types(&self) -> String {
        self.parameters
            .iter()
            .map(|parameter| match parameter {
                Parameter::In(_) | Fill | Vectors => "ii",
                Out { .. } | Known { .. } | Free { wide: false, .. } => "i",
                Free { wide: true, .. } => "I",
            })
            .collect()
    }

    pub(super) fn is_wasi(&self) -> bool {
        self.module != "env"
    }

    /// Whether it ends the guest.
    pub(super) fn is_exit(&self) -> bool {
        self.name == "proc_exit"
    }

    /// Whether it works while the module starts and in its allocator.
    pub(super) fn is_always_there(&self) -> bool {
        let logs = matches!(self.name, "proxy_log" | "proxy_get_log_level");
        self.is_wasi() || logs || !self.name.starts_with("proxy_")
    }
}

/// All functions that the linker has for this version, in its order.
pub(super) fn catalog(version: ProxyWasmVersion) -> Vec<Entry> {
    let known = all(version);
    let given = host_functions(version).into_iter().map(|function| {
        let is_wasi = function.module != "env";
        let entry = known
            .iter()
            .find(|entry| entry.name == function.name && entry.is_wasi() == is_wasi);
        let entry = entry.unwrap_or_else(|| {
            panic!(
                "{}.{} has no hostile arguments: add it to this catalog",
                function.module, function.name
            )
        });
        Entry {
            module: function.module,
            ..entry.clone()
        }
    });
    given.collect()
}

fn all(version: ProxyWasmVersion) -> Vec<Entry> {
    let mut all = plain();
    all.extend(bodies_and_headers(version));
    all.extend(streams());
    all.extend(call_outs());
    all.extend(shared());
    all.extend(wasi());
    all
}

fn env(name: &'static str, good: i32, parameters: Vec<Parameter>) -> Entry {
    Entry {
        module: "env",
        name,
        parameters,
        good: Some(good),
    }
}

fn bytes(name: &'static str, good: &[u8], empty: i32) -> Parameter {
    Parameter::In(In {
        name,
        good: good.into(),
        empty,
    })
}

/// A serialized map that is good as headers of a call-out.
pub(super) fn map_bytes() -> Vec<u8> {
    let mut bytes = Vec::new();
    let wanted = [
        (&b":method"[..], &b"GET"[..]),
        (b":path", b"/"),
        (b":authority", b"up"),
    ];
    pairs::encode(wanted.into_iter(), &mut bytes);
    bytes
}

fn map(name: &'static str, empty: i32) -> Parameter {
    bytes(name, &map_bytes(), empty)
}

fn place(bytes: u32, name: &'static str) -> Parameter {
    Out { bytes, name }
}

fn address() -> Parameter {
    place(4, "the place for the address")
}

fn length() -> Parameter {
    place(4, "the place for the length")
}

fn known(good: i64, known: &'static [i64]) -> Parameter {
    Known {
        good,
        known,
        unknown: |_| BAD_ARGUMENT,
    }
}

/// The id of something of which there is one.
fn id(good: i64, only: &'static [i64], unknown: fn(u32) -> i32) -> Parameter {
    Known {
        good,
        known: only,
        unknown,
    }
}

fn free(good: i64) -> Parameter {
    Free { good, wide: false }
}

fn wide(good: i64) -> Parameter {
    Free { good, wide: true }
}

const MAPS: &[i64] = &[0, 1, 2, 3, 4, 5, 6, 7];
const BUFFERS: &[i64] = &[0, 1, 2, 3, 4, 5, 6, 7, 8];
const STREAMS: &[i64] = &[0, 1, 2, 3];

fn plain() -> Vec<Entry> {
    let path = |empty| bytes("the path", b"plugin_name", empty);
    vec![
        env("pthread_equal", 0, vec![free(1), free(2)]),
        Entry {
            good: None,
            ..env("emscripten_notify_memory_growth", OK, vec![free(0)])
        },
        env(
            "proxy_log",
            OK,
            vec![known(2, &[0, 1, 2, 3, 4, 5]), bytes("the message", b"hello", OK)],
        ),
        env(
            "proxy_get_log_level",
            OK,
            vec![place(4, "the place for the level")],
        ),
        env(
            "proxy_get_current_time_nanoseconds",
            OK,
            vec![place(8, "the place for the time")],
        ),
        env("proxy_set_tick_period_milliseconds", OK, vec![free(100)]),
        env(
            "proxy_get_property",
            OK,
            vec![path(SERIALIZATION_FAILURE), address(), length()],
        ),
        env(
            "proxy_set_property",
            OK,
            vec![bytes("the path", b"x", OK), bytes("the value", b"value", OK)],
        ),
        env(
            "proxy_call_foreign_function",
            OK,
            vec![
                bytes("the function's name", b"compress", NOT_FOUND),
                bytes("the arguments", b"data", OK),
                address(),
                length(),
            ],
        ),
        env(
            "proxy_set_effective_context",
            OK,
            vec![id(1, &[0, 1], |_| BAD_ARGUMENT)],
        ),
        env("proxy_done", NOT_FOUND, vec![]),
        env("proxy_get_configuration", OK, vec![address(), length()]),
    ]
}

fn bodies_and_headers(version: ProxyWasmVersion) -> Vec<Entry> {
    let missing = if version == V0_1_0 { OK } else { NOT_FOUND };
    let name = |empty| bytes("the name", b"a", empty);
    let value = || bytes("the value", b"value", OK);
    let maps = || known(0, MAPS);
    vec![
        env(
            "proxy_get_buffer_bytes",
            OK,
            vec![known(6, BUFFERS), free(0), free(9), address(), length()],
        ),
        env(
            "proxy_get_buffer_status",
            OK,
            vec![known(6, BUFFERS), length(), place(4, "the place for the flags")],
        ),
        env(
            // A body cannot be changed in the callback of headers.
            "proxy_set_buffer_bytes",
            BAD_ARGUMENT,
            vec![
                known(0, BUFFERS),
                free(0),
                free(0),
                bytes("the value", b"value", BAD_ARGUMENT),
            ],
        ),
        env(
            "proxy_get_header_map_size",
            OK,
            vec![maps(), place(4, "the place for the size")],
        ),
        env(
            "proxy_get_header_map_pairs",
            OK,
            vec![maps(), address(), length()],
        ),
        env("proxy_set_header_map_pairs", OK, vec![maps(), map("the map", OK)]),
        env(
            "proxy_get_header_map_value",
            OK,
            vec![maps(), name(missing), address(), length()],
        ),
        env(
            "proxy_add_header_map_value",
            OK,
            vec![maps(), name(BAD_ARGUMENT), value()],
        ),
        env(
            "proxy_replace_header_map_value",
            OK,
            vec![maps(), name(BAD_ARGUMENT), value()],
        ),
        env("proxy_remove_header_map_value", OK, vec![maps(), name(OK)]),
    ]
}

fn streams() -> Vec<Entry> {
    vec![
        env("proxy_continue_request", OK, vec![]),
        env("proxy_continue_response", OK, vec![]),
        env("proxy_clear_route_cache", OK, vec![]),
        env("proxy_continue_stream", OK, vec![known(0, STREAMS)]),
        env("proxy_close_stream", OK, vec![known(0, STREAMS)]),
        env(
            "proxy_send_local_response",
            OK,
            vec![
                id(200, &[200, 201, 302, 404, 503, 599], |_| BAD_ARGUMENT),
                bytes("the details", b"details", OK),
                bytes("the body", b"body", OK),
                map("the headers", OK),
                free(-1),
            ],
        ),
    ]
}

fn call_outs() -> Vec<Entry> {
    let call_out = || place(4, "the place for the call-out's id");
    let grpc = || {
        vec![
            bytes("the upstream", b"up", OK),
            bytes("the service", b"service", OK),
            bytes("the method", b"method", OK),
            map("the metadata", OK),
        ]
    };
    let message = || bytes("the message", b"message", OK);
    // An id tells whether it is that of a call or of a stream; others are neither.
    let open_call = || {
        let unknown = |id| {
            if matches!(id % 4, 1 | 2) {
                NOT_FOUND
            } else {
                BAD_ARGUMENT
            }
        };
        id(2, &[2], unknown)
    };
    vec![
        env(
            "proxy_http_call",
            OK,
            vec![
                bytes("the upstream's name", b"up", OK),
                map("the headers", BAD_ARGUMENT),
                bytes("the body", b"body", OK),
                map("the trailers", OK),
                free(0),
                call_out(),
            ],
        ),
        env(
            "proxy_grpc_call",
            OK,
            [grpc(), vec![message(), free(0), call_out()]].concat(),
        ),
        env("proxy_grpc_stream", OK, [grpc(), vec![call_out()]].concat()),
        env(
            "proxy_grpc_send",
            OK,
            vec![
                id(2, &[2], |id| if id % 4 == 2 { NOT_FOUND } else { BAD_ARGUMENT }),
                message(),
                free(0),
            ],
        ),
        env("proxy_grpc_cancel", OK, vec![open_call()]),
        env("proxy_grpc_close", OK, vec![open_call()]),
        env(
            "proxy_get_status",
            OK,
            vec![place(4, "the place for the code"), address(), length()],
        ),
    ]
}

fn shared() -> Vec<Entry> {
    // An id tells what kind of metric it is that of; those of no counter and no gauge cannot be read.
    let changeable = || {
        let unknown = |id| if id % 4 < 2 { NOT_FOUND } else { BAD_ARGUMENT };
        id(METRIC, &[METRIC], unknown)
    };
    let queue = || place(4, "the place for the queue's id");
    vec![
        env(
            "proxy_get_shared_data",
            OK,
            vec![
                bytes("the key", b"key", NOT_FOUND),
                address(),
                length(),
                place(4, "the place for the CAS number"),
            ],
        ),
        env(
            "proxy_set_shared_data",
            OK,
            vec![
                bytes("the key", b"other", OK),
                bytes("the value", b"value", OK),
                free(0),
            ],
        ),
        env(
            "proxy_register_shared_queue",
            OK,
            vec![bytes("the name", b"other", OK), queue()],
        ),
        env(
            "proxy_resolve_shared_queue",
            OK,
            vec![
                bytes("the VM id", b"vm", OK),
                bytes("the name", b"q", NOT_FOUND),
                queue(),
            ],
        ),
        env(
            "proxy_enqueue_shared_queue",
            OK,
            vec![id(1, &[1], |_| NOT_FOUND), bytes("the value", b"value", OK)],
        ),
        env(
            "proxy_dequeue_shared_queue",
            OK,
            vec![id(1, &[1], |_| NOT_FOUND), address(), length()],
        ),
        env(
            "proxy_define_metric",
            OK,
            vec![
                known(0, &[0, 1, 2]),
                bytes("the name", b"n", BAD_ARGUMENT),
                place(4, "the place for the metric's id"),
            ],
        ),
        env(
            "proxy_record_metric",
            OK,
            vec![id(METRIC, &[METRIC], |_| NOT_FOUND), wide(1)],
        ),
        env("proxy_increment_metric", OK, vec![changeable(), wide(1)]),
        env(
            "proxy_get_metric",
            OK,
            vec![changeable(), place(8, "the place for the value")],
        ),
    ]
}

/// The one environment variable, as `environ_get` writes it with its NUL. The number is a function's index here.
pub(super) const ENVIRONMENT: &str = "STEP=0000\0";

/// The id of the gauge that the guest defines.
pub(super) const METRIC: i64 = 5;

/// A file descriptor; the answer to those that are not open is 8, `badf`.
fn descriptor() -> Parameter {
    id(1, &[1, 2], |_| 8)
}

fn wasi() -> Vec<Entry> {
    let entry = |name, good, parameters| Entry {
        module: "wasi_snapshot_preview1",
        name,
        parameters,
        good: Some(good),
    };
    let any = || free(0);
    let any_path = || vec![any(), any(), any()];
    let clock = || id(0, &[0, 1], |_| 58);
    let out = |bytes| place(bytes, "");
    vec![
        entry("args_get", 0, vec![out(0), out(0)]),
        entry("args_sizes_get", 0, vec![out(4), out(4)]),
        entry("environ_get", 0, vec![out(4), out(ENVIRONMENT.len() as u32)]),
        entry("environ_sizes_get", 0, vec![out(4), out(4)]),
        entry("clock_res_get", 0, vec![clock(), out(8)]),
        entry("clock_time_get", 0, vec![clock(), wide(1), out(8)]),
        entry("random_get", 0, vec![Fill]),
        entry("sched_yield", 0, vec![]),
        Entry {
            good: None,
            ..entry("proc_exit", 0, vec![free(3)])
        },
        entry("proc_raise", 58, vec![any()]),
        entry("poll_oneoff", 0, vec![any(), any(), any(), out(4)]),
        entry("fd_advise", 0, vec![any(), wide(0), wide(0), any()]),
        entry("fd_allocate", 0, vec![descriptor(), wide(0), wide(0)]),
        entry("fd_close", 0, vec![any()]),
        entry("fd_datasync", 0, vec![descriptor()]),
        entry("fd_fdstat_get", 0, vec![descriptor(), out(24)]),
        entry("fd_fdstat_set_flags", 52, vec![any(), any()]),
        entry("fd_fdstat_set_rights", 0, vec![descriptor(), wide(0), wide(0)]),
        entry("fd_filestat_get", 8, vec![any(), any()]),
        entry("fd_filestat_set_size", 0, vec![descriptor(), wide(0)]),
        entry(
            "fd_filestat_set_times",
            0,
            vec![descriptor(), wide(0), wide(0), any()],
        ),
        entry("fd_pread", 52, vec![any(), any(), any(), wide(0), any()]),
        entry("fd_prestat_dir_name", 52, any_path()),
        entry("fd_prestat_get", 8, vec![any(), any()]),
        entry("fd_pwrite", 0, vec![descriptor(), Vectors, wide(0), out(4)]),
        entry("fd_read", 52, vec![any(), any(), any(), any()]),
        entry("fd_readdir", 20, vec![any(), any(), any(), wide(0), out(4)]),
        entry("fd_renumber", 58, vec![descriptor(), descriptor()]),
        entry("fd_seek", 0, vec![any(), wide(0), any(), out(8)]),
        entry("fd_sync", 0, vec![descriptor()]),
        entry("fd_tell", 0, vec![descriptor(), out(8)]),
        entry("fd_write", 0, vec![descriptor(), Vectors, out(4)]),
        entry("path_create_directory", 58, any_path()),
        entry("path_filestat_get", 58, [any_path(), vec![any(), any()]].concat()),
        entry(
            "path_filestat_set_times",
            58,
            vec![any(), any(), any(), any(), wide(0), wide(0), any()],
        ),
        entry("path_link", 58, [any_path(), any_path(), vec![any()]].concat()),
        entry(
            "path_open",
            44,
            [any_path(), vec![any(), any(), wide(0), wide(0), any(), any()]].concat(),
        ),
        entry(
            "path_readlink",
            58,
            [any_path(), vec![any(), any(), out(4)]].concat(),
        ),
        entry("path_remove_directory", 58, any_path()),
        entry("path_rename", 58, [any_path(), any_path()].concat()),
        entry("path_symlink", 58, [any_path(), vec![any(), any()]].concat()),
        entry("path_unlink_file", 58, any_path()),
        entry("sock_accept", 58, vec![any(), any(), out(4)]),
        entry(
            "sock_recv",
            58,
            [any_path(), vec![any(), out(4), out(2)]].concat(),
        ),
        entry("sock_send", 58, [any_path(), vec![any(), out(4)]].concat()),
        entry("sock_shutdown", 58, vec![any(), any()]),
    ]
}
