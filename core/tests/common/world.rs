//! Whole replicas on a network and disks that never fail: the plainest driver there is. What
//! happens when things do fail is the simulator's business.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use zabrus_core::config::Config;
use zabrus_core::event::{Phase, Role};
use zabrus_core::io::{ClientId, ConnectionId};
use zabrus_core::quorum::Ensemble;
use zabrus_core::storage::{DiskCompletion, Recovered, recover};
use zabrus_core::wire::{GetDataResponse, OpCode, Reconfig};
use zabrus_core::{Duration, Input, Instant, Now, Output, Replica, ServerId};

use super::Disk;
use super::client::{Reply, create, get_data, hello, request, sync};

pub struct World {
    pub ensemble: Ensemble,
    pub now: Now,
    pub replicas: BTreeMap<ServerId, Replica>,
    pub disks: BTreeMap<ServerId, Disk>,
    pub inputs: VecDeque<(ServerId, Input)>,
    /// The client of each server, if it has a session.
    pub clients: BTreeMap<ServerId, ClientId>,
    pub last_client: u64,
    answers: Vec<(ClientId, Vec<u8>)>,
    starts: u64,
    pub settings: fn(&mut Config),
}

impl World {
    pub fn new(voters: u64, observers: u64) -> Self {
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

    pub fn start(&mut self, id: u64) {
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

    pub fn stop(&mut self, id: u64) {
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

    pub fn drain(&mut self, id: ServerId) {
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

    pub fn run(&mut self, span: Duration) {
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

    pub fn seconds(&mut self, seconds: u64) {
        self.run(Duration::from_seconds(seconds));
    }

    pub fn leader(&self) -> Option<u64> {
        let leads = |replica: &&Replica| {
            let status = replica.status();
            status.role == Role::Leading && status.phase == Phase::Broadcast
        };
        self.replicas.values().find(leads).map(|replica| replica.status().id.0)
    }

    pub fn role(&self, id: u64) -> Role {
        self.replicas[&ServerId(id)].status().role
    }

    /// What the client of a server, which asks for a session first, hears when it says `frame`.
    pub fn ask(&mut self, server: u64, frame: Vec<u8>) -> Option<Reply> {
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

    /// The client of a server, which has a session, says `frame`.
    pub fn submit(&mut self, server: u64, frame: Vec<u8>) {
        if !self.clients.contains_key(&ServerId(server)) {
            self.ask(server, sync(1)).expect("a session");
        }
        let client = self.clients[&ServerId(server)];
        self.inputs.push_back((ServerId(server), Input::ClientFrame { client, bytes: frame.into() }));
    }

    /// So many inputs arrive, while no time passes.
    pub fn steps(&mut self, count: usize) {
        for _ in 0..count {
            let Some((id, input)) = self.inputs.pop_front() else { return };
            if let Some(replica) = self.replicas.get_mut(&id) {
                replica.handle(self.now, input);
                self.drain(id);
            }
        }
    }

    pub fn say(&mut self, server: ServerId, frame: Vec<u8>) -> Option<Vec<u8>> {
        let client = *self.clients.get(&server)?;
        self.inputs.push_back((server, Input::ClientFrame { client, bytes: frame.into() }));
        self.answers.clear();
        self.run(Duration::from_millis(100));
        let at = self.answers.iter().position(|(to, _)| *to == client)?;
        Some(self.answers.swap_remove(at).1)
    }

    pub fn create(&mut self, server: u64, number: u64) -> Option<Reply> {
        self.ask(server, create(1, &format!("/n{number}"), &[number as u8; 50]))
    }

    pub fn has(&mut self, server: u64, path: &str) -> bool {
        self.ask(server, get_data(2, path)).is_some_and(|reply| reply.is_ok())
    }

    /// What the members of the ensemble are from then on.
    pub fn reconfigure(&mut self, server: u64, joining: &str, leaving: &str) -> String {
        let (joining, leaving) = (Some(joining.to_owned()), Some(leaving.to_owned()));
        let change = Reconfig { joining, leaving, members: None, version: -1 };
        self.change(server, &change)
    }

    pub fn change(&mut self, server: u64, change: &Reconfig) -> String {
        let reply = self.ask(server, request(3, OpCode::Reconfig, change)).expect("an answer");
        assert!(reply.is_ok(), "{reply:?}");
        let data = reply.body::<GetDataResponse>().data.expect("the members");
        String::from_utf8(data.to_vec()).expect("text")
    }

    pub fn members(&self, server: u64) -> Vec<u64> {
        self.replicas[&ServerId(server)].ensembles().present.members.keys().map(|id| id.0).collect()
    }

    pub fn assert_equal(&self) {
        let mut statuses = self.replicas.values().map(Replica::status);
        let first = statuses.next().unwrap();
        for status in statuses {
            assert_eq!(status.applied, first.applied, "server {}", status.id);
            assert_eq!(status.state_digest, first.state_digest);
        }
    }
}
