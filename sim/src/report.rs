//! What one run came to.

use serde::Serialize;
use zabrus_core::Duration;

use crate::counters::Counters;
use crate::grid::TraceLine;
use crate::violation::Violation;

/// What one run came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunReport {
    /// The root of all randomness of the run.
    pub seed: u64,
    /// A hash over everything that happened: equal hashes, equal runs.
    pub trace_hash: u64,
    /// Events processed.
    pub events: u64,
    /// How much time passed in the world.
    pub simulated: Duration,
    /// What happened how often.
    pub counters: Counters,
    /// The verdict.
    pub outcome: Outcome,
    /// Everything that happened, if the run was watched.
    #[serde(skip)]
    pub trace: Vec<TraceLine>,
}

/// The verdict on one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Outcome {
    /// Nothing was wrong.
    Passed,
    /// A safety rule was broken.
    Violated(Violation),
    /// After the faults stopped, the ensemble did not get well in time.
    NotLive {
        /// The rule's name, such as `V1`.
        rule: &'static str,
        /// Where the rule is written.
        citation: &'static str,
        /// What did not happen, in one sentence.
        sentence: String,
    },
    /// A scenario's expectation was not met.
    Unexpected {
        /// The place in the scenario file, `file:line`.
        place: String,
        /// What was expected and what was found, in one sentence.
        sentence: String,
    },
}

impl Outcome {
    /// Whether nothing was wrong.
    #[must_use]
    pub fn passed(&self) -> bool {
        *self == Self::Passed
    }

    /// The rule that was broken.
    #[must_use]
    pub fn rule(&self) -> Option<&str> {
        match self {
            Self::Passed => None,
            Self::Violated(violation) => Some(violation.rule),
            Self::NotLive { rule, .. } => Some(rule),
            Self::Unexpected { .. } => Some("expectation"),
        }
    }
}
