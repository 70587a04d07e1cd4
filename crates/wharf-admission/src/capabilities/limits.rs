//! How much the server keeps and fetches for policies.

use std::time::Duration;

use wharf_plugin::ByteSize;

/// How much the server keeps and fetches for policies: for all of them together, so that no policy can make it grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapabilityLimits {
    /// How old an object (`get_resource`) or a verdict (`can_i`) may be that is given once more. Default: 5 s.
    pub answer_age: Duration,
    /// How many objects are kept that long, and how many verdicts. Default: 4096 of each.
    pub answers: usize,
    /// How many bytes these objects have together. Default: 64 MiB.
    pub answer_bytes: ByteSize,
    /// How many watches there are, each for one kind, namespace and selector. Default: 200. Each takes a connection to the
    /// API server.
    pub watches: usize,
    /// How long a watch goes on that nobody asks for. Default: 10 min.
    pub watch_idle: Duration,
    /// How many bytes the objects of all watches have together, as they are kept. Default: 512 MiB.
    pub watch_bytes: ByteSize,
    /// How long a watch may be interrupted before lists are fetched from the API server again. Default: 60 s.
    pub watch_broken: Duration,
    /// How long a watch has its place to itself after somebody asked for it, and how long lists that cannot be watched are
    /// fetched before watching is tried again. Default: 60 s.
    pub watch_pause: Duration,
    /// How many bytes one list may have. Default: 128 MiB.
    pub list_bytes: ByteSize,
    /// How many bytes one page of a list may have as the API server sends it. Pages get fewer objects where they have
    /// more. Default: 16 MiB.
    pub page_bytes: ByteSize,
    /// How many lists are fetched at the same time. Default: 8.
    pub concurrent_lists: usize,
    /// How long the cluster may take to answer when the server starts. Default: 10 s.
    pub connect: Duration,
}

impl Default for CapabilityLimits {
    fn default() -> Self {
        Self {
            answer_age: Duration::from_secs(5),
            answers: 4096,
            answer_bytes: ByteSize::from_mib(64),
            watches: 200,
            watch_idle: Duration::from_secs(600),
            watch_bytes: ByteSize::from_mib(512),
            watch_broken: Duration::from_secs(60),
            watch_pause: Duration::from_secs(60),
            list_bytes: ByteSize::from_mib(128),
            page_bytes: ByteSize::from_mib(16),
            concurrent_lists: 8,
            connect: Duration::from_secs(10),
        }
    }
}
