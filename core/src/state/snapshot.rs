//! The state in chunks: sessions, then access control lists, then nodes.
//!
//! Nodes are numbered without gaps, the root first, and name each other by number: no path is built
//! to write them or taken apart to read them. What can be derived is left out, and derived again.

use alloc::borrow::Cow;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::State;
use super::acls::SharedAcl;
use super::digest::{self, StoredStat};
use super::quota::Quotas;
use super::slab::Frozen;
use super::tree::{NONE, ROOT, Slot};
use crate::codec::{self, DecodeError};
use crate::identity::Bytes;
use crate::wire::{Acl, SessionId};

/// What a record costs beyond what it holds, about, when chunks are cut.
const RECORD_BYTES: usize = 48;

#[derive(Serialize, Deserialize)]
enum Chunk<'a> {
    Sessions(Vec<(SessionId, i32)>),
    Acls(Vec<Cow<'a, [Acl]>>),
    Nodes(Vec<Record<'a>>),
    /// The members that are to follow; before all others, and only if there are any.
    NextMembers(#[serde(with = "crate::codec::bytes")] Bytes),
}

/// A node, and whom it belongs to, by number.
#[derive(Serialize, Deserialize)]
struct Record<'a> {
    /// [`NONE`] for the root.
    parent: u32,
    /// The next child of the same parent, [`NONE`] after the last.
    next: u32,
    acl: u32,
    name: Cow<'a, str>,
    #[serde(with = "crate::jute::buffer")]
    data: Option<Bytes>,
    stat: StoredStat,
}

/// A state at one point in time, to be written or sent in chunks while the state goes on.
#[derive(Clone, Debug)]
pub struct StateSnapshot {
    next_members: Option<Bytes>,
    sessions: Vec<(SessionId, i32)>,
    acls: Frozen<SharedAcl>,
    nodes: Frozen<Slot>,
    /// What comes next: sessions, lists and nodes that were handed out.
    sessions_done: usize,
    acls_done: u32,
    nodes_done: u32,
    finished: bool,
}

/// A state that is being put together from chunks. Whatever the chunks hold, it ends in a state
/// whose parts agree, or in an error.
#[derive(Debug)]
pub struct StateBuilder {
    state: State,
}

/// Takes from `items` until `limit` bytes are full, at least one.
fn take<T>(items: impl Iterator<Item = T>, limit: usize, size: impl Fn(&T) -> usize) -> Vec<T> {
    let mut bytes = 0;
    let mut taken = Vec::new();
    for item in items {
        bytes += RECORD_BYTES + size(&item);
        let is_full = bytes >= limit;
        taken.push(item);
        if is_full {
            break;
        }
    }
    taken
}

impl StateSnapshot {
    pub(super) fn new(state: &State) -> Self {
        Self {
            next_members: state.next_members.clone(),
            sessions: state.sessions().collect(),
            acls: state.acls.freeze(),
            nodes: state.tree.freeze(),
            sessions_done: 0,
            acls_done: 0,
            nodes_done: 0,
            finished: false,
        }
    }

    /// The next chunk of about `limit` bytes (a single node may be larger), and whether it is the
    /// last. `None` after the last. There is always at least one chunk.
    pub fn next_chunk(&mut self, limit: usize) -> Option<(Vec<u8>, bool)> {
        if self.finished {
            return None;
        }
        let chunk = if let Some(members) = self.next_members.take() {
            Chunk::NextMembers(members)
        } else if self.sessions_done < self.sessions.len() {
            let rest = self.sessions[self.sessions_done..].iter().copied();
            let sessions = take(rest, limit, |_| 0);
            self.sessions_done += sessions.len();
            Chunk::Sessions(sessions)
        } else if self.acls.iter_from(self.acls_done).next().is_some() {
            let size = |acl: &Acl| RECORD_BYTES + acl.id.scheme.len() + acl.id.id.len();
            let size = |(_, shared): &(u32, &SharedAcl)| shared.list.iter().map(size).sum();
            let lists = take(self.acls.iter_from(self.acls_done), limit, size);
            self.acls_done = lists.last().map_or(self.acls_done, |(next, _)| *next);
            Chunk::Acls(lists.into_iter().map(|(_, shared)| Cow::Borrowed(&*shared.list)).collect())
        } else {
            let size = |(_, slot): &(u32, &Slot)| slot.name.len() + slot.data().len();
            let nodes = take(self.nodes.iter_from(self.nodes_done), limit, size);
            self.nodes_done = nodes.last().map_or(self.nodes_done, |(next, _)| *next);
            self.finished = self.nodes.iter_from(self.nodes_done).next().is_none();
            Chunk::Nodes(nodes.into_iter().map(|(_, slot)| self.record(slot)).collect())
        };
        let bytes = codec::encode(&chunk);
        self.nodes.release_before(self.nodes_done);
        Some((bytes, self.finished))
    }

    fn record<'a>(&self, slot: &'a Slot) -> Record<'a> {
        let number = |slot| if slot == NONE { NONE } else { self.nodes.number(slot) };
        Record {
            parent: number(slot.parent),
            next: number(slot.next),
            acl: self.acls.number(slot.acl),
            name: Cow::Borrowed(&slot.name),
            data: slot.data.clone(),
            stat: slot.stat,
        }
    }
}

impl Default for StateBuilder {
    fn default() -> Self {
        Self { state: State::without_nodes() }
    }
}

impl StateBuilder {
    /// Adds a chunk. They must come in the order in which they were handed out.
    ///
    /// # Errors
    /// If the bytes are not a chunk, or not one that can come now.
    pub fn add(&mut self, chunk: &[u8]) -> Result<(), DecodeError> {
        let state = &mut self.state;
        match codec::decode(chunk)? {
            Chunk::NextMembers(members) => state.next_members = Some(members),
            Chunk::Sessions(sessions) => {
                for (session, timeout) in sessions {
                    let old = state.sessions.insert(session, timeout);
                    is(old.is_none())?;
                    state.account_session(session, None, Some(timeout));
                }
            }
            Chunk::Acls(lists) => {
                for list in lists {
                    let list: Arc<[Acl]> = list.into_owned().into();
                    is(!state.acls.contains(&list))?;
                    state.acls.add(list);
                }
            }
            Chunk::Nodes(records) => {
                for Record { parent, next, acl, name, data, stat } in records {
                    let is_root = state.tree.len() == 0;
                    is(name.is_empty() == is_root && !name.contains('/'))?;
                    is((parent == NONE) == is_root && (!is_root || next == NONE))?;
                    is((acl as usize) < state.acls.len())?;
                    state.acls.share(acl);
                    let name = name.into_owned().into();
                    state.tree.insert(Slot { parent, next, ..Slot::new(name, 0, data, acl, stat) });
                }
            }
        }
        Ok(())
    }

    /// The state, when all chunks are there.
    ///
    /// # Errors
    /// If the chunks do not make a state: nodes that are not a tree, names that occur twice, lists
    /// that no node has.
    pub fn finish(mut self) -> Result<State, DecodeError> {
        self.link()?;
        self.derive()?;
        let mut state = self.state;
        is(state.acls.uses().all(|(_, nodes)| nodes > 0))?;
        state.quotas = Quotas::recomputed(&state.tree);
        Ok(state)
    }

    /// Completes the links of which the records hold half.
    fn link(&mut self) -> Result<(), DecodeError> {
        let tree = &mut self.state.tree;
        let count = u32::try_from(tree.len()).map_err(|_| DecodeError)?;
        is(count > 0)?;
        for slot in 1..count {
            let Slot { parent, next, .. } = *tree.get(slot);
            is(parent < count && (next < count || next == NONE))?;
            tree.get_mut(parent).children += 1;
            if next != NONE {
                let next = tree.get_mut(next);
                is(next.previous == NONE && next.parent == parent)?;
                next.previous = slot;
            }
        }
        for slot in 1..count {
            let Slot { parent, previous, .. } = *tree.get(slot);
            if previous == NONE {
                let parent = tree.get_mut(parent);
                is(parent.first_child == NONE)?;
                parent.first_child = slot;
            }
        }
        Ok(())
    }

    /// Walks from the root and derives what is kept of each node. A node is reached only from the
    /// one before it, or as the first child of its parent: so the walk ends, and what it does not
    /// reach hangs in a circle.
    fn derive(&mut self) -> Result<(), DecodeError> {
        let state = &mut self.state;
        state.tree.reserve();
        let mut path = alloc::string::String::from("/");
        let mut reached = 0;
        // The nodes on the way to here, with the length and the CRC of their paths.
        let mut above: Vec<(u32, usize, u32)> = Vec::new();
        let mut next = ROOT;
        while next != NONE {
            reached += 1;
            let at = next;
            let (length, crc) = above.last().map_or((0, 0), |(_, length, crc)| (*length, *crc));
            let name = &state.tree.get(at).name;
            let mut here = crc;
            if at != ROOT {
                path.truncate(length);
                path.push('/');
                path.push_str(name);
                here = digest::extend(crc, &path.as_bytes()[length..]);
            }
            let prefix = digest::extend(here, state.tree.get(at).data());
            state.tree.get_mut(at).prefix = prefix;
            is(at == ROOT || state.tree.enter(at))?;
            state.account(&path, at, true);
            next = state.tree.get(at).first_child;
            if next != NONE {
                above.push((at, if at == ROOT { 0 } else { path.len() }, here));
                continue;
            }
            let mut last = at;
            while next == NONE {
                next = if last == ROOT { NONE } else { state.tree.get(last).next };
                if next != NONE {
                    break;
                }
                let Some((parent, ..)) = above.pop() else { break };
                last = parent;
            }
        }
        is(reached == state.tree.len())
    }
}

fn is(right: bool) -> Result<(), DecodeError> {
    if right { Ok(()) } else { Err(DecodeError) }
}
