use zabrus_core::config::ServiceSettings;
use zabrus_core::wire::{
    AddWatch, Change, ConnectResponse, Create, Delete, ErrorCode, EventType, Origin, PathWatch, ReplyHeader,
    SetData, SetWatches, Transaction,
};
use zabrus_core::{Duration, Epoch};

use super::*;
use crate::clients::Received;
use crate::counters::Counters;
use crate::ghost::court::Court;
use crate::ghost::model::{Model, Request, open_acl};

mod reconfig;

const SERVER: ServerId = ServerId(1);
const ME: ClientId = ClientId(7);
const OTHER: ClientId = ClientId(8);
const MINE: SessionId = SessionId(77);

type Told = Result<(), &'static str>;

/// A hand-made course of things. A clone can go wrong, and the original on.
#[derive(Clone)]
struct Course {
    ledger: Ledger,
    model: Model,
    counter: u32,
}

/// The zxid of a transaction; before the first one servers show zero.
fn z(counter: u32) -> Zxid {
    if counter == 0 { Zxid::ZERO } else { Zxid::new(Epoch(1), counter) }
}

fn rule(checked: Result<(), crate::violation::Violation>) -> Told {
    checked.map_err(|violation| violation.rule)
}

impl Course {
    /// A client that has its session as transaction 1.
    fn new() -> Self {
        Self::with(ServiceSettings::new(Duration::from_millis(2_000)))
    }

    fn with(settings: ServiceSettings) -> Self {
        let mut course = Self { ledger: Ledger::default(), model: Model::new(settings), counter: 0 };
        course.open(ME, SessionId(0), [0; 16]);
        assert_eq!(course.commit(ME, 0, OpCode::CreateSession, &jute::encode(&10_000)), Ok(()));
        assert_eq!(course.greet(ME, 77), Ok(()));
        course
    }

    fn open(&mut self, id: ClientId, session: SessionId, password: [u8; 16]) {
        self.ledger.opened(Instant(0), SERVER, id, [10, 0, 0, 1].into(), &hello(session, password));
    }

    fn greet(&mut self, id: ClientId, session: i64) -> Told {
        let (session, password) = (SessionId(session), [5; 16]);
        let response = ConnectResponse { timeout: 10_000, session, password, read_only: None };
        self.receive(id, &Received::Session(response))
    }

    fn receive(&mut self, id: ClientId, received: &Received) -> Told {
        let mut counters = Counters::default();
        let mut court = Court::new(&mut counters, Instant(0), None);
        rule(self.ledger.received(id, received, &self.model, z(self.counter), &mut court))
    }

    fn send(&mut self, id: ClientId, xid: i32, op: OpCode, body: &[u8]) {
        self.ledger.sent(Instant(0), id, RequestHeader { xid, op: op.code() }, &body.into());
    }

    fn commit(&mut self, id: ClientId, cxid: i32, op: OpCode, body: &[u8]) -> Told {
        self.commit_as(id, cxid, op, body, |_| ())
    }

    /// Commits what the request means, or what `falsify` makes of it.
    fn commit_as(
        &mut self,
        id: ClientId,
        cxid: i32,
        op: OpCode,
        body: &[u8],
        falsify: impl FnOnce(&mut Transaction),
    ) -> Told {
        self.counter += 1;
        let (zxid, session) = (z(self.counter), MINE);
        let identities = [Id { scheme: "ip".into(), id: "10.0.0.1".into() }];
        let request = Request {
            session,
            local: self.model.settings().local_sessions && self.model.session(session).is_none(),
            identities: &identities,
            op,
            body,
            zxid,
            time: 5,
        };
        let change = self.model.execute(&request).change;
        let origin = Origin { server: SERVER, boot: 1, client: id.0, number: 1 };
        let mut transaction = Transaction { origin, session, cxid, zxid, time: 5, change, digest: None };
        // Its digest is that of the model after it.
        let mut after = self.model.clone();
        after.commit(self.model.execute(&request));
        transaction.digest = Some(after.digest());
        falsify(&mut transaction);
        let mut counters = Counters::default();
        let mut court = Court::new(&mut counters, Instant(0), None);
        let silence = |_| (Duration::from_seconds(11), Duration::from_seconds(11));
        rule(self.ledger.committed(&transaction, &mut self.model, silence, &mut court))
    }

    fn reply(&mut self, id: ClientId, xid: i32, counter: u32, err: i32, body: &[u8]) -> Told {
        let header = ReplyHeader { xid, zxid: z(counter).0.cast_signed(), err };
        self.receive(id, &Received::Reply { header, body: body.into() })
    }

    fn event(&mut self, zxid: i64, event: EventType, path: &str) -> Told {
        self.receive(ME, &Received::Event { zxid, event: event as i32, path: path.into() })
    }

    fn event_of(&mut self, counter: u32, event: EventType, path: &str) -> Told {
        self.event(z(counter).0.cast_signed(), event, path)
    }

    /// A creation from the request to the answer.
    fn create(&mut self, xid: i32, path: &str) -> Told {
        let body = create(path, 0);
        self.send(ME, xid, OpCode::Create, &body);
        self.commit(ME, xid, OpCode::Create, &body)?;
        self.reply(ME, xid, self.counter, 0, &jute::encode(&path))
    }

    /// A successful request about watches from the request to the answer.
    fn ask(&mut self, xid: i32, op: OpCode, body: &[u8]) -> Told {
        self.send(ME, xid, op, body);
        let read = self.model.read(z(self.counter), (MINE, &[]), op, body);
        let (err, answer) = match read {
            Ok(answer) => (0, answer),
            Err(ErrorCode::Unimplemented) if op == OpCode::AddWatch => (0, jute::encode(&0i32)),
            Err(ErrorCode::Unimplemented) => (0, Vec::new()),
            Err(error) => (error.code(), Vec::new()),
        };
        self.reply(ME, xid, self.counter, err, &answer)
    }
}

fn hello(session: SessionId, password: [u8; 16]) -> ConnectRequest {
    ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 0,
        timeout: 10_000,
        session,
        password: Some(Bytes::from(password)),
        read_only: None,
    }
}

fn create(path: &str, flags: i32) -> Vec<u8> {
    jute::encode(&Create { path: path.into(), data: None, acl: Some(open_acl()), flags })
}

fn watch(path: &str) -> Vec<u8> {
    jute::encode(&PathWatch { path: path.into(), watch: true })
}

fn set(path: &str) -> Vec<u8> {
    jute::encode(&SetData { path: path.into(), data: None, version: -1 })
}

#[test]
fn a_write_is_executed_once_in_its_place_and_answered_truly() {
    let mut course = Course::new();
    let (one, two) = (create("/a", 0), create("/b", 0));
    course.send(ME, 1, OpCode::Create, &one);
    course.send(ME, 2, OpCode::Create, &two);
    let path = jute::encode("/a");
    assert_eq!(course.clone().reply(ME, 1, 1, 0, &path), Err("L1"), "not committed");
    assert_eq!(course.clone().commit(ME, 2, OpCode::Create, &two), Err("L5"));
    assert_eq!(course.clone().commit(OTHER, 1, OpCode::Create, &one), Err("B1"));
    let falsified = course.clone().commit_as(ME, 1, OpCode::Create, &one, |transaction| {
        transaction.change = Change::Error(ErrorCode::NodeExists.code());
    });
    assert_eq!(falsified, Err("B16"));
    let falsified = course.clone().commit_as(ME, 1, OpCode::Create, &one, |t| t.digest = Some(1));
    assert_eq!(falsified, Err("B15"));
    assert_eq!(course.commit(ME, 1, OpCode::Create, &one), Ok(()));
    assert_eq!(course.clone().commit(ME, 1, OpCode::Create, &one), Err("L6"));
    assert_eq!(course.clone().reply(ME, 1, 1, 0, &path), Err("L1"), "at an older state");
    assert_eq!(course.clone().reply(ME, 1, 2, 0, &jute::encode("/b")), Err("L1"));
    assert_eq!(course.clone().reply(ME, 2, 2, 0, &path), Err("L4"));
    assert_eq!(course.clone().reply(ME, 1, 3, 0, &path), Err("L2"), "nobody committed that");
    assert_eq!(course.clone().reply(ME, xid::PING, 2, 0, &[]), Err("L12"));
    assert_eq!(course.reply(ME, 1, 2, 0, &path), Ok(()));
    course.send(ME, xid::PING, OpCode::Ping, &[]);
    assert_eq!(course.clone().reply(ME, xid::PING, 1, 0, &[]), Err("L7"));
    assert_eq!(course.reply(ME, xid::PING, 2, 0, &[]), Ok(()));
}

#[test]
fn a_refusal_changes_nothing() {
    let mut course = Course::new();
    let body = create("/no/child", 0);
    course.send(ME, 1, OpCode::Create, &body);
    let falsified = course.clone().commit_as(ME, 1, OpCode::Create, &body, |t| t.digest = Some(1));
    assert_eq!(falsified, Err("L9"));
    assert_eq!(course.commit(ME, 1, OpCode::Create, &body), Ok(()));
    assert_eq!(course.reply(ME, 1, 2, ErrorCode::NoNode.code(), &[]), Ok(()));
}

#[test]
fn a_read_is_the_state_at_its_zxid_and_a_sync_is_up_to_date() {
    let mut course = Course::new();
    course.create(1, "/a").unwrap();
    let body = jute::encode(&PathWatch { path: "/a".into(), watch: false });
    course.send(ME, 2, OpCode::Exists, &body);
    assert_eq!(course.clone().reply(ME, 2, 2, ErrorCode::NoNode.code(), &[]), Err("L2"));
    let read = course.model.read(z(2), (MINE, &[]), OpCode::Exists, &body).unwrap();
    assert_eq!(course.reply(ME, 2, 2, 0, &read), Ok(()));
    course.open(OTHER, MINE, [5; 16]);
    assert_eq!(course.greet(OTHER, 77), Ok(()));
    course.send(OTHER, 1, OpCode::Sync, &jute::encode("/"));
    assert_eq!(course.clone().reply(OTHER, 1, 1, 0, &jute::encode("/")), Err("L8"));
    assert_eq!(course.reply(OTHER, 1, 2, 0, &jute::encode("/")), Ok(()));
}

#[test]
fn a_read_that_shows_a_later_write_of_its_own_client_is_seen() {
    let mut course = Course::new();
    course.create(1, "/a").unwrap();
    let (exists, remove) = (
        jute::encode(&PathWatch { path: "/a".into(), watch: false }),
        jute::encode(&Delete { path: "/a".into(), version: -1 }),
    );
    course.send(ME, 2, OpCode::Exists, &exists);
    course.send(ME, 3, OpCode::Delete, &remove);
    course.commit(ME, 3, OpCode::Delete, &remove).unwrap();
    assert_eq!(course.clone().reply(ME, 2, 3, ErrorCode::NoNode.code(), &[]), Err("L4"));
    let read = course.model.read(z(2), (MINE, &[]), OpCode::Exists, &exists).unwrap();
    assert_eq!(course.reply(ME, 2, 2, 0, &read), Ok(()));
}

#[test]
fn what_was_asked_after_an_answer_comes_after_it() {
    let mut course = Course::new();
    let body = create("/a", 0);
    course.create(1, "/b").unwrap();
    course.send(ME, 2, OpCode::Create, &body);
    course.counter = 1;
    assert_eq!(course.commit(ME, 2, OpCode::Create, &body), Err("L3"));
}

#[test]
fn sessions_begin_once_and_do_nothing_after_their_end() {
    let mut course = Course::new();
    course.open(OTHER, SessionId(0), [0; 16]);
    let timeout = jute::encode(&10_000);
    assert_eq!(course.clone().commit(OTHER, 0, OpCode::CreateSession, &timeout), Err("N1"));
    let ephemeral = create("/e", 1);
    for (xid, op, body) in
        [(1, OpCode::Create, &ephemeral[..]), (2, OpCode::CloseSession, &[]), (3, OpCode::Create, &ephemeral)]
    {
        course.send(ME, xid, op, body);
    }
    assert_eq!(course.commit(ME, 1, OpCode::Create, &ephemeral), Ok(()));
    let left = course.clone().commit_as(ME, 2, OpCode::CloseSession, &[], |transaction| {
        transaction.change = Change::CloseSession { paths: Vec::new() };
    });
    assert_eq!(left, Err("N4"));
    let expired = |course: &Course, silence, reign| {
        let Course { mut ledger, mut model, .. } = course.clone();
        let origin = Origin { server: SERVER, boot: 1, client: 0, number: 0 };
        let change = Change::CloseSession { paths: vec!["/e".into()] };
        let request = Request {
            session: MINE,
            local: false,
            identities: &[],
            op: OpCode::CloseSession,
            body: &[],
            zxid: z(3),
            time: 5,
        };
        let mut after = model.clone();
        after.commit(model.execute(&request));
        let digest = Some(after.digest());
        let transaction = Transaction { origin, session: MINE, cxid: 0, zxid: z(3), time: 5, change, digest };
        let mut counters = Counters::default();
        let mut court = Court::new(&mut counters, Instant(0), None);
        let spans = |_| (Duration::from_seconds(silence), Duration::from_seconds(reign));
        rule(ledger.committed(&transaction, &mut model, spans, &mut court))
    };
    assert_eq!(expired(&course, 10, 10), Ok(()));
    assert_eq!(expired(&course, 5, 10), Err("N5"));
    assert_eq!(expired(&course, 10, 5), Err("N11"));
    assert_eq!(course.commit(ME, 2, OpCode::CloseSession, &[]), Ok(()));
    let revived = course.clone().commit_as(ME, 3, OpCode::Create, &ephemeral, |transaction| {
        transaction.change = Change::Error(ErrorCode::NodeExists.code());
    });
    assert_eq!(revived, Err("N2"));
    assert_eq!(course.commit(ME, 3, OpCode::Create, &ephemeral), Ok(()), "refused, as it should");
}

#[test]
fn what_is_answered_to_a_session_that_has_ended_is_seen() {
    let mut course = Course::new();
    course.send(ME, 1, OpCode::CloseSession, &[]);
    course.commit(ME, 1, OpCode::CloseSession, &[]).unwrap();
    let body = jute::encode(&PathWatch { path: "/".into(), watch: false });
    course.send(ME, 2, OpCode::Exists, &body);
    assert_eq!(course.reply(ME, 1, 2, 0, &[]), Ok(()));
    let read = course.model.read(z(2), (MINE, &[]), OpCode::Exists, &body).unwrap();
    assert_eq!(course.clone().reply(ME, 2, 2, 0, &read), Err("N8"));
}

#[test]
fn a_client_that_was_told_that_its_session_is_gone_can_rely_on_it() {
    let mut course = Course::new();
    course.create(1, "/a").unwrap();
    course.open(OTHER, MINE, [5; 16]);
    assert_eq!(course.receive(OTHER, &Received::Session(ConnectResponse::gone(None))), Ok(()));
    assert!(course.ledger.is_told_gone(MINE));
    let header = RequestHeader { xid: 2, op: OpCode::SetData.code() };
    let mut late = course.clone();
    late.ledger.sent(Instant(1), ME, header, &set("/a").into());
    assert_eq!(late.commit(ME, 2, OpCode::SetData, &set("/a")), Err("N7"), "asked afterwards");
    course.send(ME, 2, OpCode::SetData, &set("/a"));
    assert_eq!(course.commit(ME, 2, OpCode::SetData, &set("/a")), Ok(()), "asked before");
    let third = ClientId(9);
    course.open(third, MINE, [5; 16]);
    assert_eq!(course.clone().greet(third, 77), Ok(()), "opened before");
    course.ledger.opened(Instant(1), SERVER, third, [10, 0, 0, 1].into(), &hello(MINE, [5; 16]));
    assert_eq!(course.greet(third, 77), Err("N7"), "opened afterwards");
}

#[test]
fn a_watch_is_armed_in_the_state_that_its_read_showed() {
    let mut course = Course::new();
    course.create(1, "/a").unwrap();
    course.send(ME, 2, OpCode::GetData, &watch("/a"));
    let read = course.model.read(z(2), (MINE, &[]), OpCode::GetData, &watch("/a")).unwrap();
    course.send(ME, 3, OpCode::SetData, &set("/a"));
    course.commit(ME, 3, OpCode::SetData, &set("/a")).unwrap();
    let stat = jute::encode(&course.model.now("/a").unwrap().stat());
    assert_eq!(course.reply(ME, 2, 2, 0, &read), Ok(()));
    assert_eq!(course.clone().event_of(2, EventType::NodeCreated, "/a"), Err("W4"), "armed before");
    assert_eq!(course.clone().reply(ME, 3, 3, 0, &stat), Err("W3"), "armed behind");
}

#[test]
fn a_persistent_watch_hears_of_everything_and_a_standard_one_beside_it_of_one_thing() {
    let mut course = Course::new();
    course.create(1, "/a").unwrap();
    course.ask(2, OpCode::AddWatch, &jute::encode(&AddWatch { path: Some("/a".into()), mode: 0 })).unwrap();
    course.ask(3, OpCode::GetData, &watch("/a")).unwrap();
    for (xid, counter) in [(4, 3), (5, 4)] {
        course.send(ME, xid, OpCode::SetData, &set("/a"));
        course.commit(ME, xid, OpCode::SetData, &set("/a")).unwrap();
        assert_eq!(course.event_of(counter, EventType::NodeDataChanged, "/a"), Ok(()));
        assert_eq!(course.clone().event_of(counter, EventType::NodeDataChanged, "/a"), Err("W1"), "once");
        let stat = jute::encode(&course.model.now("/a").unwrap().stat());
        assert_eq!(course.reply(ME, xid, counter, 0, &stat), Ok(()));
    }
}

#[test]
fn a_version_is_compared_when_the_write_is_committed() {
    let mut course = Course::new();
    course.create(1, "/a").unwrap();
    let body = jute::encode(&SetData { path: "/a".into(), data: None, version: 0 });
    for xid in [2, 3] {
        course.send(ME, xid, OpCode::SetData, &body);
    }
    course.commit(ME, 2, OpCode::SetData, &body).unwrap();
    let both = course.clone().commit_as(ME, 3, OpCode::SetData, &body, |transaction| {
        transaction.change = Change::SetData { path: "/a".into(), data: None, version: 1 };
    });
    assert_eq!(both, Err("B16"), "it was asked when the version was right");
    assert_eq!(course.commit(ME, 3, OpCode::SetData, &body), Ok(()), "refused, as it should");
}

#[test]
fn a_connection_that_was_replaced_cannot_write_and_a_password_is_needed() {
    let mut course = Course::new();
    course.create(1, "/a").unwrap();
    course.send(ME, 2, OpCode::SetData, &set("/a"));
    let moved = |transaction: &mut Transaction| {
        transaction.change = Change::Error(ErrorCode::SessionMoved.code());
        transaction.digest = None;
    };
    assert_eq!(course.clone().commit_as(ME, 2, OpCode::SetData, &set("/a"), moved), Err("N9"), "to nobody");
    course.open(OTHER, MINE, [5; 16]);
    assert_eq!(course.clone().greet(OTHER, 78), Err("N10"), "another session");
    assert_eq!(course.greet(OTHER, 77), Ok(()));
    course.send(OTHER, 1, OpCode::SetData, &set("/a"));
    assert_eq!(
        course.clone().commit_as(OTHER, 1, OpCode::SetData, &set("/a"), moved),
        Err("N9"),
        "to nobody"
    );
    assert_eq!(course.commit(OTHER, 1, OpCode::SetData, &set("/a")), Ok(()));
    assert_eq!(course.clone().commit(ME, 2, OpCode::SetData, &set("/a")), Err("N9"));
    assert_eq!(course.commit_as(ME, 2, OpCode::SetData, &set("/a"), moved), Ok(()));
    let forger = ClientId(9);
    course.open(forger, MINE, [6; 16]);
    assert_eq!(course.clone().greet(forger, 77), Err("N10"));
    assert_eq!(course.receive(forger, &Received::Session(ConnectResponse::gone(None))), Ok(()));
}

#[test]
fn every_watch_hears_what_it_should_and_nothing_else() {
    let mut course = Course::new();
    course.create(1, "/a").unwrap();
    course.ask(2, OpCode::GetData, &watch("/a")).unwrap();
    course.send(ME, 3, OpCode::SetData, &set("/a"));
    course.commit(ME, 3, OpCode::SetData, &set("/a")).unwrap();
    let stat = jute::encode(&course.model.now("/a").unwrap().stat());
    assert_eq!(course.clone().reply(ME, 3, 3, 0, &stat), Err("W3"), "the event is missing");
    assert_eq!(course.clone().event_of(3, EventType::NodeDeleted, "/a"), Err("W5"));
    assert_eq!(course.clone().event_of(3, EventType::NodeDataChanged, "/b"), Err("W6"));
    assert_eq!(course.clone().event_of(2, EventType::NodeDataChanged, "/a"), Err("W4"));
    assert_eq!(course.clone().event(-1, EventType::NodeDataChanged, "/a"), Err("W6"));
    assert_eq!(course.event_of(3, EventType::NodeDataChanged, "/a"), Ok(()));
    assert_eq!(course.clone().event_of(3, EventType::NodeDataChanged, "/a"), Err("W5"), "twice");
    assert_eq!(course.reply(ME, 3, 3, 0, &stat), Ok(()));
}

#[test]
fn a_recursive_watch_hears_of_nodes_below_but_not_of_lists_of_children() {
    let mut course = Course::new();
    course.create(1, "/a").unwrap();
    course.ask(2, OpCode::AddWatch, &jute::encode(&AddWatch { path: Some("/a".into()), mode: 1 })).unwrap();
    course.ask(3, OpCode::GetChildren, &watch("/")).unwrap();
    for (xid, path) in [(4, "/a/b"), (5, "/c")] {
        let body = create(path, 0);
        course.send(ME, xid, OpCode::Create, &body);
        course.commit(ME, xid, OpCode::Create, &body).unwrap();
    }
    assert_eq!(course.clone().event_of(4, EventType::NodeChildrenChanged, "/"), Err("W2"), "one is missing");
    assert_eq!(course.clone().event_of(3, EventType::NodeChildrenChanged, "/a"), Err("W1"));
    assert_eq!(course.event_of(3, EventType::NodeCreated, "/a/b"), Ok(()));
    assert_eq!(course.event_of(4, EventType::NodeChildrenChanged, "/"), Ok(()));
}

#[test]
fn watches_that_are_armed_again_catch_up_with_what_was_missed() {
    let mut course = Course::new();
    course.create(1, "/a").unwrap();
    let relative_zxid = z(1).0.cast_signed();
    let list = |path: &str| vec![path.to_owned()];
    let wanted = SetWatches { relative_zxid, data: list("/a"), exist: list("/a"), child: list("/") };
    course.send(ME, xid::SET_WATCHES, OpCode::SetWatches, &jute::encode(&wanted));
    assert_eq!(course.clone().reply(ME, xid::SET_WATCHES, 2, 0, &[]), Err("W7"));
    let events = [
        (EventType::NodeDataChanged, "/a"),
        (EventType::NodeCreated, "/a"),
        (EventType::NodeChildrenChanged, "/"),
    ];
    for (event, path) in events {
        assert_eq!(course.event(-1, event, path), Ok(()));
    }
    assert_eq!(course.clone().event(-1, EventType::NodeDeleted, "/a"), Ok(()), "judged with the answer");
    assert_eq!(course.reply(ME, xid::SET_WATCHES, 2, 0, &[]), Ok(()));
}

#[test]
fn what_waits_longest_is_known_until_its_connection_is_gone() {
    let mut course = Course::new();
    course.send(ME, 1, OpCode::Sync, &[]);
    let header = RequestHeader { xid: xid::PING, op: OpCode::Ping.code() };
    course.ledger.sent(Instant(6), ME, header, &Bytes::from([]));
    assert_eq!(course.ledger.longest_waiting(), Some((SERVER, ME, 1, Instant(0))));
    assert!(course.ledger.waits_for(OpCode::Sync));
    course.ledger.left(ME);
    assert_eq!(course.ledger.longest_waiting(), None);
}

/// A client of a server with local sessions, which may become global ones, and that only reads if it must.
fn local_course(upgrades: bool) -> Course {
    let settings = ServiceSettings {
        local_sessions: true,
        upgrade_local_sessions: upgrades,
        read_only_mode: true,
        ..ServiceSettings::new(Duration::from_millis(2_000))
    };
    let mut course = Course { ledger: Ledger::default(), model: Model::new(settings), counter: 0 };
    course.open(ME, SessionId(0), [0; 16]);
    course
}

impl Course {
    fn meets(&mut self, server: ServerId, id: ClientId, session: SessionId, read_only: Option<bool>) {
        let hello = ConnectRequest { read_only, ..hello(session, [5; 16]) };
        self.ledger.opened(Instant(0), server, id, [10, 0, 0, 1].into(), &hello);
    }

    fn welcome(&mut self, id: ClientId, read_only: Option<bool>) -> Told {
        let response = ConnectResponse { timeout: 10_000, session: MINE, password: [5; 16], read_only };
        self.receive(id, &Received::Session(response))
    }

    /// The createSession of a local session.
    fn upgrade(&mut self) -> Told {
        self.commit(ME, 0, OpCode::CreateSession, &jute::encode(&10_000))
    }
}

#[test]
fn a_local_session_writes_becomes_global_and_ends() {
    let mut course = local_course(true);
    // Sent behind the handshake, and done before the client knows its session.
    course.send(ME, 1, OpCode::Create, &create("/a", 0));
    assert_eq!(course.commit(ME, 1, OpCode::Create, &create("/a", 0)), Ok(()));
    assert_eq!(course.greet(ME, 77), Ok(()));
    assert_eq!(course.reply(ME, 1, 1, 0, &jute::encode("/a")), Ok(()));
    let mut twice = course.clone();
    twice.open(OTHER, SessionId(0), [0; 16]);
    assert_eq!(twice.greet(OTHER, 77), Err("N1"));
    assert_eq!(course.clone().upgrade(), Err("N2"), "nobody asked for it");

    let mut closing = course.clone();
    closing.send(ME, 2, OpCode::CloseSession, b"");
    assert_eq!(closing.reply(ME, 2, 1, 0, b""), Ok(()));
    closing.meets(SERVER, OTHER, MINE, None);
    assert_eq!(closing.clone().welcome(OTHER, None), Ok(()), "it asked before the end");

    course.send(ME, 2, OpCode::Create, &create("/e", 1));
    course.send(ME, 3, OpCode::CloseSession, b"");
    assert_eq!(course.clone().commit(ME, 2, OpCode::Create, &create("/e", 1)), Ok(()), "but it is refused");
    assert_eq!(course.upgrade(), Ok(()));
    assert_eq!(course.commit(ME, 2, OpCode::Create, &create("/e", 1)), Ok(()));
    assert_eq!(course.reply(ME, 2, 3, 0, &jute::encode("/e")), Ok(()));
    assert_eq!(course.clone().reply(ME, 3, 3, 0, b""), Err("L1"), "its node would stay (ZOOKEEPER-3471)");
    assert_eq!(course.commit(ME, 3, OpCode::CloseSession, b""), Ok(()));
    assert_eq!(course.reply(ME, 3, 4, 0, b""), Ok(()));
}

#[test]
fn the_end_of_a_local_session_whose_node_is_under_way_needs_a_transaction() {
    let mut course = local_course(true);
    assert_eq!(course.greet(ME, 77), Ok(()));
    course.send(ME, 1, OpCode::Create, &create("/e", 1));
    course.send(ME, 2, OpCode::CloseSession, b"");
    assert_eq!(course.clone().upgrade(), Ok(()));
    // The first answer is lost, so to say.
    course.ledger.connections.get_mut(&ME).expect("open").waiting.pop_front();
    assert_eq!(course.reply(ME, 2, 0, 0, b""), Err("L1"));
}

#[test]
fn a_local_session_is_known_at_home_only_and_may_be_gone_elsewhere() {
    let elsewhere = ServerId(2);
    let mut course = local_course(false);
    assert_eq!(course.greet(ME, 77), Ok(()));
    course.meets(elsewhere, OTHER, MINE, None);
    assert_eq!(course.clone().welcome(OTHER, None), Err("N9"));
    let gone = Received::Session(ConnectResponse::gone(None));
    assert_eq!(course.receive(OTHER, &gone), Ok(()));
    course.meets(SERVER, ClientId(9), MINE, None);
    assert_eq!(course.welcome(ClientId(9), None), Ok(()));
}

#[test]
fn a_local_session_that_may_not_become_global_is_refused_its_nodes() {
    let mut course = local_course(false);
    assert_eq!(course.greet(ME, 77), Ok(()));
    course.send(ME, 1, OpCode::Create, &create("/e", 1));
    let code = ErrorCode::EphemeralOnLocalSession.code();
    assert_eq!(course.clone().upgrade(), Err("N2"));
    let owned = course.clone().commit_as(ME, 1, OpCode::Create, &create("/e", 1), |transaction| {
        transaction.change = Change::Error(ErrorCode::NoNode.code());
    });
    assert_eq!(owned, Err("B16"));
    assert_eq!(course.commit(ME, 1, OpCode::Create, &create("/e", 1)), Ok(()));
    assert_eq!(course.reply(ME, 1, 1, code, b""), Ok(()));
}

#[test]
fn a_server_that_only_reads_says_so_to_those_who_asked_and_does_nothing_more() {
    let mut course = local_course(true);
    course.meets(SERVER, OTHER, SessionId(0), Some(false));
    assert_eq!(course.welcome(OTHER, Some(true)), Err("L1"), "nobody asked for that");
    let mut course = local_course(true);
    course.meets(SERVER, ME, SessionId(0), Some(true));
    assert_eq!(course.welcome(ME, Some(true)), Ok(()));
    let refused = ErrorCode::NotReadOnly.code();
    for op in [OpCode::SetData, OpCode::Sync, OpCode::Multi] {
        course.send(ME, 1, op, b"");
        assert_eq!(course.clone().reply(ME, 1, 0, 0, b""), Err("L9"));
        assert_eq!(course.reply(ME, 1, 0, refused, b""), Ok(()));
    }
    let read = jute::encode(&("/nowhere", false));
    course.send(ME, 2, OpCode::Exists, &read);
    assert_eq!(course.clone().reply(ME, 2, 0, refused, b""), Err("L2"));
    assert_eq!(course.reply(ME, 2, 0, ErrorCode::NoNode.code(), b""), Ok(()));
    course.send(ME, 3, OpCode::Create, &create("/a", 0));
    assert_eq!(course.commit(ME, 3, OpCode::Create, &create("/a", 0)), Err("L9"));
}

#[test]
fn only_a_server_that_only_reads_and_keeps_no_sessions_turns_away() {
    let refuse = |change: fn(&mut ServiceSettings), read_only| {
        let mut settings = ServiceSettings::new(Duration::from_millis(2_000));
        settings.read_only_mode = true;
        change(&mut settings);
        let mut course = Course { ledger: Ledger::default(), model: Model::new(settings), counter: 0 };
        course.meets(SERVER, ME, SessionId(0), Some(read_only));
        let header = ReplyHeader { xid: 0, zxid: 0, err: ErrorCode::NotReadOnly.code() };
        course.receive(ME, &Received::TurnedAway(header))
    };
    assert_eq!(refuse(|_| (), true), Ok(()));
    assert_eq!(refuse(|_| (), false), Err("L1"));
    assert_eq!(refuse(|settings| settings.local_sessions = true, true), Err("L1"));
    assert_eq!(refuse(|settings| settings.read_only_mode = false, true), Err("L1"));
}
