//! The local sessions of this server (client.md section 17.4). Nobody else knows them, and nothing of them
//! is ever written: they end with the process, or when nothing is heard of them for their timeout.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Clients;
use crate::identity::ServerId;
use crate::io::{ClientId, Output};
use crate::jute;
use crate::mutated;
use crate::time::{Duration, Instant};
use crate::wire::{CreateMode, OpCode, SessionId, Write};

/// The sessions that only this server knows.
#[derive(Debug)]
pub struct LocalSessions {
    server: ServerId,
    /// The number of the last one. It begins anywhere, so that two lives of a server never give the same id.
    last: u64,
    /// The moment up to which time has passed.
    now: Instant,
    sessions: BTreeMap<SessionId, Life>,
    /// All of them by the moment of their end.
    ends: BTreeSet<(Instant, SessionId)>,
}

#[derive(Debug)]
struct Life {
    timeout: i32,
    ends: Instant,
}

impl LocalSessions {
    /// None yet; `boot` tells this life of the server from its others.
    pub(super) fn new(server: ServerId, boot: u64) -> Self {
        let (sessions, ends) = (BTreeMap::new(), BTreeSet::new());
        Self { server, last: boot, now: Instant(0), sessions, ends }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.sessions.len()
    }

    /// All of them by the moment of their end.
    pub fn ends(&self) -> impl ExactSizeIterator<Item = (Instant, SessionId)> {
        self.ends.iter().copied()
    }

    /// When the first of them ends.
    pub(super) fn deadline(&self) -> Instant {
        self.ends.first().map_or(Instant::NEVER, |(end, _)| *end)
    }

    pub(super) fn contains(&self, session: SessionId) -> bool {
        self.sessions.contains_key(&session)
    }

    /// Its timeout in milliseconds.
    pub(super) fn timeout(&self, session: SessionId) -> Option<i32> {
        Some(self.sessions.get(&session)?.timeout)
    }

    /// A new one. Its id is none of a global session, whatever `is_taken` knows of those that were local once.
    pub(super) fn create(&mut self, timeout: i32, is_taken: impl Fn(SessionId) -> bool) -> SessionId {
        loop {
            self.last = self.last.wrapping_add(1);
            let session = SessionId::local(self.server, self.last);
            if !is_taken(session) {
                self.attach(session, timeout);
                return session;
            }
        }
    }

    /// A connection has it from now on, with this timeout.
    pub(super) fn attach(&mut self, session: SessionId, timeout: i32) {
        self.remove(session);
        let ends = self.end(timeout);
        self.sessions.insert(session, Life { timeout, ends });
        self.ends.insert((ends, session));
    }

    fn end(&self, timeout: i32) -> Instant {
        self.now + Duration::from_millis(u64::try_from(timeout).unwrap_or(0))
    }

    /// A word of its client; whether it is a local session.
    pub(super) fn touch(&mut self, session: SessionId) -> bool {
        let Some(timeout) = self.sessions.get(&session).map(|life| life.timeout) else { return false };
        self.attach(session, timeout);
        true
    }

    /// It is none from now on; its timeout, if it was.
    pub(super) fn remove(&mut self, session: SessionId) -> Option<i32> {
        let life = self.sessions.remove(&session)?;
        self.ends.remove(&(life.ends, session));
        Some(life.timeout)
    }

    /// Time passes. One of those that it ends; ask until there is none.
    pub(super) fn expire(&mut self, now: Instant) -> Option<SessionId> {
        self.now = now;
        let (_, session) = self.ends.first().copied().filter(|(end, _)| *end <= now)?;
        self.remove(session);
        Some(session)
    }
}

impl Clients {
    /// Time passes: local sessions end, and their connections with them.
    pub fn tick(&mut self, now: Instant, outputs: &mut VecDeque<Output>) {
        while let Some(session) = self.local.expire(now) {
            if let Some(client) = self.attached.get(&session).copied() {
                self.close(client, outputs);
            }
        }
    }

    /// When [`Clients::tick`] is due.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.local.deadline()
    }

    /// The sessions that only this server knows.
    #[must_use]
    pub fn local_sessions(&self) -> &LocalSessions {
        &self.local
    }

    /// From now on reads are answered without a leader, to clients that ask for no more; until
    /// [`Clients::close_all`].
    pub fn serve_reads_only(&mut self) {
        self.read_only = true;
    }

    /// Whether it is so.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// The end of a session that nobody else knows. One that became a global session ends for everybody
    /// (ZOOKEEPER-3471).
    pub(super) fn ends_here(&mut self, session: SessionId) -> bool {
        self.local.remove(session).is_some() || session.began_as_local() && mutated!(M103)
    }

    /// A local session that wants to own a node becomes a global one first: its createSession goes before the
    /// write (client.md section 17.4). If it may not, the leader refuses the write.
    pub(super) fn upgrade_before(&mut self, client: ClientId, session: SessionId, op: OpCode, body: &[u8]) {
        let Some(timeout) = self.local.timeout(session) else { return };
        if self.settings.upgrade_local_sessions && creates_ephemeral(op, body) {
            self.ask_to_write(client, session, 0, OpCode::CreateSession, jute::encode(&timeout).into());
            self.local.remove(session);
        }
    }
}

/// Whether a node may come of it that its session would own.
fn creates_ephemeral(op: OpCode, body: &[u8]) -> bool {
    let is_ephemeral = |write: &Write| match write {
        Write::Create { op: op @ (OpCode::Create | OpCode::Create2), create, .. } => {
            CreateMode::from_flags(create.flags, *op).is_ok_and(|mode| mode.ephemeral)
        }
        _ => false,
    };
    matches!(op, OpCode::Create | OpCode::Create2 | OpCode::Multi)
        && match Write::decode(op, body) {
            Ok(Write::Multi(writes)) => writes.iter().any(is_ephemeral),
            Ok(write) => is_ephemeral(&write),
            Err(_) => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant(millis * 1_000)
    }

    fn sessions() -> LocalSessions {
        LocalSessions::new(ServerId(1), u64::MAX)
    }

    #[test]
    fn a_session_ends_when_nothing_is_heard_of_it_for_its_timeout() {
        let mut sessions = sessions();
        let (one, two) = (sessions.create(4_000, |_| false), sessions.create(5_000, |_| false));
        assert_eq!(sessions.expire(at(3_999)), None);
        assert!(sessions.touch(one));
        assert_eq!(sessions.deadline(), at(5_000));
        assert_eq!([sessions.expire(at(7_998)), sessions.expire(at(7_998))], [Some(two), None]);
        assert_eq!([sessions.expire(at(7_999)), sessions.expire(at(7_999))], [Some(one), None]);
        assert!(!sessions.touch(one) && sessions.count() == 0);
        assert_eq!(sessions.deadline(), Instant::NEVER);
    }

    #[test]
    fn an_id_is_never_that_of_a_global_session() {
        let mut sessions = sessions();
        let first = sessions.create(1, |_| false);
        let taken = SessionId(first.0 + 1);
        assert_eq!(sessions.create(1, |id| id == taken), SessionId(first.0 + 2));
        for number in [0, 1, u64::MAX] {
            assert_ne!(SessionId::global(ServerId(1), number), SessionId::local(ServerId(1), number));
        }
        assert_ne!(SessionId::local(ServerId(255), 7).0 >> 56, -1, "it would be a time to live");
    }
}
