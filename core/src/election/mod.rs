//! Leader election: a heuristic that quickly finds a server that is worth trying. Discovery
//! re-checks everything, so safety never depends on what is decided here (invariants.md E11).

use alloc::collections::VecDeque;

use crate::config::Config;
use crate::event::Event;
use crate::identity::{Epoch, ServerId, Zxid};
use crate::message::{Notification, SenderState};
use crate::time::Instant;

/// What a server may put into its own vote: from its durable state alone (E2, R7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidacy {
    /// Its current epoch.
    pub current_epoch: Epoch,
    /// The end of its durable log.
    pub last_zxid: Zxid,
    /// It has a vote: not an observer, and not a server whose data are gone (ZOOKEEPER-2325).
    pub may_vote: bool,
}

/// What an election wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElectionOutput {
    /// Send a notification; a newer one to the same server replaces it.
    Send(ServerId, Notification),
    /// This server's election is over: try this leader, which may be this server itself.
    Decided(ServerId),
    /// Something worth seeing.
    Event(Event),
}

/// The election of one server, over all its roles: it also answers others while this server
/// follows or leads.
pub struct Election {}

impl Election {
    /// A server that has not started to look yet.
    #[must_use]
    pub fn new(_config: &Config) -> Self {
        unimplemented!()
    }

    /// Starts a new round.
    pub fn look(&mut self, _now: Instant, _candidacy: Candidacy) {
        unimplemented!()
    }

    /// The round was decided and this server took the role: from now on it answers with its final
    /// vote (zab.md section 1.7).
    pub fn settle(&mut self, _state: SenderState) {
        unimplemented!()
    }

    /// This server serves in `epoch`: the final vote names it from now on (zab.md section 1.8,
    /// ZOOKEEPER-1732).
    pub fn refresh(&mut self, _epoch: Epoch) {
        unimplemented!()
    }

    /// A notification arrived; older and duplicate ones of the same sender were dropped before.
    pub fn handle(&mut self, _now: Instant, _from: ServerId, _notification: Notification) {
        unimplemented!()
    }

    /// A connection to a peer is up: the last notification for it may have been lost.
    pub fn connected(&mut self, _now: Instant, _peer: ServerId) {
        unimplemented!()
    }

    /// Runs what is due.
    pub fn tick(&mut self, _now: Instant) {
        unimplemented!()
    }

    /// When [`Election::tick`] is needed, [`Instant::NEVER`] if it is not.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        unimplemented!()
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<ElectionOutput> {
        unimplemented!()
    }

    /// The servers whose votes made the decision, and the round, for checkers (E3).
    #[must_use]
    pub fn round(&self) -> u64 {
        unimplemented!()
    }

    /// This server's present or final vote.
    #[must_use]
    pub fn vote(&self) -> Option<crate::message::Vote> {
        unimplemented!()
    }
}

#[allow(dead_code, reason = "a placeholder")]
type Queue = VecDeque<ElectionOutput>;

impl Election {
    /// The driver names the leader ([`crate::config::ElectionAlgorithm::External`]).
    pub fn elect(&mut self, _leader: ServerId) {
        unimplemented!()
    }
}
