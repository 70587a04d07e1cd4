//! Reviews a second, latencies, and the CPU time of the server for a review.

use std::time::Duration;

use crate::Outcome;
use crate::load::{Measurement, Question, Transport};
use crate::report::median;

use super::certificate::Certificate;
use super::cluster;
use super::made::HostCall;
use super::policies::{self, Review};
use super::server::{Binaries, Kind, Server, Setup};
use super::{Arguments, Policy, Rounds};

/// How many clients ask at once, in turns.
const CLIENTS: [usize; 3] = [1, 8, 64];
/// How often a policy calls its host.
const CALLS: [u32; 3] = [0, 1, 10];
/// How long each server is asked before anything is measured.
const WARM_UP: Duration = Duration::from_millis(500);

/// One line of a table: who asks, and how.
struct Row {
    name: String,
    transport: Transport,
    clients: usize,
}

/// Each policy by itself, over HTTP. With several, one that cannot be measured is no reason to leave out the others.
pub(super) fn of_policies(arguments: &Arguments, binaries: &Binaries, policies: &[Policy]) -> Outcome<()> {
    heading("reviews over HTTP, with one policy", "clients");
    let rows = CLIENTS.map(|clients| Row {
        name: clients.to_string(),
        transport: Transport::Plain,
        clients,
    });
    let mut measured = 0;
    for policy in policies {
        match measure(arguments, binaries, Setup::of(policy), &rows) {
            Ok(()) => measured += 1,
            Err(error) if policies.len() > 1 => println!("  {:<18} left out: {error}", policy.name),
            Err(error) => return Err(error),
        }
    }
    if measured == 0 {
        return Err("none of the policies could be measured".into());
    }
    Ok(())
}

/// One policy over HTTPS: as API servers ask, with all reviews on one connection of HTTP/2, and with HTTP/1.1.
pub(super) fn over_https(arguments: &Arguments, binaries: &Binaries, policy: &Policy) -> Outcome<()> {
    heading("\nreviews over HTTPS, with one policy", "clients");
    let certificate = Certificate::make(&binaries.directory)?;
    let (http1, http2) = (certificate.connector("http/1.1")?, certificate.connector("h2")?);
    let mut rows = Vec::new();
    for clients in CLIENTS {
        rows.push(Row {
            name: format!("{clients}"),
            transport: Transport::Tls(http1.clone()),
            clients,
        });
        rows.push(Row {
            name: format!("{clients}, h2"),
            transport: Transport::Http2(http2.clone()),
            clients,
        });
    }
    let setup = Setup {
        certificate: Some(&certificate),
        ..Setup::of(policy)
    };
    measure(arguments, binaries, setup, &rows)
}

/// Policies that do nothing but call their host so often, each with one client.
pub(super) fn of_host_calls(arguments: &Arguments, binaries: &Binaries, review: &Review) -> Outcome<()> {
    heading("\npolicies that call their host so often", "clients");
    let cluster = cluster::start();
    let row = Row {
        name: "1".to_owned(),
        transport: Transport::Plain,
        clients: 1,
    };
    for (call, cluster) in [(HostCall::LOG, None), (HostCall::GET, Some(&cluster))] {
        for calls in CALLS {
            let policy = policies::calling(&binaries.directory, call, calls, review)?;
            let setup = Setup {
                cluster,
                ..Setup::of(&policy)
            };
            measure(arguments, binaries, setup, std::slice::from_ref(&row))?;
        }
    }
    Ok(())
}

/// Measures the rows of one policy in turns, so that whatever the machine does meanwhile does it to all, and prints them.
fn measure(arguments: &Arguments, binaries: &Binaries, setup: Setup<'_>, rows: &[Row]) -> Outcome<()> {
    let mut servers: Vec<(Server, Question)> = Vec::new();
    for kind in binaries.kinds() {
        let server = Server::start(kind, binaries, setup)?;
        let question = server.question(setup.policy, 0)?;
        server.measure(&rows[0].transport, &question, 1, WARM_UP)?;
        servers.push((server, question));
    }
    let duration = Duration::from_secs(arguments.seconds);
    let mut measured: Vec<Rounds<Measurement>> = Vec::new();
    measured.resize_with(rows.len(), Default::default);
    for _ in 0..arguments.rounds {
        for (row, rounds) in rows.iter().zip(&mut measured) {
            for ((server, question), rounds) in servers.iter().zip(rounds) {
                rounds.push(server.measure(&row.transport, question, row.clients, duration)?);
            }
        }
    }
    let mut name = setup.policy.name.as_str();
    for (row, rounds) in rows.iter().zip(&measured) {
        print_row(name, &row.name, rounds);
        name = "";
    }
    Ok(())
}

fn heading(title: &str, rows: &str) {
    println!("{title}: reviews a second, latencies, CPU time of the server for a review");
    println!(
        "  {:<18} {rows:>7}  {:<13} {:>10} {:>11} {:>11} {:>10}",
        "policy", "", "rate", "p50", "p99", "CPU"
    );
}

fn print_row(name: &str, row: &str, rounds: &Rounds<Measurement>) {
    let line = |name: &str, row: &str, kind: Kind, [rate, p50, p99, cpu]: [f64; 4]| {
        println!(
            "  {name:<18} {row:>7}  {:<13} {rate:>8.0}/s {p50:>8.0} µs {p99:>8.0} µs {cpu:>7.1} µs",
            kind.name()
        );
    };
    let [wharf, peer] = rounds.each_ref().map(|measured| medians(measured));
    let Some(wharf) = wharf else { return };
    line(name, row, Kind::Wharf, wharf);
    let Some(peer) = peer else { return };
    line("", "", Kind::PolicyServer, peer);
    let [rate, p50, p99, cpu] = std::array::from_fn(|index| wharf[index] / peer[index]);
    println!(
        "  {:<18} {:>7}  {:<13} {rate:>10.2} {p50:>11.3} {p99:>11.3} {cpu:>10.3}",
        "", "", "of its"
    );
}

/// Rate, p50, p99 and CPU time, the times in microseconds; none where nothing was measured.
fn medians(measured: &[Measurement]) -> Option<[f64; 4]> {
    let median_of = |value: fn(&Measurement) -> f64| median(measured.iter().map(value));
    Some([
        median_of(|measured| measured.rate)?,
        median_of(|measured| measured.p50.as_secs_f64() * 1e6)?,
        median_of(|measured| measured.p99.as_secs_f64() * 1e6)?,
        median_of(|measured| measured.cpu.as_secs_f64() * 1e6)?,
    ])
}
