use super::*;

#[test]
fn a_creation_says_what_the_parent_counts_from_now_on() {
    let mut leader = Leader::default();
    let session = leader.session();
    leader.write(session, create("/a", 0)).unwrap();
    let change = leader.write(session, op(OpCode::Create, &create_with("/a/b", 0, "x", open())));
    let expected = Change::Create {
        op: OpCode::Create,
        path: "/a/b".into(),
        data: Some((*b"x").into()),
        acl: open().unwrap(),
        ephemeral: false,
        parent_cversion: 1,
        ttl: 0,
    };
    assert_eq!(change, Ok(expected));
    leader.apply();
}

#[test]
fn each_error_of_create_comes_before_those_after_it() {
    use ErrorCode::*;
    let mut leader = Leader::default();
    let session = leader.session();
    let read_only = Some(vec![acl(Permissions::READ, "world", "anyone")]);
    leader.write(session, op(OpCode::Create, &create_with("/closed", 0, "", read_only))).unwrap();
    leader.write(session, create("/e", 1)).unwrap();
    // The same with both nodes in flight and with both applied.
    for _ in 0..2 {
        for (path, flags, acl, error) in [
            ("relative", 7, None, BadArguments),
            (jute::NULL, 7, None, BadArguments),
            (jute::NULL, 0, None, MarshallingError),
            ("relative", 5, None, BadArguments),
            ("relative", 0, None, BadArguments),
            ("", 2, open(), BadArguments),
            ("/a\0", 0, None, BadArguments),
            ("/missing/x", 0, None, InvalidAcl),
            ("/missing/x", 0, Some(vec![]), InvalidAcl),
            ("/closed/x", 0, None, InvalidAcl),
            ("/x/", 0, None, InvalidAcl),
            ("/e", 0, None, InvalidAcl),
            ("/e/x", 0, None, InvalidAcl),
            ("/missing/.", 0, open(), NoNode),
            ("/x//y", 0, open(), NoNode),
            ("relative/x", 0, open(), NoNode),
            ("/closed/..", 0, open(), NoAuth),
            ("/closed/", 0, open(), NoAuth),
            ("//x", 0, open(), BadArguments),
            ("/e/.", 0, open(), BadArguments),
            ("/e/", 0, open(), BadArguments),
            ("/", 0, open(), NodeExists),
            ("/zookeeper/config", 0, open(), NodeExists),
            ("/e", 1, open(), NodeExists),
            ("/e/x", 0, open(), NoChildrenForEphemerals),
            ("/e/x", 2, open(), NoChildrenForEphemerals),
        ] {
            let request = op(OpCode::Create, &create_with(path, flags, "", acl));
            assert_eq!(leader.write(session, request), Err(error), "{path} {flags}");
        }
        leader.apply();
    }
}

#[test]
fn without_extended_types_a_time_to_live_is_unimplemented_before_anything_else_is_looked_at() {
    let mut leader = Leader::new(ServiceSettings { extended_types: false, ..settings() });
    let session = leader.session();
    leader.refuses(session, create_ttl("relative", 5, 0), ErrorCode::Unimplemented);
    leader.refuses(session, create_ttl("/t", 6, 1_000), ErrorCode::Unimplemented);
    leader.refuses(session, create("/t", 5), ErrorCode::Unimplemented);
    leader.refuses(session, create_ttl("/t", 0, 1_000), ErrorCode::BadArguments);
}

#[test]
fn a_time_to_live_has_at_most_forty_bits() {
    let mut leader = Leader::default();
    let session = leader.session();
    for ttl in [0, -1, 1 << 40, i64::MIN, i64::MAX] {
        leader.refuses(session, create_ttl("/missing/x", 5, ttl), ErrorCode::BadArguments);
    }
    leader.refuses(session, create("/t", 6), ErrorCode::BadArguments);
    for (path, ttl) in [("/least", 1), ("/most", (1 << 40) - 1)] {
        let change = leader.write(session, create_ttl(path, 5, ttl)).unwrap();
        assert!(matches!(change, Change::Create { op: OpCode::CreateTtl, ttl: kept, .. } if kept == ttl));
    }
    assert_eq!(created(leader.write(session, create_ttl("/t-", 6, 5))), "/t-0000000002");
    leader.apply();
}

#[test]
fn a_container_is_one_whatever_operation_asks_for_it() {
    let mut leader = Leader::default();
    let session = leader.session();
    for (operation, path, flags) in [
        (OpCode::Create, "/a", 4),
        (OpCode::Create2, "/b", 4),
        (OpCode::CreateContainer, "/c", 4),
        (OpCode::CreateContainer, "/plain", 0),
        (OpCode::CreateContainer, "/ephemeral", 1),
        (OpCode::CreateContainer, "/number", 3),
    ] {
        let change = leader.write(session, op(operation, &create_with(path, flags, "", open()))).unwrap();
        assert!(matches!(change, Change::Create { op: OpCode::CreateContainer, ephemeral: false, .. }));
    }
    leader.apply();
    let other = op(OpCode::CreateContainer, &create_with("/d", 5, "", open()));
    leader.refuses(session, other, ErrorCode::BadArguments);
}

#[test]
fn numbers_count_every_child_that_was_ever_created_and_nothing_else() {
    let mut leader = Leader::default();
    let session = leader.session();
    leader.write(session, create("/p", 0)).unwrap();
    assert_eq!(created(leader.write(session, create("/p/s", 2))), "/p/s0000000000");
    leader.write(session, create("/p/plain", 0)).unwrap();
    leader.apply();
    leader.write(session, create("/p/e", 1)).unwrap();
    leader.write(session, delete("/p/plain", -1)).unwrap();
    leader.refuses(session, create("/p/e", 0), ErrorCode::NodeExists);
    assert_eq!(created(leader.write(session, create("/p/", 3))), "/p/0000000003");
    assert_eq!(created(leader.write(session, create("/p/.", 2))), "/p/.0000000004");
    leader.apply();
    assert_eq!(created(leader.write(session, create("/", 2))), "/0000000001");
    leader.write(session, create("/p/x0000000006", 0)).unwrap();
    leader.refuses(session, create("/p/x", 2), ErrorCode::NodeExists);
    leader.apply();
}

#[test]
fn numbers_go_on_below_zero() {
    let mut leader = Leader::default();
    let session = leader.session();
    leader.done(session, [create("/p", 0)]);
    // As if there had been so many children.
    let Ok(Change::Create { op, path, data, acl, ephemeral, ttl, .. }) =
        leader.write(session, create("/p/x", 0))
    else {
        panic!("the parent is there")
    };
    let parent_cversion = i32::MAX;
    let change = Change::Create { op, path, data, acl, ephemeral, parent_cversion, ttl };
    let transaction = leader.in_flight.pop_front().unwrap();
    leader.state.apply(&Transaction { change, ..transaction }, &mut |_| ());
    leader.preparer = Preparer::new(settings());
    assert_eq!(created(leader.write(session, create("/p/s", 2))), "/p/s2147483647");
    leader.apply();
    assert_eq!(created(leader.write(session, create("/p/s", 2))), "/p/s-2147483648");
    assert_eq!(created(leader.write(session, create("/p/s", 2))), "/p/s-2147483647");
    leader.apply();
}

#[test]
fn a_list_for_whoever_asks_names_who_asks() {
    let mut leader = Leader::default();
    let session = leader.session();
    let mine = Some(vec![acl(Permissions::ALL, "auth", "")]);
    let operation = op(OpCode::Create, &create_with("/mine", 0, "", mine));
    leader.refuses(session, operation.clone(), ErrorCode::InvalidAcl);
    leader.identities.push(Id { scheme: "digest".into(), id: "user:hash".into() });
    let Ok(Change::Create { acl: list, .. }) = leader.write(session, operation) else { panic!("valid") };
    assert_eq!(list, [acl(Permissions::ALL, "digest", "user:hash")]);
    leader.identities.clear();
    leader.refuses(session, create("/mine/x", 0), ErrorCode::NoAuth);
}

#[test]
fn switched_off_access_control_is_not_asked() {
    let mut leader = Leader::new(ServiceSettings { skip_acl: true, ..settings() });
    let session = leader.session();
    let nothing = Some(vec![acl(0, "world", "anyone")]);
    leader.done(session, [op(OpCode::Create, &create_with("/closed", 0, "", nothing))]);
    leader.done(session, [create("/closed/x", 0), delete("/closed/x", 0), set_data("/closed", "x", 0)]);
}
