//! From the start to a verdict of the last policy.

use crate::Outcome;
use crate::report::median;

use super::server::{Binaries, Server, Setup};
use super::{Arguments, Policy, Rounds, print_values};

/// How many policies there are when a start is timed.
const COUNT: usize = 50;

/// Times starts in turns, with one module under many ids and with a module for each.
pub(super) fn run(arguments: &Arguments, binaries: &Binaries, policy: &Policy) -> Outcome<()> {
    println!(
        "\nstart to the first verdict of the last of {COUNT} policies, {}",
        policy.name
    );
    for (what, own_modules) in [("one module", false), ("a module each", true)] {
        let setup = Setup {
            count: COUNT,
            own_modules,
            ..Setup::of(policy)
        };
        measure(arguments, binaries, setup, what)?;
    }
    if binaries.policy_server.is_some() {
        println!(
            "  policy-server keeps no compiled modules: its rows with a cold and a warm cache are the same start"
        );
    }
    Ok(())
}

/// Starts each server twice in turns, the second time with what the first has left.
fn measure(arguments: &Arguments, binaries: &Binaries, setup: Setup<'_>, what: &str) -> Outcome<()> {
    let mut cold: Rounds<f64> = Default::default();
    let mut warm: Rounds<f64> = Default::default();
    for round in 0..arguments.rounds {
        let cache = format!("start-{}-{round}", setup.own_modules);
        let setup = Setup {
            cache: &cache,
            ..setup
        };
        for (place, kind) in binaries.kinds().into_iter().enumerate() {
            for times in [&mut cold[place], &mut warm[place]] {
                let server = Server::start(kind, binaries, setup)?;
                times.push(server.first_verdict.as_secs_f64() * 1e3);
            }
        }
    }
    for (cache, rounds) in [("cold", cold), ("warm", warm)] {
        let values: Vec<f64> = rounds
            .into_iter()
            .filter_map(|times| median(times.into_iter()))
            .collect();
        print_values(&format!("{what}, {cache}"), "ms", &values);
    }
    Ok(())
}
