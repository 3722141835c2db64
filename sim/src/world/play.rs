//! A whole run: faults by plan, then peace, then the last checks.

use std::panic::{AssertUnwindSafe, catch_unwind};

use zabrus_core::{Duration, Instant};

use super::World;
use crate::grid::TraceLine;
use crate::plan::Plan;
use crate::random::Random;
use crate::report::{Outcome, RunReport};
use crate::settings::Settings;
use crate::violation::Violation;

/// Plays the run that the settings and the seed define; with its story if `watched`.
#[must_use]
pub fn play(settings: Settings, seed: u64, watched: bool) -> RunReport {
    match World::new(settings, seed) {
        Ok(mut world) => {
            if watched {
                world.record();
            }
            world.run()
        }
        Err(violation) => RunReport {
            seed,
            trace_hash: 0,
            events: 0,
            simulated: Duration::ZERO,
            counters: Default::default(),
            outcome: Outcome::Violated(violation),
            trace: Vec::new(),
        },
    }
}

impl World {
    /// Runs to the end: the faults of the plan, then everything is healed, then the ensemble has
    /// time to settle, and is left alone at last.
    #[must_use]
    pub fn run(mut self) -> RunReport {
        // An assertion of the core is a check like any other: its seed must be told.
        let played = catch_unwind(AssertUnwindSafe(|| self.play()));
        let outcome = match played {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(violation)) => Outcome::Violated(violation),
            Err(panic) => Outcome::Violated(self.panicked(panic.as_ref())),
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
            trace: self.take_story(),
        }
    }

    fn take_story(&mut self) -> Vec<TraceLine> {
        self.trace.take_lines()
    }

    fn panicked(&self, panic: &(dyn std::any::Any + Send)) -> Violation {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Violation {
            rule: "assertion",
            citation: "an assertion of the code itself",
            sentence: format!("an assertion failed: {words}"),
            server: None,
            time: self.now,
        }
    }

    fn play(&mut self) -> Result<Outcome, Violation> {
        let faulty = Instant(0) + self.settings.duration;
        let mut plan = Plan::new(Random::stream(self.seed, "faults"));
        while let Some((at, fault)) = plan.next(self).filter(|(at, _)| *at < faulty) {
            self.run_until(at)?;
            self.apply(&fault)?;
        }
        self.run_until(faulty)?;
        self.heal()?;
        // Clients go on for half of the time, and must have their answers at the end of it all.
        self.run_until(faulty + Duration(self.settings.settle.0 / 2))?;
        self.load.stop();
        self.run_until(faulty + self.settings.settle)?;
        let Self { ghost, .. } = self;
        let mut ghost = std::mem::replace(ghost, crate::ghost::Ghost::new(&self.settings));
        let quiesced = ghost.quiesced(self);
        self.ghost = ghost;
        Ok(match quiesced {
            Err((rule, sentence)) if self.settings.liveness_expected => Outcome::NotLive { rule, sentence },
            _ => Outcome::Passed,
        })
    }
}
