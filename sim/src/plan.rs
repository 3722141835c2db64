//! Placeholder of the disk owner's module: a plan that only crashes and restarts.

use std::collections::BTreeMap;

use zabrus_core::{Duration, Instant, ServerId};

use crate::fault::{DiskFault, Fault};
use crate::random::Random;
use crate::settings::Settings;

/// What the plan may know of the world at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The time.
    pub now: Instant,
    /// A server that leads, the one of the highest epoch if there are several.
    pub leader: Option<ServerId>,
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
}

/// The adversary of one run.
#[derive(Debug)]
pub struct Plan {
    random: Random,
    settings: Settings,
    due: Instant,
    starts: Vec<ServerId>,
}

impl Plan {
    /// The adversary of a run that begins at the time 0.
    #[must_use]
    pub fn new(settings: &Settings, mut random: Random) -> Self {
        let due = match settings.faults.is_empty() {
            true => Instant::NEVER,
            false => Instant(random.between(settings.fault_gap_micros)),
        };
        Self { random, settings: settings.clone(), due, starts: Vec::new() }
    }

    /// When [`Plan::step`] is wanted.
    #[must_use]
    pub fn due(&self) -> Instant {
        self.due
    }

    /// The faults of this moment, to be applied in order.
    pub fn step(&mut self, observation: &Observation) -> Vec<Fault> {
        let servers: Vec<ServerId> = observation.servers.keys().copied().collect();
        self.due = observation.now + Duration(self.random.between(self.settings.fault_gap_micros));
        if !self.starts.is_empty() {
            return self.starts.drain(..).map(Fault::Start).collect();
        }
        let server = *self.random.pick(&servers);
        let other = *self.random.pick(&servers);
        self.starts.push(server);
        vec![match self.random.below(6) {
            0 => Fault::Crash(server),
            1 => Fault::PowerLoss([server].into()),
            2 => Fault::PowerLoss(servers.iter().copied().inspect(|id| self.starts.push(*id)).collect()),
            3 => Fault::Block(vec![(server, other)]),
            4 => Fault::BreakLink(server, other),
            _ => Fault::Heal,
        }]
    }

    /// Everything that makes the world well again.
    pub fn heal(&mut self) -> Vec<Fault> {
        let mut faults = vec![Fault::Heal];
        for server in self.settings.ensemble.members.keys() {
            faults.push(Fault::Disk { server: *server, fault: DiskFault::Repair });
            faults.push(Fault::Resume(*server));
            faults.push(Fault::Start(*server));
        }
        faults
    }
}
