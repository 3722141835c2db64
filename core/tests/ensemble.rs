//! Whole replicas on a network and disks that never fail: the plainest driver there is. What
//! happens when things do fail is the simulator's business.

mod common;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use common::Disk;
use common::client::{Reply, create, get_data, hello, request, sync};
use zabrus_core::config::Config;
use zabrus_core::event::{Phase, Role};
use zabrus_core::io::{ClientId, ConnectionId};
use zabrus_core::quorum::{Ensemble, MemberKind};
use zabrus_core::replica::Leading;
use zabrus_core::storage::{DiskCompletion, Recovered, recover};
use zabrus_core::wire::{GetDataResponse, OpCode, Reconfig};
use zabrus_core::{Duration, Input, Instant, Now, Output, Replica, ServerId};

struct World {
    ensemble: Ensemble,
    now: Now,
    replicas: BTreeMap<ServerId, Replica>,
    disks: BTreeMap<ServerId, Disk>,
    inputs: VecDeque<(ServerId, Input)>,
    /// The client of each server, if it has a session.
    clients: BTreeMap<ServerId, ClientId>,
    last_client: u64,
    answers: Vec<(ClientId, Vec<u8>)>,
    starts: u64,
    settings: fn(&mut Config),
}

impl World {
    fn new(voters: u64, observers: u64) -> Self {
        Self {
            ensemble: Ensemble::plain(voters, observers),
            now: Now { monotonic: Instant(0), wall_millis: 1_000_000 },
            replicas: BTreeMap::new(),
            disks: BTreeMap::new(),
            inputs: VecDeque::new(),
            clients: BTreeMap::new(),
            last_client: 0,
            answers: Vec::new(),
            starts: 0,
            settings: |_| {},
        }
    }

    fn start(&mut self, id: u64) {
        let id = ServerId(id);
        self.starts += 1;
        let mut config = Config::new(id, self.ensemble.clone());
        (self.settings)(&mut config);
        let disk = self.disks.entry(id).or_default();
        let recovered: Recovered = recover(&config, disk).unwrap();
        let mut seed = [0; 32];
        seed[0] = self.starts as u8;
        let replica = Replica::new(config, recovered, seed, self.now);
        let connection = ConnectionId(self.starts);
        for peer in self.replicas.keys().copied().collect::<Vec<_>>() {
            self.inputs.push_back((id, Input::Connected { peer, connection }));
            self.inputs.push_back((peer, Input::Connected { peer: id, connection }));
        }
        self.replicas.insert(id, replica);
        self.drain(id);
    }

    fn stop(&mut self, id: u64) {
        let id = ServerId(id);
        self.replicas.remove(&id);
        self.clients.remove(&id);
        self.inputs.retain(|(to, _)| *to != id);
        for peer in self.replicas.keys().copied().collect::<Vec<_>>() {
            // Numbers only grow: the newest connection between two servers is the later start's.
            for connection in 1..=self.starts {
                let connection = ConnectionId(connection);
                self.inputs.push_back((peer, Input::Disconnected { peer: id, connection }));
            }
        }
    }

    fn drain(&mut self, id: ServerId) {
        while let Some(output) = self.replicas.get_mut(&id).and_then(Replica::poll) {
            match output {
                Output::Send { peer, connection, frame } if self.replicas.contains_key(&peer) => {
                    let bytes = Arc::from(frame.encode());
                    self.inputs.push_back((peer, Input::Frame { peer: id, connection, bytes }));
                }
                Output::Disk(operation) => {
                    let result = self.disks.get_mut(&id).unwrap().carry_out(operation.operation);
                    let completion = DiskCompletion { id: operation.id, result };
                    self.inputs.push_back((id, Input::Disk(completion)));
                }
                Output::ClientFrame { client, bytes } => {
                    self.answers.push((client, bytes.to_vec()));
                }
                Output::ClientClose { client } => self.clients.retain(|_, known| *known != client),
                Output::Halt { reason } => panic!("server {id} halted: {reason}"),
                _ => {}
            }
        }
    }

    fn run(&mut self, span: Duration) {
        let end = self.now.monotonic + span;
        loop {
            while let Some((id, input)) = self.inputs.pop_front() {
                if let Some(replica) = self.replicas.get_mut(&id) {
                    replica.handle(self.now, input);
                    self.drain(id);
                }
            }
            let next = self.replicas.values().map(Replica::deadline).min().unwrap_or(Instant::NEVER);
            if next > end {
                self.now.monotonic = end;
                return;
            }
            self.now.monotonic = self.now.monotonic.max(next);
            for (id, replica) in &self.replicas {
                if replica.deadline() <= self.now.monotonic {
                    self.inputs.push_back((*id, Input::Tick));
                }
            }
        }
    }

    fn seconds(&mut self, seconds: u64) {
        self.run(Duration::from_seconds(seconds));
    }

    fn leader(&self) -> Option<u64> {
        let leads = |replica: &&Replica| {
            let status = replica.status();
            status.role == Role::Leading && status.phase == Phase::Broadcast
        };
        self.replicas.values().find(leads).map(|replica| replica.status().id.0)
    }

    fn role(&self, id: u64) -> Role {
        self.replicas[&ServerId(id)].status().role
    }

    /// What the client of a server, which asks for a session first, hears when it says `frame`.
    fn ask(&mut self, server: u64, frame: Vec<u8>) -> Option<Reply> {
        let server = ServerId(server);
        if !self.clients.contains_key(&server) {
            self.last_client += 1;
            let client = ClientId(self.last_client);
            self.clients.insert(server, client);
            let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
            self.inputs.push_back((server, Input::ClientConnected { client, address }));
            self.say(server, hello())?;
        }
        self.say(server, frame).map(|answer| Reply::read(&answer))
    }

    fn say(&mut self, server: ServerId, frame: Vec<u8>) -> Option<Vec<u8>> {
        let client = *self.clients.get(&server)?;
        self.inputs.push_back((server, Input::ClientFrame { client, bytes: frame.into() }));
        self.answers.clear();
        self.run(Duration::from_millis(100));
        let at = self.answers.iter().position(|(to, _)| *to == client)?;
        Some(self.answers.swap_remove(at).1)
    }

    fn create(&mut self, server: u64, number: u64) -> Option<Reply> {
        self.ask(server, create(1, &format!("/n{number}"), &[number as u8; 50]))
    }

    fn has(&mut self, server: u64, path: &str) -> bool {
        self.ask(server, get_data(2, path)).is_some_and(|reply| reply.is_ok())
    }

    /// What the members of the ensemble are from then on.
    fn reconfigure(&mut self, server: u64, joining: &str, leaving: &str) -> String {
        let (joining, leaving) = (Some(joining.to_owned()), Some(leaving.to_owned()));
        let change = Reconfig { joining, leaving, members: None, version: -1 };
        let reply = self.ask(server, request(3, OpCode::Reconfig, &change)).expect("an answer");
        let data = reply.body::<GetDataResponse>().data.expect("the members");
        String::from_utf8(data.to_vec()).expect("text")
    }

    fn members(&self, server: u64) -> Vec<u64> {
        self.replicas[&ServerId(server)].ensemble().members.keys().map(|id| id.0).collect()
    }

    fn assert_equal(&self) {
        let mut statuses = self.replicas.values().map(Replica::status);
        let first = statuses.next().unwrap();
        for status in statuses {
            assert_eq!(status.applied, first.applied, "server {}", status.id);
            assert_eq!(status.state_digest, first.state_digest);
        }
    }
}

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

/// Everybody may change the ensemble.
fn with_reconfig(config: &mut Config) {
    config.service.reconfig_enabled = true;
    config.service.skip_acl = true;
    for (id, member) in &config.ensemble.members {
        let kind = if member.kind == MemberKind::Observer { "observer" } else { "participant" };
        config.service.ensemble_text += &format!("server.{id}=s{id}:1:2:{kind}\n");
    }
    config.service.ensemble_text += "version=0";
}

#[test]
fn an_observer_joins_and_leaves_while_the_others_serve() {
    let mut world = World::new(3, 0);
    world.settings = with_reconfig;
    (1..=3).for_each(|id| world.start(id));
    world.seconds(5);
    world.ensemble = Ensemble::plain(3, 1);
    world.start(4);
    world.seconds(10);
    assert_eq!(world.role(4), Role::Looking, "nobody knows it");
    let members = world.reconfigure(1, "server.4=s4:1:2:observer;3", "");
    assert!(members.contains("server.4=s4:1:2:observer;0.0.0.0:3\n"), "{members}");
    world.seconds(10);
    assert_eq!(world.role(4), Role::Observing);
    assert!(world.create(4, 1).unwrap().is_ok());
    assert!((1..=4).all(|id| world.members(id) == [1, 2, 3, 4]));
    world.assert_equal();
    world.reconfigure(3, "", "4");
    world.seconds(1);
    assert!((1..=4).all(|id| world.members(id) == [1, 2, 3]), "it was told");
    assert!(!world.clients.contains_key(&ServerId(4)), "its clients go elsewhere");
    assert!(world.create(2, 2).unwrap().is_ok());
    world.reconfigure(2, "server.4=s4:1:2:observer;3", "");
    world.seconds(10);
    assert_eq!(world.role(4), Role::Observing, "it comes back");
    world.assert_equal();
}

#[test]
fn members_are_those_of_the_state_after_a_restart_whatever_was_written_at_first() {
    for snapshot_interval in [1, 1_000] {
        let mut world = World::new(3, 2);
        world.settings = match snapshot_interval {
            1 => |config| {
                with_reconfig(config);
                config.snapshot_interval = 1;
            },
            _ => with_reconfig,
        };
        (1..=5).for_each(|id| world.start(id));
        world.seconds(5);
        world.reconfigure(5, "", "4");
        world.seconds(1);
        (1..=5).for_each(|id| world.stop(id));
        (1..=5).for_each(|id| world.start(id));
        world.seconds(10);
        assert_eq!(world.role(5), Role::Observing);
        assert!(matches!(world.role(4), Role::Looking | Role::Settling));
        assert!((1..=5).filter(|id| *id != 4).all(|id| world.members(id) == [1, 2, 3, 5]));
    }
}

#[test]
fn a_learner_far_behind_hears_of_the_members_with_the_snapshot() {
    let mut world = World::new(3, 1);
    world.settings = |config| {
        with_reconfig(config);
        (config.sync_window, config.snapshot_interval, config.disk_sync_percent) = (5, 10, 0);
    };
    (1..=3).for_each(|id| world.start(id));
    world.seconds(5);
    world.reconfigure(1, "server.9=s9:1:2:observer;3", "");
    for number in 0..30 {
        assert!(world.create(1, number).unwrap().is_ok());
    }
    world.start(4);
    world.seconds(5);
    assert_eq!(world.members(4), [1, 2, 3, 4, 9]);
    world.assert_equal();
}

#[test]
fn operators_who_stop_all_servers_and_name_other_voters_are_heard() {
    let mut world = World::new(3, 1);
    world.settings = with_reconfig;
    (1..=4).for_each(|id| world.start(id));
    world.seconds(5);
    world.reconfigure(1, "", "4");
    (1..=4).for_each(|id| world.stop(id));
    world.ensemble = Ensemble::plain(5, 0);
    (1..=5).for_each(|id| world.start(id));
    world.seconds(10);
    assert!((1..=5).all(|id| world.members(id) == [1, 2, 3, 4, 5]));
    let members = world.reconfigure(5, "server.6=s6:1:2:observer;3", "");
    assert!(members.contains("server.5=s5:1:2:participant"), "{members}");
    (1..=5).for_each(|id| world.stop(id));
    (1..=5).for_each(|id| world.start(id));
    world.seconds(10);
    assert!((1..=5).all(|id| world.members(id) == [1, 2, 3, 4, 5, 6]));
    world.assert_equal();
}
