//! The clients of one server: handshake, requests in order, answers, watch events (client.md
//! sections 3, 4, 9 and 10).
//!
//! What only the leader can decide leaves as an [`Ask`]; everything else is answered here from the
//! local state. Per connection, answers come in the order of the requests: a request waits until
//! all earlier ones of its connection are answered.

mod connection;
mod local;
mod rounds;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::auth;
use crate::config::ServiceSettings;
use crate::identity::{Bytes, ServerId, Zxid};
use crate::io::{ClientId, Output};
use crate::jute;
use crate::mutated;
use crate::prepare::WriteRequest;
use crate::reads::{self, ReadContext};
use crate::state::{Outcome, State, Trigger};
use crate::watches::Watches;
use crate::wire::{
    Auth, Change, ConnectRequest, ConnectResponse, ErrorCode, OpCode, Origin, Permissions, RequestHeader,
    SessionId, Transaction, is_well_formed, notification, password, reply, reply_error, reply_with, xid,
};
use connection::{Connection, Stage, Waiting, What};
pub use local::LocalSessions;
use rounds::Rounds;

/// So many SASL tokens of a connection are answered with none; the last one is refused.
const SASL_TOKENS: u8 = 8;

/// What this server has applied: all that its answers are made of.
#[derive(Clone, Copy)]
pub struct Applied<'a> {
    /// The state.
    pub state: &'a State,
    /// The transaction that made it so.
    pub zxid: Zxid,
}

/// Something that only the leader decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Order a write.
    Write(WriteRequest),
    /// Confirm that this server will be up to date; the answer names the number.
    Sync(u64),
    /// A client came back with its session: does it live?
    Attach {
        /// The connection.
        client: ClientId,
        /// Its session.
        session: SessionId,
        /// The negotiated timeout in milliseconds.
        timeout: i32,
    },
}

/// All clients of one server.
#[derive(Debug)]
pub struct Clients {
    settings: ServiceSettings,
    server: ServerId,
    boot: u64,
    connections: BTreeMap<ClientId, Connection>,
    /// Which connection holds a session here.
    attached: BTreeMap<SessionId, ClientId>,
    watches: Watches,
    asks: VecDeque<Ask>,
    /// Connections whose first request may have become answerable.
    ready: VecDeque<ClientId>,
    /// How many requests wait.
    outstanding: usize,
    /// Connections that are not read from until less is under way.
    throttled: Vec<ClientId>,
    /// The number of the last write.
    numbers: u64,
    rounds: Rounds,
    /// Sessions that were heard of since this was last asked.
    touched: Vec<SessionId>,
    local: LocalSessions,
    /// There is no leader to ask, and only clients that can live with that are served.
    read_only: bool,
}

impl Clients {
    /// Nobody yet. `boot` tells this life of the server from its others.
    #[must_use]
    pub fn new(settings: ServiceSettings, server: ServerId, boot: u64) -> Self {
        Self {
            settings,
            server,
            boot,
            connections: BTreeMap::new(),
            attached: BTreeMap::new(),
            watches: Watches::default(),
            asks: VecDeque::new(),
            ready: VecDeque::new(),
            outstanding: 0,
            throttled: Vec::new(),
            numbers: 0,
            rounds: Rounds::default(),
            touched: Vec::new(),
            local: LocalSessions::new(server, boot),
            read_only: false,
        }
    }

    /// How many requests wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.outstanding
    }

    /// How many connections there are.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// The watches.
    #[must_use]
    pub fn watches(&self) -> &Watches {
        &self.watches
    }

    /// The next question to the leader.
    pub fn next_ask(&mut self) -> Option<Ask> {
        self.asks.pop_front()
    }

    /// Whether there is one.
    #[must_use]
    pub fn has_asks(&self) -> bool {
        !self.asks.is_empty()
    }

    /// The sessions of which something was heard since the last time.
    pub fn take_touched(&mut self) -> Vec<SessionId> {
        let touched = core::mem::take(&mut self.touched);
        for session in &touched {
            if let Some(connection) = self.attached.get(session).and_then(|id| self.connections.get_mut(id)) {
                connection.touched = false;
            }
        }
        touched
    }

    /// A connection is up.
    pub fn connected(&mut self, client: ClientId, address: IpAddr) {
        self.connections.insert(client, Connection::new(address));
    }

    /// A connection is gone; nobody waits for its answers, and its watches go with it.
    pub fn gone(&mut self, client: ClientId) {
        if let Some(connection) = self.connections.remove(&client) {
            self.outstanding -= connection.waiting.len();
            if let Some(session) = connection.session()
                && self.attached.get(&session) == Some(&client)
            {
                self.attached.remove(&session);
            }
        }
        if !mutated!(M115) {
            self.watches.remove_client(client);
        }
    }

    /// Closes a connection.
    pub fn close(&mut self, client: ClientId, outputs: &mut VecDeque<Output>) {
        if self.connections.contains_key(&client) {
            self.gone(client);
            outputs.push_back(Output::ClientClose { client });
        }
    }

    /// Sends everybody away: this server no longer serves. Whoever waits for an answer does not
    /// know what became of the request (zab.md section 10). A local session goes on, if its client comes back
    /// in time.
    pub fn close_all(&mut self, outputs: &mut VecDeque<Output>) {
        let all: Vec<ClientId> = self.connections.keys().copied().collect();
        for client in all {
            self.close(client, outputs);
        }
        self.asks.clear();
        self.ready.clear();
        self.throttled.clear();
        self.rounds.clear();
        self.touched.clear();
        self.read_only = false;
    }

    fn ask_to_write(
        &mut self,
        client: ClientId,
        session: SessionId,
        cxid: i32,
        op: OpCode,
        body: Bytes,
    ) -> u64 {
        self.numbers += 1;
        let number = self.numbers;
        let identities =
            self.connections.get(&client).map_or_else(Vec::new, |connection| connection.identities.clone());
        let origin = Origin { server: self.server, boot: self.boot, client: client.0, number };
        self.asks.push_back(Ask::Write(WriteRequest {
            origin,
            session,
            local: self.local.contains(session),
            cxid,
            op: op.code(),
            body,
            identities,
        }));
        number
    }

    fn ask_to_sync(&mut self, client: ClientId) -> u64 {
        let (number, begins) = self.rounds.join(client);
        if begins {
            self.asks.push_back(Ask::Sync(number));
        }
        number
    }

    // What clients send.

    /// A frame of a client, while this server serves.
    pub fn frame(
        &mut self,
        client: ClientId,
        frame: &Bytes,
        applied: Applied<'_>,
        outputs: &mut VecDeque<Output>,
    ) {
        let Some(connection) = self.connections.get_mut(&client) else { return };
        match connection.stage {
            Stage::Fresh => self.handshake(client, frame, applied, outputs),
            Stage::Connecting { .. } => connection.backlog.push_back(frame.clone()),
            Stage::Attached(session) => self.request(client, session, frame, applied, outputs),
        }
    }

    /// The first frame (client.md section 3.3).
    fn handshake(
        &mut self,
        client: ClientId,
        frame: &[u8],
        applied: Applied<'_>,
        outputs: &mut VecDeque<Output>,
    ) {
        let Ok(request) = ConnectRequest::decode(frame) else { return self.close(client, outputs) };
        let ahead = request.last_zxid_seen > applied.zxid.0.cast_signed();
        let asks_too_much = self.read_only && request.read_only != Some(true);
        if asks_too_much || ahead && !mutated!(M126) {
            return self.close(client, outputs);
        }
        let timeout = request
            .timeout
            .clamp(self.settings.min_session_timeout, self.settings.max_session_timeout.max(1));
        let session = request.session;
        let genuine = request.password.as_deref() == Some(&password(session)[..]);
        if session != SessionId(0) && !genuine {
            return self.turn_away(client, request.read_only, outputs);
        }
        if let Some(connection) = self.connections.get_mut(&client) {
            connection.stage = Stage::Connecting { number: 0, timeout, read_only: request.read_only };
        }
        let is_new = session == SessionId(0);
        if is_new && self.settings.local_sessions {
            let session = self.local.create(timeout, |id| applied.state.session_timeout(id).is_some());
            return self.welcome(client, session, outputs);
        }
        if self.local.contains(session) {
            self.local.attach(session, timeout);
            return self.welcome(client, session, outputs);
        }
        if self.read_only {
            // Nobody else would know a session that began here: in place of the answer comes the header of a
            // reply (client.md section 3.3). And whether an old one is gone is not known (invariants.md N7).
            if is_new {
                let bytes = reply_error(0, applied.zxid.0.cast_signed(), ErrorCode::NotReadOnly).into();
                outputs.push_back(Output::ClientFrame { client, bytes });
            }
            return self.close(client, outputs);
        }
        if let Some(connection) = self.connections.get_mut(&client) {
            connection.pause(client, outputs);
        }
        if is_new {
            return self.ask_for_session(client, timeout);
        }
        if let Some(older) = self.attached.get(&session).copied() {
            self.close(older, outputs);
        }
        self.asks.push_back(Ask::Attach { client, session, timeout });
    }

    fn ask_for_session(&mut self, client: ClientId, timeout: i32) {
        let body = Bytes::from(jute::encode(&timeout));
        let created = self.ask_to_write(client, SessionId(0), 0, OpCode::CreateSession, body);
        if let Some(Connection { stage: Stage::Connecting { number, .. }, .. }) =
            self.connections.get_mut(&client)
        {
            *number = created;
        }
    }

    /// The session is gone, and so is the connection.
    fn turn_away(&mut self, client: ClientId, read_only: Option<bool>, outputs: &mut VecDeque<Output>) {
        let read_only = read_only.map(|_| self.read_only);
        let bytes = ConnectResponse::gone(read_only).frame().into();
        outputs.push_back(Output::ClientFrame { client, bytes });
        self.close(client, outputs);
    }

    /// The connection has its session.
    fn welcome(&mut self, client: ClientId, session: SessionId, outputs: &mut VecDeque<Output>) {
        let Some(connection) = self.connections.get_mut(&client) else { return };
        let Stage::Connecting { timeout, read_only, .. } = connection.stage else { return };
        connection.stage = Stage::Attached(session);
        let read_only = read_only.map(|_| self.read_only);
        let response = ConnectResponse { timeout, session, password: password(session), read_only };
        let bytes = response.frame().into();
        outputs.push_back(Output::ClientFrame { client, bytes });
        connection.resume(client, outputs);
        self.ready.push_back(client);
        if let Some(older) = self.attached.insert(session, client).filter(|older| *older != client) {
            self.close(older, outputs);
        }
    }

    /// The leader's answer to [`Ask::Attach`].
    pub fn attached(
        &mut self,
        client: ClientId,
        session: SessionId,
        lives: bool,
        outputs: &mut VecDeque<Output>,
    ) {
        let Some(connection) = self.connections.get(&client) else { return };
        let Stage::Connecting { read_only, timeout, .. } = connection.stage else { return };
        if lives {
            self.welcome(client, session, outputs);
        } else if mutated!(M108) {
            self.ask_for_session(client, timeout);
        } else {
            self.turn_away(client, read_only, outputs);
        }
    }

    fn request(
        &mut self,
        client: ClientId,
        session: SessionId,
        frame: &Bytes,
        applied: Applied<'_>,
        outputs: &mut VecDeque<Output>,
    ) {
        let mut decoder = jute::Decoder::new(frame);
        let Ok(RequestHeader { xid, op: code }) = decoder.read::<RequestHeader>() else {
            return self.close(client, outputs);
        };
        let body = decoder.remaining();
        let Some(connection) = self.connections.get_mut(&client) else { return };
        let op = OpCode::from_code(code);
        let is_read = op.is_some_and(|op| !op.is_write() && op != OpCode::Ping);
        let unheard = is_read && mutated!(M106);
        if !unheard && self.local.touch(session) {
            // Nobody else wants to know.
        } else if !connection.touched && !unheard {
            connection.touched = true;
            self.touched.push(session);
        }
        let proves = matches!(op, Some(OpCode::Auth | OpCode::Sasl));
        if !proves && !auth::is_admitted(&self.settings, &connection.identities) {
            let bytes = reply_error(xid, 0, ErrorCode::SessionClosedRequireSaslAuth).into();
            outputs.push_back(Output::ClientFrame { client, bytes });
            return self.close(client, outputs);
        }
        let is_idle = connection.waiting.is_empty() && connection.backlog.is_empty();
        let what = match op {
            Some(OpCode::Auth) => return self.authenticate(client, xid, body, outputs),
            Some(OpCode::Sasl) => return self.refuse_sasl(client, xid, body, outputs),
            // What exists only within a multi, or only for the server itself.
            None | Some(OpCode::CreateSession) => What::Unknown,
            Some(op) if self.read_only && needs_leader(op) => {
                What::Done { op, result: Err(ErrorCode::NotReadOnly) }
            }
            Some(OpCode::Check) if !mutated!(M95) => What::Unknown,
            // Whatever it was, nobody else needs to know.
            Some(op) if !is_well_formed(op, body) => {
                What::Done { op, result: Err(ErrorCode::MarshallingError) }
            }
            Some(OpCode::DeleteContainer) => What::Unknown,
            Some(OpCode::CloseSession) if self.ends_here(session) => {
                What::Done { op: OpCode::CloseSession, result: Ok(Vec::new()) }
            }
            Some(op) if op.is_write() || op == OpCode::Check => {
                self.upgrade_before(client, session, op, body);
                What::Write { op, number: self.ask_to_write(client, session, xid, op, body.into()) }
            }
            Some(OpCode::Sync) => What::Sync { number: self.ask_to_sync(client), frame: frame.clone() },
            Some(op) => {
                if self.settings.linearizable_reads && op != OpCode::Ping {
                    What::Barrier { op, number: self.ask_to_sync(client), frame: frame.clone() }
                } else if is_idle || mutated!(M119) {
                    return self.answer_read(client, xid, op, body, applied, outputs);
                } else {
                    What::Read { op, frame: frame.clone() }
                }
            }
        };
        if let Some(connection) = self.connections.get_mut(&client) {
            connection.waiting.push_back(Waiting { xid, what });
            self.outstanding += 1;
            if self.outstanding > self.settings.outstanding_limit && !connection.paused {
                connection.pause(client, outputs);
                self.throttled.push(client);
            }
            self.ready.push_back(client);
        }
    }

    fn authenticate(&mut self, client: ClientId, xid: i32, body: &[u8], outputs: &mut VecDeque<Output>) {
        let Some(connection) = self.connections.get_mut(&client) else { return };
        let Ok(request) = jute::decode::<Auth>(body) else { return self.close(client, outputs) };
        let proved = auth::authenticate(&self.settings, &connection.address, &request);
        match proved.and_then(|proved| auth::add_identities(&mut connection.identities, proved)) {
            Ok(()) => {
                let bytes = reply(xid, 0, &()).into();
                outputs.push_back(Output::ClientFrame { client, bytes });
            }
            Err(error) => {
                let bytes = reply_error(xid, 0, error).into();
                outputs.push_back(Output::ClientFrame { client, bytes });
                self.close(client, outputs);
            }
        }
    }

    /// SASL is not configured: the answer to any token is none (client.md section 5). As that ends no exchange,
    /// kazoo would send tokens without end.
    fn refuse_sasl(&mut self, client: ClientId, xid: i32, body: &[u8], outputs: &mut VecDeque<Output>) {
        let is_null = body.starts_with(&[0xff; 4]);
        if is_null || !is_well_formed(OpCode::Sasl, body) {
            return self.close(client, outputs);
        }
        let Some(connection) = self.connections.get_mut(&client) else { return };
        connection.sasl_tokens += 1;
        let gives_up = connection.sasl_tokens == SASL_TOKENS;
        let bytes =
            if gives_up { reply_error(xid, 0, ErrorCode::AuthFailed) } else { reply(xid, 0, &None::<()>) };
        outputs.push_back(Output::ClientFrame { client, bytes: bytes.into() });
        if gives_up {
            self.close(client, outputs);
        }
    }

    // What becomes known.

    /// A transaction is about to be applied. What its client asked before it is answered first: no
    /// answer shows the effect of what was asked after it (invariants.md L4). All that was acknowledged to
    /// anybody when these requests came is older than the transaction, so that a `sync` among them needs
    /// no other confirmation.
    pub fn precede(
        &mut self,
        transaction: &Transaction,
        applied: Applied<'_>,
        outputs: &mut VecDeque<Output>,
    ) {
        let Origin { server, boot, client, number } = transaction.origin;
        let client = ClientId(client);
        let connection = self.connections.get_mut(&client);
        if server == self.server
            && boot == self.boot
            && connection.is_some_and(|connection| connection.precede(number, applied.zxid))
        {
            self.answer_one(client, applied, outputs);
        }
    }

    /// A transaction was applied. Its watch events have been sent already.
    pub fn committed(
        &mut self,
        transaction: &Transaction,
        outcome: &Outcome,
        outputs: &mut VecDeque<Output>,
    ) {
        let Origin { server, boot, client, number } = transaction.origin;
        let own = server == self.server && boot == self.boot && number != 0;
        let mut client = ClientId(client);
        if let Change::CloseSession { .. } = transaction.change {
            let here = self.attached.get(&transaction.session).copied();
            if let Some(expired) = here.filter(|here| !own || *here != client) {
                self.close(expired, outputs);
            }
        }
        if !own {
            return;
        }
        if let Some(newer) = self.attached.get(&transaction.session).filter(|newer| **newer != client)
            && mutated!(M118)
        {
            client = *newer;
        }
        let Some(connection) = self.connections.get_mut(&client) else { return };
        if let Stage::Connecting { number: created, .. } = connection.stage {
            if created == number {
                self.welcome(client, transaction.session, outputs);
            }
            return;
        }
        for waiting in &mut connection.waiting {
            if let What::Write { op, number: asked } = waiting.what
                && (asked == number || (waiting.xid == transaction.cxid && mutated!(M118)))
            {
                waiting.what = What::Done { op, result: connection::result(op, outcome) };
                if !mutated!(M120) {
                    self.ready.push_back(client);
                }
                return;
            }
        }
    }

    /// The leader confirmed the question `number`: the answer may be given once the state reaches `zxid`.
    pub fn synced(&mut self, number: u64, zxid: Zxid) {
        let (confirmed, next) = self.rounds.confirmed(number);
        for client in confirmed {
            if let Some(connection) = self.connections.get_mut(&client) {
                connection.confirm(number, zxid);
                self.ready.push_back(client);
            }
        }
        self.asks.extend(next.map(Ask::Sync));
    }

    /// Tells everybody who watches. The event is filtered by the access control list of its node
    /// (client.md section 9.4).
    pub fn notify(&mut self, trigger: &Trigger<'_>, outputs: &mut VecDeque<Output>) {
        let Self { connections, watches, settings, .. } = self;
        let mut event: Option<Bytes> = None;
        watches.trigger(trigger.event, trigger.path, &mut |client| {
            let Some(connection) = connections.get(&client) else { return };
            let may_read =
                settings.skip_acl || auth::permits(trigger.acl, Permissions::READ, &connection.identities);
            if may_read {
                let bytes = event.get_or_insert_with(|| {
                    notification(trigger.zxid.0.cast_signed(), trigger.event, trigger.path).into()
                });
                outputs.push_back(Output::ClientFrame { client, bytes: bytes.clone() });
            }
        });
    }

    // Answers.

    /// Answers everything that can be answered with this state. Per connection, in order.
    pub fn answer(&mut self, applied: Applied<'_>, outputs: &mut VecDeque<Output>) {
        for _ in 0..self.ready.len() {
            let Some(client) = self.ready.pop_front() else { break };
            self.answer_one(client, applied, outputs);
        }
    }

    fn answer_one(&mut self, client: ClientId, applied: Applied<'_>, outputs: &mut VecDeque<Output>) {
        // What came behind the handshake.
        while let Some(connection) = self.connections.get_mut(&client)
            && let Stage::Attached(session) = connection.stage
            && let Some(frame) = connection.backlog.pop_front()
        {
            self.request(client, session, &frame, applied, outputs);
        }
        // R16: what is applied is always a transaction, never the start of an epoch.
        let zxid = applied.zxid.0.cast_signed();
        while let Some(connection) = self.connections.get_mut(&client)
            && let Some(first) = connection.waiting.front_mut()
        {
            let until = match &first.what {
                What::Write { .. } | What::Sync { .. } | What::Barrier { .. } => break,
                What::SyncUntil { zxid, .. } | What::BarrierUntil { zxid, .. } => *zxid,
                What::Read { .. } | What::Done { .. } | What::Unknown => Zxid::ZERO,
            };
            if until > applied.zxid {
                self.ready.push_back(client);
                break;
            }
            let Some(Waiting { xid, what }) = connection.waiting.pop_front() else { break };
            self.outstanding -= 1;
            match what {
                What::Read { op, frame } | What::BarrierUntil { op, frame, .. } => {
                    self.answer_read(client, xid, op, &frame[8..], applied, outputs);
                }
                What::SyncUntil { frame, .. } => {
                    let bytes = connection::sync_reply(xid, zxid, &frame[8..]).into();
                    outputs.push_back(Output::ClientFrame { client, bytes });
                }
                What::Done { result: Err(ErrorCode::SessionMoved), .. } => self.close(client, outputs),
                What::Done { op, result } => {
                    let bytes = match result {
                        Ok(body) => reply_with(xid, zxid, |bytes| bytes.extend_from_slice(&body)),
                        Err(error) => reply_error(xid, zxid, error),
                    };
                    outputs.push_back(Output::ClientFrame { client, bytes: bytes.into() });
                    if op == OpCode::CloseSession {
                        self.close(client, outputs);
                    }
                }
                What::Unknown => {
                    let bytes = reply_error(xid, -1, ErrorCode::Unimplemented).into();
                    outputs.push_back(Output::ClientFrame { client, bytes });
                    self.close(client, outputs);
                }
                What::Write { .. } | What::Sync { .. } | What::Barrier { .. } => {}
            }
        }
        self.resume_some(outputs);
    }

    /// Lets the clients be heard again that were told to wait because too much was under way.
    fn resume_some(&mut self, outputs: &mut VecDeque<Output>) {
        if self.outstanding > self.settings.outstanding_limit {
            return;
        }
        for client in core::mem::take(&mut self.throttled) {
            if let Some(connection) = self.connections.get_mut(&client) {
                connection.resume(client, outputs);
            }
        }
    }

    fn answer_read(
        &mut self,
        client: ClientId,
        xid: i32,
        op: OpCode,
        body: &[u8],
        applied: Applied<'_>,
        outputs: &mut VecDeque<Output>,
    ) {
        let Some(connection) = self.connections.get(&client) else { return };
        let Some(session) = connection.session() else { return };
        match op {
            OpCode::Ping => {
                let bytes = reply(xid::PING, applied.zxid.0.cast_signed(), &()).into();
                outputs.push_back(Output::ClientFrame { client, bytes });
            }
            _ => {
                let context = ReadContext {
                    state: applied.state,
                    watches: &mut self.watches,
                    client,
                    session,
                    identities: &connection.identities,
                    zxid: applied.zxid,
                    settings: &self.settings,
                };
                reads::answer(context, xid, op, body, &mut |bytes| {
                    outputs.push_back(Output::ClientFrame { client, bytes: bytes.into() });
                });
            }
        }
    }
}

/// What a server without a leader cannot do.
fn needs_leader(op: OpCode) -> bool {
    op == OpCode::Sync || op.is_write() && op != OpCode::CloseSession
}

#[cfg(test)]
mod tests;
