//! The tree of nodes, its digest, and its snapshots in chunks.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{Effect, Transaction};
use crate::codec::{self, DecodeError};
use crate::identity::Bytes;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Node {
    #[serde(with = "crate::codec::bytes")]
    data: Bytes,
    version: u32,
}

/// The nodes by path. Equal states have equal digests, however they came about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    nodes: Arc<BTreeMap<String, Node>>,
    digest: u64,
}

/// A state at one point in time, to be written or sent in chunks while the tree goes on.
#[derive(Clone, Debug)]
pub struct TreeSnapshot {
    nodes: Arc<BTreeMap<String, Node>>,
    /// The last path handed out.
    after: Option<String>,
    finished: bool,
}

/// A state that is being put together from chunks.
#[derive(Debug, Default)]
pub struct TreeBuilder {
    tree: Tree,
}

fn node_digest(path: &str, node: &Node) -> u64 {
    let seed = xxh3_64_with_seed(path.as_bytes(), u64::from(node.version) + 1);
    xxh3_64_with_seed(&node.data, seed)
}

impl Tree {
    /// The data and version of a node.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<(&Bytes, u32)> {
        self.nodes.get(path).map(|node| (&node.data, node.version))
    }

    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// A sum over all nodes: independent of order, equal for equal states.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// The digest computed from nothing but the nodes (N13).
    #[must_use]
    pub fn recomputed_digest(&self) -> u64 {
        self.nodes.iter().fold(0, |sum, (path, node)| sum.wrapping_add(node_digest(path, node)))
    }

    /// Applies one transaction.
    pub fn apply(&mut self, transaction: &Transaction) {
        match &transaction.effect {
            Effect::Put { path, data, version } => {
                let node = Node { data: data.clone(), version: *version };
                self.digest = self.digest.wrapping_add(node_digest(path, &node));
                if let Some(old) = Arc::make_mut(&mut self.nodes).insert(path.clone(), node) {
                    self.digest = self.digest.wrapping_sub(node_digest(path, &old));
                }
            }
            Effect::Remove { path } => {
                if let Some(old) = Arc::make_mut(&mut self.nodes).remove(path) {
                    self.digest = self.digest.wrapping_sub(node_digest(path, &old));
                }
            }
            Effect::Refused(_) => {}
        }
    }

    /// The state as it is now.
    #[must_use]
    pub fn snapshot(&self) -> TreeSnapshot {
        TreeSnapshot { nodes: self.nodes.clone(), after: None, finished: false }
    }
}

impl TreeSnapshot {
    /// The next chunk of about `limit` bytes (a single node may be larger), and whether it is the
    /// last. `None` after the last. There is always at least one chunk.
    pub fn next_chunk(&mut self, limit: usize) -> Option<(Vec<u8>, bool)> {
        use core::ops::Bound;
        if self.finished {
            return None;
        }
        let from = self.after.take().map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.nodes.range::<String, _>((from, Bound::Unbounded)).peekable();
        let mut nodes: Vec<(&String, &Node)> = Vec::new();
        let mut bytes = 0;
        while let Some((path, node)) = rest.peek() {
            let size = path.len() + node.data.len() + 16;
            if !nodes.is_empty() && bytes + size > limit {
                break;
            }
            bytes += size;
            nodes.push((path, node));
            rest.next();
        }
        self.finished = rest.peek().is_none();
        self.after = nodes.last().map(|(path, _)| (*path).clone());
        Some((codec::encode(&nodes), self.finished))
    }
}

impl TreeBuilder {
    /// Adds a chunk.
    ///
    /// # Errors
    /// If the bytes are not a chunk.
    pub fn add(&mut self, chunk: &[u8]) -> Result<(), DecodeError> {
        let nodes: Vec<(String, Node)> = codec::decode(chunk)?;
        let target = Arc::make_mut(&mut self.tree.nodes);
        for (path, node) in nodes {
            self.tree.digest = self.tree.digest.wrapping_add(node_digest(&path, &node));
            if let Some(old) = target.insert(path.clone(), node) {
                self.tree.digest = self.tree.digest.wrapping_sub(node_digest(&path, &old));
            }
        }
        Ok(())
    }

    /// The state, when all chunks are there.
    #[must_use]
    pub fn finish(self) -> Tree {
        self.tree
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use crate::identity::ServerId;
    use crate::io::ClientId;
    use crate::service::Origin;

    fn put(path: String, version: u32) -> Transaction {
        let origin = Origin { server: ServerId(1), boot: 0, client: ClientId(1), xid: 1 };
        let effect = Effect::Put { path, data: Arc::from(&b"some data"[..]), version };
        Transaction { origin, wall_millis: 0, effect }
    }

    #[test]
    fn a_snapshot_is_a_point_in_time_and_comes_back_whole_from_its_chunks() {
        let mut tree = Tree::default();
        for number in 0..100 {
            tree.apply(&put(format!("/node{number}"), number));
        }
        let before = tree.clone();
        let mut snapshot = tree.snapshot();
        let mut builder = TreeBuilder::default();
        let mut chunks = 0;
        while let Some((chunk, last)) = snapshot.next_chunk(200) {
            tree.apply(&put(format!("/later{chunks}"), 0));
            builder.add(&chunk).unwrap();
            chunks += 1;
            assert_eq!(last, snapshot.finished);
        }
        assert!(chunks > 10);
        assert_eq!(builder.finish(), before);
        assert_ne!(tree.digest(), before.digest());
        assert_eq!(tree.digest(), tree.recomputed_digest());
    }

    #[test]
    fn an_empty_tree_has_one_empty_chunk() {
        let mut snapshot = Tree::default().snapshot();
        let (chunk, last) = snapshot.next_chunk(10).unwrap();
        assert!(last);
        assert_eq!(snapshot.next_chunk(10), None);
        let mut builder = TreeBuilder::default();
        builder.add(&chunk).unwrap();
        assert!(builder.finish().is_empty());
    }

    #[test]
    fn applying_a_transaction_twice_changes_nothing() {
        let mut tree = Tree::default();
        tree.apply(&put("/a".into(), 3));
        let once = tree.clone();
        tree.apply(&put("/a".into(), 3));
        assert_eq!(tree, once);
    }
}
