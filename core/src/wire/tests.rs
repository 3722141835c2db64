use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Debug;

use proptest::option::of;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use serde::{Deserialize, Serialize};

use super::*;
use crate::identity::{Bytes, ServerId, Zxid};
use crate::jute::{self, Decoder};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[/a-z\u{e9}]{0,8}"]
}

fn borrowed() -> impl Strategy<Value = Cow<'static, str>> {
    text().prop_map(Cow::Owned)
}

fn data() -> impl Strategy<Value = Option<Bytes>> {
    of(prop::collection::vec(any::<u8>(), 0..8).prop_map(Bytes::from))
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(text(), 0..4)
}

fn acl() -> impl Strategy<Value = Vec<Acl>> {
    let entry = (any::<i32>(), text(), text());
    prop::collection::vec(entry.prop_map(|(perms, scheme, id)| Acl { perms, id: Id { scheme, id } }), 0..3)
}

prop_compose! {
    fn stat()(longs: [i64; 6], ints: [i32; 5]) -> Stat {
        let [czxid, mzxid, ctime, mtime, ephemeral_owner, pzxid] = longs;
        let [version, cversion, aversion, data_length, num_children] = ints;
        Stat {
            czxid, mzxid, ctime, mtime, version, cversion, aversion, ephemeral_owner, data_length,
            num_children, pzxid,
        }
    }
}

prop_compose! {
    fn create()(path in text(), data in data(), acl in of(acl()), flags: i32) -> Create {
        Create { path, data, acl, flags }
    }
}

prop_compose! {
    fn set_watches()(relative_zxid: i64, data in texts(), exist in texts(), child in texts()) -> SetWatches {
        SetWatches { relative_zxid, data, exist, child }
    }
}

/// What was written is what is read, whatever follows; and a part of it is refused.
fn round_trip<T: Serialize + Deserialize<'static> + PartialEq + Debug>(record: &T) -> TestCaseResult {
    let mut bytes = jute::encode(record);
    let length = bytes.len();
    bytes.extend([0xff; 3]);
    // Some records borrow from the bytes: these live as long as the test.
    let bytes: &'static [u8] = bytes.leak();
    for end in 0..length {
        prop_assert!(Decoder::new(&bytes[..end]).read::<T>().is_err());
    }
    let mut decoder = Decoder::new(bytes);
    let decoded = decoder.read::<T>();
    prop_assert_eq!(decoded.as_ref(), Ok(record));
    prop_assert_eq!(decoder.remaining(), [0xff; 3]);
    Ok(())
}

proptest! {
    #[test]
    fn requests_are_read_as_they_were_written(
        (path, nullable, number, watch, zxid) in
            (borrowed(), of(borrowed()), any::<i32>(), any::<bool>(), any::<i64>()),
        (data, acl, create) in (data(), acl(), create()),
        (standard, persistent, recursive) in (set_watches(), texts(), texts()),
    ) {
        let owned = String::from(path.clone());
        round_trip(&RequestHeader { xid: number, op: number })?;
        round_trip(&PathWatch { path: path.clone(), watch })?;
        round_trip(&PathOnly { path })?;
        round_trip(&create)?;
        round_trip(&CreateTtl { create, ttl: zxid })?;
        round_trip(&Delete { path: owned.clone(), version: number })?;
        round_trip(&SetData { path: owned.clone(), data: data.clone(), version: number })?;
        round_trip(&SetAcl { path: owned.clone(), acl: Some(acl), version: number })?;
        round_trip(&CheckVersion { path: owned.clone(), version: number })?;
        round_trip(&WatcherType { path: nullable.clone(), kind: number })?;
        round_trip(&AddWatch { path: nullable, mode: number })?;
        round_trip(&Auth { kind: number, scheme: owned, auth: data })?;
        round_trip(&standard)?;
        round_trip(&SetWatches2 { standard, persistent, recursive })?;
    }

    #[test]
    fn answers_are_read_as_they_were_written(
        (stat, data, acl, children, path) in (stat(), data(), acl(), texts(), borrowed()),
        (xid, zxid, err) in any::<(i32, i64, i32)>(),
    ) {
        round_trip(&ReplyHeader { xid, zxid, err })?;
        round_trip(&stat)?;
        round_trip(&GetDataResponse { data, stat })?;
        round_trip(&GetChildren2Response { children, stat })?;
        round_trip(&GetAclResponse { acl, stat })?;
        round_trip(&WatcherEvent { event: err, state: xid, path })?;
        round_trip(&MultiHeader { op: xid, done: zxid > 0, err })?;
    }

    #[test]
    fn handshakes_are_read_as_they_were_written(
        (protocol_version, last_zxid_seen, timeout, session) in any::<(i32, i64, i32, i64)>(),
        (password, given, read_only) in (data(), any::<[u8; PASSWORD_BYTES]>(), of(any::<bool>())),
    ) {
        let session = SessionId(session);
        let request =
            ConnectRequest { protocol_version, last_zxid_seen, timeout, session, password, read_only };
        prop_assert_eq!(ConnectRequest::decode(&request.encode()), Ok(request));
        let response = ConnectResponse { timeout, session, password: given, read_only };
        let frame = response.frame();
        // Clients know the lengths by heart (client.md section 3.2).
        prop_assert_eq!(frame.len(), 4 + 36 + usize::from(read_only.is_some()));
        prop_assert_eq!(ConnectResponse::decode(&frame[4..]), Ok(response));
    }

    #[test]
    fn transactions_are_read_as_they_were_written(
        (server, boot, client, number) in any::<(u64, u64, u64, u64)>(),
        (session, cxid, zxid, time, digest) in any::<(i64, i32, u64, i64, Option<u64>)>(),
        change in change(),
    ) {
        let origin = Origin { server: ServerId(server), boot, client, number };
        let (session, zxid) = (SessionId(session), Zxid(zxid));
        let transaction = Transaction { origin, session, cxid, zxid, time, change, digest };
        let bytes = transaction.encode();
        prop_assert_eq!(Transaction::decode(&bytes), Ok(transaction));
    }

    #[test]
    fn arbitrary_bytes_are_a_record_or_an_error(bytes in bytes()) {
        let _ = ConnectRequest::decode(&bytes);
        let _ = ConnectResponse::decode(&bytes);
        let _ = Transaction::decode(&bytes);
        let _ = MultiRequest::decode(&bytes);
        let _ = jute::decode::<Auth>(&bytes);
        let _ = jute::decode::<SetWatches2>(&bytes);
        let _ = Decoder::new(&bytes).read::<PathWatch<'_>>();
        let _ = Decoder::new(&bytes).read::<WatcherType<'_>>();
        for op in (-11..=107).filter_map(OpCode::from_code) {
            prop_assert_eq!(OpCode::from_code(op.code()), Some(op));
            let _ = Write::decode(op, &bytes);
        }
    }

    #[test]
    fn a_write_is_well_formed_if_it_decodes(bytes in bytes(), create in create(), ttl: i64, cut in 0..99_usize) {
        let cut = jute::encode(&CreateTtl { create, ttl }).into_iter().rev().skip(cut).rev().collect();
        for op in [OpCode::Create, OpCode::CreateTtl, OpCode::Delete, OpCode::SetData, OpCode::SetAcl] {
            for body in [&bytes, &cut] {
                prop_assert_eq!(is_well_formed(op, body), Write::decode(op, body).is_ok());
            }
        }
    }

    #[test]
    fn a_stream_gives_the_same_frames_however_it_is_cut(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..8),
        pieces in prop::collection::vec(1..9_usize, 1..6),
    ) {
        let framed = |frame: &Vec<u8>| [&u32::try_from(frame.len()).expect("short").to_be_bytes()[..], frame].concat();
        let stream: Vec<u8> = frames.iter().flat_map(framed).collect();
        let (mut rest, mut sizes) = (&stream[..], pieces.iter().cycle());
        let (mut splitter, mut found) = (Frames::new(20), Vec::new());
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(rest.len().min(*sizes.next().expect("a cycle")));
            splitter.push(piece);
            rest = later;
            while let Some(frame) = splitter.next_frame().expect("short frames") {
                found.push(frame.to_vec());
            }
        }
        prop_assert_eq!(found, frames);
        prop_assert!(splitter.buffered().is_empty());
    }
}

/// Bytes in which counts and lengths are often small, so that decoding gets somewhere.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        (-2..6_i32).prop_map(|int| int.to_be_bytes().to_vec()),
        prop::sample::select(&[1_i32, 2, 4, 5, 8, 13, 14, 15, 19, 21, i32::MAX, i32::MIN][..])
            .prop_map(|int| int.to_be_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(word, 0..24).prop_map(|words| words.concat())
}

fn change() -> impl Strategy<Value = Change> {
    let single = prop_oneof![
        any::<i32>().prop_map(|timeout| Change::CreateSession { timeout }),
        // A node has a path; two empty ones cannot be told from a digest of zero without paths.
        prop::collection::vec("/[a-z\u{e9}]{1,8}", 0..4).prop_map(|paths| Change::CloseSession { paths }),
        (text(), data(), acl(), any::<bool>(), any::<i32>(), any::<i64>(), 0..4_usize).prop_map(
            |(path, data, acl, ephemeral, parent_cversion, ttl, op)| {
                let op = [OpCode::Create, OpCode::Create2, OpCode::CreateContainer, OpCode::CreateTtl][op];
                let ephemeral = ephemeral && matches!(op, OpCode::Create | OpCode::Create2);
                let ttl = if op == OpCode::CreateTtl { ttl } else { 0 };
                Change::Create { op, path, data, acl, ephemeral, parent_cversion, ttl }
            }
        ),
        (text(), any::<bool>()).prop_map(|(path, container)| {
            Change::Delete { op: if container { OpCode::DeleteContainer } else { OpCode::Delete }, path }
        }),
        (text(), data(), any::<i32>()).prop_map(|(path, data, version)| Change::SetData {
            path,
            data,
            version
        }),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(|data| Change::Reconfig { data: data.into() }),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(|data| Change::NextMembers { data: data.into() }),
        (text(), acl(), any::<i32>()).prop_map(|(path, acl, version)| Change::SetAcl { path, acl, version }),
        (text(), any::<i32>()).prop_map(|(path, version)| Change::Check { path, version }),
        any::<i32>().prop_map(Change::Error),
    ];
    prop_oneof![4 => single.clone(), 1 => prop::collection::vec(single, 0..4).prop_map(Change::Multi)]
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hex digit") as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// Frames from conversations with Apache ZooKeeper 3.9.5.
#[test]
fn golden_requests_are_understood() {
    let connect = hex(
        "00000000 0000000000000000 00002710 0000000000000000 00000010 00000000000000000000000000000000 00",
    );
    assert_eq!(connect.len(), 45);
    let request = ConnectRequest::decode(&connect).expect("a request");
    assert_eq!((request.timeout, request.session, request.read_only), (10_000, SessionId(0), Some(false)));
    assert_eq!(request.password.as_deref(), Some(&[0; 16][..]));
    // Without the last field, as third-party clients send it.
    assert_eq!(ConnectRequest::decode(&connect[..44]).expect("a request").read_only, None);

    let create = hex(
        "00000002 2f70 00000004 64617461 00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65 00000003",
    );
    let acl = Some(vec![Acl { perms: 31, id: Id { scheme: "world".into(), id: "anyone".into() } }]);
    let expected = Create { path: "/p".into(), data: Some(b"data"[..].into()), acl, flags: 3 };
    let expected = Write::Create { op: OpCode::Create, create: expected, ttl: 0 };
    assert_eq!(Write::decode(OpCode::Create, &create), Ok(expected));

    let multi = hex(
        "00000005 00 ffffffff 00000002 2f70 00000001 78 ffffffff 0000000d 00 ffffffff 00000002 2f70 00000001 ffffffff 01 ffffffff",
    );
    let set = SetData { path: "/p".into(), data: Some(b"x"[..].into()), version: -1 };
    let check = CheckVersion { path: "/p".into(), version: 1 };
    let expected = MultiRequest::Writes(vec![Write::SetData(set), Write::Check(check)]);
    assert_eq!(MultiRequest::decode(&multi), Ok(expected));
}

#[test]
fn golden_answers_are_written() {
    let refused = hex("00000010 00000002 0000000000000005 ffffff9b");
    assert_eq!(reply_error(2, 5, ErrorCode::NoNode), refused);
    let event = hex("0000001e ffffffff 0000000000000004 00000000 00000003 00000003 00000002 2f70");
    assert_eq!(notification(4, EventType::NodeDataChanged, "/p"), event);
    let gone =
        hex("00000025 00000000 00000000 0000000000000000 00000010 00000000000000000000000000000000 00");
    assert_eq!(ConnectResponse::gone(Some(false)).frame(), gone);
    let results = [
        MultiResult::Create("/p".into()),
        MultiResult::Create2("/q".into(), Stat::default()),
        MultiResult::Delete,
        MultiResult::SetData(Stat::default()),
        MultiResult::Check,
        MultiResult::Error(-101),
    ];
    let stat = "00".repeat(68);
    let expected = [
        "00000001 00 00000000 00000002 2f70",
        "0000000f 00 00000000 00000002 2f71",
        &stat,
        "00000002 00 00000000",
        "00000005 00 00000000",
        &stat,
        "0000000d 00 00000000",
        "ffffffff 00 ffffff9b ffffff9b",
        "ffffffff 01 ffffffff",
    ];
    let mut bytes = Vec::new();
    encode_multi_results(&mut bytes, &results);
    assert_eq!(bytes, hex(&expected.concat()));
}

#[test]
fn frames_beyond_the_limit_and_negative_ones_end_the_stream() {
    for length in [FRAME_LIMIT as i32 + 1, i32::MAX, -1, i32::MIN] {
        let mut frames = Frames::new(FRAME_LIMIT);
        frames.push(&length.to_be_bytes());
        assert_eq!(frames.next_frame(), Err(FrameTooLong(length)));
    }
    let mut frames = Frames::new(FRAME_LIMIT);
    frames.push(&(FRAME_LIMIT as i32).to_be_bytes());
    assert_eq!(frames.next_frame(), Ok(None));
    frames.push(&vec![7; FRAME_LIMIT]);
    assert_eq!(frames.next_frame().map(|frame| frame.map(<[u8]>::len)), Ok(Some(FRAME_LIMIT)));
    frames.push(&[0; 4]);
    assert_eq!(frames.next_frame(), Ok(Some(&[][..])));
}

#[test]
fn null_names_in_access_control_lists_are_those_of_nobody() {
    let null = hex("00000001 ffffffff ffffffff");
    let expected = Acl { perms: 1, id: Id { scheme: String::new(), id: jute::NULL.into() } };
    assert_eq!(jute::decode(&null), Ok(expected.clone()));
    // Other formats carry them too.
    assert_eq!(crate::codec::decode(&crate::codec::encode(&expected)), Ok(expected));
}

#[test]
fn the_end_of_a_session_is_read_with_and_without_its_paths_and_a_digest() {
    let origin = Origin { server: ServerId(1), boot: 0, client: 0, number: 0 };
    let header = "0000000000000007 00000003 0000000100000002 0000000000000004 fffffff5";
    let (none, some) = ("", "00000001 00000002 2f61");
    for (paths, expected) in [(none, &[][..]), ("00000000", &[]), (some, &["/a"])] {
        for (digest, value) in [("", None), ("00000002 0000000000000005", Some(5))] {
            let bytes = hex(&[header, paths, digest].concat());
            let Transaction { change, digest, zxid, session, .. } =
                Transaction::decode_entry(origin, &bytes).unwrap();
            let paths = expected.iter().map(|path| String::from(*path)).collect();
            assert_eq!((change, digest), (Change::CloseSession { paths }, value), "{bytes:?}");
            assert_eq!((zxid, session), (Zxid(0x1_0000_0002), SessionId(7)));
        }
    }
}
