//! The replicated state: sessions and the tree of znodes. It is a function of the transactions that
//! were applied, the same on all servers.
//!
//! [`State::apply`] carries out a [`Transaction`](crate::wire::Transaction), which is a result and no
//! request: nothing is checked and nothing is refused here that the leader prepared, and applying it
//! again changes nothing. A [`StateSnapshot`] is the state at one point in time, handed out in chunks
//! while the state goes on; a [`StateBuilder`] puts the chunks together again.
//!
//! | File | What |
//! |---|---|
//! | `apply.rs` | What each transaction does, what it triggers and what is answered. |
//! | `tree.rs`, `slab.rs` | Nodes, their links and their index; the pages that they lie on. |
//! | `acls.rs`, `quota.rs`, `digest.rs` | What is derived from the nodes, or shared between them. |
//! | `node.rs` | What can be seen of one node. |
//! | `snapshot.rs` | The state to chunks and back. |
//! | `load.rs` | A state out of what another server's snapshot lists. |
//! | `path.rs` | The names of nodes. |

mod acls;
mod apply;
mod digest;
mod fuzzy;
mod load;
mod node;
pub mod path;
mod quota;
mod slab;
mod snapshot;
mod tree;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;

pub use apply::{Outcome, Trigger};
pub use digest::{StoredStat, digest_prefix, is_digested, node_digest, session_digest};
pub use fuzzy::FuzzyState;
pub use load::StateLoader;
pub use node::{Node, Owner};
pub use quota::{Quota, QuotaLimits, QuotaUsage};
pub use snapshot::{StateBuilder, StateSnapshot};

use crate::identity::Bytes;
use crate::membership::{CONFIG_PATH, Membership};
use crate::wire::{Acl, Id, Permissions, SessionId};
use acls::Acls;
use quota::Quotas;
use tree::{ROOT, Slot, Tree};

/// The sessions and the tree.
#[derive(Clone, Debug)]
pub struct State {
    tree: Tree,
    acls: Acls,
    sessions: BTreeMap<SessionId, i32>,
    ephemerals: BTreeSet<(SessionId, u32)>,
    /// Containers and nodes with a time to live.
    mortal: BTreeSet<u32>,
    quotas: Quotas,
    /// What the last [`crate::wire::Change::NextMembers`] says, until the reconfig is done.
    next_members: Option<Bytes>,
    node_digest: u64,
    session_digest: u64,
    data_size: i64,
}

impl Default for State {
    /// A fresh ensemble's: no sessions, the root and the system nodes (client.md section 16).
    fn default() -> Self {
        let anyone = |perms| Acl { perms, id: Id { scheme: "world".into(), id: "anyone".into() } };
        let (open, read_only) = ([anyone(Permissions::ALL)], [anyone(Permissions::READ)]);
        let mut state = Self::without_nodes();
        let none = || Some(Bytes::default());
        let acl = state.acls.take(&open);
        let root = Slot::new("".into(), digest_prefix("/", &[]), none(), acl, StoredStat::default());
        state.tree.insert(root);
        state.account("/", ROOT, true);
        let system = state.insert(ROOT, "/zookeeper", none(), &open, StoredStat::default());
        state.insert(system, quota::ROOT, none(), &open, StoredStat::default());
        let stat = StoredStat { aversion: -1, ..StoredStat::default() };
        state.insert(system, CONFIG_PATH, none(), &read_only, stat);
        state
    }
}

impl State {
    fn without_nodes() -> Self {
        Self {
            tree: Tree::default(),
            acls: Acls::default(),
            sessions: BTreeMap::new(),
            ephemerals: BTreeSet::new(),
            mortal: BTreeSet::new(),
            quotas: Quotas::default(),
            next_members: None,
            node_digest: 0,
            session_digest: 0,
            data_size: 0,
        }
    }

    /// The node at `path`. The empty path is the root's too; any other path that no write could
    /// name is just not there (client.md section 13).
    #[must_use]
    pub fn node(&self, path: &str) -> Option<Node<'_>> {
        Some(Node::new(self, self.tree.find(path)?))
    }

    /// All nodes with their paths, each before its children.
    pub fn nodes(&self) -> impl Iterator<Item = (String, Node<'_>)> {
        self.tree.subtree(ROOT).map(|number| (self.tree.path(number), Node::new(self, number)))
    }

    /// The sessions and their timeouts in milliseconds, by id.
    pub fn sessions(&self) -> impl Iterator<Item = (SessionId, i32)> {
        self.sessions.iter().map(|(session, timeout)| (*session, *timeout))
    }

    /// The timeout of a session, in milliseconds; `None` if there is no such session.
    #[must_use]
    pub fn session_timeout(&self, session: SessionId) -> Option<i32> {
        self.sessions.get(&session).copied()
    }

    /// The ephemeral nodes of a session, sorted.
    pub fn ephemerals(&self, session: SessionId) -> impl Iterator<Item = String> {
        let owned = self.ephemerals.range((session, 0)..=(session, u32::MAX));
        let paths: BTreeSet<_> = owned.map(|(_, slot)| self.tree.path(*slot)).collect();
        paths.into_iter()
    }

    /// The sessions that have ephemeral nodes, by id.
    pub fn owners(&self) -> impl Iterator<Item = SessionId> {
        let first = self.ephemerals.first();
        let after = |(session, _): &(SessionId, u32)| self.ephemerals.range((*session, u32::MAX)..).next();
        core::iter::successors(first, move |owned| after(owned)).map(|(session, _)| *session)
    }

    /// The containers and nodes with a time to live that may be deleted (client.md section 12).
    /// `never_used`: after so many milliseconds a container goes that never had a child; 0 is never.
    pub fn sweepable(&self, now_millis: i64, never_used: i64) -> impl Iterator<Item = String> {
        let may_go = move |slot: &Slot| slot.children == 0 && slot.stat.may_go(now_millis, never_used);
        let numbers = self.mortal.iter().filter(move |number| may_go(self.tree.get(**number)));
        numbers.map(|number| self.tree.path(*number))
    }

    /// The quota that a change of the node at `path` is charged to: the nearest above it, or its own.
    #[must_use]
    pub fn quota_above(&self, path: &str) -> Option<Quota<'_>> {
        self.quotas.above(&self.tree, path)
    }

    /// What the subtree from `top` on holds, counted.
    #[must_use]
    pub fn usage(&self, top: &str) -> QuotaUsage {
        quota::measured(&self.tree, top)
    }

    /// How many nodes there are. `znode_count` of mntr and srvr is one more, since ZooKeeper counts
    /// the root twice (client.md section 19).
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.tree.len()
    }

    /// `approximate_data_size`: the characters of all paths and the bytes of all data.
    #[must_use]
    pub fn data_size(&self) -> i64 {
        self.data_size
    }

    /// How many ephemeral nodes there are.
    #[must_use]
    pub fn ephemeral_count(&self) -> usize {
        self.ephemerals.len()
    }

    /// How many sessions there are.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// How many different access control lists there are.
    #[must_use]
    pub fn acl_count(&self) -> usize {
        self.acls.len()
    }

    /// ZooKeeper's digest of the tree.
    #[must_use]
    pub fn node_digest(&self) -> u64 {
        self.node_digest
    }

    /// The digest that servers compare: that of the tree and of each session ([`session_digest`]),
    /// summed up.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.node_digest.wrapping_add(self.session_digest)
    }

    /// [`Self::digest`] computed from nothing but nodes and sessions (invariants.md N13).
    #[must_use]
    pub fn recomputed_digest(&self) -> u64 {
        let nodes = self.tree.subtree(ROOT).filter_map(|number| {
            let (path, slot) = (self.tree.path(number), self.tree.get(number));
            is_digested(&path).then(|| node_digest(digest_prefix(&path, slot.data()), &slot.stat))
        });
        let sessions = self.sessions().map(|(session, timeout)| session_digest(session, timeout));
        nodes.chain(sessions).fold(0, u64::wrapping_add)
    }

    /// Whether everything that is derived from nodes equals a fresh count (invariants.md N13).
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        let mut ephemerals = BTreeSet::new();
        let mut mortal = BTreeSet::new();
        let mut uses = BTreeMap::new();
        let mut data_size = 0;
        for number in self.tree.subtree(ROOT) {
            let slot = self.tree.get(number);
            *uses.entry(slot.acl).or_insert(0) += 1;
            data_size += size(&self.tree.path(number), slot);
            match Owner::from_stored(slot.stat.ephemeral_owner) {
                Owner::Nobody => {}
                Owner::Session(session) => {
                    ephemerals.insert((session, number));
                }
                Owner::Container | Owner::TimeToLive(_) => {
                    mortal.insert(number);
                }
            }
        }
        ephemerals == self.ephemerals
            && mortal == self.mortal
            && uses.into_iter().eq(self.acls.uses())
            && data_size == self.data_size
            && self.tree.subtree(ROOT).count() == self.tree.len()
            && Quotas::recomputed(&self.tree) == self.quotas
            && self.recomputed_digest() == self.digest()
    }

    /// Sets what `/zookeeper/config` says while no reconfig says it. Nothing is to follow it.
    pub fn set_config(&mut self, data: Bytes) {
        self.next_members = None;
        if let Some(number) = self.tree.find(CONFIG_PATH) {
            self.change(CONFIG_PATH, number, |slot| slot.data = Some(data));
        }
    }

    /// The members as the last reconfig left them; `None` before the first. Of all that changes the
    /// node only reconfig leaves the version -1.
    #[must_use]
    pub fn membership(&self) -> Option<Membership> {
        let node = self.node(CONFIG_PATH).filter(|node| node.stat().version == -1)?;
        Membership::from_bytes(&node.data()?).filter(|membership| membership.ensemble.version > 0)
    }

    /// The members that are to follow those, while a change of who votes is under way.
    #[must_use]
    pub fn next_members(&self) -> Option<Membership> {
        self.next_members.as_deref().and_then(Membership::from_bytes)
    }

    /// The state as it is now.
    #[must_use]
    pub fn snapshot(&self) -> StateSnapshot {
        StateSnapshot::new(self)
    }
}

/// What a node adds to [`State::data_size`].
fn size(path: &str, slot: &Slot) -> i64 {
    i64::try_from(path.chars().count()).expect("a path fits into memory") + quota::length(slot)
}

#[cfg(test)]
mod tests;
