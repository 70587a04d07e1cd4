//! The numbers of the ABI: statuses, log levels, actions, and the ids of maps, buffers, streams, peers and metrics.
//!
//! They are the same in 0.1.0, 0.2.0 and 0.2.1 (specification, "Types"). A number that the ABI does not know is
//! refused where it enters, with [`Status::BadArgument`].

/// What a host function answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// What was asked for is not there.
    NotFound = 1,
    /// An argument cannot be.
    BadArgument = 2,
    /// A value could not be serialized.
    SerializationFailure = 3,
    /// Serialized data could not be read.
    ParseFailure = 4,
    /// A pointer or length is not inside the guest's memory, or its allocator gave nothing.
    InvalidMemoryAccess = 6,
    /// The queue is empty.
    Empty = 7,
    /// The value has changed since its CAS number was read.
    CasMismatch = 8,
    /// The host cannot do it now.
    InternalFailure = 10,
    /// The host does not have it.
    Unimplemented = 12,
}

macro_rules! abi_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $number:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $variant = $number,)* }

        impl $name {
            /// The value with this number, where the ABI has one.
            pub fn from_number(number: u32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

abi_enum! {
    /// How grave a log line is.
    LogLevel {
        /// Finest detail.
        Trace = 0,
        /// For whoever looks for a mistake.
        Debug = 1,
        /// Ordinary news.
        Info = 2,
        /// Something is odd.
        Warn = 3,
        /// Something failed.
        Error = 4,
        /// The filter cannot go on.
        Critical = 5,
    }
}

abi_enum! {
    /// A map of headers, trailers or metadata.
    MapType {
        /// The client's request headers.
        RequestHeaders = 0,
        /// The client's request trailers.
        RequestTrailers = 1,
        /// The response headers.
        ResponseHeaders = 2,
        /// The response trailers.
        ResponseTrailers = 3,
        /// The first metadata of a gRPC call-out's answer.
        GrpcInitialMetadata = 4,
        /// The last metadata of a gRPC call-out's answer.
        GrpcTrailingMetadata = 5,
        /// The headers of an HTTP call-out's answer.
        HttpCallHeaders = 6,
        /// The trailers of an HTTP call-out's answer.
        HttpCallTrailers = 7,
    }
}

abi_enum! {
    /// A buffer of bytes.
    BufferType {
        /// What is held of the request body.
        RequestBody = 0,
        /// What is held of the response body.
        ResponseBody = 1,
        /// Bytes from the TCP client.
        Downstream = 2,
        /// Bytes from the TCP server.
        Upstream = 3,
        /// The body of an HTTP call-out's answer.
        HttpCallBody = 4,
        /// A message of a gRPC call-out's answer.
        GrpcMessage = 5,
        /// The VM's configuration.
        VmConfiguration = 6,
        /// The plugin's configuration.
        PluginConfiguration = 7,
        /// The arguments of a foreign function that the host calls in the guest.
        ForeignArguments = 8,
    }
}

abi_enum! {
    /// A direction of a stream.
    StreamType {
        /// From the HTTP client.
        Request = 0,
        /// To the HTTP client.
        Response = 1,
        /// The TCP connection to the client.
        Downstream = 2,
        /// The TCP connection to the server.
        Upstream = 3,
    }
}

abi_enum! {
    /// Who closed a TCP connection.
    PeerType {
        /// Nobody knows.
        Unknown = 0,
        /// This proxy.
        Local = 1,
        /// The other end.
        Remote = 2,
    }
}

abi_enum! {
    /// What a metric measures.
    MetricType {
        /// A sum that only grows.
        Counter = 0,
        /// A value that goes up and down.
        Gauge = 1,
        /// A distribution of values.
        Histogram = 2,
    }
}

/// What a filter wants done after a headers callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadersAction {
    /// The headers go on.
    Continue,
    /// The headers wait; body callbacks come (only where the plugin asked for it, see
    /// [`PluginContext::allow_on_headers_stop_iteration`](crate::PluginContext)).
    StopIteration,
    /// Everything in this direction waits, and no more than a buffer of the body is read.
    StopAll,
}

/// What a filter wants done after a body callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyAction {
    /// All that is held of the body goes on.
    Continue,
    /// It waits; the next callback sees it together with what comes. Past the limit the stream is refused.
    StopAndBuffer,
    /// It waits; past the limit no more is read until it goes on.
    StopAndWatermark,
    /// It is thrown away: the filter has taken it.
    StopNoBuffer,
}

/// What a filter wants done after a trailers callback, or a TCP data callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It goes on.
    Continue,
    /// It waits.
    Pause,
}

impl HeadersAction {
    /// The meaning of a callback's result. Numbers that the ABI does not know pause, as in Envoy.
    pub(crate) fn from_result(result: u32, allow_stop_iteration: bool) -> Self {
        match result {
            0 => Self::Continue,
            1 if allow_stop_iteration => Self::StopIteration,
            // Envoy's ContinueAndEndStream (2) is refused by its own Wasm filter too and pauses.
            _ => Self::StopAll,
        }
    }
}

impl BodyAction {
    pub(crate) fn from_result(result: u32) -> Self {
        match result {
            0 => Self::Continue,
            1 => Self::StopAndBuffer,
            2 => Self::StopAndWatermark,
            _ => Self::StopNoBuffer,
        }
    }
}

impl Action {
    pub(crate) fn from_result(result: u32) -> Self {
        if result == 0 { Self::Continue } else { Self::Pause }
    }
}
