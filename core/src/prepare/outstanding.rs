//! What proposals in flight will have changed.

use alloc::collections::{BTreeMap, VecDeque};
use core::borrow::Borrow;

use crate::identity::Zxid;
use crate::mutated;

/// Values ahead of the applied state, each with the proposal that last changed it.
#[derive(Debug)]
pub(super) struct Outstanding<K, V> {
    latest: BTreeMap<K, (Zxid, V)>,
    /// All changes in the order of their proposals.
    changes: VecDeque<Change<K, V>>,
}

#[derive(Debug)]
struct Change<K, V> {
    zxid: Zxid,
    key: K,
    /// What `latest` held before.
    before: Option<(Zxid, V)>,
}

impl<K, V> Default for Outstanding<K, V> {
    fn default() -> Self {
        Self { latest: BTreeMap::new(), changes: VecDeque::new() }
    }
}

impl<K: Ord + Clone, V> Outstanding<K, V> {
    /// The value under `key`, if it differs from the applied state's.
    pub(super) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.latest.get(key).map(|(_, value)| value)
    }

    /// All values that differ from the applied state's.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.latest.iter().map(|(key, (_, value))| (key, value))
    }

    /// Whether nothing is in flight.
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Whether `zxid`, the newest proposal, changed something.
    pub(super) fn changed_by(&self, zxid: Zxid) -> bool {
        self.changes.back().is_some_and(|change| change.zxid == zxid)
    }

    /// The newest proposal changes a value.
    pub(super) fn put(&mut self, zxid: Zxid, key: K, value: V) {
        let before = self.latest.insert(key.clone(), (zxid, value));
        self.changes.push_back(Change { zxid, key, before });
    }

    /// The newest proposal changes nothing after all. What older ones changed stays, also where it
    /// had covered their changes (ZOOKEEPER-1624).
    pub(super) fn take_back(&mut self, zxid: Zxid) {
        while let Some(Change { key, before, .. }) = self.changes.pop_back_if(|change| change.zxid == zxid) {
            match before {
                Some(before) if !mutated!(M94) => self.latest.insert(key, before),
                _ => self.latest.remove(&key),
            };
        }
    }

    /// The state has caught up to `zxid`.
    pub(super) fn applied(&mut self, zxid: Zxid) {
        while let Some(Change { key, .. }) = self.changes.pop_front_if(|change| change.zxid <= zxid) {
            if self.latest.get(&key).is_some_and(|(latest, _)| *latest <= zxid) {
                self.latest.remove(&key);
            }
        }
    }
}
