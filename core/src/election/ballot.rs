//! This server's part in an election, whatever the algorithm: its state, its round, its vote, and
//! what it tells the others.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::String;

use super::{Candidacy, ElectionOutput};
use crate::config::Config;
use crate::event::Event;
use crate::identity::ServerId;
use crate::message::{Notification, SenderState, Vote};
use crate::mutated;
use crate::quorum::{Ensemble, Ensembles};

/// What this server stands for in an election.
pub(super) struct Ballot {
    pub(super) id: ServerId,
    pub(super) ensembles: Ensembles,
    /// Others count these too: this server votes for them, and lets itself be counted.
    pub(super) rumour: Option<Ensemble>,
    /// What the present members and the next ones are, once a reconfig made them.
    pub(super) texts: (String, String),
    /// Reconfig is on: anybody may know later members.
    members_may_change: bool,
    /// Who ever was connected.
    pub(super) connected: BTreeSet<ServerId>,
    /// `None` while this server takes no part: before its first look, and between two roles.
    pub(super) state: Option<SenderState>,
    pub(super) round: u64,
    /// The highest round in which this server ever proposed somebody. A decision may move `round`
    /// backwards; without this, later rounds would be used a second time, and a vote could
    /// decrease within a round (E1).
    highest_round: u64,
    /// The present proposal, or the final vote.
    pub(super) vote: Option<Vote>,
    /// The vote for this server itself; `None` if it must not lead.
    pub(super) own: Option<Vote>,
    /// This server's votes count: it is a voter, and its data are not gone (E4, E5).
    pub(super) counted: bool,
    /// The servers whose votes made the last decision (E3).
    pub(super) supporters: BTreeSet<ServerId>,
    pub(super) outputs: VecDeque<ElectionOutput>,
}

/// What was last heard from a voter.
#[derive(Clone, Copy)]
pub(super) struct Heard {
    pub(super) state: SenderState,
    pub(super) vote: Vote,
    pub(super) round: u64,
}

/// How an election ended.
pub(super) struct Decision {
    pub(super) leader: ServerId,
    /// The final vote; `None` only if the driver named the leader.
    pub(super) vote: Option<Vote>,
    pub(super) round: u64,
    pub(super) supporters: BTreeSet<ServerId>,
    pub(super) through_settled: bool,
}

/// The order on votes: the greater epoch wins, then the greater zxid, then the greater id
/// (zab.md section 1.2).
pub(super) fn beats(candidate: Vote, other: Vote) -> bool {
    if mutated!(M59) {
        let key = |vote: Vote| (vote.zxid, vote.peer_epoch, vote.leader);
        return key(candidate) > key(other);
    }
    if mutated!(M60) {
        return candidate.zxid > other.zxid;
    }
    if mutated!(M61) {
        let key = |vote: Vote| (vote.peer_epoch, vote.zxid, core::cmp::Reverse(vote.leader));
        return key(candidate) > key(other);
    }
    candidate > other
}

/// The better of two votes; any vote is better than none.
pub(super) fn better(one: Option<Vote>, other: Option<Vote>) -> Option<Vote> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if beats(one, other) { one } else { other }),
        _ => one.or(other),
    }
}

impl Ballot {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            id: config.id,
            ensembles: config.ensemble.clone().into(),
            rumour: None,
            texts: Default::default(),
            members_may_change: config.service.reconfig_enabled,
            connected: BTreeSet::new(),
            state: None,
            round: 0,
            highest_round: 0,
            vote: None,
            own: None,
            counted: false,
            supporters: BTreeSet::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Starts a new round with this server's own vote (zab.md sections 1.3 and 1.4).
    pub(super) fn look(&mut self, candidacy: Candidacy) {
        self.state = Some(SenderState::Looking);
        self.counted = self.is_voter() && (candidacy.may_vote || mutated!(M64));
        // A voter of weight 0 votes, but proposes nobody of its own (zab.md section 12).
        let stands = self.counted && candidacy.stands && self.ensembles.may_lead(self.id);
        self.own = stands.then_some(Vote {
            peer_epoch: candidacy.current_epoch,
            zxid: candidacy.last_zxid,
            leader: self.id,
        });
        self.next_round(self.own);
    }

    /// Proposes `vote` in a round in which this server has not proposed anything yet.
    pub(super) fn next_round(&mut self, vote: Option<Vote>) {
        // A peer may have lied about its round, so the last one can be reached. Election goes on
        // in it: rounds only speed it up.
        self.propose(self.round.max(self.highest_round).saturating_add(1), vote);
    }

    /// Proposes `vote` in `round`.
    pub(super) fn propose(&mut self, round: u64, vote: Option<Vote>) {
        if (round, vote) != (self.round, self.vote) {
            self.outputs.push_back(ElectionOutput::Event(Event::Voted { round, vote }));
        }
        self.round = round;
        self.highest_round = self.highest_round.max(round);
        self.vote = vote;
    }

    pub(super) fn decide(&mut self, decision: Decision) {
        let Decision { leader, vote, round, supporters, through_settled } = decision;
        let round_moved_back = round < self.round;
        self.state = Some(match leader {
            leader if leader == self.id => SenderState::Leading,
            _ if self.is_voter() => SenderState::Following,
            _ => SenderState::Observing,
        });
        self.round = round;
        self.vote = vote;
        self.supporters = supporters;
        let event = Event::Decided { leader, round, through_settled, round_moved_back };
        self.outputs.extend([ElectionOutput::Event(event), ElectionOutput::Decided(leader)]);
    }

    /// Whether this server may become the leader of a decision: blank servers and observers never
    /// lead, whatever others say about them (E4, E5).
    pub(super) fn may_take(&self, leader: ServerId) -> bool {
        if leader == self.id { self.own.is_some() } else { self.may_lead(leader) }
    }

    pub(super) fn is_voter(&self) -> bool {
        self.has_vote(self.id)
    }

    /// Whether `peer` is told of this server's votes: a voter, or anybody who may know later members.
    pub(super) fn is_asked(&self, peer: ServerId) -> bool {
        self.has_vote(peer) || self.members_may_change
    }

    /// Whether `server` may lead somebody's ensemble.
    pub(super) fn may_lead(&self, server: ServerId) -> bool {
        self.ensembles.iter().chain(&self.rumour).any(|ensemble| ensemble.may_lead(server))
    }

    /// Whether `server` has a vote in somebody's ensemble.
    pub(super) fn has_vote(&self, server: ServerId) -> bool {
        self.ensembles.iter().chain(&self.rumour).any(|ensemble| ensemble.is_voter(server))
    }

    /// All that have a vote in somebody's ensemble: whose votes are worth waiting for.
    pub(super) fn voters(&self) -> impl Iterator<Item = ServerId> {
        let rumour = self.rumour.iter().filter(|_| !mutated!(Z12));
        self.ensembles.voters().chain(rumour.flat_map(Ensemble::voters))
    }

    pub(super) fn is_looking(&self) -> bool {
        self.state == Some(SenderState::Looking)
    }

    /// What this server tells others. Votes that do not count are not told.
    pub(super) fn notification(&self, round: u64, query: bool) -> Notification {
        Notification {
            state: self.state.unwrap_or(SenderState::Looking),
            vote: self.vote.filter(|_| self.counted),
            round,
            config_version: self.ensembles.present.version,
            members: self.texts.0.clone(),
            next_members: self.texts.1.clone(),
            query,
        }
    }

    pub(super) fn send(&mut self, to: ServerId, notification: Notification) {
        self.outputs.push_back(ElectionOutput::Send(to, notification));
    }

    pub(super) fn send_to_voters(&mut self, notification: &Notification) {
        let asked = self.connected.iter().copied().filter(|peer| self.is_asked(*peer));
        let asked: BTreeSet<ServerId> = self.voters().chain(asked).collect();
        let sends = asked.into_iter().filter(|to| *to != self.id);
        self.outputs.extend(sends.map(|to| ElectionOutput::Send(to, notification.clone())));
    }
}
