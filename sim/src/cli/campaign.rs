//! Many seeds in parallel, reported in their order, so that nothing but the speed depends on the
//! number of threads.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::Seeds;
use crate::counters::Counters;
use crate::engine::{Engine, Watch};
use crate::report::RunReport;
use crate::scenario::Scenario;

/// What to run.
pub(super) struct Campaign<'a> {
    pub(super) engine: &'a dyn Engine,
    pub(super) scenario: Option<&'a Scenario>,
    pub(super) seeds: Seeds,
    pub(super) jobs: u64,
    pub(super) budget: Option<Duration>,
    pub(super) twice: bool,
}

/// What a campaign came to: the seeds up to the first that failed.
pub(super) struct Totals {
    pub(super) seeds: u64,
    pub(super) events: u64,
    pub(super) simulated: u64,
    pub(super) wall: Duration,
    /// A chain over the trace hashes of all seeds.
    pub(super) hash: u64,
    pub(super) counters: Counters,
    pub(super) failure: Option<Failure>,
}

/// The first seed with something wrong.
pub(super) enum Failure {
    /// A rule was broken.
    Run(Box<RunReport>),
    /// The second run of the seed was another one.
    Diverged { seed: u64, hashes: [u64; 2] },
}

/// One seed's result on its way from its thread.
struct Finished {
    report: RunReport,
    again: Option<u64>,
}

/// The number of threads that the machine runs at once.
pub(super) fn default_jobs() -> u64 {
    thread::available_parallelism().map_or(1, NonZero::get) as u64
}

impl Campaign<'_> {
    /// Runs until the first failure, the end of the seeds or the end of the budget. Calls `seen`
    /// with each report, in the order of the seeds.
    #[expect(clippy::disallowed_methods, reason = "a budget is wall time; no run sees it")]
    pub(super) fn run(&self, mut seen: impl FnMut(&RunReport, &Totals)) -> Totals {
        let started = Instant::now();
        let next = AtomicU64::new(self.seeds.first);
        let stop = AtomicBool::new(false);
        let mut totals = Totals {
            seeds: 0,
            events: 0,
            simulated: 0,
            wall: Duration::ZERO,
            hash: 0,
            counters: Counters::default(),
            failure: None,
        };
        thread::scope(|scope| {
            let (sender, results) = mpsc::channel();
            for _ in 0..self.jobs.min(self.seeds.end - self.seeds.first) {
                let sender = sender.clone();
                scope.spawn(|| self.work(sender, &next, &stop, started));
            }
            drop(sender);
            // Seeds that finished before an earlier one.
            let mut early = BTreeMap::new();
            let mut awaited = self.seeds.first;
            for finished in results {
                let finished: Finished = finished;
                early.insert(finished.report.seed, finished);
                while totals.failure.is_none()
                    && let Some(finished) = early.remove(&awaited)
                {
                    awaited += 1;
                    totals.wall = started.elapsed();
                    totals.add(finished, &mut seen);
                }
            }
        });
        totals.wall = started.elapsed();
        totals
    }

    fn work(&self, sender: mpsc::Sender<Finished>, next: &AtomicU64, stop: &AtomicBool, started: Instant) {
        while !stop.load(Ordering::SeqCst) && self.budget.is_none_or(|budget| started.elapsed() < budget) {
            // Seeds are taken in order, and a taken seed is always finished: so all seeds below a
            // failing one are known, and the smallest failing seed is the same for any number of
            // threads.
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= self.seeds.end {
                return;
            }
            let report = self.play(seed, Watch::Off);
            let again = self.twice.then(|| self.play(seed, Watch::Off).trace_hash);
            if !report.outcome.passed() || again.is_some_and(|hash| hash != report.trace_hash) {
                stop.store(true, Ordering::SeqCst);
            }
            if sender.send(Finished { report, again }).is_err() {
                return;
            }
        }
    }

    /// Plays one seed of this campaign.
    pub(super) fn play(&self, seed: u64, watch: Watch) -> RunReport {
        match self.scenario {
            Some(scenario) => self.engine.scenario(scenario, seed, watch),
            None => self.engine.swarm(seed, watch),
        }
    }
}

impl Totals {
    fn add(&mut self, finished: Finished, seen: &mut impl FnMut(&RunReport, &Self)) {
        let Finished { report, again } = finished;
        self.seeds += 1;
        self.events += report.events;
        self.simulated += report.simulated.0;
        self.hash = xxh3_64_with_seed(&report.trace_hash.to_le_bytes(), self.hash);
        self.counters.merge(&report.counters);
        seen(&report, self);
        let diverged = again.filter(|hash| *hash != report.trace_hash);
        if let Some(again) = diverged {
            self.failure = Some(Failure::Diverged { seed: report.seed, hashes: [report.trace_hash, again] });
        } else if !report.outcome.passed() {
            self.failure = Some(Failure::Run(Box::new(report)));
        }
    }
}
