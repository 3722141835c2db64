//! Writes to nodes. Each checks in ZooKeeper's order (client.md section 5): a client sees which of
//! several errors it gets.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Step;
use super::record::Record;
use crate::auth;
use crate::jute;
use crate::membership::CONFIG_PATH;
use crate::mutated;
use crate::state::{Owner, StoredStat, is_digested, path};
use crate::wire::{
    Acl, Change, CheckVersion, Create, CreateMode, Delete, ErrorCode, OpCode, Permissions, SetAcl, SetData,
};

/// Always there (client.md section 16).
const SYSTEM_NODES: [&str; 4] = ["/", "/zookeeper", "/zookeeper/quota", CONFIG_PATH];

/// The longest time to live, in milliseconds.
const LONGEST_TTL: i64 = (1 << 40) - 1;

/// The node under which `path` is created or deleted. It is looked up, and its access control list
/// asked, before anything else about the path is.
fn parent(path: &str) -> Result<&str, ErrorCode> {
    if path == jute::NULL {
        return Err(ErrorCode::MarshallingError);
    }
    match path.rfind('/') {
        Some(slash) if !path.contains('\0') => Ok(&path[..slash.max(1)]),
        _ => Err(ErrorCode::BadArguments),
    }
}

/// The version after `present`, if that is as `expected`. -1 expects any, so no node gets it: nobody
/// could expect it (ZOOKEEPER-4743; 3.9.5 does not have that yet).
fn next_version(present: i32, expected: i32) -> Result<i32, ErrorCode> {
    if expected != -1 && expected != present {
        return Err(ErrorCode::BadVersion);
    }
    match present.wrapping_add(1) {
        -1 if !mutated!(M96) => Ok(0),
        next => Ok(next),
    }
}

impl Step<'_> {
    /// The node as it will be when everything in flight is applied.
    pub(super) fn find(&self, path: &str) -> Option<Record> {
        match self.preparer.nodes.get(path) {
            Some(record) => record.clone(),
            None => self.state.node(path).map(Record::from),
        }
    }

    pub(super) fn node(&self, path: &str) -> Result<Record, ErrorCode> {
        self.find(path).ok_or(ErrorCode::NoNode)
    }

    pub(super) fn permit(&self, node: &Record, wanted: i32) -> Result<(), ErrorCode> {
        auth::check(&self.preparer.settings, &node.acl, wanted, &self.request.identities)
    }

    /// The access control list that a node gets for the one in the request. Many lists in a multi,
    /// each with every identity in place of `auth`, could be more than any frame holds.
    fn acl(&mut self, acl: Option<Vec<Acl>>) -> Result<Vec<Acl>, ErrorCode> {
        let acl = auth::checked_acl(&self.preparer.settings, acl, &self.request.identities)?;
        self.acl_bytes += acl.iter().map(|Acl { id, .. }| id.scheme.len() + id.id.len()).sum::<usize>();
        if self.acl_bytes > self.preparer.settings.frame_limit { Err(ErrorCode::InvalidAcl) } else { Ok(acl) }
    }

    /// What was `before` at `path` will be `after`.
    pub(super) fn put(&mut self, path: &str, before: Option<&Record>, after: Option<Record>) {
        if is_digested(path) {
            let digest = |record: Option<&Record>| record.map_or(0, Record::digest);
            self.adjust_digest(digest(before), digest(after.as_ref()));
        }
        self.preparer.nodes.put(self.zxid, path.into(), after);
    }

    /// The parent gets a child, or loses one.
    fn put_parent(&mut self, path: &str, before: &Record, cversion: i32, children: usize) {
        let stat = StoredStat { pzxid: self.zxid.0.cast_signed(), cversion, ..before.stat };
        self.put(path, Some(before), Some(Record { stat, children, ..before.clone() }));
    }

    pub(super) fn create(&mut self, op: OpCode, create: Create, ttl: i64) -> Result<Change, ErrorCode> {
        let Create { mut path, data, acl, flags } = create;
        let settings = &self.preparer.settings;
        // Before anything else, also where the operation takes no such flags.
        if CreateMode::is_ttl(flags) && !settings.extended_types {
            return Err(ErrorCode::Unimplemented);
        }
        let mode = CreateMode::from_flags(flags, op)?;
        let (op, owner) = self.kind(op, mode, ttl)?;
        let slash = parent(&path)?.len();
        let acl = self.acl(acl)?;
        let above = self.node(&path[..slash])?;
        self.permit(&above, Permissions::CREATE)?;
        if mode.sequential {
            let number = if mutated!(M91) { above.children as i32 } else { above.stat.cversion };
            path = format!("{path}{number:010}");
        }
        path::validate(&path)?;
        // Limits are those of a node.
        if path == "/zookeeper/quota/zookeeper_limits" {
            return Err(ErrorCode::BadArguments);
        }
        if self.find(&path).is_some() {
            return Err(ErrorCode::NodeExists);
        }
        if above.is_ephemeral() {
            return Err(ErrorCode::NoChildrenForEphemerals);
        }
        let bytes = data.as_deref().unwrap_or_default();
        self.check_quota(&path, 1, bytes.len() as i64)?;

        let stat = StoredStat::created(self.zxid.0.cast_signed(), self.time, owner);
        self.put(&path, None, Some(Record::new(&path, bytes, acl[..].into(), stat)));
        let parent_cversion = above.stat.cversion.wrapping_add(1);
        self.put_parent(&path[..slash], &above, parent_cversion, above.children + 1);
        self.charge(&path, 1, bytes.len() as i64, Some(bytes));
        let ephemeral = mode.ephemeral;
        Ok(Change::Create { op, path, data, acl, ephemeral, parent_cversion, ttl })
    }

    /// The operation that the transaction has, and who will own the node.
    fn kind(&self, op: OpCode, mode: CreateMode, ttl: i64) -> Result<(OpCode, Owner), ErrorCode> {
        match mode {
            CreateMode { ttl: true, .. } if !(1..=LONGEST_TTL).contains(&ttl) => Err(ErrorCode::BadArguments),
            CreateMode { ttl: true, .. } => Ok((op, Owner::TimeToLive(ttl))),
            CreateMode { container: true, .. } => Ok((OpCode::CreateContainer, Owner::Container)),
            // Nobody would remove it.
            CreateMode { ephemeral: true, .. } if self.request.local => {
                Err(ErrorCode::EphemeralOnLocalSession)
            }
            CreateMode { ephemeral: true, .. } => Ok((op, Owner::Session(self.request.session))),
            _ => Ok((op, Owner::Nobody)),
        }
    }

    pub(super) fn delete(&mut self, delete: Delete) -> Result<Change, ErrorCode> {
        let Delete { path, version } = delete;
        if SYSTEM_NODES.contains(&&*path) {
            return Err(ErrorCode::BadArguments);
        }
        let above = self.node(parent(&path)?)?;
        self.permit(&above, Permissions::DELETE)?;
        let node = self.node(&path)?;
        next_version(node.stat.version, version)?;
        if node.children > 0 {
            return Err(ErrorCode::NotEmpty);
        }
        self.remove(&path);
        Ok(Change::Delete { op: OpCode::Delete, path })
    }

    /// The leader found that the node may go; a change in flight may have given it a child or more
    /// time. Nobody sees the error.
    pub(super) fn delete_container(&mut self, path: String) -> Result<Change, ErrorCode> {
        let never_used = self.preparer.settings.container_never_used;
        let may_go = |node: &Record| node.children == 0 && node.stat.may_go(self.time, never_used);
        self.find(&path).filter(may_go).ok_or(ErrorCode::BadArguments)?;
        self.remove(&path);
        Ok(Change::Delete { op: OpCode::DeleteContainer, path })
    }

    /// A node without children goes.
    pub(super) fn remove(&mut self, path: &str) {
        let above = path::parent(path).expect("the root is not removed");
        let before = self.find(path).expect("it was there");
        let parent = self.find(above).expect("a node has a parent");
        let bytes = before.length;
        self.put(path, Some(&before), None);
        self.put_parent(above, &parent, parent.stat.cversion, parent.children - 1);
        self.charge(path, -1, -bytes, None);
    }

    pub(super) fn set_data(&mut self, set: SetData) -> Result<Change, ErrorCode> {
        let SetData { path, data, version } = set;
        path::validate(&path)?;
        let before = self.node(&path)?;
        self.permit(&before, Permissions::WRITE)?;
        // Its servers would be others than those that it names.
        if path == CONFIG_PATH && self.preparer.settings.reconfig_enabled {
            return Err(ErrorCode::BadArguments);
        }
        let bytes = data.as_deref().unwrap_or_default();
        let more = bytes.len() as i64 - before.length;
        self.check_quota(&path, 0, more)?;
        let version = next_version(before.stat.version, version)?;
        let stat = StoredStat { mzxid: self.zxid.0.cast_signed(), mtime: self.time, version, ..before.stat };
        let after = Record { stat, ..before.clone() }.with_data(&path, bytes);
        self.put(&path, Some(&before), Some(after));
        self.charge(&path, 0, more, Some(bytes));
        Ok(Change::SetData { path, data, version })
    }

    pub(super) fn set_acl(&mut self, set: SetAcl) -> Result<Change, ErrorCode> {
        let SetAcl { path, acl, version } = set;
        path::validate(&path)?;
        let acl = self.acl(acl)?;
        let before = self.node(&path)?;
        self.permit(&before, Permissions::ADMIN)?;
        let version = next_version(before.stat.aversion, version)?;
        let stat = StoredStat { aversion: version, ..before.stat };
        let after = Record { stat, acl: acl[..].into(), ..before.clone() };
        self.put(&path, Some(&before), Some(after));
        Ok(Change::SetAcl { path, acl, version })
    }

    pub(super) fn check(&mut self, check: CheckVersion) -> Result<Change, ErrorCode> {
        let CheckVersion { path, version } = check;
        path::validate(&path)?;
        let node = self.node(&path)?;
        self.permit(&node, Permissions::READ)?;
        let version = next_version(node.stat.version, version)?;
        Ok(Change::Check { path, version })
    }
}
