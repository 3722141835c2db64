//! What an operator's words ask of a replica beyond its status (client.md section 19).

use alloc::collections::{BTreeMap, BTreeSet};

use super::{Replica, State};
use crate::identity::Zxid;
use crate::time::Instant;
use crate::wire::SessionId;

/// The figures of a leader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leading {
    /// Learners with a link.
    pub learners: usize,
    /// Those with a vote that are sent everything new.
    pub synced_followers: usize,
    /// Those without a vote that are sent everything new.
    pub synced_observers: usize,
    /// Questions that wait until a quorum has confirmed the leadership.
    pub pending_syncs: usize,
    /// Sessions that it ended because nobody had heard of them.
    pub expired_sessions: u64,
}

impl Replica {
    /// The figures of a leader; `None` in other roles.
    #[must_use]
    pub fn leading(&self) -> Option<Leading> {
        match &self.role {
            State::Leading(leader) => Some(leader.figures(&self.server)),
            _ => None,
        }
    }

    /// The sessions by the moment at which they expire. Only a serving leader knows.
    #[must_use]
    pub fn expiring_sessions(&self) -> Option<&BTreeMap<Instant, BTreeSet<SessionId>>> {
        match &self.role {
            State::Leading(leader) => leader.expiring_sessions(),
            _ => None,
        }
    }

    /// ZooKeeper's digest of the tree after every 128th transaction that this server applied, oldest
    /// first, for the last 1024 of them.
    pub fn digests(&self) -> impl ExactSizeIterator<Item = (Zxid, u64)> {
        self.server.digests.iter().copied()
    }
}
