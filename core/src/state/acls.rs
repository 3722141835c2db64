//! Access control lists, each kept once however many nodes have it.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use super::slab::{Frozen, Slab};
use crate::mutated;
use crate::wire::Acl;

/// A list, and how many nodes have it (invariants.md N13).
#[derive(Clone, Debug)]
pub(super) struct SharedAcl {
    pub(super) list: Arc<[Acl]>,
    pub(super) nodes: u32,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Acls {
    slots: Slab<SharedAcl>,
    numbers: BTreeMap<Arc<[Acl]>, u32>,
}

impl Acls {
    pub(super) fn get(&self, number: u32) -> &Arc<[Acl]> {
        &self.slots.get(number).list
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The number of a list, for one more node.
    pub(super) fn take(&mut self, list: &[Acl]) -> u32 {
        if let Some(number) = self.numbers.get(list)
            && mutated!(M93)
        {
            return *number;
        }
        let number = self.numbers.get(list).copied().unwrap_or_else(|| self.add(list.into()));
        self.share(number);
        number
    }

    /// One more node has the list.
    pub(super) fn share(&mut self, number: u32) {
        self.slots.get_mut(number).nodes += 1;
    }

    /// A new list, which no node has so far.
    pub(super) fn add(&mut self, list: Arc<[Acl]>) -> u32 {
        let number = self.slots.insert(SharedAcl { list: list.clone(), nodes: 0 });
        let old = self.numbers.insert(list, number);
        assert!(old.is_none(), "a list has one number");
        number
    }

    pub(super) fn contains(&self, list: &[Acl]) -> bool {
        self.numbers.contains_key(list)
    }

    /// One node less has the list; without any it is forgotten.
    pub(super) fn release(&mut self, number: u32) {
        let shared = self.slots.get_mut(number);
        shared.nodes -= 1;
        if shared.nodes == 0 {
            let SharedAcl { list, .. } = self.slots.remove(number);
            self.numbers.remove(&list);
        }
    }

    /// How many nodes have each list.
    pub(super) fn uses(&self) -> impl Iterator<Item = (u32, u32)> {
        self.slots.iter().map(|(number, shared)| (number, shared.nodes))
    }

    pub(super) fn freeze(&self) -> Frozen<SharedAcl> {
        self.slots.freeze()
    }
}
