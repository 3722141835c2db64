//! What drives one replica, exactly as the core's contract says: one input, then everything that
//! it wants done, in order.

use zabrus_core::event::Role;
use zabrus_core::io::{Input, Output};
use zabrus_core::storage::{DiskCompletion, FileOperation, recover};
use zabrus_core::{Bytes, Duration, Replica, ServerId};

use super::World;
use crate::checks::v07_minority_leader;
use crate::ghost::counted;
use crate::schedule::{Event, Index};
use crate::server::Process;
use crate::violation::Violation;

/// A process that ran longer than this has done something before it gave up.
const PATIENCE: Duration = Duration::from_seconds(30);

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The process alone.
    Process,
    /// The machine lost its power.
    Machine,
}

impl World {
    /// Starts the process of a server, if none runs. If it cannot use its disk, it stays down and
    /// says why.
    pub(super) fn start(&mut self, at: Index) -> Result<(), Violation> {
        let Self { now, servers, ghost, settings, .. } = self;
        let server = &mut servers[usize::from(at)];
        if server.process.is_some() || server.retired_until.is_some() {
            return Ok(());
        }
        server.boot += 1;
        let config = settings.config(server.id, server.own_disk);
        let recovered = match recover(&config, &server.disk.view()) {
            Ok(recovered) => recovered,
            Err(error) => {
                let why = format!("refuses to start: {error:?}");
                // Only a disk that lost something, or is another's, is a reason (invariants.md V9).
                let is_excused = server.disk.is_damaged() || !server.own_disk;
                server.why_down = is_excused.then(|| why.clone());
                self.trace.note(*now, Some(server.id), why);
                return Ok(());
            }
        };
        ghost.recovered(server.id, &server.disk, &recovered)?;
        let replica = Replica::new(config, recovered, server.seeds.seed32(), server.clock.read(*now));
        ghost.booted(server.id, &replica)?;
        server.process = Some(Process::new(replica, server.boot, *now));
        server.why_down = None;
        self.trace.note(*now, Some(server.id), "starts");
        self.up.push(at);
        self.up.sort_unstable();
        self.network.started(*now, at, &mut self.schedule);
        self.drain(at)
    }

    /// Ends the process of a server, if one runs. What it asked of its disk and is not carried
    /// out never will be, except perhaps the operation under way.
    pub(super) fn stop(&mut self, at: Index, end: End) -> Result<(), Violation> {
        let Self { now, servers, ghost, .. } = self;
        let server = &mut servers[usize::from(at)];
        let process = server.process.take();
        self.up.retain(|up| *up != at);
        let under_way = process.as_ref().filter(|p| p.disk_busy).and_then(|p| p.operations.front());
        server.orphan = under_way.map(|asked| asked.id).or(server.orphan);
        if let Some(asked) = under_way
            && server.disk_random.chance(500)
        {
            // Nobody is left to hear how it went.
            let result = server.disk.apply(&asked.operation, &mut server.disk_random);
            if is_sync(&asked.operation) {
                ghost.durable(server.id, &asked.operation, result.is_err(), &server.disk)?;
            }
            if server.misdirects && matches!(asked.operation, FileOperation::Write { .. }) {
                ghost.damaged(server.id, &server.disk, server.own_disk)?;
            }
        }
        server.misdirects = false;
        match end {
            End::Process => server.disk.process_crash(),
            End::Machine => {
                server.disk.power_loss(&mut server.disk_random);
            }
        }
        if process.is_some() {
            self.network.stopped(*now, at, end == End::Machine, &mut self.schedule);
            self.clients.server_stopped(*now, at, &mut self.schedule);
        }
        ghost.crashed(server.id, &server.disk)
    }

    /// Gives a replica an input, now or when it goes on.
    pub(super) fn feed(&mut self, at: Index, input: Input) -> Result<(), Violation> {
        let Self { now, ids, servers, network, ghost, trace, .. } = self;
        let server = &mut servers[usize::from(at)];
        let Some(process) = &mut server.process else { return Ok(()) };
        if process.paused {
            process.inbox.push_back(input);
            return Ok(());
        }
        if let Input::Frame { peer, .. } = &input
            && let Ok(from) = ids.binary_search(peer)
            && network.is_blocked(from as Index, at)
        {
            // It arrived before, and was waiting here.
            if let Some(reached) = process.reached.get_mut(from) {
                *reached = server.clock.read(*now).monotonic;
            }
        }
        // What time causes must not look as if a stale input did (Y12).
        let time = server.clock.read(*now);
        if process.replica.deadline() <= time.monotonic && ghost.is_stale(server.id, &input) {
            self.feed(at, Input::Tick)?;
            return self.feed(at, input);
        }
        trace.input(*now, at, &input);
        ghost.input(server.id, &input);
        process.replica.handle(time, input);
        self.drain(at)
    }

    /// Does everything that a replica wants done.
    fn drain(&mut self, at: Index) -> Result<(), Violation> {
        let Self { now, ids, servers, network, clients, schedule, ghost, trace, .. } = self;
        let now = *now;
        let index = |id| ids.binary_search(&id).ok().map(|index| index as Index);
        let server = &mut servers[usize::from(at)];
        let Some(process) = &mut server.process else { return Ok(()) };
        let mut halted = None;
        while let Some(output) = process.replica.poll() {
            ghost.output(server.id, &output, &process.replica)?;
            match output {
                Output::Send { peer, connection, frame } => {
                    if let Some(to) = index(peer) {
                        network.send(now, (at, to), connection, frame.encode().into(), schedule);
                    }
                }
                Output::Disconnect { peer, connection } => {
                    if let Some(peer) = index(peer) {
                        network.close(now, at, peer, connection, schedule);
                    }
                }
                Output::Disk(operation) => process.operations.push_back(operation),
                Output::ClientFrame { client, bytes } => clients.reply(now, client, Some(bytes), schedule),
                Output::ClientClose { client } => clients.reply(now, client, None, schedule),
                Output::ClientPause { client } => clients.pause(now, client, true, schedule),
                Output::ClientResume { client } => clients.pause(now, client, false, schedule),
                // The connections stay: servers ignore who is no member.
                Output::Members(_) | Output::Peers(_) => {}
                Output::Event(event) => trace.event(now, at, || process.replica.status(), event),
                Output::Halt { reason } => halted = Some(reason),
            }
        }
        let own = server.clock.read(now).monotonic;
        ghost.stepped(server.id, own, &process.replica)?;
        if let Some(news) = ghost.take_news() {
            trace.note(now, None, news);
        }
        let status = process.replica.status();
        let reached = |member: ServerId| {
            member == server.id || index(member).is_some_and(|from| !network.is_blocked(from, at))
        };
        if status.role == Role::Leading && status.serving {
            process.reached.resize(ids.len(), own);
            for (member, last) in ids.iter().zip(&mut process.reached) {
                if reached(*member) {
                    *last = own;
                }
            }
            let reached: Vec<_> = ids.iter().copied().zip(process.reached.iter().copied()).collect();
            let heard = v07_minority_leader::last_quorum(&counted(&process.replica), &reached).unwrap_or(own);
            if heard < own {
                ghost.cut_off(server.id, own.since(heard))?;
            }
        } else {
            process.reached.clear();
        }
        server.work_on_disk(now, at, schedule);
        server.set_timer(now, at, schedule);
        halted.map_or(Ok(()), |reason| self.halt(at, reason))
    }

    /// A replica gave up: its process ends, and another starts after a while, which is longer each
    /// time if that does not help.
    fn halt(&mut self, at: Index, reason: String) -> Result<(), Violation> {
        let now = self.now;
        self.trace.note(now, Some(self.ids[usize::from(at)]), format!("halts: {reason}"));
        let started = self.at(at).process.as_ref().map_or(now, |process| process.started);
        self.stop(at, End::Process)?;
        let server = self.at(at);
        server.why_down = Some(reason);
        server.quick_halts = if now.since(started) > PATIENCE { 0 } else { server.quick_halts + 1 };
        let (boot, doublings) = (server.boot, server.quick_halts.min(6));
        let delay = Duration(self.random.between(self.settings.restart_micros) << doublings);
        self.schedule.push(now + delay, Event::Restart { server: at, boot });
        Ok(())
    }

    pub(super) fn timer(&mut self, at: Index, generation: u32) -> Result<(), Violation> {
        let now = self.now;
        let Self { servers, schedule, .. } = self;
        let server = &mut servers[usize::from(at)];
        if !server.take_timer(generation) {
            return Ok(());
        }
        if !server.is_due(now) {
            server.set_timer(now, at, schedule);
            return Ok(());
        }
        self.feed(at, Input::Tick)?;
        let server = self.at(at);
        assert!(
            server.is_paused() || !server.is_due(now),
            "a tick moves the deadline of server {}",
            server.id
        );
        Ok(())
    }

    pub(super) fn disk_done(&mut self, at: Index, boot: u32) -> Result<(), Violation> {
        let Self { now, servers, ghost, schedule, .. } = self;
        let server = &mut servers[usize::from(at)];
        if server.boot != boot {
            return Ok(());
        }
        let Some(process) = &mut server.process else { return Ok(()) };
        let Some(asked) = process.operations.pop_front() else { return Ok(()) };
        process.disk_busy = false;
        let result = server.disk.apply(&asked.operation, &mut server.disk_random);
        // A sync that fails may have made a part durable.
        if is_sync(&asked.operation) {
            ghost.durable(server.id, &asked.operation, result.is_err(), &server.disk)?;
        }
        server.work_on_disk(*now, at, schedule);
        if server.misdirects && matches!(asked.operation, FileOperation::Write { .. }) {
            self.damaged(at)?;
        }
        if let Some(id) = self.at(at).orphan.take() {
            // Whoever asked for it is gone: nothing may come of it (R12).
            self.feed(at, Input::Disk(DiskCompletion { id, result: Ok(Bytes::from([])) }))?;
        }
        self.feed(at, Input::Disk(DiskCompletion { id: asked.id, result }))
    }

    /// A process stands still; its disk finishes what is under way.
    pub(super) fn pause(&mut self, at: Index) {
        if let Some(process) = &mut self.at(at).process {
            process.paused = true;
        }
    }

    /// A process goes on with everything that came in meanwhile.
    pub(super) fn resume(&mut self, at: Index) -> Result<(), Violation> {
        let now = self.now;
        let Some(process) = self.at(at).process.as_mut().filter(|process| process.paused) else {
            return Ok(());
        };
        process.paused = false;
        let inbox = std::mem::take(&mut process.inbox);
        for input in inbox {
            self.feed(at, input)?;
        }
        let Self { servers, schedule, .. } = self;
        servers[usize::from(at)].work_on_disk(now, at, schedule);
        servers[usize::from(at)].set_timer(now, at, schedule);
        Ok(())
    }
}

fn is_sync(operation: &FileOperation) -> bool {
    matches!(operation, FileOperation::Sync { .. } | FileOperation::SyncDirectory)
}
