//! The service as a naive second implementation has it, kept for every committed transaction: the model
//! M of invariants.md section 1. Written from client.md alone, it shares nothing with the core
//! but the records on the wire. It executes requests; transactions are only compared with its own.

mod acl;
mod draft;
mod node;
mod quota;
mod read;
mod reconfig;
mod write;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use zabrus_core::Zxid;
use zabrus_core::config::ServiceSettings;
use zabrus_core::wire::{Acl, EventType, Id, Permissions, SessionId};

pub use acl::permits;
pub use node::{Node, is_within, parent};
pub use read::{Answer, answers, own, same};
pub use reconfig::ensemble;
pub use write::{Executed, Request};

/// Every version of every node, every session, and everything that a watch could see.
#[derive(Clone, Debug)]
pub struct Model {
    settings: Arc<ServiceSettings>,
    nodes: BTreeMap<String, Vec<Version>>,
    /// The names of all children that a node ever had.
    names: BTreeMap<String, BTreeSet<String>>,
    /// The paths of all ephemeral nodes that a session ever had.
    owned: BTreeMap<SessionId, BTreeSet<String>>,
    sessions: BTreeMap<SessionId, Session>,
    /// The digest of tree and sessions before the first transaction, and after each.
    digests: Vec<u64>,
    triggers: Vec<Trigger>,
    /// The members that are announced.
    announced: Option<String>,
}

type Version = (Zxid, Option<Arc<Node>>);

/// A session's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its timeout in milliseconds, as it was created.
    pub timeout: i32,
    /// Its createSession.
    pub created: Zxid,
    /// Its closeSession.
    pub closed: Option<Zxid>,
}

/// What happened to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// The transaction.
    pub zxid: Zxid,
    /// What it did.
    pub event: EventType,
    /// To which node.
    pub path: Arc<str>,
    /// Who may read of it.
    pub acl: Arc<[Acl]>,
    /// It is one of several that a closeSession causes in any order.
    pub unordered: bool,
}

/// The list that most nodes have: everybody may do everything.
#[must_use]
pub fn open_acl() -> Vec<Acl> {
    vec![anyone(Permissions::ALL)]
}

fn anyone(perms: i32) -> Acl {
    Acl { perms, id: Id { scheme: "world".into(), id: "anyone".into() } }
}

impl Model {
    /// A fresh ensemble.
    #[must_use]
    pub fn new(settings: ServiceSettings) -> Self {
        let open: Arc<[Acl]> = open_acl().into();
        let plain = |children| Node {
            data: Some(Arc::from(&b""[..])),
            acl: open.clone(),
            czxid: 0,
            mzxid: 0,
            pzxid: 0,
            ctime: 0,
            mtime: 0,
            version: 0,
            cversion: 0,
            aversion: 0,
            owner: 0,
            children,
        };
        let data = Some(settings.ensemble_text.as_bytes().into());
        let acl = vec![anyone(Permissions::READ)].into();
        let config = Node { data, acl, aversion: -1, ..plain(0) };
        let mut model = Self {
            settings: Arc::new(settings),
            nodes: BTreeMap::new(),
            names: BTreeMap::new(),
            owned: BTreeMap::new(),
            sessions: BTreeMap::new(),
            digests: Vec::new(),
            triggers: Vec::new(),
            announced: None,
        };
        let first = [
            ("/", plain(1)),
            ("/zookeeper", plain(2)),
            ("/zookeeper/quota", plain(0)),
            ("/zookeeper/config", config),
        ];
        model.digests.push(first.iter().fold(0, |sum, (path, node)| node.digest(path).wrapping_add(sum)));
        for (path, node) in first {
            model.put(Zxid::ZERO, path.to_owned(), Some(Arc::new(node)));
        }
        model
    }

    /// The settings of the service.
    #[must_use]
    pub fn settings(&self) -> &ServiceSettings {
        &self.settings
    }

    fn put(&mut self, zxid: Zxid, path: String, node: Option<Arc<Node>>) {
        if path != "/" && !self.nodes.contains_key(&path) {
            let name = path[path.rfind('/').map_or(0, |slash| slash + 1)..].to_owned();
            self.names.entry(parent(&path).to_owned()).or_default().insert(name);
        }
        if let Some(node) = node.as_ref().filter(|node| node.is_ephemeral()) {
            self.owned.entry(SessionId(node.owner)).or_default().insert(path.clone());
        }
        let versions = self.nodes.entry(path).or_default();
        match versions.last_mut() {
            Some((at, version)) if *at == zxid && zxid != Zxid::ZERO => *version = node,
            _ => versions.push((zxid, node)),
        }
    }

    /// The node at `path` after the last transaction up to `zxid`.
    #[must_use]
    pub fn at(&self, path: &str, zxid: Zxid) -> Option<&Arc<Node>> {
        let versions = self.nodes.get(path)?;
        let node = match versions.last() {
            Some((since, node)) if *since <= zxid => node,
            _ => &versions[..versions.partition_point(|(since, _)| *since <= zxid)].last()?.1,
        };
        node.as_ref()
    }

    /// The node at `path` after everything.
    #[must_use]
    pub fn now(&self, path: &str) -> Option<&Arc<Node>> {
        self.nodes.get(path)?.last()?.1.as_ref()
    }

    /// The names of the children of a node, in ascending order.
    pub fn children(&self, path: &str, zxid: Zxid) -> impl Iterator<Item = &str> {
        let mut child = if path == "/" { String::new() } else { path.to_owned() };
        child.push('/');
        let length = child.len();
        self.names.get(path).into_iter().flatten().map(String::as_str).filter(move |name| {
            child.truncate(length);
            child.push_str(name);
            self.at(&child, zxid).is_some()
        })
    }

    /// All nodes below a node and itself.
    pub fn subtree<'a>(
        &'a self,
        root: &'a str,
        zxid: Zxid,
    ) -> impl Iterator<Item = (&'a str, &'a Arc<Node>)> {
        let within = self.nodes.range(root.to_owned()..).take_while(move |(path, _)| path.starts_with(root));
        within
            .filter(move |(path, _)| is_within(path, root))
            .filter_map(move |(path, _)| Some((path.as_str(), self.at(path, zxid)?)))
    }

    /// The ephemeral nodes of a session, in ascending order.
    pub fn ephemerals(&self, session: SessionId, zxid: Zxid) -> impl Iterator<Item = &str> {
        let paths = self.owned.get(&session).into_iter().flatten().map(String::as_str);
        paths.filter(move |path| self.at(path, zxid).is_some_and(|node| node.owner == session.0))
    }

    /// A session that ever was.
    #[must_use]
    pub fn session(&self, session: SessionId) -> Option<&Session> {
        self.sessions.get(&session)
    }

    /// Every session that ever was, with its life.
    pub fn lives(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.sessions.iter().map(|(id, session)| (*id, session))
    }

    /// The sessions after everything, with their timeouts.
    pub fn sessions(&self) -> impl Iterator<Item = (SessionId, i32)> {
        let alive = self.sessions.iter().filter(|(_, session)| session.closed.is_none());
        alive.map(|(id, session)| (*id, session.timeout))
    }

    /// Whether a session is there after everything.
    #[must_use]
    pub fn is_alive(&self, session: SessionId) -> bool {
        self.sessions.get(&session).is_some_and(|session| session.closed.is_none())
    }

    /// The digest of tree and sessions after the first `index` transactions.
    #[must_use]
    pub fn digest_at(&self, index: usize) -> u64 {
        self.digests[index]
    }

    /// The digest of tree and sessions after everything.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digests.last().copied().unwrap_or_default()
    }

    /// Everything that a watch could see, in order.
    #[must_use]
    pub fn triggers(&self) -> &[Trigger] {
        &self.triggers
    }
}
