use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Output, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use wharf_plugin::{Limits, Reference, VerifiedArtifact};

use super::*;
use crate::{Engine, EngineSettings, Module};

/// The module `number`: its function `number` gives its number.
fn artifact(number: u32) -> VerifiedArtifact {
    let wat = format!(r#"(module (func (export "number") (result i32) (i32.const {number})))"#);
    VerifiedArtifact::dangerously_unverified(Reference::File("n.wasm".into()), wat::parse_str(wat).unwrap())
}

fn engine(cache: &CompiledCache) -> Engine {
    Engine::new(EngineSettings {
        cache: Some(cache.clone()),
        ..EngineSettings::default()
    })
    .unwrap()
}

/// Compiles module `number` in a new engine, as a new process would, runs it, and gives the report.
#[track_caller]
fn compile(cache: &CompiledCache, number: u32) -> CacheReport {
    let (module, report) = engine(cache)
        .compile(&artifact(number), &Limits::default())
        .unwrap();
    assert_eq!(run(&module), number);
    report
}

fn run(module: &Module) -> u32 {
    let linked = module
        .link(&crate::Imports::<()>::new(), &Limits::default())
        .unwrap();
    let mut instance = linked.instantiate(()).unwrap();
    let function = instance.function::<(), u32>("number").unwrap().unwrap();
    instance.call(&function, (), Duration::from_secs(10)).unwrap()
}

/// A cache in a directory that goes with the test.
fn cache() -> (tempfile::TempDir, CompiledCache) {
    let directory = tempfile::tempdir().unwrap();
    let cache = CompiledCache::new(directory.path().join("compiled"));
    (directory, cache)
}

/// The names of the files in the cache.
fn names(cache: &CompiledCache) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(cache.directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The path of the entry of module `number`.
fn entry_path(cache: &CompiledCache, number: u32) -> PathBuf {
    let digest = artifact(number).digest().to_hex();
    let name = names(cache)
        .into_iter()
        .find(|name| name.starts_with(&digest) && name.ends_with(".cwasm"));
    cache.directory().join(name.expect("the entry is in the cache"))
}

fn is_hit(report: &CacheReport) -> bool {
    matches!(report, CacheReport::Hit { .. })
}

#[track_caller]
fn assert_stored(report: &CacheReport) {
    assert!(
        matches!(
            report,
            CacheReport::Compiled {
                stored: true,
                note: None,
                ..
            }
        ),
        "{report:?}"
    );
}

/// The note of a compilation that could not be stored.
#[track_caller]
fn note_of_unstored(report: CacheReport) -> CompiledCacheError {
    match report {
        CacheReport::Compiled {
            stored: false,
            note: Some(note),
            ..
        } => note,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_module_is_compiled_once_and_mapped_from_then_on() {
    let (_directory, cache) = cache();
    assert_stored(&compile(&cache, 7));
    assert!(is_hit(&compile(&cache, 7)));
    assert_stored(&compile(&cache, 8));
    assert!(is_hit(&compile(&cache, 7)));
    assert_eq!(
        names(&cache).len(),
        2,
        "one file for each module, no lock and no temporary file"
    );
}

#[test]
fn without_a_cache_each_engine_compiles() {
    let engine = Engine::new(EngineSettings::default()).unwrap();
    let (module, report) = engine.compile(&artifact(7), &Limits::default()).unwrap();
    assert_eq!((run(&module), report), (7, CacheReport::Off));
}

#[test]
fn engines_with_other_settings_have_other_entries() {
    let wasm = artifact(7).digest();
    let engine = |change: fn(&mut wasmtime::Config)| {
        let mut config = wasmtime::Config::new();
        change(&mut config);
        wasmtime::Engine::new(&config).unwrap()
    };
    let key = |engine| Key::new(wasm, &engine).name();
    let plain = key(engine(|_| {}));
    assert_eq!(plain, key(engine(|_| {})));
    assert_ne!(plain, key(engine(|config| _ = config.epoch_interruption(true))));
    assert_ne!(
        plain,
        key(engine(
            |config| _ = config.wasm_simd(false).wasm_relaxed_simd(false)
        ))
    );
}

#[test]
fn the_directory_and_its_entries_are_private() {
    let (_directory, cache) = cache();
    compile(&cache, 7);
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(cache.directory()), 0o700);
    assert_eq!(mode(&entry_path(&cache, 7)), 0o400);
}

#[test]
fn a_directory_that_others_may_write_is_not_used() {
    for mode in [0o770, 0o702, 0o777, 0o1777] {
        let (_directory, cache) = cache();
        fs::create_dir(cache.directory()).unwrap();
        fs::set_permissions(cache.directory(), Permissions::from_mode(mode)).unwrap();
        let note = note_of_unstored(compile(&cache, 7));
        assert_eq!(
            note,
            CompiledCacheError::WritableByOthers {
                path: cache.directory().into(),
                mode
            }
        );
        assert!(
            note.to_string()
                .ends_with(&format!("may be written by others (mode {mode:04o})")),
            "{note}"
        );
        assert_eq!(cache.check(), Err(note));
        assert_eq!(names(&cache).len(), 0);
    }
}

#[test]
fn a_directory_of_another_user_is_not_used() {
    let (_directory, mut cache) = cache();
    let user = rustix::process::geteuid().as_raw();
    let owner = if user == 0 {
        fs::create_dir(cache.directory()).unwrap();
        fs::set_permissions(cache.directory(), Permissions::from_mode(0o700)).unwrap();
        std::os::unix::fs::chown(cache.directory(), Some(4711), None).unwrap();
        4711
    } else {
        cache = CompiledCache::new("/");
        0
    };
    let note = note_of_unstored(compile(&cache, 7));
    assert_eq!(
        note,
        CompiledCacheError::ForeignOwner {
            path: cache.directory().into(),
            owner,
            user
        }
    );
}

#[test]
fn a_file_in_place_of_the_directory_is_reported() {
    let (_directory, cache) = cache();
    fs::write(cache.directory(), "").unwrap();
    let note = note_of_unstored(compile(&cache, 7));
    assert!(
        matches!(
            note,
            CompiledCacheError::System {
                source: Errno::EXIST | Errno::NOTDIR,
                ..
            }
        ),
        "{note:?}"
    );
}

#[test]
fn an_entry_with_any_bit_flipped_is_compiled_again() {
    let (_directory, cache) = cache();
    compile(&cache, 7);
    let path = entry_path(&cache, 7);
    let good = fs::read(&path).unwrap();
    let offsets = (0..good.len())
        .step_by(good.len() / 24)
        .chain(good.len() - 41..good.len());
    for offset in offsets {
        let mut bad = good.clone();
        bad[offset] ^= 1 << (offset % 8);
        replace(&path, &bad);
        let report = compile(&cache, 7);
        let damaged = matches!(
            report,
            CacheReport::Compiled {
                stored: true,
                note: Some(CompiledCacheError::Damaged { .. }),
                ..
            }
        );
        assert!(damaged, "offset {offset}: {report:?}");
        assert_eq!(fs::read(&path).unwrap(), good, "it is replaced by a good one");
        assert!(is_hit(&compile(&cache, 7)));
    }
}

#[test]
fn an_entry_that_was_cut_or_that_grew_is_compiled_again() {
    let (_directory, cache) = cache();
    compile(&cache, 7);
    let path = entry_path(&cache, 7);
    let good = fs::read(&path).unwrap();
    let mut longer = good.clone();
    longer.push(0);
    for bad in [
        &longer,
        &good[..0],
        &good[..39],
        &good[..40],
        &good[..good.len() / 2],
        &good[..good.len() - 1],
    ] {
        replace(&path, bad);
        assert!(matches!(
            compile(&cache, 7),
            CacheReport::Compiled {
                stored: true,
                note: Some(_),
                ..
            }
        ));
        assert!(is_hit(&compile(&cache, 7)));
    }
}

/// Code of another version of the engine under this one's name, with a good seal, as a bug or a restored backup could
/// leave it.
#[test]
fn sound_bytes_that_are_not_this_engines_code_are_compiled_again() {
    let (_directory, cache) = cache();
    compile(&cache, 7);
    let path = entry_path(&cache, 7);
    let other = wasmtime::Engine::new(wasmtime::Config::new().epoch_interruption(false)).unwrap();
    for code in [
        b"no code at all".to_vec(),
        other.precompile_module(artifact(7).bytes()).unwrap(),
    ] {
        replace(&path, &[&code[..], &entry::seal(&code)].concat());
        let report = compile(&cache, 7);
        let unloadable = matches!(
            report,
            CacheReport::Compiled {
                stored: true,
                note: Some(CompiledCacheError::Unloadable { .. }),
                ..
            }
        );
        assert!(unloadable, "{report:?}");
        assert!(is_hit(&compile(&cache, 7)));
    }
}

/// Puts another file in the place of an entry, private like it.
fn replace(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn an_entry_that_others_may_write_or_that_is_a_link_or_a_pipe_is_replaced() {
    let (directory, cache) = cache();
    compile(&cache, 7);
    let path = entry_path(&cache, 7);
    let outside = directory.path().join("outside");
    let spoil: [&dyn Fn(); 3] = [
        &|| fs::set_permissions(&path, Permissions::from_mode(0o660)).unwrap(),
        &|| {
            fs::rename(&path, &outside).unwrap();
            std::os::unix::fs::symlink(&outside, &path).unwrap();
        },
        &|| {
            fs::remove_file(&path).unwrap();
            let mode = rustix::fs::Mode::RUSR;
            rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        },
    ];
    for spoil in spoil {
        spoil();
        assert!(matches!(
            compile(&cache, 7),
            CacheReport::Compiled {
                stored: true,
                note: Some(_),
                ..
            }
        ));
        assert!(is_hit(&compile(&cache, 7)));
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
    }
}

#[test]
fn what_cannot_be_stored_is_compiled_all_the_same() {
    let (_directory, cache) = cache();
    compile(&cache, 7);
    let path = entry_path(&cache, 7);
    // A directory that has the name of a file keeps it from being made, for root too.
    for (extension, action) in [("lock", "locked"), ("tmp", "created")] {
        fs::remove_file(&path).unwrap();
        fs::create_dir(path.with_extension(extension)).unwrap();
        let note = note_of_unstored(compile(&cache, 7));
        assert!(
            matches!(note, CompiledCacheError::System { action: a, .. } if a == action),
            "{note:?}"
        );
        fs::remove_dir(path.with_extension(extension)).unwrap();
        assert_stored(&compile(&cache, 7));
    }
}

#[test]
fn the_entries_used_least_recently_are_removed() {
    let (_directory, cache) = cache();
    for number in 0..4 {
        compile(&cache, number);
    }
    let bytes = fs::metadata(entry_path(&cache, 0)).unwrap().len();
    let minutes_ago = |number, minutes: u64| {
        let time = SystemTime::now() - Duration::from_secs(60 * minutes);
        fs::File::open(entry_path(&cache, number))
            .unwrap()
            .set_modified(time)
            .unwrap();
    };
    minutes_ago(0, 30);
    minutes_ago(1, 40);
    minutes_ago(2, 50);
    minutes_ago(3, 20);
    assert!(is_hit(&compile(&cache, 2)), "being used makes it the newest");

    let small = cache
        .clone()
        .with_size(ByteSize::from_bytes(3 * bytes + bytes / 2));
    assert_stored(&compile(&small, 4));
    let left: Vec<bool> = (0..5)
        .map(|number| {
            names(&cache)
                .iter()
                .any(|name| name.starts_with(&artifact(number).digest().to_hex()))
        })
        .collect();
    assert_eq!(
        left,
        [false, false, true, true, true],
        "1 and then 0 were the oldest"
    );
}

#[test]
fn the_latest_entry_stays_and_one_over_the_bound_is_not_stored() {
    let (_directory, cache) = cache();
    compile(&cache, 0);
    let code = fs::metadata(entry_path(&cache, 0)).unwrap().len() - 40;
    assert_stored(&compile(&cache.clone().with_size(ByteSize::from_bytes(code)), 1));
    assert_eq!(names(&cache).len(), 1);

    let note = note_of_unstored(compile(&cache.with_size(ByteSize::from_bytes(code - 1)), 2));
    assert!(matches!(note, CompiledCacheError::TooLarge { .. }), "{note:?}");
}

#[test]
fn leftovers_of_writers_that_died_are_removed_and_those_of_the_living_are_not() {
    let (_directory, cache) = cache();
    compile(&cache, 0);
    for name in ["dead.tmp", "dead.lock", "orphan.tmp", "living.tmp", "foreign.txt"] {
        fs::write(cache.directory().join(name), "").unwrap();
    }
    let living = fs::File::create(cache.directory().join("living.lock")).unwrap();
    living.lock().unwrap();
    compile(&cache, 1);
    let left: Vec<_> = names(&cache)
        .into_iter()
        .filter(|name| !name.ends_with(".cwasm"))
        .collect();
    assert_eq!(left, ["foreign.txt", "living.lock", "living.tmp"]);
}

#[test]
fn hammer_threads_compile_each_module_once() {
    const THREADS: u32 = 12;
    const MODULES: u32 = 3;
    let (_directory, cache) = cache();
    let compiled: [AtomicU32; MODULES as usize] = Default::default();
    let barrier = Barrier::new(THREADS as usize);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (cache, compiled, barrier) = (&cache, &compiled, &barrier);
            scope.spawn(move || {
                barrier.wait();
                for round in 0..MODULES {
                    let number = (thread + round) % MODULES;
                    if !is_hit(&compile(cache, number)) {
                        compiled[number as usize].fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(compiled.map(AtomicU32::into_inner), [1; MODULES as usize]);
    assert_eq!(names(&cache).len(), MODULES as usize);
}

#[test]
fn hammer_small_bound_and_many_threads_always_give_the_right_module() {
    let (_directory, cache) = cache();
    compile(&cache, 0);
    let bytes = fs::metadata(entry_path(&cache, 0)).unwrap().len();
    let cache = cache.with_size(ByteSize::from_bytes(2 * bytes));
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let cache = &cache;
            scope.spawn(move || (0..20).for_each(|round| drop(compile(cache, (thread * 7 + round) % 5))));
        }
    });
    let left = names(&cache);
    assert!(left.iter().all(|name| name.ends_with(".cwasm")), "{left:?}");
}

/// Names the directory to a child process that plays its part of a test.
const CHILD: &str = "WHARF_ENGINE_CACHE_TEST_CHILD";

/// Runs the calling test again in a child process, behind `prefix`, with the cache's directory in its environment.
fn child(test: &str, cache: &CompiledCache, prefix: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!(r#"{prefix} exec "$0" "$@""#)])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            &format!("cache::tests::{test}"),
            "--nocapture",
            "--test-threads=1",
        ])
        .env(CHILD, cache.directory())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn child_cache() -> Option<CompiledCache> {
    std::env::var_os(CHILD).map(CompiledCache::new)
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn hammer_processes_compile_once() {
    if let Some(cache) = child_cache() {
        println!("hit: {}", is_hit(&compile(&cache, 7)));
        return;
    }
    let (_directory, cache) = cache();
    let test = "hammer_processes_compile_once";
    let children: Vec<_> = (0..6).map(|_| child(test, &cache, "").spawn().unwrap()).collect();
    let outputs: Vec<_> = children
        .into_iter()
        .map(|child| child.wait_with_output().unwrap())
        .collect();
    assert!(
        outputs.iter().all(|output| output.status.success()),
        "{outputs:?}"
    );
    let compiled = outputs
        .iter()
        .filter(|output| stdout(output).contains("hit: false"))
        .count();
    assert_eq!(compiled, 1);
    assert!(is_hit(&compile(&cache, 7)));
}

#[test]
fn a_process_that_dies_while_it_compiles_leaves_no_lock() {
    if let Some(cache) = child_cache() {
        let engine = wasmtime::Engine::default();
        let key = Key::new(artifact(7).digest(), &engine);
        let half_written = cache.directory().join(key.temporary_name());
        let _ = load_or_compile(Some(&cache), &engine, artifact(7).digest(), || {
            fs::write(half_written, "half").unwrap();
            std::process::abort();
        });
        return;
    }
    let (_directory, cache) = cache();
    let output = child(
        "a_process_that_dies_while_it_compiles_leaves_no_lock",
        &cache,
        "ulimit -c 0;",
    )
    .output();
    assert!(!output.unwrap().status.success(), "the child aborts");
    assert_eq!(names(&cache).len(), 2, "its lock and its temporary file are left");

    let engine = wasmtime::Engine::default();
    let compile = || Ok(engine.precompile_module(artifact(7).bytes()).unwrap());
    let (_, report) = load_or_compile(Some(&cache), &engine, artifact(7).digest(), compile).unwrap();
    assert_stored(&report);
    assert!(names(&cache).iter().all(|name| name.ends_with(".cwasm")) && names(&cache).len() == 1);
}

/// A file size limit stops a writer in the middle, as a full disk does.
#[test]
fn a_full_disk_costs_the_entry_and_not_the_module() {
    if let Some(cache) = child_cache() {
        let note = note_of_unstored(compile(&cache, 7));
        println!("note: {note:?}");
        return;
    }
    let (_directory, cache) = cache();
    let test = "a_full_disk_costs_the_entry_and_not_the_module";
    let output = child(test, &cache, "trap '' XFSZ; ulimit -f 4;")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(stdout(&output).contains("action: \"written\""), "{output:?}");
    assert_eq!(names(&cache).len(), 0, "nothing half-written is left");
}

#[test]
fn the_default_directory_is_absolute() {
    if let Some(directory) = CompiledCache::default_directory() {
        assert!(
            directory.is_absolute() && directory.ends_with("wharf/compiled"),
            "{directory:?}"
        );
    }
    let (_directory, cache) = cache();
    assert_eq!((cache.size(), cache.check()), (ByteSize::from_gib(1), Ok(())));
}
