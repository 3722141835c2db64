//! A deterministic simulator: a world of replicas with their clocks, disks, connections and
//! clients, broken on purpose and checked after every event.
//!
//! One thread per world, one heap of events, virtual time that jumps. A run is defined by its
//! [`settings::Settings`] and one seed, on every machine and in every build.
#![forbid(unsafe_code)]

pub mod assertion;
pub mod case;
pub mod checks;
pub mod cli;
pub mod clients;
pub mod clock;
pub mod counters;
pub mod disk;
pub mod engine;
pub mod fault;
pub mod ghost;
pub mod grid;
pub mod liveness;
pub mod network;
pub mod plan;
pub mod random;
pub mod report;
pub mod scenario;
pub mod schedule;
pub mod server;
pub mod settings;
pub mod shrink;
pub mod swarm;
pub mod trace;
pub mod units;
pub mod violation;
pub mod world;
