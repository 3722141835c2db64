//! Fast leader election, `electionAlg=3` (zab.md section 1): everybody tells everybody the best
//! vote it knows, and who sees a quorum of votes equal to its own is done.

use alloc::collections::{BTreeMap, BTreeSet};

use super::ballot::{Ballot, Decision, Heard, beats, better};
use crate::config::Config;
use crate::identity::ServerId;
use crate::message::{Notification, SenderState};
use crate::mutated;
use crate::time::{Duration, Instant};

/// What fast leader election keeps beside the ballot.
pub(super) struct Fast {
    /// The newest vote of each voter, this server's own included (the loop-back copy of zab.md
    /// section 1.4). Both sets of votes that decide are parts of it: see [`Votes`].
    heard: BTreeMap<ServerId, Heard>,
    /// When the finalize wait ends, if a quorum agrees with this server.
    decide_at: Option<Instant>,
    resend_at: Instant,
    resend_interval: Duration,
    finalize_wait: Duration,
    backoff_max: Duration,
}

/// The two sets of votes of zab.md section 1.4.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Votes {
    /// `recv`: the votes of the present round.
    Round,
    /// `out`: the votes of servers that have settled, whatever their round.
    Settled,
}

impl Votes {
    fn contain(self, heard: &Heard, round: u64) -> bool {
        match self {
            Self::Round => heard.round == round || mutated!(M63),
            Self::Settled => heard.state != SenderState::Looking,
        }
    }
}

/// Whether two votes are for the same leader. Settled servers that joined at different times
/// legitimately differ in zxid and round (ZOOKEEPER-1732, -1805, -1818).
fn agree(one: &Heard, other: &Heard) -> bool {
    let looking = one.state == SenderState::Looking || other.state == SenderState::Looking;
    if looking || mutated!(M52) {
        return (one.vote, one.round) == (other.vote, other.round);
    }
    (one.vote.leader, one.vote.peer_epoch) == (other.vote.leader, other.vote.peer_epoch)
}

impl Fast {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            heard: BTreeMap::new(),
            decide_at: None,
            resend_at: Instant::NEVER,
            resend_interval: config.finalize_wait,
            finalize_wait: config.finalize_wait,
            backoff_max: config.election_backoff_max,
        }
    }

    /// The round has just begun with this server's own vote.
    pub(super) fn look(&mut self, now: Instant, ballot: &mut Ballot) {
        self.heard.clear();
        self.announce(now, ballot);
        self.weigh(now, ballot);
    }

    pub(super) fn handle(
        &mut self,
        now: Instant,
        ballot: &mut Ballot,
        from: ServerId,
        message: Notification,
    ) {
        let from_looking = message.state == SenderState::Looking;
        match ballot.state {
            None => {}
            Some(SenderState::Looking) if from_looking => self.handle_looking(now, ballot, from, message),
            Some(SenderState::Looking) => self.handle_settled(now, ballot, from, message),
            Some(_) if from_looking => Self::answer(ballot, from),
            // No answer from one settled server to another: this prevents storms.
            Some(_) => {}
        }
    }

    /// Zab.md section 1.6, "Sender LOOKING", and the answers of section 1.7.
    fn handle_looking(&mut self, now: Instant, ballot: &mut Ballot, from: ServerId, message: Notification) {
        if !ballot.has_vote(from) {
            // Who votes, though not here, is told of votes unasked; both would answer each other for ever.
            if message.vote.is_none() {
                Self::answer(ballot, from);
            }
            return;
        }
        // It no longer claims to follow or lead, and counts only with what it says now.
        self.heard.remove(&from);
        let vote = message.vote.filter(|vote| ballot.may_lead(vote.leader));
        // Answering an inferior vote of the same round too repairs the loss of a better one
        // without waiting for this server's own resend.
        if message.round < ballot.round || (message.round == ballot.round && vote < ballot.vote) {
            Self::answer(ballot, from);
        }
        // Rule 1: a blank server neither votes nor is voted for (ZOOKEEPER-2325).
        let blank = ballot.is_voter() && !ballot.counted;
        let Some(said) = vote.filter(|_| !blank) else {
            return self.weigh(now, ballot);
        };
        // What this server is, it knows best: others may remember what it was before it lost a write (E2).
        // Only their round counts then.
        let vote = Some(said).filter(|said| said.leader != ballot.id || ballot.own == vote || mutated!(Z09));
        if message.round > ballot.round {
            let mine = if mutated!(M62) { ballot.vote } else { ballot.own };
            ballot.propose(message.round, better(vote, mine));
            self.announce(now, ballot);
        } else if let Some(vote) = vote
            // Who proposes nobody of its own is heard by nobody either, and takes what comes.
            && ballot.vote.is_none_or(|mine| message.round == ballot.round && beats(vote, mine))
        {
            ballot.propose(ballot.round, Some(vote));
            self.announce(now, ballot);
        }
        if let Some(vote) = vote {
            self.heard.insert(from, Heard { state: message.state, vote, round: message.round });
        }
        self.weigh(now, ballot);
    }

    /// Zab.md section 1.6, "Sender FOLLOWING or LEADING".
    fn handle_settled(&mut self, now: Instant, ballot: &mut Ballot, from: ServerId, message: Notification) {
        if message.state == SenderState::Observing || !ballot.has_vote(from) {
            return;
        }
        self.heard.remove(&from);
        if let Some(vote) = message.vote.filter(|vote| ballot.may_take(vote.leader)) {
            let heard = Heard { state: message.state, vote, round: message.round };
            self.heard.insert(from, heard);
            let votes = [Votes::Round, Votes::Settled];
            for votes in votes.into_iter().filter(|votes| votes.contain(&heard, ballot.round)) {
                let supporters = self.supporters(votes, ballot.round, |other| agree(&heard, other));
                // One that leads already has its quorum, by its own account; it may not count what this
                // server's log announces, or no longer (zab.md section 13).
                if ballot.ensembles.is_quorum_of_one(&supporters) && self.leader_ok(votes, ballot, &heard) {
                    // The round may move backwards here: this server joins those that decided.
                    return self.decide(ballot, heard, supporters, true);
                }
            }
        }
        self.weigh(now, ballot);
    }

    /// Whether the leader of `heard` really leads, or will: without this, peers re-elect a dead
    /// leader for ever (ZOOKEEPER-569, -975), and a look into the other set of votes finds stale
    /// claims (ZOOKEEPER-3537).
    fn leader_ok(&self, votes: Votes, ballot: &Ballot, heard: &Heard) -> bool {
        if mutated!(M49) {
            return true;
        }
        if heard.vote.leader == ballot.id {
            // Votes of an old round are for an earlier reign (ZOOKEEPER-1514).
            return heard.round == ballot.round || mutated!(M51);
        }
        let votes = if mutated!(M54) { Votes::Settled } else { votes };
        self.heard.get(&heard.vote.leader).is_some_and(|leader| {
            votes.contain(leader, ballot.round)
                && leader.state == SenderState::Leading
                && leader.vote.leader == heard.vote.leader
        })
    }

    /// Starts, continues or ends the finalize wait (rules 6 and 7): a quorum votes as this server
    /// does, and a better vote may still be on its way.
    ///
    /// Unlike ZooKeeper's, the wait drops nothing. Votes of a higher round and the answers of
    /// settled servers are handled at once, with their rounds: sharp edges (a) and (c) of zab.md
    /// section 1.6, and ZOOKEEPER-3109. This is sound because the wait is nothing but a timer
    /// beside the rules. It restarts only with another vote, so that chatter cannot prolong it,
    /// and it is skipped when every voter agrees: nobody is left to send a better vote.
    fn weigh(&mut self, now: Instant, ballot: &mut Ballot) {
        let supporters = self.supporters(Votes::Round, ballot.round, |heard| ballot.vote == Some(heard.vote));
        if !ballot.ensembles.is_quorum(&supporters) {
            self.decide_at = None;
        } else if ballot.voters().all(|id| supporters.contains(&id)) || mutated!(M53) {
            self.conclude(ballot);
        } else {
            self.decide_at.get_or_insert(now + self.finalize_wait);
        }
    }

    /// Decides for this server's own vote (rule 7).
    fn conclude(&mut self, ballot: &mut Ballot) {
        let Some(vote) = ballot.vote else { return };
        let mine = Heard { state: SenderState::Looking, vote, round: ballot.round };
        let supporters = self.supporters(Votes::Round, ballot.round, |heard| heard.vote == vote);
        self.decide(ballot, mine, supporters, false);
    }

    fn decide(&mut self, ballot: &mut Ballot, heard: Heard, supporters: BTreeSet<ServerId>, settled: bool) {
        self.heard.clear();
        self.decide_at = None;
        self.resend_at = Instant::NEVER;
        let Heard { vote, round, .. } = heard;
        let leader = vote.leader;
        ballot.decide(Decision { leader, vote: Some(vote), round, supporters, through_settled: settled });
    }

    fn supporters(&self, votes: Votes, round: u64, agrees: impl Fn(&Heard) -> bool) -> BTreeSet<ServerId> {
        let supports = |heard: &Heard| votes.contain(heard, round) && agrees(heard);
        self.heard.iter().filter(|(_, heard)| supports(heard)).map(|(id, _)| *id).collect()
    }

    /// Tells a new proposal to every voter, this server itself included.
    fn announce(&mut self, now: Instant, ballot: &mut Ballot) {
        if let Some(vote) = ballot.vote.filter(|_| ballot.counted) {
            let mine = Heard { state: SenderState::Looking, vote, round: ballot.round };
            self.heard.insert(ballot.id, mine);
        }
        self.decide_at = None;
        self.resend_interval = self.finalize_wait;
        self.send_to_voters(now, ballot);
    }

    fn send_to_voters(&mut self, now: Instant, ballot: &mut Ballot) {
        ballot.send_to_voters(&ballot.notification(ballot.round, false));
        let interval = self.resend_interval.max(Duration::from_millis(1));
        self.resend_at = if mutated!(M56) { Instant::NEVER } else { now + interval };
    }

    fn answer(ballot: &mut Ballot, to: ServerId) {
        let notification = ballot.notification(ballot.round, false);
        let knows_members =
            [&notification.members, &notification.next_members].iter().any(|text| !text.is_empty());
        // Who has nothing to say would only be ignored.
        if notification.vote.is_some() || knows_members && !ballot.is_looking() {
            ballot.send(to, notification);
        }
    }

    /// The last notification to `peer` may be lost with its old connection (zab.md section 2). A
    /// settled server needs no repair: who looks asks again.
    pub(super) fn connected(&mut self, ballot: &mut Ballot, peer: ServerId) {
        if ballot.is_looking() && ballot.is_asked(peer) {
            ballot.send(peer, ballot.notification(ballot.round, false));
        }
    }

    pub(super) fn tick(&mut self, now: Instant, ballot: &mut Ballot) {
        if !ballot.is_looking() {
            return;
        }
        if self.decide_at.is_some_and(|at| at <= now) {
            self.conclude(ballot);
        } else if self.resend_at <= now {
            // Counted from the last sending, not from the last receiving: whatever others say
            // cannot keep this server from repairing a loss. The cap is R15.
            self.resend_interval = self.resend_interval.times(2).min(self.backoff_max);
            self.send_to_voters(now, ballot);
        }
    }

    pub(super) fn deadline(&self, ballot: &Ballot) -> Instant {
        if !ballot.is_looking() {
            return Instant::NEVER;
        }
        self.decide_at.map_or(self.resend_at, |at| at.min(self.resend_at))
    }
}
