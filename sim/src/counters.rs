//! What happened how often.

use std::collections::BTreeMap;

use serde::Serialize;

/// Counts over one run, or over many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Elections decided.
    pub elections: u64,
    /// Epochs established.
    pub epochs: u64,
    /// Transactions committed.
    pub commits: u64,
    /// Synchronizations by kind.
    pub syncs: BTreeMap<&'static str, u64>,
    /// Faults injected by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Runs of each check.
    pub checks: BTreeMap<&'static str, u64>,
    /// Surprises that a campaign should see, by their description (invariants.md section 10).
    pub surprises: BTreeMap<&'static str, u64>,
}

impl Counters {
    /// Adds what another run counted.
    pub fn merge(&mut self, other: &Self) {
        self.elections += other.elections;
        self.epochs += other.epochs;
        self.commits += other.commits;
        for (mine, theirs) in [
            (&mut self.syncs, &other.syncs),
            (&mut self.faults, &other.faults),
            (&mut self.checks, &other.checks),
            (&mut self.surprises, &other.surprises),
        ] {
            for (name, count) in theirs {
                *mine.entry(name).or_default() += count;
            }
        }
    }
}
