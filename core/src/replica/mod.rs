//! One server: its role, and what every role shares.
//!
//! ```text
//! Settling -> Looking -> Leading | Following | Observing -> Settling -> ...
//! ```
//!
//! A role owns what means something only in it, and is consumed when the server leaves it. Between
//! two roles the server settles: it waits until everything that the last role wrote is on the
//! disk, so that what it votes with is what a restart would find (R7, R12, ZOOKEEPER-4712).

mod choose;
mod figures;
mod handler;
mod leader;
mod learner;
mod link;
mod members;
#[cfg(feature = "mutants")]
mod planted;
mod server;
mod sessions;
mod status;

use alloc::boxed::Box;
use alloc::string::String;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::clients::{Applied, Ask, Clients};
use crate::config::Config;
use crate::election::{Candidacy, Election, ElectionOutput};
use crate::event::{Departure, Event, Phase, Role};
use crate::identity::{Bytes, ServerId, Zxid};
use crate::io::{ClientId, Command, ConnectionId, Input, Output};
use crate::membership::Membership;
use crate::message::{Frame, LinkIncarnation, Notification, SenderState};
use crate::mutated;
use crate::quorum::Ensembles;
use crate::state::State as ServiceState;
use crate::storage::{Epochs, Recovered, Standing, Storage, StorageEvent};
use crate::time::{Duration, Instant, Now};
pub use figures::Leading;
use leader::Leader;
use learner::Learner;
use link::NewestVotes;
use server::{Installing, Server};
use sessions::Owner;
pub use status::Status;

/// How long a server looks for a leader before it serves reads alone, at least (client.md section 17.5).
const READ_ONLY_GRACE: Duration = Duration::from_seconds(2);

/// A role goes on, or it is over.
type Step = Result<(), Departure>;

/// One server of an ensemble. Feed it with [`Replica::handle`], and **drain [`Replica::poll`] to
/// `None` before the next input**.
pub struct Replica {
    server: Server,
    election: Election,
    votes: NewestVotes,
    votes_sent: u64,
    /// It could not lead although it was elected: until then it votes for the others only.
    stands_again_at: Option<Instant>,
    /// If it still looks for a leader then, it serves reads alone.
    read_only_at: Instant,
    role: State,
}

enum State {
    /// Waiting for the disk. `started` is false until the repair after the start is done, and
    /// `not_before` keeps an observer from coming back at once.
    Settling {
        started: bool,
        not_before: Instant,
    },
    Looking,
    Learning(Box<Learner>),
    Leading(Box<Leader>),
    Halted,
}

impl Replica {
    /// A server at its start, with what [`crate::storage::recover`] found on its disk. `seed` is
    /// all the entropy that it ever has.
    #[must_use]
    pub fn new(mut config: Config, mut recovered: Recovered, seed: [u8; 32], now: Now) -> Self {
        let mut random = ChaCha8Rng::from_seed(seed);
        let incarnation = random.next_u64();
        let storage = Storage::new(&config, &mut recovered, incarnation);
        // It is the zxid of a reconfig that this server applied, or its data are not those of then.
        if config.ensemble.version > storage.last().zxid.0 {
            config.ensemble.version = 0;
        }
        let election = Election::new(&config);
        let mut server = Server::new(config, now, random, storage);
        let epochs = recovered.epochs;
        server.emit(Event::Recovered {
            last: server.storage.last(),
            snapshot: recovered.snapshot.as_ref().map_or(Zxid::ZERO, |(label, _)| label.zxid),
            accepted_epoch: epochs.accepted_epoch,
            current_epoch: epochs.current_epoch,
            empty: recovered.empty,
            cut_bytes: recovered.cut_bytes,
        });
        if epochs.standing != Standing::Sound {
            let reason = recovered.findings.join("; ");
            server.emit(Event::InDoubt { standing: epochs.standing, reason });
        }
        if let Some((label, state)) = recovered.snapshot {
            server.replace_state(label, state);
        }
        server.read_members();
        let role = State::Settling { started: false, not_before: now.monotonic };
        let mut replica = Self {
            server,
            election,
            votes: NewestVotes::default(),
            votes_sent: 0,
            stands_again_at: None,
            read_only_at: Instant::NEVER,
            role,
        };
        replica.announce();
        replica.run();
        replica
    }

    /// Takes one input.
    pub fn handle(&mut self, now: Now, input: Input) {
        debug_assert!(self.server.outputs.is_empty(), "outputs are drained before the next input");
        if matches!(self.role, State::Halted) {
            return;
        }
        self.server.now = now;
        self.server.clients.tick(now.monotonic, &mut self.server.outputs);
        match input {
            Input::Tick => {}
            Input::Connected { peer, connection } => {
                self.server.connections.insert(peer, connection);
                self.connection_changed(peer);
                self.election.connected(now.monotonic, peer);
            }
            Input::Disconnected { peer, connection } => {
                if self.server.connections.get(&peer) == Some(&connection) {
                    self.server.connections.remove(&peer);
                    self.connection_changed(peer);
                }
            }
            Input::Frame { peer, connection, bytes } => self.on_frame(peer, connection, &bytes),
            Input::Disk(completion) => self.server.storage.handle(completion),
            Input::ClientConnected { client, address } => self.server.clients.connected(client, address),
            Input::ClientFrame { client, bytes } => self.on_client_frame(client, &bytes),
            Input::ClientGone { client } => self.server.clients.gone(client),
            Input::Command(Command::Elect(leader)) => {
                if matches!(self.role, State::Looking) {
                    self.election.elect(leader);
                }
            }
        }
        self.run();
    }

    /// The next thing for the driver to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.server.outputs.pop_front()
    }

    /// When [`Input::Tick`] is needed, [`Instant::NEVER`] if it is not.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        let role = match &self.role {
            State::Settling { started: true, not_before } if self.server.storage.is_settled() => *not_before,
            State::Settling { .. } => Instant::NEVER,
            State::Looking => self.stands_again_at.unwrap_or(Instant::NEVER).min(self.read_only_at),
            State::Learning(learner) => learner.deadline(),
            State::Leading(leader) => leader.deadline(),
            State::Halted => return Instant::NEVER,
        };
        role.min(self.election.deadline()).min(self.server.clients.deadline())
    }

    /// The log, for checkers.
    #[must_use]
    pub fn storage(&self) -> &Storage {
        &self.server.storage
    }

    /// The state, for checkers.
    #[must_use]
    pub fn state(&self) -> &ServiceState {
        &self.server.state
    }

    /// What this server counts in every question of quorums, for checkers.
    #[must_use]
    pub fn ensembles(&self) -> &Ensembles {
        self.server.ensembles()
    }

    /// The clients, for checkers and for the operator's words.
    #[must_use]
    pub fn clients(&self) -> &Clients {
        &self.server.clients
    }

    fn role(&self) -> (Role, Phase) {
        match &self.role {
            State::Settling { .. } => (Role::Settling, Phase::Election),
            State::Looking => (Role::Looking, Phase::Election),
            State::Learning(learner) => (learner.role(), learner.phase()),
            State::Leading(leader) => (Role::Leading, leader.phase()),
            State::Halted => (Role::Halted, Phase::Election),
        }
    }

    fn serving(&self) -> bool {
        match &self.role {
            State::Learning(learner) => learner.serving(),
            State::Leading(leader) => leader.serving(),
            State::Settling { .. } | State::Looking | State::Halted => false,
        }
    }

    fn announce(&mut self) {
        let (role, phase) = self.role();
        self.server.emit(Event::RoleChanged { role, phase, leader: None, epoch: None });
    }

    /// Runs what is due, and whatever follows from it, until nothing does.
    fn run(&mut self) {
        let step = match &mut self.role {
            State::Learning(learner) => learner.tick(&mut self.server),
            State::Leading(leader) => leader.tick(&mut self.server),
            State::Settling { .. } | State::Looking | State::Halted => Ok(()),
        };
        self.or_leave(step);
        if matches!(self.role, State::Looking)
            && self.stands_again_at.is_some_and(|end| end <= self.server.time())
        {
            self.stands_again_at = None;
            self.look_again();
        }
        self.serve_reads_if_alone();
        self.election.tick(self.server.time());
        loop {
            if let Some(event) = self.server.storage.poll_event() {
                self.on_storage(event);
            } else if let Some(output) = self.election.poll() {
                self.on_election(output);
            } else if let Some(ask) = self.server.clients.next_ask() {
                self.carry(ask);
            } else if core::mem::take(&mut self.server.members_changed) {
                self.on_members();
            } else if self.server.deliver() {
                self.delivered();
            } else if !self.look_when_settled() {
                if let State::Leading(leader) = &mut self.role {
                    leader.ping(&mut self.server);
                }
                self.server.answer();
                if !self.server.clients.has_asks() {
                    break;
                }
            }
        }
        if !matches!(self.role, State::Halted) {
            while let Some(operation) = self.server.storage.poll_operation() {
                self.server.outputs.push_back(Output::Disk(operation));
            }
        }
    }

    /// A server that looks for a leader in vain shows what it knows to be committed. Neither election nor
    /// log learn of it (ZOOKEEPER-3526). Who knows of nothing says nothing.
    fn serve_reads_if_alone(&mut self) {
        let is_due = matches!(self.role, State::Looking) && self.read_only_at <= self.server.time();
        if is_due {
            self.read_only_at = Instant::NEVER;
            let is_new = self.server.storage.last().zxid == Zxid::ZERO
                && self.server.storage.epochs().standing == Standing::Sound;
            if self.server.applied.zxid > Zxid::ZERO || is_new {
                self.server.clients.serve_reads_only();
                self.server.emit(Event::ReadOnly { applied: self.server.applied.zxid });
            }
        }
    }

    /// The members are others from now on.
    fn on_members(&mut self) {
        let members = &self.server.members;
        self.election.reconfigure(members.ensembles(), members.rumour(), members.texts());
        self.server.outputs.push_back(Output::Peers(Box::new(members.peers().clone())));
        let mut step = Ok(());
        match &mut self.role {
            State::Learning(learner) => {
                learner.on_members(&mut self.server);
                let votes = self.server.is_voter();
                self.election.settle(if votes { SenderState::Following } else { SenderState::Observing });
                if let Some(epoch) = learner.epoch.filter(|_| learner.serving()) {
                    self.election.refresh(epoch);
                }
            }
            // What it said until now was said to others (ZOOKEEPER-2212).
            State::Looking => self.look_again(),
            State::Leading(leader) => step = leader.on_members(&mut self.server),
            State::Settling { .. } | State::Halted => {}
        }
        self.or_leave(step);
    }

    fn look_again(&mut self) {
        self.end_read_only();
        self.election.leave();
        self.role = State::Settling { started: true, not_before: self.server.time() };
    }

    fn delivered(&mut self) {
        let (_, phase) = self.role();
        if phase == Phase::Broadcast {
            self.server.save_snapshot_if_due();
        }
        let step = match &mut self.role {
            State::Leading(leader) => leader.delivered(&mut self.server),
            _ => Ok(()),
        };
        self.or_leave(step);
    }

    fn on_storage(&mut self, event: StorageEvent) {
        match &event {
            StorageEvent::Failed(_) if mutated!(M73) => return,
            StorageEvent::Failed(reason) => return self.halt(reason.clone()),
            StorageEvent::Ready => {
                if let State::Settling { started, .. } = &mut self.role {
                    *started = true;
                }
            }
            StorageEvent::Installed(label) => {
                if let Installing::Whole(state) = core::mem::take(&mut self.server.installing) {
                    self.server.replace_state(*label, *state);
                    self.server.emit(Event::SnapshotInstalled { label: *label });
                }
            }
            StorageEvent::SnapshotSaved(label) => self.server.emit(Event::SnapshotSaved { label: *label }),
            StorageEvent::SnapshotAbandoned(label, Some(error)) => {
                let reason = alloc::format!("the snapshot at {} was given up: {error}", label.zxid);
                self.server.emit(Event::DiskFailed { reason });
            }
            _ => {}
        }
        let step = match &mut self.role {
            State::Learning(learner) => {
                let serving = learner.serving();
                let step = learner.on_storage(&mut self.server, &event);
                self.started_serving(serving);
                step
            }
            State::Leading(leader) => {
                let serving = leader.serving();
                let step = leader.on_storage(&mut self.server, &event);
                self.started_serving(serving);
                step
            }
            State::Settling { .. } | State::Looking | State::Halted => Ok(()),
        };
        self.or_leave(step);
    }

    /// Whoever begins to serve names the new epoch in its final vote (zab.md section 1.8).
    fn started_serving(&mut self, before: bool) {
        let epoch = match &self.role {
            State::Learning(learner) => learner.epoch,
            State::Leading(leader) => Some(leader.epoch),
            State::Settling { .. } | State::Looking | State::Halted => None,
        };
        if let (true, false, Some(epoch)) = (self.serving(), before, epoch) {
            self.election.refresh(epoch);
        }
    }

    fn halt(&mut self, reason: String) {
        self.server.emit(Event::DiskFailed { reason: reason.clone() });
        self.leave(Departure::DiskFailed);
        self.role = State::Halted;
        self.announce();
        self.server.outputs.push_back(Output::Halt { reason });
    }

    fn or_leave(&mut self, step: Step) {
        if let Err(why) = step {
            self.leave(why);
        }
    }

    /// Ends the present role.
    fn leave(&mut self, why: Departure) {
        let (role, phase) = self.role();
        // A leader in doubt about its own past may need a voter that is not there. As the best
        // candidate it would be elected again and again, though others could do without it.
        let in_doubt = self.server.storage.epochs().standing != Standing::Sound;
        if role == Role::Leading && phase == Phase::Discovery && in_doubt && !mutated!(Z04) {
            let others =
                self.server.ticks(self.server.config.init_limit) + self.server.config.election_backoff_max;
            self.stands_again_at = Some(self.server.time() + others);
        }
        match core::mem::replace(&mut self.role, State::Halted) {
            State::Learning(learner) => learner.hang_up(&mut self.server),
            State::Leading(mut leader) => leader.hang_up(&mut self.server),
            State::Settling { .. } | State::Looking | State::Halted => {}
        }
        self.server.emit(Event::Left { role, why });
        self.end_read_only();
        self.server.clients.close_all(&mut self.server.outputs);
        self.server.storage.abort_install();
        self.server.pinned = None;
        self.election.leave();
        self.server.members_changed |= self.server.members.forget_rumour();
        let delay = match (role, why) {
            // Observers do not come back all at the same moment (zab.md section 7).
            (Role::Observing, _) => {
                Duration(self.server.random.next_u64() % self.server.config.finalize_wait.0.max(1))
            }
            // A role that could not even begin is not tried again at once, nor is that of a leader with a
            // more recent follower: if that one does not stand, being in doubt, they would go on for ever.
            (Role::Looking, _) => self.server.config.tick_time,
            (_, Departure::FollowerMoreRecent) if !mutated!(Z10) => self.server.config.tick_time,
            _ => Duration::ZERO,
        };
        self.role = State::Settling { started: true, not_before: self.server.time() + delay };
        self.announce();
    }

    /// Starts an election when the disk has everything. Returns whether it did.
    fn look_when_settled(&mut self) -> bool {
        let State::Settling { started: true, not_before } = self.role else { return false };
        if not_before > self.server.time() || !(self.server.storage.is_settled() || mutated!(M08)) {
            return false;
        }
        // What a restart would find (R3, invariants.md Y14): a log that reaches into an epoch holds
        // that epoch's whole initial history.
        let (epochs, last) = (self.server.storage.epochs(), self.server.storage.last().zxid.epoch());
        if epochs.current_epoch < last && self.server.storage.is_settled() {
            let (accepted_epoch, accepted_leader) = match epochs.accepted_epoch {
                accepted if accepted < last => (last, None),
                accepted => (accepted, epochs.accepted_leader),
            };
            let current_epoch = last;
            self.server.storage.save_epochs(Epochs {
                accepted_epoch,
                accepted_leader,
                current_epoch,
                ..epochs
            });
            return false;
        }
        if self.server.storage.is_settled() {
            // A received snapshot that was not complete is gone.
            self.server.installing = Installing::Nothing;
        }
        self.role = State::Looking;
        self.announce();
        let service = &self.server.config.service;
        if service.read_only_mode && !service.linearizable_reads {
            let grace = self.server.config.tick_time.max(READ_ONLY_GRACE);
            self.read_only_at = self.server.time() + grace;
        }
        let epochs = self.server.storage.epochs();
        if self.stands_again_at.is_some_and(|end| end <= self.server.time()) && !mutated!(Z05) {
            self.stands_again_at = None;
        }
        let stands = self.stands_again_at.is_none();
        let may_vote =
            self.server.is_voter() && matches!(epochs.standing, Standing::Sound | Standing::Torn(_));
        let (current_epoch, last_zxid) = epochs.rank(self.server.claimed_last().zxid);
        self.election.look(self.server.time(), Candidacy { current_epoch, last_zxid, may_vote, stands });
        true
    }

    fn on_election(&mut self, output: ElectionOutput) {
        match output {
            ElectionOutput::Event(event) => self.server.emit(event),
            ElectionOutput::Send(peer, notification) => {
                if let Some(connection) = self.server.connections.get(&peer) {
                    self.votes_sent += 1;
                    let sequence = self.votes_sent;
                    let frame = Frame::Vote { boot: self.server.boot, sequence, notification };
                    self.server.outputs.push_back(Output::Send { peer, connection: *connection, frame });
                }
            }
            ElectionOutput::Decided(leader) => self.take_role(leader),
        }
    }

    fn end_read_only(&mut self) {
        self.read_only_at = Instant::NEVER;
        if self.server.clients.is_read_only() {
            self.server.clients.close_all(&mut self.server.outputs);
        }
    }

    fn take_role(&mut self, leader: ServerId) {
        if !matches!(self.role, State::Looking) {
            return;
        }
        self.end_read_only();
        if leader == self.server.id() {
            if !self.server.may_promise() {
                return self.leave(Departure::EstablishmentTimedOut);
            }
            match Leader::new(&mut self.server) {
                Ok(leader) => self.role = State::Leading(Box::new(leader)),
                Err(why) => return self.leave(why),
            }
            self.election.settle(SenderState::Leading);
            if let State::Leading(leader) = &mut self.role {
                leader.gather(&mut self.server);
            }
        } else {
            let state = if self.server.is_voter() { SenderState::Following } else { SenderState::Observing };
            self.election.settle(state);
            let learner = Learner::new(&mut self.server, leader);
            self.role = State::Learning(Box::new(learner));
        }
    }

    fn connection_changed(&mut self, peer: ServerId) {
        let step = match &mut self.role {
            State::Learning(learner) => learner.connection_changed(&mut self.server, peer),
            State::Leading(leader) => {
                leader.connection_changed(&mut self.server, peer);
                Ok(())
            }
            State::Settling { .. } | State::Looking | State::Halted => Ok(()),
        };
        self.or_leave(step);
    }

    fn on_frame(&mut self, peer: ServerId, connection: ConnectionId, bytes: &[u8]) {
        let current = self.server.connections.get(&peer) == Some(&connection);
        let is_stranger =
            !self.server.config.service.reconfig_enabled && !self.server.ensembles().is_member(peer);
        if is_stranger || (!current && self.server.config.link_checks && !mutated!(M77)) {
            return self.server.emit(Event::StaleFrame { peer });
        }
        let Ok(frame) = Frame::decode(bytes) else {
            self.server.emit(Event::LinkBroken { peer, reason: "an unreadable frame" });
            self.server.outputs.push_back(Output::Disconnect { peer, connection });
            self.server.connections.remove(&peer);
            return self.connection_changed(peer);
        };
        match frame {
            Frame::Vote { boot, sequence, notification } => {
                if self.votes.is_newest(peer, boot, sequence) {
                    self.learn_members(&notification);
                    self.election.handle(self.server.time(), peer, notification);
                } else {
                    self.server.emit(Event::StaleFrame { peer });
                }
            }
            Frame::Open { link } => self.on_open(peer, connection, link),
            Frame::Accept { link, boot } => {
                if let State::Learning(learner) = &mut self.role
                    && learner.leader == peer
                {
                    learner.on_accept(&mut self.server, connection, link, boot);
                }
            }
            Frame::Data { link, boot, sequence, message } => {
                let serving = self.serving();
                let step = match &mut self.role {
                    State::Learning(learner) => {
                        learner.on_data(&mut self.server, peer, link, boot, sequence, message)
                    }
                    State::Leading(leader) => {
                        leader.on_data(&mut self.server, peer, link, boot, sequence, message)
                    }
                    State::Settling { .. } | State::Looking | State::Halted => {
                        self.server.emit(Event::StaleFrame { peer });
                        Ok(())
                    }
                };
                self.started_serving(serving);
                self.or_leave(step);
            }
            Frame::Reset { link } => {
                let step = match &mut self.role {
                    State::Learning(learner) => learner.on_reset(peer, link),
                    State::Leading(leader) => {
                        leader.on_reset(&mut self.server, peer, link);
                        Ok(())
                    }
                    State::Settling { .. } | State::Looking | State::Halted => Ok(()),
                };
                self.or_leave(step);
            }
        }
    }

    /// A server that was away while the voters changed learns of it from those that vote now.
    fn learn_members(&mut self, notification: &Notification) {
        if !matches!(self.role, State::Looking) {
            return;
        }
        let (members, mut is_news) = (&mut self.server.members, false);
        if notification.config_version > members.ensembles().present.version
            && let Ok(present) = Membership::parse(&notification.members)
        {
            is_news = members.learn(present);
        }
        if !notification.next_members.is_empty()
            && let Ok(next) = Membership::parse(&notification.next_members)
            // What the log has gone past without it was never committed.
            && next.ensemble.version > self.server.storage.last().zxid.0
        {
            is_news |= if mutated!(M133) { members.learn(next) } else { members.hear(next) };
        }
        if is_news {
            self.on_members();
        }
    }

    /// A learner asks for a link. Only a leader has one to give; a server that is still looking
    /// may become one, so it says nothing and is asked again.
    fn on_open(&mut self, peer: ServerId, connection: ConnectionId, link: LinkIncarnation) {
        match &mut self.role {
            State::Leading(leader) => leader.on_open(&mut self.server, peer, connection, link),
            State::Learning(_) => {
                let frame = Frame::Reset { link };
                self.server.outputs.push_back(Output::Send { peer, connection, frame });
            }
            State::Settling { .. } | State::Looking | State::Halted => {}
        }
    }

    /// A frame of a client. A server that does not serve sends its clients away.
    fn on_client_frame(&mut self, client: ClientId, frame: &Bytes) {
        let serving = self.serving() || self.server.clients.is_read_only();
        let server = &mut self.server;
        if serving && frame.len() <= server.config.service.frame_limit {
            let applied = Applied { state: &server.state, zxid: server.applied.zxid };
            server.clients.frame(client, frame, applied, &mut server.outputs);
        } else {
            server.clients.close(client, &mut server.outputs);
        }
    }

    /// Brings a question of this server's clients to the leader.
    fn carry(&mut self, ask: Ask) {
        let server = &mut self.server;
        let mut step = Ok(());
        match (&mut self.role, ask) {
            (State::Learning(learner), Ask::Write(request)) => learner.forward(server, &request),
            (State::Learning(learner), Ask::Sync(number)) => learner.sync(server, number),
            (State::Learning(learner), Ask::Attach { client, session, timeout }) => {
                learner.attach(server, client, session, timeout);
            }
            (State::Leading(leader), Ask::Write(request)) => step = leader.propose(server, &request),
            (State::Leading(leader), Ask::Sync(number)) => leader.sync(server, number),
            (State::Leading(leader), Ask::Attach { client, session, timeout }) => {
                let owner = Owner { server: server.id(), boot: server.boot, client: client.0 };
                leader.attach(server, owner, session, timeout);
            }
            (State::Settling { .. } | State::Looking | State::Halted, _) => {}
        }
        self.or_leave(step);
    }
}
