use std::sync::mpsc::{self, Receiver};

use zabrus_core::wire::{self, EventType, SetWatches};

use super::*;
use crate::clock;

struct Script {
    session: Session,
    now: Instant,
}

impl Script {
    fn new(servers: &str) -> Self {
        let address = ConnectString::parse(servers).expect("valid");
        Self { session: Session::new(address, Duration::from_secs(9), false), now: clock::monotonic() }
    }

    /// A session on a connection.
    fn established() -> Self {
        let mut script = Self::new("a:1");
        script.connect(7);
        script
    }

    /// A connection, and the server's answer to the handshake; what the client sent after it.
    fn connect(&mut self, session: i64) -> Vec<Vec<u8>> {
        self.session.connected(self.now);
        let hello = self.frames().pop().expect("a handshake");
        let hello = ConnectRequest::decode(&hello).expect("a handshake");
        let timeout = if session == 0 { 0 } else { hello.timeout };
        let response =
            ConnectResponse { timeout, session: SessionId(session), password: [3; 16], read_only: None };
        // A connection on which the session is gone is broken.
        let _ = self.session.received(self.now, &response.frame()[4..]);
        self.frames()
    }

    fn frames(&mut self) -> Vec<Vec<u8>> {
        let outputs = std::iter::from_fn(|| self.session.poll());
        let frame = |output| match output {
            Output::Frame(frame) => Some(frame),
            Output::Answer(sender, answer) => sender.send(answer).map_or(None, |()| None),
            Output::Event(_) => None,
        };
        outputs.filter_map(frame).collect()
    }

    fn events(&mut self) -> Vec<String> {
        let outputs = std::iter::from_fn(|| self.session.poll());
        let event = |output| match output {
            Output::Event(event) => Some(event.to_string()),
            _ => None,
        };
        outputs.filter_map(event).collect()
    }

    fn call(&mut self, op: OpCode, effect: Effect) -> Receiver<Answer> {
        let (answer, received) = mpsc::channel();
        let call = Call { op, body: Vec::new(), path: Some("/a".into()), effect, since: self.now, answer };
        self.session.call(self.now, call);
        received
    }

    /// The server answers.
    fn answer(&mut self, number: i32, zxid: i64, err: i32) -> Result<(), Broken> {
        let frame = wire::answer(ReplyHeader { xid: number, zxid, err }, |_| ());
        self.session.received(self.now, &frame[4..])
    }

    fn lose(&mut self) {
        self.session.lost();
    }
}

fn header(frame: &[u8]) -> (i32, i32) {
    let header: RequestHeader = jute::decode(frame).expect("a header");
    (header.xid, header.op)
}

fn failed(code: i32) -> Result<Answer, mpsc::TryRecvError> {
    Ok(Err(Error::new(code, "/a")))
}

#[test]
fn what_is_asked_before_there_is_a_connection_is_sent_after_the_handshake() {
    let mut script = Script::new("a:1");
    let answer = script.call(OpCode::Exists, Effect::Nothing);
    let sent = script.connect(7);
    assert_eq!(sent.iter().map(|frame| header(frame)).collect::<Vec<_>>(), [(1, OpCode::Exists.code())]);
    script.answer(1, 5, 0).expect("in order");
    assert_eq!((script.frames().len(), answer.try_recv()), (0, Ok(Ok(Vec::new()))));
}

#[test]
fn a_new_connection_keeps_the_session_and_proves_arms_and_asks_in_this_order() {
    let mut script = Script::established();
    let auth = Auth { kind: 0, scheme: "digest".into(), auth: Some(Bytes::from(&b"u:p"[..])) };
    script.session.add_auth(script.now, auth.clone());
    script.call(OpCode::Exists, Effect::Arms(Waits::Exist, "/a".into()));
    script.answer(xid::AUTH, 0, 0).expect("in order");
    script.answer(1, 33, NO_NODE).expect("in order");
    script.frames();
    script.lose();
    assert_eq!(script.session.state(), State::Connecting);
    let last = script.call(OpCode::Sync, Effect::Nothing);

    script.session.connected(script.now);
    let hello = ConnectRequest::decode(&script.frames()[0]).expect("a handshake");
    let known = (hello.session, hello.password.as_deref(), hello.last_zxid_seen);
    assert_eq!(known, (SessionId(7), Some(&[3; 16][..]), 33));
    let sent = script.connect(7);
    let watches = SetWatches { relative_zxid: 33, exist: vec!["/a".into()], ..SetWatches::default() };
    let expected = [
        request(xid::AUTH, OpCode::Auth, &jute::encode(&auth)),
        request(xid::SET_WATCHES, OpCode::SetWatches, &jute::encode(&watches)),
        request(1, OpCode::Sync, &[]),
    ];
    assert_eq!(sent, expected);
    assert_eq!(last.try_recv(), Err(mpsc::TryRecvError::Empty));
}

#[test]
fn of_what_was_sent_on_a_connection_that_broke_writes_are_lost_and_reads_are_asked_again() {
    let mut script = Script::established();
    let read = script.call(OpCode::Exists, Effect::Nothing);
    let write = script.call(OpCode::Create, Effect::Nothing);
    script.lose();
    script.call(OpCode::Sync, Effect::Nothing);
    script.frames();
    assert_eq!(write.try_recv(), failed(Error::CONNECTION_LOSS));
    let sent = script.connect(7);
    let expected = [(1, OpCode::Exists.code()), (2, OpCode::Sync.code())];
    assert_eq!(sent.iter().map(|frame| header(frame)).collect::<Vec<_>>(), expected);
    assert_eq!(read.try_recv(), Err(mpsc::TryRecvError::Empty));
}

#[test]
fn without_a_session_nobody_waits_longer_than_one_round() {
    let mut script = Script::new("a:1,b:2");
    let answer = script.call(OpCode::Exists, Effect::Nothing);
    script.session.nobody_there(script.now);
    script.frames();
    assert_eq!(answer.try_recv(), failed(Error::CONNECTION_LOSS));
}

#[test]
fn with_a_session_a_request_waits_as_long_as_an_election_may_take() {
    let mut script = Script::established();
    script.lose();
    let answer = script.call(OpCode::Exists, Effect::Nothing);
    script.session.nobody_there(script.now + PATIENCE / 2);
    script.frames();
    assert_eq!(answer.try_recv(), Err(mpsc::TryRecvError::Empty));
    script.session.nobody_there(script.now + PATIENCE);
    script.frames();
    assert_eq!(answer.try_recv(), failed(Error::CONNECTION_LOSS));
}

#[test]
fn a_session_that_is_gone_ends_everything() {
    let mut script = Script::established();
    script.lose();
    let answer = script.call(OpCode::Exists, Effect::Nothing);
    script.connect(0);
    assert_eq!(script.session.state(), State::Closed);
    assert_eq!(answer.try_recv(), failed(Error::SESSION_EXPIRED));
    let late = script.call(OpCode::Exists, Effect::Nothing);
    assert_eq!(late.try_recv(), failed(Error::SESSION_EXPIRED));
}

#[test]
fn a_refused_identity_ends_the_session() {
    let mut script = Script::established();
    script.session.add_auth(script.now, Auth { kind: 0, scheme: "bogus".into(), auth: None });
    let answer = script.call(OpCode::Exists, Effect::Nothing);
    assert_eq!(script.answer(xid::AUTH, 0, Error::AUTH_FAILED), Err(Broken));
    script.lose();
    script.frames();
    assert_eq!((script.session.state(), answer.try_recv()), (State::AuthFailed, failed(Error::AUTH_FAILED)));
}

#[test]
fn an_idle_session_is_kept_alive_and_a_silent_server_is_left() {
    let mut script = Script::established();
    let begin = script.now;
    assert_eq!(script.session.deadline(), Some(begin + Duration::from_secs(3)));
    script.session.tick(begin + Duration::from_secs(3)).expect("alive");
    let pings: Vec<_> = script.frames().iter().map(|frame| header(frame)).collect();
    assert_eq!(pings, [(xid::PING, OpCode::Ping.code())]);
    assert_eq!(script.session.deadline(), Some(begin + Duration::from_secs(6)));
    assert_eq!(script.session.tick(begin + Duration::from_secs(6)), Err(Broken));
}

#[test]
fn answers_out_of_order_break_the_connection() {
    let mut script = Script::established();
    script.call(OpCode::Exists, Effect::Nothing);
    assert_eq!(script.answer(2, 1, 0), Err(Broken));
    assert_eq!(script.session.received(script.now, b"short"), Err(Broken));
}

#[test]
fn an_event_comes_once_for_each_watch_and_under_the_name_of_the_client() {
    let mut script = Script::new("a:1/base");
    script.connect(7);
    script.call(OpCode::GetData, Effect::Arms(Waits::Data, "/base/a".into()));
    script.answer(1, 1, 0).expect("in order");
    script.frames();
    for expected in [1, 0] {
        let frame = wire::notification(9, EventType::NodeDataChanged, "/base/a");
        script.session.received(script.now, &frame[4..]).expect("an event");
        let events = script.events();
        assert_eq!(events.len(), expected);
        let text = "WatchedEvent state:SyncConnected type:NodeDataChanged path:/a zxid: 9";
        assert!(events.iter().all(|event| event == text), "{events:?}");
    }
}

#[test]
fn watches_go_with_the_answer_or_locally_without_one() {
    for locally in [false, true] {
        let mut script = Script::established();
        script.call(OpCode::GetData, Effect::Arms(Waits::Data, "/a".into()));
        script.answer(1, 1, 0).expect("in order");
        let answer = script.call(OpCode::RemoveWatches, Effect::Removes { which: WatcherType::Any, locally });
        script.lose();
        script.frames();
        assert_eq!(script.session.has_watch(WatcherType::Any, "/a"), !locally);
        assert_eq!(answer.try_recv().is_ok_and(|answer| answer.is_ok()), locally);
    }
}

#[test]
fn a_session_ends_with_the_answer_or_at_once_without_a_connection() {
    let mut script = Script::established();
    let answer = script.call(OpCode::CloseSession, Effect::Nothing);
    assert!(script.session.state().is_alive());
    script.answer(1, 2, 0).expect("in order");
    assert_eq!(script.session.state(), State::Closed);
    script.frames();
    assert_eq!(answer.try_recv(), Ok(Ok(Vec::new())));

    let mut script = Script::new("a:1");
    let answers = [(); 2].map(|()| script.call(OpCode::CloseSession, Effect::Nothing));
    assert_eq!(script.session.state(), State::Closed);
    assert_eq!(answers.map(|answer| answer.try_recv()), [Ok(Ok(Vec::new())), Ok(Ok(Vec::new()))]);
}
