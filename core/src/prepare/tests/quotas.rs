use super::*;

const LIMITS: &str = "/zookeeper/quota/a/zookeeper_limits";

/// A session, and the node /a with a child of five bytes.
fn with_nodes() -> (Leader, SessionId) {
    let mut leader = Leader::new(ServiceSettings { enforce_quota: true, ..settings() });
    let session = leader.session();
    leader.done(session, [create("/a", 0), sized("/a/x", 5), create("/zookeeper/quota/a", 0)]);
    (leader, session)
}

fn sized(path: &str, bytes: usize) -> Operation {
    op(OpCode::Create, &create_with(path, 0, &"x".repeat(bytes), open()))
}

fn limits(text: &str) -> Operation {
    op(OpCode::Create, &create_with(LIMITS, 0, text, open()))
}

#[test]
fn a_hard_limit_counts_what_is_in_flight() {
    let (mut leader, session) = with_nodes();
    leader.done(session, [limits("count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=4")]);
    leader.write(session, create("/a/y", 0)).unwrap();
    leader.write(session, create("/a/y/z", 0)).unwrap();
    leader.refuses(session, create("/a/w", 0), ErrorCode::QuotaExceeded);
    leader.write(session, set_data("/a/y", "12345", 0)).unwrap();
    leader.refuses(session, set_data("/a", "6", 0), ErrorCode::QuotaExceeded);
    leader.apply_one();
    leader.refuses(session, create("/a/w", 0), ErrorCode::QuotaExceeded);
    leader.refuses(session, set_data("/a", "6", 0), ErrorCode::QuotaExceeded);
    leader.apply();
    leader.refuses(session, create("/a/w", 0), ErrorCode::QuotaExceeded);
    leader.write(session, delete("/a/y/z", 0)).unwrap();
    leader.write(session, set_data("/a/y", "1234", 1)).unwrap();
    leader.refuses(session, sized("/a/w", 2), ErrorCode::QuotaExceeded);
    leader.write(session, sized("/a/w", 1)).unwrap();
    leader.apply();
}

#[test]
fn a_quota_in_flight_is_a_quota_and_one_that_will_be_gone_is_none() {
    let (mut leader, session) = with_nodes();
    leader.write(session, create("/a/y", 0)).unwrap();
    leader.write(session, delete("/a/x", 0)).unwrap();
    leader.write(session, limits("countHardLimit=3")).unwrap();
    leader.write(session, create("/a/z", 0)).unwrap();
    leader.refuses(session, create("/a/w", 0), ErrorCode::QuotaExceeded);
    leader.write(session, set_data(LIMITS, "countHardLimit=4", 0)).unwrap();
    leader.write(session, create("/a/w", 0)).unwrap();
    leader.refuses(session, create("/a/v", 0), ErrorCode::QuotaExceeded);
    leader.write(session, delete(LIMITS, 1)).unwrap();
    leader.write(session, create("/a/v", 0)).unwrap();
    leader.apply();
}

#[test]
fn the_nearest_quota_decides() {
    let (mut leader, session) = with_nodes();
    leader.write(session, limits("countHardLimit=2")).unwrap();
    leader.write(session, create("/zookeeper/quota/a/x", 0)).unwrap();
    let inner = create_with("/zookeeper/quota/a/x/zookeeper_limits", 0, "countHardLimit=2", open());
    leader.write(session, op(OpCode::Create, &inner)).unwrap();
    leader.write(session, create("/a/x/y", 0)).unwrap();
    leader.refuses(session, create("/a/x/z", 0), ErrorCode::QuotaExceeded);
    leader.refuses(session, create("/a/b", 0), ErrorCode::QuotaExceeded);
    leader.apply();
}

#[test]
fn too_much_may_be_deleted_but_not_be_changed_in_size() {
    let (mut leader, session) = with_nodes();
    leader.done(session, [sized("/a/y", 5), limits("byteHardLimit=3")]);
    leader.refuses(session, set_data("/a/x", "1234", 0), ErrorCode::QuotaExceeded);
    leader.write(session, set_data("/a/x", "54321", 0)).unwrap();
    leader.write(session, create("/a/z", 0)).unwrap();
    leader.write(session, delete("/a/x", 1)).unwrap();
    leader.write(session, set_data("/a/y", "123", 0)).unwrap();
    leader.apply();
}

#[test]
fn the_permission_comes_before_the_quota_and_the_version_after_it() {
    let (mut leader, session) = with_nodes();
    leader.done(session, [limits("byteHardLimit=5")]);
    leader.refuses(session, set_data("/a/x", "123456", 9), ErrorCode::QuotaExceeded);
    let closed = Some(vec![acl(Permissions::READ, "world", "anyone")]);
    leader.done(session, [set_acl("/a/x", closed, 0)]);
    leader.refuses(session, set_data("/a/x", "123456", 9), ErrorCode::NoAuth);
}

#[test]
fn an_operation_of_a_multi_counts_for_the_next_ones_and_for_nobody_if_it_fails() {
    let (mut leader, session) = with_nodes();
    leader.done(session, [limits("countHardLimit=3")]);
    let both = leader.write(session, multi([create("/a/y", 0), create("/a/z", 0)]));
    assert_eq!(both, Ok(Change::Multi(vec![Change::Error(0), Change::Error(-125)])));
    leader.write(session, create("/a/y", 0)).unwrap();
    leader.apply();
}

#[test]
fn quotas_that_are_not_enforced_are_not_asked() {
    let mut leader = Leader::default();
    let session = leader.session();
    leader.done(session, [create("/a", 0), create("/zookeeper/quota/a", 0), limits("countHardLimit=0")]);
    leader.done(session, [create("/a/y", 0)]);
}
