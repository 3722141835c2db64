//! A whole run: faults by plan, then peace, then the last checks.

use zabrus_core::storage::{Directory, Standing};
use zabrus_core::{Duration, Instant, Replica};

use super::World;
use crate::assertion;
use crate::case::Case;
use crate::checks::Rule;
use crate::counters::Mark;
use crate::fault::Fault;
use crate::liveness::ServerView;
use crate::plan::{Observation, Plan, ServerObservation};
use crate::random::Random;
use crate::report::{Outcome, RunReport};
use crate::server::Server;
use crate::settings::Settings;
use crate::violation::Violation;

/// Plays the run that the settings and the seed define; with its story if `watched`.
#[must_use]
pub fn play(settings: Settings, seed: u64, watched: bool) -> RunReport {
    let mut plan = Plan::new(&settings, Random::stream(seed, "faults"));
    by_plan(World::new(settings, seed), &mut plan, watched)
}

/// Plays a run that is written down; with its story if `watched`.
///
/// # Panics
/// If no server can work with the settings: see [`Case::parse`].
#[must_use]
pub fn play_case(case: &Case, watched: bool) -> RunReport {
    let world = World::new(case.settings.clone(), case.seed);
    by_plan(world, &mut Plan::written_down(case), watched)
}

/// Plays the run that the settings and the seed define, and writes it down.
#[must_use]
pub fn write_down(settings: Settings, seed: u64) -> (RunReport, Case) {
    let mut plan = Plan::new(&settings, Random::stream(seed, "faults"));
    let report = by_plan(World::new(settings.clone(), seed), &mut plan, false);
    (report, plan.write_down(settings, seed))
}

fn by_plan(mut world: World, plan: &mut Plan, watched: bool) -> RunReport {
    if watched {
        world.record();
    }
    world.run_as(|world| world.play(plan))
}

impl World {
    /// Runs as `play` says, and reports.
    #[must_use]
    pub fn run_as(mut self, play: impl FnOnce(&mut Self) -> Result<Outcome, Violation>) -> RunReport {
        // An assertion of the core is a check like any other: its seed must be told.
        let outcome = match assertion::catch(|| play(&mut self)) {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(violation)) => Outcome::Violated(violation),
            Err(sentence) => Outcome::Violated(Violation {
                rule: "assertion",
                citation: "an assertion of the code itself",
                sentence,
                server: None,
                time: self.now,
            }),
        };
        self.report(outcome)
    }

    /// What this run came to.
    #[must_use]
    pub fn report(mut self, outcome: Outcome) -> RunReport {
        RunReport {
            seed: self.seed,
            trace_hash: self.trace.hash(),
            events: self.events,
            simulated: self.now.since(Instant(0)),
            counters: self.ghost.counters().clone(),
            outcome,
            trace: self.trace.take_lines(),
        }
    }

    /// Runs to the end: the faults of the plan, then everything is healed, then the ensemble has
    /// time to settle, and is left alone at last.
    fn play(&mut self, plan: &mut Plan) -> Result<Outcome, Violation> {
        let faulty = Instant(0) + self.settings.duration;
        let mut forking = Random::stream(self.seed, "fork");
        let mut fork_at = Some(Instant(forking.below(faulty.0)));
        loop {
            let due = plan.due().min(faulty);
            if let Some(at) = fork_at.take_if(|at| *at <= due) {
                self.run_until(at)?;
                if self.ends_early() {
                    return Ok(Outcome::Passed);
                }
                self.survives_any_election(&mut forking)?;
            }
            self.run_until(due)?;
            if self.ends_early() {
                return Ok(Outcome::Passed);
            }
            if due == faulty {
                break;
            }
            for fault in plan.step(&self.observe()) {
                self.apply(&fault)?;
            }
        }
        self.recover(&plan.heal())
    }

    fn ends_early(&mut self) -> bool {
        let ends = self.ghost.is_beyond_protocols();
        self.ghost.counters_mut().saw_times(Mark::EndedEarly, u64::from(ends));
        ends
    }

    /// Ends all faults by `cures`, and sees whether the ensemble gets well.
    ///
    /// # Errors
    /// If a rule is broken.
    pub fn recover(&mut self, cures: &[Fault]) -> Result<Outcome, Violation> {
        let healed = self.now;
        for cure in cures {
            self.apply(cure)?;
        }
        self.calm();
        // Clients go on for half of the time, and must have their answers at the end of it all.
        self.run_until(healed + Duration(self.settings.settle.0 / 2))?;
        self.change_voters_at_last()?;
        self.stop_load();
        self.run_until(healed + self.settings.settle)?;
        for replica in self.servers.iter().filter_map(Server::replica) {
            let status = replica.status();
            self.ghost.ended(status.id, status.applied, replica.state())?;
            if self.settings.liveness_expected {
                self.ghost.watched(status.id, replica.clients().watches())?;
            }
        }
        Ok(match self.quiesced() {
            Ok(()) => Outcome::Passed,
            Err((rule, sentence)) => {
                Outcome::NotLive { rule: rule.name(), citation: rule.citation(), sentence }
            }
        })
    }

    /// No fault happens from now on, not even a small one of the network or of a disk.
    pub fn calm(&mut self) {
        self.operates = false;
        self.network.calm();
        self.clients.calm();
        self.servers.iter_mut().for_each(|server| server.disk.calm());
        self.ghost.healed(self.now);
    }

    /// No client sends anything new from now on.
    pub fn stop_load(&mut self) {
        self.clients.stop();
    }

    /// Whether everything is well, some time after [`World::calm`]; if not, the rule and what is
    /// wrong. Where only safety is expected nothing is judged.
    ///
    /// # Errors
    /// If something did not become well.
    pub fn quiesced(&mut self) -> Result<(), (Rule, String)> {
        let view = |server: &'_ Server| ServerView {
            id: server.id,
            status: server.replica().map(Replica::status),
            why_down: server.why_down.clone(),
        };
        let views: Vec<ServerView> = self.servers.iter().map(view).collect();
        self.ghost.quiesced(self.settings.liveness_expected, &views)?;
        if self.settings.liveness_expected {
            self.ghost.sessions_ended(self.clients.sessions())?;
        }
        Ok(())
    }

    /// What the adversary may know.
    #[must_use]
    pub fn observe(&self) -> Observation {
        let observe = |server: &Server| ServerObservation {
            up: server.process.is_some(),
            writing: server.pending_operations().next().is_some() || server.disk.has_unsynced(),
            is_sound: server.replica().is_some_and(|replica| {
                let status = replica.status();
                status.serving && status.epochs.standing == Standing::Sound
            }),
            has_epochs: server.disk.durable().list().iter().any(|(file, _)| file.0 == "epochs"),
        };
        let servers = self.servers.iter().map(|server| (server.id, observe(server))).collect();
        let ensembles = self.ghost.configs().open();
        Observation { now: self.now, leader: self.leader(), ensembles, servers }
    }
}
