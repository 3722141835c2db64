//! The writes of client.md section 5, naively: one after the other, on a map of whole nodes, which a
//! multi copies before it begins. Quotas are counted whenever somebody asks.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;

use super::*;
use crate::identity::Bytes;
use crate::state::{QuotaLimits, StoredStat, path};
use crate::wire::{CreateMode, Write};

#[derive(Clone)]
struct Node {
    data: Option<Bytes>,
    acl: Vec<Acl>,
    stat: StoredStat,
}

#[derive(Clone)]
pub(super) struct Model {
    nodes: BTreeMap<String, Node>,
    sessions: BTreeSet<SessionId>,
    zxid: Zxid,
    time: i64,
    /// The nodes before the transaction, which quotas go by.
    before: BTreeMap<String, Node>,
}

type Done = Result<Change, ErrorCode>;

fn demand(holds: bool, otherwise: ErrorCode) -> Result<(), ErrorCode> {
    if holds { Ok(()) } else { Err(otherwise) }
}

fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((parent, _)) => parent,
    }
}

fn length(data: Option<&Bytes>) -> i64 {
    data.map_or(0, |data| i64::try_from(data.len()).unwrap())
}

impl Model {
    pub(super) fn new() -> Self {
        let nodes = ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"].map(|path| {
            let is_config = path == "/zookeeper/config";
            let perms = if is_config { Permissions::READ } else { Permissions::ALL };
            let stat = StoredStat { aversion: if is_config { -1 } else { 0 }, ..StoredStat::default() };
            (
                path.into(),
                Node { data: Some(Bytes::default()), acl: vec![acl(perms, "world", "anyone")], stat },
            )
        });
        let (nodes, sessions) = (BTreeMap::from(nodes), BTreeSet::new());
        Self { before: BTreeMap::clone(&nodes), nodes, sessions, zxid: Zxid::ZERO, time: 0 }
    }

    /// Whether the state has the same nodes.
    pub(super) fn assert_equals(&self, state: &State) {
        assert_eq!(state.node_count(), self.nodes.len());
        assert_eq!(state.sessions().map(|(session, _)| session).collect::<BTreeSet<_>>(), self.sessions);
        for (path, Node { data, acl, stat }) in &self.nodes {
            let node = state.node(path).unwrap_or_else(|| panic!("{path} is missing"));
            assert_eq!((node.acl(), node.stored()), (&acl[..], stat), "{path}");
            // What a stats node shows is the state's own affair.
            assert!(node.data() == *data || path.ends_with("zookeeper_stats"), "{path}");
        }
    }

    pub(super) fn execute(&mut self, request: &WriteRequest, transaction: &Transaction) -> Change {
        (self.zxid, self.time) = (transaction.zxid, transaction.time);
        self.before = self.nodes.clone();
        let op = OpCode::from_code(request.op).expect("the test knows the operations");
        let done = match Write::decode(op, &request.body) {
            _ if request.session != LEADER && !self.sessions.contains(&request.session) => {
                Err(ErrorCode::SessionExpired)
            }
            Err(error) => Err(error),
            Ok(Write::Multi(writes)) => self.multi(request, writes),
            Ok(Write::CreateSession(timeout)) => {
                self.sessions.insert(transaction.session);
                Ok(Change::CreateSession { timeout })
            }
            Ok(write) => self.write(request, write),
        };
        done.unwrap_or_else(|error| Change::Error(error.code()))
    }

    fn multi(&mut self, request: &WriteRequest, writes: Vec<Write>) -> Done {
        let (before, count) = (self.clone(), writes.len());
        let mut changes = Vec::new();
        for write in writes {
            match self.write(request, write) {
                Ok(change) => changes.push(change),
                Err(error) => {
                    *self = before;
                    demand(error != ErrorCode::MarshallingError, error)?;
                    let mut errors = vec![Change::Error(0); changes.len()];
                    errors.push(Change::Error(error.code()));
                    errors.resize(count, Change::Error(ErrorCode::RuntimeInconsistency.code()));
                    return Ok(Change::Multi(errors));
                }
            }
        }
        Ok(Change::Multi(changes))
    }

    fn write(&mut self, request: &WriteRequest, write: Write) -> Done {
        let is_path = |path: &str| demand(path::validate(path).is_ok(), ErrorCode::BadArguments);
        match write {
            Write::Create { op, create, ttl } => self.create(request, op, create, ttl),
            Write::Delete(Delete { path, version }) => {
                let removable = path.contains('/')
                    && !["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"].contains(&&*path);
                demand(removable, ErrorCode::BadArguments)?;
                self.permitted(request, parent(&path), Permissions::DELETE)?;
                self.versioned(&path, version, |stat| stat.version)?;
                demand(self.children(&path) == 0, ErrorCode::NotEmpty)?;
                self.remove(&path);
                Ok(Change::Delete { op: OpCode::Delete, path })
            }
            Write::DeleteContainer(path) => {
                let node = self.nodes.get(&path).ok_or(ErrorCode::BadArguments)?;
                let owner = node.stat.ephemeral_owner;
                let past = match owner.cast_unsigned() >> 56 {
                    0x80 => node.stat.cversion > 0,
                    0xff => self.time - node.stat.mtime > owner & 0xff_ffff_ffff,
                    _ => false,
                };
                demand(past && self.children(&path) == 0, ErrorCode::BadArguments)?;
                self.remove(&path);
                Ok(Change::Delete { op: OpCode::DeleteContainer, path })
            }
            Write::SetData(SetData { path, data, version }) => {
                is_path(&path)?;
                let before = self.permitted(request, &path, Permissions::WRITE)?;
                self.check_quota(&path, 0, length(data.as_ref()) - length(before.data.as_ref()))?;
                let version = self.versioned(&path, version, |stat| stat.version)?;
                let (mzxid, mtime) = (self.zxid.0.cast_signed(), self.time);
                let node = self.nodes.get_mut(&path).unwrap();
                node.stat = StoredStat { mzxid, mtime, version, ..node.stat };
                node.data = data.clone();
                Ok(Change::SetData { path, data, version })
            }
            Write::SetAcl(SetAcl { path, acl, version }) => {
                is_path(&path)?;
                let acl = crate::auth::checked_acl(&settings(), acl, &request.identities)?;
                self.permitted(request, &path, Permissions::ADMIN)?;
                let version = self.versioned(&path, version, |stat| stat.aversion)?;
                let node = self.nodes.get_mut(&path).unwrap();
                (node.acl, node.stat.aversion) = (acl.clone(), version);
                Ok(Change::SetAcl { path, acl, version })
            }
            Write::Check(CheckVersion { path, version }) => {
                is_path(&path)?;
                self.permitted(request, &path, Permissions::READ)?;
                let version = self.versioned(&path, version, |stat| stat.version)?;
                Ok(Change::Check { path, version })
            }
            Write::CloseSession => {
                let owned = |(_, node): &(&String, &Node)| node.stat.ephemeral_owner == request.session.0;
                let owned = self.nodes.iter().filter(owned).map(|(path, _)| path.clone());
                let paths: Vec<_> = owned.collect();
                for path in &paths {
                    self.remove(path);
                }
                self.sessions.remove(&request.session);
                Ok(Change::CloseSession { paths })
            }
            other => panic!("the test does not ask for {other:?}"),
        }
    }

    fn create(&mut self, request: &WriteRequest, op: OpCode, create: Create, ttl: i64) -> Done {
        let mode = CreateMode::from_flags(create.flags, op)?;
        demand(mode.ttl == (ttl > 0), ErrorCode::BadArguments)?;
        let mut path = create.path;
        demand(path.contains('/'), ErrorCode::BadArguments)?;
        let above = String::from(parent(&path));
        let acl = crate::auth::checked_acl(&settings(), create.acl, &request.identities)?;
        let parent = self.permitted(request, &above, Permissions::CREATE)?;
        if mode.sequential {
            path += &format!("{:010}", parent.stat.cversion);
        }
        demand(path::validate(&path).is_ok(), ErrorCode::BadArguments)?;
        demand(!self.nodes.contains_key(&path), ErrorCode::NodeExists)?;
        let ends = parent.stat.ephemeral_owner.cast_unsigned() >> 56;
        let is_ephemeral = parent.stat.ephemeral_owner != 0 && ends != 0x80 && ends != 0xff;
        demand(!is_ephemeral, ErrorCode::NoChildrenForEphemerals)?;
        self.check_quota(&path, 1, length(create.data.as_ref()))?;
        let (op, ephemeral_owner) = match mode {
            CreateMode { ephemeral: true, .. } => (op, request.session.0),
            CreateMode { container: true, .. } => (OpCode::CreateContainer, i64::MIN),
            CreateMode { ttl: true, .. } => (op, -1 << 56 | ttl),
            _ => (op, 0),
        };
        let zxid = self.zxid.0.cast_signed();
        let stat = StoredStat {
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: self.time,
            mtime: self.time,
            ephemeral_owner,
            ..StoredStat::default()
        };
        let data = create.data;
        self.nodes.insert(path.clone(), Node { data: data.clone(), acl: acl.clone(), stat });
        let parent = &mut self.nodes.get_mut(&above).unwrap().stat;
        parent.pzxid = zxid;
        parent.cversion += 1;
        let parent_cversion = parent.cversion;
        Ok(Change::Create { op, path, data, acl, ephemeral: mode.ephemeral, parent_cversion, ttl })
    }

    fn remove(&mut self, path: &str) {
        self.nodes.remove(path);
        self.nodes.get_mut(parent(path)).unwrap().stat.pzxid = self.zxid.0.cast_signed();
    }

    fn children(&self, path: &str) -> usize {
        self.nodes.keys().filter(|child| *child != "/" && parent(child) == path).count()
    }

    fn permitted(&self, request: &WriteRequest, path: &str, wanted: i32) -> Result<Node, ErrorCode> {
        let node = self.nodes.get(path).ok_or(ErrorCode::NoNode)?;
        demand(crate::auth::permits(&node.acl, wanted, &request.identities), ErrorCode::NoAuth)?;
        Ok(node.clone())
    }

    fn versioned(&self, path: &str, expected: i32, of: fn(&StoredStat) -> i32) -> Result<i32, ErrorCode> {
        let present = of(&self.nodes.get(path).ok_or(ErrorCode::NoNode)?.stat);
        demand(expected == -1 || expected == present, ErrorCode::BadVersion)?;
        Ok(present + 1)
    }

    fn check_quota(&self, path: &str, count: i64, bytes: i64) -> Result<(), ErrorCode> {
        let mut top = path;
        let limits = loop {
            match self.before.get(&format!("/zookeeper/quota{top}/zookeeper_limits")) {
                Some(limits) => break QuotaLimits::parse(limits.data.as_deref().unwrap_or_default()),
                None if top == "/" => return Ok(()),
                None => top = parent(top),
            }
        };
        demand(!limits.unreadable, ErrorCode::MarshallingError)?;
        let below = format!("{top}/");
        let inside = self.before.iter().filter(|(path, _)| *path == top || path.starts_with(&below));
        let used =
            inside.fold((0, 0), |(count, bytes), (_, node)| (count + 1, bytes + length(node.data.as_ref())));
        let fits = |limit: Option<i64>, used: i64, more: i64| {
            more == 0 || limit.is_none_or(|limit| used + more <= limit)
        };
        let fits = fits(limits.count_hard, used.0, count) && fits(limits.bytes_hard, used.1, bytes);
        let stats = format!("/zookeeper/quota{top}/zookeeper_stats");
        demand(fits || !self.nodes.contains_key(&stats), ErrorCode::QuotaExceeded)
    }
}
