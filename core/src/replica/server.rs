//! What a server has in every role: its disk, its state, its connections and its clients.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::vec::Vec;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use super::members::Members;
use crate::clients::{Applied, Clients};
use crate::codec::DecodeError;
use crate::config::Config;
use crate::event::Event;
use crate::identity::{Bytes, Position, ServerId, Zxid};
use crate::io::{ConnectionId, Output};
use crate::membership::Membership;
use crate::message::LinkIncarnation;
use crate::mutated;
use crate::quorum::{Ensemble, Ensembles};
use crate::state::{State, StateBuilder};
use crate::storage::{DiskError, Standing, Storage};
use crate::time::{Duration, Instant, Now};
use crate::wire::{Change, Transaction};

/// The digest of the tree is remembered after every so manyth transaction, and of so many of them at
/// most, as in ZooKeeper.
const DIGEST_INTERVAL: u64 = 128;
const DIGESTS_AT_MOST: usize = 1024;

/// The state that a leader is sending.
#[derive(Debug, Default)]
pub(super) enum Installing {
    #[default]
    Nothing,
    Collecting(Box<StateBuilder>),
    /// All of it is here, and is a state; the disk does not have it yet.
    Whole(Box<State>),
}

impl Installing {
    /// Adds a chunk.
    pub(super) fn add(&mut self, chunk: &[u8], last: bool) -> Result<(), DecodeError> {
        let Self::Collecting(builder) = self else { return Err(DecodeError) };
        builder.add(chunk)?;
        if last && let Self::Collecting(builder) = core::mem::take(self) {
            *self = Self::Whole(Box::new(builder.finish()?));
        }
        Ok(())
    }
}

pub(super) struct Server {
    pub(super) config: Config,
    pub(super) now: Now,
    /// Drawn at the start: tells this life of the server from all others.
    pub(super) boot: u64,
    pub(super) random: ChaCha8Rng,
    pub(super) storage: Storage,
    pub(super) state: State,
    /// How far the state is.
    pub(super) applied: Position,
    /// What is known to be committed. Never beyond the log.
    pub(super) committed: Zxid,
    /// What the last snapshot on disk covers, or the one that is being written.
    snapshot: u64,
    /// Transactions applied since the state last was what a snapshot holds.
    pub(super) connections: BTreeMap<ServerId, ConnectionId>,
    pub(super) clients: Clients,
    /// A snapshot that the leader is sending, put together next to the state that it replaces.
    pub(super) installing: Installing,
    /// Entries that memory must not forget: a learner is being sent what precedes them.
    pub(super) pinned: Option<Zxid>,
    /// Links opened in this boot.
    attempts: u64,
    /// Readings of the log asked for in this boot, by this leadership and those before it.
    reads: u64,
    /// ZooKeeper's digest of the tree after some transactions, oldest first.
    pub(super) digests: VecDeque<(Zxid, u64)>,
    pub(super) members: Members,
    /// The role and the election have not heard yet of other members.
    pub(super) members_changed: bool,
    pub(super) outputs: VecDeque<Output>,
    #[cfg(feature = "mutants")]
    pub(super) planted: super::planted::Planted,
}

impl Server {
    pub(super) fn new(config: Config, now: Now, mut random: ChaCha8Rng, storage: Storage) -> Self {
        let boot = random.next_u64();
        let clients = Clients::new(config.service.clone(), config.id, boot);
        let members = Members::new(&config);
        let mut server = Self {
            config,
            now,
            boot,
            random,
            storage,
            state: State::default(),
            applied: Position::EMPTY,
            committed: Zxid::ZERO,
            snapshot: 0,
            connections: BTreeMap::new(),
            clients,
            installing: Installing::Nothing,
            pinned: None,
            attempts: 0,
            reads: 0,
            digests: VecDeque::new(),
            members,
            members_changed: false,
            outputs: VecDeque::new(),
            #[cfg(feature = "mutants")]
            planted: super::planted::Planted::default(),
        };
        server.take_members();
        server
    }

    /// The state says who the members are, once a reconfig was applied. Until then, and without reconfig,
    /// it shows what this server's operator wrote. What the operator is told may be of a later reconfig
    /// than a snapshot is.
    fn take_members(&mut self) {
        let service = &self.config.service;
        let members = self.state.membership().filter(|_| service.reconfig_enabled);
        match members {
            None => self.state.set_config(service.ensemble_text.as_bytes().into()),
            Some(members) => self.adopt(members),
        }
        let (applied, last) = (self.applied.zxid, self.storage.last().zxid);
        self.members_changed |= self.members.stand(&self.state, applied, last);
    }

    /// What the log says of the members beyond the state.
    pub(super) fn read_members(&mut self) {
        if self.config.service.reconfig_enabled {
            for entry in self.storage.entries_after(self.applied.zxid) {
                if let Ok(transaction) = Transaction::decode(&entry.payload) {
                    self.members_changed |= self.members.logged(entry.position.zxid, &transaction.change);
                }
            }
        }
    }

    pub(super) fn ensembles(&self) -> &Ensembles {
        self.members.ensembles()
    }

    /// Appends a transaction to the log. What it says of the members counts from now on.
    pub(super) fn append(&mut self, zxid: Zxid, payload: Bytes, change: &Change) {
        self.storage.append(zxid, payload);
        self.members_changed |= self.members.logged(zxid, change);
    }

    pub(super) fn truncate(&mut self, to: Zxid) {
        self.storage.truncate(to);
        self.members_changed |= self.members.stand(&self.state, self.applied.zxid, to);
    }

    pub(super) fn adopt(&mut self, members: Membership) {
        if members.ensemble.version > self.config.ensemble.version {
            self.config.ensemble = members.ensemble.clone();
            self.outputs.push_back(Output::Members(Box::new(members)));
        }
    }

    pub(super) fn id(&self) -> ServerId {
        self.config.id
    }

    pub(super) fn time(&self) -> Instant {
        self.now.monotonic
    }

    pub(super) fn ticks(&self, count: u32) -> Duration {
        self.config.tick_time.times(u64::from(count))
    }

    pub(super) fn emit(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    pub(super) fn is_voter(&self) -> bool {
        let hears_of_it = |rumour: &Ensemble| rumour.is_voter(self.id());
        self.ensembles().is_voter(self.id()) || self.members.rumour().is_some_and(hears_of_it)
    }

    /// Whether this server may promise epochs, and be counted when it does: a voter that knows
    /// what it promised before (ZOOKEEPER-2325).
    pub(super) fn may_promise(&self) -> bool {
        self.is_voter() && self.storage.epochs().standing != Standing::Blank
    }

    pub(super) fn next_link(&mut self) -> LinkIncarnation {
        self.attempts += 1;
        LinkIncarnation { boot: self.boot, attempt: self.attempts }
    }

    /// Names a reading of the log. One that an earlier leadership asked for may still be under way,
    /// and must not be taken for one of the present.
    pub(super) fn next_read(&mut self) -> u64 {
        self.reads += 1;
        self.reads
    }

    /// A state that was read from the disk, or came from the leader.
    pub(super) fn replace_state(&mut self, label: Position, state: State) {
        self.state = state;
        self.digests.clear();
        self.applied = label;
        if !mutated!(M82) {
            self.take_members();
        }
        self.committed = label.zxid;
        self.snapshot = 0;
    }

    /// The end of the log, as votes and promises name it: all of it is durable when they do (R7).
    pub(super) fn claimed_last(&self) -> Position {
        #[cfg(feature = "mutants")]
        if let Some(zxid) = self.planted.claimed_last {
            return Position { zxid, ..self.storage.last() };
        }
        if mutated!(M09) {
            return self.applied;
        }
        self.storage.last()
    }

    /// Where each epoch ends in the log, newest first, down to what memory holds.
    pub(super) fn epoch_ends(&self) -> Vec<Position> {
        let mut ends: Vec<Position> = Vec::new();
        let base = self.storage.base();
        let entries = self.storage.entries_after(base.zxid).rev().map(|entry| entry.position);
        for position in entries.chain([base]) {
            if ends.last().is_none_or(|end| end.zxid.epoch() != position.zxid.epoch()) {
                ends.push(position);
            }
        }
        ends
    }

    /// Learns that everything up to `zxid` is committed. Only what the log holds counts; the
    /// caller vouches that the log is a prefix of its leader's history (invariants.md Y6).
    pub(super) fn learn_commit(&mut self, zxid: Zxid) {
        // A leader may name no transaction at all, or one that is still to come.
        let Some(Position { zxid, .. }) = self.storage.position_upto(zxid) else { return };
        if zxid > self.committed {
            self.committed = zxid;
            if zxid > self.storage.durable() {
                self.emit(Event::CommitAheadOfDisk { zxid });
            }
        }
    }

    /// Applies what is committed and durable (R6). Returns whether anything was.
    pub(super) fn deliver(&mut self) -> bool {
        let target = self.committed.min(self.storage.durable());
        if target <= self.applied.zxid || self.storage.has_failed() {
            return false;
        }
        let (mut delivered, mut is_reconfigured) = (0, false);
        let (mut wrong, mut late) = (None, VecDeque::new());
        #[cfg(feature = "mutants")]
        let mut early = None;
        for entry in self.storage.entries_after(self.applied.zxid) {
            if entry.position.zxid > target {
                break;
            }
            let position = entry.position;
            let transaction = match Transaction::decode(&entry.payload) {
                Ok(transaction) if transaction.zxid == position.zxid => transaction,
                _ => {
                    // Whole and in its place, and yet nothing that this program knows: perhaps another
                    // version wrote it. To go on without it would be to diverge.
                    wrong = Some(format!("the log at {position} holds no transaction"));
                    break;
                }
            };
            delivered += 1;
            #[cfg(feature = "mutants")]
            let transaction = {
                self.planted.forwarded.retain(|request| request.origin != transaction.origin);
                let is_labelled_early = match transaction.change {
                    Change::Multi(_) => mutated!(M86),
                    Change::CreateSession { .. } | Change::CloseSession { .. } => mutated!(M87),
                    _ => false,
                };
                if is_labelled_early && self.snapshot + delivered >= self.config.snapshot_interval {
                    early = Some((position, self.state.snapshot()));
                }
                let time = if mutated!(M98) { self.now.wall_millis.cast_signed() } else { transaction.time };
                Transaction { time, ..transaction }
            };
            let applied = Applied { state: &self.state, zxid: self.applied.zxid };
            self.clients.precede(&transaction, applied, &mut self.outputs);
            let outcome = self.state.apply(&transaction, &mut |trigger| {
                let outputs = if mutated!(M123) { &mut late } else { &mut self.outputs };
                self.clients.notify(&trigger, outputs);
            });
            self.applied = position;
            if transaction.digest.is_some_and(|digest| digest != self.state.digest()) {
                wrong = Some(format!("the state after {position} is not what the leader made of it"));
                break;
            }
            if position.zxid.0.is_multiple_of(DIGEST_INTERVAL) {
                if self.digests.len() == DIGESTS_AT_MOST {
                    self.digests.pop_front();
                }
                self.digests.push_back((position.zxid, self.state.node_digest()));
            }
            self.clients.committed(&transaction, &outcome, &mut self.outputs);
            is_reconfigured |=
                matches!(transaction.change, Change::Reconfig { .. } | Change::NextMembers { .. });
        }
        if is_reconfigured {
            self.take_members();
        }
        if let Some(reason) = wrong {
            self.storage.fail(reason, DiskError::Failed);
        }
        #[cfg(feature = "mutants")]
        if let Some((label, state)) = early {
            self.storage.save_snapshot(label, state);
        }
        self.snapshot += delivered;
        assert!(
            self.applied.zxid <= self.committed && self.committed <= self.storage.last().zxid,
            "applied {} <= committed {} <= logged {}",
            self.applied.zxid,
            self.committed,
            self.storage.last().zxid
        );
        self.emit(Event::Delivered { upto: self.applied });
        self.answer();
        self.outputs.append(&mut late); // Nothing, but for M123.
        self.forget();
        true
    }

    /// Answers the clients whatever this state answers.
    pub(super) fn answer(&mut self) {
        let applied = Applied { state: &self.state, zxid: self.applied.zxid };
        self.clients.answer(applied, &mut self.outputs);
    }

    /// Starts a snapshot when enough transactions have been applied. Only committed state is ever
    /// applied, so only committed state is ever saved (R9).
    pub(super) fn save_snapshot_if_due(&mut self) {
        if self.snapshot >= self.config.snapshot_interval {
            self.snapshot = 0;
            self.storage.save_snapshot(self.applied, self.state.snapshot());
        }
    }

    /// Keeps the window of committed transactions at its size.
    fn forget(&mut self) {
        let window = self.config.sync_window;
        // A quarter more than asked for, so that this is rare.
        let most = window.saturating_add(window / 4);
        let total = self.storage.entries_after(self.storage.base().zxid).len();
        if total <= most {
            return;
        }
        let keep_from = self.pinned.map_or(self.applied.zxid, |pin| pin.min(self.applied.zxid));
        let settled = total - self.storage.entries_after(keep_from).len();
        if settled > most {
            let nth = settled - window - 1;
            let last = self.storage.entries_after(self.storage.base().zxid).nth(nth).map(|e| e.position.zxid);
            if let Some(last) = last {
                self.storage.forget(last);
            }
        }
    }
}
