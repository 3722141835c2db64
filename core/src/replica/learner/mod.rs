//! The role of a follower or an observer (zab.md sections 4, 5.2 and 6).
//!
//! Messages of the leader are handled strictly in order. One that needs the disk blocks those
//! behind it while the server is being synchronized, so that no acknowledgement can overtake the
//! write that it promises.

mod broadcast;
mod discovery;
mod synchronization;

use alloc::collections::VecDeque;

use super::Step;
use super::link::{Arrival, Link};
use super::server::Server;
use crate::event::{Departure, Event, Phase, Role};
use crate::identity::{Epoch, Position, ServerId, Zxid};
use crate::io::{ConnectionId, Output};
use crate::message::{Frame, LinkIncarnation, Message};
use crate::mutated;
use crate::storage::StorageEvent;
use crate::time::{Duration, Instant};

/// A server that has a leader, or tries to reach it.
pub(super) struct Learner {
    pub(super) leader: ServerId,
    observer: bool,
    stage: Stage,
    /// The epoch that the leader offered.
    pub(super) epoch: Option<Epoch>,
    /// When the silence of the leader has lasted too long.
    silence: Instant,
    /// Messages behind one that waits for the disk.
    inbox: VecDeque<Message>,
    /// Everything up to here has been acknowledged to the leader.
    acknowledged: Zxid,
    /// The leader says that everything up to here is committed; the log may be shorter still.
    committed: Zxid,
    requests: u64,
    link: Connection,
    /// A request that waits to be overtaken (M128).
    #[cfg(feature = "mutants")]
    held: Option<crate::prepare::WriteRequest>,
}

/// The link to the leader.
enum Connection {
    /// The link was asked for; it is asked for again at `again`.
    Opening { incarnation: LinkIncarnation, again: Instant, give_up: Instant },
    /// The link is open.
    Open(Link),
}

/// Where the learner is in the protocol. What blocks later messages is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Waiting for LEADERINFO.
    Introduced,
    /// Making the promise durable; blocks.
    Promising,
    /// Waiting for DIFF, TRUNC or SNAP.
    Promised,
    /// Cutting the log; blocks.
    Truncating,
    /// Receiving a snapshot.
    Receiving { label: Position, next: u64 },
    /// Making it durable; blocks.
    Installing,
    /// The log is a prefix of the leader's history from here on. Waiting for NEWLEADER.
    Synchronizing,
    /// Making history and current epoch durable; blocks.
    Accepting,
    /// Waiting for UPTODATE.
    Accepted,
    /// Serving.
    Broadcast,
}

impl Stage {
    fn blocks(self) -> bool {
        matches!(self, Self::Promising | Self::Truncating | Self::Installing | Self::Accepting)
    }

    /// Whether the log is known to be a prefix of the leader's history (invariants.md Y6).
    fn is_prefix(self) -> bool {
        matches!(self, Self::Synchronizing | Self::Accepting | Self::Accepted | Self::Broadcast)
    }

    fn phase(self) -> Phase {
        match self {
            Self::Introduced | Self::Promising => Phase::Discovery,
            Self::Broadcast => Phase::Broadcast,
            _ => Phase::Synchronization,
        }
    }
}

impl Learner {
    pub(super) fn new(server: &mut Server, leader: ServerId) -> Self {
        let incarnation = server.next_link();
        let now = server.time();
        let patience = server.config.finalize_wait.times(5).max(server.config.tick_time);
        let mut learner = Self {
            leader,
            observer: !server.is_voter(),
            stage: Stage::Introduced,
            epoch: None,
            silence: Instant::NEVER,
            inbox: VecDeque::new(),
            acknowledged: Zxid::ZERO,
            committed: Zxid::ZERO,
            requests: 0,
            link: Connection::Opening { incarnation, again: now, give_up: now + patience },
            #[cfg(feature = "mutants")]
            held: None,
        };
        learner.announce(server);
        learner.open(server);
        learner
    }

    pub(super) fn role(&self) -> Role {
        if self.observer { Role::Observing } else { Role::Following }
    }

    pub(super) fn phase(&self) -> Phase {
        self.stage.phase()
    }

    pub(super) fn serving(&self) -> bool {
        self.stage == Stage::Broadcast
    }

    pub(super) fn is_linked(&self) -> bool {
        matches!(self.link, Connection::Open(_))
    }

    fn announce(&self, server: &mut Server) {
        let (role, phase, epoch) = (self.role(), self.phase(), self.epoch);
        server.emit(Event::RoleChanged { role, phase, leader: Some(self.leader), epoch });
    }

    fn enter(&mut self, server: &mut Server, stage: Stage) {
        let phase = self.phase();
        self.stage = stage;
        if self.phase() != phase {
            self.announce(server);
        }
    }

    fn send(&mut self, server: &mut Server, message: Message) {
        if let Connection::Open(link) = &mut self.link {
            link.send(&mut server.outputs, message);
        }
    }

    /// Its vote may have come or gone.
    pub(super) fn on_members(&mut self, server: &mut Server) {
        if self.observer == server.is_voter() {
            self.observer = !self.observer;
            self.announce(server);
        }
    }

    /// Asks for the link, if there is a connection to ask on.
    fn open(&mut self, server: &mut Server) {
        let now = server.time();
        let interval = Duration(server.config.finalize_wait.0 / 2);
        if let Connection::Opening { incarnation, again, .. } = &mut self.link {
            *again = now + interval;
            if let Some(connection) = server.connections.get(&self.leader) {
                let frame = Frame::Open { link: *incarnation };
                server.outputs.push_back(Output::Send { peer: self.leader, connection: *connection, frame });
            }
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        match &self.link {
            Connection::Opening { again, give_up, .. } => *again.min(give_up),
            Connection::Open(_) => self.silence,
        }
    }

    pub(super) fn tick(&mut self, server: &mut Server) -> Step {
        let now = server.time();
        match &self.link {
            Connection::Opening { give_up, .. } if *give_up <= now => Err(Departure::LeaderSilent),
            Connection::Opening { again, .. } if *again <= now => {
                self.open(server);
                Ok(())
            }
            Connection::Open(_) if self.silence <= now => Err(Departure::LeaderSilent),
            _ => Ok(()),
        }
    }

    /// A connection came up or went down.
    pub(super) fn connection_changed(&mut self, server: &mut Server, peer: ServerId) -> Step {
        if peer != self.leader {
            return Ok(());
        }
        match &self.link {
            Connection::Open(_) => Err(Departure::LinkBroken),
            Connection::Opening { .. } => {
                self.open(server);
                Ok(())
            }
        }
    }

    pub(super) fn on_accept(
        &mut self,
        server: &mut Server,
        connection: ConnectionId,
        incarnation: LinkIncarnation,
        leader_boot: u64,
    ) {
        match &self.link {
            Connection::Opening { incarnation: mine, .. } if *mine == incarnation => {}
            _ => return,
        }
        self.link = Connection::Open(Link::new(self.leader, connection, incarnation, leader_boot));
        server.emit(Event::LinkOpened { peer: self.leader });
        self.heard(server);
        let info = Message::LearnerInfo {
            accepted_epoch: server.storage.epochs().accepted_epoch,
            config_version: server.config.ensemble.version,
        };
        self.send(server, info);
    }

    pub(super) fn on_reset(&mut self, peer: ServerId, incarnation: LinkIncarnation) -> Step {
        let mine = match &self.link {
            Connection::Opening { incarnation, .. } => *incarnation,
            Connection::Open(link) => link.incarnation,
        };
        if peer == self.leader && incarnation == mine { Err(Departure::LinkBroken) } else { Ok(()) }
    }

    /// The other end is told that this one leaves.
    pub(super) fn hang_up(&self, server: &mut Server) {
        if let Connection::Open(link) = &self.link {
            link.reset(&mut server.outputs);
        }
    }

    fn heard(&mut self, server: &Server) {
        // After NEWLEADER the shorter limit holds (ZOOKEEPER-1521).
        let limit = match self.stage {
            Stage::Accepted | Stage::Broadcast if !mutated!(M75) => server.config.sync_limit,
            _ => server.config.init_limit,
        };
        self.silence = server.time() + server.ticks(limit);
    }

    /// A message arrived on a connection.
    pub(super) fn on_data(
        &mut self,
        server: &mut Server,
        peer: ServerId,
        incarnation: LinkIncarnation,
        leader_boot: u64,
        sequence: u64,
        message: Message,
    ) -> Step {
        let checks = server.config.link_checks;
        let own = |link: &Link| {
            link.peer == peer && link.incarnation == incarnation && link.leader_boot == leader_boot
        };
        let arrival = match &mut self.link {
            Connection::Open(link) if own(link) => link.arrived(sequence, checks),
            Connection::Open(_) if mutated!(M77) => Arrival::Next,
            _ => {
                server.emit(Event::StaleFrame { peer });
                return Ok(());
            }
        };
        match arrival {
            Arrival::Duplicate => return Ok(()),
            Arrival::Gap => {
                server.emit(Event::LinkBroken { peer, reason: "a frame is missing" });
                return Err(Departure::LinkBroken);
            }
            Arrival::Next => {}
        }
        self.heard(server);
        if !self.inbox.is_empty() || self.stage.blocks() {
            self.inbox.push_back(message);
            return Ok(());
        }
        self.on_message(server, message)
    }

    /// Goes on after the disk was done.
    fn unblock(&mut self, server: &mut Server, stage: Stage) -> Step {
        self.enter(server, stage);
        self.heard(server);
        while !self.stage.blocks() {
            let Some(message) = self.inbox.pop_front() else { break };
            self.on_message(server, message)?;
        }
        Ok(())
    }

    /// Handles one message. What is illegal in a stage is refused here and nowhere else
    /// (invariants.md Y12).
    fn on_message(&mut self, server: &mut Server, message: Message) -> Step {
        if let Message::LeaderInfo { epoch } = message {
            return self.on_leader_info(server, epoch);
        }
        if message.epoch() != self.epoch && !mutated!(M77) {
            server.emit(Event::StaleFrame { peer: self.leader });
            return Ok(());
        }
        match (self.stage, message) {
            (Stage::Promised, Message::Diff { base, end, .. }) => self.on_diff(server, base, end),
            (Stage::Promised, Message::Trunc { to, .. }) => self.on_trunc(server, to),
            (Stage::Promised, Message::Snap { label, .. }) => self.on_snap(server, label),
            (Stage::Receiving { label, next }, Message::SnapChunk { label: of, index, bytes, last, .. })
                if of == label.zxid && index == next =>
            {
                self.on_chunk(server, label, index, bytes, last)
            }
            (stage, Message::Proposal { previous, zxid, payload, .. }) if stage.is_prefix() => {
                self.on_proposal(server, previous, zxid, payload)
            }
            (stage, Message::Inform { previous, zxid, payload, .. }) if stage.is_prefix() => {
                if stage != Stage::Broadcast && mutated!(M30) {
                    return Ok(());
                }
                self.on_proposal(server, previous, zxid, payload)?;
                self.on_commit(server, zxid)
            }
            (stage, Message::Commit { zxid, .. }) if stage.is_prefix() => self.on_commit(server, zxid),
            (Stage::Synchronizing, Message::NewLeader { end, .. }) => self.on_new_leader(server, end),
            (Stage::Accepted, Message::UpToDate { committed, .. }) => self.on_up_to_date(server, committed),
            // A second UPTODATE says nothing new.
            (Stage::Broadcast, Message::UpToDate { .. }) => Ok(()),
            (stage, Message::Ping { epoch, sequence, committed, .. }) if stage.is_prefix() => {
                self.on_commit(server, committed)?;
                let (committed, mut touched) = (server.committed, server.clients.take_touched());
                // As if what went with every second ping were lost.
                if sequence % 2 == 0 && mutated!(M107) {
                    touched.clear();
                }
                #[cfg(feature = "mutants")]
                if let Some(held) = self.held.take() {
                    self.send_request(server, &held);
                }
                self.send(server, Message::Ping { epoch, sequence, committed, touched });
                Ok(())
            }
            (Stage::Broadcast, Message::Revalidate { client, session, lives: Some(lives), .. }) => {
                server.clients.attached(client, session, lives, &mut server.outputs);
                Ok(())
            }
            // It stands behind all commits that it confirms; if one of them was lost, the clients wait for it.
            (Stage::Broadcast, Message::Sync { number, committed, .. }) => {
                server.clients.synced(number, committed);
                Ok(())
            }
            _ => {
                server.emit(Event::LinkBroken { peer: self.leader, reason: "an illegal message" });
                Err(Departure::ProtocolError)
            }
        }
    }

    pub(super) fn on_storage(&mut self, server: &mut Server, event: &StorageEvent) -> Step {
        match (event, self.stage) {
            (StorageEvent::Durable(zxid), Stage::Synchronizing) => {
                if let Some(epoch) = self.epoch {
                    self.send(server, Message::SyncStored { epoch, zxid: *zxid });
                }
                if mutated!(M06) {
                    self.acknowledge(server);
                }
                Ok(())
            }
            (StorageEvent::Durable(_), _) => {
                self.acknowledge(server);
                Ok(())
            }
            (StorageEvent::EpochsSaved(epochs), Stage::Promising) => {
                let current_epoch = Some(epochs.current_epoch);
                self.acknowledge_epoch(server, current_epoch);
                self.unblock(server, Stage::Promised)
            }
            (StorageEvent::EpochsSaved(_), Stage::Accepting) => self.accept(server),
            (StorageEvent::Truncated(_), Stage::Truncating) => self.unblock(server, Stage::Synchronizing),
            (StorageEvent::ChunkStored(index), Stage::Receiving { .. }) => {
                if let Some(epoch) = self.epoch {
                    self.send(server, Message::SnapChunkStored { epoch, index: *index });
                }
                Ok(())
            }
            (StorageEvent::Installed(_), Stage::Installing) => self.unblock(server, Stage::Synchronizing),
            _ => Ok(()),
        }
    }
}
