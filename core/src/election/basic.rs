//! The older basic election, `electionAlg=0`: ask every voter for its vote, count, vote for the
//! best candidate seen, and repeat until a quorum agrees.

use alloc::collections::{BTreeMap, BTreeSet};

use super::ballot::{Ballot, Decision, better};
use crate::config::Config;
use crate::identity::ServerId;
use crate::message::{Notification, SenderState, Vote};
use crate::time::{Duration, Instant};

/// What the basic election keeps beside the ballot, whose round is the number of the query.
pub(super) struct Basic {
    /// Who answered the present query, and with which vote.
    answers: BTreeMap<ServerId, (SenderState, Option<Vote>)>,
    /// Waiting for answers until `until`, otherwise pausing until then.
    asking: bool,
    until: Instant,
    pause: Duration,
    /// How long answers may take, and the shortest pause.
    wait: Duration,
    pause_max: Duration,
}

impl Basic {
    pub(super) fn new(config: &Config) -> Self {
        let wait = config.finalize_wait.max(Duration::from_millis(1));
        Self {
            answers: BTreeMap::new(),
            asking: false,
            until: Instant::NEVER,
            pause: wait,
            wait,
            pause_max: config.election_backoff_max.max(wait),
        }
    }

    /// The round has just begun with this server's own vote.
    pub(super) fn look(&mut self, now: Instant, ballot: &mut Ballot) {
        self.pause = self.wait;
        self.ask(now, ballot);
    }

    fn ask(&mut self, now: Instant, ballot: &mut Ballot) {
        let query = ballot.notification(ballot.round, true);
        ballot.send_to_voters(&query);
        self.asking = true;
        self.until = now + self.wait;
        self.answers.clear();
        if ballot.is_voter() {
            self.answered(now, ballot, ballot.id, query);
        }
    }

    pub(super) fn handle(
        &mut self,
        now: Instant,
        ballot: &mut Ballot,
        from: ServerId,
        message: Notification,
    ) {
        if message.query {
            if ballot.state.is_some() {
                ballot.send(from, ballot.notification(message.round, false));
            }
        } else if ballot.is_looking() && self.asking && message.round == ballot.round && ballot.has_vote(from)
        {
            self.answered(now, ballot, from, message);
        }
    }

    fn answered(&mut self, now: Instant, ballot: &mut Ballot, from: ServerId, answer: Notification) {
        let vote = answer.vote.filter(|vote| ballot.may_take(vote.leader));
        self.answers.insert(from, (answer.state, vote));
        if ballot.voters().all(|id| self.answers.contains_key(&id)) {
            self.count(now, ballot);
        }
    }

    /// Decides for a candidate with a quorum of votes, or votes for the best one and pauses.
    ///
    /// A candidate is who answered with a vote for itself: votes for servers that are gone, or
    /// that gave up their candidacy, are stale (ZOOKEEPER-569).
    fn count(&mut self, now: Instant, ballot: &mut Ballot) {
        let mut best = ballot.own;
        for (candidate, (state, vote)) in &self.answers {
            let Some(vote) = vote.filter(|vote| vote.leader == *candidate) else { continue };
            let supporters = self.supporters(*candidate);
            // As in the fast election: one that leads already has its quorum.
            let leads = *state == SenderState::Leading;
            if ballot.ensembles.is_quorum(&supporters)
                || leads && ballot.ensembles.is_quorum_of_one(&supporters)
            {
                return ballot.decide(Decision {
                    leader: *candidate,
                    vote: Some(vote),
                    round: ballot.round,
                    supporters,
                    through_settled: *state == SenderState::Leading,
                });
            }
            best = better(Some(vote), best);
        }
        let changed = best != ballot.vote;
        // One vote per round, so that no vote decreases within a round (E1).
        ballot.next_round(best);
        self.pause = if changed { self.wait } else { self.pause.times(2).min(self.pause_max) };
        self.asking = false;
        self.until = now + self.pause;
    }

    fn supporters(&self, candidate: ServerId) -> BTreeSet<ServerId> {
        let supports = |vote: &Option<Vote>| vote.is_some_and(|vote| vote.leader == candidate);
        self.answers.iter().filter(|(_, (_, vote))| supports(vote)).map(|(id, _)| *id).collect()
    }

    /// A peer is back: the query may have been lost, or the next one can come earlier.
    pub(super) fn connected(&mut self, now: Instant, ballot: &mut Ballot, peer: ServerId) {
        if !ballot.is_looking() || !ballot.is_asked(peer) {
            return;
        }
        if self.asking {
            ballot.send(peer, ballot.notification(ballot.round, true));
        } else {
            self.pause = self.wait;
            self.until = self.until.min(now + self.wait);
        }
    }

    pub(super) fn tick(&mut self, now: Instant, ballot: &mut Ballot) {
        if ballot.is_looking() && self.until <= now {
            if self.asking { self.count(now, ballot) } else { self.ask(now, ballot) }
        }
    }

    pub(super) fn deadline(&self, ballot: &Ballot) -> Instant {
        if ballot.is_looking() { self.until } else { Instant::NEVER }
    }
}
