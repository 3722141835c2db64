//! Deterministic simulator

pub mod checks;
pub mod counters;
pub mod ghost;
pub mod liveness;
pub mod violation;
