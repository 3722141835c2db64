//! The rules of zab.md section 1, one test each, on server 2 of five (6 and 7 observe).

use super::*;
use SenderState::{Following, Leading, Looking, Observing};

/// One server under test, and what it said last.
struct Subject {
    election: Election,
    now: Instant,
    said: Vec<ElectionOutput>,
}

impl Subject {
    /// Server 2, looking in round 1 with epoch 1, zxid 1.5.
    fn new() -> Self {
        Self::server(2, candidacy(1, 5))
    }

    fn server(id: u64, candidacy: Candidacy) -> Self {
        let mut subject = Self {
            election: Election::new(&Config::new(ServerId(id), Ensemble::plain(5, 2))),
            now: Instant(0),
            said: Vec::new(),
        };
        subject.look(candidacy);
        subject
    }

    fn look(&mut self, candidacy: Candidacy) {
        self.election.look(self.now, candidacy);
        self.said = drain(&mut self.election);
    }

    fn hear(&mut self, from: u64, notification: Notification) {
        self.election.handle(self.now, ServerId(from), notification);
        self.said = drain(&mut self.election);
    }

    fn wait_until(&mut self, at: Instant) {
        self.now = at;
        self.election.tick(at);
        self.said = drain(&mut self.election);
    }

    fn wait(&mut self, millis: u64) {
        self.wait_until(self.now + Duration::from_millis(millis));
    }

    fn sent(&self) -> Vec<(u64, Notification)> {
        let sends = self.said.iter().filter_map(|output| match output {
            ElectionOutput::Send(to, notification) => Some((to.0, notification.clone())),
            _ => None,
        });
        sends.collect()
    }

    /// The receivers of what was said, if all got the same vote in the same round.
    fn told(&self, round: u64, vote: Vote) -> Vec<u64> {
        let sent = self.sent();
        assert!(sent.iter().all(|(_, n)| *n == says(n.state, round, vote)), "{sent:?}");
        sent.into_iter().map(|(to, _)| to).collect()
    }

    fn decided(&self) -> Option<u64> {
        self.said.iter().find_map(|output| match output {
            ElectionOutput::Decided(leader) => Some(leader.0),
            _ => None,
        })
    }

    fn position(&self) -> (u64, Option<Vote>) {
        (self.election.round(), self.election.vote())
    }
}

const EVERYBODY: [u64; 4] = [1, 3, 4, 5];

#[test]
fn a_vote_is_ordered_by_epoch_then_zxid_then_id() {
    let ascending = [vote(1, 5, 1), vote(1, 5, 4), vote(1, 6, 1), vote(2, 1, 1)];
    assert!(ascending.is_sorted_by(|one, other| super::super::ballot::beats(*other, *one)));
    let newer_epoch = Vote { peer_epoch: Epoch(3), zxid: Zxid::ZERO, leader: ServerId(1) };
    assert!(super::super::ballot::beats(newer_epoch, vote(2, 900, 5)));
}

#[test]
fn a_round_starts_with_the_own_vote_sent_to_every_other_voter() {
    let subject = Subject::new();
    assert_eq!(subject.told(1, vote(1, 5, 2)), EVERYBODY);
    let event = Event::Voted { round: 1, vote: Some(vote(1, 5, 2)) };
    assert_eq!(subject.said[0], ElectionOutput::Event(event));
}

#[test]
fn a_new_look_raises_the_round_and_returns_to_the_own_vote() {
    let mut subject = Subject::new();
    subject.hear(5, says(Looking, 1, vote(1, 5, 5)));
    subject.look(candidacy(1, 5));
    assert_eq!(subject.position(), (2, Some(vote(1, 5, 2))));
}

#[test]
fn votes_of_an_earlier_look_are_forgotten() {
    let mut subject = Subject::new();
    subject.hear(1, says(Following, 9, vote(1, 5, 5)));
    subject.hear(5, says(Leading, 9, vote(1, 5, 5)));
    subject.look(candidacy(1, 5));
    subject.hear(4, says(Following, 9, vote(1, 5, 5)));
    assert_eq!(subject.decided(), None);
}

#[test]
fn an_observer_proposes_nobody() {
    let subject = Subject::server(6, Candidacy { may_vote: true, ..candidacy(9, 9) });
    assert_eq!(subject.position(), (1, None));
    let sent = subject.sent();
    assert_eq!(sent.len(), 5);
    assert!(sent.iter().all(|(_, notification)| notification.vote.is_none()));
}

#[test]
fn an_observer_adopts_votes_but_does_not_tell_them() {
    let mut subject = Subject::server(6, Candidacy { may_vote: false, ..candidacy(0, 0) });
    for from in [1, 2, 3] {
        subject.hear(from, says(Looking, 4, vote(1, 5, 5)));
        assert!(subject.sent().iter().all(|(_, notification)| notification.vote.is_none()));
    }
    subject.wait(200);
    assert_eq!(subject.decided(), Some(5));
}

#[test]
fn silence_doubles_the_resend_interval_up_to_the_cap() {
    let mut subject = Subject::new();
    let mut waits = Vec::new();
    for _ in 0..8 {
        let before = subject.now;
        subject.wait_until(subject.election.deadline());
        assert_eq!(subject.told(1, vote(1, 5, 2)), EVERYBODY);
        waits.push(subject.now.since(before).as_millis());
    }
    assert_eq!(waits, [200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
}

#[test]
fn a_changed_vote_resets_the_resend_interval() {
    let mut subject = Subject::new();
    for _ in 0..6 {
        subject.wait_until(subject.election.deadline());
    }
    subject.hear(5, says(Looking, 1, vote(1, 5, 5)));
    assert_eq!(subject.election.deadline().since(subject.now), Duration::from_millis(200));
}

#[test]
fn chatter_does_not_delay_sending_again() {
    let mut subject = Subject::new();
    for _ in 0..3 {
        subject.wait(60);
        subject.hear(6, says(Looking, 1, None));
        subject.hear(1, says(Looking, 1, vote(1, 5, 1)));
    }
    subject.wait(20);
    assert_eq!(subject.told(1, vote(1, 5, 2)), EVERYBODY);
}

#[test]
fn votes_from_and_for_servers_that_are_not_voters_are_ignored() {
    let mut subject = Subject::new();
    for (from, leader) in [(6, 5), (99, 5), (5, 6), (5, 99)] {
        for round in [1, 7] {
            subject.hear(from, says(Looking, round, vote(9, 9, leader)));
            assert_eq!(subject.position(), (1, Some(vote(1, 5, 2))), "{from} for {leader}");
            subject.hear(from, says(Leading, round, vote(9, 9, leader)));
            assert_eq!(subject.decided(), None);
        }
    }
    // Were the observers counted, these three would be a quorum.
    for from in [6, 7, 5] {
        subject.hear(from, says(Leading, 1, vote(1, 5, 5)));
        assert_eq!(subject.decided(), None);
    }
}

#[test]
fn a_blank_server_ignores_all_looking_votes() {
    let mut subject = Subject::server(2, Candidacy { may_vote: false, ..candidacy(0, 0) });
    for from in EVERYBODY {
        subject.hear(from, says(Looking, 1, vote(1, 5, 5)));
    }
    subject.wait(250);
    assert_eq!(subject.position(), (1, None));
    assert_eq!(subject.decided(), None);
}

#[test]
fn a_blank_server_never_leads_by_votes_for_its_earlier_life() {
    let mut subject = Subject::server(2, Candidacy { may_vote: false, ..candidacy(0, 0) });
    for from in EVERYBODY {
        subject.hear(from, says(Following, 1, vote(1, 5, 2)));
        assert_eq!(subject.decided(), None);
    }
}

#[test]
fn a_looking_server_without_a_vote_changes_nothing() {
    let mut subject = Subject::new();
    subject.hear(1, says(Looking, 9, None));
    assert_eq!(subject.position(), (1, Some(vote(1, 5, 2))));
}

#[test]
fn a_higher_round_is_adopted_with_the_better_of_its_vote_and_the_own_one() {
    let mut subject = Subject::new();
    subject.hear(5, says(Looking, 1, vote(1, 6, 5)));
    subject.hear(1, says(Looking, 7, vote(1, 4, 1)));
    // Neither the vote of the new round nor the one of the old round, but the own one.
    assert_eq!(subject.position(), (7, Some(vote(1, 5, 2))));
    assert_eq!(subject.told(7, vote(1, 5, 2)), EVERYBODY);
    subject.hear(3, says(Looking, 8, vote(1, 5, 3)));
    assert_eq!(subject.told(8, vote(1, 5, 3)), EVERYBODY);
}

#[test]
fn what_others_remember_of_a_server_is_not_its_own_vote() {
    let mut subject = Subject::new();
    subject.hear(1, says(Looking, 1, vote(2, 5, 2)));
    assert_eq!(subject.position(), (1, Some(vote(1, 5, 2))));
    // Both would answer each other for ever.
    assert_eq!(subject.sent(), []);
    subject.hear(3, says(Looking, 7, vote(2, 5, 2)));
    assert_eq!(subject.told(7, vote(1, 5, 2)), EVERYBODY);
    subject.wait(250);
    assert_eq!(subject.decided(), None);
}

#[test]
fn a_higher_round_clears_the_votes_of_the_lower_one() {
    let mut subject = Subject::new();
    subject.hear(1, says(Looking, 1, vote(1, 5, 5)));
    subject.hear(3, says(Looking, 1, vote(1, 5, 5)));
    subject.hear(5, says(Looking, 2, vote(1, 5, 5)));
    subject.wait(250);
    assert_eq!(subject.decided(), None);
}

#[test]
fn a_vote_of_a_lower_round_is_dropped_and_answered() {
    let mut subject = Subject::new();
    subject.look(candidacy(1, 5));
    subject.hear(5, says(Looking, 1, vote(9, 9, 5)));
    assert_eq!(subject.position(), (2, Some(vote(1, 5, 2))));
    assert_eq!(subject.told(2, vote(1, 5, 2)), [5]);
}

#[test]
fn a_better_vote_of_the_same_round_is_adopted_and_told() {
    let mut subject = Subject::new();
    subject.hear(1, says(Looking, 1, vote(1, 5, 4)));
    assert_eq!(subject.position(), (1, Some(vote(1, 5, 4))));
    assert_eq!(subject.told(1, vote(1, 5, 4)), EVERYBODY);
}

#[test]
fn a_worse_vote_of_the_same_round_is_answered_with_the_better_one() {
    let mut subject = Subject::new();
    subject.hear(1, says(Looking, 1, vote(1, 5, 1)));
    assert_eq!(subject.told(1, vote(1, 5, 2)), [1]);
    subject.hear(1, says(Looking, 1, vote(1, 5, 2)));
    assert_eq!(subject.sent(), []);
}

#[test]
fn a_quorum_of_equal_votes_decides_after_the_finalize_wait() {
    let mut subject = Subject::new();
    subject.hear(1, says(Looking, 1, vote(1, 5, 2)));
    subject.wait(150);
    subject.hear(3, says(Looking, 1, vote(1, 5, 2)));
    subject.wait(199);
    assert_eq!(subject.decided(), None);
    subject.wait(1);
    assert_eq!(subject.decided(), Some(2));
    assert_eq!(subject.election.supporters(), &[1, 2, 3].map(ServerId).into());
}

#[test]
fn votes_that_differ_in_zxid_epoch_or_round_are_no_quorum() {
    let mut subject = Subject::new();
    subject.look(candidacy(1, 5));
    subject.hear(1, says(Looking, 2, vote(1, 4, 2)));
    subject.hear(3, says(Looking, 2, Vote { peer_epoch: Epoch(0), ..vote(1, 5, 2) }));
    subject.hear(4, says(Looking, 1, vote(1, 5, 2)));
    subject.hear(5, says(Looking, 2, vote(1, 5, 2)));
    subject.wait(1_000);
    assert_eq!(subject.decided(), None);
}

#[test]
fn a_better_vote_ends_the_finalize_wait() {
    let mut subject = Subject::new();
    subject.hear(1, says(Looking, 1, vote(1, 5, 2)));
    subject.hear(3, says(Looking, 1, vote(1, 5, 2)));
    subject.wait(100);
    subject.hear(5, says(Looking, 1, vote(1, 5, 5)));
    subject.wait(150);
    assert_eq!(subject.decided(), None);
    assert_eq!(subject.position(), (1, Some(vote(1, 5, 5))));
}

#[test]
fn a_supporter_that_changes_its_mind_ends_the_finalize_wait() {
    // ZOOKEEPER-3109, and sharp edge (a): the higher round is not swallowed.
    let mut subject = Subject::new();
    subject.hear(1, says(Looking, 1, vote(1, 5, 2)));
    subject.hear(3, says(Looking, 1, vote(1, 5, 2)));
    subject.hear(3, says(Looking, 2, vote(1, 5, 3)));
    subject.wait(250);
    assert_eq!(subject.decided(), None);
    assert_eq!(subject.position(), (2, Some(vote(1, 5, 3))));
}

#[test]
fn settled_servers_are_heard_during_the_finalize_wait() {
    // Sharp edge (a).
    let mut subject = Subject::new();
    subject.hear(1, says(Looking, 1, vote(1, 5, 2)));
    subject.hear(3, says(Looking, 1, vote(1, 5, 2)));
    for from in [1, 3] {
        subject.hear(from, says(Following, 8, vote(1, 5, 4)));
    }
    subject.hear(4, says(Leading, 8, vote(1, 5, 4)));
    assert_eq!(subject.decided(), Some(4));
}

#[test]
fn a_better_vote_of_an_old_round_does_not_end_the_finalize_wait() {
    // Sharp edge (c).
    let mut subject = Subject::new();
    subject.look(candidacy(1, 5));
    subject.hear(1, says(Looking, 2, vote(1, 5, 2)));
    subject.hear(3, says(Looking, 2, vote(1, 5, 2)));
    subject.wait(100);
    subject.hear(5, says(Looking, 1, vote(9, 9, 5)));
    subject.wait(100);
    assert_eq!(subject.decided(), Some(2));
}

#[test]
fn nobody_waits_when_every_voter_agrees() {
    let mut subject = Subject::new();
    for from in EVERYBODY {
        assert_eq!(subject.decided(), None);
        subject.hear(from, says(Looking, 1, vote(1, 5, 2)));
    }
    assert_eq!(subject.decided(), Some(2));
}

#[test]
fn announced_voters_and_those_before_them_need_a_quorum_each() {
    let mut subject = Subject::new();
    let mut announced = Ensemble::plain(5, 0);
    announced.members.retain(|id, _| id.0 > 2);
    let ensembles = Ensembles { present: Ensemble::plain(3, 2), next: Some(announced) };
    subject.election.reconfigure(&ensembles, None, &Default::default());
    for from in [1, 3] {
        subject.hear(from, says(Looking, 1, vote(1, 5, 5)));
        subject.wait(250);
        assert_eq!(subject.decided(), None, "only 3 of 3 to 5");
    }
    subject.hear(5, says(Looking, 1, vote(1, 5, 5)));
    subject.wait(250);
    assert_eq!(subject.decided(), Some(5));
}

/// Seed 606: two agreed again and again before a third, who has a vote in an announced ensemble only, could say
/// that it is the better one.
#[test]
fn a_quorum_waits_for_voters_of_whom_only_others_told() {
    let mut subject = Subject::new();
    let (present, announced) = (Ensemble::plain(2, 3), Ensemble::plain(3, 2));
    subject.election.reconfigure(&present.into(), Some(&announced), &Default::default());
    subject.hear(1, says(Looking, 1, vote(1, 5, 2)));
    assert_eq!(subject.decided(), None, "server 3 may have more");
    subject.hear(3, says(Looking, 1, vote(1, 6, 3)));
    subject.hear(1, says(Looking, 1, vote(1, 6, 3)));
    assert_eq!(subject.decided(), Some(3));
}

#[test]
fn settled_servers_of_the_same_round_and_looking_ones_decide_together() {
    let mut subject = Subject::new();
    subject.hear(1, says(Looking, 1, vote(1, 5, 5)));
    assert_eq!(subject.position(), (1, Some(vote(1, 5, 5))));
    subject.hear(5, says(Leading, 1, vote(1, 5, 5)));
    assert_eq!(subject.decided(), Some(5));
}

#[test]
fn looking_and_settled_votes_must_agree_in_every_field() {
    let mut subject = Subject::new();
    subject.hear(1, says(Looking, 1, vote(1, 5, 5)));
    // The leader has refreshed its vote.
    subject.hear(5, says(Leading, 1, Vote { peer_epoch: Epoch(2), ..vote(1, 5, 5) }));
    assert_eq!(subject.decided(), None);
}

#[test]
fn settled_votes_need_only_the_same_leader_and_epoch() {
    // ZOOKEEPER-1732, -1805, -1818.
    let mut subject = Subject::new();
    subject.hear(1, says(Following, 3, vote(1, 6, 5)));
    subject.hear(3, says(Following, 4, vote(1, 7, 5)));
    assert_eq!(subject.decided(), None);
    subject.hear(5, says(Leading, 9, vote(1, 8, 5)));
    assert_eq!(subject.decided(), Some(5));
}

#[test]
fn settled_votes_of_different_epochs_do_not_agree() {
    let mut subject = Subject::new();
    subject.hear(1, says(Following, 3, vote(1, 6, 5)));
    subject.hear(3, says(Following, 3, vote(2, 6, 5)));
    subject.hear(5, says(Leading, 3, vote(1, 6, 5)));
    assert_eq!(subject.decided(), None);
}

#[test]
fn a_decision_by_settled_servers_may_move_the_round_backwards() {
    let mut subject = Subject::new();
    for _ in 0..5 {
        subject.look(candidacy(1, 5));
    }
    subject.hear(1, says(Following, 2, vote(1, 6, 5)));
    subject.hear(3, says(Following, 2, vote(1, 6, 5)));
    subject.hear(5, says(Leading, 2, vote(1, 6, 5)));
    assert_eq!(subject.position(), (2, Some(vote(1, 6, 5))));
    let event =
        Event::Decided { leader: ServerId(5), round: 2, through_settled: true, round_moved_back: true };
    assert_eq!(subject.said[0], ElectionOutput::Event(event));
}

#[test]
fn followers_alone_do_not_make_a_leader() {
    // ZOOKEEPER-569, -975.
    let mut subject = Subject::new();
    for round in [1, 9] {
        for from in [1, 3, 4] {
            subject.hear(from, says(Following, round, vote(1, 5, 5)));
            assert_eq!(subject.decided(), None);
        }
        subject.hear(5, says(Following, round, vote(1, 5, 5)));
        assert_eq!(subject.decided(), None);
    }
}

#[test]
fn a_leader_of_another_round_does_not_confirm_the_votes_of_this_one() {
    // ZOOKEEPER-3537: at best the finalize wait can decide for a leader of this round.
    let mut subject = Subject::new();
    subject.hear(5, says(Leading, 9, vote(2, 5, 5)));
    subject.hear(1, says(Looking, 1, vote(1, 5, 5)));
    subject.hear(3, says(Following, 1, vote(1, 5, 5)));
    assert_eq!(subject.decided(), None);
}

#[test]
fn a_leader_that_looks_again_no_longer_claims_to_lead() {
    let mut subject = Subject::new();
    subject.hear(5, says(Leading, 9, vote(1, 5, 5)));
    subject.hear(1, says(Following, 9, vote(1, 5, 5)));
    subject.hear(5, says(Looking, 1, vote(1, 5, 5)));
    subject.hear(3, says(Following, 9, vote(1, 5, 5)));
    subject.hear(4, says(Following, 9, vote(1, 5, 5)));
    assert_eq!(subject.decided(), None);
}

#[test]
fn who_follows_this_server_makes_it_lead_only_in_its_own_round() {
    // ZOOKEEPER-1514.
    let mut subject = Subject::new();
    for from in EVERYBODY {
        subject.hear(from, says(Following, 4, vote(1, 5, 2)));
        assert_eq!(subject.decided(), None);
    }
    subject.hear(1, says(Following, 1, vote(1, 5, 2)));
    assert_eq!(subject.decided(), Some(2));
}

#[test]
fn observing_senders_are_ignored() {
    let mut subject = Subject::new();
    for from in [1, 3, 4, 5, 6] {
        subject.hear(from, says(Observing, 1, vote(1, 9, 5)));
        assert_eq!(subject.said, []);
    }
}

#[test]
fn a_sender_that_is_not_a_voter_is_answered_at_once() {
    let mut subject = Subject::new();
    subject.hear(6, says(Looking, 30, None));
    assert_eq!(subject.told(1, vote(1, 5, 2)), [6]);
}

#[test]
fn a_settled_server_answers_looking_ones_with_its_final_vote_and_state() {
    for (state, leader) in [(Following, 5), (Leading, 2)] {
        let mut subject = Subject::new();
        for from in EVERYBODY {
            subject.hear(from, says(Looking, 1, vote(1, 5, leader)));
        }
        assert_eq!(subject.decided(), Some(leader));
        subject.election.settle(state);
        for from in [1, 6] {
            subject.hear(from, says(Looking, 12, vote(9, 9, 1)));
            assert_eq!(subject.sent(), [(from, says(state, 1, vote(1, 5, leader)))]);
        }
        assert_eq!(subject.election.deadline(), Instant::NEVER);
    }
}

#[test]
fn a_settled_server_does_not_answer_settled_ones() {
    let mut subject = Subject::new();
    subject.election.settle(Following);
    for state in [Following, Leading, Observing] {
        subject.hear(1, says(state, 12, vote(9, 9, 1)));
        assert_eq!(subject.said, []);
    }
}

#[test]
fn a_refreshed_vote_names_the_epoch_that_is_served() {
    let mut subject = Subject::new();
    subject.hear(1, says(Looking, 1, vote(1, 5, 5)));
    subject.hear(5, says(Leading, 1, vote(1, 5, 5)));
    subject.election.refresh(Epoch(4));
    subject.hear(3, says(Looking, 1, vote(1, 5, 3)));
    let refreshed = Vote { peer_epoch: Epoch(4), ..vote(1, 5, 5) };
    assert_eq!(subject.told(1, refreshed), [3]);
}

#[test]
fn a_blank_follower_tells_no_vote_before_it_was_synchronized() {
    let mut subject = Subject::server(2, Candidacy { may_vote: false, ..candidacy(0, 0) });
    for from in [1, 3] {
        subject.hear(from, says(Following, 8, vote(1, 5, 5)));
    }
    subject.hear(5, says(Leading, 8, vote(1, 5, 5)));
    assert_eq!(subject.decided(), Some(5));
    subject.hear(4, says(Looking, 1, vote(1, 5, 4)));
    assert_eq!(subject.sent(), []);
    subject.election.refresh(Epoch(1));
    subject.hear(4, says(Looking, 1, vote(1, 5, 4)));
    assert_eq!(subject.told(8, vote(1, 5, 5)), [4]);
}

#[test]
fn between_two_roles_a_server_claims_nothing() {
    let mut subject = Subject::new();
    subject.election.settle(Leading);
    subject.election.leave();
    subject.hear(1, says(Looking, 1, vote(1, 5, 1)));
    assert_eq!(subject.said, []);
    assert_eq!(subject.election.deadline(), Instant::NEVER);
}

#[test]
fn a_server_that_never_looked_says_nothing() {
    let mut election = Election::new(&Config::new(ServerId(2), Ensemble::plain(5, 0)));
    election.handle(Instant(0), ServerId(1), says(Looking, 1, vote(1, 5, 1)));
    election.connected(Instant(0), ServerId(1));
    election.tick(Instant(0));
    assert_eq!(drain(&mut election), []);
    assert_eq!(election.deadline(), Instant::NEVER);
}

#[test]
fn the_last_round_of_all_is_survived() {
    let mut subject = Subject::new();
    subject.hear(1, says(Looking, u64::MAX, vote(1, 5, 1)));
    assert_eq!(subject.election.round(), u64::MAX);
    subject.look(candidacy(1, 5));
    for from in EVERYBODY {
        subject.hear(from, says(Looking, u64::MAX, vote(1, 5, 2)));
    }
    assert_eq!(subject.decided(), Some(2));
}

#[test]
fn an_external_election_decides_what_it_is_told() {
    let mut config = Config::new(ServerId(2), Ensemble::plain(3, 1));
    config.election = ElectionAlgorithm::External;
    let mut election = Election::new(&config);
    election.elect(ServerId(1));
    assert_eq!(drain(&mut election), [], "it is not looking");
    for leader in [1, 2] {
        election.look(Instant(0), candidacy(1, 5));
        drain(&mut election);
        election.elect(ServerId(4));
        assert_eq!(drain(&mut election), [], "an observer never leads");
        election.elect(ServerId(leader));
        assert_eq!(drain(&mut election).last(), Some(&ElectionOutput::Decided(ServerId(leader))));
    }
    assert_eq!(election.deadline(), Instant::NEVER);
}

#[test]
#[cfg(feature = "mutants")]
fn mistakes_of_which_an_ensemble_recovers_are_seen() {
    use crate::mutation::{Mutation, fails};
    fails(Mutation::M51, who_follows_this_server_makes_it_lead_only_in_its_own_round);
    fails(Mutation::M52, settled_votes_need_only_the_same_leader_and_epoch);
    fails(Mutation::M52b, a_refreshed_vote_names_the_epoch_that_is_served);
    fails(Mutation::M53, a_quorum_of_equal_votes_decides_after_the_finalize_wait);
    fails(Mutation::M54, a_leader_of_another_round_does_not_confirm_the_votes_of_this_one);
    fails(Mutation::M62, a_higher_round_is_adopted_with_the_better_of_its_vote_and_the_own_one);
    fails(Mutation::M132, announced_voters_and_those_before_them_need_a_quorum_each);
    fails(Mutation::Z09, what_others_remember_of_a_server_is_not_its_own_vote);
    fails(Mutation::Z12, a_quorum_waits_for_voters_of_whom_only_others_told);
}
