//! Ensembles of whole replicas.

mod common;

use std::net::Ipv4Addr;

use common::client::{get_data, hello, sync};
use common::world::World;
use zabrus_core::event::Role;
use zabrus_core::io::ClientId;
use zabrus_core::replica::Leading;
use zabrus_core::wire::GetDataResponse;
use zabrus_core::{Duration, Input, ServerId};

#[test]
fn three_servers_elect_the_largest_id_and_serve_on_each() {
    let mut world = World::new(3, 0);
    (1..=3).for_each(|id| world.start(id));
    world.seconds(3);
    assert_eq!(world.leader(), Some(3));
    for server in 1..=3 {
        let reply = world.create(server, server).unwrap();
        assert!(reply.is_ok(), "{reply:?}");
        assert_eq!(reply.body::<String>(), format!("/n{server}"));
    }
    let read = world.ask(1, get_data(9, "/n3")).unwrap();
    assert_eq!(read.body::<GetDataResponse>().data.as_deref(), Some(&[3; 50][..]));
    assert!(world.ask(2, sync(10)).unwrap().is_ok());
    world.assert_equal();
}

#[test]
fn one_server_alone_is_its_own_quorum() {
    let mut world = World::new(1, 0);
    world.start(1);
    world.seconds(1);
    assert_eq!(world.leader(), Some(1));
    assert!(world.create(1, 1).unwrap().is_ok());
    assert!(world.ask(1, sync(2)).unwrap().is_ok());
    world.stop(1);
    world.start(1);
    world.seconds(1);
    assert!(world.has(1, "/n1"));
}

#[test]
fn an_observer_follows_and_serves_but_is_no_part_of_a_quorum() {
    let mut world = World::new(3, 1);
    (1..=4).for_each(|id| world.start(id));
    world.seconds(3);
    assert_eq!(world.role(4), Role::Observing);
    assert!(world.create(4, 1).unwrap().is_ok());
    world.assert_equal();
    world.stop(1);
    world.stop(2);
    world.seconds(30);
    assert_eq!(world.leader(), None);
    assert_eq!(world.create(4, 2), None);
}

#[test]
fn a_server_that_missed_writes_is_synchronized_when_it_returns() {
    for (writes, window) in [(3, 500), (30, 5)] {
        let mut world = World::new(3, 0);
        world.settings = if window == 5 {
            |config| (config.sync_window, config.snapshot_interval) = (5, 10)
        } else {
            |_| {}
        };
        (1..=3).for_each(|id| world.start(id));
        world.seconds(3);
        world.create(3, 1).unwrap();
        world.stop(1);
        for number in 2..2 + writes {
            assert!(world.create(2, number).unwrap().is_ok());
        }
        world.start(1);
        world.seconds(5);
        assert_eq!(world.role(1), Role::Following);
        world.assert_equal();
    }
}

#[test]
fn a_new_leader_takes_over_and_nothing_is_lost() {
    let mut world = World::new(3, 0);
    (1..=3).for_each(|id| world.start(id));
    world.seconds(3);
    for number in 1..10 {
        assert!(world.create(1, number).unwrap().is_ok());
    }
    world.stop(3);
    world.seconds(5);
    assert_eq!(world.leader(), Some(2));
    assert!(world.create(1, 10).unwrap().is_ok());
    world.start(3);
    world.seconds(5);
    assert_eq!(world.role(3), Role::Following);
    world.assert_equal();
    for number in 1..=10 {
        assert!(world.has(3, &format!("/n{number}")));
    }
}

#[test]
fn everything_is_there_after_all_servers_restarted() {
    let mut world = World::new(3, 0);
    (1..=3).for_each(|id| world.start(id));
    world.seconds(3);
    for number in 1..20 {
        assert!(world.create(3, number).unwrap().is_ok());
    }
    (1..=3).for_each(|id| world.stop(id));
    (1..=3).for_each(|id| world.start(id));
    world.seconds(5);
    assert_eq!(world.leader(), Some(3));
    world.assert_equal();
    assert!(world.has(1, "/n19"));
}

#[test]
fn a_leader_whose_counter_is_used_up_makes_way_for_a_new_epoch() {
    let mut world = World::new(3, 0);
    world.settings = |config| config.counter_limit = 5;
    (1..=3).for_each(|id| world.start(id));
    world.seconds(3);
    let mut done = 0;
    for number in 1..60 {
        done += u64::from(world.create(2, number).is_some_and(|reply| reply.is_ok()));
        if world.leader().is_none() {
            world.seconds(3);
        }
    }
    assert!(done > 40, "{done}");
    world.assert_equal();
}

/// What a server without a quorum says to a client that can live with reads.
fn asks_read_only(world: &mut World, server: u64) -> Option<(Vec<u8>, ClientId)> {
    world.last_client += 1;
    let (server, client) = (ServerId(server), ClientId(world.last_client));
    world.clients.insert(server, client);
    world.inputs.push_back((server, Input::ClientConnected { client, address: Ipv4Addr::LOCALHOST.into() }));
    let mut hello = hello();
    *hello.last_mut().unwrap() = 1;
    Some((world.say(server, hello)?, client))
}

#[test]
fn a_server_that_lost_its_quorum_serves_reads_until_it_finds_one() {
    let mut world = World::new(3, 0);
    world.settings = |config| {
        config.service.local_sessions = true;
        config.service.read_only_mode = true;
    };
    (1..=3).for_each(|id| world.start(id));
    world.seconds(3);
    assert!(world.create(1, 1).unwrap().is_ok());
    let replica = |world: &World| world.replicas[&ServerId(1)].status();
    (2..=3).for_each(|id| world.stop(id));
    while replica(&world).role != Role::Looking {
        world.run(Duration::from_millis(10));
    }
    world.run(Duration::from_millis(1_900));
    assert!(!replica(&world).read_only && asks_read_only(&mut world, 1).is_none());
    world.run(Duration::from_millis(300));
    let status = replica(&world);
    assert!(status.read_only && !status.serving && status.role == Role::Looking);
    let (welcome, client) = asks_read_only(&mut world, 1).expect("it serves");
    assert_eq!((welcome.len(), welcome.last()), (4 + 37, Some(&1)), "it says that it is read-only");
    assert!(world.has(1, "/n1"));
    assert_eq!(world.create(1, 2).unwrap().header.err, -119);
    world.seconds(60);
    let after = replica(&world);
    assert_eq!((after.logged, after.applied, after.epochs), (status.logged, status.applied, status.epochs));
    world.start(2);
    world.seconds(3);
    assert!(!replica(&world).read_only && replica(&world).serving);
    assert_ne!(world.clients.get(&ServerId(1)), Some(&client), "it must come again");
    assert!(world.create(1, 2).unwrap().is_ok());
}

#[test]
fn a_server_that_does_not_know_what_is_committed_shows_nothing() {
    let mut world = World::new(3, 0);
    world.settings = |config| config.service.read_only_mode = true;
    (1..=3).for_each(|id| world.start(id));
    world.seconds(3);
    assert!(world.create(1, 1).unwrap().is_ok());
    (1..=3).for_each(|id| world.stop(id));
    world.start(1);
    world.seconds(30);
    let status = world.replicas[&ServerId(1)].status();
    assert!(status.role == Role::Looking && !status.read_only);
}

#[test]
fn operators_see_who_is_synchronized_when_sessions_end_and_equal_digests() {
    let mut world = World::new(3, 1);
    (1..=4).for_each(|id| world.start(id));
    world.seconds(5);
    let leader = world.leader().expect("a leader");
    let follower = (1..=3).find(|id| *id != leader).expect("a follower");
    for number in 0..200 {
        assert!(world.create(follower, number).is_some_and(|reply| reply.is_ok()), "{number}");
    }
    world.seconds(1);
    let replica = |id| &world.replicas[&ServerId(id)];
    let expected = Leading { learners: 3, synced_followers: 2, synced_observers: 1, ..Leading::default() };
    assert_eq!(replica(leader).leading(), Some(expected));
    assert_eq!(replica(follower).leading(), None);
    let ends = replica(leader).expiring_sessions().expect("it leads");
    let sessions: Vec<_> = ends.values().flatten().copied().collect();
    assert_eq!(sessions, replica(leader).state().sessions().map(|(id, _)| id).collect::<Vec<_>>());
    assert!(ends.keys().all(|end| *end > world.now.monotonic));
    assert!(replica(follower).expiring_sessions().is_none());
    let digests: Vec<_> = replica(leader).digests().collect();
    assert_eq!(digests.len(), 1);
    assert_eq!(digests[0].0.counter(), 128);
    assert_ne!(digests[0].1, replica(leader).state().node_digest());
    assert!((1..=4).all(|id| replica(id).digests().eq(digests.iter().copied())));
    let (live, expired) = (sessions.len(), replica(leader).leading().expect("it leads").expired_sessions);
    assert!(live > 0 && expired == 0, "{live} {expired}");
    world.seconds(60);
    let leading = world.replicas[&ServerId(leader)].leading().expect("it still leads");
    assert_eq!(leading.expired_sessions, live as u64, "nobody was heard for a minute");
}
