use alloc::vec;
use core::net::Ipv4Addr;

use super::*;
use crate::identity::Epoch;
use crate::prepare::Preparer;
use crate::time::{Duration, Instant};
use crate::wire::{Acl, Create, Id, ReplyHeader, SetData};

const A: ClientId = ClientId(1);
const B: ClientId = ClientId(2);

/// What a client sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// The handshake, with the session's timeout.
    Welcome(ClientId, i32),
    /// The handshake of a session that is gone.
    Gone(ClientId),
    /// An answer: xid and error.
    Answer(ClientId, i32, i32),
    /// An event, and the zxid that caused it.
    Event(ClientId, i64),
    Closed(ClientId),
    Paused(ClientId),
    Resumed(ClientId),
}
use Seen::{Answer, Closed, Event, Gone, Paused, Resumed, Welcome};

/// One server whose leader is this test: it answers its questions when it likes.
struct Server {
    clients: Clients,
    state: State,
    preparer: Preparer,
    applied: Zxid,
    outputs: VecDeque<Output>,
    sessions: BTreeMap<ClientId, SessionId>,
}

impl Server {
    fn new(change: impl FnOnce(&mut ServiceSettings)) -> Self {
        let mut settings = ServiceSettings::new(Duration::from_millis(1_000));
        change(&mut settings);
        Self {
            clients: Clients::new(settings.clone(), ServerId(1), 7),
            state: State::default(),
            preparer: Preparer::new(settings),
            applied: Zxid::new(Epoch(1), 0),
            outputs: VecDeque::new(),
            sessions: BTreeMap::new(),
        }
    }

    /// With the client `A` in a session.
    fn with_a_client() -> Self {
        let mut server = Self::new(|_| ());
        server.join(A);
        server
    }

    fn seen(&mut self) -> Vec<Seen> {
        let applied = Applied { state: &self.state, zxid: self.applied };
        self.clients.answer(applied, &mut self.outputs);
        let outputs = core::mem::take(&mut self.outputs);
        outputs.into_iter().map(|output| self.see(output)).collect()
    }

    fn see(&mut self, output: Output) -> Seen {
        match output {
            Output::ClientFrame { client, bytes } => match self.sessions.contains_key(&client) {
                true => match jute::decode(&bytes[4..]).expect("a header") {
                    ReplyHeader { xid: xid::NOTIFICATION, zxid, .. } => Event(client, zxid),
                    ReplyHeader { xid, err, .. } => Answer(client, xid, err),
                },
                false => {
                    let response = ConnectResponse::decode(&bytes[4..]).expect("a handshake");
                    if response.timeout == 0 {
                        return Gone(client);
                    }
                    assert_eq!(response.password, password(response.session));
                    self.sessions.insert(client, response.session);
                    Welcome(client, response.timeout)
                }
            },
            Output::ClientClose { client } => Closed(client),
            Output::ClientPause { client } => Paused(client),
            Output::ClientResume { client } => Resumed(client),
            other => panic!("{other:?} is nothing that a client sees"),
        }
    }

    fn connects(&mut self, client: ClientId, request: &ConnectRequest) -> Vec<Seen> {
        self.clients.connected(client, Ipv4Addr::LOCALHOST.into());
        self.sends(client, &request.encode())
    }

    fn sends(&mut self, client: ClientId, frame: &[u8]) -> Vec<Seen> {
        let applied = Applied { state: &self.state, zxid: self.applied };
        self.clients.frame(client, &frame.into(), applied, &mut self.outputs);
        self.seen()
    }

    /// A new session for `client`.
    fn join(&mut self, client: ClientId) {
        assert_eq!(self.connects(client, &handshake(4_000)), [Paused(client)]);
        let request = self.write();
        assert_eq!(self.commits(&request), [Welcome(client, 4_000), Resumed(client)]);
    }

    /// The question to the leader that must be a write, and the only one.
    fn write(&mut self) -> WriteRequest {
        match (self.clients.next_ask(), self.clients.has_asks()) {
            (Some(Ask::Write(request)), false) => request,
            other => panic!("{other:?}"),
        }
    }

    fn sync(&mut self) -> u64 {
        match (self.clients.next_ask(), self.clients.has_asks()) {
            (Some(Ask::Sync(number)), false) => number,
            other => panic!("{other:?}"),
        }
    }

    fn commits(&mut self, request: &WriteRequest) -> Vec<Seen> {
        self.decides(request, None)
    }

    fn decides(&mut self, request: &WriteRequest, refused: Option<ErrorCode>) -> Vec<Seen> {
        let zxid = Zxid(self.applied.0 + 1);
        let transaction = self.preparer.prepare(&self.state, request, refused, zxid, 1_000);
        let applied = Applied { state: &self.state, zxid: self.applied };
        self.clients.precede(&transaction, applied, &mut self.outputs);
        let outcome = self.state.apply(&transaction, &mut |trigger| {
            self.clients.notify(&trigger, &mut self.outputs);
        });
        self.applied = zxid;
        self.preparer.applied(zxid);
        self.clients.committed(&transaction, &outcome, &mut self.outputs);
        self.seen()
    }

    /// The end of a session, as its expiry orders it.
    fn expires(&mut self, session: SessionId) -> Vec<Seen> {
        let origin = Origin { server: ServerId(2), boot: 1, client: 0, number: 0 };
        let op = OpCode::CloseSession.code();
        let (body, identities) = (Bytes::default(), Vec::new());
        self.commits(&WriteRequest { origin, session, local: false, cxid: 0, op, body, identities })
    }

    fn comes_back(&mut self, client: ClientId, session: SessionId) -> Vec<Seen> {
        let request =
            ConnectRequest { session, password: Some(password(session)[..].into()), ..handshake(6_000) };
        self.connects(client, &request)
    }
}

fn handshake(timeout: i32) -> ConnectRequest {
    ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 0,
        timeout,
        session: SessionId(0),
        password: None,
        read_only: Some(false),
    }
}

fn request(xid: i32, op: OpCode, body: &[u8]) -> Vec<u8> {
    [&xid.to_be_bytes()[..], &op.code().to_be_bytes(), body].concat()
}

fn exists(xid: i32, path: &str, watch: bool) -> Vec<u8> {
    request(xid, OpCode::Exists, &jute::encode(&(path, watch)))
}

fn open_acl() -> Vec<Acl> {
    let id = Id { scheme: "world".into(), id: "anyone".into() };
    vec![Acl { perms: Permissions::ALL, id }]
}

fn create(xid: i32, path: &str) -> Vec<u8> {
    let create = Create { path: path.into(), data: None, acl: Some(open_acl()), flags: 0 };
    request(xid, OpCode::Create, &jute::encode(&create))
}

fn ping() -> Vec<u8> {
    request(xid::PING, OpCode::Ping, &[])
}

#[test]
fn a_new_session_waits_for_its_transaction_and_has_a_timeout_within_the_limits() {
    for (asked, given) in [(-1, 2_000), (0, 2_000), (4_321, 4_321), (i32::MAX, 20_000)] {
        let mut server = Server::new(|_| ());
        assert_eq!(server.connects(A, &handshake(asked)), [Paused(A)]);
        let request = server.write();
        assert_eq!(request.op, OpCode::CreateSession.code());
        assert_eq!(server.commits(&request), [Welcome(A, given), Resumed(A)]);
        assert_eq!(server.state.session_timeout(server.sessions[&A]), Some(given));
    }
}

#[test]
fn whoever_sends_no_handshake_or_has_seen_more_than_this_server_is_closed() {
    let mut server = Server::new(|_| ());
    server.clients.connected(A, Ipv4Addr::LOCALHOST.into());
    assert_eq!(server.sends(A, b"\0\0"), [Closed(A)]);
    let applied = server.applied.0.cast_signed();
    let ahead = |last_zxid_seen| ConnectRequest { last_zxid_seen, ..handshake(4_000) };
    assert_eq!(server.connects(A, &ahead(applied + 1)), [Closed(A)]);
    assert_eq!(server.connects(A, &ahead(applied)), [Paused(A)]);
    assert_eq!(server.clients.connections(), 1);
}

#[test]
fn a_wrong_password_is_a_session_that_is_gone_and_closes_nobody_else() {
    let mut server = Server::with_a_client();
    let session = server.sessions[&A];
    for password in [None, Some([1; 16][..].into()), Some([0; 3][..].into())] {
        let request = ConnectRequest { session, password, ..handshake(4_000) };
        assert_eq!(server.connects(B, &request), [Gone(B), Closed(B)]);
    }
    assert!(!server.clients.has_asks());
    assert_eq!(server.sends(A, &ping()), [Answer(A, xid::PING, 0)]);
}

#[test]
fn a_session_that_comes_back_leaves_its_old_connection_and_waits_for_the_leader() {
    let mut server = Server::with_a_client();
    let session = server.sessions[&A];
    assert_eq!(server.comes_back(B, session), [Paused(B), Closed(A)]);
    let ask = server.clients.next_ask();
    assert_eq!(ask, Some(Ask::Attach { client: B, session, timeout: 6_000 }));
    server.clients.attached(B, session, true, &mut server.outputs);
    assert_eq!(server.seen(), [Welcome(B, 6_000), Resumed(B)]);
    assert_eq!(server.sessions[&B], session);
}

#[test]
fn a_session_that_is_gone_is_said_to_be_gone() {
    let mut server = Server::new(|_| ());
    let session = SessionId(77);
    assert_eq!(server.comes_back(A, session), [Paused(A)]);
    assert!(matches!(server.clients.next_ask(), Some(Ask::Attach { .. })));
    server.clients.attached(A, session, false, &mut server.outputs);
    assert_eq!(server.seen(), [Gone(A), Closed(A)]);
    assert!(!server.clients.has_asks(), "and it gets no other one");
}

#[test]
fn what_comes_behind_the_handshake_is_answered_behind_it_in_order() {
    let mut server = Server::new(|_| ());
    server.connects(A, &handshake(4_000));
    let session = server.write();
    assert_eq!(server.sends(A, &exists(1, "/", false)), []);
    assert_eq!(server.sends(A, &create(2, "/a")), []);
    assert_eq!(server.sends(A, &exists(3, "/a", false)), []);
    assert!(!server.clients.has_asks());
    assert_eq!(server.commits(&session), [Welcome(A, 4_000), Resumed(A), Answer(A, 1, 0)]);
    let write = server.write();
    assert_eq!(server.commits(&write), [Answer(A, 2, 0), Answer(A, 3, 0)]);
}

#[test]
fn a_request_waits_for_those_before_it_and_not_for_those_of_others() {
    let mut server = Server::with_a_client();
    server.join(B);
    assert_eq!(server.sends(A, &create(1, "/a")), []);
    let first = server.write();
    assert_eq!(server.sends(A, &exists(2, "/a", false)), []);
    assert_eq!(server.sends(A, &ping()), []);
    assert_eq!(server.sends(A, &request(3, OpCode::Delete, &[])), [], "it does not decode");
    assert_eq!(server.sends(A, &create(4, "/a")), []);
    let second = server.write();
    assert_eq!(server.sends(B, &exists(1, "/a", false)), [Answer(B, 1, -101)]);
    let answers = [Answer(A, 1, 0), Answer(A, 2, 0), Answer(A, xid::PING, 0), Answer(A, 3, -5)];
    assert_eq!(server.commits(&first), answers);
    assert_eq!(server.commits(&second), [Answer(A, 4, -110)]);
}

#[test]
fn what_was_asked_before_a_write_is_answered_before_it_is_applied() {
    let mut server = Server::with_a_client();
    server.clients.settings.linearizable_reads = true;
    assert_eq!(server.sends(A, &exists(1, "/a", false)), []);
    assert_eq!(server.sends(A, &request(2, OpCode::Sync, &jute::encode("/"))), []);
    let Some(Ask::Sync(early)) = server.clients.next_ask() else { panic!("the read asks first") };
    server.clients.synced(early, Zxid(server.applied.0 + 9));
    let late = server.sync();
    assert_eq!(server.sends(A, &create(3, "/a")), []);
    let request = server.write();
    let missing = ErrorCode::NoNode.code();
    assert_eq!(server.commits(&request), [Answer(A, 1, missing), Answer(A, 2, 0), Answer(A, 3, 0)]);
    server.clients.synced(late, server.applied);
    assert_eq!(server.seen(), [], "it was answered");
    assert_eq!(server.clients.waiting(), 0);
}

#[test]
fn a_write_that_does_not_decode_is_not_passed_on() {
    let mut server = Server::with_a_client();
    for op in [OpCode::Create, OpCode::SetData, OpCode::SetAcl, OpCode::Reconfig, OpCode::Sync] {
        assert_eq!(server.sends(A, &request(1, op, &[])), [Answer(A, 1, -5)], "{op:?}");
    }
    assert!(!server.clients.has_asks());
    // But for a multi, which is taken apart where it is ordered.
    server.sends(A, &request(2, OpCode::Multi, &[]));
    let multi = server.write();
    assert_eq!(server.commits(&multi), [Answer(A, 2, -5)]);
}

#[test]
fn what_is_no_request_is_refused_in_order_and_ends_the_connection() {
    for op in [OpCode::CreateSession, OpCode::Check, OpCode::DeleteContainer] {
        let mut server = Server::with_a_client();
        server.sends(A, &create(1, "/a"));
        let write = server.write();
        assert_eq!(server.sends(A, &request(2, op, &jute::encode(&("/a", 0)))), []);
        assert_eq!(server.commits(&write), [Answer(A, 1, 0), Answer(A, 2, -6), Closed(A)], "{op:?}");
    }
}

#[test]
fn a_client_is_not_read_from_while_too_much_waits() {
    let mut server = Server::new(|settings| settings.outstanding_limit = 2);
    server.join(A);
    let mut writes = VecDeque::new();
    for (xid, seen) in [(1, vec![]), (2, vec![]), (3, vec![Paused(A)]), (4, vec![])] {
        assert_eq!(server.sends(A, &create(xid, "/a")), seen);
        writes.push_back(server.write());
    }
    let mut next = || writes.pop_front().expect("a write");
    assert_eq!(server.commits(&next()), [Answer(A, 1, 0)]);
    assert_eq!(server.commits(&next()), [Answer(A, 2, -110), Resumed(A)]);
    assert_eq!(server.commits(&next()), [Answer(A, 3, -110)]);
    assert_eq!(server.clients.waiting(), 1);
}

#[test]
fn a_sync_is_answered_when_the_state_has_what_the_leader_had_committed() {
    let mut server = Server::with_a_client();
    server.join(B);
    assert_eq!(server.sends(A, &request(1, OpCode::Sync, &jute::encode("/"))), []);
    let number = server.sync();
    server.sends(B, &create(1, "/b"));
    let write = server.write();
    server.clients.synced(number, Zxid(server.applied.0 + 1));
    assert_eq!(server.seen(), []);
    assert_eq!(server.commits(&write), [Answer(A, 1, 0), Answer(B, 1, 0)]);
}

#[test]
fn a_linearizable_read_waits_for_its_confirmation_and_a_ping_does_not() {
    let mut server = Server::new(|settings| settings.linearizable_reads = true);
    server.join(A);
    assert_eq!(server.sends(A, &ping()), [Answer(A, xid::PING, 0)]);
    assert_eq!(server.sends(A, &exists(1, "/", false)), []);
    let number = server.sync();
    server.clients.synced(number + 1, server.applied);
    assert_eq!(server.seen(), [], "that was for somebody else");
    server.clients.synced(number, server.applied);
    assert_eq!(server.seen(), [Answer(A, 1, 0)]);
}

#[test]
fn reads_that_arrive_during_a_round_share_the_next() {
    let mut server = Server::new(|settings| settings.linearizable_reads = true);
    server.join(A);
    server.join(B);
    server.sends(A, &exists(1, "/", false));
    let first = server.sync();
    for (client, xid) in [(A, 2), (A, 3), (B, 1)] {
        assert_eq!(server.sends(client, &exists(xid, "/", false)), []);
    }
    assert!(!server.clients.has_asks());
    server.clients.synced(first, server.applied);
    assert_eq!(server.seen(), [Answer(A, 1, 0)], "the others came after its question");
    let second = server.sync();
    server.clients.synced(second, server.applied);
    assert_eq!(server.seen(), [Answer(A, 2, 0), Answer(A, 3, 0), Answer(B, 1, 0)]);
    assert!(!server.clients.has_asks());
}

#[test]
fn a_connection_watches_no_more_paths_than_it_may() {
    let mut server = Server::new(|settings| settings.watch_limit = 2);
    server.join(A);
    for (xid, path, error) in [(1, "/", 0), (2, "/b", -101), (3, "/c", -125), (4, "/b", -101)] {
        assert_eq!(server.sends(A, &exists(xid, path, true)), [Answer(A, xid, error)], "{path}");
    }
    assert_eq!(server.sends(A, &exists(5, "/c", false)), [Answer(A, 5, -101)]);
    assert_eq!(
        server.sends(A, &request(6, OpCode::AddWatch, &jute::encode(&("/d", 1)))),
        [Answer(A, 6, -125)]
    );
    let lists = |paths: [&str; 2]| jute::encode(&(9_i64, paths.to_vec(), paths.to_vec(), Vec::<&str>::new()));
    assert_eq!(server.sends(A, &request(7, OpCode::SetWatches, &lists(["/b", "/e"]))), [Answer(A, 7, -125)]);
    assert_eq!(server.clients.watches().watched_by(A), 2);
    server.join(B);
    let seen = server.sends(B, &request(1, OpCode::SetWatches, &lists(["/", "/zookeeper"])));
    assert_eq!(seen.last(), Some(&Answer(B, 1, 0)), "a path in two lists is one");
}

#[test]
fn an_event_comes_before_the_answers_that_show_the_change() {
    let mut server = Server::with_a_client();
    assert_eq!(server.sends(A, &exists(1, "/a", true)), [Answer(A, 1, -101)]);
    server.sends(A, &create(2, "/a"));
    let write = server.write();
    server.sends(A, &exists(3, "/a", false));
    let zxid = server.applied.0.cast_signed() + 1;
    assert_eq!(server.commits(&write), [Event(A, zxid), Answer(A, 2, 0), Answer(A, 3, 0)]);
    let set = SetData { path: "/a".into(), data: None, version: -1 };
    server.sends(A, &request(4, OpCode::SetData, &jute::encode(&set)));
    let write = server.write();
    assert_eq!(server.commits(&write), [Answer(A, 4, 0)], "once");
}

#[test]
fn the_watches_of_a_connection_go_with_it() {
    let mut server = Server::with_a_client();
    server.sends(A, &exists(1, "/a", true));
    server.clients.gone(A);
    assert_eq!((server.clients.watches().count(), server.clients.connections()), (0, 0));
}

#[test]
fn a_session_that_moved_closes_the_connection_without_an_answer() {
    let mut server = Server::with_a_client();
    server.sends(A, &create(1, "/a"));
    let write = server.write();
    server.sends(A, &exists(2, "/a", false));
    assert_eq!(server.decides(&write, Some(ErrorCode::SessionMoved)), [Closed(A)]);
}

#[test]
fn the_end_of_a_session_closes_its_connection_and_no_other() {
    let mut server = Server::with_a_client();
    server.join(B);
    let session = server.sessions[&A];
    assert_eq!(server.expires(session), [Closed(A)]);
    assert_eq!(server.sends(B, &ping()), [Answer(B, xid::PING, 0)]);
}

#[test]
fn who_ends_its_session_is_answered_and_then_closed() {
    let mut server = Server::with_a_client();
    server.sends(A, &request(1, OpCode::CloseSession, &[]));
    let end = server.write();
    server.sends(A, &exists(2, "/", false));
    assert_eq!(server.commits(&end), [Answer(A, 1, 0), Closed(A)]);
    assert_eq!(server.clients.waiting(), 0);
}

#[test]
fn a_write_of_an_older_connection_answers_nobody_on_the_newer_one() {
    let mut server = Server::with_a_client();
    let session = server.sessions[&A];
    server.sends(A, &create(1, "/a"));
    let old = server.write();
    server.comes_back(B, session);
    server.clients.next_ask();
    server.clients.attached(B, session, true, &mut server.outputs);
    server.seen();
    server.sends(B, &create(1, "/b"));
    let new = server.write();
    assert_eq!(server.commits(&old), []);
    assert_eq!(server.commits(&new), [Answer(B, 1, 0)]);
}

#[test]
fn each_session_that_was_heard_of_is_named_once() {
    let mut server = Server::with_a_client();
    assert_eq!(server.clients.take_touched(), []);
    server.sends(A, &ping());
    server.sends(A, &exists(1, "/", false));
    assert_eq!(server.clients.take_touched(), [server.sessions[&A]]);
    assert_eq!(server.clients.take_touched(), []);
    server.sends(A, &exists(2, "/", false));
    assert_eq!(server.clients.take_touched(), [server.sessions[&A]]);
}

/// One server with local sessions that may become global ones, and a client of it.
fn with_a_local_session() -> Server {
    let mut server = Server::new(|settings| {
        (settings.local_sessions, settings.upgrade_local_sessions) = (true, true);
    });
    assert_eq!(server.connects(A, &handshake(4_000)), [Welcome(A, 4_000)]);
    assert!(!server.clients.has_asks());
    server
}

fn create_ephemeral(xid: i32, path: &str) -> Vec<u8> {
    let create = Create { path: path.into(), data: None, acl: Some(open_acl()), flags: 1 };
    request(xid, OpCode::Create, &jute::encode(&create))
}

impl Server {
    fn passes(&mut self, millis: u64) -> Vec<Seen> {
        self.clients.tick(Instant(millis * 1_000), &mut self.outputs);
        self.seen()
    }

    fn asks_for(&mut self, client: ClientId, session: SessionId) {
        let ask = self.clients.next_ask();
        assert!(
            matches!(ask, Some(Ask::Attach { client: c, session: s, .. }) if (c, s) == (client, session))
        );
    }
}

#[test]
fn a_local_session_needs_no_leader_to_begin_to_come_back_and_to_end() {
    let mut server = with_a_local_session();
    let session = server.sessions[&A];
    assert_eq!(server.state.session_timeout(session), None);
    assert_eq!(server.comes_back(B, session), [Welcome(B, 6_000), Closed(A)]);
    let end = request(9, OpCode::CloseSession, &[]);
    assert_eq!(server.sends(B, &end), [Answer(B, 9, 0), Closed(B)]);
    assert!(!server.clients.has_asks());
    assert_eq!(server.comes_back(A, session), [Paused(A)], "perhaps it is known to others");
    server.asks_for(A, session);
}

#[test]
fn a_local_session_ends_when_nothing_is_heard_of_it() {
    let mut server = with_a_local_session();
    assert_eq!(server.passes(3_000), []);
    assert_eq!(server.sends(A, &ping()), [Answer(A, xid::PING, 0)]);
    assert_eq!(server.clients.take_touched(), [], "the leader need not know");
    assert_eq!(server.passes(6_999), []);
    assert_eq!(server.passes(7_000), [Closed(A)]);
    assert_eq!(server.clients.local_sessions().count(), 0);
}

#[test]
fn a_local_session_writes_what_belongs_to_nobody() {
    let mut server = with_a_local_session();
    assert_eq!(server.sends(A, &create(1, "/a")), []);
    let write = server.write();
    assert!(write.local && write.session == server.sessions[&A]);
    assert_eq!(server.commits(&write), [Answer(A, 1, 0)]);
    assert_eq!(server.state.sessions().count(), 0);
}

#[test]
fn a_local_session_becomes_a_global_one_before_it_owns_a_node_and_ends_as_such() {
    let mut server = with_a_local_session();
    let session = server.sessions[&A];
    assert_eq!(server.sends(A, &create_ephemeral(1, "/e")), []);
    assert_eq!(server.sends(A, &request(2, OpCode::CloseSession, &[])), []);
    let mut asks: Vec<WriteRequest> = Vec::new();
    while let Some(Ask::Write(request)) = server.clients.next_ask() {
        asks.push(request);
    }
    let of = |request: &WriteRequest| (request.op, request.session, request.local);
    let (begin, write) = (OpCode::CreateSession.code(), OpCode::Create.code());
    let end = OpCode::CloseSession.code();
    let expected = [(begin, session, true), (write, session, false), (end, session, false)];
    assert_eq!(asks.iter().map(of).collect::<Vec<_>>(), expected);
    assert_eq!(server.commits(&asks[0]), []);
    assert_eq!(server.state.session_timeout(session), Some(4_000));
    assert_eq!(server.commits(&asks[1]), [Answer(A, 1, 0)]);
    assert_eq!(server.state.ephemerals(session).count(), 1);
    assert_eq!(server.commits(&asks[2]), [Answer(A, 2, 0), Closed(A)]);
    assert_eq!((server.state.ephemeral_count(), server.state.sessions().count()), (0, 0));
}

#[test]
fn a_multi_with_an_ephemeral_node_makes_a_session_global_and_other_nodes_do_not() {
    let multi = |flags: &[i32]| {
        let mut body = Vec::new();
        for flags in flags {
            let acl = Some(open_acl());
            let create = Create { path: "/m".into(), data: None, acl, flags: *flags };
            jute::encode_into(&mut body, &(OpCode::Create.code(), false, -1));
            jute::encode_into(&mut body, &create);
        }
        jute::encode_into(&mut body, &(-1, true, -1));
        request(1, OpCode::Multi, &body)
    };
    for (flags, is_upgraded) in [(&[][..], false), (&[0, 2, 4], false), (&[0, 1], true), (&[3], true)] {
        let mut server = with_a_local_session();
        server.sends(A, &multi(flags));
        assert_eq!(server.clients.local_sessions().count(), usize::from(!is_upgraded), "{flags:?}");
    }
}

#[test]
fn a_local_session_that_may_not_become_global_owns_no_nodes() {
    let mut server = Server::new(|settings| settings.local_sessions = true);
    server.connects(A, &handshake(4_000));
    assert_eq!(server.sends(A, &create_ephemeral(1, "/e")), []);
    let write = server.write();
    let refused = ErrorCode::EphemeralOnLocalSession.code();
    assert_eq!(server.commits(&write), [Answer(A, 1, refused)]);
}

#[test]
fn a_read_only_server_takes_those_who_ask_for_it_and_only_local_sessions() {
    let read_only = |session, password: Option<Bytes>| ConnectRequest {
        read_only: Some(true),
        session,
        password,
        ..handshake(4_000)
    };
    let mut server = Server::with_a_client();
    let global = server.sessions[&A];
    server.clients.close_all(&mut server.outputs);
    server.clients.serve_reads_only();
    assert_eq!(server.seen(), [Closed(A)]);
    for request in [handshake(4_000), ConnectRequest { read_only: None, ..handshake(4_000) }] {
        assert_eq!(server.connects(B, &request), [Closed(B)]);
    }
    let own = Some(Bytes::from(password(global)));
    assert_eq!(server.connects(B, &read_only(global, own.clone())), [Closed(B)]);
    server.sessions.insert(B, SessionId(0)); // What comes is the header of a reply.
    let refused = ErrorCode::NotReadOnly.code();
    assert_eq!(server.connects(B, &read_only(SessionId(0), None)), [Answer(B, 0, refused), Closed(B)]);
    assert!(!server.clients.has_asks());
}

#[test]
fn a_read_only_server_reads_watches_and_pings_and_nothing_else() {
    let mut server = Server::new(|settings| settings.local_sessions = true);
    server.clients.serve_reads_only();
    server.connects(A, &ConnectRequest { read_only: Some(true), ..handshake(4_000) });
    assert_eq!(server.sends(A, &exists(1, "/", true)), [Answer(A, 1, 0)]);
    assert_eq!(server.sends(A, &ping()), [Answer(A, xid::PING, 0)]);
    let refused = ErrorCode::NotReadOnly.code();
    for op in [OpCode::Create, OpCode::SetData, OpCode::Multi, OpCode::Sync, OpCode::Reconfig] {
        assert_eq!(server.sends(A, &request(2, op, &[])), [Answer(A, 2, refused)], "{op:?}");
    }
    assert_eq!(server.clients.watches().count(), 1);
    server.clients.close_all(&mut server.outputs);
    assert_eq!((server.seen(), server.clients.is_read_only()), (vec![Closed(A)], false));
    assert_eq!(server.clients.local_sessions().count(), 1, "it may come back");
}

#[test]
fn a_client_that_goes_on_with_sasl_where_there_is_none_is_refused_at_last() {
    let mut server = Server::with_a_client();
    let token = |number| request(number, OpCode::Sasl, &jute::encode(&Bytes::default()));
    for number in 1..8 {
        assert_eq!(server.sends(A, &token(number)), [Answer(A, number, 0)]);
    }
    let refused = ErrorCode::AuthFailed.code();
    assert_eq!(server.sends(A, &token(8)), [Answer(A, 8, refused), Closed(A)]);
}
