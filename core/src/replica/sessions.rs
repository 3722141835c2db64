//! The sessions at the leader: who owns them, and when they expire (client.md section 17). Nothing of
//! it is replicated: a new leader knows the sessions from the state, and gives each its full timeout
//! (invariants.md N11).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::identity::ServerId;
use crate::mutated;
use crate::time::{Duration, Instant};
use crate::wire::{ErrorCode, Origin, SessionId};

/// The connection that may write for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) server: ServerId,
    pub(super) boot: u64,
    pub(super) client: u64,
}

impl From<Origin> for Owner {
    fn from(Origin { server, boot, client, .. }: Origin) -> Self {
        Self { server, boot, client }
    }
}

#[derive(Debug)]
struct Session {
    timeout: Duration,
    /// The end of the tick in which it expires.
    expires: Instant,
    owner: Option<Owner>,
    /// Its end is prepared: no later write of it succeeds (N8).
    closing: bool,
}

/// What the leader knows of the sessions, prepared ones included.
#[derive(Debug)]
pub(super) struct Sessions {
    tick: Duration,
    sessions: BTreeMap<SessionId, Session>,
    /// The sessions by the moment at which they expire.
    expiring: BTreeMap<Instant, BTreeSet<SessionId>>,
    /// Sessions whose end is under way.
    closing: Vec<SessionId>,
}

impl Sessions {
    /// The sessions of the state that a new leader begins with.
    pub(super) fn new(
        now: Instant,
        tick: Duration,
        sessions: impl Iterator<Item = (SessionId, i32)>,
    ) -> Self {
        let mut tracker =
            Self { tick, sessions: BTreeMap::new(), expiring: BTreeMap::new(), closing: Vec::new() };
        for (id, timeout) in sessions {
            tracker.add(now, id, timeout, None);
        }
        tracker
    }

    /// A session begins.
    pub(super) fn add(&mut self, now: Instant, id: SessionId, timeout: i32, owner: Option<Owner>) {
        let timeout = millis(timeout);
        let restarts = owner.is_some() || !mutated!(M105);
        let expires = self.bucket(now, if restarts { timeout } else { Duration::ZERO });
        self.sessions.insert(id, Session { timeout, expires, owner, closing: false });
        self.expiring.entry(expires).or_default().insert(id);
    }

    /// The end of the tick in which a session expires that is heard of now.
    fn bucket(&self, now: Instant, timeout: Duration) -> Instant {
        let tick = self.tick.0.max(1);
        Instant(((now.0.saturating_add(timeout.0)) / tick + 1).saturating_mul(tick))
    }

    /// A sign of life, from wherever the client is connected. A session that is closing is not
    /// brought back (ZOOKEEPER-1496).
    pub(super) fn touch(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get(&id).filter(|session| !session.closing) else { return };
        let (before, after) = (session.expires, self.bucket(now, session.timeout));
        if after > before {
            self.move_bucket(id, before, Some(after));
        }
    }

    fn move_bucket(&mut self, id: SessionId, before: Instant, after: Option<Instant>) {
        if let Some(bucket) = self.expiring.get_mut(&before) {
            bucket.remove(&id);
            if bucket.is_empty() {
                self.expiring.remove(&before);
            }
        }
        if let Some(after) = after {
            self.expiring.entry(after).or_default().insert(id);
            if let Some(session) = self.sessions.get_mut(&id) {
                session.expires = after;
            }
        }
    }

    /// A client came back with its session: from now on this connection owns it, with the timeout
    /// that it asked for. Returns whether the session lives.
    pub(super) fn attach(&mut self, now: Instant, id: SessionId, timeout: i32, owner: Owner) -> bool {
        let session = match self.sessions.get_mut(&id) {
            Some(session) if !session.closing => session,
            Some(_) => return mutated!(M100),
            None => return false,
        };
        if session.owner.is_none() || !mutated!(M109) {
            session.owner = Some(owner);
        }
        session.timeout = millis(timeout);
        let (before, timeout) = (session.expires, session.timeout);
        // Also back, if it asks for less than before.
        self.move_bucket(id, before, Some(self.bucket(now, timeout)));
        true
    }

    /// Whether a write of this session may be prepared for this connection.
    pub(super) fn check(&self, id: SessionId, owner: Owner) -> Result<(), ErrorCode> {
        match self.sessions.get(&id) {
            None => Err(ErrorCode::SessionExpired),
            Some(session) if session.closing => Err(ErrorCode::SessionExpired),
            Some(session) if session.owner != Some(owner) && !mutated!(M110) => Err(ErrorCode::SessionMoved),
            Some(_) => Ok(()),
        }
    }

    /// The end of a session is prepared.
    pub(super) fn close(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(&id) {
            if core::mem::replace(&mut session.closing, true) {
                return;
            }
            self.closing.push(id);
            let expires = session.expires;
            self.move_bucket(id, expires, None);
        }
    }

    /// The state has caught up: whoever was closing and is not in it has gone.
    pub(super) fn forget_closed(&mut self, lives: impl Fn(SessionId) -> bool) {
        let sessions = &mut self.sessions;
        self.closing.retain(|id| {
            let stays = lives(*id);
            if !stays {
                sessions.remove(id);
            }
            stays
        });
    }

    /// Sessions whose time is over.
    pub(super) fn expired(&self, now: Instant) -> Vec<SessionId> {
        self.expiring.range(..=now).flat_map(|(_, bucket)| bucket.iter().copied()).collect()
    }

    /// The sessions by the moment at which they expire. Those whose end is under way are in none.
    pub(super) fn expiring(&self) -> &BTreeMap<Instant, BTreeSet<SessionId>> {
        &self.expiring
    }

    /// When the next session expires.
    pub(super) fn deadline(&self) -> Instant {
        self.expiring.keys().next().copied().unwrap_or(Instant::NEVER)
    }
}

fn millis(timeout: i32) -> Duration {
    Duration::from_millis(u64::try_from(timeout).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(1_000);
    const ONE: SessionId = SessionId(1);

    fn at(millis: u64) -> Instant {
        Instant(millis * 1_000)
    }

    fn owner(client: u64) -> Owner {
        Owner { server: ServerId(1), boot: 7, client }
    }

    fn tracker() -> Sessions {
        Sessions::new(at(0), TICK, [(ONE, 4_000)].into_iter())
    }

    #[test]
    fn a_session_expires_between_its_timeout_and_one_tick_later() {
        let mut sessions = tracker();
        sessions.touch(at(300), ONE);
        assert_eq!(sessions.deadline(), at(5_000));
        assert_eq!(sessions.expired(at(4_999)), []);
        assert_eq!(sessions.expired(at(5_000)), [ONE]);
    }

    #[test]
    fn a_sign_of_life_moves_the_end_and_only_forward() {
        let mut sessions = tracker();
        sessions.touch(at(3_000), ONE);
        sessions.touch(at(1_000), ONE);
        assert_eq!(sessions.deadline(), at(8_000));
    }

    #[test]
    #[cfg(feature = "mutants")]
    fn a_closing_session_that_is_revived_is_seen() {
        use crate::mutation::{Mutation, fails};
        fails(Mutation::M100, a_closing_session_is_not_revived_and_writes_nothing);
    }

    #[test]
    fn a_closing_session_is_not_revived_and_writes_nothing() {
        let mut sessions = tracker();
        assert!(sessions.attach(at(0), ONE, 4_000, owner(1)));
        sessions.close(ONE);
        sessions.touch(at(1_000), ONE);
        assert_eq!(sessions.deadline(), Instant::NEVER);
        assert_eq!(sessions.check(ONE, owner(1)), Err(ErrorCode::SessionExpired));
        assert!(!sessions.attach(at(0), ONE, 4_000, owner(1)));
        sessions.forget_closed(|_| false);
        assert_eq!(sessions.check(ONE, owner(1)), Err(ErrorCode::SessionExpired));
    }

    #[test]
    fn the_timeout_of_the_latest_connection_counts_also_if_it_is_shorter() {
        let mut sessions = tracker();
        assert!(sessions.attach(at(0), ONE, 10_000, owner(1)));
        assert_eq!(sessions.deadline(), at(11_000));
        assert!(sessions.attach(at(300), ONE, 1_000, owner(2)));
        assert_eq!(sessions.expired(at(2_000)), [ONE]);
    }

    #[test]
    fn only_the_connection_that_attached_last_writes() {
        let mut sessions = tracker();
        assert_eq!(sessions.check(ONE, owner(1)), Err(ErrorCode::SessionMoved));
        assert!(sessions.attach(at(0), ONE, 4_000, owner(1)));
        assert_eq!(sessions.check(ONE, owner(1)), Ok(()));
        assert!(sessions.attach(at(0), ONE, 8_000, owner(2)));
        assert_eq!(sessions.check(ONE, owner(1)), Err(ErrorCode::SessionMoved));
        assert_eq!(sessions.check(ONE, owner(2)), Ok(()));
        assert_eq!(sessions.deadline(), at(9_000), "with the timeout of the new connection");
    }
}
