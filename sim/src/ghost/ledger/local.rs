//! Sessions that only their server knows, and servers that only read (client.md sections 17.4 and 17.5).

use zabrus_core::io::ClientId;
use zabrus_core::wire::{
    ConnectResponse, CreateMode, ErrorCode, OpCode, ReplyHeader, SessionId, Transaction, Write,
};
use zabrus_core::{ServerId, Zxid, jute};

use super::{Asked, Ledger};
use crate::checks::{Rule, l_clients, n01_unique_sessions, n09_single_owner};
use crate::counters::Mark;
use crate::ghost::Checked;
use crate::ghost::court::Court;
use crate::ghost::model::{Executed, Model, Request};
use crate::violation::Violation;

/// What no server does without a leader.
fn needs_leader(op: OpCode) -> bool {
    let is_write = op.is_write() && !matches!(op, OpCode::CreateSession | OpCode::CloseSession);
    is_write || op == OpCode::Sync
}

impl Asked {
    /// Whether a node may come of it that its session would own.
    pub(super) fn wants_ephemeral(&self) -> bool {
        let is_ephemeral = |write: &Write| match write {
            Write::Create { op, create, .. } => {
                CreateMode::from_flags(create.flags, *op).is_ok_and(|mode| mode.ephemeral)
            }
            _ => false,
        };
        match self.op().map(|op| Write::decode(op, &self.body)) {
            Some(Ok(Write::Multi(writes))) => writes.iter().any(is_ephemeral),
            Some(Ok(write)) => is_ephemeral(&write),
            _ => false,
        }
    }
}

impl Ledger {
    /// Whether only one server knows this session so far.
    pub(super) fn is_local(&self, session: SessionId, model: &Model) -> bool {
        self.sessions.get(&session).is_some_and(|facts| facts.home.is_some())
            && model.session(session).is_none()
    }

    /// A connection got a session of which no transaction tells.
    pub(super) fn begin_local(
        &mut self,
        id: ClientId,
        session: SessionId,
        model: &Model,
        court: &mut Court<'_>,
    ) -> Checked {
        let connection = self.connections.get_mut(&id).expect("it was looked up before");
        let earlier = self.sessions.contains_key(&session).then_some(Zxid::ZERO);
        let earlier = earlier.or(model.session(session).map(|life| life.created));
        court.judge(Rule::N1, n01_unique_sessions::check(session, earlier))?;
        connection.writes.pop_front(); // Its createSession.
        connection.session = session;
        let facts = self.sessions.entry(session).or_default();
        facts.home = Some(connection.server);
        facts.timeout = model.granted(connection.hello.timeout);
        facts.rivals.push(id);
        (facts.touched, facts.steady) = (court.now, court.now);
        Ok(())
    }

    /// A session was given to a connection: by its own server, as long as nobody else knows it.
    pub(super) fn at_home(&self, id: ClientId, model: &Model, court: &mut Court<'_>) -> Checked {
        let connection = &self.connections[&id];
        let home = self.sessions.get(&connection.session).and_then(|facts| facts.home);
        let local = home.filter(|_| self.is_local(connection.session, model));
        court.judge(Rule::N9, n09_single_owner::at_home(connection.session, local, connection.server))
    }

    /// Something was refused in place of the answer to a handshake.
    pub(super) fn turned_away(
        &mut self,
        id: ClientId,
        header: ReplyHeader,
        model: &Model,
        committed: Zxid,
        court: &mut Court<'_>,
    ) -> Checked {
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        connection.greeted = true;
        court.saw(Mark::ReadOnlyRefusals);
        let (hello, settings) = (&connection.hello, model.settings());
        let asked = hello.read_only == Some(true) && hello.session == SessionId(0);
        let may = asked && settings.read_only_mode && !settings.local_sessions;
        let zxid = Zxid(header.zxid.cast_unsigned());
        court.judge(Rule::L2, l_clients::shown(zxid, committed))?;
        let expected = (ErrorCode::NotReadOnly.code(), &b""[..], may && header.xid == 0);
        court.judge(Rule::L1, l_clients::answer("a handshake", zxid, header.err, b"", expected))
    }

    /// What a read-only server answers to writes: it refuses them, and nobody hears of them.
    pub(super) fn refused(
        &mut self,
        id: ClientId,
        asked: &Asked,
        header: ReplyHeader,
        body: &[u8],
        court: &mut Court<'_>,
    ) -> Option<Checked> {
        let connection = self.connections.get_mut(&id).filter(|connection| connection.read_only)?;
        court.saw(Mark::ReadOnlyReplies);
        asked.op().filter(|op| needs_leader(*op))?;
        connection.writes.retain(|write| write.xid != asked.xid);
        court.saw(Mark::ReadOnlyRefusals);
        let expected = (ErrorCode::NotReadOnly.code(), &b""[..], body.is_empty());
        let zxid = Zxid(header.zxid.cast_unsigned());
        let verdict = l_clients::answer(&asked.words(), zxid, header.err, body, expected);
        Some(court.judge(Rule::L9, verdict))
    }

    /// The answer to the end of a session of which nobody else knows. Whoever asked for a node of its own
    /// before has another kind of session, and its end must be a transaction (ZOOKEEPER-3471).
    pub(super) fn closed_at_home(
        &mut self,
        id: ClientId,
        asked: &Asked,
        header: ReplyHeader,
        body: &[u8],
        model: &Model,
        court: &mut Court<'_>,
    ) -> Option<Checked> {
        let session = self.connections.get(&id)?.session;
        let is_local = self.is_local(session, model);
        let connection = self.connections.get_mut(&id)?;
        let upgrades = model.settings().upgrade_local_sessions && !connection.read_only;
        let is_global = upgrades && connection.ephemeral.is_some_and(|xid| xid < asked.xid);
        if asked.op() != Some(OpCode::CloseSession) || !is_local || is_global {
            return None;
        }
        connection.writes.retain(|write| write.xid != asked.xid);
        connection.ended = true;
        court.saw(Mark::LocalSessionsClosed);
        self.sessions.entry(session).or_default().gone.get_or_insert(court.now);
        let zxid = Zxid(header.zxid.cast_unsigned());
        let verdict = l_clients::answer(&asked.words(), zxid, header.err, body, (0, b"", body.is_empty()));
        Some(court.judge(Rule::L1, verdict))
    }

    /// A local session becomes a global one: because its client asks for a node of its own, and under its id.
    pub(super) fn upgraded(
        &mut self,
        id: ClientId,
        transaction: &Transaction,
        model: &Model,
        court: &mut Court<'_>,
    ) -> Result<Executed, Violation> {
        let Transaction { session, zxid, time, ref change, .. } = *transaction;
        let connection = &self.connections[&id];
        let wanted = connection.writes.front().is_some_and(Asked::wants_ephemeral);
        let may = wanted && connection.session == session && model.settings().upgrade_local_sessions;
        court.judge(
            Rule::N2,
            if may { Ok(()) } else { Err(format!("{zxid} makes {session} global unasked")) },
        )?;
        court.saw(Mark::SessionsUpgraded);
        let closes = |asked: &Asked| asked.op() == Some(OpCode::CloseSession);
        if connection.writes.iter().any(closes) {
            court.saw(Mark::UpgradesBeforeClose);
        }
        let body = jute::encode(&connection.hello.timeout);
        let op = OpCode::CreateSession;
        let request = Request { session, local: false, identities: &[], op, body: &body, zxid, time };
        let executed = model.execute(&request);
        super::commits::compare(&request, change, &executed, court)?;
        Ok(executed)
    }

    /// Whether a client of a server may read there and no more.
    #[must_use]
    pub fn has_readers(&self, server: ServerId) -> bool {
        let reads = |c: &super::Connection| c.server == server && c.read_only && c.closed.is_none();
        self.connections.values().any(reads)
    }
}

/// What a server says of itself in the answer to a handshake.
pub(super) fn admitted(asked: Option<bool>, response: &ConnectResponse, model: &Model) -> bool {
    match (asked, response.read_only) {
        (None, None) | (Some(_), Some(false)) => true,
        (Some(true), Some(true)) => model.settings().read_only_mode,
        _ => false,
    }
}
