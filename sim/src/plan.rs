//! Placeholder of the disk owner's module: a plan that only crashes and restarts.

use zabrus_core::{Duration, Instant};

use crate::fault::Fault;
use crate::random::Random;
use crate::world::World;

/// When which fault happens.
#[derive(Debug)]
pub struct Plan {
    random: Random,
    pending: Option<(Instant, Fault)>,
}

impl Plan {
    /// A plan for a run.
    #[must_use]
    pub const fn new(random: Random) -> Self {
        Self { random, pending: None }
    }

    /// The next fault and its moment, at or after now. Asked for again after each.
    pub fn next(&mut self, world: &World) -> Option<(Instant, Fault)> {
        if let Some(pending) = self.pending.take() {
            return Some(pending);
        }
        let settings = world.settings();
        if settings.faults.is_empty() {
            return None;
        }
        let servers: Vec<_> = world.servers().collect();
        let server = *self.random.pick(&servers);
        let at = world.now() + Duration(self.random.between(settings.fault_gap_micros));
        let back = at + Duration(self.random.between(settings.restart_micros));
        self.pending = Some((back, Fault::Start(server)));
        Some((
            at,
            if self.random.chance(500) { Fault::Crash(server) } else { Fault::PowerLoss([server].into()) },
        ))
    }
}
