//! The znodes: slots that name each other by number, and an index from parent and name to slot.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::digest::StoredStat;
use super::slab::{Frozen, Slab};
use crate::identity::Bytes;

/// No node.
pub(super) const NONE: u32 = u32::MAX;

/// The slot of `/`.
pub(super) const ROOT: u32 = 0;

/// The index is cut into so many tables that no growth of one holds up a request.
const SHARDS: usize = 256;

/// A znode. 128 bytes, besides what name and data hold.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) parent: u32,
    pub(super) first_child: u32,
    pub(super) next: u32,
    pub(super) previous: u32,
    pub(super) children: u32,
    pub(super) acl: u32,
    /// Of parent and name.
    pub(super) hash: u32,
    /// [`super::digest_prefix`] of path and data.
    pub(super) prefix: u32,
    pub(super) name: Box<str>,
    pub(super) data: Option<Bytes>,
    pub(super) stat: StoredStat,
}

#[derive(Clone, Debug)]
pub(super) struct Tree {
    slots: Slab<Slot>,
    /// By [`Slot::hash`]. Looked up, never iterated.
    index: Vec<HashTable<u32>>,
}

impl Default for Tree {
    fn default() -> Self {
        Self { slots: Slab::default(), index: alloc::vec![HashTable::new(); SHARDS] }
    }
}

fn hash(parent: u32, name: &str) -> u32 {
    xxh3_64_with_seed(name.as_bytes(), u64::from(parent)) as u32
}

/// Whether it is the child of this parent with this name, which have this hash.
fn is(slot: &Slot, parent: u32, name: &str, hash: u32) -> bool {
    slot.hash == hash && slot.parent == parent && *slot.name == *name
}

/// The table wants entropy in all of 64 bits.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// By the high bits: a table looks at the low ones.
fn shard(hash: u32) -> usize {
    hash as usize >> 24
}

impl Slot {
    /// A node outside of the tree.
    pub(super) fn new(name: Box<str>, prefix: u32, data: Option<Bytes>, acl: u32, stat: StoredStat) -> Self {
        let (parent, first_child, next, previous) = (NONE, NONE, NONE, NONE);
        let (children, hash) = (0, 0);
        Self { parent, first_child, next, previous, children, acl, hash, prefix, name, data, stat }
    }

    pub(super) fn data(&self) -> &[u8] {
        self.data.as_deref().unwrap_or_default()
    }
}

impl Tree {
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn get(&self, slot: u32) -> &Slot {
        self.slots.get(slot)
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> &mut Slot {
        self.slots.get_mut(slot)
    }

    pub(super) fn freeze(&self) -> Frozen<Slot> {
        self.slots.freeze()
    }

    /// The slot of a child.
    pub(super) fn child(&self, parent: u32, name: &str) -> Option<u32> {
        let hash = hash(parent, name);
        let table = &self.index[shard(hash)];
        table.find(spread(hash), |&slot| is(self.get(slot), parent, name, hash)).copied()
    }

    /// The slot of a node. The empty path is the root's too, as reads have it (client.md section 13).
    pub(super) fn find(&self, path: &str) -> Option<u32> {
        if matches!(path, "" | "/") {
            return Some(ROOT);
        }
        path.strip_prefix('/')?.split('/').try_fold(ROOT, |parent, name| self.child(parent, name))
    }

    /// The path of a node.
    pub(super) fn path(&self, slot: u32) -> String {
        let mut names = Vec::new();
        let mut at = slot;
        while at != ROOT {
            names.push(&*self.get(at).name);
            at = self.get(at).parent;
        }
        let mut path = String::with_capacity(names.iter().map(|name| name.len() + 1).sum::<usize>().max(1));
        for name in names.iter().rev() {
            path.push('/');
            path.push_str(name);
        }
        if path.is_empty() {
            path.push('/');
        }
        path
    }

    /// The children, the newest first.
    pub(super) fn children(&self, parent: u32) -> impl Iterator<Item = u32> {
        let some = |slot| (slot != NONE).then_some(slot);
        core::iter::successors(some(self.get(parent).first_child), move |&slot| some(self.get(slot).next))
    }

    /// The node and everything below it, each before its children.
    pub(super) fn subtree(&self, top: u32) -> impl Iterator<Item = u32> {
        core::iter::successors(Some(top), move |&slot| {
            let first = self.get(slot).first_child;
            if first != NONE {
                return Some(first);
            }
            let mut at = slot;
            while at != top {
                let Slot { next, parent, .. } = *self.get(at);
                if next != NONE {
                    return Some(next);
                }
                at = parent;
            }
            None
        })
    }

    /// Puts a node without links into a slot. The first is the root; [`Self::link`] makes others
    /// somebody's child.
    pub(super) fn insert(&mut self, slot: Slot) -> u32 {
        self.slots.insert(slot)
    }

    /// Makes `slot` the first child of `parent`.
    pub(super) fn link(&mut self, slot: u32, parent: u32) {
        let above = self.get_mut(parent);
        let next = core::mem::replace(&mut above.first_child, slot);
        above.children += 1;
        if next != NONE {
            self.get_mut(next).previous = slot;
        }
        let node = self.get_mut(slot);
        (node.parent, node.next) = (parent, next);
        let is_new = self.enter(slot);
        assert!(is_new, "a name occurs once below a parent");
    }

    /// Makes `slot` found by its parent and name, unless another one is.
    pub(super) fn enter(&mut self, slot: u32) -> bool {
        let slots = &self.slots;
        let Slot { parent, name, .. } = slots.get(slot);
        let hash = hash(*parent, name);
        let entry = self.index[shard(hash)].entry(
            spread(hash),
            |&other| is(slots.get(other), *parent, name, hash),
            |&other| spread(slots.get(other).hash),
        );
        let Entry::Vacant(entry) = entry else { return false };
        entry.insert(slot);
        self.slots.get_mut(slot).hash = hash;
        true
    }

    /// Makes room in the index for all nodes, so that it does not grow step by step.
    pub(super) fn reserve(&mut self) {
        let slots = &self.slots;
        for table in &mut self.index {
            table.reserve(slots.len() / SHARDS, |&slot| spread(slots.get(slot).hash));
        }
    }

    /// Takes out a node without children.
    pub(super) fn remove(&mut self, slot: u32) -> Slot {
        let node = self.slots.remove(slot);
        assert!(node.children == 0, "its children would be lost");
        let entry = self.index[shard(node.hash)].find_entry(spread(node.hash), |&other| other == slot);
        entry.expect("every node is in the index").remove();
        let above = self.get_mut(node.parent);
        above.children -= 1;
        if node.previous == NONE {
            above.first_child = node.next;
        } else {
            self.get_mut(node.previous).next = node.next;
        }
        if node.next != NONE {
            self.get_mut(node.next).previous = node.previous;
        }
        node
    }
}
