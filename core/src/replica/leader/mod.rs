//! The role of a leader (zab.md sections 4 to 6, 8, 10 and 11).

mod broadcast;
mod confirm;
mod discovery;
mod synchronization;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use self::confirm::{Asker, Question};
use super::handler::{Handler, Promise, Stage as LearnerStage};
use super::link::{Arrival, Link};
use super::server::Server;
use super::{Leading, Step};
use crate::event::{Departure, Event, Phase, Role};
use crate::identity::{Epoch, Position, ServerId, Zxid};
use crate::io::{ConnectionId, Output};
use crate::message::{Frame, LinkIncarnation, Message};
use crate::mutated;
use crate::prepare::{Preparer, WriteRequest};
use crate::replica::sessions::{Owner, Sessions};
use crate::storage::StorageEvent;
use crate::time::{Duration, Instant};
use crate::wire::SessionId;

/// A server that was elected.
pub(in crate::replica) struct Leader {
    /// The epoch that it tries to establish, or has.
    pub(in crate::replica) epoch: Epoch,
    stage: Stage,
    learners: BTreeMap<ServerId, Handler>,
    /// How recent it was when it began to lead: what no follower may exceed.
    rank: (Epoch, Zxid),
    /// When the present step of the establishment has taken too long.
    patience: Instant,
    next_ping: Instant,
    next_check: Instant,
    pings: u64,
    /// Something waits for a quorum to confirm the leadership.
    ping_wanted: bool,
}

enum Stage {
    /// Collecting LEARNERINFO.
    Gathering,
    /// Making the own promise durable.
    Promising,
    /// Collecting ACKEPOCH.
    Offering,
    /// Making the current epoch durable.
    Establishing,
    /// Bringing a quorum to the initial history.
    Synchronizing { initial: Position },
    /// Serving.
    Broadcast(Box<Broadcast>),
}

/// What a serving leader has.
struct Broadcast {
    preparer: Preparer,
    sessions: Sessions,
    questions: VecDeque<Question>,
    /// When to look for containers and nodes past their time.
    next_sweep: Instant,
    /// Nobody has made the ensemble replicated state yet.
    installs_members: bool,
    /// Clients' writes that wait while a change of who votes is announced: first the one that asked for it.
    held: Option<Vec<WriteRequest>>,
    /// Sessions that it ended because nobody had heard of them.
    expired: u64,
}

impl Leader {
    pub(in crate::replica) fn new(server: &mut Server) -> Result<Self, Departure> {
        let epochs = server.storage.epochs();
        let known = if mutated!(M35) { server.storage.last().zxid.epoch() } else { epochs.accepted_epoch };
        let epoch = known.next().ok_or(Departure::Rollover)?;
        #[cfg(feature = "mutants")]
        if mutated!(M43) {
            server.planted.claimed_last = Some(Zxid::new(epoch, 0));
        }
        let now = server.time();
        let half_tick = Duration(server.config.tick_time.0 / 2);
        let leader = Self {
            epoch,
            stage: Stage::Gathering,
            learners: BTreeMap::new(),
            rank: epochs.rank(server.storage.last().zxid),
            patience: now + server.ticks(server.config.init_limit),
            next_ping: now + half_tick,
            next_check: now + server.config.tick_time,
            pings: 0,
            ping_wanted: false,
        };
        leader.announce(server);
        Ok(leader)
    }

    pub(in crate::replica) fn phase(&self) -> Phase {
        match self.stage {
            Stage::Gathering | Stage::Promising | Stage::Offering | Stage::Establishing => Phase::Discovery,
            Stage::Synchronizing { .. } => Phase::Synchronization,
            Stage::Broadcast(_) => Phase::Broadcast,
        }
    }

    pub(in crate::replica) fn serving(&self) -> bool {
        matches!(self.stage, Stage::Broadcast(_))
    }

    pub(in crate::replica) fn links(&self) -> usize {
        self.learners.len()
    }

    pub(in crate::replica) fn questions(&self) -> usize {
        match &self.stage {
            Stage::Broadcast(broadcast) => broadcast.questions.len(),
            _ => 0,
        }
    }

    pub(in crate::replica) fn figures(&self, server: &Server) -> Leading {
        let synced = |votes: bool| {
            let is_synced = |(peer, learner): &(&ServerId, &Handler)| {
                learner.is_forwarding() && server.ensembles().is_voter(**peer) == votes
            };
            self.learners.iter().filter(is_synced).count()
        };
        let (synced_followers, synced_observers) = (synced(true), synced(false));
        Leading {
            learners: self.learners.len(),
            synced_followers,
            synced_observers,
            pending_syncs: self.questions(),
            expired_sessions: match &self.stage {
                Stage::Broadcast(broadcast) => broadcast.expired,
                _ => 0,
            },
        }
    }

    pub(in crate::replica) fn expiring_sessions(&self) -> Option<&BTreeMap<Instant, BTreeSet<SessionId>>> {
        match &self.stage {
            Stage::Broadcast(broadcast) => Some(broadcast.sessions.expiring()),
            _ => None,
        }
    }

    fn announce(&self, server: &mut Server) {
        let (phase, id, epoch) = (self.phase(), server.id(), self.epoch);
        server.emit(Event::RoleChanged { role: Role::Leading, phase, leader: Some(id), epoch: Some(epoch) });
    }

    fn enter(&mut self, server: &mut Server, stage: Stage) {
        let phase = self.phase();
        self.stage = stage;
        self.patience = server.time() + server.ticks(server.config.init_limit);
        if self.phase() != phase {
            self.announce(server);
        }
    }

    // Quorums.

    /// Whether this server and the learners that `has` accepts are a quorum. A quorum always
    /// contains the leader (ZOOKEEPER-1270).
    fn is_quorum(&self, server: &Server, has: impl Fn(&Handler) -> bool) -> bool {
        let id = server.id();
        if mutated!(M40) {
            let voters = server.ensembles().voters().count();
            return 1 + self.learners.values().filter(|learner| has(learner)).count() > voters / 2;
        }
        if mutated!(M84) {
            let counted = |peer| self.learners.get(&peer).is_some_and(&has);
            return server.ensembles().present.is_quorum_of(|member| member == id || counted(member));
        }
        server.ensembles().is_quorum_of(|member| {
            member == id
                || self.learners.get(&member).is_some_and(|learner| !learner.observer && has(learner))
        })
    }

    // Links.

    /// A learner opens a link. A new one replaces the old one and all that came with it.
    pub(in crate::replica) fn on_open(
        &mut self,
        server: &mut Server,
        peer: ServerId,
        connection: ConnectionId,
        incarnation: LinkIncarnation,
    ) {
        if let Some(handler) = self.learners.get(&peer) {
            let old = handler.link.incarnation;
            if old.boot == incarnation.boot && incarnation.attempt < old.attempt {
                server.emit(Event::StaleFrame { peer });
                return;
            }
            if old != incarnation {
                self.learners.remove(&peer);
            }
        }
        let silence = server.time() + server.ticks(server.config.init_limit);
        let boot = server.boot;
        self.learners.entry(peer).or_insert_with(|| {
            server.outputs.push_back(Output::Event(Event::LinkOpened { peer }));
            Handler::new(Link::new(peer, connection, incarnation, boot), silence)
        });
        let frame = Frame::Accept { link: incarnation, boot };
        server.outputs.push_back(Output::Send { peer, connection, frame });
    }

    /// A learner is gone: whatever it acknowledged no longer counts.
    fn drop_learner(&mut self, server: &mut Server, peer: ServerId, reason: &'static str) {
        if let Some(handler) = self.learners.remove(&peer) {
            handler.link.reset(&mut server.outputs);
            server.emit(Event::LinkBroken { peer, reason });
        }
    }

    pub(in crate::replica) fn connection_changed(&mut self, server: &mut Server, peer: ServerId) {
        self.drop_learner(server, peer, "the connection broke");
    }

    pub(in crate::replica) fn on_reset(
        &mut self,
        server: &mut Server,
        peer: ServerId,
        incarnation: LinkIncarnation,
    ) {
        if self.learners.get(&peer).is_some_and(|handler| handler.link.incarnation == incarnation) {
            self.drop_learner(server, peer, "the learner left");
        }
    }

    /// Every learner is told that this server leads no longer.
    pub(in crate::replica) fn hang_up(&mut self, server: &mut Server) {
        #[cfg(feature = "mutants")]
        if let Stage::Broadcast(broadcast) = &mut self.stage
            && mutated!(M112)
        {
            let fresh = Preparer::new(server.config.service.clone());
            server.planted.speculative = Some(core::mem::replace(&mut broadcast.preparer, fresh));
        }
        for handler in self.learners.values() {
            handler.link.reset(&mut server.outputs);
        }
    }

    pub(in crate::replica) fn on_data(
        &mut self,
        server: &mut Server,
        peer: ServerId,
        incarnation: LinkIncarnation,
        boot: u64,
        sequence: u64,
        message: Message,
    ) -> Step {
        let checks = server.config.link_checks;
        let now = server.time();
        let (sync_limit, init_limit) =
            (server.ticks(server.config.sync_limit), server.ticks(server.config.init_limit));
        let own_boot = server.boot;
        let own = |handler: &Handler| handler.link.incarnation == incarnation && boot == own_boot;
        let Some(handler) = self.learners.get_mut(&peer).filter(|handler| own(handler) || mutated!(M77))
        else {
            server.emit(Event::StaleFrame { peer });
            return Ok(());
        };
        let arrival = if own(handler) { handler.link.arrived(sequence, checks) } else { Arrival::Next };
        match arrival {
            Arrival::Duplicate => return Ok(()),
            Arrival::Gap => {
                self.drop_learner(server, peer, "a frame is missing");
                return Ok(());
            }
            Arrival::Next => {}
        }
        handler.silence = now + if handler.accepted { sync_limit } else { init_limit };
        if message.epoch().is_some_and(|epoch| epoch != self.epoch) && !mutated!(M77) {
            server.emit(Event::StaleFrame { peer });
            return Ok(());
        }
        if self.on_message(server, peer, message)? {
            return Ok(());
        }
        self.drop_learner(server, peer, "an illegal message");
        Ok(())
    }

    /// Handles one message of a learner that has a handler; `false` refuses it as illegal.
    fn on_message(
        &mut self,
        server: &mut Server,
        peer: ServerId,
        message: Message,
    ) -> Result<bool, Departure> {
        let end = self.end(server);
        let epoch = self.epoch;
        let Some(handler) = self.learners.get_mut(&peer) else { return Ok(false) };
        match (&handler.stage, message) {
            (LearnerStage::Opened, Message::LearnerInfo { accepted_epoch, config_version }) => {
                // What it applied, this server does not even have.
                if config_version > server.storage.last().zxid.0 && server.ensembles().may_lead(peer) {
                    return Err(Departure::FollowerMoreRecent);
                }
                handler.observer = !server.ensembles().is_voter(peer);
                handler.stage = LearnerStage::Introduced;
                self.on_learner_info(server, peer, accepted_epoch)?;
            }
            (LearnerStage::Offered, Message::AckEpoch { current_epoch, last, ends, standing, .. }) => {
                handler.promise = Some(Promise { current_epoch, last, standing });
                handler.ends = ends;
                handler.stage = LearnerStage::Positioned;
                self.on_promise(server, peer)?;
            }
            (LearnerStage::Receiving { sent, .. }, Message::SnapChunkStored { index, .. })
                if index < *sent =>
            {
                handler.chunk_stored(server, epoch, index, end);
                self.pin(server);
            }
            (LearnerStage::Streaming(stream), Message::SyncStored { zxid, .. }) if zxid <= stream.sent => {
                handler.transactions_stored(server, epoch, zxid, end);
                self.pin(server);
            }
            // The last parts are answered when the rest is already on its way.
            (LearnerStage::Streaming(_) | LearnerStage::Forwarding, Message::SnapChunkStored { .. })
            | (LearnerStage::Forwarding, Message::SyncStored { .. }) => {}
            (LearnerStage::Forwarding, Message::AckNewLeader { .. }) => {
                handler.accepted = true;
                self.on_accepted(server, peer);
            }
            (LearnerStage::Forwarding, Message::Ack { zxid, .. }) if handler.accepted => {
                // Nobody acknowledges what was never proposed.
                if zxid > server.storage.last().zxid {
                    return Ok(false);
                }
                handler.acknowledged = handler.acknowledged.max(zxid);
                if handler.acknowledged >= handler.acknowledgement_awaited || mutated!(Z07) {
                    handler.acknowledgement_due = Instant::NEVER;
                }
                self.advance(server);
                self.watch_acknowledgements(server);
            }
            (LearnerStage::Forwarding, Message::Ping { sequence, touched, .. }) => {
                if sequence > self.pings {
                    return Ok(false);
                }
                handler.pinged = handler.pinged.max(sequence);
                self.touch(server, &touched);
                self.answer_questions(server);
            }
            (LearnerStage::Forwarding, Message::Request { number, payload, .. }) if handler.welcomed => {
                if number <= handler.requests {
                    return Ok(true); // Executed already (R13).
                }
                if number != handler.requests + 1 {
                    return Ok(false);
                }
                let Ok(request) = crate::codec::decode::<WriteRequest>(&payload) else { return Ok(false) };
                let boot = handler.link.incarnation.boot;
                if (request.origin.server, request.origin.boot) != (peer, boot)
                    || request.body.len() > server.config.service.frame_limit
                {
                    return Ok(false);
                }
                handler.requests = number;
                self.propose(server, &request)?;
            }
            (LearnerStage::Forwarding, Message::Revalidate { client, session, timeout, lives: None, .. })
                if handler.welcomed =>
            {
                let boot = handler.link.incarnation.boot;
                let owner = Owner { server: peer, boot, client: client.0 };
                self.attach(server, owner, session, timeout);
            }
            (LearnerStage::Forwarding, Message::Sync { number, .. }) if handler.welcomed => {
                let link = handler.link.incarnation;
                self.ask(server, Asker::Learner(peer, link, number));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(in crate::replica) fn on_storage(&mut self, server: &mut Server, event: &StorageEvent) -> Step {
        match (event, &self.stage) {
            (StorageEvent::Durable(_), _) => self.advance(server),
            (StorageEvent::EpochsSaved(_), Stage::Promising) => {
                self.enter(server, Stage::Offering);
                self.offer_all(server);
                self.establish(server);
            }
            (StorageEvent::EpochsSaved(_), Stage::Establishing) => self.established(server),
            (StorageEvent::LogRead(token, entries), _) => {
                let (epoch, end) = (self.epoch, self.end(server));
                let reading = |handler: &&mut Handler| matches!(handler.stage, LearnerStage::Reading { token: t } if t == *token);
                if let Some(handler) = self.learners.values_mut().find(reading) {
                    handler.log_read(server, epoch, end, entries.as_deref());
                }
                self.pin(server);
            }
            _ => {}
        }
        Ok(())
    }

    // Time.

    pub(in crate::replica) fn deadline(&self) -> Instant {
        let establishing = if self.serving() { Instant::NEVER } else { self.patience };
        let sessions = match &self.stage {
            Stage::Broadcast(broadcast) => broadcast.sessions.deadline().min(broadcast.next_sweep),
            _ => Instant::NEVER,
        };
        self.next_ping.min(self.next_check).min(establishing).min(sessions)
    }

    pub(in crate::replica) fn tick(&mut self, server: &mut Server) -> Step {
        let now = server.time();
        if !self.serving() && self.patience <= now {
            return Err(Departure::EstablishmentTimedOut);
        }
        if self.next_check <= now {
            self.next_check = now + server.config.tick_time;
            self.check(server)?;
        }
        if self.next_ping <= now {
            self.next_ping = now + Duration(server.config.tick_time.0 / 2);
            self.ping_wanted = true;
        }
        self.expire(server)?;
        self.sweep(server)
    }

    /// Once per tick: who is still there, and are they a quorum (zab.md section 8)?
    fn check(&mut self, server: &mut Server) -> Step {
        let now = server.time();
        let silent: Vec<ServerId> = self
            .learners
            .iter()
            .filter(|(_, learner)| learner.silence.min(learner.acknowledgement_due) <= now)
            .map(|(peer, _)| *peer)
            .collect();
        for peer in silent {
            self.drop_learner(server, peer, "the learner is silent");
        }
        self.pin(server);
        let present = |learner: &Handler| learner.welcomed && learner.is_counted();
        let keeps_quorum = if mutated!(M41) {
            let welcomed = self.learners.values().filter(|learner| learner.welcomed).count();
            1 + welcomed > server.ensembles().voters().count() / 2
        } else {
            self.is_quorum(server, present)
        };
        if self.serving() && !keeps_quorum && !mutated!(M76) {
            return Err(Departure::QuorumLost);
        }
        Ok(())
    }

    /// Sends the pings that became due or were asked for.
    pub(in crate::replica) fn ping(&mut self, server: &mut Server) {
        if !core::mem::take(&mut self.ping_wanted) {
            return;
        }
        self.pings += 1;
        let (epoch, sequence, committed) = (self.epoch, self.pings, server.committed);
        let message = Message::Ping { epoch, sequence, committed, touched: Vec::new() };
        for handler in self.learners.values_mut().filter(|learner| learner.is_forwarding()) {
            handler.send(server, message.clone());
        }
        self.answer_questions(server); // A quorum of one.
    }
}
