//! What the command line needs of the simulator.

use crate::report::RunReport;
use crate::scenario::Scenario;

/// Whether a run keeps the story of everything that happens. It costs memory, and changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Only the report.
    Off,
    /// [`RunReport::trace`] too.
    On,
}

/// Something that plays runs: the simulator, or a test's imitation of it.
pub trait Engine: Sync {
    /// Plays the random run of a seed.
    fn swarm(&self, seed: u64, watch: Watch) -> RunReport;

    /// Plays a scenario.
    fn scenario(&self, scenario: &Scenario, seed: u64, watch: Watch) -> RunReport;
}

/// The simulator.
pub struct Simulator;

impl Engine for Simulator {
    fn swarm(&self, seed: u64, _watch: Watch) -> RunReport {
        empty(seed)
    }

    fn scenario(&self, _scenario: &Scenario, seed: u64, _watch: Watch) -> RunReport {
        empty(seed)
    }
}

/// Until the world is there.
fn empty(seed: u64) -> RunReport {
    RunReport {
        seed,
        trace_hash: 0,
        events: 0,
        simulated: zabrus_core::Duration::ZERO,
        counters: crate::counters::Counters::default(),
        outcome: crate::report::Outcome::NotLive {
            rule: "-",
            sentence: "this build has no world yet".into(),
        },
        trace: Vec::new(),
    }
}
