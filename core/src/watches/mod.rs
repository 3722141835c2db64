//! Watches: which connections of this server want to hear of which paths (client.md section 9).
//!
//! Apache has a table of data watches and one of child watches. Here one entry per path and
//! connection holds the kinds of watch as bits, which makes "each connection once per event" a
//! property of the shape. An entry costs about 8 bytes in the map of its path and 8 in the set of its
//! client, so that a million watches are small, in maps that never stall to grow.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::iter::successors;

use hashbrown::HashTable;
use slab::Slab;
use xxhash_rust::xxh3::xxh3_64;

use crate::io::ClientId;
use crate::mutated;
use crate::state::path::parent;
use crate::wire::EventType;

/// What a watch wants to hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum WatchKind {
    /// getData or exists: the next creation, deletion or change of data. Once.
    Data = 1,
    /// getChildren: the next change of the children, or deletion. Once.
    Child = 2,
    /// addWatch mode 0: what the first two hear, every time.
    Persistent = 4,
    /// addWatch mode 1: every creation, deletion and change of data, of the node and of all below it.
    Recursive = 8,
}

/// A set of [`WatchKind`]s, as bits.
type Kinds = u8;

const DATA: Kinds = WatchKind::Data as Kinds;
const CHILD: Kinds = WatchKind::Child as Kinds;
const PERSISTENT: Kinds = WatchKind::Persistent as Kinds;
const RECURSIVE: Kinds = WatchKind::Recursive as Kinds;
/// Those that are in Apache's table of data watches.
const DATA_TABLE: Kinds = DATA | PERSISTENT | RECURSIVE;
/// Those that are in its table of child watches.
const CHILD_TABLE: Kinds = CHILD | PERSISTENT;

/// How many entries have some of the bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    data: u32,
    child: u32,
    recursive: u32,
}

impl Counts {
    fn change(&mut self, before: Kinds, after: Kinds) {
        let counters =
            [(&mut self.data, DATA_TABLE), (&mut self.child, CHILD_TABLE), (&mut self.recursive, RECURSIVE)];
        for (counter, mask) in counters {
            *counter = *counter + u32::from(after & mask != 0) - u32::from(before & mask != 0);
        }
    }
}

#[derive(Debug)]
struct Watched {
    path: Box<str>,
    /// By slot of the client.
    clients: BTreeMap<u32, Kinds>,
    counts: Counts,
}

#[derive(Debug)]
struct Watcher {
    client: ClientId,
    /// The slots of the paths that have an entry of this client.
    paths: BTreeSet<u32>,
    counts: Counts,
}

/// The figures of the four-letter word `wchs`. Like Apache's they leave out child watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchFigures {
    /// Connections with a watch.
    pub clients: usize,
    /// Paths with a watch.
    pub paths: usize,
    /// Watches.
    pub watches: usize,
}

/// All watches of one server.
#[derive(Debug, Default)]
pub struct Watches {
    paths: Slab<Watched>,
    /// The slots by path. Never iterated: no order depends on a hash.
    path_slots: HashTable<u32>,
    clients: Slab<Watcher>,
    client_slots: BTreeMap<ClientId, u32>,
    counts: Counts,
    /// Paths and clients with an entry in the data table.
    data_paths: usize,
    data_clients: usize,
    /// Watches that are armed after the next event (M121).
    #[cfg(feature = "mutants")]
    late: Vec<(ClientId, Box<str>, WatchKind)>,
}

/// Slots are four bytes, because there is one in each watch.
fn slot(key: usize) -> u32 {
    u32::try_from(key).expect("memory does not hold four billion watches")
}

fn hash(path: &str) -> u64 {
    xxh3_64(path.as_bytes())
}

impl Watches {
    /// Arms a watch. The same one again changes nothing (W5); other kinds on the same path stand beside
    /// it (ZOOKEEPER-4466).
    pub fn add(&mut self, client: ClientId, path: &str, kind: WatchKind) {
        #[cfg(feature = "mutants")]
        if mutated!(M121) {
            return self.late.push((client, path.into(), kind));
        }
        self.arm(client, path, kind);
    }

    fn arm(&mut self, client: ClientId, path: &str, kind: WatchKind) {
        let path = self.find(path).unwrap_or_else(|| self.insert_path(path));
        let clients = &mut self.clients;
        let client = *self.client_slots.entry(client).or_insert_with(|| {
            slot(clients.insert(Watcher { client, paths: BTreeSet::new(), counts: Counts::default() }))
        });
        self.change(path, client, |kinds| if mutated!(M117) { kind as Kinds } else { kinds | kind as Kinds });
    }

    /// How many paths a connection watches.
    #[must_use]
    pub fn watched_by(&self, client: ClientId) -> usize {
        self.client_slots.get(&client).map_or(0, |client| self.clients[*client as usize].paths.len())
    }

    /// Takes a kind of watch away, or every kind: whether there was one.
    pub fn remove(&mut self, client: ClientId, path: &str, kind: Option<WatchKind>) -> bool {
        let found = self.contains(client, path, kind);
        if found && let (Some(path), Some(client)) = (self.find(path), self.client_slots.get(&client)) {
            self.change(path, *client, |kinds| kinds & !mask(kind));
            self.forget_if_unwatched(path);
        }
        found
    }

    /// Whether there is such a watch, or one of any kind.
    #[must_use]
    pub fn contains(&self, client: ClientId, path: &str, kind: Option<WatchKind>) -> bool {
        let entry = self.find(path).zip(self.client_slots.get(&client));
        let kinds = entry.and_then(|(path, client)| self.paths[path as usize].clients.get(client));
        kinds.is_some_and(|kinds| kinds & mask(kind) != 0)
    }

    /// Takes away everything of a connection that is gone (ZOOKEEPER-1382), in time proportional to that.
    pub fn remove_client(&mut self, client: ClientId) {
        if mutated!(M115) {
            return;
        }
        #[cfg(feature = "mutants")]
        self.late.retain(|(late, ..)| *late != client);
        let Some(client) = self.client_slots.remove(&client) else { return };
        while let Some(path) = self.clients[client as usize].paths.first().copied() {
            self.change(path, client, |_| 0);
            self.forget_if_unwatched(path);
        }
        self.clients.remove(client as usize);
    }

    /// Names the clients that hear of `event` at `path`, each once, and takes away the watches that hear
    /// only once. They are used up even if the caller then drops the event, as it must for a client that
    /// may not read the node (client.md section 9.4; [`crate::auth::check`] with the trigger's list).
    pub fn trigger(&mut self, event: EventType, path: &str, notify: &mut dyn FnMut(ClientId)) {
        let (hearing, consumed) = match event {
            EventType::NodeCreated | EventType::NodeDataChanged => (DATA | PERSISTENT, DATA),
            EventType::NodeDeleted => (DATA | CHILD | PERSISTENT, DATA | CHILD),
            EventType::NodeChildrenChanged => (CHILD | PERSISTENT, CHILD),
        };
        let mut told = Vec::new();
        if let Some(path) = self.find(path) {
            self.fire(path, hearing, consumed, &mut told);
        }
        // ZOOKEEPER-4475: recursive watches do not hear of children as such.
        let recursive = event != EventType::NodeChildrenChanged || mutated!(M116);
        if recursive && self.counts.recursive > 0 {
            for watched in successors(Some(path), |path| parent(path)).filter_map(|path| self.find(path)) {
                let watched = &self.paths[watched as usize];
                if watched.counts.recursive > 0 {
                    let clients = watched.clients.iter().filter(|(_, kinds)| **kinds & RECURSIVE != 0);
                    told.extend(clients.map(|(client, _)| *client));
                }
            }
            told.sort_unstable();
            told.dedup();
        }
        for client in told {
            notify(self.clients[client as usize].client);
        }
        #[cfg(feature = "mutants")]
        for (client, path, kind) in core::mem::take(&mut self.late) {
            self.arm(client, &path, kind);
        }
    }

    /// The watches of both of Apache's tables together (`zk_watch_count` of `mntr`).
    #[must_use]
    pub fn count(&self) -> usize {
        self.counts.data as usize + self.counts.child as usize
    }

    /// The figures of `wchs`.
    #[must_use]
    pub fn figures(&self) -> WatchFigures {
        WatchFigures {
            clients: self.data_clients,
            paths: self.data_paths,
            watches: self.counts.data as usize,
        }
    }

    /// What `wchp` and `wchc` list: the entries of the data table, those of one path together.
    pub fn data_watches(&self) -> impl Iterator<Item = (&str, ClientId)> {
        self.paths.iter().flat_map(|(_, watched)| {
            let clients = watched.clients.iter().filter(|(_, kinds)| **kinds & DATA_TABLE != 0);
            clients.map(|(client, _)| (&*watched.path, self.clients[*client as usize].client))
        })
    }

    fn find(&self, path: &str) -> Option<u32> {
        self.path_slots.find(hash(path), |slot| *self.paths[*slot as usize].path == *path).copied()
    }

    fn insert_path(&mut self, path: &str) -> u32 {
        let watched = Watched { path: path.into(), clients: BTreeMap::new(), counts: Counts::default() };
        let slot = slot(self.paths.insert(watched));
        let paths = &self.paths;
        self.path_slots.insert_unique(hash(path), slot, |slot| hash(&paths[*slot as usize].path));
        slot
    }

    fn forget_if_unwatched(&mut self, slot: u32) {
        if self.paths[slot as usize].clients.is_empty() {
            let path = self.paths.remove(slot as usize).path;
            let entry = self.path_slots.find_entry(hash(&path), |other| *other == slot);
            entry.expect("each path is in the index").remove();
        }
    }

    /// Tells those at the path itself.
    fn fire(&mut self, path: u32, hearing: Kinds, consumed: Kinds, told: &mut Vec<u32>) {
        let Counts { data, child, .. } = self.paths[path as usize].counts;
        if (hearing & DATA == 0 || data == 0) && (hearing & CHILD == 0 || child == 0) {
            return;
        }
        let clients = &self.paths[path as usize].clients;
        told.extend(clients.iter().filter(|(_, kinds)| **kinds & hearing != 0).map(|(client, _)| *client));
        for client in &*told {
            self.change(path, *client, |kinds| kinds & !consumed);
        }
        self.forget_if_unwatched(path);
    }

    /// The one place where an entry changes, appears or disappears.
    fn change(&mut self, path: u32, client: u32, change: impl FnOnce(Kinds) -> Kinds) {
        let watched = &mut self.paths[path as usize];
        let watcher = &mut self.clients[client as usize];
        let kinds = watched.clients.entry(client).or_default();
        let (before, after) = (*kinds, change(*kinds));
        *kinds = after;
        if after == 0 {
            watched.clients.remove(&client);
            watcher.paths.remove(&path);
        } else if before == 0 {
            watcher.paths.insert(path);
        }
        let (path_before, client_before) = (watched.counts.data > 0, watcher.counts.data > 0);
        for counts in [&mut watched.counts, &mut watcher.counts, &mut self.counts] {
            counts.change(before, after);
        }
        self.data_paths = self.data_paths + usize::from(watched.counts.data > 0) - usize::from(path_before);
        self.data_clients =
            self.data_clients + usize::from(watcher.counts.data > 0) - usize::from(client_before);
    }
}

fn mask(kind: Option<WatchKind>) -> Kinds {
    kind.map_or(DATA_TABLE | CHILD_TABLE, |kind| kind as Kinds)
}

#[cfg(test)]
mod tests;
