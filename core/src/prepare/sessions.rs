//! Sessions begin and end (client.md section 17).

use alloc::collections::BTreeSet;
use alloc::string::String;

use super::Step;
use crate::mutated;
use crate::state;
use crate::wire::{Change, SessionId};

impl Step<'_> {
    /// The timeout of the session that asks; `None` if it does not exist, or will have ended.
    pub(super) fn session_timeout(&self) -> Option<i32> {
        let session = self.request.session;
        match self.preparer.sessions.get(&session) {
            Some(timeout) => *timeout,
            None => self.state.session_timeout(session),
        }
    }

    /// The id of the session that this request creates: unique, because its zxid is (invariants.md
    /// N1). A local session that becomes a global one keeps its own.
    pub(super) fn new_session(&self) -> SessionId {
        if self.request.local {
            return self.request.session;
        }
        let epoch = if mutated!(M111) { 0 } else { self.zxid.epoch().0 };
        SessionId::global(
            self.request.origin.server,
            (u64::from(epoch) << 32) | u64::from(self.zxid.counter()),
        )
    }

    pub(super) fn create_session(&mut self, asked: i32) -> Change {
        let settings = &self.preparer.settings;
        let timeout = asked.max(settings.min_session_timeout).min(settings.max_session_timeout);
        let session = self.new_session();
        self.preparer.sessions.put(self.zxid, session, Some(timeout));
        self.adjust_digest(0, state::session_digest(session, timeout));
        Change::CreateSession { timeout }
    }

    /// Nothing of the session is left behind: neither what it creates in flight, nor what it could
    /// still ask for (ZOOKEEPER-1208).
    pub(super) fn close_session(&mut self) -> Change {
        let session = self.request.session;
        let mut paths: BTreeSet<String> = self.state.ephemerals(session).collect();
        for (path, record) in self.preparer.nodes.iter() {
            if record.as_ref().is_some_and(|record| record.stat.ephemeral_owner == session.0) {
                paths.insert(path.as_ref().into());
            } else {
                paths.remove(path.as_ref());
            }
        }
        for path in &paths {
            self.remove(path);
        }
        let timeout = self.session_timeout();
        if !mutated!(M99) {
            self.preparer.sessions.put(self.zxid, session, None);
        }
        self.adjust_digest(timeout.map_or(0, |timeout| state::session_digest(session, timeout)), 0);
        Change::CloseSession { paths: paths.into_iter().collect() }
    }
}
