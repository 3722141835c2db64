//! Leader election: a heuristic that quickly finds a server that is worth trying. Discovery
//! re-checks everything, so safety never depends on what is decided here (invariants.md E11).
//!
//! Everything that a notification says of votes may be a lie; the worst that it can do is to cost time. What it
//! says of the members is trusted, as all that peers say.

mod ballot;
mod basic;
mod fast;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeSet;
use alloc::string::String;

use self::ballot::{Ballot, Decision};
use self::basic::Basic;
use self::fast::Fast;
use crate::config::{Config, ElectionAlgorithm};
use crate::event::Event;
use crate::identity::{Epoch, ServerId, Zxid};
use crate::message::{Notification, SenderState, Vote};
use crate::mutated;
use crate::quorum::{Ensemble, Ensembles};
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
    /// Whether it proposes itself. One that does not votes for the best of the others.
    pub stands: bool,
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
pub struct Election {
    ballot: Ballot,
    algorithm: Algorithm,
}

enum Algorithm {
    Fast(Fast),
    Basic(Basic),
    /// Says nothing, and decides what [`Election::elect`] is told.
    External,
}

impl Election {
    /// A server that has not started to look yet.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let algorithm = match config.election {
            ElectionAlgorithm::Fast => Algorithm::Fast(Fast::new(config)),
            ElectionAlgorithm::Basic => Algorithm::Basic(Basic::new(config)),
            ElectionAlgorithm::External => Algorithm::External,
        };
        Self { ballot: Ballot::new(config), algorithm }
    }

    /// Starts a new round.
    pub fn look(&mut self, now: Instant, candidacy: Candidacy) {
        self.ballot.look(candidacy);
        match &mut self.algorithm {
            Algorithm::Fast(fast) => fast.look(now, &mut self.ballot),
            Algorithm::Basic(basic) => basic.look(now, &mut self.ballot),
            Algorithm::External => {}
        }
    }

    /// The driver names the leader ([`ElectionAlgorithm::External`]). Ignored by the other
    /// algorithms, in any state but LOOKING, and for a server that must not lead.
    pub fn elect(&mut self, leader: ServerId) {
        let external = matches!(self.algorithm, Algorithm::External);
        if external && self.ballot.is_looking() && self.ballot.may_take(leader) {
            let vote = self.ballot.own.filter(|own| own.leader == leader);
            let (round, supporters) = (self.ballot.round, BTreeSet::new());
            self.ballot.decide(Decision { leader, vote, round, supporters, through_settled: false });
        }
    }

    /// The round was decided and this server took the role: from now on it answers with its final
    /// vote (zab.md section 1.7).
    pub fn settle(&mut self, state: SenderState) {
        self.ballot.state = Some(state);
    }

    /// This server serves in `epoch`: the final vote names it from now on (zab.md section 1.8,
    /// ZOOKEEPER-1732). Having been synchronized, a voter that was blank counts again.
    pub fn refresh(&mut self, epoch: Epoch) {
        self.ballot.counted = self.ballot.is_voter();
        if let Some(vote) = self.ballot.vote.as_mut().filter(|_| !mutated!(M52b)) {
            vote.peer_epoch = epoch;
        }
    }

    /// The members are others from now on: those to count, those of whom this server may let itself be
    /// counted, and what servers are told that have heard of neither.
    pub fn reconfigure(
        &mut self,
        ensembles: &Ensembles,
        rumour: Option<&Ensemble>,
        texts: &(String, String),
    ) {
        self.ballot.ensembles = ensembles.clone();
        if mutated!(M132) {
            self.ballot.ensembles.next = None;
        }
        self.ballot.rumour = rumour.cloned();
        self.ballot.texts = texts.clone();
    }

    /// The role has ended, and [`Election::look`] comes later: until then this server claims
    /// nothing.
    pub fn leave(&mut self) {
        self.ballot.state = None;
    }

    /// A notification arrived; older and duplicate ones of the same sender were dropped before.
    pub fn handle(&mut self, now: Instant, from: ServerId, notification: Notification) {
        if from == self.ballot.id {
            return;
        }
        match &mut self.algorithm {
            Algorithm::Fast(fast) => fast.handle(now, &mut self.ballot, from, notification),
            Algorithm::Basic(basic) => basic.handle(now, &mut self.ballot, from, notification),
            Algorithm::External => {}
        }
    }

    /// A connection to a peer is up: the last notification for it may have been lost.
    pub fn connected(&mut self, now: Instant, peer: ServerId) {
        self.ballot.connected.insert(peer);
        match &mut self.algorithm {
            Algorithm::Fast(fast) => fast.connected(&mut self.ballot, peer),
            Algorithm::Basic(basic) => basic.connected(now, &mut self.ballot, peer),
            Algorithm::External => {}
        }
    }

    /// Runs what is due.
    pub fn tick(&mut self, now: Instant) {
        match &mut self.algorithm {
            Algorithm::Fast(fast) => fast.tick(now, &mut self.ballot),
            Algorithm::Basic(basic) => basic.tick(now, &mut self.ballot),
            Algorithm::External => {}
        }
    }

    /// When [`Election::tick`] is needed, [`Instant::NEVER`] if it is not.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        match &self.algorithm {
            Algorithm::Fast(fast) => fast.deadline(&self.ballot),
            Algorithm::Basic(basic) => basic.deadline(&self.ballot),
            Algorithm::External => Instant::NEVER,
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<ElectionOutput> {
        self.ballot.outputs.pop_front()
    }

    /// The round (logical clock).
    #[must_use]
    pub fn round(&self) -> u64 {
        self.ballot.round
    }

    /// This server's present or final vote.
    #[must_use]
    pub fn vote(&self) -> Option<Vote> {
        self.ballot.vote
    }

    /// The servers whose votes made the last decision, for checkers (E3). Nobody's, if the driver
    /// named the leader.
    #[must_use]
    pub fn supporters(&self) -> &BTreeSet<ServerId> {
        &self.ballot.supporters
    }
}
