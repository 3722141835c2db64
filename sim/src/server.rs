//! One machine: its disk, its clocks, and the process on it, if one runs.

use std::collections::VecDeque;

use zabrus_core::io::Input;
use zabrus_core::storage::{DiskOperation, FileOperation, OperationId};
use zabrus_core::{Instant, Now, Replica, ServerId};

use crate::clock::Clock;
use crate::disk::Disk;
use crate::random::Random;
use crate::schedule::{Event, Index, Schedule};
use crate::settings::Settings;

/// One machine.
pub struct Server {
    pub(crate) id: ServerId,
    pub(crate) disk: Disk,
    pub(crate) clock: Clock,
    /// For the luck of the disk.
    pub(crate) disk_random: Random,
    /// For the entropy of replicas.
    pub(crate) seeds: Random,
    /// Numbers the processes on this machine.
    pub(crate) boot: u32,
    /// The disk was never taken away: if it is empty, that is as it should be.
    pub(crate) own_disk: bool,
    pub(crate) process: Option<Process>,
    /// A write may hit another file than it should, at any moment.
    pub(crate) misdirects: bool,
    pub(crate) why_down: Option<String>,
    /// The operation that was under way when the last process ended: its completion reaches the
    /// next one.
    pub(crate) orphan: Option<OperationId>,
    /// Processes in a row that ended by themselves soon after their start.
    pub(crate) quick_halts: u32,
    /// It was removed and switched off, until this moment.
    pub(crate) retired_until: Option<Instant>,
}

/// A running process.
pub(crate) struct Process {
    pub(crate) replica: Replica,
    pub(crate) started: Instant,
    pub(crate) paused: bool,
    /// What arrived while it was paused.
    pub(crate) inbox: VecDeque<Input>,
    /// When the live timer event comes; [`Instant::NEVER`] if there is none.
    timer: Instant,
    timer_generation: u32,
    /// Disk operations that are not done; the first is under way if the disk is busy.
    pub(crate) operations: VecDeque<DiskOperation>,
    pub(crate) disk_busy: bool,
    /// When, by its own clock, each server could last reach this one while it led (V7).
    pub(crate) reached: Vec<Instant>,
}

impl Server {
    /// A machine on which no process runs.
    pub(crate) fn new(id: ServerId, settings: &Settings, seed: u64) -> Self {
        let stream = |part: &str| Random::stream(seed, &format!("{part}/{id}"));
        Self {
            id,
            disk: Disk::new(settings.disk.clone()),
            clock: Clock::new(&settings.clock, &mut stream("clock")),
            disk_random: stream("disk"),
            seeds: stream("server"),
            boot: 0,
            own_disk: true,
            process: None,
            misdirects: false,
            why_down: None,
            orphan: None,
            quick_halts: 0,
            retired_until: None,
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> ServerId {
        self.id
    }

    /// Its replica, if its process runs, paused or not.
    #[must_use]
    pub fn replica(&self) -> Option<&Replica> {
        self.process.as_ref().map(|process| &process.replica)
    }

    /// Its disk.
    #[must_use]
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Its clocks at a moment of the world.
    #[must_use]
    pub fn clocks(&self, world: Instant) -> Now {
        self.clock.read(world)
    }

    /// Its process stands still.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.paused)
    }

    /// Disk operations that its process asked for and that are not carried out.
    pub fn pending_operations(&self) -> impl Iterator<Item = &FileOperation> {
        self.process.iter().flat_map(|process| &process.operations).map(|asked| &asked.operation)
    }

    /// Why no process runs, if it ended by itself or refused to start.
    #[must_use]
    pub fn why_down(&self) -> Option<&str> {
        self.why_down.as_deref()
    }

    /// Lets the disk begin with the next operation. A paused process does not ask.
    pub(crate) fn work_on_disk(&mut self, now: Instant, server: Index, schedule: &mut Schedule) {
        let Some(process) = &mut self.process else { return };
        if let Some(next) = process.operations.front().filter(|_| !process.disk_busy && !process.paused) {
            let latency = self.disk.latency(&next.operation, &mut self.disk_random);
            process.disk_busy = true;
            schedule.push(now + latency, Event::DiskDone { server, boot: self.boot });
        }
    }

    /// Sees to it that the deadline is not missed. One timer event is live at a time; one that
    /// comes too early sets the next.
    pub(crate) fn set_timer(&mut self, now: Instant, server: Index, schedule: &mut Schedule) {
        let Some(process) = &mut self.process else { return };
        let wanted = self.clock.world_time(process.replica.deadline()).max(now);
        if wanted < process.timer {
            process.timer = wanted;
            process.timer_generation += 1;
            schedule.push(wanted, Event::Timer { server, generation: process.timer_generation });
        }
    }

    /// Whether the timer event of this generation is the live one, which has come then.
    pub(crate) fn take_timer(&mut self, boot_generation: u32) -> bool {
        match &mut self.process {
            Some(process) if process.timer_generation == boot_generation => {
                process.timer = Instant::NEVER;
                true
            }
            _ => false,
        }
    }

    /// Whether the deadline has passed on this server's clock.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.process.as_ref().is_some_and(|p| p.replica.deadline() <= self.clock.read(now).monotonic)
    }
}

impl Process {
    /// A process that has just started. Timers of earlier processes stay without effect.
    pub(crate) fn new(replica: Replica, boot: u32, now: Instant) -> Self {
        Self {
            replica,
            started: now,
            paused: false,
            inbox: VecDeque::new(),
            timer: Instant::NEVER,
            timer_generation: boot << 24,
            operations: VecDeque::new(),
            disk_busy: false,
            reached: Vec::new(),
        }
    }
}
