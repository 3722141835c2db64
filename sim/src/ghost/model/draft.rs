//! Changes of the model that are not made yet: a write that fails in the middle leaves nothing.

use std::sync::Arc;

use zabrus_core::Zxid;
use zabrus_core::wire::{Acl, EventType};

use super::node::{Node, parent};
use super::{Model, Trigger};

/// The model's last state, and changes over it.
pub(super) struct Draft<'a> {
    pub(super) model: &'a Model,
    pub(super) zxid: Zxid,
    pub(super) time: i64,
    pub(super) changed: Vec<(String, Option<Arc<Node>>)>,
    pub(super) triggers: Vec<Trigger>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(model: &'a Model, zxid: Zxid, time: i64) -> Self {
        Self { model, zxid, time, changed: Vec::new(), triggers: Vec::new() }
    }

    pub(super) fn node(&self, path: &str) -> Option<&Arc<Node>> {
        match self.changed.iter().rev().find(|(changed, _)| changed == path) {
            Some((_, node)) => node.as_ref(),
            None => self.model.now(path),
        }
    }

    fn put(&mut self, path: &str, node: Option<Node>) {
        let node = node.map(Arc::new);
        match self.changed.iter_mut().find(|(changed, _)| changed == path) {
            Some((_, old)) => *old = node,
            None => self.changed.push((path.to_owned(), node)),
        }
    }

    /// Changes a node that is there.
    pub(super) fn change(&mut self, path: &str, change: impl FnOnce(&mut Node)) -> Node {
        let mut node = Node::clone(self.node(path).expect("it was looked up before"));
        change(&mut node);
        self.put(path, Some(node.clone()));
        node
    }

    fn trigger(&mut self, event: EventType, path: &str, acl: Arc<[Acl]>) {
        self.triggers.push(Trigger { zxid: self.zxid, event, path: path.into(), acl, unordered: false });
    }

    pub(super) fn create(&mut self, path: &str, node: Node) {
        let acl = node.acl.clone();
        self.put(path, Some(node));
        let pzxid = self.zxid.0.cast_signed();
        let above = self.change(parent(path), |parent| {
            parent.cversion = parent.cversion.wrapping_add(1);
            parent.children += 1;
            parent.pzxid = pzxid;
        });
        self.trigger(EventType::NodeCreated, path, acl);
        self.trigger(EventType::NodeChildrenChanged, parent(path), above.acl);
    }

    pub(super) fn delete(&mut self, path: &str) {
        let acl = self.node(path).expect("it was looked up before").acl.clone();
        self.put(path, None);
        let pzxid = self.zxid.0.cast_signed();
        let above = self.change(parent(path), |parent| {
            parent.children -= 1;
            parent.pzxid = pzxid;
        });
        self.trigger(EventType::NodeDeleted, path, acl);
        self.trigger(EventType::NodeChildrenChanged, parent(path), above.acl);
    }

    pub(super) fn set_data(&mut self, path: &str, change: impl FnOnce(&mut Node)) -> Node {
        let (zxid, time) = (self.zxid.0.cast_signed(), self.time);
        let node = self.change(path, |node| {
            change(node);
            node.version = node.version.wrapping_add(1);
            (node.mzxid, node.mtime) = (zxid, time);
        });
        self.trigger(EventType::NodeDataChanged, path, node.acl.clone());
        node
    }
}
