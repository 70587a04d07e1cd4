//! What policies ask of the server, answered by a scripted API server with all its bad days.
//!
//! What a real API server does on good days is tried with a real one; here is what no real one can be made to do.

mod ask;
mod connecting;
mod errors;
mod fake;
mod lists;
mod objects;
mod offline;
mod policies;
mod policies_faults;
mod rego;
mod watch;
mod watch_bounds;
mod watch_faults;
