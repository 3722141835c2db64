//! The role of a leader (zab.md sections 4 to 6, 8, 10 and 11).

use alloc::collections::{BTreeMap, VecDeque};

use super::Step;
use super::handler::{Handler, Promise, Stage as LearnerStage};
use super::link::{Arrival, Link};
use super::server::Server;
use crate::event::{Departure, Event, Phase, Role};
use crate::identity::{Bytes, Epoch, Position, ServerId, Zxid};
use crate::io::{ClientId, ConnectionId, Output};
use crate::message::{Frame, LinkIncarnation, Message};
use crate::mutated;
use crate::service::{Preparer, Write};
use crate::storage::{Epochs, Standing, StorageEvent};
use crate::time::{Duration, Instant};

/// A server that was elected.
pub(super) struct Leader {
    /// The epoch that it tries to establish, or has.
    pub(super) epoch: Epoch,
    stage: Stage,
    learners: BTreeMap<ServerId, Handler>,
    /// Current epoch and end of the log when it began to lead: what no counted follower may
    /// exceed.
    current_epoch: Epoch,
    last: Position,
    /// When the present step of the establishment has taken too long.
    patience: Instant,
    next_ping: Instant,
    next_check: Instant,
    pings: u64,
    /// Something waits for a quorum to confirm the leadership.
    ping_wanted: bool,
    reads: u64,
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
    Broadcast(Broadcast),
}

/// What a serving leader has.
struct Broadcast {
    preparer: Preparer,
    questions: VecDeque<Question>,
}

/// Somebody waits for a quorum to confirm that this leader still leads (R11).
struct Question {
    who: Asker,
    /// The first ping that was sent after the question.
    ping: u64,
    /// What was proposed before the question must be committed first.
    after: Zxid,
}

#[derive(Clone, Copy)]
enum Asker {
    /// A client of this server with its `sync`.
    Client(ClientId, u64),
    /// A learner with a `sync`.
    Learner(ServerId, u64),
    /// A learner that had forgotten its promises: it may serve when a quorum without it still
    /// follows this leader.
    Blank(ServerId),
}

impl Leader {
    pub(super) fn new(server: &mut Server) -> Result<Self, Departure> {
        let epochs = server.storage.epochs();
        let epoch = epochs.accepted_epoch.next().ok_or(Departure::Rollover)?;
        let now = server.time();
        let half_tick = Duration(server.config.tick_time.0 / 2);
        let leader = Self {
            epoch,
            stage: Stage::Gathering,
            learners: BTreeMap::new(),
            current_epoch: epochs.current_epoch,
            last: server.storage.last(),
            patience: now + server.ticks(server.config.init_limit),
            next_ping: now + half_tick,
            next_check: now + server.config.tick_time,
            pings: 0,
            ping_wanted: false,
            reads: 0,
        };
        leader.announce(server);
        Ok(leader)
    }

    pub(super) fn phase(&self) -> Phase {
        match self.stage {
            Stage::Gathering | Stage::Promising | Stage::Offering | Stage::Establishing => Phase::Discovery,
            Stage::Synchronizing { .. } => Phase::Synchronization,
            Stage::Broadcast(_) => Phase::Broadcast,
        }
    }

    pub(super) fn serving(&self) -> bool {
        matches!(self.stage, Stage::Broadcast(_))
    }

    pub(super) fn links(&self) -> usize {
        self.learners.len()
    }

    pub(super) fn questions(&self) -> usize {
        match &self.stage {
            Stage::Broadcast(broadcast) => broadcast.questions.len(),
            _ => 0,
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
            let voters = server.config.ensemble.voters().count();
            return 1 + self.learners.values().filter(|learner| has(learner)).count() > voters / 2;
        }
        server.config.ensemble.is_quorum_of(|member| {
            member == id
                || self.learners.get(&member).is_some_and(|learner| !learner.observer && has(learner))
        })
    }

    /// Whether a promise counts. A server that may have acknowledged more than it has counts
    /// behind a leader that has at least as much, or, if a write was only torn, when every voter
    /// was asked and nobody has more.
    fn is_promise_counted(&self, server: &Server, promise: &Promise) -> bool {
        let Some(current_epoch) = promise.current_epoch else { return false };
        let reached = |zxid| (current_epoch, zxid) <= (self.current_epoch, self.last.zxid);
        match promise.standing {
            Standing::Sound => true,
            Standing::Torn(zxid) => reached(zxid) || self.has_asked_everybody(server),
            Standing::Damaged(zxid) => reached(zxid),
            Standing::Blank => false,
        }
    }

    fn has_asked_everybody(&self, server: &Server) -> bool {
        server.config.ensemble.voters().all(|voter| {
            voter == server.id()
                || self.learners.get(&voter).is_some_and(|learner| {
                    learner.promise.is_some_and(|promise| promise.current_epoch.is_some())
                })
        })
    }

    // Links.

    /// A learner opens a link. A new one replaces the old one and all that came with it.
    pub(super) fn on_open(
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

    pub(super) fn connection_changed(&mut self, server: &mut Server, peer: ServerId) {
        self.drop_learner(server, peer, "the connection broke");
    }

    pub(super) fn on_reset(&mut self, server: &mut Server, peer: ServerId, incarnation: LinkIncarnation) {
        if self.learners.get(&peer).is_some_and(|handler| handler.link.incarnation == incarnation) {
            self.drop_learner(server, peer, "the learner left");
        }
    }

    /// Every learner is told that this server leads no longer.
    pub(super) fn hang_up(&mut self, server: &mut Server) {
        for handler in self.learners.values() {
            handler.link.reset(&mut server.outputs);
        }
    }

    pub(super) fn on_data(
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
        let handler = match self.learners.get_mut(&peer) {
            Some(handler) if handler.link.incarnation == incarnation && boot == own_boot || mutated!(M77) => {
                handler
            }
            _ => {
                server.emit(Event::StaleFrame { peer });
                return Ok(());
            }
        };
        match handler.link.arrived(sequence, checks) {
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
            (LearnerStage::Opened, Message::LearnerInfo { accepted_epoch, config_version, observer }) => {
                if config_version > server.config.ensemble.version {
                    return Ok(false);
                }
                handler.observer = observer || !server.config.ensemble.is_voter(peer);
                handler.stage = LearnerStage::Introduced;
                self.on_learner_info(server, peer, accepted_epoch)?;
            }
            (
                LearnerStage::Offered,
                Message::AckEpoch { current_epoch, last, standing, needs_snapshot, .. },
            ) => {
                handler.promise = Some(Promise { current_epoch, last, standing, needs_snapshot });
                handler.stage = LearnerStage::Positioned;
                self.on_promise(server, peer)?;
            }
            (LearnerStage::Receiving { .. }, Message::SnapChunkStored { index, .. }) => {
                handler.chunk_stored(server, epoch, index, end);
                self.pin(server);
            }
            // The last chunks are answered when the rest is already on its way.
            (LearnerStage::Forwarding, Message::SnapChunkStored { .. }) => {}
            (LearnerStage::Forwarding, Message::AckNewLeader { .. }) => {
                handler.accepted = true;
                self.on_accepted(server, peer);
            }
            (LearnerStage::Forwarding, Message::Ack { zxid, .. }) if handler.accepted || mutated!(M06) => {
                // Nobody acknowledges what was never proposed.
                if zxid > server.storage.last().zxid {
                    return Ok(false);
                }
                handler.acknowledged = handler.acknowledged.max(zxid);
                handler.acknowledgement_due = Instant::NEVER;
                self.advance(server);
                self.watch_acknowledgements(server);
            }
            (LearnerStage::Forwarding, Message::Ping { sequence, .. }) => {
                if sequence > self.pings {
                    return Ok(false);
                }
                handler.pinged = handler.pinged.max(sequence);
                self.answer_questions(server);
            }
            (LearnerStage::Forwarding, Message::Request { number, payload, .. }) if handler.welcomed => {
                if number <= handler.requests {
                    return Ok(true); // Executed already (R13).
                }
                if number != handler.requests + 1 {
                    return Ok(false);
                }
                let Ok(write) = crate::codec::decode::<Write>(&payload) else { return Ok(false) };
                if write.origin.server != peer {
                    return Ok(false);
                }
                handler.requests = number;
                self.propose(server, write)?;
            }
            (LearnerStage::Forwarding, Message::Sync { number, .. }) if handler.welcomed => {
                self.ask(server, Asker::Learner(peer, number));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    // Discovery.

    /// zab.md section 4.2.
    fn on_learner_info(&mut self, server: &mut Server, peer: ServerId, accepted: Epoch) -> Step {
        let voter = server.config.ensemble.is_voter(peer);
        match self.stage {
            Stage::Gathering => {
                if voter && accepted >= self.epoch {
                    self.epoch = accepted.next().ok_or(Departure::Rollover)?;
                }
                self.gather(server);
            }
            // Frozen. A voter that promised a later epoch could never join: make room for an
            // epoch that it can promise.
            _ if voter && accepted > self.epoch => return Err(Departure::EpochTooOld),
            Stage::Promising => {}
            _ => self.offer(server, peer),
        }
        Ok(())
    }

    /// Freezes the epoch when a quorum has introduced itself.
    pub(super) fn gather(&mut self, server: &mut Server) {
        if !self.is_quorum(server, |learner| !matches!(learner.stage, LearnerStage::Opened)) {
            return;
        }
        let epochs = server.storage.epochs();
        let accepted_leader = Some(server.id());
        // ZOOKEEPER-1291: durable before anybody hears of it.
        server.storage.save_epochs(Epochs { accepted_epoch: self.epoch, accepted_leader, ..epochs });
        self.enter(server, Stage::Promising);
        if mutated!(M36) {
            self.offer_all(server);
        }
    }

    fn offer(&mut self, server: &mut Server, peer: ServerId) {
        let epoch = self.epoch;
        if let Some(handler) = self.learners.get_mut(&peer) {
            if matches!(handler.stage, LearnerStage::Introduced) {
                handler.stage = LearnerStage::Offered;
                handler.send(server, Message::LeaderInfo { epoch });
            }
        }
    }

    fn offer_all(&mut self, server: &mut Server) {
        let peers: alloc::vec::Vec<ServerId> = self.learners.keys().copied().collect();
        for peer in peers {
            self.offer(server, peer);
        }
    }

    /// zab.md section 4.4.
    fn on_promise(&mut self, server: &mut Server, peer: ServerId) -> Step {
        match self.stage {
            Stage::Promising | Stage::Offering => {
                let Some(Handler { promise: Some(promise), .. }) = self.learners.get(&peer) else {
                    return Ok(());
                };
                let ahead = promise.current_epoch.is_some_and(|current| {
                    (current, promise.last.zxid) > (self.current_epoch, self.last.zxid)
                });
                if ahead && server.config.ensemble.is_voter(peer) && !mutated!(M47) {
                    return Err(Departure::FollowerMoreRecent);
                }
                self.establish(server);
            }
            Stage::Synchronizing { .. } | Stage::Broadcast(_) => self.synchronize(server, peer),
            Stage::Gathering | Stage::Establishing => {}
        }
        Ok(())
    }

    /// Establishes the epoch when a quorum has promised it.
    fn establish(&mut self, server: &mut Server) {
        if !matches!(self.stage, Stage::Offering) {
            return;
        }
        let counted = |learner: &Handler| {
            learner.promise.is_some_and(|promise| self.is_promise_counted(server, &promise))
        };
        let own = match server.storage.epochs().standing {
            Standing::Sound => true,
            Standing::Torn(_) => self.has_asked_everybody(server),
            Standing::Damaged(_) | Standing::Blank => false,
        };
        if own && self.is_quorum(server, counted) {
            let epochs = server.storage.epochs();
            server.storage.save_epochs(Epochs {
                current_epoch: self.epoch,
                standing: Standing::Sound,
                ..epochs
            });
            self.enter(server, Stage::Establishing);
        }
    }

    // Synchronization.

    /// The end of the history that a learner must have before it may serve.
    fn end(&self, server: &Server) -> Position {
        match &self.stage {
            Stage::Synchronizing { initial } => *initial,
            _ => server.storage.position_at(server.committed).unwrap_or(server.applied),
        }
    }

    fn synchronize(&mut self, server: &mut Server, peer: ServerId) {
        let end = self.end(server);
        let epoch = self.epoch;
        self.reads += 1;
        let token = self.reads;
        if let Some(handler) = self.learners.get_mut(&peer) {
            handler.synchronize(server, epoch, end, token);
        }
        self.pin(server);
        self.watch_acknowledgements(server);
    }

    /// Memory keeps what learners are still to be sent.
    fn pin(&self, server: &mut Server) {
        let base = server.storage.base().zxid;
        server.pinned = self.learners.values().filter_map(|learner| learner.pin(base)).min();
    }

    fn on_accepted(&mut self, server: &mut Server, peer: ServerId) {
        match &self.stage {
            Stage::Synchronizing { initial } => {
                // The own history is durable since before the vote (R1).
                let initial = *initial;
                if self.is_quorum(server, |learner| learner.accepted && learner.is_counted()) {
                    self.serve(server, initial);
                }
            }
            Stage::Broadcast(_) => self.welcome(server, peer),
            _ => {}
        }
    }

    /// zab.md section 5.3: a quorum has the initial history, so it is committed.
    fn serve(&mut self, server: &mut Server, initial: Position) {
        let broadcast = Broadcast { preparer: Preparer::default(), questions: VecDeque::new() };
        self.enter(server, Stage::Broadcast(broadcast));
        server.learn_commit(initial.zxid);
        server.emit(Event::Committed { upto: initial });
        let peers: alloc::vec::Vec<ServerId> = self.learners.keys().copied().collect();
        for peer in peers {
            self.welcome(server, peer);
        }
    }

    fn welcome(&mut self, server: &mut Server, peer: ServerId) {
        let Some(handler) = self.learners.get(&peer) else { return };
        if !handler.accepted || handler.welcomed {
            return;
        }
        if handler.promise.is_some_and(|promise| promise.standing == Standing::Blank) {
            self.ask(server, Asker::Blank(peer));
        } else {
            self.let_in(server, peer);
        }
    }

    fn let_in(&mut self, server: &mut Server, peer: ServerId) {
        let (epoch, committed) = (self.epoch, server.committed);
        let sync_limit = server.ticks(server.config.sync_limit);
        if let Some(handler) = self.learners.get_mut(&peer) {
            handler.welcomed = true;
            handler.silence = server.time() + sync_limit;
            handler.send(server, Message::UpToDate { epoch, committed });
        }
    }

    // Broadcast.

    /// Turns a change into a transaction and proposes it (zab.md section 6).
    pub(super) fn propose(&mut self, server: &mut Server, write: Write) -> Step {
        let Stage::Broadcast(broadcast) = &mut self.stage else { return Ok(()) };
        let previous = server.storage.last().zxid;
        let counter = if previous.epoch() == self.epoch { previous.counter() } else { 0 };
        if counter >= server.config.counter_limit {
            return Err(Departure::Rollover);
        }
        let zxid = Zxid::new(self.epoch, counter + 1);
        let transaction = broadcast.preparer.prepare(&server.tree, write, zxid, server.now.wall_millis);
        let payload: Bytes = Bytes::from(transaction.encode());
        server.storage.append(zxid, payload.clone());
        let epoch = self.epoch;
        let receives = |learner: &&mut Handler| {
            learner.is_forwarding() && !learner.observer && (learner.accepted || !mutated!(M28))
        };
        for handler in self.learners.values_mut().filter(receives) {
            handler.send(server, Message::Proposal { epoch, previous, zxid, payload: payload.clone() });
        }
        self.watch_acknowledgements(server);
        Ok(())
    }

    /// Starts the clock of every learner that owes an acknowledgement (zab.md section 8).
    fn watch_acknowledgements(&mut self, server: &Server) {
        let last = server.storage.last().zxid;
        let due = server.time() + server.ticks(server.config.sync_limit);
        for handler in self.learners.values_mut() {
            if handler.observer
                || !handler.welcomed
                || handler.acknowledged >= last
                || last.epoch() != self.epoch
            {
                handler.acknowledgement_due = Instant::NEVER;
            } else if handler.acknowledgement_due == Instant::NEVER {
                handler.acknowledgement_due = due;
            }
        }
    }

    /// Commits what a quorum has made durable, this server included (R5).
    fn advance(&mut self, server: &mut Server) {
        if !self.serving() {
            return;
        }
        let own = if mutated!(M66) { server.storage.last().zxid } else { server.storage.durable() };
        let committed = server.committed;
        let mut best = committed;
        let acknowledged = self.learners.values().map(|learner| learner.acknowledged);
        for candidate in acknowledged.chain([own]) {
            // Every transaction before a candidate is covered by the same acknowledgements.
            let candidate = candidate.min(own);
            let covers =
                |zxid: Zxid| if mutated!(M67) { zxid.0 + 1 >= candidate.0 } else { zxid >= candidate };
            if candidate > best
                && candidate.epoch() == self.epoch
                && self.is_quorum(server, |learner| learner.is_counted() && covers(learner.acknowledged))
            {
                best = candidate;
            }
        }
        let Some(upto) = (best > committed).then(|| server.storage.position_at(best)).flatten() else {
            return;
        };
        server.learn_commit(best);
        server.emit(Event::Committed { upto });
        let epoch = self.epoch;
        for handler in self.learners.values_mut().filter(|learner| learner.is_forwarding()) {
            if !handler.observer {
                handler.send(server, Message::Commit { epoch, zxid: best });
                continue;
            }
            let mut previous = committed;
            for entry in server.storage.entries_after(committed) {
                let (zxid, payload) = (entry.position.zxid, entry.payload.clone());
                if zxid > best {
                    break;
                }
                handler.link.send(&mut server.outputs, Message::Inform { epoch, previous, zxid, payload });
                previous = zxid;
            }
        }
    }

    /// The state caught up.
    pub(super) fn delivered(&mut self, server: &mut Server) {
        if let Stage::Broadcast(broadcast) = &mut self.stage {
            broadcast.preparer.applied(server.applied.zxid);
        }
        self.answer_questions(server);
    }

    pub(super) fn on_storage(&mut self, server: &mut Server, event: &StorageEvent) -> Step {
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

    fn established(&mut self, server: &mut Server) {
        let initial = server.storage.last();
        let uncommitted = server.storage.entries_after(server.committed).len() as u64;
        server.emit(Event::EpochEstablished { epoch: self.epoch, initial, uncommitted });
        self.enter(server, Stage::Synchronizing { initial });
        let peers: alloc::vec::Vec<ServerId> = self
            .learners
            .iter()
            .filter(|(_, learner)| matches!(learner.stage, LearnerStage::Positioned))
            .map(|(peer, _)| *peer)
            .collect();
        for peer in peers {
            self.synchronize(server, peer);
        }
        if self.is_quorum(server, |learner| learner.accepted && learner.is_counted()) {
            self.serve(server, initial); // A quorum of one.
        }
    }

    // Confirmed leadership (R11).

    /// A client of this server wants to be up to date.
    pub(super) fn sync(&mut self, server: &mut Server, client: ClientId, xid: u64) {
        self.ask(server, Asker::Client(client, xid));
    }

    fn ask(&mut self, server: &mut Server, who: Asker) {
        let question = Question { who, ping: self.pings + 1, after: server.storage.last().zxid };
        if let Stage::Broadcast(broadcast) = &mut self.stage {
            broadcast.questions.push_back(question);
            self.ping_wanted = true;
        }
    }

    fn answer_questions(&mut self, server: &mut Server) {
        let committed = server.committed;
        loop {
            let Stage::Broadcast(broadcast) = &self.stage else { return };
            let Some(question) = broadcast.questions.front() else { return };
            let (ping, who) = (question.ping, question.who);
            let after = if matches!(who, Asker::Blank(_)) { Zxid::ZERO } else { question.after };
            let confirmed = ping <= self.pings
                && self.is_quorum(server, |learner| learner.is_counted() && learner.pinged >= ping);
            if !confirmed || committed < after {
                return;
            }
            if let Stage::Broadcast(broadcast) = &mut self.stage {
                broadcast.questions.pop_front();
            }
            match who {
                Asker::Client(client, xid) => server.clients.synced(client, xid, committed),
                Asker::Blank(peer) => self.let_in(server, peer),
                Asker::Learner(peer, number) => {
                    let epoch = self.epoch;
                    if let Some(handler) = self.learners.get_mut(&peer) {
                        handler.send(server, Message::Sync { epoch, number });
                    }
                }
            }
        }
    }

    // Time.

    pub(super) fn deadline(&self) -> Instant {
        let establishing = if self.serving() { Instant::NEVER } else { self.patience };
        self.next_ping.min(self.next_check).min(establishing)
    }

    pub(super) fn tick(&mut self, server: &mut Server) -> Step {
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
        Ok(())
    }

    /// Once per tick: who is still there, and are they a quorum (zab.md section 8)?
    fn check(&mut self, server: &mut Server) -> Step {
        let now = server.time();
        let silent: alloc::vec::Vec<ServerId> = self
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
        if self.serving() && !self.is_quorum(server, present) && !mutated!(M76) {
            return Err(Departure::QuorumLost);
        }
        Ok(())
    }

    /// Sends the pings that became due or were asked for.
    pub(super) fn ping(&mut self, server: &mut Server) {
        if !core::mem::take(&mut self.ping_wanted) {
            return;
        }
        self.pings += 1;
        let message = Message::Ping { epoch: self.epoch, sequence: self.pings, committed: server.committed };
        for handler in self.learners.values_mut().filter(|learner| learner.is_forwarding()) {
            handler.send(server, message.clone());
        }
        self.answer_questions(server); // A quorum of one.
    }
}
