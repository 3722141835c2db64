//! A znode of the model, and its arithmetic (client.md sections 11 and 12).

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;
use zabrus_core::Bytes;
use zabrus_core::wire::{Acl, Stat};

/// The owner of a container.
pub(super) const CONTAINER: i64 = i64::MIN;

/// The upper bits of the owner of a node with a time to live; the lower ones are that time.
pub(super) const TTL: i64 = 0xff00_0000_0000_0000_u64.cast_signed();

/// The longest time to live in milliseconds, by 40 bits.
pub(super) const TTL_MAX: i64 = (1 << 40) - 1;

/// One version of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of client.md section 11")]
pub struct Node {
    pub data: Option<Bytes>,
    pub acl: Arc<[Acl]>,
    pub czxid: i64,
    pub mzxid: i64,
    pub pzxid: i64,
    pub ctime: i64,
    pub mtime: i64,
    pub version: i32,
    /// How many children were ever created: what is stored, not what clients see.
    pub cversion: i32,
    pub aversion: i32,
    /// A session, the mark of a container, or that of a time to live with the time; 0 for a plain node.
    pub owner: i64,
    /// How many children there are.
    pub children: i32,
}

impl Node {
    /// Whether it belongs to a session.
    #[must_use]
    pub fn is_ephemeral(&self) -> bool {
        self.owner != 0 && self.owner != CONTAINER && self.owner & TTL != TTL
    }

    /// Its time to live, if it has one.
    #[must_use]
    pub fn ttl(&self) -> Option<i64> {
        (self.owner & TTL == TTL).then_some(self.owner & !TTL)
    }

    /// The length of its data.
    #[must_use]
    pub fn length(&self) -> i64 {
        self.data.as_ref().map_or(0, |data| data.len() as i64)
    }

    /// What clients see of it.
    #[must_use]
    pub fn stat(&self) -> Stat {
        Stat {
            czxid: self.czxid,
            mzxid: self.mzxid,
            ctime: self.ctime,
            mtime: self.mtime,
            version: self.version,
            cversion: self.cversion.wrapping_mul(2).wrapping_sub(self.children),
            aversion: self.aversion,
            ephemeral_owner: if self.is_ephemeral() { self.owner } else { 0 },
            data_length: self.length() as i32,
            num_children: self.children,
            pzxid: self.pzxid,
        }
    }

    /// Its share of the tree's digest (client.md section 23.4): nothing below `/zookeeper/` counts.
    #[must_use]
    pub fn digest(&self, path: &str) -> u64 {
        if path.starts_with("/zookeeper/") {
            return 0;
        }
        let mut crc = crc32fast::Hasher::new();
        crc.update(if path == "/" { b"" } else { path.as_bytes() });
        crc.update(self.data.as_deref().unwrap_or_default());
        for long in [self.czxid, self.mzxid, self.pzxid, self.ctime, self.mtime] {
            crc.update(&long.to_be_bytes());
        }
        for int in [self.version, self.cversion, self.aversion] {
            crc.update(&int.to_be_bytes());
        }
        crc.update(&self.owner.to_be_bytes());
        u64::from(crc.finalize())
    }
}

/// The share of a session in the digest that servers compare (invariants.md N12): nothing of
/// ZooKeeper's, but the core's own choice.
pub(super) fn session_digest(session: i64, timeout: i32) -> u64 {
    xxh3_64_with_seed(&session.to_be_bytes(), u64::from(timeout.cast_unsigned()))
}

/// The parent of a path that has one: all but the root.
#[must_use]
pub fn parent(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(slash) => &path[..slash],
    }
}

/// A path below another, or itself.
#[must_use]
pub fn is_within(path: &str, ancestor: &str) -> bool {
    ancestor == "/"
        || path.strip_prefix(ancestor).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a write may name this path (client.md section 13).
#[must_use]
pub(super) fn is_valid(path: &str) -> bool {
    let allowed = |c: char| {
        !matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{ffff}')
            && u32::from(c) < 0x1_0000
    };
    if path == "/" {
        return true;
    }
    let Some(rest) = path.strip_prefix('/') else { return false };
    rest.split('/').all(|part| !matches!(part, "" | "." | "..")) && rest.chars().all(allowed)
}
