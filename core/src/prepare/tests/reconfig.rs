//! What Apache ZooKeeper 3.9.5 answered to the same, where nothing else is said.

use alloc::format;

use super::*;
use crate::membership::{CONFIG_PATH, Membership};
use crate::wire::Reconfig;

const THREE: &str = "server.1=a:1:2:participant\nserver.2=b:1:2:participant\nserver.3=c:1:2:participant\n";
const JOINS: &str = "server.4=d:1:2:observer;0.0.0.0:3";

/// A leader of three with reconfig, whose clients may do everything if `open`.
fn leader(open: bool) -> (Leader, SessionId) {
    let mut leader = Leader::new(ServiceSettings {
        reconfig_enabled: true,
        ensemble_text: format!("{THREE}version=0"),
        skip_acl: open,
        ..settings()
    });
    leader.done(LEADER, [reconfig(Reconfig { version: -1, ..Reconfig::default() })]);
    let session = leader.session();
    (leader, session)
}

fn reconfig(request: Reconfig) -> Operation {
    op(OpCode::Reconfig, &request)
}

fn join(lines: &str) -> Operation {
    reconfig(Reconfig { joining: Some(lines.into()), version: -1, ..Reconfig::default() })
}

fn leave(ids: &str) -> Operation {
    reconfig(Reconfig { leaving: Some(ids.into()), version: -1, ..Reconfig::default() })
}

fn replace(lines: &str) -> Operation {
    reconfig(Reconfig { members: Some(lines.into()), version: -1, ..Reconfig::default() })
}

fn members(leader: &Leader) -> Membership {
    leader.state.membership().expect("a reconfig was applied")
}

#[test]
fn the_first_one_installs_what_the_operator_wrote() {
    let (leader, _) = leader(false);
    assert_eq!(members(&leader).text(), format!("{THREE}version=200000001"));
}

#[test]
fn observers_come_change_and_go() {
    let (mut leader, session) = leader(true);
    leader.done(session, [join(JOINS)]);
    assert_eq!(members(&leader).lines(), format!("{THREE}{JOINS}\n"));
    let stat = leader.state.node(CONFIG_PATH).unwrap().stat();
    assert_eq!((stat.version, stat.mzxid.cast_unsigned()), (-1, members(&leader).ensemble.version));
    leader.done(session, [join(" server.4 = e:1:2:observer;3 , server.20=f:1:2:observer;0.0.0.0:3,")]);
    let (four, twenty) = ("server.4=e:1:2:observer;0.0.0.0:3", "server.20=f:1:2:observer;0.0.0.0:3");
    assert_eq!(members(&leader).lines(), format!("{THREE}{four}\n{twenty}\n"));
    leader.done(session, [leave("4,77")]);
    assert_eq!(members(&leader).lines(), format!("{THREE}{twenty}\n"));
    leader.done(session, [replace(&format!("{}{JOINS},version=5", THREE.replace('\n', ",")))]);
    assert_eq!(members(&leader).lines(), format!("{THREE}{JOINS}\n"));
}

#[test]
fn whoever_leaves_and_joins_at_once_is_there() {
    let (mut leader, session) = leader(true);
    let both = Reconfig { joining: Some(JOINS.into()), leaving: Some("4".into()), ..Reconfig::default() };
    leader.done(session, [reconfig(Reconfig { version: -1, ..both })]);
    assert_eq!(members(&leader).lines(), format!("{THREE}{JOINS}\n"));
}

#[test]
fn nothing_to_do_is_a_new_version() {
    let (mut leader, session) = leader(true);
    leader.done(session, [join("")]);
    assert_eq!(members(&leader).text(), format!("{THREE}version=200000003"));
}

#[test]
fn each_mistake_has_its_error_and_permission_comes_last() {
    let (mut leader, session) = leader(false);
    for (operation, error) in [
        (join("some thing"), ErrorCode::BadArguments),
        (join("server.x=foo"), ErrorCode::MarshallingError),
        (join("server.4=d:1:2:boss;3"), ErrorCode::BadArguments),
        (join("server.4=d:1:1:observer;3"), ErrorCode::BadArguments),
        (join("server.4=d:1:2:observer"), ErrorCode::BadArguments),
        (join("server.4=d:1:2:observer;3=4"), ErrorCode::BadArguments),
        (join("server.4=a:1:3:observer;4"), ErrorCode::BadArguments),
        (leave("abc"), ErrorCode::MarshallingError),
        (leave("1,2"), ErrorCode::BadArguments),
        (leave("1,2,3"), ErrorCode::BadArguments),
        (replace("foo"), ErrorCode::BadArguments),
        (replace("server.1=foo"), ErrorCode::BadArguments),
        (replace("server.1=a:1:2,foo=1"), ErrorCode::BadArguments),
        (replace("server.1=a:1:2"), ErrorCode::BadArguments),
        (
            reconfig(Reconfig { joining: Some("some thing".into()), version: 5, ..Reconfig::default() }),
            ErrorCode::BadVersion,
        ),
        ((OpCode::Reconfig, vec![]), ErrorCode::MarshallingError),
        (join(JOINS), ErrorCode::NoAuth),
    ] {
        leader.refuses(session, operation, error);
    }
    let version = i64::from_str_radix("200000001", 16).unwrap();
    let right = Reconfig { joining: Some(JOINS.into()), version, ..Reconfig::default() };
    leader.refuses(session, reconfig(right), ErrorCode::NoAuth);
}

#[test]
fn new_voters_without_a_quorum_of_them_are_refused() {
    let (mut leader, session) = leader(true);
    leader.refuses(session, leave("3"), ErrorCode::NewConfigNoQuorum);
    leader.refuses(session, join("server.4=d:1:2:participant;3"), ErrorCode::NewConfigNoQuorum);
    leader.refuses(session, join("server.3=c:1:2:observer;3"), ErrorCode::NewConfigNoQuorum);
    leader.done(session, [join("server.3=d:1:2:participant;3")]);
    assert!(members(&leader).lines().contains("server.3=d:1:2:participant;0.0.0.0:3"), "they may move");
}

#[test]
fn a_change_of_who_votes_is_announced_first_and_done_when_that_is_applied() {
    let (mut leader, session) = leader(true);
    leader.preparer.in_sync = [1, 4].map(ServerId).into();
    let four = "server.4=d:1:2:participant;3";
    let both = || {
        let (joining, leaving) = (Some(four.into()), Some("2".into()));
        reconfig(Reconfig { joining, leaving, members: None, version: -1 })
    };
    let before = members(&leader);
    let Ok(Change::NextMembers { .. }) = leader.write(session, both()) else { panic!("it is announced") };
    let announced = leader.in_flight.back().expect("it is in flight");
    let nobody = (announced.origin.client, announced.origin.number, announced.session, announced.cxid);
    assert_eq!(nobody, (0, 0, SessionId(0), 0), "the client waits for what follows");
    leader.refuses(session, both(), ErrorCode::ReconfigInProgress);
    leader.apply();
    assert_eq!(members(&leader), before);
    leader.preparer.in_sync.clear();
    leader.refuses(session, join(JOINS), ErrorCode::ReconfigInProgress);
    leader.done(session, [both()]);
    assert_eq!(members(&leader).servers.keys().map(|id| id.0).collect::<Vec<_>>(), [1, 3, 4]);
    assert_eq!(leader.state.next_members(), None);
}

#[test]
fn one_at_a_time() {
    let (mut leader, session) = leader(true);
    leader.write(session, join(JOINS)).expect("the first");
    leader.refuses(session, leave("4"), ErrorCode::ReconfigInProgress);
    leader.apply();
    leader.done(session, [leave("4")]);
}

#[test]
fn it_is_off_by_default_and_a_server_alone_has_none() {
    let mut leader = Leader::default();
    let session = leader.session();
    leader.refuses(session, leave("1"), ErrorCode::ReconfigDisabled);
    let mut leader = Leader::new(ServiceSettings { reconfig_enabled: true, ..settings() });
    let session = leader.session();
    leader.refuses(session, leave("1"), ErrorCode::Unimplemented);
}

/// In Apache the super user may write there whatever he likes, and its servers do not care.
#[test]
fn only_reconfig_changes_what_the_node_says() {
    let (mut leader, session) = leader(true);
    leader.refuses(session, set_data(CONFIG_PATH, "hello", -1), ErrorCode::BadArguments);
}

#[test]
fn ensembles_with_groups_are_replaced_as_a_whole() {
    let (mut leader, session) = leader(true);
    let grouped = format!("{THREE}group.1=1:2:3\n");
    leader.refuses(session, replace(&grouped), ErrorCode::NewConfigNoQuorum);
    let text = format!("{grouped}version=0");
    let grouped_settings = ServiceSettings { ensemble_text: text, ..leader.preparer.settings.clone() };
    let mut leader = Leader::new(grouped_settings);
    leader.done(LEADER, [join("")]);
    assert_eq!(
        members(&leader).text(),
        format!("{grouped}weight.1=1\nweight.2=1\nweight.3=1\nversion=200000001")
    );
    let session = leader.session();
    leader.refuses(session, join(JOINS), ErrorCode::BadArguments);
    leader.done(session, [replace(&format!("{grouped}{JOINS}"))]);
    assert_eq!(members(&leader).servers.len(), 4);
}
