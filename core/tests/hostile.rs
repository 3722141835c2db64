//! Peers and clients that do not keep to the protocol. Nothing that they say makes a server
//! panic, hang, or give up what is committed.

mod common;

use common::bench::{Bench, history, zxid};
use common::client;
use zabrus_core::config::Config;
use zabrus_core::event::Departure;
use zabrus_core::io::ClientId;
use zabrus_core::message::Message;
use zabrus_core::prepare::WriteRequest;
use zabrus_core::quorum::Ensemble;
use zabrus_core::storage::Standing;
use zabrus_core::storage::{DiskCompletion, Storage, recover};
use zabrus_core::wire::FRAME_LIMIT;
use zabrus_core::{Epoch, Position, ServerId, Zxid, codec};

fn follower() -> Bench {
    Bench::new(1, Ensemble::plain(3, 0), |_| {})
}

#[test]
fn a_proposal_that_skips_a_transaction_is_refused() {
    let mut bench = follower();
    bench.follow(3, 1);
    bench.propose(3, 1, Zxid::ZERO, zxid(1, 1));
    bench.propose(3, 1, zxid(1, 1), zxid(1, 3));
    assert_eq!(bench.why_it_left(), Some(Departure::HistoryMismatch));
    assert_eq!(bench.replica.status().logged.zxid, zxid(1, 1));
}

#[test]
fn a_proposal_of_a_later_epoch_than_its_leaders_is_refused() {
    let mut bench = follower();
    bench.follow(3, 1);
    bench.propose(3, 1, Zxid::ZERO, zxid(u32::MAX, 1));
    assert_eq!(bench.why_it_left(), Some(Departure::HistoryMismatch));
    assert_eq!(bench.replica.status().epochs.accepted_epoch, Epoch(1));
}

#[test]
fn a_transaction_that_cannot_be_decoded_is_refused_before_it_is_logged() {
    let mut bench = follower();
    bench.follow(3, 1);
    let payload = b"\xff\xff".as_slice().into();
    bench.say(3, Message::Proposal { epoch: Epoch(1), previous: Zxid::ZERO, zxid: zxid(1, 1), payload });
    assert_eq!(bench.why_it_left(), Some(Departure::ProtocolError));
    assert_eq!(bench.replica.status().logged, Position::EMPTY);
}

#[test]
fn a_commit_that_names_no_transaction_commits_what_lies_before_it() {
    let mut bench = follower();
    bench.synchronize_with(3, 2);
    bench.propose(3, 2, Zxid::ZERO, zxid(1, 1));
    bench.propose(3, 2, zxid(1, 1), zxid(2, 1));
    bench.say(3, Message::Commit { epoch: Epoch(2), zxid: zxid(1, 7) });
    let status = bench.replica.status();
    assert_eq!((status.committed, status.applied.zxid), (zxid(1, 1), zxid(1, 1)));
}

#[test]
fn a_snapshot_that_ends_before_the_applied_state_is_refused() {
    let mut bench = follower();
    bench.follow(3, 1);
    bench.propose(3, 1, Zxid::ZERO, zxid(1, 1));
    bench.say(3, Message::Commit { epoch: Epoch(1), zxid: zxid(1, 1) });
    bench.connect(3);
    assert_eq!(bench.why_it_left(), Some(Departure::LinkBroken));
    bench.promise_to(2, 2);
    bench.say(2, Message::Snap { epoch: Epoch(2), label: Position::EMPTY });
    assert_eq!(bench.why_it_left(), Some(Departure::HistoryMismatch));
    assert_eq!(bench.replica.status().applied.zxid, zxid(1, 1));
}

/// A leader with some state and an empty memory, so that an empty learner needs a snapshot.
fn leader_with_a_snapshot(disk_sync_percent: u32) -> Bench {
    let mut bench = Bench::new(3, Ensemble::plain(3, 0), |config| {
        config.sync_window = 0;
        config.snapshot_interval = 8;
        config.chunk_bytes = 1;
        config.disk_sync_percent = disk_sync_percent;
    });
    bench.lead(&[2]);
    for counter in 1..=20 {
        bench.write();
        bench.say(2, Message::Ack { epoch: Epoch(1), zxid: zxid(1, counter) });
    }
    assert_eq!(bench.replica.status().applied.zxid, zxid(1, 20));
    assert_eq!(bench.replica.storage().base().zxid, zxid(1, 20));
    bench
}

#[test]
fn a_learner_that_acknowledges_chunks_which_it_was_not_sent_is_dropped() {
    let mut bench = leader_with_a_snapshot(0);
    bench.introduce(1, 0);
    bench.promise(1, Some(0), &[Position::EMPTY], Standing::Sound);
    let chunks = |messages: Vec<Message>| {
        messages.iter().filter(|message| matches!(message, Message::SnapChunk { .. })).count()
    };
    assert_eq!(chunks(bench.heard(1)), 4);
    bench.say(1, Message::SnapChunkStored { epoch: Epoch(1), index: 0 });
    assert_eq!(chunks(bench.heard(1)), 1);
    bench.say(1, Message::SnapChunkStored { epoch: Epoch(1), index: u64::MAX });
    assert!(bench.was_reset(1));
}

#[test]
fn what_an_earlier_leadership_read_from_the_disk_is_not_sent_to_another_learner() {
    let mut bench = leader_with_a_snapshot(u32::MAX);
    bench.hold_reads = true;
    let history = history(&[]);
    bench.introduce(1, 0);
    bench.promise(1, Some(0), &history, Standing::Sound);
    assert_eq!(bench.held.len(), 1);
    // It loses its leadership, gets another, and now the other server needs older transactions.
    bench.connect(2);
    bench.wait(zabrus_core::Duration::from_seconds(5));
    assert_eq!(bench.why_it_left(), Some(Departure::QuorumLost));
    bench.elect(3);
    bench.introduce(2, 1);
    let entries = bench.replica.storage().last();
    bench.promise(2, Some(1), &[Position::EMPTY, entries], Standing::Sound);
    bench.heard(1);
    bench.introduce(1, 0);
    let third = bench.held.len();
    let behind = Position { zxid: zxid(1, 3), ..Position::EMPTY };
    bench.promise(1, Some(0), &[Position::EMPTY, behind], Standing::Sound);
    assert_eq!(bench.held.len(), third, "one reading at a time");
    bench.hold_reads = false;
    let completion = bench.held.pop_front().unwrap();
    bench.step(zabrus_core::Input::Disk(completion));
    let proposed = bench.heard(1).into_iter().find_map(|message| match message {
        Message::Proposal { previous, zxid, .. } => Some((previous, zxid)),
        _ => None,
    });
    assert_eq!(proposed, None, "the log does not hold what it claims to have: a snapshot");
}

fn answer_ping(bench: &mut Bench, peer: u64) {
    let pings = bench.heard(peer).into_iter().filter(|message| matches!(message, Message::Ping { .. }));
    let ping = pings.last().expect("a ping");
    bench.say(peer, ping);
}

#[test]
fn a_sync_of_an_earlier_link_is_not_answered_on_a_later_one() {
    let mut bench = Bench::new(3, Ensemble::plain(3, 0), |_| {});
    bench.lead(&[1, 2]);
    bench.say(1, Message::Sync { epoch: Epoch(1), number: 1, committed: Zxid::ZERO });
    bench.introduce(1, 1);
    bench.promise(1, Some(1), &[Position::EMPTY], Standing::Sound);
    bench.accept(1);
    bench.heard(1);
    answer_ping(&mut bench, 2);
    let answered = bench.heard(1).iter().any(|message| matches!(message, Message::Sync { .. }));
    assert!(!answered, "its number means another request there");
}

#[test]
fn a_blank_server_that_opens_a_new_link_is_let_in_on_that_one() {
    let mut bench = Bench::new(3, Ensemble::plain(3, 0), |_| {});
    bench.lead(&[2]);
    bench.introduce(1, 0);
    bench.promise(1, None, &[Position::EMPTY], Standing::Blank);
    bench.accept(1);
    bench.open(1);
    answer_ping(&mut bench, 2);
    let welcome = |message: &Message| matches!(message, Message::UpToDate { .. });
    assert!(!bench.heard(1).iter().any(welcome), "it has not even introduced itself");
    bench.introduce(1, 0);
    bench.promise(1, None, &[Position::EMPTY], Standing::Blank);
    bench.accept(1);
    answer_ping(&mut bench, 2);
    assert!(bench.heard(1).iter().any(welcome));
}

#[test]
fn a_request_that_would_not_fit_into_a_frame_is_refused() {
    let mut bench = Bench::new(3, Ensemble::plain(3, 0), |_| {});
    bench.lead(&[1, 2]);
    bench.join(5);
    bench.say(1, Message::Ack { epoch: Epoch(1), zxid: zxid(1, 1) });
    bench.client(5, client::create(1, "/small", &vec![7; FRAME_LIMIT - 100]));
    assert_eq!(bench.replica.status().logged.zxid, zxid(1, 2));
    bench.client(5, vec![7; FRAME_LIMIT + 1]);
    assert_eq!(bench.closed, [ClientId(5)]);

    let body = vec![7; FRAME_LIMIT + 1].into();
    let payload = codec::encode(&WriteRequest { body, ..bench.forwarded(1) }).into();
    bench.say(1, Message::Request { epoch: Epoch(1), number: 1, payload });
    assert!(bench.was_reset(1));
    assert_eq!(bench.replica.status().logged.zxid, zxid(1, 2));
}

#[test]
fn a_logged_transaction_that_cannot_be_decoded_halts_its_server() {
    let mut bench = Bench::new(1, Ensemble::plain(1, 0), |_| {});
    let config = Config::new(ServerId(1), Ensemble::plain(1, 0));
    let mut recovered = recover(&config, &bench.disk).unwrap();
    let mut storage = Storage::new(&config, &mut recovered, 99);
    storage.append(zxid(1, 1), b"\xff\xff".as_slice().into());
    while let Some(asked) = storage.poll_operation() {
        let result = bench.disk.carry_out(asked.operation);
        storage.handle(DiskCompletion { id: asked.id, result });
    }
    bench.restart(|_| {});
    bench.elect(1);
    assert!(bench.halted);
    bench.write();
    assert!(bench.replica.deadline() == zabrus_core::Instant::NEVER);
}
