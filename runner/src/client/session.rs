//! A session as a machine without I/O: it is told what happened and when, and says what to do. So it
//! is tested without sockets and without waiting.

use std::collections::VecDeque;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use zabrus_core::Bytes;
use zabrus_core::jute::{self, Decoder};
use zabrus_core::wire::{
    Auth, ConnectRequest, ConnectResponse, ErrorCode, OpCode, PASSWORD_BYTES, ReplyHeader, RequestHeader,
    SessionId, WatcherEvent, xid,
};

use super::address::ConnectString;
use super::call::{Answer, Call, Effect};
use super::error::Error;
use super::event::{Event, Kind, Link};
use super::watches::{Waits, WatcherType, Watches};

/// How long a request waits for a connection while there is a session: longer than an election takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server hears from an idle client at least this often, as from ZooKeeper's (client.md section 17.2).
const LONGEST_SILENCE: Duration = Duration::from_secs(10);

const NO_NODE: i32 = ErrorCode::NoNode.code();

/// How a client is, in ZooKeeper's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It looks for a server.
    Connecting,
    /// A server has its session.
    Connected,
    /// A server without a quorum answers its reads.
    ConnectedReadOnly,
    /// Its session has ended, by its own wish or not.
    Closed,
    /// A server refused an identity of it. Its session has ended.
    AuthFailed,
}

impl State {
    /// Whether there may still be answers.
    pub(crate) fn is_alive(self) -> bool {
        !matches!(self, Self::Closed | Self::AuthFailed)
    }
}

/// What the driver is to do, in this order.
#[derive(Debug)]
pub(super) enum Output {
    /// Send this frame.
    Frame(Vec<u8>),
    /// Tell whoever listens.
    Event(Event),
    /// Give the answer to who waits.
    Answer(Sender<Answer>, Answer),
}

/// The connection cannot go on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken;

impl From<jute::Error> for Broken {
    fn from(_: jute::Error) -> Self {
        Self
    }
}

/// A connection.
#[derive(Debug)]
struct Line {
    greeted: bool,
    last_xid: i32,
    /// What was asked, with its numbers.
    waiting: VecDeque<(i32, Call)>,
    sent: Instant,
    heard: Instant,
}

#[derive(Debug)]
pub(super) struct Session {
    address: ConnectString,
    /// The timeout that is asked for, and the one that a server has granted.
    asked: Duration,
    granted: Option<Duration>,
    read_only: bool,
    state: State,
    id: SessionId,
    password: Bytes,
    last_zxid: i64,
    identities: Vec<Auth>,
    watches: Watches,
    /// Requests that wait for a connection.
    unsent: VecDeque<Call>,
    line: Option<Line>,
    outputs: VecDeque<Output>,
}

impl Session {
    pub(super) fn new(address: ConnectString, timeout: Duration, read_only: bool) -> Self {
        Self {
            address,
            asked: timeout,
            granted: None,
            read_only,
            state: State::Connecting,
            id: SessionId(0),
            password: Bytes::from([0; PASSWORD_BYTES]),
            last_zxid: 0,
            identities: Vec::new(),
            watches: Watches::default(),
            unsent: VecDeque::new(),
            line: None,
            outputs: VecDeque::new(),
        }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// Whether a server has the session, and this is its connection.
    pub(super) fn is_greeted(&self) -> bool {
        self.line.as_ref().is_some_and(|line| line.greeted)
    }

    pub(super) fn address(&self) -> &ConnectString {
        &self.address
    }

    /// How long to try one server.
    pub(super) fn patience(&self) -> Duration {
        let servers = u32::try_from(self.address.servers.len()).unwrap_or(u32::MAX);
        (self.granted.unwrap_or(self.asked) / servers).clamp(Duration::from_millis(100), PATIENCE)
    }

    /// What is to be done. Ask until there is nothing more.
    pub(super) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// A server listens.
    pub(super) fn connected(&mut self, now: Instant) {
        let hello = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.last_zxid,
            timeout: i32::try_from(self.asked.as_millis()).unwrap_or(i32::MAX),
            session: self.id,
            password: Some(self.password.clone()),
            read_only: Some(self.read_only),
        };
        let waiting = VecDeque::new();
        self.line = Some(Line { greeted: false, last_xid: 0, waiting, sent: now, heard: now });
        self.outputs.push_back(Output::Frame(hello.encode()));
    }

    /// A frame came.
    pub(super) fn received(&mut self, now: Instant, frame: &[u8]) -> Result<(), Broken> {
        let Some(line) = &mut self.line else { return Ok(()) };
        line.heard = now;
        if !line.greeted {
            return self.greeted(now, &ConnectResponse::decode(frame)?);
        }
        let mut decoder = Decoder::new(frame);
        let header: ReplyHeader = decoder.read()?;
        if header.xid == xid::NOTIFICATION {
            self.notified(header.zxid, &decoder.read()?);
            return Ok(());
        }
        if header.zxid > 0 {
            self.last_zxid = header.zxid;
        }
        match header.xid {
            xid::PING | xid::SET_WATCHES => Ok(()),
            xid::AUTH if header.err == 0 => Ok(()),
            xid::AUTH => {
                self.end(State::AuthFailed, Link::AuthFailed);
                Err(Broken)
            }
            number => {
                // Answers come in the order of the requests (client.md section 10).
                let (_, call) = line.waiting.pop_front().filter(|(next, _)| number == *next).ok_or(Broken)?;
                self.answered(call, header.err, decoder.remaining());
                Ok(())
            }
        }
    }

    fn greeted(&mut self, now: Instant, response: &ConnectResponse) -> Result<(), Broken> {
        if response.timeout <= 0 {
            self.end(State::Closed, Link::Expired);
            return Err(Broken);
        }
        self.id = response.session;
        self.password = Bytes::from(response.password);
        self.granted = Some(Duration::from_millis(u64::from(response.timeout.unsigned_abs())));
        let link;
        (self.state, link) = match response.read_only {
            Some(true) => (State::ConnectedReadOnly, Link::ConnectedReadOnly),
            _ => (State::Connected, Link::SyncConnected),
        };
        self.outputs.push_back(Output::Event(Event::of_link(link)));
        if let Some(line) = &mut self.line {
            line.greeted = true;
        }
        // In the order of client.md section 3.5: who one is, what one watches, what one wants.
        for auth in self.identities.clone() {
            self.send(now, request(xid::AUTH, OpCode::Auth, &jute::encode(&auth)));
        }
        for (op, body) in self.watches.rearm(self.last_zxid) {
            self.send(now, request(xid::SET_WATCHES, op, &body));
        }
        for call in std::mem::take(&mut self.unsent) {
            self.call(now, call);
        }
        Ok(())
    }

    /// The connection is no more. Nobody knows what became of the writes that were sent. Reads are asked
    /// again.
    pub(super) fn lost(&mut self) {
        let Some(line) = self.line.take() else { return };
        if line.greeted && self.state.is_alive() {
            self.state = State::Connecting;
            self.outputs.push_back(Output::Event(Event::of_link(Link::Disconnected)));
        }
        let mut again = VecDeque::new();
        for (_, call) in line.waiting {
            if call.op == OpCode::CloseSession {
                self.end(State::Closed, Link::Closed);
            }
            if call.op.is_write() || !self.state.is_alive() || call.is_local() {
                self.fail(call);
            } else {
                again.push_back(call);
            }
        }
        again.append(&mut self.unsent);
        self.unsent = again;
    }

    /// Every server was tried in vain: what waits for its first connection, or for too long, fails.
    pub(super) fn nobody_there(&mut self, now: Instant) {
        let has_session = self.id != SessionId(0);
        let is_patient = |call: &Call| has_session && now.duration_since(call.since) < PATIENCE;
        let late;
        (self.unsent, late) = std::mem::take(&mut self.unsent).into_iter().partition(is_patient);
        late.into_iter().for_each(|call| self.fail(call));
    }

    /// Asks something, now or as soon as there is a connection.
    pub(super) fn call(&mut self, now: Instant, call: Call) {
        if !self.state.is_alive() {
            // The driver may have gone, so nobody else would do it.
            let answer = self.no_answer(&call);
            call.answer_now(answer);
        } else if let Some(line) = self.line.as_mut().filter(|line| line.greeted) {
            line.last_xid = line.last_xid.checked_add(1).unwrap_or(1);
            let frame = request(line.last_xid, call.op, &call.body);
            line.waiting.push_back((line.last_xid, call));
            self.send(now, frame);
        } else if call.op == OpCode::CloseSession {
            // Without a connection there is nobody to say goodbye to.
            self.end(State::Closed, Link::Closed);
            call.answer_now(Ok(Vec::new()));
        } else {
            self.unsent.push_back(call);
        }
    }

    /// Proves an identity on this connection and all later ones.
    pub(super) fn add_auth(&mut self, now: Instant, auth: Auth) {
        if self.is_greeted() {
            self.send(now, request(xid::AUTH, OpCode::Auth, &jute::encode(&auth)));
        }
        self.identities.push(auth);
    }

    /// Whether there is such a watch at this path, as the caller names it.
    pub(super) fn has_watch(&mut self, which: WatcherType, path: &str) -> bool {
        let path = self.address.to_server(path);
        self.watches.has(which, &path)
    }

    /// When [`Session::tick`] is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let line = self.line.as_ref()?;
        let death = line.heard + self.longest_wait(line);
        Some(if line.greeted { death.min(self.next_ping(line)) } else { death })
    }

    fn next_ping(&self, line: &Line) -> Instant {
        line.sent + (self.granted.unwrap_or(self.asked) / 3).min(LONGEST_SILENCE)
    }

    /// How long a server may say nothing.
    fn longest_wait(&self, line: &Line) -> Duration {
        if line.greeted { self.granted.unwrap_or(self.asked) * 2 / 3 } else { self.patience() }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Instant) -> Result<(), Broken> {
        let Some(line) = &self.line else { return Ok(()) };
        if now >= line.heard + self.longest_wait(line) {
            return Err(Broken);
        }
        if line.greeted && now >= self.next_ping(line) {
            self.send(now, request(xid::PING, OpCode::Ping, &[]));
        }
        Ok(())
    }

    fn send(&mut self, now: Instant, frame: Vec<u8>) {
        if let Some(line) = &mut self.line {
            line.sent = now;
        }
        self.outputs.push_back(Output::Frame(frame));
    }

    fn notified(&mut self, zxid: i64, event: &WatcherEvent<'_>) {
        let Some(kind) = Kind::from_wire(event.event) else { return };
        if self.watches.fired(kind, &event.path) {
            let path = Some(self.address.to_client(&event.path));
            self.outputs.push_back(Output::Event(Event { link: self.link(), kind, path, zxid }));
        }
    }

    fn link(&self) -> Link {
        match self.state {
            State::Connected => Link::SyncConnected,
            State::ConnectedReadOnly => Link::ConnectedReadOnly,
            _ => Link::Disconnected,
        }
    }

    fn answered(&mut self, call: Call, err: i32, body: &[u8]) {
        if call.op == OpCode::CloseSession {
            self.end(State::Closed, Link::Closed);
        }
        if let Effect::Arms(waits, path) = &call.effect {
            // An exist watch waits for what is not there yet.
            let waits = match (*waits, err) {
                (Waits::Exist, 0) => Some(Waits::Data),
                (Waits::Exist, NO_NODE) => Some(Waits::Exist),
                (waits, err) => Some(waits).filter(|_| err == 0),
            };
            if let Some(waits) = waits {
                self.watches.arm(waits, path.clone());
            }
        }
        if err == 0 {
            self.remove_watches(&call);
        }
        let result =
            if err == 0 { Ok(body.to_vec()) } else { Err(Error::Keeper { code: err, path: call.path }) };
        self.outputs.push_back(Output::Answer(call.answer, result));
    }

    fn remove_watches(&mut self, call: &Call) {
        let (Effect::Removes { which, .. }, Some(path)) = (&call.effect, &call.path) else { return };
        for kind in self.watches.remove(*which, &self.address.to_server(path)) {
            let event = Event { link: self.link(), kind, path: Some(path.clone()), zxid: -1 };
            self.outputs.push_back(Output::Event(event));
        }
    }

    /// Answers that there will be no answer.
    fn fail(&mut self, call: Call) {
        let mut answer = self.no_answer(&call);
        if call.is_local() {
            self.remove_watches(&call);
            answer = Ok(Vec::new());
        }
        self.outputs.push_back(Output::Answer(call.answer, answer));
    }

    fn no_answer(&self, call: &Call) -> Answer {
        let code = match self.state {
            _ if call.op == OpCode::CloseSession => return Ok(Vec::new()),
            State::AuthFailed => Error::AUTH_FAILED,
            State::Closed => Error::SESSION_EXPIRED,
            _ => Error::CONNECTION_LOSS,
        };
        Err(Error::Keeper { code, path: call.path.clone() })
    }

    /// The driver ends, and with it the session.
    pub(super) fn stop(&mut self) {
        self.lost();
        self.end(State::Closed, Link::Closed);
    }

    fn end(&mut self, state: State, link: Link) {
        if !self.state.is_alive() {
            return;
        }
        self.state = state;
        self.outputs.push_back(Output::Event(Event::of_link(link)));
        for call in std::mem::take(&mut self.unsent) {
            self.fail(call);
        }
    }
}

fn request(number: i32, op: OpCode, body: &[u8]) -> Vec<u8> {
    let mut frame = jute::encode(&RequestHeader { xid: number, op: op.code() });
    frame.extend_from_slice(body);
    frame
}

#[cfg(test)]
mod tests;
