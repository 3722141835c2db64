use super::*;

/// A session, and the nodes /p, /p/x and /closed, which gives the permissions `perms`.
fn with_nodes(perms: i32) -> (Leader, SessionId) {
    let mut leader = Leader::default();
    let session = leader.session();
    let closed = Some(vec![acl(perms, "world", "anyone")]);
    leader.done(session, [create("/p", 0), create("/p/x", 0), create("/closed", 0), create("/closed/x", 0)]);
    leader.done(session, [set_acl("/closed", closed, 0)]);
    (leader, session)
}

#[test]
fn each_error_of_delete_comes_before_those_after_it() {
    use ErrorCode::*;
    let (mut leader, session) = with_nodes(Permissions::ALL - Permissions::DELETE);
    for (path, version, error) in [
        ("/", -1, BadArguments),
        ("/zookeeper", -1, BadArguments),
        ("/zookeeper/quota", -1, BadArguments),
        ("/zookeeper/config", 5, BadArguments),
        ("", -1, BadArguments),
        ("relative", -1, BadArguments),
        ("/a\0", -1, BadArguments),
        ("a/b", -1, NoNode),
        ("//", -1, NoNode),
        ("/p/", -1, NoNode),
        ("/.", -1, NoNode),
        ("/missing/x", -1, NoNode),
        ("/closed/x", 7, NoAuth),
        ("/closed/missing", -1, NoAuth),
        ("/missing", 3, NoNode),
        ("/p", 5, BadVersion),
        ("/p", -2, BadVersion),
        ("/p", 0, NotEmpty),
    ] {
        assert_eq!(leader.write(session, delete(path, version)), Err(error), "{path} {version}");
    }
}

#[test]
fn what_is_in_flight_decides_about_a_deletion() {
    let (mut leader, session) = with_nodes(Permissions::ALL);
    leader.write(session, delete("/p/x", 0)).unwrap();
    leader.refuses(session, delete("/p/x", 0), ErrorCode::NoNode);
    let change = leader.write(session, delete("/p", 0));
    assert_eq!(change, Ok(Change::Delete { op: OpCode::Delete, path: "/p".into() }));
    leader.refuses(session, create("/p/x", 0), ErrorCode::NoNode);
    leader.write(session, create("/p", 0)).unwrap();
    // Only some of it is applied: the rest still counts.
    leader.apply_one();
    leader.apply_one();
    leader.apply_one();
    leader.refuses(session, create("/p", 0), ErrorCode::NodeExists);
    leader.refuses(session, delete("/p/x", 0), ErrorCode::NoNode);
    leader.apply();
    leader.done(session, [delete("/p", 0)]);
}

#[test]
fn each_error_of_set_data_comes_before_those_after_it() {
    use ErrorCode::*;
    let (mut leader, session) = with_nodes(Permissions::ALL - Permissions::WRITE);
    for (path, version, error) in [
        ("", -1, BadArguments),
        ("relative", -1, BadArguments),
        ("/p/", -1, BadArguments),
        ("/missing/./x", -1, BadArguments),
        ("/missing", 3, NoNode),
        ("/closed", 3, NoAuth),
        ("/zookeeper/config", -1, NoAuth),
        ("/p", 1, BadVersion),
        ("/p", -2, BadVersion),
    ] {
        assert_eq!(leader.write(session, set_data(path, "", version)), Err(error), "{path} {version}");
    }
    for path in ["/", "/zookeeper", "/zookeeper/quota"] {
        leader.write(session, set_data(path, "x", 0)).unwrap();
    }
    leader.apply();
}

#[test]
fn a_version_in_flight_is_the_version() {
    let (mut leader, session) = with_nodes(Permissions::ALL);
    leader.write(session, set_data("/p", "1", 0)).unwrap();
    leader.refuses(session, set_data("/p", "2", 0), ErrorCode::BadVersion);
    leader.refuses(session, delete("/p/x", 1), ErrorCode::BadVersion);
    let change = leader.write(session, set_data("/p", "2", 1));
    let data = Some((*b"2").into());
    assert_eq!(change, Ok(Change::SetData { path: "/p".into(), data, version: 2 }));
    leader.write(session, set_data("/p", "", -1)).unwrap();
    leader.apply();
}

#[test]
fn null_data_stay_null() {
    let (mut leader, session) = with_nodes(Permissions::ALL);
    let request = SetData { path: "/p".into(), data: None, version: -1 };
    let change = leader.write(session, op(OpCode::SetData, &request));
    assert_eq!(change, Ok(Change::SetData { path: "/p".into(), data: None, version: 1 }));
    leader.apply();
}

#[test]
#[cfg(feature = "mutants")]
fn a_version_that_becomes_the_one_that_means_any_is_seen() {
    crate::mutation::fails(crate::mutation::Mutation::M96, no_version_becomes_the_one_that_means_any);
}

#[test]
fn no_version_becomes_the_one_that_means_any() {
    let (mut leader, session) = with_nodes(Permissions::ALL);
    leader.write(session, set_data("/p", "", -1)).unwrap();
    let transaction = leader.in_flight.pop_front().unwrap();
    let change = Change::SetData { path: "/p".into(), data: None, version: -2 };
    leader.state.apply(&Transaction { change, ..transaction }, &mut |_| ());
    leader.preparer = Preparer::new(settings());
    let checked = leader.write(session, multi([check("/p", -2)]));
    assert_eq!(checked, Ok(Change::Multi(vec![Change::Check { path: "/p".into(), version: 0 }])));
    let change = leader.write(session, set_data("/p", "", -2));
    assert!(matches!(change, Ok(Change::SetData { version: 0, .. })), "{change:?}");
    leader.apply();
    // The configuration's list begins at version -1, which ZooKeeper gives it.
    leader.identities.push(Id { scheme: "super".into(), id: String::new() });
    let change = leader.write(session, set_acl("/zookeeper/config", open(), -1));
    assert!(matches!(change, Ok(Change::SetAcl { version: 0, .. })), "{change:?}");
    leader.apply();
}

#[test]
fn a_version_wraps_around() {
    let (mut leader, session) = with_nodes(Permissions::ALL);
    leader.write(session, set_data("/p", "", -1)).unwrap();
    let transaction = leader.in_flight.pop_front().unwrap();
    let change = Change::SetData { path: "/p".into(), data: None, version: i32::MAX };
    leader.state.apply(&Transaction { change, ..transaction }, &mut |_| ());
    leader.preparer = Preparer::new(settings());
    let change = leader.write(session, set_data("/p", "", i32::MAX));
    assert!(matches!(change, Ok(Change::SetData { version: i32::MIN, .. })), "{change:?}");
    leader.apply();
}

#[test]
fn each_error_of_set_acl_comes_before_those_after_it() {
    use ErrorCode::*;
    let (mut leader, session) = with_nodes(Permissions::ALL - Permissions::ADMIN);
    for (path, list, version, error) in [
        ("", None, -1, BadArguments),
        ("relative", None, -1, BadArguments),
        ("/p/", None, -1, BadArguments),
        ("/missing", None, -1, InvalidAcl),
        ("/closed", Some(vec![]), -1, InvalidAcl),
        ("/missing", open(), 4, NoNode),
        ("/closed", open(), 4, NoAuth),
        ("/zookeeper/config", open(), -1, NoAuth),
        ("/p", open(), 4, BadVersion),
        ("/p", open(), -2, BadVersion),
    ] {
        assert_eq!(leader.write(session, set_acl(path, list, version)), Err(error), "{path} {version}");
    }
}

#[test]
fn a_list_in_flight_is_the_list() {
    let (mut leader, session) = with_nodes(Permissions::ALL);
    let closed = vec![acl(Permissions::ADMIN, "world", "anyone")];
    let change = leader.write(session, set_acl("/p", Some(closed.clone()), 0));
    assert_eq!(change, Ok(Change::SetAcl { path: "/p".into(), acl: closed, version: 1 }));
    leader.refuses(session, set_data("/p", "", 0), ErrorCode::NoAuth);
    leader.refuses(session, create("/p/y", 0), ErrorCode::NoAuth);
    leader.refuses(session, delete("/p/x", 0), ErrorCode::NoAuth);
    leader.write(session, set_acl("/p", open(), 1)).unwrap();
    leader.apply_one();
    leader.write(session, set_data("/p", "", 0)).unwrap();
    leader.apply();
}

#[test]
fn a_check_alone_is_no_operation_and_no_transaction_that_could_be_applied() {
    let (mut leader, session) = with_nodes(Permissions::ALL);
    leader.refuses(session, check("/p", 0), ErrorCode::Unimplemented);
}

#[test]
fn a_container_goes_when_its_last_child_has_gone_unless_another_one_comes() {
    let mut leader = Leader::default();
    let session = leader.session();
    leader.done(session, [create("/c", 4)]);
    leader.refuses(LEADER, delete_container("/c"), ErrorCode::BadArguments);
    leader.write(session, create("/c/x", 0)).unwrap();
    leader.refuses(LEADER, delete_container("/c"), ErrorCode::BadArguments);
    leader.write(session, delete("/c/x", 0)).unwrap();
    leader.refuses(session, delete_container("/c"), ErrorCode::Unimplemented);
    let change = leader.write(LEADER, delete_container("/c"));
    assert_eq!(change, Ok(Change::Delete { op: OpCode::DeleteContainer, path: "/c".into() }));
    leader.refuses(LEADER, delete_container("/c"), ErrorCode::BadArguments);
    leader.apply();
}

#[test]
fn a_node_past_its_time_goes_unless_its_data_were_set() {
    let mut leader = Leader::default();
    let session = leader.session();
    leader.done(session, [create_ttl("/t", 5, 100), create("/p", 0), create("/e", 1)]);
    leader.time += 100;
    leader.refuses(LEADER, delete_container("/t"), ErrorCode::BadArguments);
    leader.time += 1;
    leader.write(session, set_data("/t", "", -1)).unwrap();
    leader.refuses(LEADER, delete_container("/t"), ErrorCode::BadArguments);
    leader.time += 101;
    leader.write(LEADER, delete_container("/t")).unwrap();
    for path in ["/p", "/e", "/missing", "/", "/zookeeper/config"] {
        leader.refuses(LEADER, delete_container(path), ErrorCode::BadArguments);
    }
    leader.apply();
}

#[test]
fn a_null_path_is_no_path_where_zookeeper_looks_at_it() {
    let (mut leader, session) = with_nodes(Permissions::ALL);
    for operation in [OpCode::SetData, OpCode::SetAcl] {
        let body = [vec![0xff; 8], vec![0; 4]].concat();
        leader.refuses(session, (operation, body), ErrorCode::BadArguments);
    }
    let body = [vec![0xff; 8], vec![0; 8]].concat();
    leader.refuses(session, (OpCode::Create, body.clone()), ErrorCode::MarshallingError);
    leader.refuses(session, multi([(OpCode::SetData, body)]), ErrorCode::MarshallingError);
}

#[test]
fn what_is_no_write_is_unimplemented_and_what_does_not_decode_is_an_error() {
    let (mut leader, session) = with_nodes(Permissions::ALL);
    let mut request = leader.request(session, OpCode::Create, vec![0, 0, 0]);
    for code in [0, 4, 10, 100, -1, -10, 20] {
        request.op = code;
        assert_eq!(leader.prepare(&request).change, Change::Error(ErrorCode::Unimplemented.code()));
    }
    for code in [1, 2, 5, 7, 14, 15, 19, 21] {
        request.op = code;
        let transaction = leader.prepare(&request);
        assert_eq!(transaction.change, Change::Error(ErrorCode::MarshallingError.code()));
        assert_eq!((transaction.cxid, transaction.digest, transaction.session), (7, None, session));
    }
    leader.apply();
}
