//! What a leader knows of one learner, and how it synchronizes it (zab.md section 5).

use super::choose::{Choice, Method, choose};
use super::link::Link;
use super::server::Server;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::event::Event;
use crate::identity::{Epoch, Position, Zxid};
use crate::io::Output;
use crate::message::Message;
use crate::mutated;
use crate::state::StateSnapshot;
use crate::storage::{Entry, Standing};
use crate::time::Instant;

/// One learner at its leader. It lives as long as its link.
pub(super) struct Handler {
    pub(super) link: Link,
    /// It has no vote, or does not want to use it.
    pub(super) observer: bool,
    pub(super) stage: Stage,
    /// Its ACKEPOCH.
    pub(super) promise: Option<Promise>,
    /// Where each epoch ends in its log, newest first.
    pub(super) ends: Vec<Position>,
    /// It acknowledged NEWLEADER.
    pub(super) accepted: bool,
    /// It was sent UPTODATE.
    pub(super) welcomed: bool,
    /// Everything up to here is durable there, as far as this epoch goes.
    pub(super) acknowledged: Zxid,
    /// The newest ping that it answered.
    pub(super) pinged: u64,
    /// The number of its last request.
    pub(super) requests: u64,
    /// When its silence has lasted too long.
    pub(super) silence: Instant,
    /// When its oldest unacknowledged proposal has waited too long.
    pub(super) acknowledgement_due: Instant,
    /// The zxid whose acknowledgement is due then. A learner that acknowledges all the time, and always
    /// too late, is dropped as well (zab.md section 8).
    pub(super) acknowledgement_awaited: Zxid,
}

/// Where a learner is.
pub(super) enum Stage {
    /// It opened a link.
    Opened,
    /// It introduced itself.
    Introduced,
    /// It was sent LEADERINFO.
    Offered,
    /// It sent ACKEPOCH.
    Positioned,
    /// What it lacks is being read from the disk.
    Reading { token: u64 },
    /// It is being sent a snapshot.
    Receiving { label: Position, state: Box<StateSnapshot>, sent: u64, stored: u64, row: u8 },
    /// It is being sent transactions.
    Streaming(Box<Stream>),
    /// It was sent everything, and is sent everything new (`start_forwarding` in zab.md).
    Forwarding,
}

/// Transactions on their way to a learner that is not in the forwarding set yet.
pub(super) struct Stream {
    /// Those from the disk that are still to be sent, then memory goes on.
    read: VecDeque<Entry>,
    /// The last one that was sent, or what the learner has before the first.
    pub(super) sent: Zxid,
    /// Those that the learner has not made durable yet, with their bytes, and these summed up.
    under_way: VecDeque<(Zxid, u64)>,
    bytes: u64,
    /// How many may be under way.
    window: u64,
}

/// A learner's ACKEPOCH.
#[derive(Clone, Copy, Debug)]
pub(super) struct Promise {
    /// `None`: not to be counted.
    pub(super) current_epoch: Option<Epoch>,
    pub(super) last: Position,
    pub(super) standing: Standing,
}

impl Promise {
    /// How recent the learner is, if it is to be counted.
    pub(super) fn rank(&self) -> Option<(Epoch, Zxid)> {
        self.current_epoch.map(|epoch| self.standing.rank(epoch, self.last.zxid))
    }
}

/// Chunks of a snapshot that are under way at a time: enough to keep a disk busy, little enough
/// to let votes and pings through.
const CHUNKS_IN_FLIGHT: u64 = 4;

/// As many bytes of transactions as in so many chunks are under way at most. It begins with less, and grows
/// with what the learner stores: a learner must catch up with a leader that goes on, over a long line too.
const CHUNKS_OF_TRANSACTIONS: u64 = 64;

impl Handler {
    pub(super) fn new(link: Link, silence: Instant) -> Self {
        Self {
            link,
            observer: false,
            stage: Stage::Opened,
            promise: None,
            ends: Vec::new(),
            accepted: false,
            welcomed: false,
            acknowledged: Zxid::ZERO,
            pinged: 0,
            requests: 0,
            silence,
            acknowledgement_awaited: Zxid::ZERO,
            acknowledgement_due: Instant::NEVER,
        }
    }

    pub(super) fn send(&mut self, server: &mut Server, message: Message) {
        self.link.send(&mut server.outputs, message);
    }

    /// Sends what memory holds after `previous`, up to `last`: an observer is told that it is committed.
    pub(super) fn send_entries(&mut self, server: &mut Server, epoch: Epoch, mut previous: Zxid, last: Zxid) {
        let entries = server.storage.entries_after(previous);
        for entry in entries.take_while(|entry| entry.position.zxid <= last) {
            let (zxid, payload) = (entry.position.zxid, entry.payload.clone());
            let message = if self.observer {
                Message::Inform { epoch, previous, zxid, payload }
            } else {
                Message::Proposal { epoch, previous, zxid, payload }
            };
            self.link.send(&mut server.outputs, message);
            previous = zxid;
        }
    }

    pub(super) fn is_forwarding(&self) -> bool {
        matches!(self.stage, Stage::Forwarding)
    }

    /// Whether its acknowledgements count in a quorum: of voters only (ZOOKEEPER-2959), and not of
    /// one that forgot what it promised (ZOOKEEPER-2325). Weight and membership are the ensemble's
    /// business.
    pub(super) fn is_counted(&self) -> bool {
        !self.observer && self.has_memory()
    }

    /// It has not forgotten what it once promised.
    pub(super) fn has_memory(&self) -> bool {
        self.promise.is_some_and(|promise| promise.standing != Standing::Blank)
    }

    /// The oldest entry after which this learner still needs everything from memory.
    pub(super) fn pin(&self, base: Zxid) -> Option<Zxid> {
        match &self.stage {
            Stage::Receiving { label, .. } => Some(label.zxid),
            Stage::Reading { .. } => Some(base),
            Stage::Streaming(stream) => {
                Some(stream.read.back().map_or(stream.sent, |last| last.position.zxid))
            }
            _ => None,
        }
    }

    /// Decides how to synchronize this learner and begins.
    pub(super) fn synchronize(&mut self, server: &mut Server, epoch: Epoch, end: Position, token: u64) {
        let Some(promise) = self.promise else { return };
        let limit =
            server.storage.snapshot_bytes().saturating_mul(u64::from(server.config.disk_sync_percent)) / 100;
        let Choice { row, method } = choose(&server.storage, end, promise.last, &self.ends, limit > 0);
        if let Method::Diff(common) | Method::Trunc(common) = method {
            // One that had a vote keeps what is in flight, and is sent the rest as those are that have one.
            self.observer &= common.zxid <= end.zxid || mutated!(Z11);
        }
        match method {
            Method::Diff(base) => {
                self.send(server, Message::Diff { epoch, base, end: end.zxid });
                self.report(server, Choice { row, method }, end, base.zxid, 0);
                self.stream(server, epoch, base.zxid, VecDeque::new(), end);
            }
            Method::Trunc(to) => {
                self.send(server, Message::Trunc { epoch, to });
                self.report(server, Choice { row, method }, end, to.zxid, 0);
                self.stream(server, epoch, to.zxid, VecDeque::new(), end);
            }
            Method::ReadLog => {
                let base = server.storage.base().zxid;
                server.storage.read_log(token, promise.last, base, limit);
                self.stage = Stage::Reading { token };
            }
            Method::Snap => self.send_snapshot(server, epoch, end, row),
        }
    }

    /// The disk log was read, or does not hold what is needed.
    pub(super) fn log_read(
        &mut self,
        server: &mut Server,
        epoch: Epoch,
        end: Position,
        entries: Option<&[Entry]>,
    ) {
        let Some(promise) = self.promise else { return };
        let from = promise.last;
        let entries = match entries {
            // The stream must reach what memory holds (ZOOKEEPER-2418).
            Some(entries)
                if entries.last().is_some_and(|last| {
                    server.storage.position_at(last.position.zxid) == Some(last.position) || mutated!(M18)
                }) =>
            {
                entries
            }
            _ => return self.send_snapshot(server, epoch, end, 5),
        };
        self.send(server, Message::Diff { epoch, base: from, end: end.zxid });
        let choice = Choice { row: 4, method: Method::ReadLog };
        let after = entries.last().map_or(from, |entry| entry.position);
        self.report(server, choice, end, after.zxid, entries.len() as u64);
        self.stream(server, epoch, from.zxid, entries.iter().cloned().collect(), end);
    }

    fn send_snapshot(&mut self, server: &mut Server, epoch: Epoch, end: Position, row: u8) {
        // The label is what is applied, so it may lie below the end; the rest follows as proposals.
        let label = if mutated!(M16) { server.storage.last() } else { server.applied };
        let state = Box::new(server.state.snapshot());
        self.send(server, Message::Snap { epoch, label });
        self.stage = Stage::Receiving { label, state, sent: 0, stored: 0, row };
        self.send_chunks(server, epoch, end);
    }

    /// The learner stored a chunk.
    pub(super) fn chunk_stored(&mut self, server: &mut Server, epoch: Epoch, index: u64, end: Position) {
        if let Stage::Receiving { stored, .. } = &mut self.stage {
            *stored = (*stored).max(index.saturating_add(1));
            self.send_chunks(server, epoch, end);
        }
    }

    /// Sends as many chunks as may be under way. What follows the snapshot is sent right behind
    /// its last chunk (ZOOKEEPER-3104).
    fn send_chunks(&mut self, server: &mut Server, epoch: Epoch, end: Position) {
        let limit = server.config.chunk_bytes;
        let Stage::Receiving { label, state, sent, stored, row } = &mut self.stage else { return };
        let (label, row) = (*label, *row);
        let mut complete = false;
        while !complete && *sent < stored.saturating_add(CHUNKS_IN_FLIGHT) {
            let Some((chunk, last)) = state.next_chunk(limit) else { break };
            let (index, bytes) = (*sent, alloc::sync::Arc::from(chunk));
            *sent += 1;
            complete = last;
            let message = Message::SnapChunk { epoch, label: label.zxid, index, bytes, last };
            self.link.send(&mut server.outputs, message);
        }
        if complete {
            self.report(server, Choice { row, method: Method::Snap }, end, label.zxid, 0);
            self.stream(server, epoch, label.zxid, VecDeque::new(), end);
        }
    }

    /// `after` is where memory continues, `read` how many transactions came from the disk before.
    fn report(&self, server: &mut Server, choice: Choice, end: Position, after: Zxid, read: u64) {
        let outstanding = server.storage.entries_after(end.zxid).len() as u64;
        let transactions =
            (read + server.storage.entries_after(after).len() as u64).saturating_sub(outstanding);
        let (action, learner) = (choice.action(end.zxid), self.link.peer);
        let from = self.promise.map_or(Zxid::ZERO, |promise| promise.last.zxid);
        server.emit(Event::SyncChosen { learner, row: choice.row, action, from, transactions, outstanding });
    }

    /// Begins to send everything after `from`: first what was read from the disk.
    fn stream(
        &mut self,
        server: &mut Server,
        epoch: Epoch,
        from: Zxid,
        read: VecDeque<Entry>,
        end: Position,
    ) {
        let window = CHUNKS_IN_FLIGHT.saturating_mul(server.config.chunk_bytes as u64);
        let stream = Stream { read, sent: from, under_way: VecDeque::new(), bytes: 0, window };
        self.stage = Stage::Streaming(Box::new(stream));
        self.send_transactions(server, epoch, end);
    }

    /// The learner made transactions durable.
    pub(super) fn transactions_stored(
        &mut self,
        server: &mut Server,
        epoch: Epoch,
        upto: Zxid,
        end: Position,
    ) {
        let limit = CHUNKS_OF_TRANSACTIONS.saturating_mul(server.config.chunk_bytes as u64);
        if let Stage::Streaming(stream) = &mut self.stage {
            while let Some((_, bytes)) = stream.under_way.pop_front_if(|(zxid, _)| *zxid <= upto) {
                stream.bytes -= bytes;
                stream.window = (stream.window + bytes).min(limit);
            }
            self.send_transactions(server, epoch, end);
        }
    }

    /// Sends as many transactions as may be under way. Behind the last one NEWLEADER and the entry into
    /// the forwarding set are one step: nothing can be proposed or committed in between (zab.md section
    /// 5.1, ZOOKEEPER-962). Observers get no proposals in flight.
    fn send_transactions(&mut self, server: &mut Server, epoch: Epoch, end: Position) {
        let Stage::Streaming(stream) = &mut self.stage else { return };
        let Stream { read, sent, under_way, bytes, window } = &mut **stream;
        let first = read.back().map_or(*sent, |last| last.position.zxid);
        let mut memory = server.storage.entries_after(first);
        while let Some(entry) = read.front().or_else(|| memory.next()).cloned() {
            let (zxid, previous) = (entry.position.zxid, *sent);
            if zxid > end.zxid && (self.observer || mutated!(M29)) {
                break;
            }
            if *bytes >= *window {
                let learner = self.link.peer;
                server.outputs.push_back(Output::Event(Event::SyncPaused { learner, sent: previous }));
                return;
            }
            read.pop_front();
            #[cfg(feature = "mutants")]
            if server.planted.window_holes.contains(&zxid) {
                continue;
            }
            let length = entry.payload.len() as u64;
            under_way.push_back((zxid, length));
            *bytes += length;
            *sent = zxid;
            let message = Message::Proposal { epoch, previous, zxid, payload: entry.payload };
            self.link.send(&mut server.outputs, message);
        }
        // Everything up to the end that was just sent is committed if a leader of this epoch ever
        // serves; COMMIT says what already is.
        let committed = server.committed;
        self.link.send(&mut server.outputs, Message::Commit { epoch, zxid: committed });
        self.link.send(&mut server.outputs, Message::NewLeader { epoch, end });
        self.stage = Stage::Forwarding;
    }
}
