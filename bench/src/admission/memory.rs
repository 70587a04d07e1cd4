//! Resident memory, by the number of policies and by that of reviews.

use std::time::Duration;

use crate::Outcome;
use crate::load::Transport;

use super::server::{Binaries, Server, Setup};
use super::{Arguments, Policy, print_values};

/// With how many policies memory is looked at.
const COUNTS: [usize; 3] = [1, 50, 500];
/// How many clients ask while memory is watched.
const CLIENTS: usize = 8;
/// How often memory is looked at while it is watched.
const LOOKS: usize = 10;
/// How long they ask before the number of reviews is looked at.
const STEP: Duration = Duration::from_secs(1);

/// More and more policies, each of which was asked once.
pub(super) fn by_policies(binaries: &Binaries, policy: &Policy) -> Outcome<()> {
    println!(
        "\nresident memory, {} under many ids, each asked once",
        policy.name
    );
    if !policy.differs() {
        println!("  the settings of all are the same: {{n}} in a text of --settings makes them differ");
    }
    let setup = Setup {
        cache: "memory",
        ..Setup::of(policy)
    };
    for kind in binaries.kinds() {
        // What a compilation needs is not what serving needs.
        drop(Server::start(kind, binaries, setup)?);
    }
    for count in COUNTS {
        let mut values = Vec::new();
        for kind in binaries.kinds() {
            let server = Server::start(kind, binaries, Setup { count, ..setup })?;
            for index in 0..count {
                server.question(policy, index)?;
            }
            values.push(server.process.resident_megabytes()?);
        }
        let plural = if count == 1 { "policy" } else { "policies" };
        print_values(&format!("{count} {plural}"), "MB", &values);
    }
    Ok(())
}

/// One policy, over as many reviews as are asked for, of each server after the other.
pub(super) fn over_reviews(arguments: &Arguments, binaries: &Binaries, policy: &Policy) -> Outcome<()> {
    if arguments.reviews == 0 {
        return Ok(());
    }
    for kind in binaries.kinds() {
        println!(
            "\nresident memory of {} over reviews by {}",
            kind.name(),
            policy.name
        );
        let server = Server::start(kind, binaries, Setup::of(policy))?;
        let question = server.question(policy, 0)?;
        let (mut reviews, mut next) = (0, 0);
        while reviews < arguments.reviews {
            reviews += server
                .measure(&Transport::Plain, &question, CLIENTS, STEP)?
                .requests;
            if reviews >= next.min(arguments.reviews) {
                let resident = server.process.resident_megabytes()?;
                println!("  {reviews:>12} reviews  {resident:>8.1} MB");
                next = reviews + arguments.reviews / LOOKS;
            }
        }
    }
    Ok(())
}
