//! From a kind of fault to concrete faults: whom it hits, how long it lasts.

use zabrus_core::{Duration, Instant, ServerId};

use super::{Observation, Plan, partition};
use crate::fault::{DiskFault, Failing, Fault, FaultKind, Shape};

/// Whether this kind shows most while a disk is being written.
pub(super) const fn wants_writes(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::Crash | FaultKind::Outage | FaultKind::PowerLoss)
}

impl Plan {
    /// Begins a fault of this kind and schedules its end. `None` if nobody can suffer it now.
    pub(super) fn begin(&mut self, kind: FaultKind, observation: &Observation) -> Option<Vec<Fault>> {
        if let Some(shape) = shape_of(kind) {
            return self.partition(shape, observation);
        }
        match kind {
            FaultKind::Crash => self.stop(kind, observation, Fault::Crash),
            FaultKind::Outage => self.stop(kind, observation, Fault::Outage),
            FaultKind::Wipe => self.stop(kind, observation, Fault::Wipe),
            FaultKind::PowerLoss => self.power_loss(observation),
            FaultKind::SwapDisks => self.swap(observation),
            FaultKind::Pause => {
                let server = self.victim(kind, observation, true)?;
                let lasting = self.ticks_percent(10, 800);
                self.later(observation.now + lasting, vec![Fault::Resume(server)]);
                Some(vec![Fault::Pause(server)])
            }
            FaultKind::BreakLink => {
                let (one, other) = self.pair(observation)?;
                Some(vec![Fault::BreakLink(one, other)])
            }
            FaultKind::Clog => self.clog(observation),
            FaultKind::WallJump => {
                let server = self.victim(kind, observation, false)?;
                let size = *self.random.pick(&[100, 5_000, 3_600_000, 86_400_000]);
                let millis = self.random.range(0..=2 * size) as i64 - size as i64;
                Some(vec![Fault::WallJump { server, millis }])
            }
            FaultKind::Drift => {
                let server = self.victim(kind, observation, false)?;
                let size = *self.random.pick(&[200, 5_000, 50_000]);
                let per_million = self.random.range(0..=2 * size) as i32 - size as i32;
                Some(vec![Fault::Drift { server, per_million }])
            }
            FaultKind::Elect => Some(self.election(observation)),
            _ => self.disk(kind, observation),
        }
    }

    /// Tells everybody to take the same leader, or each another one.
    pub(super) fn election(&mut self, observation: &Observation) -> Vec<Fault> {
        let up: Vec<ServerId> =
            observation.servers.iter().filter(|(_, server)| server.up).map(|(id, _)| *id).collect();
        let may_lead = |id: &ServerId| observation.ensembles.iter().any(|ensemble| ensemble.may_lead(*id));
        let voters: Vec<ServerId> = up.iter().copied().filter(may_lead).collect();
        if voters.is_empty() {
            return Vec::new();
        }
        let common = *self.random.pick(&voters);
        let agree = self.random.chance(800);
        let choose = |server| {
            let leader = if agree { common } else { *self.random.pick(&voters) };
            Fault::Elect { server, leader }
        };
        up.into_iter().map(choose).collect()
    }

    /// Ends a process, and starts it again later.
    fn stop(
        &mut self,
        kind: FaultKind,
        observation: &Observation,
        fault: fn(ServerId) -> Fault,
    ) -> Option<Vec<Fault>> {
        let server = self.victim(kind, observation, kind != FaultKind::Wipe)?;
        let downtime =
            if kind == FaultKind::Outage { self.ticks_percent(500, 1_500) } else { self.downtime() };
        self.later(observation.now + downtime, vec![Fault::Start(server)]);
        Some(vec![fault(server)])
    }

    fn power_loss(&mut self, observation: &Observation) -> Option<Vec<Fault>> {
        let mut servers: Vec<ServerId> = observation.servers.keys().copied().collect();
        self.random.shuffle(&mut servers);
        let hit = match self.random.below(4) {
            0 => servers.len(),
            1 => self.random.range(1..=servers.len() as u64) as usize,
            _ => 1,
        };
        if hit == 1 {
            servers[0] = self.victim(FaultKind::PowerLoss, observation, true)?;
        }
        servers.truncate(hit);
        if !self.budget.allows(FaultKind::PowerLoss, &servers.iter().copied().collect(), observation) {
            return None;
        }
        let together = self.random.chance(300).then(|| self.downtime());
        for server in &servers {
            let downtime = together.unwrap_or_else(|| self.downtime());
            self.later(observation.now + downtime, vec![Fault::Start(*server)]);
        }
        Some(vec![Fault::PowerLoss(servers.into_iter().collect())])
    }

    /// Puts two disks into each other's machines, and back later.
    fn swap(&mut self, observation: &Observation) -> Option<Vec<Fault>> {
        let one = self.victim(FaultKind::SwapDisks, observation, false)?;
        let other = self.victim(FaultKind::SwapDisks, observation, false).filter(|other| *other != one)?;
        if !self.budget.allows(FaultKind::SwapDisks, &[one, other].into(), observation) {
            return None;
        }
        let power_loss = Fault::PowerLoss([one, other].into());
        let swap = Fault::SwapDisks(one, other);
        let starts = [Fault::Start(one), Fault::Start(other)];
        let lasting = self.ticks_percent(50, 500);
        let back = observation.now + lasting;
        let downtime = self.downtime();
        self.later(observation.now + downtime.min(lasting), starts.to_vec());
        let swap_back = [vec![power_loss.clone(), swap.clone()], starts.to_vec()].concat();
        self.later(back, swap_back);
        Some(vec![power_loss, swap])
    }

    fn partition(&mut self, shape: Shape, observation: &Observation) -> Option<Vec<Fault>> {
        let servers: Vec<ServerId> = observation.servers.keys().copied().collect();
        let stages = partition::stages(shape, &servers, observation.leader, &mut self.random)?;
        let mut at = observation.now;
        let mut before = Vec::new();
        let mut now = None;
        for blocked in stages.into_iter().chain([Vec::new()]) {
            let mut faults = Vec::new();
            if !before.is_empty() {
                faults.push(Fault::Unblock(before));
            }
            if !blocked.is_empty() {
                faults.push(Fault::Partition { shape, blocked: blocked.clone() });
            }
            before = blocked;
            match now {
                None => now = Some(faults),
                Some(_) => self.later(at, faults),
            }
            at += match shape {
                Shape::Flapping | Shape::Swizzle => self.ticks_percent(5, 200),
                _ => self.ticks_percent(20, 100 * u64::from(self.settings.sync_limit + 3)),
            };
        }
        now
    }

    /// A link is slow, or becomes slower and slower.
    fn clog(&mut self, observation: &Observation) -> Option<Vec<Fault>> {
        let (from, to) = self.pair(observation)?;
        // With a longer syncLimit the faulty time is too short for it.
        if self.settings.sync_limit <= 3 && self.random.chance(500) {
            return Some(self.creep(observation.now, from, to));
        }
        let extra = self.ticks_percent(1, 100 * u64::from(self.settings.sync_limit));
        let lasting = self.ticks_percent(20, 800);
        self.later(observation.now + lasting, vec![Fault::Clog { from, to, extra: Duration::ZERO }]);
        Some(vec![Fault::Clog { from, to, extra }])
    }

    /// Within some ticks a link becomes slower than a follower may be (V12), and never so much at once that anybody
    /// seems to be silent: whoever waits for a sign of life gets one in time.
    fn creep(&mut self, begin: Instant, from: ServerId, to: ServerId) -> Vec<Fault> {
        let step = Duration(self.settings.tick_time.0 / 2);
        let steps = 2 * u64::from(self.settings.sync_limit) + 5;
        let clog = |extra| vec![Fault::Clog { from, to, extra }];
        for count in 2..=steps {
            self.later(begin + step.times(count - 1), clog(self.settings.tick_time.times(count)));
        }
        let lasting = self.ticks_percent(100 * steps, 200 * steps);
        self.later(begin + step.times(steps) + lasting, clog(Duration::ZERO));
        clog(self.settings.tick_time)
    }

    fn disk(&mut self, kind: FaultKind, observation: &Observation) -> Option<Vec<Fault>> {
        let server = self.victim(kind, observation, !kind.damages())?;
        let files = ["", "log", "log", "snapshot", "epochs"];
        let file = (*self.random.pick(&files)).to_owned();
        let fault = match kind {
            FaultKind::BitRot => DiskFault::BitRot { file },
            FaultKind::BadSector => DiskFault::BadSector { file },
            FaultKind::MisdirectedWrite => DiskFault::MisdirectedWrite,
            FaultKind::WriteError => DiskFault::WriteErrors(Failing::Once),
            FaultKind::WriteErrors => DiskFault::WriteErrors(Failing::ForGood),
            FaultKind::SyncError => DiskFault::SyncErrors(Failing::Once),
            FaultKind::SyncErrors => DiskFault::SyncErrors(Failing::ForGood),
            FaultKind::ReadError => DiskFault::ReadErrors(Failing::Once),
            FaultKind::DiskFull => DiskFault::Full,
            FaultKind::DiskStall => DiskFault::Stall(self.ticks_percent(10, 800)),
            FaultKind::SlowDisk => DiskFault::Slow(self.random.range(2..=50) as u32),
            _ => return None,
        };
        let repair = Fault::Disk { server, fault: DiskFault::Repair };
        if kind.damages() {
            // Damage shows when the server has to read what it wrote.
            let power_loss = observation.now + self.ticks_percent(0, 300);
            self.later(power_loss, vec![repair, Fault::PowerLoss([server].into())]);
            let start = power_loss + self.downtime();
            self.later(start, vec![Fault::Start(server)]);
        } else {
            let lasting = self.ticks_percent(50, 1_000);
            self.later(observation.now + lasting, vec![repair, Fault::Start(server)]);
        }
        Some(vec![Fault::Disk { server, fault }])
    }

    /// Whom a fault of this kind hits: rather a server that writes, or the leader.
    fn victim(&mut self, kind: FaultKind, observation: &Observation, up: bool) -> Option<ServerId> {
        let may = |id: ServerId| {
            let server = &observation.servers[&id];
            (server.up || !up)
                && (server.has_epochs || kind != FaultKind::SwapDisks)
                && self.budget.allows(kind, &[id].into(), observation)
        };
        let candidates: Vec<ServerId> = observation.servers.keys().copied().filter(|id| may(*id)).collect();
        let writing: Vec<ServerId> =
            candidates.iter().copied().filter(|id| observation.servers[id].writing).collect();
        if let Some(leader) = observation.leader.filter(|leader| candidates.contains(leader))
            && self.random.chance(250)
        {
            return Some(leader);
        }
        let preferred = if !writing.is_empty() && self.random.chance(700) { writing } else { candidates };
        (!preferred.is_empty()).then(|| *self.random.pick(&preferred))
    }

    fn pair(&mut self, observation: &Observation) -> Option<(ServerId, ServerId)> {
        let mut servers: Vec<ServerId> = observation.servers.keys().copied().collect();
        self.random.shuffle(&mut servers);
        (servers.len() >= 2).then(|| (servers[0], servers[1]))
    }

    /// Until a server is started again: at once, soon, or after the others went on without it.
    fn downtime(&mut self) -> Duration {
        match self.random.below(4) {
            0 => Duration(self.random.range(1_000..=100_000)),
            1 | 2 => self.ticks_percent(10, 200),
            _ => self.ticks_percent(200, 600),
        }
    }
}

fn shape_of(kind: FaultKind) -> Option<Shape> {
    const SHAPES: [Shape; 10] = [
        Shape::Halves,
        Shape::Uneven,
        Shape::IsolateOne,
        Shape::IsolateLeader,
        Shape::LeaderInMinority,
        Shape::Bridge,
        Shape::Ring,
        Shape::OneWay,
        Shape::Flapping,
        Shape::Swizzle,
    ];
    SHAPES.into_iter().find(|shape| shape.kind() == kind)
}
