//! The program itself, as its users run it: a configuration in a folder, a process, its ports, its output.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod admin;
mod admission_command;
mod auth;
mod bodies;
mod commands;
mod configuration;
mod counter;
mod deployment;
mod examples;
mod exchanges;
mod faults;
mod faults_everywhere;
mod guests;
mod harness;
mod headers;
mod inspect;
mod lifecycle;
mod local_reply;
mod module_commands;
mod new_command;
mod pause;
mod plugins_refused;
mod policies;
mod policy_commands;
mod process;
mod queue;
mod run;
mod scan;
mod supply;
mod test_command;
mod vms;
