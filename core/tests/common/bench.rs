//! One real replica; the test plays its peers, its clients and its clock.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};

use zabrus_core::config::{Config, ElectionAlgorithm};
use zabrus_core::event::{Departure, Event};
use zabrus_core::io::{ClientId, Command, ConnectionId};
use zabrus_core::message::{Frame, LinkIncarnation, Message};
use zabrus_core::prepare::WriteRequest;
use zabrus_core::quorum::Ensemble;
use zabrus_core::storage::{DiskCompletion, FileOperation, OperationId, Standing, recover};
use zabrus_core::wire::{Change, OpCode, Origin, SessionId, Transaction};
use zabrus_core::{Bytes, Duration, Epoch, Input, Instant, Now, Output, Position, Replica, ServerId, Zxid};

use super::Disk;
use super::client::{hello, open_acl};

/// The test's end of a link.
struct Peer {
    connection: ConnectionId,
    link: LinkIncarnation,
    boot: u64,
    sent: u64,
}

pub struct Bench {
    pub replica: Replica,
    pub disk: Disk,
    pub now: Now,
    config: Config,
    starts: u8,
    peers: BTreeMap<u64, Peer>,
    frames: Vec<(u64, Frame)>,
    pub events: Vec<Event>,
    pub answers: Vec<(ClientId, Bytes)>,
    pub closed: Vec<ClientId>,
    pub halted: bool,
    /// Completions of reads are kept back.
    pub hold_reads: bool,
    pub held: VecDeque<DiskCompletion>,
    /// Nothing that the replica asks of its disk is done.
    pub hold_disk: bool,
    asked: VecDeque<(OperationId, FileOperation)>,
    connections: u64,
    clients: u64,
}

pub fn zxid(epoch: u32, counter: u32) -> Zxid {
    Zxid::new(Epoch(epoch), counter)
}

/// A transaction in its place: it creates a node.
pub fn payload(zxid: Zxid) -> Bytes {
    let number = zxid.counter();
    let origin = Origin { server: ServerId(9), boot: 1, client: 1, number: u64::from(number) };
    let change = Change::Create {
        op: OpCode::Create,
        path: format!("/n{number}"),
        data: Some(b"data"[..].into()),
        acl: open_acl(),
        ephemeral: false,
        parent_cversion: number.cast_signed(),
        ttl: 0,
    };
    let session = SessionId(1);
    Transaction { origin, session, cxid: 1, zxid, time: 0, change, digest: None }.encode().into()
}

/// The positions of a history of these transactions.
pub fn history(zxids: &[(u32, u32)]) -> Vec<Position> {
    let mut history = vec![Position::EMPTY];
    for (epoch, counter) in zxids {
        let zxid = zxid(*epoch, *counter);
        history.push(history[history.len() - 1].extend(zxid, &payload(zxid)));
    }
    history
}

pub fn ends(history: &[Position]) -> Vec<Position> {
    let mut ends: Vec<Position> = Vec::new();
    for position in history.iter().rev() {
        if ends.last().is_none_or(|end| end.zxid.epoch() != position.zxid.epoch()) {
            ends.push(*position);
        }
    }
    ends
}

impl Bench {
    pub fn new(id: u64, ensemble: Ensemble, settings: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(ServerId(id), ensemble);
        config.election = ElectionAlgorithm::External;
        settings(&mut config);
        let disk = Disk::default();
        let now = Now { monotonic: Instant(0), wall_millis: 1 };
        let replica = Replica::new(config.clone(), recover(&config, &disk).unwrap(), [1; 32], now);
        let mut bench = Self {
            replica,
            disk,
            now,
            config,
            starts: 1,
            peers: BTreeMap::new(),
            frames: Vec::new(),
            events: Vec::new(),
            answers: Vec::new(),
            closed: Vec::new(),
            halted: false,
            hold_reads: false,
            held: VecDeque::new(),
            hold_disk: false,
            asked: VecDeque::new(),
            connections: 0,
            clients: 1_000,
        };
        bench.drain();
        bench
    }

    /// The process dies and starts again, with the same disk.
    pub fn restart(&mut self, settings: impl FnOnce(&mut Config)) {
        self.starts += 1;
        settings(&mut self.config);
        let recovered = recover(&self.config, &self.disk).unwrap();
        self.replica = Replica::new(self.config.clone(), recovered, [self.starts; 32], self.now);
        self.peers.clear();
        self.frames.clear();
        self.asked.clear();
        self.held.clear();
        self.drain();
    }

    pub fn step(&mut self, input: Input) {
        self.replica.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            while let Some(output) = self.replica.poll() {
                match output {
                    Output::Send { peer, frame, .. } => {
                        // What is sent must be readable.
                        let frame = Frame::decode(&frame.encode()).expect("a readable frame");
                        self.frames.push((peer.0, frame));
                    }
                    Output::Disk(operation) => self.asked.push_back((operation.id, operation.operation)),
                    Output::Event(event) => self.events.push(event),
                    Output::ClientFrame { client, bytes } => self.answers.push((client, bytes)),
                    Output::ClientClose { client } => self.closed.push(client),
                    Output::Halt { .. } => self.halted = true,
                    Output::Disconnect { .. }
                    | Output::Members(_)
                    | Output::Peers(_)
                    | Output::ClientPause { .. }
                    | Output::ClientResume { .. } => {}
                }
            }
            if self.hold_disk {
                return;
            }
            let Some((id, operation)) = self.asked.pop_front() else { return };
            let is_read = matches!(operation, FileOperation::Read { .. });
            let completion = DiskCompletion { id, result: self.disk.carry_out(operation) };
            if is_read && self.hold_reads {
                self.held.push_back(completion);
            } else {
                self.replica.handle(self.now, Input::Disk(completion));
            }
        }
    }

    /// The disk goes on.
    pub fn release_disk(&mut self) {
        self.hold_disk = false;
        self.drain();
    }

    /// Time passes, with all ticks that are due.
    pub fn wait(&mut self, span: Duration) {
        let end = self.now.monotonic + span;
        while self.replica.deadline() <= end {
            self.now.monotonic = self.now.monotonic.max(self.replica.deadline());
            self.step(Input::Tick);
            assert!(self.replica.deadline() > self.now.monotonic, "a tick moves the deadline");
        }
        self.now.monotonic = end;
    }

    pub fn elect(&mut self, leader: u64) {
        self.step(Input::Command(Command::Elect(ServerId(leader))));
    }

    /// Bytes of `peer` on its present connection.
    pub fn bytes(&mut self, peer: u64, bytes: Vec<u8>) {
        let connection = self.peers.get(&peer).map_or(ConnectionId(0), |peer| peer.connection);
        self.step(Input::Frame { peer: ServerId(peer), connection, bytes: bytes.into() });
    }

    pub fn frame(&mut self, peer: u64, frame: &Frame) {
        self.bytes(peer, frame.encode());
    }

    /// The next message of `peer` on its link.
    pub fn say(&mut self, peer: u64, message: Message) {
        let end = self.peers.get_mut(&peer).expect("an open link");
        end.sent += 1;
        let frame = Frame::Data { link: end.link, boot: end.boot, sequence: end.sent, message };
        self.frame(peer, &frame);
    }

    /// The same, made to follow from the end of the log as only a peer that knows it can: others are
    /// refused at once.
    pub fn say_fitting(&mut self, peer: u64, mut message: Message) {
        let logged = self.replica.status().logged;
        match &mut message {
            Message::Proposal { previous, zxid, payload: bytes, .. }
            | Message::Inform { previous, zxid, payload: bytes, .. } => {
                *previous = logged.zxid;
                if let Ok(transaction) = Transaction::decode(bytes) {
                    *bytes = Transaction { zxid: *zxid, ..transaction }.encode().into();
                }
            }
            Message::Diff { base: position, .. }
            | Message::Trunc { to: position, .. }
            | Message::NewLeader { end: position, .. } => *position = logged,
            _ => {}
        }
        self.say(peer, message);
    }

    /// What `peer` was sent since it was last asked.
    pub fn heard(&mut self, peer: u64) -> Vec<Message> {
        let (heard, rest) = std::mem::take(&mut self.frames).into_iter().partition(|(to, _)| *to == peer);
        self.frames = rest;
        let message = |(_, frame)| match frame {
            Frame::Data { message, .. } => Some(message),
            _ => None,
        };
        Vec::into_iter(heard).filter_map(message).collect()
    }

    /// Whether `peer` was told that its link is broken, since it was last asked anything.
    pub fn was_reset(&mut self, peer: u64) -> bool {
        let reset = |(to, frame): &(u64, Frame)| *to == peer && matches!(frame, Frame::Reset { .. });
        let was_reset = self.frames.iter().any(reset);
        self.heard(peer);
        was_reset
    }

    pub fn why_it_left(&self) -> Option<Departure> {
        self.events.iter().rev().find_map(|event| match event {
            Event::Left { why, .. } => Some(*why),
            _ => None,
        })
    }

    pub fn connect(&mut self, peer: u64) {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        let link = LinkIncarnation { boot: 100 + peer, attempt: self.connections };
        self.peers.insert(peer, Peer { connection, link, boot: 0, sent: 0 });
        self.step(Input::Connected { peer: ServerId(peer), connection });
    }

    pub fn has_link(&self, peer: u64) -> bool {
        self.peers.contains_key(&peer)
    }

    /// Opens a link in both directions, if this server is in a state for one.
    pub fn try_open(&mut self, peer: u64) {
        self.connect(peer);
        let link = self.peers[&peer].link;
        self.frames.retain(|(to, _)| *to != peer);
        self.frame(peer, &Frame::Open { link });
        self.take_accept(peer);
    }

    fn take_accept(&mut self, peer: u64) {
        let accept = |(to, frame): &(u64, Frame)| match frame {
            Frame::Accept { boot, .. } if *to == peer => Some(*boot),
            _ => None,
        };
        let boot = self.frames.iter().find_map(accept);
        self.peers.get_mut(&peer).expect("a connection").boot = boot.unwrap_or(0);
    }

    // A leader under test.

    /// `peer` opens a link to this server.
    pub fn open(&mut self, peer: u64) {
        self.try_open(peer);
        assert!(self.peers[&peer].boot != 0, "a leader accepts");
    }

    pub fn introduce(&mut self, peer: u64, accepted_epoch: u32) {
        self.open(peer);
        let info = Message::LearnerInfo { accepted_epoch: Epoch(accepted_epoch), config_version: 0 };
        self.say(peer, info);
    }

    pub fn promise(&mut self, peer: u64, current: Option<u32>, history: &[Position], standing: Standing) {
        let epoch = self.replica.status().epoch.expect("a leader has an epoch");
        let (last, ends) = (history[history.len() - 1], ends(history));
        let current_epoch = current.map(Epoch);
        self.say(peer, Message::AckEpoch { epoch, current_epoch, last, ends, standing });
    }

    pub fn accept(&mut self, peer: u64) {
        let epoch = self.replica.status().epoch.expect("a leader has an epoch");
        self.say(peer, Message::AckNewLeader { epoch });
    }

    /// This server leads, and these peers follow with an empty history.
    pub fn lead(&mut self, peers: &[u64]) {
        self.elect(self.config.id.0);
        for peer in peers {
            self.introduce(*peer, 0);
        }
        for peer in peers {
            self.promise(*peer, Some(0), &[Position::EMPTY], Standing::Sound);
            self.accept(*peer);
        }
        assert!(self.replica.status().serving);
    }

    // A learner under test.

    /// This server takes `leader` for its leader, and the link is open.
    pub fn link_to(&mut self, leader: u64) {
        assert!(self.try_link_to(leader), "a learner asks for a link");
    }

    /// The same, if this server is looking.
    pub fn try_link_to(&mut self, leader: u64) -> bool {
        self.connect(leader);
        self.frames.clear();
        self.elect(leader);
        let open = |(_, frame): &(u64, Frame)| match frame {
            Frame::Open { link } => Some(*link),
            _ => None,
        };
        let Some(link) = self.frames.iter().rev().find_map(open) else { return false };
        let peer = self.peers.get_mut(&leader).expect("a connection");
        (peer.link, peer.boot) = (link, 77);
        self.frame(leader, &Frame::Accept { link, boot: 77 });
        true
    }

    /// And has promised `epoch`, and knows that its log is a prefix of its leader's.
    pub fn promise_to(&mut self, leader: u64, epoch: u32) {
        self.link_to(leader);
        self.say(leader, Message::LeaderInfo { epoch: Epoch(epoch) });
    }

    pub fn synchronize_with(&mut self, leader: u64, epoch: u32) {
        self.promise_to(leader, epoch);
        let base = self.replica.status().logged;
        self.say(leader, Message::Diff { epoch: Epoch(epoch), base, end: base.zxid });
    }

    pub fn propose(&mut self, leader: u64, epoch: u32, previous: Zxid, zxid: Zxid) {
        let payload = payload(zxid);
        self.say(leader, Message::Proposal { epoch: Epoch(epoch), previous, zxid, payload });
    }

    pub fn new_leader(&mut self, leader: u64, epoch: u32) {
        let (epoch, end) = (Epoch(epoch), self.replica.status().logged);
        self.say(leader, Message::NewLeader { epoch, end });
    }

    pub fn follow(&mut self, leader: u64, epoch: u32) {
        self.synchronize_with(leader, epoch);
        self.new_leader(leader, epoch);
        let committed = self.replica.status().logged.zxid;
        self.say(leader, Message::UpToDate { epoch: Epoch(epoch), committed });
        assert!(self.replica.status().serving);
    }

    // Clients.

    /// A frame of a client.
    pub fn client(&mut self, client: u64, frame: Vec<u8>) {
        self.step(Input::ClientFrame { client: ClientId(client), bytes: frame.into() });
    }

    /// A client that wants a session, which is a write.
    pub fn join(&mut self, client: u64) {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        self.step(Input::ClientConnected { client: ClientId(client), address });
        self.client(client, hello());
    }

    /// Somebody's write.
    pub fn write(&mut self) {
        self.clients += 1;
        self.join(self.clients);
    }

    /// What `peer` passes on for a client of its own that wants a session.
    pub fn forwarded(&self, peer: u64) -> WriteRequest {
        WriteRequest {
            origin: Origin {
                server: ServerId(peer),
                boot: self.peers[&peer].link.boot,
                client: 1,
                number: 1,
            },
            session: SessionId(0),
            local: false,
            cxid: 0,
            op: OpCode::CreateSession.code(),
            body: 30_000_i32.to_be_bytes()[..].into(),
            identities: Vec::new(),
        }
    }
}
