use alloc::collections::BTreeSet;

use super::*;

fn close(leader: &mut Leader, session: SessionId) -> Vec<String> {
    match leader.write(session, (OpCode::CloseSession, vec![])) {
        Ok(Change::CloseSession { paths }) => paths,
        other => panic!("not closed: {other:?}"),
    }
}

#[test]
fn sessions_have_different_ids_whoever_creates_them_and_when() {
    let mut leader = Leader::default();
    let mut ids = BTreeSet::new();
    for epoch in 1..4 {
        for counter in 1..4 {
            for server in [1, 254, 255] {
                let zxid = Zxid::new(Epoch(epoch), 3 * counter + server as u32 % 3);
                let mut request = leader.request(LEADER, OpCode::CreateSession, jute::encode(&1));
                request.origin.server = ServerId(server);
                let transaction = leader.preparer.prepare(&leader.state, &request, None, zxid, 0);
                let id = transaction.session.0;
                assert_ne!(id >> 56 & 0xff, 0xff, "that stands for a time to live");
                assert!(ids.insert(id), "{id:x}");
            }
        }
    }
    let request = leader.request(LEADER, OpCode::CreateSession, jute::encode(&1));
    let id = leader.prepare(&request).session;
    assert_eq!(id, SessionId(0x0300_0002_0000_0001));
}

#[test]
fn a_session_gets_a_timeout_within_the_limits() {
    let mut leader = Leader::default();
    for (asked, timeout) in [(0, 4_000), (i32::MIN, 4_000), (10_000, 10_000), (i32::MAX, 40_000)] {
        let change = leader.write(LEADER, op(OpCode::CreateSession, &asked));
        assert_eq!(change, Ok(Change::CreateSession { timeout }));
    }
    leader.apply();
    assert_eq!(leader.state.session_count(), 4);
}

#[test]
fn a_session_takes_with_it_what_it_owns_then() {
    let mut leader = Leader::default();
    let (session, other) = (leader.session(), leader.session());
    leader.done(session, [create("/p", 0), create("/p/kept", 1), create("/p/deleted", 1)]);
    leader.done(session, [create("/p/again", 1), create("/p/changed", 1)]);
    leader.write(session, create("/new", 1)).unwrap();
    leader.write(session, create("/p/gone", 1)).unwrap();
    leader.write(other, delete("/p/gone", 0)).unwrap();
    leader.write(other, delete("/p/deleted", 0)).unwrap();
    leader.write(session, delete("/p/again", 0)).unwrap();
    leader.write(other, create("/p/again", 1)).unwrap();
    leader.write(other, set_data("/p/changed", "x", 0)).unwrap();
    assert_eq!(close(&mut leader, session), ["/new", "/p/changed", "/p/kept"]);
    // The parent has lost its children, though nothing is applied yet.
    leader.write(other, delete("/p/again", 0)).unwrap();
    leader.write(other, delete("/p", 0)).unwrap();
    leader.apply();
    assert_eq!(leader.state.ephemeral_count(), 0);
}

#[test]
fn nothing_of_a_session_comes_after_its_end() {
    let mut leader = Leader::default();
    let (session, other) = (leader.session(), leader.session());
    assert!(close(&mut leader, session).is_empty());
    for operation in [create("/e", 1), multi([]), set_data("/", "", -1), (OpCode::CloseSession, vec![])] {
        leader.refuses(session, operation, ErrorCode::SessionExpired);
    }
    leader.apply();
    leader.refuses(session, create("/e", 1), ErrorCode::SessionExpired);
    leader.done(other, [create("/e", 1)]);
}

#[test]
fn a_session_that_may_not_write_gets_an_error_in_the_order_of_all_writes() {
    let mut leader = Leader::default();
    let session = leader.session();
    let (op, body) = create("/a", 0);
    let request = leader.request(session, op, body);
    let zxid = Zxid::new(Epoch(2), 9);
    let moved = Some(ErrorCode::SessionMoved);
    let transaction = leader.preparer.prepare(&leader.state, &request, moved, zxid, 5);
    assert_eq!(transaction.change, Change::Error(ErrorCode::SessionMoved.code()));
    assert_eq!((transaction.zxid, transaction.time, transaction.digest), (zxid, 5, None));
    leader.done(session, [create("/a", 0)]);
}
