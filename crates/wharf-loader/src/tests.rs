use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Barrier;

use wharf_engine::{CompiledCache, EngineSettings, Imports};
use wharf_plugin::Limits;

use super::*;

/// A filter that nothing else is like, by `number`.
fn filter(number: u32) -> String {
    format!(
        r#"(module (memory (export "memory") 2) (func (export "proxy_abi_version_0_2_1"))
            (func (export "number") (result i32) (i32.const {number})))"#
    )
}

/// Counts what it hears.
#[derive(Default)]
struct Counts {
    started: AtomicUsize,
    compiled: AtomicUsize,
    failed: AtomicUsize,
}

impl LoadProgress for Counts {
    fn compile_started(&self, _plugin: &PluginName, size: ByteSize) {
        assert!(size.bytes() > 8);
        self.started.fetch_add(1, Ordering::SeqCst);
    }

    fn compile_ended(&self, _plugin: &PluginName, outcome: Result<&CacheReport, &CompileError>) {
        let counter = if outcome.is_ok() {
            &self.compiled
        } else {
            &self.failed
        };
        counter.fetch_add(1, Ordering::SeqCst);
    }
}

/// A directory of plugins and a loader for them.
struct Fixture {
    directory: tempfile::TempDir,
    loader: Loader,
    counts: Arc<Counts>,
}

impl Fixture {
    fn new() -> Self {
        Self::with_settings(EngineSettings::default())
    }

    fn with_settings(settings: EngineSettings) -> Self {
        let counts = Arc::new(Counts::default());
        let loader = Loader::new(
            Engine::new(settings).unwrap(),
            Arc::clone(&counts) as Arc<dyn LoadProgress>,
        );
        Self {
            directory: tempfile::tempdir().unwrap(),
            loader,
            counts,
        }
    }

    /// Writes a plugin and gives its specification.
    fn plugin(&self, name: &str, wat: &str) -> Arc<PluginSpec> {
        let path = self.directory.path().join(format!("{name}.wat"));
        fs::write(&path, wat).unwrap();
        spec(name, &path)
    }

    /// How many compilations started, succeeded and failed.
    fn counts(&self) -> [usize; 3] {
        [&self.counts.started, &self.counts.compiled, &self.counts.failed]
            .map(|count| count.load(Ordering::SeqCst))
    }
}

fn spec(name: &str, path: &Path) -> Arc<PluginSpec> {
    Arc::new(PluginSpec::new(
        name.parse().unwrap(),
        Reference::File(path.to_owned()),
    ))
}

fn number_of(plugin: &LoadedPlugin) -> u32 {
    let linked = plugin
        .module
        .link(&Imports::<()>::new(), &Limits::default())
        .unwrap();
    let mut instance = linked.instantiate(()).unwrap();
    let function = instance.function::<(), u32>("number").unwrap().unwrap();
    instance.call(&function, (), Duration::from_secs(10)).unwrap()
}

#[test]
fn a_plugin_is_fetched_identified_and_compiled() {
    let fixture = Fixture::new();
    let plugin = fixture.loader.load(&fixture.plugin("greet", &filter(7))).unwrap();
    assert_eq!(plugin.name.as_str(), "greet");
    assert_eq!(plugin.abis(), [Abi::ProxyWasm(ProxyWasmVersion::V0_2_1)]);
    assert_eq!(plugin.proxy_wasm(), Some(ProxyWasmVersion::V0_2_1));
    assert_eq!(plugin.digest, plugin.module.digest());
    assert!(plugin.identified().surface.exports_function("number"));
    assert!(plugin.size.bytes() > 8 && plugin.load_time > Duration::ZERO);
    assert_eq!((plugin.cache.clone(), plugin.shared), (CacheReport::Off, false));
    assert_eq!(number_of(&plugin), 7);
}

#[test]
fn plugins_of_the_same_bytes_share_the_code_and_count_their_instances_apart() {
    let fixture = Fixture::new();
    let limits = Limits {
        instances: 1,
        ..Limits::default()
    };
    let loaded: Vec<_> = ["a", "b"]
        .iter()
        .map(|name| {
            let spec = PluginSpec {
                limits: limits.clone(),
                ..(*fixture.plugin(name, &filter(7))).clone()
            };
            fixture.loader.load(&spec).unwrap()
        })
        .collect();
    assert_eq!(fixture.counts(), [1, 1, 0]);
    assert_eq!([loaded[0].shared, loaded[1].shared], [false, true]);
    let instances: Vec<_> = loaded
        .iter()
        .map(|plugin| {
            plugin
                .module
                .link(&Imports::new(), &limits)
                .unwrap()
                .instantiate(())
                .unwrap()
        })
        .collect();
    assert_eq!(instances.len(), 2);
}

#[test]
fn each_plugin_is_held_to_its_own_limits_although_the_code_is_shared() {
    let fixture = Fixture::new();
    let wide = fixture.plugin("wide", &filter(7));
    let _loaded = fixture.loader.load(&wide).unwrap();
    let limits = Limits {
        memory: ByteSize::from_kib(64),
        ..Limits::default()
    };
    let narrow = PluginSpec {
        limits,
        ..(*wide).clone()
    };
    let error = fixture.loader.load(&narrow).map(|_| ()).unwrap_err();
    assert!(
        matches!(
            *error.failure,
            LoadFailure::Compile(CompileError::OverLimit { .. })
        ),
        "{error:?}"
    );
}

#[test]
fn another_stack_is_other_code() {
    let fixture = Fixture::new();
    let usual = fixture.plugin("usual", &filter(7));
    let limits = Limits {
        stack: ByteSize::from_kib(256),
        ..Limits::default()
    };
    let small = PluginSpec {
        limits,
        ..(*usual).clone()
    };
    let both = [
        fixture.loader.load(&usual).unwrap(),
        fixture.loader.load(&small).unwrap(),
    ];
    assert_eq!(fixture.counts(), [2, 2, 0]);
    assert!(both.iter().all(|plugin| !plugin.shared));
}

#[test]
fn code_goes_with_its_last_plugin_and_a_changed_file_is_seen() {
    let fixture = Fixture::new();
    let spec = fixture.plugin("greet", &filter(1));
    let first = fixture.loader.load(&spec).unwrap();
    fixture.plugin("greet", &filter(2));
    let second = fixture.loader.load(&spec).unwrap();
    assert_eq!((number_of(&first), number_of(&second)), (1, 2));
    assert_ne!(first.digest, second.digest);
    drop((first, second));

    let third = fixture.loader.load(&spec).unwrap();
    assert!(!third.shared, "the code of the second had gone");
    assert_eq!(
        fixture.loader.prepared.lock().unwrap().len(),
        1,
        "the slots of what has gone are gone"
    );
}

#[test]
fn hammer_loads_of_the_same_bytes_at_the_same_time_compile_once() {
    const THREADS: usize = 16;
    let fixture = Fixture::new();
    let specs: Vec<_> = (0..THREADS)
        .map(|n| fixture.plugin(&format!("p{n}"), &filter(n as u32 % 2)))
        .collect();
    let barrier = Barrier::new(THREADS);
    let loaded: Vec<_> = std::thread::scope(|scope| {
        let load = |spec: &Arc<PluginSpec>| {
            let (spec, loader, barrier) = (Arc::clone(spec), &fixture.loader, &barrier);
            scope.spawn(move || {
                barrier.wait();
                loader.load(&spec).unwrap()
            })
        };
        let threads: Vec<_> = specs.iter().map(load).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(fixture.counts(), [2, 2, 0]);
    assert_eq!(loaded.iter().filter(|plugin| plugin.shared).count(), THREADS - 2);
    assert!(
        loaded
            .iter()
            .enumerate()
            .all(|(n, plugin)| number_of(plugin) as usize == n % 2)
    );
}

#[test]
fn loading_all_gives_each_outcome_in_its_place() {
    let fixture = Fixture::new();
    let mut specs: Vec<_> = (0..9)
        .map(|n| fixture.plugin(&format!("p{n}"), &filter(n)))
        .collect();
    specs[4] = spec("p4", &fixture.directory.path().join("absent.wasm"));
    let outcomes = fixture.loader.load_all(&specs);
    assert_eq!(outcomes.len(), 9);
    for (n, outcome) in outcomes.iter().enumerate() {
        match outcome {
            Ok(plugin) => assert_eq!(
                (number_of(plugin) as usize, plugin.name.as_str()),
                (n, &*format!("p{n}"))
            ),
            Err(error) => assert_eq!((n, error.plugin.as_str()), (4, "p4")),
        }
    }
    assert_eq!(fixture.counts(), [8, 8, 0]);
    assert!(fixture.loader.load_all(&[]).is_empty());
}

#[test]
fn a_second_process_maps_what_the_first_compiled() {
    let directory = tempfile::tempdir().unwrap();
    let cache = Some(CompiledCache::new(directory.path().join("compiled")));
    let load = || {
        let fixture = Fixture::with_settings(EngineSettings {
            cache: cache.clone(),
            ..EngineSettings::default()
        });
        fixture
            .loader
            .load(&fixture.plugin("greet", &filter(7)))
            .unwrap()
            .cache
    };
    assert!(matches!(load(), CacheReport::Compiled { stored: true, .. }));
    assert!(matches!(load(), CacheReport::Hit { .. }));
}

#[test]
fn each_step_that_fails_says_which_plugin_why_and_what_to_do() {
    let fixture = Fixture::new();
    let error = |spec: &PluginSpec| fixture.loader.load(spec).map(|_| ()).unwrap_err();
    let cause = |error: &LoadError| error.source().map(ToString::to_string).unwrap_or_default();

    let absent = error(&spec("absent", &fixture.directory.path().join("absent.wasm")));
    assert!(matches!(*absent.failure, LoadFailure::Fetch(_)));
    assert!(
        absent.to_string().starts_with("plugin `absent` (file:/"),
        "{absent}"
    );
    assert!(
        cause(&absent).starts_with("there is no file "),
        "{}",
        cause(&absent)
    );

    let unmarked = error(&fixture.plugin("unmarked", "(module)"));
    assert!(matches!(*unmarked.failure, LoadFailure::Identify(_)));
    assert!(unmarked.hint().contains("exports nothing"), "{}", unmarked.hint());
    assert_eq!(fixture.counts(), [0, 0, 0], "nothing was compiled so far");

    let threads = filter(7).replacen("2)", "2 2 shared)", 1);
    let threaded = error(&fixture.plugin("threaded", &threads));
    assert!(
        matches!(
            *threaded.failure,
            LoadFailure::Compile(CompileError::Unsupported { .. })
        ),
        "{threaded:?}"
    );
    assert_eq!(fixture.counts(), [1, 0, 1], "each start has its end");

    fixture.loader.load(&fixture.plugin("good", &filter(7))).unwrap();
    let again = error(&fixture.plugin("threaded", &threads));
    assert!(
        threaded.hint() == again.hint(),
        "a failure is not remembered as anything else"
    );
}
