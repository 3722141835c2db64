//! From a run that breaks a rule to a smaller one that breaks the same rule.
//!
//! Delta debugging (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input",
//! 2002) over incidents, and simpler settings one by one, until nothing can go any more.

use zabrus_core::{Duration, Instant, ServerId};

use crate::case::{Case, Incident};
use crate::report::{Outcome, RunReport};
use crate::settings::{ClockSettings, DiskSettings, LoadSettings, NetworkSettings, ServiceChoices, Settings};

/// Whatever changes moves all later delays, and many bugs need luck: so many seeds are tried.
const TRIES: u64 = 4;

/// What must go on failing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goal {
    rule: String,
    /// Assertions have no names: another sentence would be another bug.
    sentence: Option<String>,
}

/// Looks for smaller cases. `play` plays one; `go_on` says, with the smallest case so far and the
/// number of runs, whether there is time for another run.
pub struct Shrinker<P, G> {
    play: P,
    go_on: G,
    goal: Goal,
    case: Case,
    runs: u64,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest case.
    pub case: Case,
    /// How many runs it took.
    pub runs: u64,
    /// Nothing more can go. Otherwise the time was over.
    pub is_minimal: bool,
}

/// The time was over.
struct Over;

impl Goal {
    /// What fails in a run, if anything does.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Option<Self> {
        let sentence = match outcome {
            Outcome::Violated(violation) if violation.rule == "assertion" => Some(violation.sentence.clone()),
            _ => None,
        };
        Some(Self { rule: outcome.rule()?.to_owned(), sentence })
    }
}

impl<P: FnMut(&Case) -> RunReport, G: FnMut(&Case, u64) -> bool> Shrinker<P, G> {
    /// For a case that reaches the goal.
    pub const fn new(case: Case, goal: Goal, play: P, go_on: G) -> Self {
        Self { play, go_on, goal, case, runs: 0 }
    }

    /// Makes the case smaller until nothing can go, or the time is over.
    pub fn shrink(mut self) -> Shrunk {
        let is_minimal = self.passes().is_ok();
        Shrunk { case: self.case, runs: self.runs, is_minimal }
    }

    fn passes(&mut self) -> Result<(), Over> {
        loop {
            let before = self.case.clone();
            self.fewer_incidents()?;
            self.fewer_servers()?;
            self.less_time()?;
            for simpler in SIMPLER {
                let mut case = self.case.clone();
                simpler(&mut case.settings);
                self.attempt(case)?;
            }
            if self.case == before {
                return Ok(());
            }
        }
    }

    /// Takes a smaller case if it fails in the same way.
    fn attempt(&mut self, case: Case) -> Result<bool, Over> {
        // A world without a voter, say, is none.
        if case == self.case || Case::parse(&case.text()).is_err() {
            return Ok(false);
        }
        for seed in case.seed..case.seed.saturating_add(TRIES) {
            if !(self.go_on)(&self.case, self.runs) {
                return Err(Over);
            }
            self.runs += 1;
            let case = Case { seed, ..case.clone() };
            if Goal::of(&(self.play)(&case).outcome).as_ref() == Some(&self.goal) {
                self.case = case;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn attempt_incidents(&mut self, incidents: Vec<Incident>) -> Result<bool, Over> {
        self.attempt(Case { incidents, ..self.case.clone() })
    }

    fn fewer_incidents(&mut self) -> Result<(), Over> {
        if self.attempt_incidents(Vec::new())? {
            return Ok(());
        }
        let mut size = self.case.incidents.len();
        while size > 0 {
            // From the end: what happened last mattered least often.
            let mut end = self.case.incidents.len();
            while end > 0 {
                let begin = end.saturating_sub(size);
                let mut left = self.case.incidents.clone();
                left.drain(begin..end);
                self.attempt_incidents(left)?;
                end = begin;
            }
            size /= 2;
        }
        Ok(())
    }

    fn fewer_servers(&mut self) -> Result<(), Over> {
        let servers: Vec<ServerId> = self.case.settings.servers().collect();
        for server in servers.into_iter().rev() {
            self.attempt(self.case.without(server))?;
        }
        Ok(())
    }

    fn less_time(&mut self) -> Result<(), Over> {
        let steps = self.case.incidents.iter().flat_map(|incident| &incident.steps);
        let last = steps.map(|step| step.at).max().unwrap_or(Instant(0));
        let duration = self.case.settings.duration;
        for shorter in [last.since(Instant(0)) + Duration::from_millis(1), Duration(duration.0 / 2)] {
            if shorter < self.case.settings.duration {
                let mut case = self.case.clone();
                case.settings.duration = shorter;
                self.attempt(case)?;
            }
        }
        Ok(())
    }
}

/// Each makes one thing about a world simpler, or nothing if it is simple already.
const SIMPLER: &[fn(&mut Settings)] = &[
    |settings| settings.load.clients = settings.load.clients.min(1),
    |settings| settings.load.clients /= 2,
    |settings| settings.load.clients = settings.load.clients.saturating_sub(1),
    |settings| settings.load = writes_only(&settings.load),
    |settings| settings.load.watch_percent = 0,
    |settings| settings.load.multi_percent = 0,
    |settings| settings.load.acl_percent = 0,
    |settings| settings.load.quotas = false,
    |settings| settings.load.movable.clear(),
    |settings| settings.load.voters.clear(),
    |settings| settings.service.standalone = true,
    |settings| settings.service.reconfig = false,
    |settings| settings.load.trouble_per_mille = 0,
    |settings| settings.load.odd_per_mille = 0,
    |settings| settings.load.large_per_mille = 0,
    |settings| settings.load.reads_percent = 0,
    |settings| settings.load.sync_percent = 0,
    |settings| settings.load.versioned_percent = 0,
    |settings| settings.load.pipeline = 1,
    |settings| settings.load.keys = settings.load.keys.min(1),
    |settings| settings.load.value_bytes = (8, 8),
    |settings| settings.load.quiet_micros = (0, 0),
    |settings| settings.network = quiet_network(&settings.network),
    |settings| settings.network.slow_per_mille = 0,
    |settings| settings.network.late_notice_per_mille = 0,
    |settings| settings.network.loss_per_mille = 0,
    |settings| settings.network.duplicate_per_mille = 0,
    |settings| settings.network.reorder_per_mille = 0,
    |settings| settings.network.mode = NetworkSettings::default().mode,
    |settings| settings.disk = DiskSettings::default(),
    |settings| settings.disk.stall_per_mille = 0,
    |settings| settings.clock = ClockSettings { drift_per_million: 0, wall_skew_millis: 0 },
    |settings| settings.service = ServiceChoices::default(),
    |settings| settings.ensemble.hierarchical = false,
    |settings| settings.start_all = true,
    |settings| settings.faults = Vec::new(),
    |settings| settings.election = Settings::default().election,
    |settings| settings.link_checks = true,
    |settings| settings.tick_time = Settings::default().tick_time,
    |settings| settings.init_limit = Settings::default().init_limit,
    |settings| settings.sync_limit = Settings::default().sync_limit,
    |settings| settings.sync_window = Settings::default().sync_window,
    |settings| settings.disk_sync_percent = Settings::default().disk_sync_percent,
    |settings| settings.snapshot_interval = Settings::default().snapshot_interval,
    |settings| settings.segment_bytes = Settings::default().segment_bytes,
    |settings| settings.preallocate_bytes = Settings::default().preallocate_bytes,
    |settings| settings.chunk_bytes = Settings::default().chunk_bytes,
    |settings| settings.counter_limit = Settings::default().counter_limit,
    |settings| settings.restart_micros = Settings::default().restart_micros,
    |settings| settings.fault_gap_micros = Settings::default().fault_gap_micros,
];

/// As many clients, which only write small values.
fn writes_only(load: &LoadSettings) -> LoadSettings {
    LoadSettings {
        clients: load.clients,
        keys: load.keys,
        pipeline: 1,
        reads_percent: 0,
        sync_percent: 0,
        versioned_percent: 0,
        value_bytes: (8, 8),
        quiet_micros: (0, 0),
        trouble_per_mille: 0,
        odd_per_mille: 0,
        watch_percent: 0,
        multi_percent: 0,
        acl_percent: 0,
        ..LoadSettings::default()
    }
}

/// The same connections without rare events.
fn quiet_network(network: &NetworkSettings) -> NetworkSettings {
    NetworkSettings {
        mode: network.mode,
        slow_per_mille: 0,
        late_notice_per_mille: 0,
        ..NetworkSettings::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::TimedFault;
    use crate::counters::Counters;
    use crate::fault::{Fault, FaultKind};
    use crate::violation::Violation;
    use crate::{swarm, world};

    fn broken(rule: &'static str, sentence: &str) -> Outcome {
        Outcome::Violated(Violation {
            rule,
            citation: "",
            sentence: sentence.into(),
            server: None,
            time: Instant(0),
        })
    }

    fn report(outcome: Outcome) -> RunReport {
        RunReport {
            seed: 0,
            trace_hash: 0,
            events: 0,
            simulated: Duration(0),
            counters: Counters::default(),
            outcome,
            trace: Vec::new(),
        }
    }

    fn crash(server: u64, second: u64) -> Incident {
        let at = Instant(0) + Duration::from_seconds(second);
        let steps = vec![TimedFault { at, fault: Fault::Crash(ServerId(server)) }];
        Incident { kind: Some(FaultKind::Crash), steps }
    }

    /// Seven servers, of which one or the other crashes each second for a minute.
    fn large() -> Case {
        let seed = (0..).find(|seed| swarm::draw(*seed).ensemble.members.len() == 7).unwrap();
        let (_, case) = world::write_down(Settings { duration: Duration(1), ..swarm::draw(seed) }, seed);
        let settings = Settings { duration: Duration::from_seconds(60), ..case.settings };
        Case { settings, incidents: (0..60).map(|second| crash(second % 7 + 1, second)).collect(), ..case }
    }

    fn has(case: &Case, server: u64, second: u64) -> bool {
        case.incidents.contains(&crash(server, second))
    }

    fn goal() -> Goal {
        Goal::of(&broken("R1", "")).unwrap()
    }

    #[test]
    fn what_is_left_is_what_the_failure_needs() {
        // It needs two of the crashes, four servers, and five seconds.
        let fails = |case: &Case| {
            has(case, 1, 0)
                && has(case, 4, 3)
                && case.settings.ensemble.members.len() >= 4
                && case.settings.duration >= Duration::from_seconds(5)
        };
        let play = |case: &Case| report(if fails(case) { broken("R1", "") } else { Outcome::Passed });
        let shrunk = Shrinker::new(large(), goal(), play, |_, _| true).shrink();
        assert!(shrunk.is_minimal && fails(&shrunk.case));
        let Settings { ensemble, duration, load, sync_window, .. } = &shrunk.case.settings;
        assert_eq!((shrunk.case.incidents.len(), ensemble.members.len(), load.clients), (2, 4, 0));
        assert!(*duration < Duration::from_seconds(10), "{duration}");
        assert_eq!(*sync_window, Settings::default().sync_window);
    }

    #[test]
    fn another_failure_is_not_taken_for_this_one() {
        let play = |case: &Case| match case.incidents.len() {
            60 => report(broken("R1", "")),
            _ => report(broken("R2", "")),
        };
        let shrunk = Shrinker::new(large(), goal(), play, |_, _| true).shrink();
        assert_eq!(shrunk.case.incidents.len(), 60);
        let goals = ["at a.rs:1", "at b.rs:2"].map(|place| Goal::of(&broken("assertion", place)));
        assert_ne!(goals[0], goals[1]);
        assert_eq!(Goal::of(&broken("R1", "server 1")), Goal::of(&broken("R1", "server 2")));
    }

    #[test]
    fn when_the_time_is_over_the_smallest_so_far_is_kept() {
        let play = |case: &Case| report(if has(case, 1, 0) { broken("R1", "") } else { Outcome::Passed });
        let shrunk = Shrinker::new(large(), goal(), play, |_, runs| runs < 12).shrink();
        assert!(!shrunk.is_minimal && shrunk.runs == 12);
        assert!(shrunk.case.incidents.len() < 60 && has(&shrunk.case, 1, 0));
    }

    #[test]
    fn a_failure_that_needs_luck_is_tried_with_several_seeds() {
        let lucky = |case: &Case| case.seed.is_multiple_of(3) && has(case, 4, 3);
        let play = |case: &Case| report(if lucky(case) { broken("R1", "") } else { Outcome::Passed });
        let mut case = large();
        case.seed = 0;
        let shrunk = Shrinker::new(case, goal(), play, |_, _| true).shrink();
        assert_eq!(shrunk.case.incidents.len(), 1);
    }
}
