//! ZooKeeper's digest, version 2 (client.md section 23.4): a sum over all nodes of the CRC-32 of path,
//! data and stored stat. A sum is independent of the order, and a change adjusts it.
//!
//! The CRC of path and data is a prefix that a node keeps, so that a change of its stat, as each
//! child created below it is one, reads neither.

use crc32fast::Hasher;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::Owner;
use crate::wire::SessionId;

/// What a node keeps besides its data and its access control list (client.md section 11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredStat {
    /// The transaction that created the node.
    pub czxid: i64,
    /// The transaction that last changed its data.
    pub mzxid: i64,
    /// The transaction that last created or deleted a child.
    pub pzxid: i64,
    /// When it was created, in milliseconds since the Unix epoch.
    pub ctime: i64,
    /// When its data were last changed.
    pub mtime: i64,
    /// Changes of the data.
    pub version: i32,
    /// Creations of children; clients are shown another figure.
    pub cversion: i32,
    /// Changes of the access control list.
    pub aversion: i32,
    /// See [`super::Owner`].
    pub ephemeral_owner: i64,
}

impl StoredStat {
    /// A node that transaction `zxid` creates at `time`.
    #[must_use]
    pub fn created(zxid: i64, time: i64, owner: Owner) -> Self {
        Self {
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: time,
            mtime: time,
            ephemeral_owner: owner.stored(),
            ..Self::default()
        }
    }

    /// Whether the node, which has no children, is a container that was used or a node past its time
    /// (client.md section 12). `never_used`: after so many milliseconds a container goes that never
    /// had a child; 0 is never.
    #[must_use]
    pub fn may_go(&self, now_millis: i64, never_used: i64) -> bool {
        let age = now_millis.saturating_sub(self.mtime);
        match Owner::from_stored(self.ephemeral_owner) {
            Owner::Container => self.cversion > 0 || (never_used != 0 && age > never_used),
            Owner::TimeToLive(ttl) => age > ttl,
            Owner::Nobody | Owner::Session(_) => false,
        }
    }
}

/// The CRC-32 of path and data, with which a node's digest begins. The root's path counts as empty.
#[must_use]
pub fn digest_prefix(path: &str, data: &[u8]) -> u32 {
    let path = if path == "/" { "" } else { path };
    extend(extend(0, path.as_bytes()), data)
}

/// The CRC-32 of what `crc` is of, and `bytes` after it.
pub(super) fn extend(crc: u32, bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new_with_initial(crc);
    hasher.update(bytes);
    hasher.finalize()
}

/// The digest of a node whose path and data have this prefix ([`digest_prefix`]).
#[must_use]
pub fn node_digest(prefix: u32, stat: &StoredStat) -> u64 {
    let mut bytes = [0; 60];
    let longs = [stat.czxid, stat.mzxid, stat.pzxid, stat.ctime, stat.mtime];
    for (place, long) in bytes.chunks_exact_mut(8).zip(longs) {
        place.copy_from_slice(&long.to_be_bytes());
    }
    for (place, int) in bytes[40..].chunks_exact_mut(4).zip([stat.version, stat.cversion, stat.aversion]) {
        place.copy_from_slice(&int.to_be_bytes());
    }
    bytes[52..].copy_from_slice(&stat.ephemeral_owner.to_be_bytes());
    u64::from(extend(prefix, &bytes))
}

/// Whether the node counts in the digest: those below `/zookeeper` do not.
#[must_use]
pub fn is_digested(path: &str) -> bool {
    !path.starts_with("/zookeeper/")
}

/// What a session adds to the digest of the state, so that its sessions are compared too
/// (invariants.md N12). ZooKeeper's does not have them.
#[must_use]
pub fn session_digest(session: SessionId, timeout: i32) -> u64 {
    xxh3_64_with_seed(&session.0.to_be_bytes(), u64::from(timeout.cast_unsigned()))
}
