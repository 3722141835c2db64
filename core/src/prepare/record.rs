//! A node as far as it decides about writes.

use alloc::sync::Arc;

use crate::state::{self, Node, Owner, StoredStat};
use crate::wire::Acl;

/// A node as it will be when everything in flight is applied, without its data.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) stat: StoredStat,
    pub(super) children: usize,
    pub(super) acl: Arc<[Acl]>,
    /// With which its digest begins ([`state::digest_prefix`]).
    pub(super) prefix: u32,
    /// Of its data, in bytes.
    pub(super) length: i64,
}

impl Record {
    /// A new node.
    pub(super) fn new(path: &str, data: &[u8], acl: Arc<[Acl]>, stat: StoredStat) -> Self {
        Self { stat, children: 0, acl, prefix: 0, length: 0 }.with_data(path, data)
    }

    /// The node at `path` with other data.
    pub(super) fn with_data(self, path: &str, data: &[u8]) -> Self {
        Self { prefix: state::digest_prefix(path, data), length: data.len() as i64, ..self }
    }

    pub(super) fn is_ephemeral(&self) -> bool {
        matches!(Owner::from_stored(self.stat.ephemeral_owner), Owner::Session(_))
    }

    /// What the node adds to the digest of the state.
    pub(super) fn digest(&self) -> u64 {
        state::node_digest(self.prefix, &self.stat)
    }
}

impl From<Node<'_>> for Record {
    /// The node as it is applied.
    fn from(node: Node<'_>) -> Self {
        Self {
            stat: *node.stored(),
            children: node.num_children(),
            acl: node.shared_acl().clone(),
            prefix: node.digest_prefix(),
            length: node.data_length(),
        }
    }
}
