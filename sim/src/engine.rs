//! What the command line needs of the simulator.

use zabrus_core::replica::Status;
use zabrus_core::{Instant, ServerId};

use crate::case::Case;
use crate::clients::Heard;
use crate::fault::{DiskFault, Fault};
use crate::grid::TraceLine;
use crate::report::{Outcome, RunReport};
use crate::scenario::{self, Action, Deed, Scenario, Stage};
use crate::swarm;
use crate::violation::Violation;
use crate::world::{self, World};

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

    /// Plays the random run of a seed, and writes it down.
    fn write_down(&self, seed: u64) -> (RunReport, Case);

    /// Plays what is written down.
    fn case(&self, case: &Case, watch: Watch) -> RunReport;

    /// Plays a scenario.
    fn scenario(&self, scenario: &Scenario, seed: u64, watch: Watch) -> RunReport;
}

/// The simulator.
pub struct Simulator;

impl Engine for Simulator {
    fn swarm(&self, seed: u64, watch: Watch) -> RunReport {
        world::play(swarm::draw(seed), seed, watch == Watch::On)
    }

    fn write_down(&self, seed: u64) -> (RunReport, Case) {
        world::write_down(swarm::draw(seed), seed)
    }

    fn case(&self, case: &Case, watch: Watch) -> RunReport {
        world::play_case(case, watch == Watch::On)
    }

    fn scenario(&self, scenario: &Scenario, seed: u64, watch: Watch) -> RunReport {
        let mut world = World::new(scenario.settings.clone(), seed);
        // Conditions on events read the story.
        world.record();
        let mut report = world.run_as(|world| perform(scenario, world));
        if watch == Watch::Off {
            report.trace.clear();
        }
        report
    }
}

fn perform(scenario: &Scenario, world: &mut World) -> Result<Outcome, Violation> {
    for server in &scenario.start {
        world.apply(&Fault::Start(*server))?;
    }
    match scenario::play(scenario, world) {
        Ok(()) => world.recover(&cures(scenario, world)),
        Err(Outcome::Violated(violation)) => Err(violation),
        Err(outcome) => Ok(outcome),
    }
}

/// What ends every fault that the scenario may have left behind.
fn cures(scenario: &Scenario, world: &World) -> Vec<Fault> {
    let harmed_disks = scenario.steps.iter().flat_map(|step| &step.actions).any(Action::concerns_disk);
    let cure = |server| {
        let repair = harmed_disks.then_some(Fault::Disk { server, fault: DiskFault::Repair });
        let resume = world.server(server).is_paused().then_some(Fault::Resume(server));
        let start = world.server(server).replica().is_none().then_some(Fault::Start(server));
        [repair, resume, start].into_iter().flatten()
    };
    std::iter::once(Fault::Heal).chain(world.servers().flat_map(cure)).collect()
}

impl Stage for World {
    fn now(&self) -> Instant {
        self.now()
    }

    fn advance(&mut self, limit: Instant) -> Result<bool, Violation> {
        if self.step(limit)? {
            return Ok(true);
        }
        self.run_until(limit)?;
        Ok(false)
    }

    fn carry_out(&mut self, deed: &Deed) -> Result<(), Violation> {
        match deed {
            Deed::Fault(fault) => self.apply(fault),
            Deed::Write(server, count) => self.write(*server, *count),
            Deed::Client(name, doing) => self.direct(name, doing),
        }
    }

    fn status(&self, server: ServerId) -> Option<Status> {
        Some(self.server(server).replica()?.status())
    }

    fn writes(&self) -> (u64, u64) {
        self.writes()
    }

    fn has_node(&self, server: ServerId, path: &str) -> bool {
        self.server(server).replica().is_some_and(|replica| replica.state().node(path).is_some())
    }

    fn heard(&self, name: &str) -> Option<Heard> {
        self.heard(name)
    }

    fn trace(&self) -> &[TraceLine] {
        self.story()
    }
}
