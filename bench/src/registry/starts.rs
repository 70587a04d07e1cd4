//! Starts of ten plugins from a filled store, beside those of the same ten from files.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::Outcome;
use crate::once::Once;
use crate::report::median;
use crate::sections::numbered;

use super::bench::{Bench, cpu, time};
use super::made::{self, Key};
use super::server::Registry;

/// How many plugins start.
const COUNT: usize = 10;

/// What starts, and what was measured of it, a round each.
struct Row {
    what: &'static str,
    config: PathBuf,
    rounds: Vec<Once>,
}

/// Checks four configurations in turns, which differ in where their plugins are from and whether these have to be signed. Each does all
/// that a server does before it binds its ports: plugins are read, verified, loaded from the warm cache, and started.
pub(super) fn run(bench: &Bench, registry: Registry) -> Outcome<()> {
    let files = modules(bench)?;
    let key = Key::make(&bench.directory)?;
    let pushing = bench.config("pushing", &json!({}))?;
    for (index, file) in files.iter().enumerate() {
        bench.push(file, &name(index), &pushing)?;
        for signed in [bench.image(&name(index)), file.display().to_string()] {
            let mut command = bench.wharf(&["sign", &signed, "--key"]);
            command.arg(&key.private).arg("--wharf-config").arg(&pushing);
            bench.run(command)?;
        }
    }
    let sources: Vec<String> = files
        .iter()
        .map(|file| format!("file:{}", file.display()))
        .collect();
    let images: Vec<String> = (0..COUNT)
        .map(|index| format!("oci:{}", bench.image(&name(index))))
        .collect();
    let trust = trust(&key.public);
    let row = |what, name: &str, sources: &[String], trust: Option<&Value>| -> Outcome<Row> {
        Ok(Row {
            what,
            config: bench.config(name, &serving(sources, trust))?,
            rounds: Vec::new(),
        })
    };
    let mut rows = [
        row("files", "files", &sources, None)?,
        row("store", "store", &images, None)?,
        row("files, signed", "files-signed", &sources, Some(&trust))?,
        row("store, signed", "store-signed", &images, Some(&trust))?,
    ];
    // Fills the stores and the caches.
    for row in &rows {
        check(bench, &row.config)?;
    }
    // From here on nobody can be asked for anything.
    drop(registry);
    for _ in 0..bench.rounds {
        for row in &mut rows {
            row.rounds.push(check(bench, &row.config)?);
        }
    }
    print(&rows);
    Ok(())
}

/// Filters that differ in a number that nobody reads, so that each is compiled, verified and started by itself.
fn modules(bench: &Bench) -> Outcome<Vec<PathBuf>> {
    let filter = made::guest(made::FILTER)?;
    let file = |index| -> Outcome<PathBuf> {
        let path = bench.directory.join(format!("{}.wasm", name(index)));
        fs::write(&path, numbered(filter.clone(), index))?;
        Ok(path)
    };
    (0..COUNT).map(file).collect()
}

fn name(index: usize) -> String {
    format!("plugin-{index}")
}

/// A signature by this key, whatever the reference is.
fn trust(key: &Path) -> Value {
    json!({ "default": "deny", "rules": [{ "references": ["**"], "signatures": [{ "key": key }] }] })
}

/// A route with all plugins.
fn serving(sources: &[String], trust: Option<&Value>) -> Value {
    let plugins: Map<String, Value> = sources
        .iter()
        .enumerate()
        .map(|(index, source)| (name(index), json!({ "source": source })))
        .collect();
    let filters: Vec<Value> = plugins.keys().map(|plugin| json!({ "plugin": plugin })).collect();
    let mut config = json!({
        "plugins": plugins,
        "proxy": {
            "listeners": [{
                "name": "web",
                "bind": "127.0.0.1:8080",
                "routes": [{ "match": { "pathPrefix": "/" }, "filters": filters, "upstream": "hello" }],
            }],
            "upstreams": { "hello": { "respond": { "status": 200 } } },
        },
    });
    if let (Some(config), Some(trust)) = (config.as_object_mut(), trust) {
        config.insert("trust".to_owned(), trust.clone());
    }
    config
}

fn check(bench: &Bench, config: &Path) -> Outcome<Once> {
    let mut command = bench.wharf(&["--log-level", "warn", "check"]);
    command.arg(config);
    bench.run(command)
}

fn print(rows: &[Row; 4]) {
    println!(
        "\nstart of {COUNT} plugins with a warm cache, by `wharf check`: from the start of the process to its end, and the CPU time"
    );
    for row in rows {
        println!(
            "  {:<34} {:>8.1} ms {:>8.1} ms",
            row.what,
            time(&row.rounds).unwrap_or_default(),
            cpu(&row.rounds).unwrap_or_default()
        );
    }
    println!("what that is more for each plugin");
    let [files, store, files_signed, store_signed] = rows;
    for (what, more, less) in [
        ("from the store", store, files),
        ("from the store, signed", store_signed, files),
        ("verification, in the store", store_signed, store),
        ("verification, beside files", files_signed, files),
    ] {
        let shown = |of: fn(&Once) -> f64| {
            let differences = more.rounds.iter().zip(&less.rounds);
            let differences = differences.map(|(more, less)| (of(more) - of(less)) / COUNT as f64);
            format!("{:.2}", median(differences).unwrap_or_default())
        };
        println!(
            "  {what:<34} {:>8} ms {:>8} ms",
            shown(|once| once.time.as_secs_f64() * 1e3),
            shown(|once| once.cpu.as_secs_f64() * 1e3)
        );
    }
}
