//! What policies ask of the server, answered: by a scripted API server with all its bad days, and by a real one.

mod ask;
mod connecting;
mod lists;
mod objects;
mod offline;
mod real;
mod watch_bounds;
mod watch_faults;
