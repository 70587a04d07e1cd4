//! The run: both proxies with all cases, one exchange after another.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::allowed::Allowance;
use crate::case::{Answer, Case, Exchange};
use crate::compare::{self, Difference, Outcome};
use crate::guest_log::{self, GuestLog, once_each};
use crate::origin::Origin;
use crate::proxy::{Proxy, free_addresses};
use crate::setup::Setup;
use crate::{client, guests, yaml};

/// What a run needs.
pub(crate) struct Inputs {
    pub(crate) envoy: PathBuf,
    pub(crate) wharf: PathBuf,
    pub(crate) cases: Vec<Case>,
    /// The differences that are right in all cases.
    pub(crate) allowed: Vec<Allowance>,
    /// The folder of the filters.
    pub(crate) guests: PathBuf,
}

/// What came of a case.
pub(crate) struct Verdict<'a> {
    pub(crate) case: &'a Case,
    /// Those that nothing allows.
    pub(crate) differences: Vec<Difference>,
    /// The case's own allowances that were needed.
    pub(crate) allowed: Vec<&'a Allowance>,
    /// The case's own allowances that were not.
    pub(crate) needless: Vec<&'a Allowance>,
}

/// One of the two proxies, with what it did.
struct Side {
    outcomes: Vec<Vec<Outcome>>,
    starting: GuestLog,
    running: GuestLog,
}

/// Puts all cases through both.
///
/// # Errors
/// When one of them does not start, or does not live to the end.
pub(crate) fn run(inputs: &Inputs) -> Result<Vec<Verdict<'_>>, String> {
    let scratch = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    let origin = Origin::start().map_err(|error| format!("the origin cannot listen: {error}"))?;
    let scratch = scratch.path();
    let wharf = side(inputs, "wharf", &origin, scratch)?;
    let envoy = side(inputs, "envoy", &origin, scratch)?;
    let cases = inputs.cases.iter().enumerate();
    Ok(cases
        .map(|(index, case)| judge(case, index, &envoy, &wharf, &inputs.allowed))
        .collect())
}

fn side(inputs: &Inputs, name: &'static str, origin: &Origin, scratch: &Path) -> Result<Side, String> {
    let setup = setup(inputs, origin, scratch)?;
    let mut proxy = if name == "envoy" {
        let file = write(scratch, "envoy.json", &setup.envoy())?;
        let mut command = Command::new(&inputs.envoy);
        command
            .arg("-c")
            .arg(file)
            .args(["--concurrency", "1", "--disable-hot-restart"]);
        command.args(["--log-level", "info", "--component-log-level", "wasm:info"]);
        Proxy::start(name, &mut command, scratch)?
    } else {
        // JSON is YAML.
        let file = write(scratch, "wharf.yaml", &setup.wharf())?;
        let mut command = Command::new(&inputs.wharf);
        command
            .args(["serve", "--log-level", "info", "--log-format", "json"])
            .arg(file);
        Proxy::start(name, &mut command, scratch)?
    };
    let probe: Exchange = yaml::read("request: {}")?;
    origin.prepare(&probe.answer, &probe.service);
    let started = proxy.wait_until_ready(setup.probe, &probe)?;
    let mut outcomes = Vec::new();
    for (case, address) in setup.cases.iter().zip(&setup.addresses) {
        let exchanges = case
            .exchanges
            .iter()
            .map(|exchange| pass(origin, *address, exchange));
        let of_case = exchanges.collect::<Result<_, _>>();
        outcomes
            .push(of_case.map_err(|error| proxy.failure(&format!("failed in `{}`: {error}", case.name)))?);
    }
    let log = proxy.stop()?;
    let (starting, running) = log.split_at(started.min(log.len()));
    let names = log_names(&inputs.cases);
    let read = |text: &str| match name {
        "envoy" => guest_log::envoy(text, &names),
        _ => guest_log::wharf(text, &names),
    };
    Ok(Side {
        outcomes,
        starting: read(starting),
        running: read(running),
    })
}

/// The names in the log by the names of plugins.
fn log_names(cases: &[Case]) -> BTreeMap<String, String> {
    let of_case = |case: &Case| {
        let names = (0..case.filters.len()).map(|at| (case.plugin(at), case.log_name(at)));
        names.collect::<Vec<_>>()
    };
    cases.iter().flat_map(of_case).collect()
}

fn setup<'a>(inputs: &'a Inputs, origin: &Origin, scratch: &Path) -> Result<Setup<'a>, String> {
    let module = |guest: &str| guests::module(&inputs.guests, guest, scratch);
    let modules = inputs.cases.iter().map(|case| {
        let modules = case.filters.iter().map(|filter| module(&filter.guest));
        modules
            .collect::<Result<_, _>>()
            .map_err(|reason| format!("case `{}`: {reason}", case.name))
    });
    let mut addresses = free_addresses(inputs.cases.len() + 1).map_err(|error| error.to_string())?;
    let probe = addresses.remove(0);
    Ok(Setup {
        cases: &inputs.cases,
        modules: modules.collect::<Result<_, _>>()?,
        addresses,
        probe,
        app: origin.app,
        service: origin.service,
    })
}

fn write(folder: &Path, name: &str, value: &Value) -> Result<PathBuf, String> {
    let path = folder.join(name);
    std::fs::write(&path, value.to_string()).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

fn pass(origin: &Origin, address: std::net::SocketAddr, exchange: &Exchange) -> std::io::Result<Outcome> {
    let (app, service): (&Answer, &Answer) = (&exchange.answer, &exchange.service);
    origin.prepare(app, service);
    let (client, client_port) = client::exchange(address, &exchange.request)?;
    let (upstream, service) = origin.received();
    Ok(Outcome {
        client,
        client_port,
        upstream,
        service,
    })
}

fn judge<'a>(
    case: &'a Case,
    index: usize,
    envoy: &Side,
    wharf: &Side,
    everywhere: &[Allowance],
) -> Verdict<'a> {
    let mut found = Vec::new();
    let outcomes = envoy.outcomes[index].iter().zip(&wharf.outcomes[index]);
    for ((number, exchange), (left, right)) in (1..).zip(&case.exchanges).zip(outcomes) {
        let asks_for_trailers = exchange.request.headers.iter().any(|line| line == "te: trailers");
        found.extend(compare::exchange(number, left, right, asks_for_trailers));
    }
    let names: BTreeSet<String> = (0..case.filters.len()).map(|at| case.log_name(at)).collect();
    for name in names {
        found.extend(logs(&name, envoy, wharf));
    }
    found.retain(|difference| !everywhere.iter().any(|allowance| allowance.covers(difference)));
    let is_needed = |allowance: &&Allowance| found.iter().any(|difference| allowance.covers(difference));
    let (allowed, needless): (Vec<_>, Vec<_>) = case.allowed.iter().partition(is_needed);
    found.retain(|difference| !allowed.iter().any(|allowance| allowance.covers(difference)));
    Verdict {
        case,
        differences: found,
        allowed,
        needless,
    }
}

fn logs(name: &str, envoy: &Side, wharf: &Side) -> Vec<Difference> {
    let of = |log: &GuestLog| log.get(name).cloned().unwrap_or_default();
    let starting = [envoy, wharf].map(|side| once_each(&of(&side.starting)));
    let running = [envoy, wharf].map(|side| of(&side.running));
    let at_start = compare::log("log.start", &starting[0], &starting[1]);
    at_start
        .into_iter()
        .chain(compare::log("log", &running[0], &running[1]))
        .collect()
}
