//! Exchanges through chains of scripted filters. What is expected is everything that happened, in order: the callbacks
//! with their parameters, the log, and what goes out (`=>`).

mod order;
