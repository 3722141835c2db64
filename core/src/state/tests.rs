use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::identity::{ServerId, Zxid};
use crate::wire::{Change, ErrorCode, EventType, MultiResult, OpCode, Origin, Stat, Transaction};

pub(super) const SESSION: SessionId = SessionId(0x100_0000_0001);

pub(super) fn acl(perms: i32) -> Vec<Acl> {
    vec![Acl { perms, id: Id { scheme: "world".into(), id: "anyone".into() } }]
}

pub(super) fn transaction(zxid: u64, change: Change) -> Transaction {
    let origin = Origin { server: ServerId(1), boot: 0, client: 0, number: 0 };
    let (session, time) = (SESSION, 1_000 + zxid.cast_signed());
    Transaction { origin, session, cxid: 0, zxid: Zxid(zxid), time, change, digest: None }
}

pub(super) fn create(path: &str, data: &[u8], parent_cversion: i32) -> Change {
    let (path, data) = (path.into(), Some(data.into()));
    Change::Create { op: OpCode::Create, path, data, acl: acl(31), ephemeral: false, parent_cversion, ttl: 0 }
}

fn ephemeral(path: &str, parent_cversion: i32) -> Change {
    let Change::Create { op, path, data, acl, ttl, .. } = create(path, b"", parent_cversion) else {
        unreachable!()
    };
    Change::Create { op, path, data, acl, ephemeral: true, parent_cversion, ttl }
}

fn delete(path: &str) -> Change {
    Change::Delete { op: OpCode::Delete, path: path.into() }
}

fn set(path: &str, data: &[u8], version: i32) -> Change {
    Change::SetData { path: path.into(), data: Some(data.into()), version }
}

/// Applies the changes, each in a transaction of its own, from this zxid on.
fn apply(state: &mut State, first: u64, changes: impl IntoIterator<Item = Change>) -> Vec<Outcome> {
    let transactions = (first..).zip(changes).map(|(zxid, change)| transaction(zxid, change));
    transactions.map(|transaction| state.apply(&transaction, &mut |_| ())).collect()
}

/// The triggers of one transaction.
fn triggers(state: &mut State, zxid: u64, change: Change) -> Vec<(EventType, String, i32)> {
    let mut seen = Vec::new();
    state.apply(&transaction(zxid, change), &mut |Trigger { event, path, acl, zxid: at }| {
        assert_eq!(at, Zxid(zxid));
        seen.push((event, path.to_string(), acl[0].perms));
    });
    seen
}

fn loaded(state: &State, limit: usize) -> State {
    let mut snapshot = state.snapshot();
    let mut builder = StateBuilder::default();
    while let Some((chunk, _)) = snapshot.next_chunk(limit) {
        builder.add(&chunk).unwrap();
    }
    builder.finish().unwrap()
}

#[test]
fn an_empty_tree_has_the_figures_of_apache_zookeeper() {
    let state = State::default();
    assert_eq!(state.node_digest(), 1_371_985_504);
    assert_eq!((state.node_count(), state.data_size()), (4, 44));
    let stat = |path| state.node(path).unwrap().stat();
    assert_eq!((stat("/").cversion, stat("/").num_children), (-1, 1));
    assert_eq!((stat("/zookeeper").cversion, stat("/zookeeper").num_children), (-2, 2));
    assert_eq!(stat("/zookeeper/config").aversion, -1);
    assert_eq!(state.node("/zookeeper/config").unwrap().acl(), acl(1));
    assert!(state.is_consistent());
}

#[test]
fn a_node_takes_128_bytes_of_a_page() {
    assert_eq!(size_of::<Option<Slot>>(), 128);
}

#[test]
fn reads_find_what_is_there_and_nothing_else() {
    let mut state = State::default();
    apply(&mut state, 1, [create("/p", b"x", 1), create("/p/q", b"", 1)]);
    assert_eq!(state.node("").unwrap().num_children(), 2);
    assert_eq!(state.node("/p").unwrap().descendants(), 1);
    assert_eq!(state.node("/").unwrap().descendants(), 5);
    for missing in ["/p/", "//p", "p", "/p//q", "/q", "/p/q/r", "//"] {
        assert!(state.node(missing).is_none(), "{missing}");
    }
}

#[test]
fn a_stat_evolves_as_zookeeper_says() {
    let mut state = State::default();
    let changes = [create("/p", b"x", 1), create("/p/a", b"", 1), create("/p/b", b"", 2), delete("/p/a")];
    apply(&mut state, 1, changes);
    let parent = state.node("/p").unwrap().stat();
    assert_eq!((parent.czxid, parent.mzxid, parent.pzxid), (1, 1, 4));
    assert_eq!((parent.version, parent.cversion, parent.num_children), (0, 3, 1));
    assert_eq!(state.node("/p").unwrap().stored().cversion, 2);
    let acl_set = Change::SetAcl { path: "/p".into(), acl: acl(1), version: 1 };
    apply(&mut state, 5, [set("/p", b"xyz", 1), acl_set]);
    let after = state.node("/p").unwrap().stat();
    let expected = Stat { mzxid: 5, mtime: 1_005, version: 1, aversion: 1, data_length: 3, ..parent };
    assert_eq!(after, expected);
}

#[test]
fn null_data_and_empty_data_stay_two_things() {
    let mut state = State::default();
    apply(&mut state, 1, [create("/a", b"", 1), create("/b", b"x", 2)]);
    apply(&mut state, 3, [Change::SetData { path: "/b".into(), data: None, version: 1 }]);
    for state in [&state, &loaded(&state, 100)] {
        assert_eq!(state.node("/a").unwrap().data().as_deref(), Some(&b""[..]));
        assert_eq!(state.node("/b").unwrap().data(), None);
        assert_eq!(state.node("/b").unwrap().stat().data_length, 0);
    }
}

#[test]
fn events_of_a_transaction_come_in_order_each_with_the_list_of_its_node() {
    use EventType::{NodeChildrenChanged, NodeCreated, NodeDataChanged, NodeDeleted};
    let mut state = State::default();
    let own = |change| match change {
        Change::Create { op, path, data, ephemeral, parent_cversion, ttl, .. } => {
            Change::Create { op, path, data, acl: acl(9), ephemeral, parent_cversion, ttl }
        }
        other => other,
    };
    let seen = triggers(&mut state, 1, own(create("/a", b"", 1)));
    assert_eq!(seen, [(NodeCreated, "/a".into(), 9), (NodeChildrenChanged, "/".into(), 31)]);
    let multi = Change::Multi(vec![set("/a", b"1", 1), create("/a/b", b"", 1), delete("/a/b")]);
    let seen = triggers(&mut state, 2, multi);
    let expected = [
        (NodeDataChanged, "/a".to_string(), 9),
        (NodeCreated, "/a/b".into(), 31),
        (NodeChildrenChanged, "/a".into(), 9),
        (NodeDeleted, "/a/b".into(), 31),
        (NodeChildrenChanged, "/a".into(), 9),
    ];
    assert_eq!(seen, expected);
    let seen = triggers(&mut state, 3, delete("/a"));
    assert_eq!(seen, [(NodeDeleted, "/a".into(), 9), (NodeChildrenChanged, "/".into(), 31)]);
    assert_eq!(triggers(&mut state, 4, Change::SetAcl { path: "/".into(), acl: acl(1), version: 1 }), []);
}

#[test]
fn a_multi_with_an_error_changes_nothing_and_says_why() {
    let mut state = State::default();
    let changes = vec![Change::Error(0), Change::Error(-101), Change::Error(-2)];
    let results = changes.iter().map(|change| match change {
        Change::Error(code) => MultiResult::Error(*code),
        _ => unreachable!(),
    });
    let expected = Outcome::Multi(results.collect());
    assert_eq!(apply(&mut state, 1, [Change::Multi(changes)]), [expected]);
    let partial = Change::Multi(vec![create("/a", b"", 1), Change::Error(-101)]);
    apply(&mut state, 2, [partial]);
    assert_eq!(state.digest(), State::default().digest());
}

#[test]
fn a_multi_answers_each_operation_in_its_form() {
    let mut state = State::default();
    let Change::Create { path, data, acl, ephemeral, parent_cversion, ttl, .. } = create("/b", b"", 2) else {
        unreachable!()
    };
    let create2 = Change::Create { op: OpCode::Create2, path, data, acl, ephemeral, parent_cversion, ttl };
    let check = Change::Check { path: "/a".into(), version: 1 };
    let multi = Change::Multi(vec![create("/a", b"", 1), create2, set("/a", b"x", 1), check, delete("/a")]);
    let outcome = apply(&mut state, 7, [multi]).remove(0);
    let Outcome::Multi(results) = outcome else { unreachable!() };
    let stat = state.node("/b").unwrap().stat();
    assert_eq!(results[0], MultiResult::Create("/a".into()));
    assert_eq!(results[1], MultiResult::Create2("/b".into(), stat));
    assert!(matches!(results[2], MultiResult::SetData(Stat { version: 1, mzxid: 7, .. })));
    assert_eq!(results[3..], [MultiResult::Check, MultiResult::Delete]);
}

#[test]
fn a_session_takes_its_ephemeral_nodes_along() {
    let mut state = State::default();
    apply(&mut state, 1, [Change::CreateSession { timeout: 4_000 }, ephemeral("/b", 1), ephemeral("/a", 2)]);
    assert_eq!(state.ephemerals(SESSION).collect::<Vec<_>>(), ["/a", "/b"]);
    assert_eq!(state.owners().collect::<Vec<_>>(), [SESSION]);
    assert_eq!(state.node("/a").unwrap().stat().ephemeral_owner, SESSION.0);
    assert_eq!((state.session_timeout(SESSION), state.ephemeral_count()), (Some(4_000), 2));
    let with = loaded(&state, 50);
    assert_eq!(with.digest(), state.digest());
    assert_eq!(with.ephemerals(SESSION).collect::<Vec<_>>(), ["/a", "/b"]);
    apply(&mut state, 4, [Change::CloseSession { paths: vec!["/a".into(), "/b".into()] }]);
    assert_eq!((state.session_count(), state.ephemeral_count(), state.node_count()), (0, 0, 4));
    assert!(state.is_consistent());
}

#[test]
fn sessions_with_other_timeouts_are_another_state() {
    let mut state = State::default();
    let empty = state.digest();
    apply(&mut state, 1, [Change::CreateSession { timeout: 4_000 }]);
    let one = state.digest();
    apply(&mut state, 2, [Change::CreateSession { timeout: 5_000 }]);
    assert!(one != empty && state.digest() != one);
    assert_eq!(state.node_digest(), State::default().node_digest());
    apply(&mut state, 3, [Change::CloseSession { paths: vec![] }]);
    assert_eq!(state.digest(), empty);
}

#[test]
fn a_deletion_that_finds_nothing_still_shows_at_the_parent() {
    let mut state = State::default();
    apply(&mut state, 1, [create("/p", b"", 1)]);
    assert_eq!(apply(&mut state, 9, [delete("/p/gone")]), [Outcome::Error(-101)]);
    assert_eq!(state.node("/p").unwrap().stat().pzxid, 9);
}

#[test]
fn a_creation_that_comes_again_does_not_move_the_parent_back() {
    let mut state = State::default();
    apply(&mut state, 1, [create("/p", b"", 1), create("/p/a", b"", 1), create("/p/b", b"", 2)]);
    let before = state.digest();
    assert_eq!(apply(&mut state, 2, [create("/p/a", b"", 1)]), [Outcome::Error(-110)]);
    assert_eq!(state.digest(), before);
}

#[test]
fn a_name_is_never_empty_whatever_a_transaction_says() {
    let mut state = State::default();
    let nameless = [create("/a", b"", 1), create("/a/", b"", 1), create("//", b"", 2), create("", b"", 2)];
    apply(&mut state, 1, nameless);
    assert_eq!(state.node_count(), 5);
    assert_eq!(loaded(&state, 100).digest(), state.digest());
}

#[test]
fn the_count_of_creations_wraps() {
    let mut state = State::default();
    apply(&mut state, 1, [create("/p", b"", 1), create("/p/a", b"", i32::MAX)]);
    apply(&mut state, 3, [create("/p/b", b"", i32::MIN)]);
    assert_eq!(state.node("/p").unwrap().stored().cversion, i32::MIN);
    assert_eq!(state.node("/p").unwrap().stat().cversion, -2);
}

#[test]
fn containers_and_nodes_with_a_time_to_live_are_swept_when_their_time_has_come() {
    let kind = |path: &str, op, ttl, parent_cversion| Change::Create {
        op,
        path: path.into(),
        data: None,
        acl: acl(31),
        ephemeral: false,
        parent_cversion,
        ttl,
    };
    let mut state = State::default();
    let container = kind("/c", OpCode::CreateContainer, 0, 1);
    apply(&mut state, 1, [container, kind("/t", OpCode::CreateTtl, 50, 2), create("/c/x", b"", 1)]);
    let sweep = |state: &State, now, never| state.sweepable(now, never).collect::<Vec<_>>();
    assert_eq!(state.node("/c").unwrap().stat().ephemeral_owner, 0);
    assert_eq!(state.node("/t").unwrap().stat().ephemeral_owner, 0);
    assert_eq!(sweep(&state, 1_052, 0), [""; 0]);
    assert_eq!(sweep(&state, 1_053, 0), ["/t"]);
    assert_eq!(sweep(&loaded(&state, 10), 1_053, 0), ["/t"]);
    apply(&mut state, 4, [delete("/c/x"), kind("/d", OpCode::CreateContainer, 0, 3)]);
    assert_eq!(sweep(&state, 1_010, 0), ["/c"]);
    assert_eq!(sweep(&state, 1_015, 10), ["/c"]);
    assert_eq!(sweep(&state, 1_016, 10), ["/c", "/d"]);
    apply(&mut state, 6, [delete("/c"), delete("/t"), delete("/d")]);
    assert_eq!(sweep(&state, i64::MAX, 1), [""; 0]);
}

#[test]
fn equal_lists_are_kept_once_and_forgotten_with_their_last_node() {
    let mut state = State::default();
    apply(&mut state, 1, (1..50).map(|n| create(&format!("/{n}"), b"", n)));
    assert_eq!(state.acl_count(), 2);
    apply(&mut state, 60, [Change::SetAcl { path: "/1".into(), acl: acl(7), version: 1 }]);
    assert_eq!(state.acl_count(), 3);
    apply(&mut state, 61, [delete("/1")]);
    assert_eq!(state.acl_count(), 2);
    assert!(state.is_consistent());
}

#[test]
fn a_quota_counts_its_subtree_and_shows_the_figures() {
    let quota = "/zookeeper/quota/a";
    let (limits, stats) = (format!("{quota}/zookeeper_limits"), format!("{quota}/zookeeper_stats"));
    let mut state = State::default();
    apply(&mut state, 1, [create("/a", b"12", 1), create("/a/b", b"345", 1), create("/ab", b"", 2)]);
    assert_eq!(state.quota_above("/a/b"), None);
    let text = b"count=5,bytes=-1=;byteHardLimit=9;countHardLimit=7";
    apply(&mut state, 4, [create(quota, b"", 1), create(&limits, text, 1), create(&stats, b"mine", 2)]);
    apply(&mut state, 7, [create("/a/b/c", b"6", 1), set("/a", b"", 1), delete("/nothing")]);
    let limits_set =
        QuotaLimits { count: Some(5), count_hard: Some(7), bytes_hard: Some(9), ..QuotaLimits::default() };
    for state in [&state, &loaded(&state, 10)] {
        let usage = QuotaUsage { count: 3, bytes: 4 };
        let expected = Some(Quota { path: "/a", limits: limits_set, usage });
        assert_eq!(state.quota_above("/a/b/new"), expected);
        assert_eq!(state.quota_above("/a"), expected);
        assert_eq!(state.quota_above("/ab"), None);
        let shown = state.node(&stats).unwrap();
        assert_eq!(shown.data().as_deref(), Some(&b"count=3,bytes=4"[..]));
        assert_eq!(shown.stat().data_length, 15);
        assert!(state.is_consistent());
    }
    apply(&mut state, 10, [delete("/a/b/c"), delete("/a/b")]);
    assert_eq!(state.node(&stats).unwrap().data().as_deref(), Some(&b"count=1,bytes=0"[..]));
    apply(&mut state, 12, [delete(&limits)]);
    assert_eq!(state.quota_above("/a"), None);
    apply(&mut state, 13, [delete(&stats)]);
    assert_eq!(state.quotas, Quotas::default());
}

#[test]
fn limits_are_read_as_every_version_wrote_them() {
    let none = QuotaLimits::default();
    assert_eq!(
        QuotaLimits::parse(b"count=5,bytes=9"),
        QuotaLimits { count: Some(5), bytes: Some(9), ..none }
    );
    assert_eq!(QuotaLimits::parse(b"count=-1,bytes=0"), QuotaLimits { bytes: Some(0), ..none });
    assert_eq!(QuotaLimits::parse(b""), none);
    for nonsense in [&b"count"[..], b"count=,bytes=x", b"\xff\xff", b"=;=,;"] {
        assert_eq!(QuotaLimits::parse(nonsense), QuotaLimits { unreadable: true, ..none });
    }
}

#[test]
fn the_system_nodes_do_not_count_in_the_digest() {
    let mut state = State::default();
    let before = state.digest();
    state.set_config(b"server.1=a:1:2:participant\nversion=0"[..].into());
    apply(&mut state, 1, [create("/zookeeper/quota/x", b"y", 1)]);
    assert_eq!(state.digest(), before);
    let config = state.node("/zookeeper/config").unwrap();
    assert_eq!((config.stat().version, config.stat().data_length), (0, 36));
    assert!(state.is_consistent());
}

#[test]
fn the_members_are_those_of_the_last_reconfig() {
    let mut state = State::default();
    let text = |version| format!("server.1=a:1:2:participant\nversion={version}");
    state.set_config(text("0").into_bytes().into());
    assert_eq!(state.membership(), None, "an operator wrote them");
    let before = state.digest();
    apply(&mut state, 7, [Change::Reconfig { data: text("7").into_bytes().into() }]);
    let members = state.membership().expect("a reconfig was applied");
    assert_eq!((members.ensemble.version, members.text()), (7, text("7")));
    let node = state.node("/zookeeper/config").unwrap().stat();
    assert_eq!((node.version, node.mzxid, node.czxid), (-1, 7, 0));
    assert_eq!(state.digest(), before, "the digest covers no system node");
    apply(&mut state, 8, [Change::NextMembers { data: text("8").into_bytes().into() }]);
    assert_eq!(state.membership(), Some(members), "those that are to follow are not there yet");
    let announced = |state: &State| state.next_members().map(|members| members.text());
    assert_eq!(announced(&loaded(&state, 1)), Some(text("8")), "and are in snapshots");
    apply(&mut state, 9, [Change::Reconfig { data: text("9").into_bytes().into() }]);
    assert_eq!(announced(&state), None);
    apply(&mut state, 10, [set("/zookeeper/config", b"server.2=a:1:2", 0)]);
    assert_eq!(state.membership(), None, "setData names no members");
}

#[test]
fn a_transaction_without_a_path_changes_nothing() {
    let mut state = State::default();
    apply(&mut state, 1, [create("/a", b"", 1)]);
    let before = state.digest();
    for path in ["", "a", "//", "//b", "/a/", "/a//b"] {
        let outcome = apply(&mut state, 2, [create(path, b"", 1)]).remove(0);
        assert!(matches!(outcome, Outcome::Error(_)), "{path:?}");
    }
    assert_eq!(apply(&mut state, 2, [delete("//a")]), [ErrorCode::BadArguments.into()]);
    assert_eq!(state.digest(), before);
    assert!(state.is_consistent());
}

#[test]
fn children_come_in_the_same_order_from_a_snapshot() {
    let mut state = State::default();
    apply(&mut state, 1, (1..100).map(|n| create(&format!("/{n}"), b"", n)));
    apply(&mut state, 100, (1..50).map(|n| delete(&format!("/{n}"))));
    apply(&mut state, 200, (1..20).map(|n| create(&format!("/{n}"), b"", 99 + n)));
    let names = |state: &State| state.node("/").unwrap().children().map(String::from).collect::<Vec<_>>();
    assert_eq!(names(&loaded(&state, 300)), names(&state));
    assert_eq!(names(&state).len(), 70);
}

#[test]
fn a_snapshot_is_a_point_in_time() {
    let mut state = State::default();
    apply(&mut state, 1, (1..200).map(|n| create(&format!("/{n}"), b"before", n)));
    let before = state.digest();
    let mut snapshot = state.snapshot();
    let mut builder = StateBuilder::default();
    let mut chunks = 0;
    while let Some((chunk, last)) = snapshot.next_chunk(300) {
        builder.add(&chunk).unwrap();
        chunks += 1;
        let change = [set(&format!("/{chunks}"), b"after", 1), delete(&format!("/{}", 200 - chunks))];
        apply(&mut state, 1_000 + 2 * chunks, change);
        assert_eq!(last, snapshot.clone().next_chunk(300).is_none());
    }
    assert!(chunks > 20);
    let loaded = builder.finish().unwrap();
    assert_eq!(loaded.digest(), before);
    assert!(loaded.is_consistent() && state.is_consistent());
    assert_ne!(state.digest(), before);
}

#[test]
fn a_state_is_loaded_from_its_sessions_and_nodes() {
    let mut state = State::default();
    let changes = [
        Change::CreateSession { timeout: 4_000 },
        create("/a", b"1", 1),
        ephemeral("/a/e", 1),
        create("/zookeeper/quota/a", b"", 1),
        create("/zookeeper/quota/a/zookeeper_limits", b"count=5,bytes=-1", 1),
        set("/a", b"two", 1),
    ];
    apply(&mut state, 1, changes);
    let mut loader = StateLoader::default();
    for (session, timeout) in state.sessions() {
        loader.session(session, timeout);
    }
    for (path, node) in state.nodes() {
        loader.node(&path, node.data(), Some(node.acl()), *node.stored()).unwrap();
    }
    let (loaded, _) = loader.finish().unwrap().finish(Zxid(6));
    assert!(loaded.is_consistent());
    assert_eq!(loaded.digest(), state.digest());
    assert_eq!(loaded.quota_above("/a/e"), state.quota_above("/a/e"));
    assert_eq!(loaded.ephemerals(SESSION).collect::<Vec<_>>(), ["/a/e"]);
    assert!(loaded.nodes().map(|(path, node)| (path, node.stat())).eq(loaded.nodes().map(|(path, _)| {
        let stat = state.node(&path).unwrap().stat();
        (path, stat)
    })));
}

#[test]
fn nodes_that_are_no_tree_are_not_loaded() {
    let stat = StoredStat::default;
    let mut loader = StateLoader::default();
    assert!(loader.node("/a", None, Some(&acl(31)), stat()).is_err(), "the root comes first");
    assert!(StateLoader::default().finish().is_err());
    loader.node("/", None, Some(&acl(31)), stat()).unwrap();
    for path in ["/", "", "a", "/b/c", "/a/", "//a"] {
        assert!(loader.node(path, None, Some(&acl(31)), stat()).is_err(), "{path:?}");
    }
    loader.node("/a", None, Some(&acl(31)), stat()).unwrap();
    assert!(loader.node("/a", None, Some(&acl(31)), stat()).is_err(), "twice");
    let state = loader.finish().unwrap().into_state();
    assert!(state.is_consistent());
    assert_eq!(state.node("/zookeeper/config").unwrap().acl(), acl(1), "system nodes are added");
}
