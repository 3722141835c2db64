//! The random adversary: when which [`Fault`] happens, and what ends it.
//!
//! It may take every server down and cut every link for a while. It never damages the durable
//! bytes of so many voters that the others are no quorum. Where the run expects
//! liveness, it ends each fault it begins, at the latest in [`Plan::heal`]; elsewhere some last.

use std::collections::{BTreeMap, BTreeSet};

use zabrus_core::config::ElectionAlgorithm;
use zabrus_core::quorum::Ensemble;
use zabrus_core::{Duration, Instant, ServerId};

use crate::case::{Case, Incident, TimedFault};
use crate::fault::{DiskFault, Fault, FaultKind};
use crate::random::Random;
use crate::settings::{FaultRate, Settings};

mod budget;
mod draw;
mod partition;
#[cfg(test)]
mod tests;

use budget::Budget;

/// How often a fault looks for a server that writes before it strikes anybody.
const LOOKS: u32 = 50;

/// What the plan may know of the world at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The time.
    pub now: Instant,
    /// A server that leads, the one of the highest epoch if there are several.
    pub leader: Option<ServerId>,
    /// The ensembles that count, or will when a change of them comes through.
    pub ensembles: Vec<Ensemble>,
    /// All servers.
    pub servers: BTreeMap<ServerId, ServerObservation>,
}

/// What the plan may know of one server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerObservation {
    /// Its process runs, even if it stands still.
    pub up: bool,
    /// Disk operations are under way, or something is written that is not synced.
    pub writing: bool,
    /// Its disk durably says whose it is.
    pub has_epochs: bool,
    /// It serves, and has no doubt about what it acknowledged.
    pub is_sound: bool,
}

/// The adversary of one run.
#[derive(Clone, Debug)]
pub struct Plan {
    random: Random,
    settings: Settings,
    budget: Budget,
    next_fault: Instant,
    next_election: Instant,
    /// A kind that waits for a server that writes, and how often it still looks.
    waiting: Option<(FaultKind, u32)>,
    /// What happens later, to end a fault or to go on with it.
    later: BTreeMap<(Instant, u64), (usize, Vec<Fault>)>,
    scheduled: u64,
    /// What it did so far; those that only begin have no steps yet.
    incidents: Vec<Incident>,
    /// What to do at the end of the faulty time, if that is decided.
    cures: Option<Vec<Fault>>,
    /// Incidents that were written down and must not happen here.
    refused: BTreeSet<usize>,
}

impl Plan {
    /// The adversary of a run that begins at the time 0.
    #[must_use]
    pub fn new(settings: &Settings, random: Random) -> Self {
        let mut plan = Self {
            random,
            settings: settings.clone(),
            budget: Budget::new(settings.liveness_expected),
            next_fault: Instant::NEVER,
            next_election: Instant::NEVER,
            waiting: None,
            later: BTreeMap::new(),
            scheduled: 0,
            incidents: Vec::new(),
            cures: None,
            refused: BTreeSet::new(),
        };
        if !settings.start_all {
            for server in settings.servers() {
                plan.incident(None);
                let at = Instant::default() + plan.ticks_percent(0, 500);
                plan.later(at, vec![Fault::Start(server)]);
            }
        }
        if plan.total_weight() > 0 {
            plan.next_fault = Instant::default() + plan.gap();
        }
        if settings.election == ElectionAlgorithm::External {
            plan.next_election = Instant::default() + plan.ticks_percent(10, 100);
        }
        plan
    }

    /// The adversary that does what is written down, except for what would now harm more disks
    /// than a plan may.
    #[must_use]
    pub fn written_down(case: &Case) -> Self {
        let nothing_of_its_own = Settings {
            faults: Vec::new(),
            election: ElectionAlgorithm::default(),
            start_all: true,
            ..case.settings.clone()
        };
        let mut plan = Self::new(&nothing_of_its_own, Random::stream(case.seed, "faults"));
        for Incident { kind, steps } in &case.incidents {
            let incident = plan.incident(*kind);
            for TimedFault { at, fault } in steps {
                plan.scheduled += 1;
                plan.later.insert((*at, plan.scheduled), (incident, vec![fault.clone()]));
            }
        }
        plan.cures = Some(case.cures.clone());
        plan
    }

    /// Writes down what this plan did.
    #[must_use]
    pub fn write_down(mut self, settings: Settings, seed: u64) -> Case {
        let cures = self.heal();
        self.incidents.retain(|incident| !incident.steps.is_empty());
        Case { seed, settings, incidents: self.incidents, cures }
    }

    /// When [`Plan::step`] is wanted.
    #[must_use]
    pub fn due(&self) -> Instant {
        let later = self.later.keys().next().map_or(Instant::NEVER, |(at, _)| *at);
        later.min(self.next_fault).min(self.next_election)
    }

    /// The faults of this moment, to be applied in order.
    pub fn step(&mut self, observation: &Observation) -> Vec<Fault> {
        let now = observation.now;
        self.budget.observe(observation);
        let mut due = Vec::new();
        while let Some(entry) = self.later.first_entry().filter(|entry| entry.key().0 <= now) {
            due.push(entry.remove());
        }
        if self.next_election <= now {
            self.next_election = now + self.ticks_percent(20, 200);
            due.push((self.incident(Some(FaultKind::Elect)), self.election(observation)));
        }
        if self.next_fault <= now {
            due.extend(self.next(observation));
        }
        if self.cures.is_some() {
            due.retain(|(incident, faults)| self.may(*incident, faults, observation));
        }
        let mut all = Vec::new();
        for (incident, faults) in due {
            for fault in faults {
                self.budget.note(&fault);
                self.incidents[incident].steps.push(TimedFault { at: now, fault: fault.clone() });
                all.push(fault);
            }
        }
        all
    }

    /// The end of the faulty time: everything that makes the world well again, as far as it can
    /// be. Where liveness is not expected, some of it does not happen.
    pub fn heal(&mut self) -> Vec<Fault> {
        if let Some(cures) = &self.cures {
            return cures.clone();
        }
        (self.next_fault, self.next_election) = (Instant::NEVER, Instant::NEVER);
        self.later.clear();
        let servers: Vec<ServerId> = self.settings.servers().collect();
        let mut faults = vec![Fault::Heal];
        for server in &servers {
            faults.push(Fault::Disk { server: *server, fault: DiskFault::Repair });
            faults.push(Fault::Drift { server: *server, per_million: 0 });
            faults.push(Fault::Resume(*server));
        }
        faults.extend(self.budget.swapped().map(|(one, other)| Fault::SwapDisks(one, other)));
        faults.extend(servers.into_iter().map(Fault::Start));
        if !self.settings.liveness_expected {
            faults.retain(|_| self.random.chance(750));
        }
        self.cures = Some(faults.clone());
        faults
    }

    /// A new incident, to which everything belongs that is scheduled from now on.
    fn incident(&mut self, kind: Option<FaultKind>) -> usize {
        self.incidents.push(Incident { kind, steps: Vec::new() });
        self.incidents.len() - 1
    }

    /// Whether these faults of an incident that was written down may happen. That is decided when
    /// it begins, by the rule by which a plan begins one.
    fn may(&mut self, incident: usize, faults: &[Fault], observation: &Observation) -> bool {
        let Incident { kind, steps } = &self.incidents[incident];
        let hit = faults.iter().flat_map(Fault::harmed).collect();
        if steps.is_empty()
            && let Some(kind) = *kind
            && !self.budget.allows(kind, &hit, observation)
        {
            self.refused.insert(incident);
        }
        !self.refused.contains(&incident)
    }

    fn next(&mut self, observation: &Observation) -> Option<(usize, Vec<Fault>)> {
        let (kind, looks) = self.waiting.take().unwrap_or_else(|| {
            let kind = self.kind();
            // A crash between two durable writes shows most.
            let patient = draw::wants_writes(kind) && self.random.chance(750);
            (kind, if patient { LOOKS } else { 0 })
        });
        if looks > 0 && !observation.servers.values().any(|server| server.writing) {
            self.waiting = Some((kind, looks - 1));
            self.next_fault = observation.now + Duration(self.random.range(500..=3_000));
            return None;
        }
        self.next_fault = observation.now + self.gap();
        let incident = self.incident(Some(kind));
        Some((incident, self.begin(kind, observation)?))
    }

    fn kind(&mut self) -> FaultKind {
        let mut drawn = self.random.below(self.total_weight());
        let hit = |rate: &&FaultRate| match drawn.checked_sub(rate.weight.into()) {
            Some(rest) => {
                drawn = rest;
                false
            }
            None => true,
        };
        self.settings.faults.iter().find(hit).expect("the draw is below the sum of the weights").kind
    }

    fn total_weight(&self) -> u64 {
        self.settings.faults.iter().map(|rate| u64::from(rate.weight)).sum()
    }

    /// Mostly as the settings say; now and then a second fault into the first, or a calm in
    /// which the ensemble gets some work done.
    fn gap(&mut self) -> Duration {
        match self.random.below(100) {
            0..15 => Duration(self.random.range(100..=20_000)),
            15..22 => self.settings.tick_time.times(self.settings.init_limit.into()),
            _ => Duration(self.random.between(self.settings.fault_gap_micros)),
        }
    }

    /// A span of so many percent of a tick.
    fn ticks_percent(&mut self, low: u64, high: u64) -> Duration {
        Duration(self.settings.tick_time.times(self.random.range(low..=high)).0 / 100)
    }

    /// Does this later. Where liveness is not expected it sometimes never happens.
    fn later(&mut self, at: Instant, faults: Vec<Fault>) {
        if !self.settings.liveness_expected && self.random.chance(150) {
            return;
        }
        self.scheduled += 1;
        self.later.insert((at, self.scheduled), (self.incidents.len() - 1, faults));
    }
}
