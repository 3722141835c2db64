//! How fast the core is alone, on one processor: `cargo run --release -p zabrus-core --example requests`.
//!
//! Three replicas in one process, whose network and disks cost nothing: what is measured is the
//! protocol, the state machine and the codecs of messages between them (sent as bytes), not
//! sockets and not disks.
#![expect(clippy::disallowed_methods, reason = "it measures")]
#![expect(clippy::float_arithmetic, reason = "it prints figures for people")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant as Clock;

use common::Disk;
use common::client::{Reply, create, get_data, hello, request};
use zabrus_core::config::Config;
use zabrus_core::io::{ClientId, ConnectionId};
use zabrus_core::quorum::Ensemble;
use zabrus_core::storage::{DiskCompletion, recover};
use zabrus_core::wire::{OpCode, SetData};
use zabrus_core::{Bytes, Input, Instant, Now, Output, Replica, ServerId};

const CLIENT: ClientId = ClientId(1);
const DATA: &[u8] = &[7; 100];

struct Group {
    now: Now,
    replicas: BTreeMap<ServerId, Replica>,
    inputs: VecDeque<(ServerId, Input)>,
    answers: Vec<Bytes>,
    steps: u64,
    /// Messages between servers.
    messages: u64,
}

impl Group {
    fn new(size: u64, linearizable_reads: bool) -> Self {
        let now = Now { monotonic: Instant(0), wall_millis: 1_000_000 };
        let mut group = Self {
            now,
            replicas: BTreeMap::new(),
            inputs: VecDeque::new(),
            answers: Vec::new(),
            steps: 0,
            messages: 0,
        };
        for id in (1..=size).map(ServerId) {
            let mut config = Config::new(id, Ensemble::plain(size, 0));
            config.service.linearizable_reads = linearizable_reads;
            let recovered = recover(&config, &Disk::default()).expect("an empty disk");
            group.replicas.insert(id, Replica::new(config, recovered, [id.0 as u8; 32], now));
        }
        let ids: Vec<ServerId> = group.replicas.keys().copied().collect();
        for id in &ids {
            for peer in ids.iter().copied().filter(|peer| peer != id) {
                group.inputs.push_back((*id, Input::Connected { peer, connection: ConnectionId(1) }));
            }
            group.drain(*id);
        }
        while !group.replicas.values().all(|replica| replica.status().serving) {
            group.settle();
            group.tick();
        }
        group.settle();
        group
    }

    fn drain(&mut self, id: ServerId) {
        let Some(replica) = self.replicas.get_mut(&id) else { return };
        while let Some(output) = replica.poll() {
            match output {
                Output::Send { peer, connection, frame } => {
                    let bytes = frame.encode().into();
                    self.messages += 1;
                    self.inputs.push_back((peer, Input::Frame { peer: id, connection, bytes }));
                }
                Output::Disk(asked) => {
                    let completion = DiskCompletion { id: asked.id, result: Ok(Bytes::default()) };
                    self.inputs.push_back((id, Input::Disk(completion)));
                }
                Output::ClientFrame { bytes, .. } => self.answers.push(bytes),
                Output::Halt { reason } => panic!("{reason}"),
                _ => {}
            }
        }
    }

    fn settle(&mut self) {
        while let Some((id, input)) = self.inputs.pop_front() {
            self.steps += 1;
            if let Some(replica) = self.replicas.get_mut(&id) {
                replica.handle(self.now, input);
            }
            self.drain(id);
        }
    }

    fn tick(&mut self) {
        let next = self.replicas.values().map(Replica::deadline).min().expect("replicas");
        self.now.monotonic = self.now.monotonic.max(next);
        let due: Vec<ServerId> = self.replicas.keys().copied().collect();
        self.inputs.extend(due.into_iter().map(|id| (id, Input::Tick)));
    }

    fn say(&mut self, server: ServerId, frame: Vec<u8>) {
        self.inputs.push_back((server, Input::ClientFrame { client: CLIENT, bytes: frame.into() }));
    }

    /// A client of one server, with its session and a node.
    fn join(&mut self, server: ServerId) {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        self.inputs.push_back((server, Input::ClientConnected { client: CLIENT, address }));
        self.say(server, hello());
        self.settle();
        self.say(server, create(1, "/node", DATA));
        self.settle();
        assert!(Reply::read(self.answers.last().expect("an answer")).is_ok());
        self.answers.clear();
    }
}

fn reads(count: usize) {
    let mut group = Group::new(3, false);
    let server = ServerId(1);
    group.join(server);
    let frame: Bytes = get_data(2, "/node").into();
    let replica = group.replicas.get_mut(&server).expect("it is there");
    let begin = Clock::now();
    let mut bytes_out = 0;
    for _ in 0..count {
        replica.handle(group.now, Input::ClientFrame { client: CLIENT, bytes: frame.clone() });
        while let Some(output) = replica.poll() {
            if let Output::ClientFrame { bytes, .. } = output {
                bytes_out += bytes.len();
            }
        }
    }
    report("getData at a follower", count, begin);
    assert_eq!(bytes_out, count * (4 + 16 + 4 + DATA.len() + 68));
}

fn writes(size: u64, count: usize, pipeline: usize) {
    let body = SetData { path: "/node".into(), data: Some(DATA.into()), version: -1 };
    let frame = request(2, OpCode::SetData, &body);
    exchange("setData", Group::new(size, false), ServerId(size), &frame, count, pipeline);
}

fn linearizable_reads(server: u64, count: usize, pipeline: usize) {
    let what = format!("linearizable getData at {}", if server == 3 { "the leader" } else { "a follower" });
    exchange(&what, Group::new(3, true), ServerId(server), &get_data(2, "/node"), count, pipeline);
}

/// A client of `server` has `pipeline` requests in flight until `count` are done.
fn exchange(what: &str, mut group: Group, server: ServerId, frame: &[u8], count: usize, pipeline: usize) {
    let size = group.replicas.len();
    group.join(server);
    let (begin, steps, messages) = (Clock::now(), group.steps, group.messages);
    let mut done = 0;
    while done < count {
        for _ in 0..pipeline {
            group.say(server, frame.to_vec());
        }
        group.settle();
        done += group.answers.len();
        group.answers.clear();
    }
    assert_eq!(done, count.next_multiple_of(pipeline), "every request is answered");
    report(&format!("{what}, {size} replicas, {pipeline} in flight"), done, begin);
    let steps = group.steps - steps;
    let nanos = begin.elapsed().as_nanos() as f64;
    println!(
        "    {:.2} messages and {:.1} steps per request, {:.0} ns per step",
        (group.messages - messages) as f64 / done as f64,
        steps as f64 / done as f64,
        nanos / steps as f64
    );
}

fn report(what: &str, count: usize, begin: Clock) {
    let seconds = begin.elapsed().as_secs_f64();
    println!("{what}: {:.0} per second, {:.0} ns each", count as f64 / seconds, seconds * 1e9 / count as f64);
}

fn main() {
    reads(2_000_000);
    for pipeline in [1, 100] {
        writes(3, 200_000, pipeline);
    }
    writes(1, 200_000, 100);
    for (server, pipeline) in [(1, 1), (1, 100), (3, 1), (3, 100)] {
        linearizable_reads(server, 200_000, pipeline);
    }
}
