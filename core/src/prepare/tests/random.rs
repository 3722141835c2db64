use alloc::format;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::model::Model;
use super::*;

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    /// The n-th session so far asks for something; it may have ended.
    Write(usize, Operation),
    /// The leader sweeps.
    Sweep(Operation),
    NewSession,
    /// So many transactions are applied.
    Apply(usize),
    Wait(i64),
}

fn paths() -> impl Strategy<Value = &'static str> {
    let some = select(vec!["/a", "/b", "/a/a", "/a/b", "/b/a", "/a/a/a", "/a/s-"]);
    let odd =
        select(vec![
        "/",
        "/a/",
        "a",
        "/zookeeper/config",
        "/zookeeper/quota/a",
        "/zookeeper/quota/a/a",
        "/zookeeper/quota/zookeeper",
    ]);
    let limits = select(vec![
        "/zookeeper/quota/a/zookeeper_limits",
        "/zookeeper/quota/a/a/zookeeper_limits",
        "/zookeeper/quota/zookeeper/zookeeper_limits",
    ]);
    prop_oneof![8 => some, 1 => odd, 1 => limits]
}

fn data() -> impl Strategy<Value = &'static str> {
    select(vec!["", "x", "xxxx", "countHardLimit=3", "byteHardLimit=6;countHardLimit=4"])
}

fn lists() -> impl Strategy<Value = Option<Vec<Acl>>> {
    let all_but = |perms| Some(vec![acl(Permissions::ALL - perms, "world", "anyone")]);
    let mine = Some(vec![acl(Permissions::ALL, "auth", ""), acl(Permissions::CREATE, "world", "anyone")]);
    let odd = vec![all_but(Permissions::CREATE), all_but(Permissions::DELETE), all_but(7), mine, None];
    prop_oneof![6 => Just(open()), 1 => select(odd)]
}

fn versions() -> impl Strategy<Value = i32> {
    prop_oneof![4 => Just(-1), 1 => 0..3]
}

fn singles() -> impl Strategy<Value = Operation> {
    let creations = (paths(), 0..5, data(), lists())
        .prop_map(|(path, flags, data, acl)| op(OpCode::Create, &create_with(path, flags, data, acl)));
    prop_oneof![
        6 => creations,
        1 => (paths(), 5..7, 0..50i64).prop_map(|(path, flags, ttl)| create_ttl(path, flags, ttl)),
        3 => (paths(), versions()).prop_map(|(path, version)| delete(path, version)),
        3 => (paths(), data(), versions()).prop_map(|(path, data, version)| set_data(path, data, version)),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let checks = (paths(), versions()).prop_map(|(path, version)| check(path, version));
    let multis = vec(prop_oneof![4 => singles(), 1 => checks], 0..6).prop_map(multi);
    let lists = (paths(), lists(), versions()).prop_map(|(path, acl, version)| set_acl(path, acl, version));
    let writes = prop_oneof![
        8 => singles(),
        4 => multis,
        1 => lists,
        1 => Just((OpCode::CloseSession, Vec::new())),
    ];
    prop_oneof![
        16 => (0..4usize, writes).prop_map(|(session, write)| Step::Write(session, write)),
        1 => paths().prop_map(|path| Step::Sweep(delete_container(path))),
        1 => Just(Step::NewSession),
        3 => (0..8usize).prop_map(Step::Apply),
        1 => (0..40i64).prop_map(Step::Wait),
    ]
}

proptest! {
    /// However far the state lags behind, a write comes to what it would if all before it were
    /// applied; and a multi that fails leaves nothing (invariants.md B16).
    #[test]
    fn a_write_comes_to_what_it_would_after_all_before_it(steps in vec(steps(), 1..60)) {
        let settings = ServiceSettings { enforce_quota: true, ..settings() };
        let (mut leader, mut model) = (Leader::new(settings), Model::new());
        let mut sessions = Vec::new();
        let create_session = op(OpCode::CreateSession, &10_000);
        for step in [Step::NewSession, Step::NewSession].into_iter().chain(steps) {
            let (session, (op, body)) = match step {
                Step::Write(session, operation) => {
                    let session = session % sessions.len();
                    let user = Id { scheme: "digest".into(), id: format!("user{session}:hash") };
                    leader.identities = vec![user];
                    (sessions[session], operation)
                }
                Step::Sweep(operation) => (LEADER, operation),
                Step::NewSession => (LEADER, create_session.clone()),
                Step::Apply(count) => {
                    for _ in 0..count.min(leader.in_flight.len()) {
                        leader.apply_one();
                    }
                    continue;
                }
                Step::Wait(time) => {
                    leader.time += time;
                    continue;
                }
            };
            let request = leader.request(session, op, body);
            let before = format!("{:?}", leader.preparer);
            let transaction = leader.prepare(&request);
            prop_assert_eq!(&transaction.change, &model.execute(&request, &transaction));
            if let Change::Multi(changes) = &transaction.change
                && changes.iter().any(|change| matches!(change, Change::Error(_)))
            {
                prop_assert_eq!(before, format!("{:?}", leader.preparer));
            }
            if let Change::CreateSession { .. } = transaction.change {
                sessions.push(transaction.session);
            }
        }
        leader.apply();
        prop_assert!(leader.state.is_consistent());
        model.assert_equals(&leader.state);
        prop_assert_eq!(format!("{:?}", leader.preparer), format!("{:?}", Preparer::new(leader.preparer.settings.clone())));
    }
}
