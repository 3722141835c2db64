//! A deterministic simulator: a world of servers in one thread, broken on purpose and checked
//! after every event. The same seed gives the same run, on every machine.
#![forbid(unsafe_code)]

pub mod cli;
pub mod counters;
pub mod engine;
pub mod fault;
pub mod grid;
pub mod report;
pub mod scenario;
pub mod settings;
pub mod units;
pub mod violation;
