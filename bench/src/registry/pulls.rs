//! Pulls into an empty store, beside those of `oras` into an empty folder.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::Outcome;
use crate::once::Once;

use super::bench::{Bench, cpu, time};
use super::made;

/// The name of the configuration, and with it of the store.
const NAME: &str = "pulls";

/// Pulls plugins of three sizes in turns, and prints how long that takes.
pub(super) fn run(bench: &Bench) -> Outcome<()> {
    println!("\npulls from loopback: from the start of the process to its end, and the CPU time");
    println!(
        "  {:<8} {:>10} {:>10} {:>7}   {:>10} {:>10} {:>7}",
        "", "wharf", "oras", "", "wharf CPU", "oras CPU", ""
    );
    for (what, module) in [
        ("200 KB", made::guest(made::FILTER)?),
        ("4.5 MB", made::guest(made::POLICY)?),
        ("60 MB", made::large()?),
    ] {
        measure(bench, what, &module)?;
    }
    Ok(())
}

fn measure(bench: &Bench, what: &str, module: &[u8]) -> Outcome<()> {
    let config = bench.config(NAME, &json!({}))?;
    let name = format!("size-{}", module.len());
    let file = bench.directory.join("pushed.wasm");
    fs::write(&file, module)?;
    bench.push(&file, &name, &config)?;
    agree(bench, &name, &config, module)?;
    let (mut wharf, mut oras) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        wharf.push(pull(bench, &name, &config, None)?);
        oras.extend(pull_by_oras(bench, &name)?);
    }
    print(what, &wharf, &oras);
    Ok(())
}

/// Makes sure that both get what was pushed, so that none is fast because it does less.
fn agree(bench: &Bench, name: &str, config: &Path, module: &[u8]) -> Outcome<()> {
    let file = bench.directory.join("pulled.wasm");
    pull(bench, name, config, Some(&file))?;
    if fs::read(&file)? != module {
        return Err("Wharf pulls something else".into());
    }
    if pull_by_oras(bench, name)?.is_some() {
        let pulled = fs::read_dir(folder(bench))?
            .next()
            .ok_or("oras pulls nothing")??;
        if fs::read(pulled.path())? != module {
            return Err("oras pulls something else".into());
        }
    }
    Ok(())
}

fn pull(bench: &Bench, name: &str, config: &Path, output: Option<&Path>) -> Outcome<Once> {
    empty(&bench.store(NAME))?;
    let mut command = bench.wharf(&["pull"]);
    command.arg(bench.image(name)).arg("--wharf-config").arg(config);
    if let Some(output) = output {
        command.arg("--output").arg(output);
    }
    bench.run(command)
}

/// Nothing where there is no oras.
fn pull_by_oras(bench: &Bench, name: &str) -> Outcome<Option<Once>> {
    let Some(oras) = &bench.oras else {
        return Ok(None);
    };
    let folder = folder(bench);
    empty(&folder)?;
    let mut command = bench.command(oras);
    command
        .args(["pull", "--plain-http", "--output"])
        .arg(&folder)
        .arg(bench.image(name));
    bench.run(command).map(Some)
}

fn folder(bench: &Bench) -> std::path::PathBuf {
    bench.directory.join("oras")
}

fn empty(folder: &Path) -> Outcome<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Ok(())
}

fn print(what: &str, wharf: &[Once], oras: &[Once]) {
    let shown = |value: Option<f64>| value.map(|value| format!("{value:.1} ms")).unwrap_or_default();
    let ratio = |wharf: Option<f64>, oras: Option<f64>| {
        let ratio = oras
            .zip(wharf)
            .map(|(oras, wharf)| format!("{:.1}×", oras / wharf));
        ratio.unwrap_or_default()
    };
    let (times, cpus) = ([time(wharf), time(oras)], [cpu(wharf), cpu(oras)]);
    println!(
        "  {what:<8} {:>10} {:>10} {:>7}   {:>10} {:>10} {:>7}",
        shown(times[0]),
        shown(times[1]),
        ratio(times[0], times[1]),
        shown(cpus[0]),
        shown(cpus[1]),
        ratio(cpus[0], cpus[1]),
    );
}
