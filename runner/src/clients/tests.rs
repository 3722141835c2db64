use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream as Blocking};

use mio::{Events, Poll};
use zabrus_core::wire::{ConnectRequest, ConnectResponse, reply};

use super::*;
use crate::channel::SCRATCH_BYTES;
use crate::clock::{self, Clock};
use crate::operator::words::Word;
use crate::zoo_cfg::{Settings, for_test};

/// The client port, without a server behind it.
struct Door {
    clients: Clients,
    poll: Poll,
    clock: Clock,
    inputs: Vec<Input>,
    questions: VecDeque<(ClientId, Word)>,
    /// Requests that may come in a turn.
    room: usize,
    port: u16,
}

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

fn settings(extra: &str) -> Settings {
    for_test(&format!("dataDir=/nowhere\nclientPort=1\nclientPortAddress=127.0.0.1\n{extra}"), 1)
}

impl Door {
    fn open(extra: &str) -> Self {
        let poll = Poll::new().expect("a poll");
        let mut settings = settings(extra).client;
        settings.address.port = 0;
        let clients = Clients::start(&settings, poll.registry()).expect("it listens");
        let port = clients.listener.address().expect("it is bound").port();
        let clock = Clock::start();
        Self { clients, poll, clock, inputs: Vec::new(), questions: VecDeque::new(), room: usize::MAX, port }
    }

    fn knock(&self) -> Blocking {
        let stream = Blocking::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.set_read_timeout(Some(std::time::Duration::from_millis(1))).expect("a socket");
        stream
    }

    fn turn(&mut self) {
        let now = self.clock.monotonic();
        let mut events = Events::with_capacity(64);
        self.poll.poll(&mut events, Some(std::time::Duration::from_millis(1))).expect("polled");
        for event in &events {
            match Port::of(event.token()) {
                (Port::Clients, _) => self.clients.accept(self.poll.registry(), now),
                (_, number) => self.clients.is_ready(number),
            }
        }
        self.clients.read(now, &mut [0; SCRATCH_BYTES], &mut self.inputs, &mut self.questions, self.room);
        self.clients.flush(now, &mut self.inputs);
    }

    #[track_caller]
    fn turn_until<T>(&mut self, mut ask: impl FnMut(&mut Self) -> Option<T>) -> T {
        let begin = clock::monotonic();
        loop {
            self.turn();
            if let Some(answer) = ask(self) {
                return answer;
            }
            assert!(begin.elapsed() < PATIENCE, "it does not happen");
        }
    }

    /// Reads until the server has closed the connection.
    #[track_caller]
    fn read_to_end(&mut self, mut stream: &Blocking) -> Vec<u8> {
        let mut all = Vec::new();
        self.turn_until(|_| {
            let mut part = [0; 4096];
            match stream.read(&mut part) {
                Ok(0) => Some(()),
                Ok(count) => {
                    all.extend_from_slice(&part[..count]);
                    None
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Some(()),
                Err(_) => None,
            }
        });
        all
    }
}

fn frame(client: u64, bytes: &[u8]) -> Input {
    Input::ClientFrame { client: ClientId(client), bytes: bytes.into() }
}

fn connected(client: u64) -> Input {
    Input::ClientConnected { client: ClientId(client), address: IpAddr::V4(Ipv4Addr::LOCALHOST) }
}

fn gone(client: u64) -> Input {
    Input::ClientGone { client: ClientId(client) }
}

#[test]
fn frames_reach_the_core_whole_and_in_order_and_the_end_after_them() {
    let mut door = Door::open("");
    let mut stream = door.knock();
    for part in [&b"\0\0"[..], b"\0\x03ab", b"c\0\0\0\x01d"] {
        stream.write_all(part).expect("sent");
        door.turn();
    }
    drop(stream);
    door.turn_until(|door| (door.inputs.len() == 4).then_some(()));
    assert_eq!(door.inputs, [connected(1), frame(1, b"abc"), frame(1, b"d"), gone(1)]);
    assert_eq!(door.clients.open(), 0);
    assert!(door.clients.by_address.is_empty());
}

#[test]
fn a_word_is_recognized_however_it_arrives_and_the_answer_ends_the_connection() {
    let mut door = Door::open("");
    for parts in [&[&b"ruok"[..]][..], &[b"ru", b"ok"], &[b"ruok\r\n"]] {
        let mut stream = door.knock();
        for part in parts {
            stream.write_all(part).expect("sent");
            door.turn();
        }
        let (client, word) = door.turn_until(|door| door.questions.pop_front());
        assert_eq!(word, Word::Known("ruok"));
        door.clients.answer(client, "imok", door.clock.monotonic());
        assert_eq!(door.read_to_end(&stream), b"imok");
    }
    assert_eq!(door.inputs, [], "the core does not hear of words");
}

#[test]
fn a_word_whose_sender_has_finished_sending_is_answered() {
    let mut door = Door::open("");
    let mut stream = door.knock();
    stream.write_all(b"srvr").expect("sent");
    stream.shutdown(Shutdown::Write).expect("open");
    let (client, _) = door.turn_until(|door| door.questions.pop_front());
    door.clients.answer(client, "Mode", door.clock.monotonic());
    assert_eq!(door.read_to_end(&stream), b"Mode");
    door.turn_until(|door| (door.clients.open() == 0).then_some(()));
}

#[test]
fn after_the_first_frame_a_word_is_a_length_and_far_too_long() {
    let mut door = Door::open("");
    let mut stream = door.knock();
    stream.write_all(b"\0\0\0\x01aruok").expect("sent");
    assert_eq!(door.read_to_end(&stream), b"");
    assert_eq!(door.inputs, [connected(1), frame(1, b"a"), gone(1)]);
    assert!(door.questions.is_empty());
}

#[test]
fn a_frame_beyond_jute_maxbuffer_closes_the_connection_without_an_answer() {
    let mut door = Door::open("jute.maxbuffer=10");
    for (length, accepted) in [(10_i32, true), (11, false), (-1, false)] {
        let mut stream = door.knock();
        stream.write_all(&length.to_be_bytes()).expect("sent");
        stream.write_all(&[7; 10]).expect("sent");
        if accepted {
            door.turn_until(|door| (door.inputs == [connected(1), frame(1, &[7; 10])]).then_some(()));
        } else {
            assert_eq!(door.read_to_end(&stream), b"", "{length}");
            assert!(
                !door.inputs[2..].iter().any(|input| matches!(input, Input::ClientFrame { .. })),
                "{length}"
            );
        }
    }
}

#[test]
fn too_many_connections_from_one_address_are_closed_at_once() {
    let mut door = Door::open("maxClientCnxns=2");
    let first = door.knock();
    let _second = door.knock();
    door.turn_until(|door| (door.clients.open() == 2).then_some(()));
    let third = door.knock();
    assert_eq!(door.read_to_end(&third), b"");
    drop(first);
    door.turn_until(|door| (door.clients.open() == 1).then_some(()));
    let _fourth = door.knock();
    door.turn_until(|door| (door.clients.open() == 2).then_some(()));
}

#[test]
fn a_connection_that_says_nothing_is_closed_after_a_while_and_one_that_talks_is_not() {
    let mut door = Door::open("");
    let silent = door.knock();
    let mut talking = door.knock();
    talking.write_all(b"\0\0\0\x01a").expect("sent");
    door.turn_until(|door| (door.inputs.len() == 2 && door.clients.open() == 2).then_some(()));
    let late = door.clock.monotonic() + SILENCE;
    assert!(door.clients.deadline() <= late);
    door.clients.advance(door.poll.registry(), late, &mut door.inputs);
    assert_eq!(door.read_to_end(&silent), b"");
    assert_eq!(door.clients.open(), 1);
}

#[test]
fn a_client_that_vanished_without_a_word_is_forgotten_and_one_whose_words_were_not_read_yet_is_not() {
    let mut door = Door::open("");
    let (mut vanished, mut late) = (door.knock(), door.knock());
    for stream in [&mut vanished, &mut late] {
        stream.write_all(b"\0\0\0\x01a").expect("sent");
    }
    door.turn_until(|door| (door.inputs.len() == 4).then_some(()));
    door.inputs.clear();
    // This server stood still, as after SIGSTOP, and nothing was read.
    late.write_all(b"\0\0\0\x01b").expect("sent");
    let now = door.clock.monotonic() + SILENCE.times(2);
    door.clients.advance(door.poll.registry(), now, &mut door.inputs);
    assert_eq!((door.clients.open(), door.inputs.len()), (2, 0), "first it listens");
    door.clients.read(now, &mut [0; SCRATCH_BYTES], &mut door.inputs, &mut door.questions, usize::MAX);
    assert_eq!(door.clients.open(), 1);
    assert_eq!(door.inputs, [gone(1), frame(2, b"b")]);
    assert!(door.clients.deadline() > now);
}

#[test]
fn what_was_sent_before_a_close_arrives() {
    let mut door = Door::open("");
    let mut stream = door.knock();
    stream.write_all(b"\0\0\0\x01a").expect("sent");
    door.turn_until(|door| (!door.inputs.is_empty()).then_some(()));
    let big = vec![7; 4 << 20];
    door.clients.send(ClientId(1), &big, door.clock.monotonic());
    door.clients.close(ClientId(1), door.clock.monotonic());
    let received = door.read_to_end(&stream);
    assert!(received.ends_with(&big));
    drop(stream);
    door.turn_until(|door| (door.clients.open() == 0).then_some(()));
    assert_eq!(door.inputs, [connected(1), frame(1, b"a")], "the core closed it, and needs not be told");
}

#[test]
fn a_closed_client_that_never_reads_keeps_its_place_and_its_megabytes_for_a_while_only() {
    let mut door = Door::open("");
    let mut stream = door.knock();
    stream.write_all(b"\0\0\0\x01a").expect("sent");
    door.turn_until(|door| (!door.inputs.is_empty()).then_some(()));
    // The time to say something at first is over long ago.
    let later = door.clock.monotonic() + SILENCE;
    door.clients.advance(door.poll.registry(), later, &mut door.inputs);
    door.clients.send(ClientId(1), &vec![7; 32 << 20], later);
    door.clients.close(ClientId(1), later);
    for _ in 0..20 {
        door.turn();
    }
    assert_eq!(door.clients.open(), 1, "it may still read");
    assert_eq!(door.clients.deadline(), later + LAST_WORDS);
    door.clients.advance(door.poll.registry(), later + LAST_WORDS, &mut door.inputs);
    assert_eq!(door.clients.open(), 0);
}

#[test]
fn a_client_that_does_not_read_is_not_listened_to_and_holds_up_nobody() {
    let mut door = Door::open("");
    let (mut slow, mut other) = (door.knock(), door.knock());
    slow.write_all(b"\0\0\0\x01a").expect("sent");
    door.turn_until(|door| (!door.inputs.is_empty()).then_some(()));
    door.inputs.clear();
    door.clients.send(ClientId(1), &vec![7; 32 << 20], door.clock.monotonic());
    door.turn();
    slow.write_all(b"\0\0\0\x01b").expect("sent");
    other.write_all(b"\0\0\0\x01c").expect("sent");
    door.turn_until(|door| (!door.inputs.is_empty()).then_some(()));
    for _ in 0..20 {
        door.turn();
    }
    assert_eq!(door.inputs, [connected(2), frame(2, b"c")]);
    let mut left = 32 << 20;
    door.turn_until(|door| {
        left -= slow.read(&mut [0; 1 << 16]).unwrap_or(0);
        (left == 0 && door.inputs.len() == 3).then_some(())
    });
    assert_eq!(door.inputs[2], frame(1, b"b"), "it is heard again when it has read");
}

#[test]
fn a_client_that_would_fill_the_memory_is_sent_away() {
    let mut door = Door::open("");
    let mut stream = door.knock();
    stream.write_all(b"\0\0\0\x01a").expect("sent");
    door.turn_until(|door| (!door.inputs.is_empty()).then_some(()));
    door.clients.send(ClientId(1), &vec![7; QUEUE_LIMIT + (16 << 20)], door.clock.monotonic());
    door.turn_until(|door| door.inputs.contains(&gone(1)).then_some(()));
}

#[test]
fn clients_beyond_the_throttle_are_closed_without_a_word_and_words_are_not_throttled() {
    let mut door = Door::open("connection_throttle_tokens=2\nconnection_throttle_fill_time=86400000");
    let come = |door: &Door| {
        let mut stream = door.knock();
        stream.write_all(b"\0\0\0\x01a").expect("sent");
        stream
    };
    let _inside = [come(&door), come(&door)];
    door.turn_until(|door| (door.inputs.len() == 4).then_some(()));
    let third = come(&door);
    assert_eq!(door.read_to_end(&third), b"");
    assert_eq!((door.clients.figures.rejected, door.clients.figures.handshakes), (1, 2));
    assert_eq!(door.inputs.len(), 4, "the core does not hear of it");
    door.knock().write_all(b"ruok").expect("sent");
    door.turn_until(|door| door.questions.pop_front());
}

#[test]
fn clients_leave_some_files_to_the_disk_and_to_operators() {
    assert_eq!(most_connections(Some(20_000)), 19_744);
    assert_eq!(most_connections(Some(60)), 40);
    assert_eq!(most_connections(None), usize::MAX);
}

/// Frames of one byte.
fn frames(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| [0, 0, 0, 1, *byte]).collect()
}

#[test]
fn requests_wait_while_there_is_no_room_and_everybody_has_a_turn() {
    let mut door = Door::open("");
    let (mut first, mut second) = (door.knock(), door.knock());
    first.write_all(&frames(b"ab")).expect("sent");
    door.turn_until(|door| (door.inputs.len() == 3).then_some(()));
    second.write_all(&frames(b"x")).expect("sent");
    door.turn_until(|door| (door.inputs.len() == 5).then_some(()));
    door.inputs.clear();
    door.room = 0;
    first.write_all(&frames(b"cde")).expect("sent");
    second.write_all(&frames(b"yz")).expect("sent");
    door.turn_until(|door| (door.clients.figures.held == 2).then_some(()));
    assert_eq!(door.inputs, []);
    assert!(!door.clients.has_work(0) && door.clients.has_work(1));
    door.room = 1;
    door.turn_until(|door| (door.inputs.len() == 5).then_some(()));
    let expected = [frame(1, b"c"), frame(2, b"y"), frame(1, b"d"), frame(2, b"z"), frame(1, b"e")];
    assert_eq!(door.inputs, expected);
}

#[test]
fn a_word_is_answered_while_there_is_no_room_for_requests() {
    let mut door = Door::open("");
    door.room = 0;
    door.knock().write_all(b"ruok").expect("sent");
    door.turn_until(|door| door.questions.pop_front());
    door.knock().write_all(&frames(b"a")).expect("sent");
    door.turn_until(|door| (door.clients.figures.held == 1).then_some(()));
    assert_eq!(door.inputs, []);
}

#[test]
fn requests_that_waited_are_dropped_if_their_connection_has_ended() {
    let mut door = Door::open("");
    let mut stream = door.knock();
    stream.write_all(&frames(b"a")).expect("sent");
    door.turn_until(|door| (door.inputs.len() == 2).then_some(()));
    door.inputs.clear();
    door.room = 0;
    stream.write_all(&frames(b"bc")).expect("sent");
    drop(stream);
    door.turn_until(|door| (door.clients.figures.held == 1).then_some(()));
    door.room = 9;
    door.turn_until(|door| door.inputs.contains(&gone(1)).then_some(()));
    assert_eq!((&door.inputs[..], door.clients.figures.stale), (&[gone(1)][..], 1));
}

#[test]
fn large_requests_that_would_be_too_much_together_close_their_connection() {
    let mut door = Door::open("largeRequestThreshold=50\nlargeRequestMaxBytes=150");
    let large = |xid: u8| {
        let mut bytes = vec![0, 0, 0, 100, 0, 0, 0, xid, 0, 0, 0, 5];
        bytes.resize(104, 7);
        bytes
    };
    let mut first = door.knock();
    first.write_all(&frames(b"a")).expect("sent");
    door.turn_until(|door| (door.inputs.len() == 2).then_some(()));
    let password = [0; zabrus_core::wire::PASSWORD_BYTES];
    let session = SessionId(1);
    let hello = ConnectResponse { timeout: 4_000, session, password, read_only: None };
    door.clients.send(ClientId(1), &hello.frame(), door.clock.monotonic());
    first.write_all(&large(1)).expect("sent");
    door.turn_until(|door| (door.inputs.len() == 3).then_some(()));
    let mut second = door.knock();
    second.write_all(&large(1)).expect("sent");
    assert_eq!(door.read_to_end(&second), b"");
    assert_eq!((door.clients.figures.too_large, door.inputs.len()), (1, 3));
    door.clients.send(ClientId(1), &reply(1, 9, &()), door.clock.monotonic());
    let mut third = door.knock();
    third.write_all(&large(1)).expect("sent");
    door.turn_until(|door| (door.inputs.len() == 5).then_some(()));
    drop(third);
    door.turn_until(|door| door.inputs.contains(&gone(3)).then_some(()));
    assert_eq!(door.clients.large, 0, "what is answered or gone counts no more");
}

#[test]
fn a_connection_that_breaks_and_a_session_that_comes_back_are_counted() {
    let mut door = Door::open("");
    let request = |session| ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 0,
        timeout: 4_000,
        session: SessionId(session),
        password: Some([0; 16].into()),
        read_only: None,
    };
    for session in [0, 7] {
        let bytes = request(session).encode();
        let mut stream = door.knock();
        stream.write_all(&(bytes.len() as u32).to_be_bytes()).expect("sent");
        stream.write_all(&bytes).expect("sent");
    }
    door.turn_until(|door| (door.clients.figures.dropped == 2).then_some(()));
    assert_eq!((door.clients.figures.handshakes, door.clients.figures.reattached), (2, 1));
}
