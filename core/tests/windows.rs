//! A learner is sent what it lacks in parts: the next one when it has stored the one before.

mod common;

use common::bench::{Bench, zxid};
use zabrus_core::event::Event;
use zabrus_core::message::Message;
use zabrus_core::quorum::{Ensemble, MemberKind};
use zabrus_core::storage::Standing;
use zabrus_core::{Epoch, Position, ServerId, Zxid};

/// What is under way at first; a window grows to 16 times as much.
const WINDOW_BYTES: usize = 400;

/// A leader with 40 transactions, which keeps no more than that, and server 1 that has none of them.
fn leader_and_a_learner_far_behind(observer: bool) -> Bench {
    let mut bench = Bench::new(3, Ensemble::plain(3, 0), |config| {
        if observer {
            config.ensemble.members.entry(ServerId(1)).and_modify(|one| one.kind = MemberKind::Observer);
        }
        config.chunk_bytes = WINDOW_BYTES / 4;
        config.sync_window = 40;
    });
    bench.lead(&[2]);
    write(&mut bench, 1..=40);
    bench.open(1);
    let (accepted_epoch, config_version) = (Epoch(0), 0);
    bench.say(1, Message::LearnerInfo { accepted_epoch, config_version });
    bench.heard(1);
    bench.promise(1, (!observer).then_some(0), &[Position::EMPTY], Standing::Sound);
    bench
}

fn write(bench: &mut Bench, counters: std::ops::RangeInclusive<u32>) {
    for counter in counters {
        bench.write();
        bench.say(2, Message::Ack { epoch: Epoch(1), zxid: zxid(1, counter) });
    }
}

/// The transactions among these messages, which must follow `last`, and their bytes.
fn transactions(messages: &[Message], mut last: Zxid) -> (Zxid, usize) {
    let mut bytes = 0;
    for message in messages {
        if let Message::Proposal { previous, zxid, payload, .. } = message {
            assert_eq!(*previous, last);
            last = *zxid;
            bytes += payload.len();
        }
    }
    (last, bytes)
}

fn is_new_leader(message: &Message) -> bool {
    matches!(message, Message::NewLeader { .. })
}

/// Plays a learner that stores everything. Returns the end that NEWLEADER names, and in how many parts it
/// came to that.
fn store_everything(bench: &mut Bench) -> (Zxid, u32) {
    let (mut last, mut most) = (Zxid::ZERO, WINDOW_BYTES);
    for part in 1.. {
        let messages = bench.heard(1);
        let (upto, bytes) = transactions(&messages, last);
        assert!(bytes < most + 200, "{bytes} bytes at once");
        most = (2 * most).min(16 * WINDOW_BYTES);
        last = upto;
        if let Some(at) = messages.iter().position(is_new_leader) {
            let Message::NewLeader { end, .. } = messages[at] else { continue };
            assert_eq!(at, messages.len() - 1, "nothing follows");
            assert!(end.zxid <= last);
            return (end.zxid, part);
        }
        assert!(upto > Zxid::ZERO && bytes > 0, "a part of nothing");
        bench.say(1, Message::SyncStored { epoch: Epoch(1), zxid: last });
    }
    unreachable!("there is an end")
}

#[test]
fn a_learner_far_behind_is_sent_no_more_than_a_window_that_it_has_not_stored() {
    let mut bench = leader_and_a_learner_far_behind(false);
    let messages = bench.heard(1);
    let (sent, bytes) = transactions(&messages, Zxid::ZERO);
    assert!((WINDOW_BYTES..WINDOW_BYTES + 200).contains(&bytes), "{bytes}");
    assert!(!messages.iter().any(is_new_leader));
    assert!(bench.events.contains(&Event::SyncPaused { learner: ServerId(1), sent }));
    // What is proposed meanwhile waits in memory, which forgets nothing that the learner lacks.
    write(&mut bench, 41..=140);
    assert_eq!(bench.heard(1), []);
    bench.say(1, Message::SyncStored { epoch: Epoch(1), zxid: zxid(1, 1) });
    let (more, bytes) = transactions(&bench.heard(1), sent);
    assert!(more > sent && bytes < 300, "twice as much as was stored");
}

#[test]
fn it_gets_everything_that_was_proposed_meanwhile_then_newleader_then_each_new_proposal() {
    let mut bench = leader_and_a_learner_far_behind(false);
    write(&mut bench, 41..=140);
    let (end, parts) = store_everything(&mut bench);
    assert_eq!(end, zxid(1, 140));
    assert!(parts > 3, "{parts}");
    bench.accept(1);
    assert!(bench.heard(1).iter().any(|message| matches!(message, Message::UpToDate { .. })));
    bench.write();
    assert_eq!(transactions(&bench.heard(1), end).0, zxid(1, 141));
}

#[test]
fn an_observer_far_behind_gets_what_is_committed() {
    let mut bench = leader_and_a_learner_far_behind(true);
    bench.write();
    let (end, parts) = store_everything(&mut bench);
    assert_eq!(end, zxid(1, 40), "the last one is not committed");
    assert!(parts > 2, "{parts}");
    bench.say(2, Message::Ack { epoch: Epoch(1), zxid: zxid(1, 41) });
    let informed =
        |message: &Message| matches!(message, Message::Inform { previous, .. } if *previous == end);
    assert!(bench.heard(1).iter().any(informed));
}

#[test]
fn a_learner_that_stored_what_it_was_not_sent_is_dropped() {
    let mut bench = leader_and_a_learner_far_behind(false);
    bench.say(1, Message::SyncStored { epoch: Epoch(1), zxid: zxid(1, 40) });
    assert!(bench.was_reset(1));
}

#[test]
fn a_learner_reports_what_is_durable_until_newleader() {
    let mut bench = Bench::new(1, Ensemble::plain(3, 0), |_| {});
    bench.synchronize_with(3, 1);
    bench.heard(3);
    bench.hold_disk = true;
    bench.propose(3, 1, Zxid::ZERO, zxid(1, 1));
    assert_eq!(bench.heard(3), []);
    bench.release_disk();
    assert_eq!(bench.heard(3), [Message::SyncStored { epoch: Epoch(1), zxid: zxid(1, 1) }]);
    bench.new_leader(3, 1);
    bench.propose(3, 1, zxid(1, 1), zxid(1, 2));
    let stored = |message: &Message| matches!(message, Message::SyncStored { .. });
    assert!(!bench.heard(3).iter().any(stored));
}
