//! What can be seen of one node.

use alloc::sync::Arc;

use super::digest::StoredStat;
use super::tree::Slot;
use super::{State, quota};
use crate::identity::Bytes;
use crate::wire::{Acl, SessionId, Stat};

/// What `ephemeralOwner` means (client.md section 12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The node stays until it is deleted.
    Nobody,
    /// It goes with this session.
    Session(SessionId),
    /// It goes some time after its last child.
    Container,
    /// It goes when it has no children and was not changed for so many milliseconds.
    TimeToLive(i64),
}

impl Owner {
    const CONTAINER: i64 = i64::MIN;
    const TTL_MARK: i64 = 0xff << 56;

    /// What a stored `ephemeralOwner` means. A session id never begins with the byte 0xff.
    #[must_use]
    pub fn from_stored(stored: i64) -> Self {
        match stored {
            0 => Self::Nobody,
            Self::CONTAINER => Self::Container,
            ttl if ttl & Self::TTL_MARK == Self::TTL_MARK => Self::TimeToLive(ttl ^ Self::TTL_MARK),
            session => Self::Session(SessionId(session)),
        }
    }

    /// What is stored.
    #[must_use]
    pub fn stored(self) -> i64 {
        match self {
            Self::Nobody => 0,
            Self::Session(session) => session.0,
            Self::Container => Self::CONTAINER,
            Self::TimeToLive(ttl) => Self::TTL_MARK | ttl,
        }
    }
}

/// A znode, to be looked at.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    state: &'a State,
    number: u32,
    slot: &'a Slot,
}

impl<'a> Node<'a> {
    pub(super) fn new(state: &'a State, number: u32) -> Self {
        Self { state, number, slot: state.tree.get(number) }
    }

    /// The data; `None` is null. A stats node of a quota shows the quota's figures.
    #[must_use]
    pub fn data(&self) -> Option<Bytes> {
        self.state.quotas.shown(&self.state.tree, self.number).or_else(|| self.slot.data.clone())
    }

    /// The length of the data that are stored, in bytes.
    #[must_use]
    pub fn data_length(&self) -> i64 {
        quota::length(self.slot)
    }

    /// The access control list.
    #[must_use]
    pub fn acl(&self) -> &'a [Acl] {
        self.shared_acl()
    }

    /// The access control list, to be kept.
    #[must_use]
    pub fn shared_acl(&self) -> &'a Arc<[Acl]> {
        self.state.acls.get(self.slot.acl)
    }

    /// What clients are shown (client.md section 11).
    #[must_use]
    pub fn stat(&self) -> Stat {
        let StoredStat { czxid, mzxid, pzxid, ctime, mtime, version, cversion, aversion, ephemeral_owner } =
            self.slot.stat;
        let num_children = self.slot.children.cast_signed();
        let ephemeral_owner = match Owner::from_stored(ephemeral_owner) {
            Owner::Session(session) => session.0,
            _ => 0,
        };
        let shown = self.state.quotas.shown(&self.state.tree, self.number);
        let length = shown.map_or_else(|| self.slot.data().len(), |data| data.len());
        Stat {
            czxid,
            mzxid,
            ctime,
            mtime,
            version,
            cversion: cversion.wrapping_mul(2).wrapping_sub(num_children),
            aversion,
            ephemeral_owner,
            data_length: i32::try_from(length).unwrap_or(i32::MAX),
            num_children,
            pzxid,
        }
    }

    /// What is stored.
    #[must_use]
    pub fn stored(&self) -> &'a StoredStat {
        &self.slot.stat
    }

    /// The CRC-32 with which the node's digest begins ([`super::digest_prefix`]).
    #[must_use]
    pub fn digest_prefix(&self) -> u32 {
        self.slot.prefix
    }

    /// The names of the children, in an order that is the same on all servers.
    pub fn children(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let tree = &self.state.tree;
        tree.children(self.number).map(|child| &*tree.get(child).name)
    }

    /// How many children there are.
    #[must_use]
    pub fn num_children(&self) -> usize {
        self.slot.children as usize
    }

    /// How many nodes there are below. Takes time in proportion to them.
    #[must_use]
    pub fn descendants(&self) -> usize {
        self.state.tree.subtree(self.number).count() - 1
    }
}
