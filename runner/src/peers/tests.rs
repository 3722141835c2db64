//! Several ends in one process, on loopback.

use std::io::{Read, Write};
use std::net::TcpStream as Blocking;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{self, Receiver};

use mio::{Events, Poll};
use zabrus_core::message::LinkIncarnation;

use super::*;
use crate::clock::{self, Clock};
use crate::zoo_cfg;

/// A server's links, without the server.
struct End {
    peers: Peers,
    poll: Poll,
    outcomes: Receiver<(ServerId, Outcome)>,
    clock: Clock,
    inputs: Vec<Input>,
}

/// Ports that no other test gets, below those that the system gives to outgoing connections.
fn free_ports(count: usize) -> Vec<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 30_000 + (std::process::id() % 2_000) as u16;
    let ports = (0..500).map(|_| first + NEXT.fetch_add(1, Ordering::Relaxed) % 500);
    let free = ports.filter(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.take(count).collect()
}

/// The file of server `id`; `ports` are the election ports of the servers 1, 2, ...
fn settings(id: u64, ports: &[u16]) -> Settings {
    let mut text =
        String::from("dataDir=/nowhere\nclientPort=1\ninitLimit=5\nsyncLimit=5\nstandaloneEnabled=false\n");
    for (id, port) in (1..).zip(ports) {
        text += &format!("server.{id}=127.0.0.1:1:{port}\n");
    }
    zoo_cfg::for_test(&text, id)
}

impl End {
    fn new(settings: &Settings) -> Self {
        let poll = Poll::new().expect("a poll");
        let (send, outcomes) = mpsc::channel();
        let clock = Clock::start();
        // A test that has ended needs no outcomes.
        let report = move |peer, outcome| drop(send.send((peer, outcome)));
        let peers = Peers::start(settings, poll.registry(), clock.monotonic(), report).expect("free ports");
        Self { peers, poll, outcomes, clock, inputs: Vec::new() }
    }

    /// What [`crate::node`] does in a turn.
    fn turn(&mut self) {
        let now = self.clock.monotonic();
        let mut events = Events::with_capacity(64);
        self.poll.poll(&mut events, Some(std::time::Duration::from_millis(1))).expect("polled");
        for event in &events {
            match Port::of(event.token()) {
                (Port::Peers, _) => self.peers.accept(self.poll.registry(), now),
                (_, number) => self.peers.is_ready(number),
            }
        }
        for (peer, outcome) in self.outcomes.try_iter() {
            self.peers.dialed(self.poll.registry(), now, peer, outcome, &mut self.inputs);
        }
        self.peers.advance(self.poll.registry(), now);
        self.peers.read(now, &mut [0; SCRATCH_BYTES], &mut self.inputs);
        self.peers.flush(now, &mut self.inputs);
    }

    /// The connection to `peer`, if the core was told of one that is not gone.
    fn connection(&self, peer: u64) -> Option<ConnectionId> {
        self.inputs.iter().fold(None, |current, input| match input {
            Input::Connected { peer: ServerId(id), connection } if *id == peer => Some(*connection),
            Input::Disconnected { peer: ServerId(id), connection }
                if *id == peer && current == Some(*connection) =>
            {
                None
            }
            _ => current,
        })
    }

    fn received(&self) -> Vec<Frame> {
        let frame = |input: &Input| match input {
            Input::Frame { bytes, .. } => Some(Frame::decode(bytes).expect("a frame")),
            _ => None,
        };
        self.inputs.iter().filter_map(frame).collect()
    }
}

#[track_caller]
fn turn_until(ends: &mut [End], is_so: impl Fn(&[End]) -> bool) {
    let begin = clock::monotonic();
    while !is_so(ends) {
        assert!(begin.elapsed() < std::time::Duration::from_secs(20), "it does not happen");
        ends.iter_mut().for_each(End::turn);
    }
}

fn linked(ends: &[End]) -> bool {
    ends[0].connection(2).is_some() && ends[1].connection(1).is_some()
}

fn frame(attempt: u64) -> Frame {
    Frame::Reset { link: LinkIncarnation { boot: 1, attempt } }
}

fn two() -> Vec<End> {
    let ports = free_ports(2);
    let mut ends = vec![End::new(&settings(1, &ports)), End::new(&settings(2, &ports))];
    turn_until(&mut ends, linked);
    ends
}

#[test]
fn several_addresses_with_one_port_are_one_listener_on_all_addresses() {
    let port = free_ports(1)[0];
    let listeners = |own: &str, more: &str| {
        let others = "server.2=127.0.0.1:1:2\nserver.3=127.0.0.1:1:3";
        let limits = "initLimit=5\nsyncLimit=5";
        let text = format!("dataDir=/nowhere\nclientPort=1\n{limits}\nserver.1={own}\n{others}\n{more}");
        let poll = Poll::new().expect("a poll");
        listen(&zoo_cfg::for_test(&text, 1), poll.registry()).map(|listeners| listeners.len())
    };
    let both = format!("127.0.0.1:1:{port}|127.0.0.2:1:{port}");
    assert_eq!(listeners(&both, "").expect("free ports"), 2);
    assert_eq!(listeners(&both, "quorumListenOnAllIPs=true").expect("a free port"), 1);
    // Nobody has this address: it is for documentation.
    let foreign = format!("192.0.2.1:1:{port}");
    assert_eq!(listeners(&format!("{foreign}|127.0.0.1:1:{port}"), "").expect("one is enough"), 1);
    assert!(listeners(&foreign, "").is_err());
}

#[test]
fn two_servers_have_one_connection_and_frames_cross_it_in_order() {
    let mut ends = two();
    for (from, to) in [(0, 2), (1, 1)] {
        let connection = ends[from].connection(to).expect("linked");
        for attempt in 0..100 {
            ends[from].peers.send(connection, &frame(attempt));
        }
    }
    turn_until(&mut ends, |ends| ends.iter().all(|end| end.received().len() == 100));
    for end in &ends {
        assert_eq!(end.received(), (0..100).map(frame).collect::<Vec<_>>());
        assert_eq!(end.peers.links.len(), 1);
        let news = end.inputs.iter().filter(|input| !matches!(input, Input::Frame { .. }));
        assert_eq!(news.count(), 1, "connected once, and never disconnected");
    }
}

#[test]
fn a_connection_that_breaks_is_reported_at_once_and_comes_back() {
    for (index, other) in [(0, 2), (1, 1)] {
        let mut ends = two();
        let before = ends[1 - index].connection(index as u64 + 1);
        let connection = ends[index].connection(other).expect("linked");
        let now = ends[index].clock.monotonic();
        ends[index].peers.disconnect(connection, now);
        ends[index].inputs.clear();
        turn_until(&mut ends, |ends| {
            let after = ends[1 - index].connection(index as u64 + 1);
            linked(ends) && after != before
        });
    }
}

#[test]
fn a_connection_that_breaks_as_soon_as_it_is_up_is_not_tried_again_at_once() {
    let mut ends = two();
    for pause in [FIRST_PAUSE, FIRST_PAUSE.times(2), FIRST_PAUSE.times(4)] {
        let connection = ends[1].connection(1).expect("linked");
        let now = ends[1].clock.monotonic();
        ends[1].peers.disconnect(connection, now);
        assert!(ends[1].peers.deadline() >= now + pause);
        ends[1].inputs.clear();
        turn_until(&mut ends, |ends| ends[1].connection(1).is_some());
    }
}

#[test]
fn a_server_without_a_replica_has_no_links() {
    let mut ends = two();
    ends[1].peers.suspend();
    turn_until(&mut ends, |ends| ends[0].connection(2).is_none());
    for _ in 0..50 {
        ends.iter_mut().for_each(End::turn);
    }
    assert_eq!(ends[0].connection(2), None);
    let problem = |end: &End| end.peers.peers[&ServerId(2)].problem.clone();
    turn_until(&mut ends, |ends| !problem(&ends[0]).is_empty());
    assert!(problem(&ends[0]).contains("hangs up before it greets"), "{}", problem(&ends[0]));
    let now = ends[1].clock.monotonic();
    ends[1].inputs.clear();
    ends[1].peers.resume(now);
    turn_until(&mut ends, linked);
}

#[test]
fn whoever_lost_its_end_is_called_back() {
    let mut ends = two();
    // The end of server 1 is gone without a word, as after a loss of power.
    let link = ends[0].peers.links.pop_first().expect("linked");
    ends[0].peers.peers.get_mut(&ServerId(2)).expect("a peer").link = None;
    ends[0].inputs.clear();
    turn_until(&mut ends, linked);
    drop(link);
}

#[test]
fn a_server_of_another_ensemble_is_refused() {
    let ports = free_ports(3);
    let mut ends = vec![End::new(&settings(1, &ports[..2])), End::new(&settings(2, &ports))];
    let problem = |end: &End, peer| end.peers.peers[&ServerId(peer)].problem.clone();
    turn_until(&mut ends, |ends| !problem(&ends[0], 2).is_empty() && !problem(&ends[1], 1).is_empty());
    assert!(problem(&ends[0], 2).contains("names other participants"), "{}", problem(&ends[0], 2));
    assert!(ends.iter().all(|end| end.inputs.is_empty()));
}

#[test]
fn whoever_does_not_greet_properly_gets_nowhere() {
    let ports = free_ports(2);
    let mut end = [End::new(&settings(1, &ports))];
    let mut stranger = Blocking::connect(("127.0.0.1", ports[0])).expect("it listens");
    stranger.write_all(b"GET / HTTP/1.1\r\nHost: zookeeper\r\n\r\n").expect("sent");
    stranger.set_read_timeout(Some(std::time::Duration::from_millis(1))).expect("a socket");
    turn_until(&mut end, |_| match (&stranger).read(&mut [0; 64]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
    });
    let _silent = Blocking::connect(("127.0.0.1", ports[0])).expect("it listens");
    turn_until(&mut end, |ends| !ends[0].peers.visitors.is_empty());
    let End { peers, poll, .. } = &mut end[0];
    peers.advance(poll.registry(), Instant(u64::MAX - 1));
    assert!(end[0].peers.visitors.is_empty(), "a visitor must greet in time");
    assert_eq!(end[0].inputs, []);
}

#[test]
fn a_link_that_nobody_reads_is_broken_before_it_fills_the_memory() {
    let mut ends = two();
    let connection = ends[0].connection(2).expect("linked");
    ends[0].peers.queue_limit = 1 << 20;
    for attempt in 0..2_000_000 {
        ends[0].peers.send(connection, &frame(attempt));
    }
    let now = ends[0].clock.monotonic();
    let end = &mut ends[0];
    end.peers.flush(now, &mut end.inputs);
    assert_eq!(end.connection(2), None);
}

#[test]
fn a_server_that_comes_is_connected_and_one_that_goes_gets_what_was_said_before() {
    let ports = free_ports(3);
    let [one, two, three] = [1, 2, 3].map(|id| settings(id, &ports));
    let mut without = one.clone();
    without.servers.remove(&ServerId(3));
    let mut ends = [End::new(&without), End::new(&two), End::new(&three)];
    turn_until(&mut ends, |ends| linked(ends) && ends[1].connection(3).is_some());
    assert_eq!(ends[0].connection(3), None, "1 does not know 3");
    let kept = ends[0].connection(2);
    let now = ends[0].clock.monotonic();
    ends[0].peers.reconfigure(&one.servers, now).expect("a thread");
    turn_until(&mut ends, |ends| ends[0].connection(3).is_some() && ends[2].connection(1).is_some());
    let connection = ends[0].connection(3).expect("connected");
    ends[0].peers.send(connection, &frame(7));
    let now = ends[0].clock.monotonic();
    ends[0].peers.reconfigure(&without.servers, now).expect("a thread");
    turn_until(&mut ends, |ends| ends[2].received() == [frame(7)] && ends[2].connection(1).is_none());
    assert_eq!(ends[0].connection(2), kept, "who stays is not disturbed");
}

#[test]
fn the_name_of_a_machine_must_not_be_a_loopback_address_there() {
    let [loopback, lan] = ["127.0.1.1:3888", "10.9.0.1:3888"].map(|text| text.parse().expect("an address"));
    assert!(is_deceptive("zoo1", loopback));
    assert!(!is_deceptive("zoo1", lan));
    assert!(!is_deceptive("localhost", loopback) && !is_deceptive("127.0.1.1", loopback), "on purpose");
}
