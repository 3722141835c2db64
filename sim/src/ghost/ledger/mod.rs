//! What clients asked and were told, against the committed history (invariants.md sections 6 to 8). It sees
//! frames as clients do, and transactions as they are committed; of servers it knows nothing.

mod commits;
mod replies;
mod shape;
mod watches;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use zabrus_core::io::ClientId;
use zabrus_core::wire::{Auth, ConnectRequest, Id, OpCode, PASSWORD_BYTES, RequestHeader, SessionId, xid};
use zabrus_core::{Bytes, Duration, Instant, ServerId, Zxid, jute};

use crate::clients::digest_id;
use shape::is_whole;
use watches::Watches;

/// Everything about clients.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Also those that are gone: what was asked on them may still be committed.
    connections: BTreeMap<ClientId, Connection>,
    sessions: BTreeMap<SessionId, SessionFacts>,
    /// The newest zxid that any client was shown.
    acknowledged: Zxid,
}

/// One connection of a client.
#[derive(Clone, Debug)]
struct Connection {
    server: ServerId,
    opened: Instant,
    hello: ConnectRequest,
    identities: Arc<[Id]>,
    /// What it asked for, or what was created for it.
    session: SessionId,
    greeted: bool,
    /// With a session.
    attached: bool,
    /// The client still waits for what comes on it.
    listens: bool,
    /// When an end of it closed it.
    closed: Option<Instant>,
    /// Requests without an answer, in order.
    waiting: VecDeque<Asked>,
    /// Pings and proofs of identity, which are answered by themselves.
    pings: VecDeque<Instant>,
    proofs: VecDeque<(Instant, bool)>,
    /// Writes without a transaction, in order.
    writes: VecDeque<Asked>,
    /// The highest number of a write that has a transaction.
    executed: i32,
    /// Writes with a transaction and without an answer.
    answers: VecDeque<Answer>,
    seen: Zxid,
    watches: Watches,
}

/// A request.
#[derive(Clone, Debug)]
struct Asked {
    xid: i32,
    op: i32,
    body: Bytes,
    identities: Arc<[Id]>,
    /// The newest zxid that any client had seen when it was asked.
    acknowledged: Zxid,
    at: Instant,
}

/// What a write must be answered.
#[derive(Clone, Debug)]
struct Answer {
    xid: i32,
    zxid: Zxid,
    code: i32,
    body: Bytes,
}

/// What is remembered of a session.
#[derive(Clone, Debug, Default)]
struct SessionFacts {
    password: Option<[u8; PASSWORD_BYTES]>,
    /// The connection that wrote last, and those that did before.
    owner: Option<ClientId>,
    superseded: BTreeSet<ClientId>,
    /// The newest connection that asked for it, and those before whose question may still be on its way
    /// to the leader: they had no answer when the newest one asked.
    rivals: Vec<ClientId>,
    /// The last word of any of its clients that reached a server.
    touched: Instant,
    /// Since when such words have come at least twice in each timeout.
    steady: Instant,
    /// Its timeout in milliseconds.
    timeout: i32,
    /// When its client was first told that it is gone.
    gone: Option<Instant>,
}

impl Asked {
    fn op(&self) -> Option<OpCode> {
        OpCode::from_code(self.op)
    }
}

impl Ledger {
    /// A client opened a connection and said hello.
    pub fn opened(
        &mut self,
        now: Instant,
        server: ServerId,
        id: ClientId,
        address: IpAddr,
        hello: &ConnectRequest,
    ) {
        let identities: Arc<[Id]> = [Id { scheme: "ip".into(), id: address.to_string() }].into();
        let mut writes = VecDeque::new();
        if hello.session == SessionId(0) {
            let body = jute::encode(&hello.timeout).into();
            let (op, acknowledged) = (OpCode::CreateSession.code(), self.acknowledged);
            let identities = identities.clone();
            writes.push_back(Asked { xid: 0, op, body, identities, acknowledged, at: now });
        } else {
            let rivals = &mut self.sessions.entry(hello.session).or_default().rivals;
            rivals.retain(|rival| self.connections.get(rival).is_some_and(|older| !older.greeted));
            rivals.push(id);
        }
        let connection = Connection {
            server,
            opened: now,
            hello: hello.clone(),
            identities,
            session: hello.session,
            greeted: false,
            attached: false,
            listens: true,
            closed: None,
            waiting: VecDeque::new(),
            pings: VecDeque::new(),
            proofs: VecDeque::new(),
            writes,
            executed: -1,
            answers: VecDeque::new(),
            seen: Zxid(hello.last_zxid_seen.cast_unsigned()),
            watches: Watches::default(),
        };
        self.connections.insert(id, connection);
    }

    /// A client sent a request.
    pub fn sent(&mut self, now: Instant, id: ClientId, header: RequestHeader, body: &Bytes) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if header.xid == xid::PING {
            connection.pings.push_back(now);
            return;
        }
        if header.op == OpCode::Auth.code() {
            let proof = proof(body);
            connection.proofs.push_back((now, proof.is_some()));
            if let Some(id) = proof.filter(|id| !connection.identities.contains(id)) {
                connection.identities = connection.identities.iter().cloned().chain([id]).collect();
            }
            return;
        }
        let asked = Asked {
            xid: header.xid,
            op: header.op,
            body: body.clone(),
            identities: connection.identities.clone(),
            acknowledged: self.acknowledged,
            at: now,
        };
        let is_passed_on =
            |op: OpCode| op.is_write() && op != OpCode::DeleteContainer && is_whole(op, &asked.body);
        if asked.op().is_some_and(is_passed_on) {
            connection.writes.push_back(asked.clone());
        }
        connection.waiting.push_back(asked);
    }

    /// A connection is gone, or nobody listens to it any more: nothing on it will be answered.
    pub fn left(&mut self, id: ClientId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.listens = false;
        connection.waiting.clear();
        connection.pings.clear();
        connection.proofs.clear();
        connection.answers.clear();
        connection.watches = Watches::default();
    }

    /// A connection was closed by one of its ends.
    pub fn closed(&mut self, now: Instant, id: ClientId) {
        self.left(id);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.closed.get_or_insert(now);
        }
    }

    /// When a connection was closed, if it was.
    #[must_use]
    pub fn closed_at(&self, id: ClientId) -> Option<Instant> {
        self.connections.get(&id)?.closed
    }

    /// Since when servers have heard of a session often enough to keep it, up to now.
    #[must_use]
    pub fn steady_since(&self, session: SessionId, now: Instant) -> Option<Instant> {
        let facts = self.sessions.get(&session)?;
        let half = Duration::from_millis(u64::from(facts.timeout.unsigned_abs()) / 2);
        (now.since(facts.touched) <= half).then_some(facts.steady)
    }

    /// A server takes a word of a client.
    pub fn touched(&mut self, now: Instant, id: ClientId) {
        if let Some(connection) = self.connections.get(&id).filter(|connection| connection.attached)
            && let Some(facts) = self.sessions.get_mut(&connection.session)
        {
            let half = Duration::from_millis(u64::from(facts.timeout.unsigned_abs()) / 2);
            if now.since(facts.touched) > half {
                facts.steady = now;
            }
            facts.touched = now;
        }
    }

    /// The session that a connection has for sure: its client was told.
    #[must_use]
    pub fn session_of(&self, id: ClientId) -> Option<SessionId> {
        let connection = self.connections.get(&id).filter(|connection| connection.attached)?;
        Some(connection.session)
    }

    /// Whether its client was told that it is gone.
    #[must_use]
    pub fn is_told_gone(&self, session: SessionId) -> bool {
        self.sessions.get(&session).is_some_and(|facts| facts.gone.is_some())
    }

    /// When somebody who used this session was last heard.
    #[must_use]
    pub fn last_touched(&self, session: SessionId) -> Instant {
        self.sessions.get(&session).map_or(Instant(0), |facts| facts.touched)
    }

    /// What waits longest for its answer: its server, its connection, its number, and since when.
    #[must_use]
    pub fn longest_waiting(&self) -> Option<(ServerId, ClientId, i32, Instant)> {
        let listening = self.connections.iter().filter(|(_, connection)| connection.listens);
        let waiting = listening.flat_map(|(id, connection)| {
            let hello = (!connection.greeted).then_some((0, connection.opened));
            let request = connection.waiting.front().map(|asked| (asked.xid, asked.at));
            let ping = connection.pings.front().map(|at| (xid::PING, *at));
            let proof = connection.proofs.front().map(|(at, _)| (xid::AUTH, *at));
            // What is pipelined behind a handshake waits for that.
            let all = if connection.greeted { [request, ping, proof] } else { [hello, None, None] };
            all.into_iter().flatten().map(|(xid, at)| (connection.server, *id, xid, at))
        });
        waiting.min_by_key(|(.., at)| *at)
    }

    /// Whether a client of this server waits for such an answer; handshakes count as createSession.
    #[must_use]
    pub fn waits_for(&self, op: OpCode) -> bool {
        self.connections.values().filter(|connection| connection.listens).any(|connection| match op {
            OpCode::CreateSession => !connection.greeted,
            op => connection.waiting.iter().any(|asked| asked.op == op.code()),
        })
    }
}

/// The identity that a packet proves.
fn proof(body: &[u8]) -> Option<Id> {
    let auth: Auth = jute::decode(body).ok()?;
    let user = str::from_utf8(auth.auth.as_deref()?).ok()?;
    (auth.scheme == "digest").then_some(Id { scheme: auth.scheme, id: digest_id(user)?.to_owned() })
}
