//! Arbitrary input: codecs come back to what they were given and never panic, and neither does a
//! replica, whatever its peers, its clients and its clock do.

mod common;

use std::sync::Arc;

use common::bench::{Bench, payload, zxid};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use zabrus_core::io::{ClientId, ConnectionId};
use zabrus_core::message::{Frame, LinkIncarnation, Message, Notification, SenderState, Vote};
use zabrus_core::prepare::WriteRequest;
use zabrus_core::quorum::Ensemble;
use zabrus_core::storage::Standing;
use zabrus_core::wire::{
    Acl, AddWatch, Change, CheckVersion, ConnectRequest, Create, Delete, Id, OpCode, Origin, PathWatch,
    RequestHeader, SessionId, SetData, Transaction, Write,
};
use zabrus_core::{Bytes, Duration, Epoch, HistoryDigest, Input, Position, ServerId, Zxid, codec, jute};

fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..40).prop_map(Bytes::from).boxed()
}

/// Small numbers meet each other, and the largest ones meet the ends of the number spaces.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0..4_u64, 1 => select(vec![u64::MAX, u64::MAX - 1]), 1 => any::<u64>()].boxed()
}

fn epoch() -> impl Strategy<Value = Epoch> {
    prop_oneof![8 => 0..4_u32, 1 => select(vec![u32::MAX, u32::MAX - 1])].prop_map(Epoch).boxed()
}

fn any_zxid() -> impl Strategy<Value = Zxid> {
    let counter = prop_oneof![8 => 0..4_u32, 1 => Just(u32::MAX)];
    prop_oneof![9 => (epoch(), counter).prop_map(|(epoch, counter)| Zxid::new(epoch, counter)), 1 => number().prop_map(Zxid)]
    .boxed()
}

/// Often one of the histories that the replica has.
fn position() -> impl Strategy<Value = Position> {
    let first = Position::EMPTY.extend(zxid(1, 1), &payload(zxid(1, 1)));
    let second = first.extend(zxid(1, 2), &payload(zxid(1, 2)));
    let real = select(vec![Position::EMPTY, first, second]);
    let forged =
        (any_zxid(), number()).prop_map(|(zxid, digest)| Position { zxid, digest: HistoryDigest(digest) });
    prop_oneof![3 => real, 1 => forged].boxed()
}

fn standing() -> impl Strategy<Value = Standing> {
    prop_oneof![
        Just(Standing::Sound),
        any_zxid().prop_map(Standing::Torn),
        any_zxid().prop_map(Standing::Damaged),
        Just(Standing::Blank)
    ]
    .boxed()
}

fn path() -> impl Strategy<Value = String> {
    prop_oneof![8 => "(/[a-b]){1,2}", 2 => "[/a-c]{0,3}", 1 => Just("/zookeeper/quota/a/zookeeper_limits".to_owned())]
        .boxed()
}

fn acl() -> impl Strategy<Value = Acl> {
    let id = prop_oneof![
        4 => Just(("world", "anyone")),
        1 => Just(("digest", "a:b")),
        1 => Just(("ip", "127.0.0.1")),
        1 => Just(("auth", "")),
        1 => Just(("no", "such"))
    ];
    (0..64_i32, id)
        .prop_map(|(perms, (scheme, id))| Acl { perms, id: Id { scheme: scheme.into(), id: id.into() } })
}

/// The op and the body of a request.
fn request() -> impl Strategy<Value = (i32, Vec<u8>)> {
    let data = || proptest::option::of(bytes());
    let acls = || proptest::option::of(vec(acl(), 0..3));
    let version = || -2..3_i32;
    let ops = vec![OpCode::Create, OpCode::Create2, OpCode::CreateContainer];
    let reads =
        vec![OpCode::GetData, OpCode::Exists, OpCode::GetChildren, OpCode::GetChildren2, OpCode::GetAcl];
    prop_oneof![
        4 => (select(ops), path(), data(), acls(), 0..7_i32).prop_map(|(op, path, data, acl, flags)| {
            (op.code(), jute::encode(&Create { path, data, acl, flags }))
        }),
        2 => (path(), data(), version())
            .prop_map(|(path, data, version)| (5, jute::encode(&SetData { path, data, version }))),
        2 => (path(), version()).prop_map(|(path, version)| (2, jute::encode(&Delete { path, version }))),
        1 => (path(), version()).prop_map(|(path, version)| (13, jute::encode(&CheckVersion { path, version }))),
        3 => (select(reads), path(), any::<bool>()).prop_map(|(op, path, watch)| {
            (op.code(), jute::encode(&PathWatch { path: path.into(), watch }))
        }),
        1 => (path(), 0..3_i32).prop_map(|(path, mode)| (106, jute::encode(&AddWatch { path: Some(path.into()), mode }))),
        1 => select(vec![9, 11, -11, -10, 0, 16, 20, 14, 22, 100, 101, 102, 103, 105, 107]).prop_map(|op| (op, Vec::new())),
        1 => (-12..110_i32, bytes()).prop_map(|(op, bytes)| (op, bytes.to_vec())),
    ]
    .boxed()
}

fn origin() -> impl Strategy<Value = Origin> {
    (1..4_u64, number(), 1..3_u64, number())
        .prop_map(|(server, boot, client, number)| Origin { server: ServerId(server), boot, client, number })
        .boxed()
}

fn change() -> impl Strategy<Value = Change> {
    let create = (path(), proptest::option::of(bytes()), vec(acl(), 0..3), any::<bool>(), any::<i32>());
    let plain = prop_oneof![
        any::<i32>().prop_map(|timeout| Change::CreateSession { timeout }),
        vec(path(), 0..3).prop_map(|paths| Change::CloseSession { paths }),
        create.prop_map(|(path, data, acl, ephemeral, parent_cversion)| Change::Create {
            op: OpCode::Create2,
            path,
            data,
            acl,
            ephemeral,
            parent_cversion,
            ttl: 0
        }),
        path().prop_map(|path| Change::Delete { op: OpCode::Delete, path }),
        (path(), proptest::option::of(bytes()), any::<i32>())
            .prop_map(|(path, data, version)| Change::SetData { path, data, version }),
        (path(), vec(acl(), 0..3), any::<i32>()).prop_map(|(path, acl, version)| Change::SetAcl {
            path,
            acl,
            version
        }),
        (path(), any::<i32>()).prop_map(|(path, version)| Change::Check { path, version }),
        any::<i32>().prop_map(Change::Error),
    ]
    .boxed();
    prop_oneof![4 => plain.clone(), 1 => vec(plain, 0..4).prop_map(Change::Multi)].boxed()
}

fn transaction() -> impl Strategy<Value = Transaction> {
    (origin(), any::<i64>(), any::<i32>(), any_zxid(), any::<i64>(), change())
        .prop_map(|(origin, session, cxid, zxid, time, change)| Transaction {
            origin,
            session: SessionId(session),
            cxid,
            zxid,
            time,
            change,
            digest: None,
        })
        .boxed()
}

fn transaction_bytes() -> impl Strategy<Value = Bytes> {
    let encoded = transaction().prop_map(|transaction| Bytes::from(transaction.encode()));
    prop_oneof![4 => select(vec![payload(zxid(1, 1)), payload(zxid(1, 2))]), 2 => encoded, 1 => bytes()]
        .boxed()
}

/// Requests of server 2 on its first link, as the bench opens it, and of others.
fn write_bytes() -> impl Strategy<Value = Bytes> {
    let fitting =
        (102..104_u64).prop_map(|boot| Origin { server: ServerId(boot - 100), boot, client: 1, number: 1 });
    let sessions = prop_oneof![Just(0), Just(0x0200_0001_0000_0001_i64), any::<i64>()];
    let write = (prop_oneof![4 => fitting, 1 => origin()], sessions, request()).prop_map(
        |(origin, session, (op, body))| WriteRequest {
            origin,
            session: SessionId(session),
            local: false,
            cxid: 1,
            op,
            body: body.into(),
            identities: Vec::new(),
        },
    );
    prop_oneof![4 => write.prop_map(|write| Bytes::from(codec::encode(&write))), 1 => bytes()].boxed()
}

fn message() -> impl Strategy<Value = Message> {
    let epochs = || prop_oneof![3 => Just(Epoch(1)), 1 => epoch()];
    let learners = prop_oneof![
        (epoch(), 0..2_u64).prop_map(|(accepted_epoch, config_version)| {
            Message::LearnerInfo { accepted_epoch, config_version }
        }),
        (epochs(), proptest::option::of(epoch()), position(), vec(position(), 0..4), standing()).prop_map(
            |(epoch, current_epoch, last, ends, standing)| Message::AckEpoch {
                epoch,
                current_epoch,
                last,
                ends,
                standing
            }
        ),
        (epochs(), number()).prop_map(|(epoch, index)| Message::SnapChunkStored { epoch, index }),
        epochs().prop_map(|epoch| Message::AckNewLeader { epoch }),
        (epochs(), any_zxid()).prop_map(|(epoch, zxid)| Message::Ack { epoch, zxid }),
        (epochs(), any_zxid()).prop_map(|(epoch, zxid)| Message::SyncStored { epoch, zxid }),
        (epochs(), number(), write_bytes()).prop_map(|(epoch, number, payload)| Message::Request {
            epoch,
            number,
            payload
        }),
    ];
    let leaders = prop_oneof![
        epochs().prop_map(|epoch| Message::LeaderInfo { epoch }),
        (epochs(), position(), any_zxid()).prop_map(|(epoch, base, end)| Message::Diff { epoch, base, end }),
        (epochs(), position()).prop_map(|(epoch, to)| Message::Trunc { epoch, to }),
        (epochs(), position()).prop_map(|(epoch, label)| Message::Snap { epoch, label }),
        (epochs(), any_zxid(), number(), prop_oneof![Just(Bytes::from(vec![0])), bytes()], any::<bool>())
            .prop_map(|(epoch, label, index, bytes, last)| Message::SnapChunk {
                epoch,
                label,
                index,
                bytes,
                last
            }),
        (epochs(), any_zxid(), any_zxid(), transaction_bytes()).prop_map(
            |(epoch, previous, zxid, payload)| Message::Proposal { epoch, previous, zxid, payload }
        ),
        (epochs(), any_zxid(), any_zxid(), transaction_bytes())
            .prop_map(|(epoch, previous, zxid, payload)| Message::Inform { epoch, previous, zxid, payload }),
        (epochs(), any_zxid()).prop_map(|(epoch, zxid)| Message::Commit { epoch, zxid }),
        (epochs(), position()).prop_map(|(epoch, end)| Message::NewLeader { epoch, end }),
        (epochs(), any_zxid()).prop_map(|(epoch, committed)| Message::UpToDate { epoch, committed }),
    ];
    let both = prop_oneof![
        (epochs(), number(), any_zxid(), vec(any::<i64>(), 0..3)).prop_map(
            |(epoch, sequence, committed, touched)| Message::Ping {
                epoch,
                sequence,
                committed,
                touched: touched.into_iter().map(SessionId).collect()
            }
        ),
        (epochs(), 0..3_u64, 0..3_i64, any::<i32>(), proptest::option::of(any::<bool>())).prop_map(
            |(epoch, client, session, timeout, lives)| Message::Revalidate {
                epoch,
                client: ClientId(client),
                session: SessionId(session),
                timeout,
                lives
            }
        ),
        (epochs(), number()).prop_map(|(epoch, number)| Message::Sync {
            epoch,
            number,
            committed: Zxid::ZERO
        }),
    ];
    // On the heap: a test's stack is small.
    prop_oneof![3 => learners.boxed(), 3 => leaders.boxed(), 1 => both.boxed()].boxed()
}

fn link() -> impl Strategy<Value = LinkIncarnation> {
    (number(), number()).prop_map(|(boot, attempt)| LinkIncarnation { boot, attempt }).boxed()
}

fn notification() -> impl Strategy<Value = Notification> {
    let states =
        vec![SenderState::Looking, SenderState::Following, SenderState::Leading, SenderState::Observing];
    let vote = (epoch(), any_zxid(), 0..5_u64).prop_map(|(peer_epoch, zxid, leader)| Vote {
        peer_epoch,
        zxid,
        leader: ServerId(leader),
    });
    (select(states), proptest::option::of(vote), number(), number(), any::<bool>())
        .prop_map(|(state, vote, round, config_version, query)| Notification {
            state,
            vote,
            round,
            config_version,
            members: String::new(),
            next_members: String::new(),
            query,
        })
        .boxed()
}

fn frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        (number(), number(), notification()).prop_map(|(boot, sequence, notification)| Frame::Vote {
            boot,
            sequence,
            notification
        }),
        link().prop_map(|link| Frame::Open { link }),
        (link(), number()).prop_map(|(link, boot)| Frame::Accept { link, boot }),
        (link(), number(), number(), message()).prop_map(|(link, boot, sequence, message)| Frame::Data {
            link,
            boot,
            sequence,
            message
        }),
        link().prop_map(|link| Frame::Reset { link }),
    ]
    .boxed()
}

/// What happens to a replica.
#[derive(Clone, Debug)]
enum Act {
    Say(u64, Message),
    /// The same, from a peer that knows where the replica's log ends.
    SayFitting(u64, Message),
    Frame(u64, Frame),
    Garbage(u64, Bytes),
    Open(u64),
    Connect(u64),
    Elect(u64),
    Join(u64),
    Request(u64, i32, Vec<u8>),
    ClientGarbage(Bytes),
    ClientGone(u64),
    Wait(u64),
    HoldDisk(bool),
    Disconnect(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let peer = || 2..5_u64;
    prop_oneof![
        30 => (peer(), message()).prop_map(|(peer, message)| Act::Say(peer, message)),
        30 => (peer(), message()).prop_map(|(peer, message)| Act::SayFitting(peer, message)),
        4 => (peer(), frame()).prop_map(|(peer, frame)| Act::Frame(peer, frame)),
        1 => (peer(), bytes()).prop_map(|(peer, bytes)| Act::Garbage(peer, bytes)),
        1 => peer().prop_map(Act::Open),
        1 => peer().prop_map(Act::Connect),
        1 => (1..5_u64).prop_map(Act::Elect),
        2 => (1..3_u64).prop_map(Act::Join),
        6 => (1..3_u64, request()).prop_map(|(client, (op, body))| Act::Request(client, op, body)),
        1 => bytes().prop_map(Act::ClientGarbage),
        1 => (1..3_u64).prop_map(Act::ClientGone),
        2 => (0..3000_u64).prop_map(Act::Wait),
        2 => any::<bool>().prop_map(Act::HoldDisk),
        1 => peer().prop_map(Act::Disconnect),
    ]
    .boxed()
}

fn run(bench: &mut Bench, acts: Vec<Act>) -> Result<(), TestCaseError> {
    for act in acts {
        let before = bench.replica.status();
        match act {
            Act::Say(peer, message) if bench.has_link(peer) => bench.say(peer, message),
            Act::SayFitting(peer, message) if bench.has_link(peer) => bench.say_fitting(peer, message),
            Act::Say(..) | Act::SayFitting(..) => {}
            Act::Frame(peer, frame) => bench.frame(peer, &frame),
            Act::Garbage(peer, bytes) => bench.bytes(peer, bytes.to_vec()),
            Act::Open(peer) => bench.try_open(peer),
            Act::Connect(peer) => bench.connect(peer),
            Act::Elect(1) => bench.elect(1),
            Act::Elect(leader) => drop(bench.try_link_to(leader)),
            Act::Join(client) => bench.join(client),
            Act::Request(client, op, body) => {
                let mut frame = jute::encode(&RequestHeader { xid: 1, op });
                frame.extend(body);
                bench.client(client, frame);
            }
            Act::ClientGarbage(bytes) => bench.step(Input::ClientFrame { client: ClientId(1), bytes }),
            Act::ClientGone(client) => bench.step(Input::ClientGone { client: ClientId(client) }),
            Act::Wait(millis) => bench.wait(Duration::from_millis(millis)),
            Act::HoldDisk(true) => bench.hold_disk = true,
            Act::HoldDisk(false) => bench.release_disk(),
            Act::Disconnect(peer) => {
                let connection = ConnectionId(u64::MAX);
                bench.step(Input::Disconnected { peer: ServerId(peer), connection });
            }
        }
        prop_assert!(!bench.halted);
        let after = bench.replica.status();
        prop_assert!(after.applied.zxid >= before.applied.zxid, "applied went back (Y8)");
        prop_assert!(after.epochs.accepted_epoch >= before.epochs.accepted_epoch, "E10");
        prop_assert!(after.epochs.current_epoch >= before.epochs.current_epoch, "E10");
        prop_assert_eq!(bench.replica.state().digest(), bench.replica.state().recomputed_digest());
    }
    Ok(())
}

fn bench() -> Bench {
    Bench::new(1, Ensemble::plain(3, 1), |config| {
        config.sync_window = 1;
        config.snapshot_interval = 2;
        config.disk_sync_percent = 1000;
        config.chunk_bytes = 20;
        config.segment_bytes = 200;
        config.preallocate_bytes = 100;
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn frames_come_back_from_their_bytes(frame in frame()) {
        prop_assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
    }

    #[test]
    fn requests_and_transactions_come_back_from_their_bytes(request in request(), transaction in transaction()) {
        prop_assert_eq!(codec::decode(&codec::encode(&request)), Ok(request));
        prop_assert_eq!(Transaction::decode(&transaction.encode()), Ok(transaction));
    }

    #[test]
    fn no_bytes_make_a_codec_panic(bytes in vec(any::<u8>(), 0..200), first in 0..8_u8) {
        let mut tagged = vec![first];
        tagged.extend(&bytes);
        for bytes in [&bytes, &tagged] {
            // Whatever is decoded can be encoded again.
            if let Ok(frame) = Frame::decode(bytes) {
                prop_assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
            }
            let _ = codec::decode::<WriteRequest>(bytes);
            let _ = ConnectRequest::decode(bytes);
            for op in (-12..110).filter_map(OpCode::from_code) {
                let _ = Write::decode(op, bytes);
            }
            if let Ok(transaction) = Transaction::decode(bytes) {
                prop_assert_eq!(Transaction::decode(&transaction.encode()), Ok(transaction));
            }
        }
    }

    #[test]
    fn a_frame_with_one_wrong_byte_is_refused_or_read(frame in frame(), at in any::<usize>(), byte in any::<u8>()) {
        let mut bytes = frame.encode();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(other) = Frame::decode(&bytes) {
            prop_assert_eq!(Frame::decode(&other.encode()), Ok(other));
        }
    }

    #[test]
    fn no_peer_and_no_client_makes_a_starting_server_panic(acts in vec(act(), 0..60)) {
        run(&mut bench(), acts)?;
    }

    #[test]
    fn no_leader_makes_its_follower_panic(acts in vec(act(), 0..60), stage in 0..3) {
        let mut bench = bench();
        match stage {
            0 => bench.promise_to(3, 1),
            1 => bench.synchronize_with(3, 1),
            _ => {
                bench.follow(3, 1);
                bench.propose(3, 1, Zxid::ZERO, zxid(1, 1));
            }
        }
        run(&mut bench, acts)?;
    }

    #[test]
    fn no_learner_makes_its_leader_panic(acts in vec(act(), 0..60), writes in 0..6_u32) {
        let mut bench = bench();
        bench.lead(&[2, 3]);
        for counter in 1..=writes {
            bench.write();
            bench.say(2, Message::Ack { epoch: Epoch(1), zxid: zxid(1, counter) });
        }
        run(&mut bench, acts)?;
    }
}

#[test]
fn the_bytes_that_a_record_claims_are_not_allocated_before_they_are_there() {
    // A payload of 2^60 bytes that ends at once.
    let frame = Frame::Data {
        link: LinkIncarnation { boot: 1, attempt: 1 },
        boot: 1,
        sequence: 1,
        message: Message::Request { epoch: Epoch(1), number: 1, payload: Arc::from(Vec::new()) },
    };
    let mut bytes = frame.encode();
    assert_eq!(bytes.pop(), Some(0));
    bytes.push(253);
    bytes.extend((1_u64 << 60).to_le_bytes());
    assert!(Frame::decode(&bytes).is_err());
}
