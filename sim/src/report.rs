//! Placeholder of the report owner's module.

use serde::Serialize;
use zabrus_core::Duration;

use crate::counters::Counters;
use crate::violation::Violation;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Outcome {
    /// Nothing was wrong.
    Passed,
    /// A rule was broken.
    Violated(Violation),
    /// The ensemble did not recover.
    NotLive {
        /// The rule.
        rule: &'static str,
        /// What is missing, for a person.
        sentence: String,
    },
}

/// What a run was like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunReport {
    /// Its seed.
    pub seed: u64,
    /// A hash over everything that happened.
    pub trace_hash: u64,
    /// How many events there were.
    pub events: u64,
    /// How much time passed in the world.
    pub simulated: Duration,
    /// What was seen.
    pub counters: Counters,
    /// How it ended.
    pub outcome: Outcome,
}
