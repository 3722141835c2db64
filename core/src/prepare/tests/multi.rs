use super::*;

fn errors(codes: &[i32]) -> Result<Change, ErrorCode> {
    Ok(Change::Multi(codes.iter().map(|code| Change::Error(*code)).collect()))
}

#[test]
fn each_operation_of_a_multi_sees_what_those_before_it_do() {
    let mut leader = Leader::default();
    let session = leader.session();
    let change = leader.write(
        session,
        multi([
            create("/p", 0),
            create("/p/c", 0),
            set_data("/p/c", "1", 0),
            create("/p/s-", 2),
            delete("/p/c", 1),
            create("/p/c", 1),
            check("/p/c", 0),
        ]),
    );
    let Ok(Change::Multi(changes)) = change else { panic!("all is possible") };
    assert_eq!(created(Ok(changes[3].clone())), "/p/s-0000000001");
    assert!(matches!(changes[5], Change::Create { parent_cversion: 3, ephemeral: true, .. }));
    leader.apply();
    assert_eq!(leader.state.ephemerals(session).collect::<Vec<_>>(), ["/p/c"]);
}

#[test]
fn a_multi_that_fails_says_which_operation_failed_and_changes_nothing() {
    let mut leader = Leader::default();
    let session = leader.session();
    leader.done(session, [create("/p", 0)]);
    let before = alloc::format!("{:?}", leader.preparer);
    let operations =
        [create("/p/a", 0), create("/p/s-", 2), create("/e", 1), check("/p", 3), delete("/p/a", 0)];
    assert_eq!(leader.write(session, multi(operations)), errors(&[0, 0, 0, -103, -2]));
    assert_eq!(alloc::format!("{:?}", leader.preparer), before);
    assert_eq!(leader.in_flight[0].digest, None);
    assert_eq!(created(leader.write(session, create("/p/s-", 2))), "/p/s-0000000000");
    leader.refuses(session, delete("/e", -1), ErrorCode::NoNode);
    leader.apply();
}

#[test]
fn what_was_in_flight_before_a_failed_multi_stays_in_flight() {
    let mut leader = Leader::default();
    let session = leader.session();
    leader.write(session, create("/p", 0)).unwrap();
    leader.write(session, create("/p/s-", 2)).unwrap();
    leader.write(session, set_data("/p", "x", 0)).unwrap();
    let before = alloc::format!("{:?}", leader.preparer);
    let operations =
        [create("/p/s-", 2), set_data("/p", "y", 1), delete("/p/s-0000000000", 0), check("/", 1)];
    assert_eq!(leader.write(session, multi(operations)), errors(&[0, 0, 0, -103]));
    assert_eq!(alloc::format!("{:?}", leader.preparer), before);
    assert_eq!(created(leader.write(session, create("/p/s-", 2))), "/p/s-0000000001");
    leader.write(session, set_data("/p", "z", 1)).unwrap();
    leader.apply();
}

#[test]
fn a_multi_of_nothing_and_one_of_checks_change_nothing() {
    let mut leader = Leader::default();
    let session = leader.session();
    leader.done(session, [create("/p", 0)]);
    assert_eq!(leader.write(session, multi([])), Ok(Change::Multi(vec![])));
    let checks = [check("/p", 0), check("/", -1)];
    let expected = [("/p", 1), ("/", 1)].map(|(path, version)| Change::Check { path: path.into(), version });
    assert_eq!(leader.write(session, multi(checks)), Ok(Change::Multi(expected.into())));
    assert!(leader.in_flight.iter().all(|transaction| transaction.digest.is_none()));
    leader.apply();
}

#[test]
fn each_error_of_a_check_comes_before_those_after_it() {
    let mut leader = Leader::default();
    let session = leader.session();
    let closed = Some(vec![acl(Permissions::ALL - Permissions::READ, "world", "anyone")]);
    leader.done(session, [create("/p", 0), op(OpCode::Create, &create_with("/closed", 0, "", closed))]);
    for (path, version, code) in [
        ("/p/", -1, -8),
        ("relative", -1, -8),
        ("/missing", -1, -101),
        ("/closed", 8, -102),
        ("/p", 1, -103),
        ("/p", -2, -103),
    ] {
        assert_eq!(leader.write(session, multi([check(path, version)])), errors(&[code]), "{path}");
    }
}

#[test]
fn what_zookeeper_cannot_take_apart_is_refused_as_a_whole() {
    let mut leader = Leader::default();
    let session = leader.session();
    for operation in [
        create("/x", 9),
        create("/x", 5),
        op(OpCode::Create, &create_with("/x", 0, "", None)),
        set_acl("/", open(), -1),
        delete_container("/x"),
        multi([]),
        (OpCode::GetData, jute::encode(&("/", false))),
        (OpCode::Create, vec![]),
    ] {
        let all = multi([set_data("/", "never", -1), operation]);
        leader.refuses(session, all, ErrorCode::MarshallingError);
    }
    let ttl = multi([create_ttl("/x", 9, 5), set_data("/", "never", -1)]);
    assert_eq!(leader.write(session, ttl), errors(&[-8, -2]));
    leader.apply();
}

#[test]
fn lists_that_grow_beyond_any_frame_are_refused() {
    let mut leader = Leader::new(ServiceSettings { frame_limit: 1_000, ..settings() });
    let session = leader.session();
    for user in 0..10 {
        leader.identities.push(Id { scheme: "digest".into(), id: alloc::format!("user{user}:hash") });
    }
    let mine = |path| op(OpCode::Create, &create_with(path, 0, "", Some(vec![acl(31, "auth", "")])));
    leader.done(session, [multi(["/a", "/b", "/c", "/d", "/e"].map(mine))]);
    let more = multi(["/f", "/g", "/h", "/i", "/j", "/k", "/l"].map(mine));
    assert_eq!(leader.write(session, more), errors(&[0, 0, 0, 0, 0, 0, -114]));
}
