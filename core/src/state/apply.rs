//! What transactions do to the state (client.md sections 11 and 23.2), what they trigger (sections 9.3
//! and 10.3) and what their clients are answered.
//!
//! Applying a transaction again, or a piece of history again from its beginning, leads to the same
//! state: a node that is there already is not created, one that is not there is not deleted, and what
//! a parent counts of its children only moves forward (ZOOKEEPER-3125, ZOOKEEPER-3249).

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::digest::{self, StoredStat};
use super::quota;
use super::tree::{NONE, Slot};
use super::{Node, Owner, State, path, session_digest};
use crate::identity::{Bytes, Zxid};
use crate::membership::CONFIG_PATH;
use crate::mutated;
use crate::wire::{Acl, Change, ErrorCode, EventType, MultiResult, OpCode, SessionId, Stat, Transaction};

/// Something happened to a node, and whoever watches it wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trigger<'a> {
    /// What happened. A deleted node is told once here, to both tables of watches.
    pub event: EventType,
    /// The node.
    pub path: &'a str,
    /// Its access control list; the last one of a deleted node.
    pub acl: &'a [Acl],
    /// The transaction.
    pub zxid: Zxid,
}

/// What a transaction came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done, and there is nothing to say: a deletion, a check.
    Nothing,
    /// The node was created.
    Created(String, Stat),
    /// The data were set.
    SetData(Stat),
    /// The ensemble was changed: what the node says now.
    Reconfig(Bytes, Stat),
    /// The access control list was set.
    SetAcl(Stat),
    /// The session began.
    SessionCreated,
    /// The session ended.
    SessionClosed,
    /// It was refused: the code.
    Error(i32),
    /// What each operation came to.
    Multi(Vec<MultiResult>),
}

/// What all changes of a transaction share.
#[derive(Clone, Copy)]
struct Context {
    session: SessionId,
    zxid: Zxid,
    time: i64,
}

impl Context {
    fn zxid(&self) -> i64 {
        self.zxid.0.cast_signed()
    }
}

type Notify<'a> = &'a mut dyn FnMut(Trigger<'_>);

impl From<ErrorCode> for Outcome {
    fn from(code: ErrorCode) -> Self {
        Self::Error(code.code())
    }
}

impl State {
    /// Applies one transaction, and hands everything that it triggers to `notify`, in order.
    pub fn apply(&mut self, transaction: &Transaction, notify: Notify<'_>) -> Outcome {
        let Transaction { session, zxid, time, .. } = *transaction;
        let context = Context { session, zxid, time };
        let Change::Multi(changes) = &transaction.change else {
            return self.apply_change(context, &transaction.change, notify);
        };
        if changes.iter().any(|change| matches!(change, Change::Error(_))) {
            let refused = |change: &Change| match change {
                Change::Error(code) => MultiResult::Error(*code),
                _ => MultiResult::Error(0),
            };
            return Outcome::Multi(changes.iter().map(refused).collect());
        }
        let results = changes.iter().map(|change| match self.apply_change(context, change, notify) {
            Outcome::Created(path, _) if change.kind() == OpCode::Create.code() => MultiResult::Create(path),
            Outcome::Created(path, stat) => MultiResult::Create2(path, stat),
            Outcome::SetData(stat) => MultiResult::SetData(stat),
            Outcome::Error(code) => MultiResult::Error(code),
            _ if change.kind() == OpCode::Check.code() => MultiResult::Check,
            _ => MultiResult::Delete,
        });
        Outcome::Multi(results.collect())
    }

    fn apply_change(&mut self, context: Context, change: &Change, notify: Notify<'_>) -> Outcome {
        match change {
            Change::CreateSession { timeout } => {
                let old = self.sessions.insert(context.session, *timeout);
                self.account_session(context.session, old, Some(*timeout));
                Outcome::SessionCreated
            }
            Change::CloseSession { paths } => {
                for path in paths {
                    self.delete(context, path, notify);
                }
                let old = self.sessions.remove(&context.session);
                self.account_session(context.session, old, None);
                Outcome::SessionClosed
            }
            Change::Create { path, .. } => match self.create(context, change, notify) {
                Ok(number) => Outcome::Created(path.clone(), Node::new(self, number).stat()),
                Err(code) => code.into(),
            },
            Change::Delete { path, .. } => self.delete(context, path, notify),
            Change::SetData { path, data, version } => {
                match self.set_data(context, path, data.clone(), *version, notify) {
                    Some(stat) => Outcome::SetData(stat),
                    None => ErrorCode::NoNode.into(),
                }
            }
            Change::NextMembers { data } => {
                self.next_members = Some(data.clone());
                Outcome::Nothing
            }
            Change::Reconfig { data } => {
                self.next_members = None;
                match self.set_data(context, CONFIG_PATH, Some(data.clone()), -1, notify) {
                    Some(stat) => Outcome::Reconfig(data.clone(), stat),
                    None => ErrorCode::NoNode.into(),
                }
            }
            Change::SetAcl { path, acl, version } => {
                let Some(number) = self.tree.find(path) else { return ErrorCode::NoNode.into() };
                let list = self.acls.take(acl);
                self.acls.release(self.tree.get(number).acl);
                self.change(path, number, |slot| {
                    slot.acl = list;
                    slot.stat.aversion = *version;
                });
                Outcome::SetAcl(Node::new(self, number).stat())
            }
            Change::Check { .. } => Outcome::Nothing,
            Change::Error(code) => Outcome::Error(*code),
            // Transactions do not nest, decoding sees to it.
            Change::Multi(_) => ErrorCode::SystemError.into(),
        }
    }

    fn set_data(
        &mut self,
        context: Context,
        path: &str,
        data: Option<Bytes>,
        version: i32,
        notify: Notify<'_>,
    ) -> Option<Stat> {
        let number = self.tree.find(path)?;
        self.change(path, number, |slot| {
            slot.data = data;
            let (mzxid, mtime) = (context.zxid(), context.time);
            slot.stat = StoredStat { mzxid, mtime, version, ..slot.stat };
        });
        self.trigger(EventType::NodeDataChanged, path, number, context.zxid, notify);
        Some(Node::new(self, number).stat())
    }

    fn create(&mut self, context: Context, change: &Change, notify: Notify<'_>) -> Result<u32, ErrorCode> {
        let Change::Create { op, path, data, acl, ephemeral, parent_cversion, ttl } = change else {
            unreachable!("only creations are created")
        };
        let above = path::parent(path).ok_or(ErrorCode::NodeExists)?;
        if path::name(path).is_empty() {
            return Err(ErrorCode::BadArguments);
        }
        let parent = self.tree.find(above).ok_or(ErrorCode::NoNode)?;
        let exists = self.tree.child(parent, path::name(path)).is_some();
        self.change(above, parent, |slot| {
            let stat = &mut slot.stat;
            // Forward, also where the number wraps.
            if mutated!(M91) {
                stat.cversion = slot.children.cast_signed() + 1;
            } else if parent_cversion.wrapping_sub(stat.cversion) > 0 {
                stat.cversion = *parent_cversion;
            }
            stat.pzxid = stat.pzxid.max(context.zxid());
        });
        if exists {
            return Err(ErrorCode::NodeExists);
        }
        let owner = match op {
            OpCode::CreateContainer => Owner::Container,
            OpCode::CreateTtl => Owner::TimeToLive(*ttl),
            _ if *ephemeral => Owner::Session(context.session),
            _ => Owner::Nobody,
        };
        let stat = StoredStat::created(context.zxid(), context.time, owner);
        let number = self.insert(parent, path, data.clone(), acl, stat);
        self.trigger(EventType::NodeCreated, path, number, context.zxid, notify);
        self.trigger(EventType::NodeChildrenChanged, above, parent, context.zxid, notify);
        Ok(number)
    }

    fn delete(&mut self, context: Context, path: &str, notify: Notify<'_>) -> Outcome {
        let Some(above) = path::parent(path) else { return ErrorCode::BadArguments.into() };
        let Some(parent) = self.tree.find(above) else { return ErrorCode::NoNode.into() };
        let found = self.tree.child(parent, path::name(path));
        // Raised also if the child has gone already: somebody may ask whether there were changes
        // since then (ZOOKEEPER-3125).
        self.change(above, parent, |slot| slot.stat.pzxid = slot.stat.pzxid.max(context.zxid()));
        let Some(number) = found else { return ErrorCode::NoNode.into() };
        let acl = self.acls.get(self.tree.get(number).acl).clone();
        self.remove(path, number);
        notify(Trigger { event: EventType::NodeDeleted, path, acl: &acl, zxid: context.zxid });
        self.trigger(EventType::NodeChildrenChanged, above, parent, context.zxid, notify);
        Outcome::Nothing
    }

    fn trigger(&self, event: EventType, path: &str, number: u32, zxid: Zxid, notify: Notify<'_>) {
        let acl = self.acls.get(self.tree.get(number).acl);
        notify(Trigger { event, path, acl, zxid });
    }

    /// Puts a new node below its parent. What the parent stores does not change here.
    pub(super) fn insert(
        &mut self,
        parent: u32,
        path: &str,
        data: Option<Bytes>,
        acl: &[Acl],
        stat: StoredStat,
    ) -> u32 {
        let prefix = digest::digest_prefix(path, data.as_deref().unwrap_or_default());
        let acl = self.acls.take(acl);
        let number = self.tree.insert(Slot::new(path::name(path).into(), prefix, data, acl, stat));
        self.tree.link(number, parent);
        self.account(path, number, true);
        self.quotas.charge(path, 1, quota::length(self.tree.get(number)));
        self.quotas.changed(&self.tree, path);
        number
    }

    /// Takes out a node, with whatever is below it: nothing, unless history is applied again over
    /// what came later. That comes again too.
    fn remove(&mut self, path: &str, number: u32) {
        loop {
            let mut leaf = number;
            while self.tree.get(leaf).first_child != NONE {
                leaf = self.tree.get(leaf).first_child;
            }
            if leaf == number {
                return self.remove_leaf(path, number);
            }
            self.remove_leaf(&self.tree.path(leaf), leaf);
        }
    }

    fn remove_leaf(&mut self, path: &str, number: u32) {
        self.account(path, number, false);
        self.quotas.charge(path, -1, -quota::length(self.tree.get(number)));
        let slot = self.tree.remove(number);
        self.acls.release(slot.acl);
        self.quotas.changed(&self.tree, path);
    }

    /// Changes a node, but neither its name nor its links.
    pub(super) fn change(&mut self, path: &str, number: u32, change: impl FnOnce(&mut Slot)) {
        let slot = self.tree.get_mut(number);
        let (data, length) = (slot.data.clone(), quota::length(slot));
        let before = digest::node_digest(slot.prefix, &slot.stat);
        change(slot);
        if data != slot.data {
            slot.prefix = digest::digest_prefix(path, slot.data());
            let grown = quota::length(slot) - length;
            self.data_size += grown;
            self.quotas.charge(path, 0, grown);
        }
        let slot = self.tree.get(number);
        if digest::is_digested(path) {
            let after = digest::node_digest(slot.prefix, &slot.stat);
            self.node_digest = self.node_digest.wrapping_sub(before).wrapping_add(after);
        }
    }

    /// Adds a node to what is kept beside the tree, or takes it away.
    pub(super) fn account(&mut self, path: &str, number: u32, is_there: bool) {
        let slot = self.tree.get(number);
        let (size, mut digest) = (super::size(path, slot), 0);
        if digest::is_digested(path) {
            digest = digest::node_digest(slot.prefix, &slot.stat);
        }
        if is_there {
            self.data_size += size;
            self.node_digest = self.node_digest.wrapping_add(digest);
        } else {
            self.data_size -= size;
            self.node_digest = self.node_digest.wrapping_sub(digest);
        }
        match Owner::from_stored(slot.stat.ephemeral_owner) {
            Owner::Nobody => {}
            Owner::Session(session) => mark(&mut self.ephemerals, (session, number), is_there),
            Owner::Container | Owner::TimeToLive(_) => mark(&mut self.mortal, number, is_there),
        }
    }

    pub(super) fn account_session(&mut self, session: SessionId, before: Option<i32>, after: Option<i32>) {
        let digest = |timeout: Option<i32>| timeout.map_or(0, |timeout| session_digest(session, timeout));
        self.session_digest = self.session_digest.wrapping_sub(digest(before)).wrapping_add(digest(after));
    }
}

fn mark<T: Ord>(set: &mut BTreeSet<T>, item: T, is_in: bool) {
    if is_in {
        set.insert(item);
    } else {
        set.remove(&item);
    }
}
