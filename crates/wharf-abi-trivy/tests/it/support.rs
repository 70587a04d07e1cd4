//! What all tests have in common: an engine, modules in text form, and a host that writes down what it is told.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use wharf_abi_trivy::{AnalysisResult, CallError, Host, LoadError, LogLine, Settings, TrivyModule};
use wharf_engine::{Deadline, Engine, EngineSettings, Module};
use wharf_plugin::{ByteSize, Limits, Reference, VerifiedArtifact};

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(EngineSettings::default()).unwrap());

/// Longer than any call of these tests takes that is not meant to be ended.
pub(crate) fn ample() -> Deadline {
    Deadline::after(Duration::from_secs(120))
}

/// Soon over, for modules that would never end.
pub(crate) fn short() -> Deadline {
    Deadline::after(Duration::from_millis(30))
}

pub(crate) fn settings() -> Settings {
    Settings {
        limits: Limits {
            memory: ByteSize::from_mib(64),
            startup_deadline: Duration::from_secs(120),
            ..Settings::default().limits
        },
        ..Settings::default()
    }
}

/// A host that writes down what it is told.
#[derive(Default)]
pub(crate) struct TestHost {
    lines: Mutex<Vec<String>>,
}

impl TestHost {
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock().unwrap())
    }
}

impl Host for TestHost {
    fn log(&self, line: &LogLine<'_>) {
        let LogLine { source, file, text } = line;
        let file = file.unwrap_or("-");
        self.lines
            .lock()
            .unwrap()
            .push(format!("{source:?} {file}: {text}"));
    }

    fn realtime_nanoseconds(&self) -> u64 {
        0x0102_0304
    }

    fn monotonic_nanoseconds(&self) -> u64 {
        7
    }
}

pub(crate) fn compile(bytes: Vec<u8>) -> Module {
    let reference = Reference::File("guest.wasm".into());
    let artifact = VerifiedArtifact::dangerously_unverified(reference, bytes);
    let limits = settings().limits;
    ENGINE.compile(&artifact, &limits).unwrap().0
}

pub(crate) fn load_with(
    wat: &str,
    settings: Settings,
    host: &Arc<TestHost>,
) -> Result<TrivyModule, LoadError> {
    let bytes = wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}\n{wat}"));
    TrivyModule::load(&compile(bytes), settings, Arc::clone(host) as Arc<dyn Host>)
}

pub(crate) fn load(wat: &str) -> Result<TrivyModule, LoadError> {
    load_with(wat, settings(), &Arc::default())
}

/// A committed guest, built or in text form.
pub(crate) fn guest_bytes(path: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../guests/trivy")
        .join(path);
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("wat") => wat::parse_file(&path).unwrap_or_else(|error| panic!("{error}")),
        _ => std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
    }
}

pub(crate) fn guest(path: &str, host: &Arc<TestHost>) -> Result<TrivyModule, LoadError> {
    let host = Arc::clone(host) as Arc<dyn Host>;
    TrivyModule::load(&compile(guest_bytes(path)), settings(), host)
}

pub(crate) fn analyze(module: &TrivyModule, path: &str, contents: &str) -> Result<AnalysisResult, CallError> {
    module.analyze(path, Arc::from(contents.as_bytes()), ample())
}

/// A module whose parts can be replaced: what is in `parts` stands in place of the export of the same name.
pub(crate) struct Text {
    exports: Vec<(&'static str, String)>,
    head: String,
}

impl Text {
    /// An analyzer and post-scanner that finds and changes nothing. Its input goes to 4096.
    pub(crate) fn new() -> Self {
        let export = |name, text: &str| (name, text.to_owned());
        Self {
            head: String::new(),
            exports: vec![
                export("malloc", "(param i32) (result i32) (i32.const 4096)"),
                export("free", "(param i32 i32)"),
                export("name", "(result i64) (i64.const 0x10_00000004)"),
                export("version", "(result i32) (i32.const 3)"),
                export("api_version", "(result i32) (i32.const 1)"),
                export("is_analyzer", "(result i64) (i64.const 1)"),
                export("is_post_scanner", "(result i64) (i64.const 1)"),
                export("required", "(result i64) (i64.const 0x20_00000005)"),
                export(
                    "analyze",
                    "(param i32 i32) (result i64) (i64.const 0x40_00000004)",
                ),
                export("post_scan_spec", "(result i64) (i64.const 0x50_00000002)"),
                export(
                    "post_scan",
                    "(param i32 i32) (result i64) (i64.const 0x40_00000004)",
                ),
            ],
        }
    }

    /// With another function in place of an export.
    pub(crate) fn with(mut self, name: &str, text: &str) -> Self {
        let export = self.exports.iter_mut().find(|export| export.0 == name);
        text.clone_into(&mut export.unwrap().1);
        self
    }

    /// Without an export.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.exports.retain(|export| export.0 != name);
        self
    }

    /// With imports, globals, data and further exports.
    pub(crate) fn head(mut self, text: &str) -> Self {
        self.head.push_str(text);
        self
    }

    pub(crate) fn wat(&self) -> String {
        let exports: String = self
            .exports
            .iter()
            .map(|(name, text)| format!("(func (export \"{name}\") {text})\n"))
            .collect();
        format!(
            r#"(module {}
            (memory (export "memory") 1)
            (data (i32.const 16) "name") (data (i32.const 32) "[\22.\22]") (data (i32.const 64) "null")
            (data (i32.const 80) "{{}}")
            {exports})"#,
            self.head
        )
    }

    pub(crate) fn load(&self) -> Result<TrivyModule, LoadError> {
        load(&self.wat())
    }
}
