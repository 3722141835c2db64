//! One test for each rule of the roles, on one replica whose peers the test plays.

mod common;

use common::bench::{Bench, payload, zxid};
use common::client;
use zabrus_core::event::{Departure, Event, Phase, Role, SyncAction};
use zabrus_core::message::Message;
use zabrus_core::prepare::WriteRequest;
use zabrus_core::quorum::Ensemble;
use zabrus_core::storage::Standing;
use zabrus_core::wire::{Change, SessionId, Transaction};
use zabrus_core::{Duration, Epoch, HistoryDigest, Position, ServerId, Zxid, codec};

// The table of zab.md section 5.1.

/// A leader of epoch 3 that has 1.1 to 1.3, 3.1 and 3.2, all committed; its history.
fn leader() -> (Bench, Vec<Position>) {
    leader_that_keeps(500, 0)
}

fn leader_that_keeps(window: usize, disk_sync_percent: u32) -> (Bench, Vec<Position>) {
    let mut bench = Bench::new(3, Ensemble::plain(3, 0), |config| {
        (config.sync_window, config.disk_sync_percent) = (window, disk_sync_percent);
        config.snapshot_interval = 2;
    });
    let mut history = vec![Position::EMPTY];
    bench.lead(&[2]);
    for (epoch, counter) in [(1, 1), (1, 2), (1, 3), (3, 1), (3, 2)] {
        if (epoch, counter) == (3, 1) {
            bench.connect(2);
            bench.wait(Duration::from_seconds(5));
            bench.elect(3);
            bench.introduce(2, 2);
            bench.promise(2, Some(1), &history, Standing::Sound);
            bench.accept(2);
        }
        bench.write();
        bench.say(2, Message::Ack { epoch: Epoch(epoch), zxid: zxid(epoch, counter) });
        history.push(bench.replica.status().logged);
    }
    assert_eq!(bench.replica.status().applied.zxid, zxid(3, 2));
    (bench, history)
}

fn chosen(bench: &mut Bench, history: &[Position]) -> (u8, SyncAction, u64) {
    bench.introduce(1, 0);
    bench.promise(1, Some(0), history, Standing::Sound);
    let chosen = bench.events.iter().rev().find_map(|event| match event {
        Event::SyncChosen { learner: ServerId(1), row, action, transactions, .. } => {
            Some((*row, *action, *transactions))
        }
        _ => None,
    });
    chosen.expect("a choice")
}

fn with_tail(history: &[Position], tail: &[(u32, u32)]) -> Vec<Position> {
    let mut history = history.to_vec();
    for (epoch, counter) in tail {
        history.push(history[history.len() - 1].extend(zxid(*epoch, *counter), &payload(zxid(99, 99))));
    }
    history
}

#[test]
fn row_1_a_learner_that_has_everything_gets_an_empty_diff() {
    let (mut bench, history) = leader();
    assert_eq!(chosen(&mut bench, &history), (1, SyncAction::Diff, 0));
}

#[test]
fn row_2_a_learner_that_has_more_is_cut() {
    let (mut bench, history) = leader();
    let learner = with_tail(&history, &[(3, 3), (3, 4)]);
    assert_eq!(chosen(&mut bench, &learner), (2, SyncAction::Trunc, 0));
    assert!(bench.heard(1).contains(&Message::Trunc { epoch: Epoch(3), to: history[5] }));
}

#[test]
fn row_3_a_learner_that_is_behind_gets_what_follows() {
    let (mut bench, history) = leader();
    assert_eq!(chosen(&mut bench, &history[..3]), (3, SyncAction::Diff, 3));
    let (mut bench, history) = leader();
    assert_eq!(chosen(&mut bench, &history[..1]), (3, SyncAction::Diff, 5));
}

#[test]
fn row_3_a_learner_that_branched_off_is_cut_to_the_last_common_transaction() {
    for (prefix, tail) in [(4, &[(1, 4), (1, 5)][..]), (3, &[(2, 1)]), (3, &[(2, 1), (2, 2)]), (1, &[(2, 1)])]
    {
        let (mut bench, history) = leader();
        let learner = with_tail(&history[..prefix], tail);
        assert_eq!(chosen(&mut bench, &learner), (3, SyncAction::TruncDiff, 6 - prefix as u64));
        let to = history[prefix - 1];
        assert!(bench.heard(1).contains(&Message::Trunc { epoch: Epoch(3), to }), "{tail:?} to {to}");
    }
}

#[test]
fn row_4_a_learner_below_the_memory_gets_the_log_on_disk_if_that_is_cheaper() {
    let (mut bench, history) = leader_that_keeps(0, 100_000);
    assert_eq!(chosen(&mut bench, &history[..2]), (4, SyncAction::Diff, 4));
}

#[test]
fn row_5_a_learner_below_the_memory_gets_a_snapshot_otherwise() {
    let (mut bench, history) = leader_that_keeps(0, 0);
    assert_eq!(chosen(&mut bench, &history[..2]).0, 5);
    let (mut bench, history) = leader_that_keeps(0, 100_000);
    let learner = with_tail(&history[..2], &[(2, 1)]);
    assert_eq!(chosen(&mut bench, &learner), (5, SyncAction::Snap, 0), "the disk does not hold its end");
}

#[test]
fn a_learner_that_branched_off_right_after_what_memory_holds_needs_no_snapshot() {
    let (mut bench, history) = leader_that_keeps(0, 0);
    let learner = with_tail(&history, &[(3, 3)]);
    assert_eq!(chosen(&mut bench, &learner), (2, SyncAction::Trunc, 0));
}

// Discovery, zab.md section 4.

/// A server that leads in epoch 1, after it had acknowledged 1.1 in epoch 1; nobody else promised.
fn candidate(ensemble: Ensemble, introduced: &[u64]) -> Bench {
    let mut bench = Bench::new(5, ensemble, |_| {});
    bench.follow(4, 1);
    bench.propose(4, 1, Zxid::ZERO, zxid(1, 1));
    bench.connect(4);
    bench.elect(5);
    for peer in introduced {
        bench.introduce(*peer, 1);
    }
    bench
}

fn establishes(standing: Standing, current: Option<u32>) -> bool {
    let mut bench = candidate(Ensemble::plain(5, 1), &[1, 2, 3]);
    bench.promise(1, Some(0), &[Position::EMPTY], Standing::Sound);
    assert_eq!(bench.replica.status().phase, Phase::Discovery);
    bench.promise(2, current, &[Position::EMPTY], standing);
    bench.replica.status().phase != Phase::Discovery
}

#[test]
fn a_promise_counts_as_its_standing_says() {
    assert!(establishes(Standing::Sound, Some(0)));
    assert!(!establishes(Standing::Sound, None), "an equal epoch was promised to another leader");
    assert!(!establishes(Standing::Blank, None));
    assert!(establishes(Standing::Damaged(zxid(1, 1)), Some(1)));
    assert!(!establishes(Standing::Damaged(zxid(1, 2)), Some(1)));
    assert!(establishes(Standing::Torn(zxid(1, 1)), Some(1)));
    assert!(!establishes(Standing::Torn(zxid(1, 2)), Some(1)));
}

#[test]
fn a_torn_server_counts_when_every_voter_promised() {
    let mut bench = candidate(Ensemble::plain(5, 1), &[1, 2, 3, 4]);
    let torn = Standing::Torn(zxid(1, 2));
    for peer in [1, 2, 3] {
        bench.promise(peer, Some(1), &[Position::EMPTY], torn);
        assert_eq!(bench.replica.status().phase, Phase::Discovery);
    }
    bench.promise(4, Some(1), &[Position::EMPTY], torn);
    assert_eq!(bench.replica.status().phase, Phase::Synchronization);
}

/// Five voters in one group, and server 1 has no weight.
fn weightless_1() -> Ensemble {
    let mut ensemble = Ensemble::plain(5, 0);
    ensemble.hierarchical = true;
    ensemble.members.get_mut(&ServerId(1)).expect("a member").weight = 0;
    ensemble
}

#[test]
fn a_voter_of_weight_0_does_not_keep_torn_servers_from_each_other() {
    let mut bench = candidate(weightless_1(), &[1, 2, 3, 4]);
    for peer in [2, 3, 4] {
        bench.promise(peer, Some(1), &[Position::EMPTY], Standing::Torn(zxid(1, 2)));
    }
    assert_eq!(bench.replica.status().phase, Phase::Discovery, "it is asked like every voter");
    let longer = with_tail(&[Position::EMPTY], &[(1, 1), (1, 2)]);
    bench.promise(1, Some(1), &longer, Standing::Sound);
    assert_eq!(bench.replica.status().phase, Phase::Synchronization);
}

#[test]
fn a_voter_of_weight_0_with_a_more_recent_history_ends_no_leadership() {
    let mut bench = candidate(weightless_1(), &[1, 2, 3]);
    let longer = with_tail(&[Position::EMPTY], &[(1, 1), (1, 2)]);
    bench.promise(1, Some(1), &longer, Standing::Sound);
    for peer in [2, 3] {
        bench.promise(peer, Some(1), &[Position::EMPTY], Standing::Sound);
    }
    assert_eq!(bench.replica.status().phase, Phase::Synchronization);
}

/// Server 5 of five voters, after it was elected although its write of 1.1 is torn, and could not lead,
/// since server 1 is blank. Its initLimit is one tick.
fn torn_leader_in_vain() -> Bench {
    let mut bench = Bench::new(5, Ensemble::plain(5, 0), |config| config.init_limit = 1);
    bench.follow(4, 1);
    bench.propose(4, 1, Zxid::ZERO, zxid(1, 1));
    let (_, log) = bench.disk.0.iter_mut().find(|(name, _)| name.0.starts_with("log")).expect("a log");
    log[4_096..].fill(0);
    bench.restart(|_| {});
    assert_eq!(bench.replica.status().epochs.standing, Standing::Torn(zxid(1, 1)));
    bench.elect(5);
    for peer in [1, 2, 3, 4] {
        bench.introduce(peer, 1);
    }
    bench.promise(1, None, &[Position::EMPTY], Standing::Blank);
    for peer in [2, 3, 4] {
        bench.promise(peer, Some(0), &[Position::EMPTY], Standing::Sound);
    }
    assert_eq!(bench.replica.status().phase, Phase::Discovery);
    bench.wait(Duration::from_seconds(2));
    assert_eq!(bench.why_it_left(), Some(Departure::EstablishmentTimedOut));
    bench
}

#[test]
fn a_torn_leader_that_could_not_lead_leaves_elections_to_the_others_for_a_while() {
    let mut bench = torn_leader_in_vain();
    bench.elect(5);
    assert_eq!(bench.replica.status().role, Role::Looking);
    // One tick of initLimit, and the longest silence of an election.
    bench.wait(Duration::from_millis(6_999));
    bench.elect(5);
    assert_eq!(bench.replica.status().role, Role::Looking);
    bench.wait(Duration::from_millis(1));
    bench.elect(5);
    assert_eq!(bench.replica.status().role, Role::Leading);
}

#[test]
fn an_abstention_that_ends_in_another_role_is_over() {
    let mut bench = torn_leader_in_vain();
    bench.follow(4, 7);
    bench.wait(Duration::from_seconds(20));
    assert_eq!(bench.why_it_left(), Some(Departure::LeaderSilent));
    bench.elect(5);
    assert_eq!(bench.replica.status().role, Role::Leading);
}

#[test]
fn a_sound_leader_that_could_not_lead_tries_again() {
    let mut bench = candidate(Ensemble::plain(5, 1), &[1]);
    bench.wait(Duration::from_seconds(20));
    assert_eq!(bench.why_it_left(), Some(Departure::EstablishmentTimedOut));
    bench.elect(5);
    assert_eq!(bench.replica.status().role, Role::Leading);
}

#[test]
fn a_leader_gives_way_to_a_follower_with_a_more_recent_history() {
    let mut bench = candidate(Ensemble::plain(5, 1), &[1, 2]);
    let longer = with_tail(&[Position::EMPTY], &[(1, 1), (1, 2)]);
    bench.promise(1, Some(1), &longer, Standing::Sound);
    assert_eq!(bench.why_it_left(), Some(Departure::FollowerMoreRecent));
}

#[test]
fn a_leader_makes_way_for_a_voter_that_promised_a_later_epoch() {
    let (mut bench, _) = leader();
    bench.introduce(1, 3);
    assert!(bench.replica.status().serving, "an equal epoch is only not counted");
    bench.introduce(1, 4);
    assert_eq!(bench.why_it_left(), Some(Departure::EpochTooOld));
}

#[test]
fn the_epoch_is_offered_only_when_the_own_promise_is_durable() {
    let mut bench = Bench::new(3, Ensemble::plain(3, 0), |_| {});
    bench.elect(3);
    bench.hold_disk = true;
    bench.introduce(1, 6);
    assert_eq!(bench.heard(1), []);
    bench.release_disk();
    assert_eq!(bench.heard(1), [Message::LeaderInfo { epoch: Epoch(7) }]);
}

#[test]
fn a_leader_without_a_quorum_steps_down() {
    let (mut bench, _) = leader();
    bench.wait(Duration::from_seconds(60));
    assert_eq!(bench.why_it_left(), Some(Departure::QuorumLost));
}

/// zab.md section 8: the oldest proposal counts, not the last sign of life.
#[test]
fn a_follower_that_acknowledges_everything_too_late_is_dropped() {
    for (behind, is_dropped) in [(6, false), (12, true)] {
        let mut bench = Bench::new(3, Ensemble::plain(3, 0), |_| {});
        bench.lead(&[1, 2]);
        let ack = |zxid| Message::Ack { epoch: Epoch(1), zxid };
        let (mut logged, mut was_dropped) = (Vec::new(), false);
        for second in 0..60 {
            bench.wait(Duration::from_seconds(1));
            bench.write();
            logged.push(bench.replica.status().logged.zxid);
            bench.say(1, ack(logged[second]));
            was_dropped |= bench.was_reset(2);
            if second >= behind && !was_dropped {
                bench.say(2, ack(logged[second - behind]));
            }
        }
        assert_eq!(was_dropped, is_dropped, "{behind} s behind");
        assert_eq!(bench.replica.status().committed, logged[59], "the others go on");
    }
}

fn promised(bench: &mut Bench, leader: u64) -> Option<Option<Epoch>> {
    bench.heard(leader).into_iter().find_map(|message| match message {
        Message::AckEpoch { current_epoch, .. } => Some(current_epoch),
        _ => None,
    })
}

#[test]
fn an_epoch_is_promised_to_one_leader_only_and_to_that_one_again() {
    let mut bench = Bench::new(1, Ensemble::plain(3, 0), |_| {});
    bench.promise_to(3, 5);
    assert_eq!(promised(&mut bench, 3), Some(Some(Epoch(0))));
    bench.connect(3);
    bench.promise_to(2, 5);
    assert_eq!(promised(&mut bench, 2), Some(None), "E7");
    bench.connect(2);
    bench.promise_to(3, 5);
    assert_eq!(promised(&mut bench, 3), Some(Some(Epoch(0))), "R2");
    bench.connect(3);
    bench.promise_to(2, 4);
    assert_eq!(promised(&mut bench, 2), None);
    assert_eq!(bench.why_it_left(), Some(Departure::EpochTooOld));
}

#[test]
fn a_promise_leaves_only_when_it_is_durable() {
    let mut bench = Bench::new(1, Ensemble::plain(3, 0), |_| {});
    bench.hold_disk = true;
    bench.promise_to(3, 5);
    assert_eq!(promised(&mut bench, 3), None);
    bench.release_disk();
    assert_eq!(promised(&mut bench, 3), Some(Some(Epoch(0))));
}

#[test]
fn observers_and_blank_servers_promise_nothing() {
    let mut observer = Bench::new(4, Ensemble::plain(3, 1), |_| {});
    observer.promise_to(3, 5);
    assert_eq!(promised(&mut observer, 3), Some(None));
    let mut blank = Bench::new(1, Ensemble::plain(3, 0), |config| config.empty_is_expected = false);
    blank.promise_to(3, 5);
    assert_eq!(promised(&mut blank, 3), Some(None));
    assert_eq!(blank.replica.status().epochs.accepted_epoch, Epoch(0));
}

// Synchronization and broadcast, sections 5 and 6.

#[test]
fn a_history_with_another_digest_is_not_acknowledged() {
    let mut bench = Bench::new(1, Ensemble::plain(3, 0), |_| {});
    bench.synchronize_with(3, 1);
    bench.propose(3, 1, Zxid::ZERO, zxid(1, 1));
    let end = Position { zxid: zxid(1, 1), digest: HistoryDigest(7) };
    bench.say(3, Message::NewLeader { epoch: Epoch(1), end });
    assert_eq!(bench.why_it_left(), Some(Departure::HistoryMismatch));
}

#[test]
fn a_proposal_is_acknowledged_and_applied_only_when_it_is_durable() {
    let mut bench = Bench::new(1, Ensemble::plain(3, 0), |_| {});
    bench.follow(3, 1);
    bench.heard(3);
    bench.hold_disk = true;
    bench.propose(3, 1, Zxid::ZERO, zxid(1, 1));
    bench.say(3, Message::Commit { epoch: Epoch(1), zxid: zxid(1, 1) });
    assert_eq!(bench.heard(3), []);
    assert_eq!(bench.replica.status().applied, Position::EMPTY, "R6");
    bench.release_disk();
    assert_eq!(bench.heard(3), [Message::Ack { epoch: Epoch(1), zxid: zxid(1, 1) }]);
    assert_eq!(bench.replica.status().applied.zxid, zxid(1, 1));
}

#[test]
fn a_leader_counts_itself_only_when_its_own_log_is_durable() {
    let mut bench = Bench::new(3, Ensemble::plain(3, 0), |_| {});
    bench.lead(&[1, 2]);
    bench.hold_disk = true;
    bench.write();
    bench.say(1, Message::Ack { epoch: Epoch(1), zxid: zxid(1, 1) });
    assert_eq!(bench.replica.status().committed, Zxid::ZERO);
    bench.release_disk();
    assert_eq!(bench.replica.status().committed, zxid(1, 1));
}

#[test]
fn a_cut_below_the_applied_state_is_refused() {
    let mut bench = Bench::new(1, Ensemble::plain(3, 0), |_| {});
    bench.follow(3, 1);
    bench.propose(3, 1, Zxid::ZERO, zxid(1, 1));
    bench.say(3, Message::Commit { epoch: Epoch(1), zxid: zxid(1, 1) });
    bench.connect(3);
    bench.promise_to(2, 2);
    bench.say(2, Message::Trunc { epoch: Epoch(2), to: Position::EMPTY });
    assert_eq!(bench.why_it_left(), Some(Departure::HistoryMismatch));
}

#[test]
fn a_forwarded_write_is_executed_once() {
    let mut bench = Bench::new(3, Ensemble::plain(3, 0), |config| config.link_checks = false);
    bench.lead(&[1, 2]);
    let payload: zabrus_core::Bytes = codec::encode(&bench.forwarded(1)).into();
    for number in [1, 1, 2] {
        bench.say(1, Message::Request { epoch: Epoch(1), number, payload: payload.clone() });
    }
    assert_eq!(bench.replica.status().logged.zxid, zxid(1, 2));
}

#[test]
fn a_sync_waits_for_a_ping_that_a_quorum_answers_after_it() {
    let mut bench = Bench::new(3, Ensemble::plain(3, 0), |_| {});
    bench.lead(&[1, 2]);
    bench.heard(1);
    bench.join(8);
    bench.say(1, Message::Ack { epoch: Epoch(1), zxid: zxid(1, 1) });
    assert_eq!(bench.answers.len(), 1, "it has a session");
    bench.heard(1);
    bench.client(8, client::sync(1));
    assert_eq!(bench.answers.len(), 1);
    let ping = bench.heard(1).pop().expect("a ping");
    bench.say(1, ping);
    assert_eq!(bench.answers.len(), 2);
}

#[test]
fn a_sync_waits_for_what_its_answer_confirms_even_if_the_commit_was_lost() {
    let mut bench = Bench::new(1, Ensemble::plain(3, 0), |config| config.link_checks = false);
    bench.follow(3, 1);
    bench.join(8);
    let Some(Message::Request { payload, .. }) = bench.heard(3).pop() else { panic!("no request") };
    let request: WriteRequest = codec::decode(&payload).unwrap();
    let (session, change) = (SessionId(5), Change::CreateSession { timeout: 30_000 });
    let (origin, first) = (request.origin, zxid(1, 1));
    let created = Transaction { origin, session, cxid: 0, zxid: first, time: 0, change, digest: None };
    let (epoch, payload) = (Epoch(1), created.encode().into());
    bench.say(3, Message::Proposal { epoch, previous: Zxid::ZERO, zxid: first, payload });
    bench.say(3, Message::Commit { epoch, zxid: first });
    assert_eq!(bench.answers.len(), 1, "it has a session");
    bench.propose(3, 1, first, zxid(1, 2));
    bench.client(8, client::sync(1));
    let Some(Message::Sync { number, .. }) = bench.heard(3).pop() else { panic!("no question") };
    bench.say(3, Message::Sync { epoch, number, committed: zxid(1, 2) });
    assert_eq!(bench.answers.len(), 1);
    bench.say(3, Message::Commit { epoch, zxid: zxid(1, 2) });
    assert_eq!(bench.answers.len(), 2);
}
