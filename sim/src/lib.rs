//! A deterministic simulator: a world of replicas with their clocks, disks, connections and
//! clients, broken on purpose and checked after every event.

pub mod disk;
pub mod fault;
pub mod plan;
pub mod random;
pub mod settings;
pub mod swarm;
