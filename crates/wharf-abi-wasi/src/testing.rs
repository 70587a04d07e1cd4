//! A guest that does nothing but call one host function with what the test gives it.

use std::collections::VecDeque;
use std::io::Read;
use std::time::Duration;

use wharf_engine::{Engine, EngineSettings, Fault, Imports, Instance, WasmParams};
use wharf_plugin::{Limits, Reference, VerifiedArtifact};

use crate::{OutputFull, Stdio, Tree, TreeHost, WasiHost, add_filter_wasi, add_tree_wasi};

/// The size of the guest's memory, which is filled with `?` at the start.
pub(crate) const PAGE: u32 = 65_536;

/// What a test gives to the guest, and what came back.
#[derive(Default)]
pub(crate) struct TestHost {
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) arguments: Vec<String>,
    pub(crate) written: Vec<(Stdio, Vec<u8>)>,
    pub(crate) stdin: Option<VecDeque<u8>>,
    /// The output of a command, taken byte for byte up to five bytes.
    pub(crate) captured: Option<Vec<u8>>,
    pub(crate) realtime: u64,
    pub(crate) monotonic: u64,
    /// What is seen of files, where that is asked for.
    pub(crate) tree: Tree,
}

impl TreeHost for TestHost {
    fn tree(&mut self) -> &mut Tree {
        &mut self.tree
    }
}

impl WasiHost for TestHost {
    fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    fn arguments(&self) -> &[String] {
        &self.arguments
    }

    fn write(&mut self, stream: Stdio, bytes: &[u8]) {
        self.written.push((stream, bytes.to_vec()));
    }

    fn output(&mut self, stream: Stdio, bytes: &[u8]) -> Result<(), OutputFull> {
        match &mut self.captured {
            Some(captured) if captured.len() + bytes.len() > 5 => Err(OutputFull),
            Some(captured) => {
                captured.extend(bytes);
                Ok(())
            }
            None => {
                self.write(stream, bytes.strip_suffix(b"\n").unwrap_or(bytes));
                Ok(())
            }
        }
    }

    fn stdin(&mut self) -> Option<&mut dyn Read> {
        self.stdin.as_mut().map(|stdin| stdin as &mut dyn Read)
    }

    fn realtime_nanoseconds(&mut self) -> u64 {
        self.realtime
    }

    fn monotonic_nanoseconds(&mut self) -> u64 {
        self.monotonic
    }

    fn random(&mut self, buffer: &mut [u8]) {
        buffer.fill(0xa5);
    }
}

/// The forwarding guest of one host function.
pub(crate) struct Guest {
    instance: Instance<TestHost>,
    memory: Vec<u8>,
}

impl Guest {
    /// A guest that forwards to `function`, whose parameters are listed with spaces between them.
    pub(crate) fn new(function: &str, parameters: &str) -> Self {
        Self::forwarding(FILTER, function, parameters, "(result i32)")
    }

    /// The same for a guest that sees a tree, which imports the function from `module`.
    pub(crate) fn with_tree(module: &str, function: &str, parameters: &str) -> Self {
        let table = (module, add_tree_wasi::<TestHost> as fn(&mut Imports<TestHost>));
        Self::forwarding(table, function, parameters, "(result i32)")
    }

    /// The same for a function that returns nothing.
    pub(crate) fn without_result(function: &str, parameters: &str) -> Self {
        Self::forwarding(FILTER, function, parameters, "")
    }

    fn forwarding(
        (module, add): (&str, fn(&mut Imports<TestHost>)),
        function: &str,
        parameters: &str,
        result: &str,
    ) -> Self {
        let count = parameters.split_whitespace().count();
        let arguments: String = (0..count).map(|index| format!("(local.get {index})")).collect();
        let wat = format!(
            r#"(module
                (import "{module}" "{function}" (func $host (param {parameters}) {result}))
                (memory (export "memory") 1)
                (func (export "call") (param {parameters}) {result} (call $host {arguments})))"#
        );
        let mut instance = instantiate(&wat, add);
        let memory = vec![b'?'; PAGE as usize];
        instance.memory().write(0, &memory).unwrap();
        Self { instance, memory }
    }

    pub(crate) fn host(&mut self) -> &mut TestHost {
        self.instance.state_mut()
    }

    /// Puts bytes into the memory before a call.
    pub(crate) fn put(&mut self, pointer: u32, bytes: &[u8]) {
        self.instance.memory().write(pointer, bytes).unwrap();
    }

    /// Bytes of the memory after a call.
    pub(crate) fn bytes_at(&mut self, pointer: u32, length: u32) -> Vec<u8> {
        self.instance.memory().read(pointer, length).unwrap().to_vec()
    }

    /// A `u32` of the memory after a call.
    pub(crate) fn u32_at(&mut self, pointer: u32) -> u32 {
        self.instance.memory().read_u32(pointer).unwrap()
    }

    /// Calls the host function and gives its error number.
    pub(crate) fn call<P: WasmParams>(&mut self, parameters: P) -> i32 {
        let function = self.instance.function::<P, i32>("call").unwrap().unwrap();
        self.instance
            .call(&function, parameters, Duration::from_secs(10))
            .unwrap()
    }

    pub(crate) fn call_without_result<P: WasmParams>(&mut self, parameters: P) -> Result<(), Fault> {
        let function = self.instance.function::<P, ()>("call").unwrap().unwrap();
        self.instance.call(&function, parameters, Duration::from_secs(10))
    }

    /// The whole memory is as it was filled, but for these pieces.
    #[track_caller]
    pub(crate) fn assert_memory(&mut self, pieces: &[(u32, &[u8])]) {
        let mut expected = self.memory.clone();
        for (pointer, bytes) in pieces {
            expected[*pointer as usize..][..bytes.len()].copy_from_slice(bytes);
        }
        let memory = self.instance.memory();
        let actual = memory.read(0, PAGE).unwrap();
        if let Some(at) = (0..expected.len()).find(|at| expected[*at] != actual[*at]) {
            let window = at.saturating_sub(8)..(at + 24).min(expected.len());
            let (expected, actual) = (
                expected[window.clone()].escape_ascii(),
                actual[window].escape_ascii(),
            );
            panic!("the memory differs at {at}\nexpected {expected}\nactual   {actual}");
        }
    }
}

/// The interface and the functions of guests that see no files.
const FILTER: (&str, fn(&mut Imports<TestHost>)) = ("wasi_snapshot_preview1", add_filter_wasi::<TestHost>);

/// An instance of a module in text form, linked to the functions that `add` adds.
fn instantiate(wat: &str, add: fn(&mut Imports<TestHost>)) -> Instance<TestHost> {
    let reference = Reference::File("guest.wat".into());
    let artifact = VerifiedArtifact::dangerously_unverified(reference, wat::parse_str(wat).unwrap());
    let mut imports = Imports::new();
    add(&mut imports);
    let engine = Engine::new(EngineSettings::default()).unwrap();
    let (module, _) = engine.compile(&artifact, &Limits::default()).unwrap();
    module
        .link(&imports, &Limits::default())
        .unwrap()
        .instantiate(TestHost::default())
        .unwrap()
}

/// Every function of the interface with its parameters as the standard has them; each returns an error number, but for
/// `proc_exit`.
const FUNCTIONS: &[(&str, &str)] = &[
    ("args_get", "i32 i32"),
    ("args_sizes_get", "i32 i32"),
    ("clock_res_get", "i32 i32"),
    ("clock_time_get", "i32 i64 i32"),
    ("environ_get", "i32 i32"),
    ("environ_sizes_get", "i32 i32"),
    ("fd_advise", "i32 i64 i64 i32"),
    ("fd_allocate", "i32 i64 i64"),
    ("fd_close", "i32"),
    ("fd_datasync", "i32"),
    ("fd_fdstat_get", "i32 i32"),
    ("fd_fdstat_set_flags", "i32 i32"),
    ("fd_fdstat_set_rights", "i32 i64 i64"),
    ("fd_filestat_get", "i32 i32"),
    ("fd_filestat_set_size", "i32 i64"),
    ("fd_filestat_set_times", "i32 i64 i64 i32"),
    ("fd_pread", "i32 i32 i32 i64 i32"),
    ("fd_prestat_dir_name", "i32 i32 i32"),
    ("fd_prestat_get", "i32 i32"),
    ("fd_pwrite", "i32 i32 i32 i64 i32"),
    ("fd_read", "i32 i32 i32 i32"),
    ("fd_readdir", "i32 i32 i32 i64 i32"),
    ("fd_renumber", "i32 i32"),
    ("fd_seek", "i32 i64 i32 i32"),
    ("fd_sync", "i32"),
    ("fd_tell", "i32 i32"),
    ("fd_write", "i32 i32 i32 i32"),
    ("path_create_directory", "i32 i32 i32"),
    ("path_filestat_get", "i32 i32 i32 i32 i32"),
    ("path_filestat_set_times", "i32 i32 i32 i32 i64 i64 i32"),
    ("path_link", "i32 i32 i32 i32 i32 i32 i32"),
    ("path_open", "i32 i32 i32 i32 i32 i64 i64 i32 i32"),
    ("path_readlink", "i32 i32 i32 i32 i32 i32"),
    ("path_remove_directory", "i32 i32 i32"),
    ("path_rename", "i32 i32 i32 i32 i32 i32"),
    ("path_symlink", "i32 i32 i32 i32 i32"),
    ("path_unlink_file", "i32 i32 i32"),
    ("poll_oneoff", "i32 i32 i32 i32"),
    ("proc_exit", "i32"),
    ("proc_raise", "i32"),
    ("random_get", "i32 i32"),
    ("sched_yield", ""),
    ("sock_accept", "i32 i32 i32"),
    ("sock_recv", "i32 i32 i32 i32 i32 i32"),
    ("sock_send", "i32 i32 i32 i32 i32"),
    ("sock_shutdown", "i32 i32"),
];

#[test]
fn every_function_is_given_under_both_names_with_the_standard_signature() {
    let import = |module: &str, (name, parameters): &(&str, &str)| {
        let result = if *name == "proc_exit" { "" } else { "(result i32)" };
        format!(r#"(import "{module}" "{name}" (func (param {parameters}) {result}))"#)
    };
    let imports: String = crate::MODULES
        .iter()
        .flat_map(|module| FUNCTIONS.iter().map(move |function| import(module, function)))
        .collect();
    for add in [add_filter_wasi::<TestHost>, add_tree_wasi::<TestHost>] {
        instantiate(&format!("(module {imports})"), add);

        let mut table: Imports<TestHost> = Imports::new();
        add(&mut table);
        assert_eq!(table.names().len(), 2 * FUNCTIONS.len());
    }
}
