//! The records that several messages share (client.md section 6).

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::{ErrorCode, OpCode};
use crate::identity::ServerId;

/// A session. Zero is none.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionId(pub i64);

impl SessionId {
    /// Set in the ids of sessions that began as local ones, so that none is ever that of another session.
    const LOCAL: u64 = 1 << 55;

    /// The id of a session that began with a transaction: number it by that.
    #[must_use]
    pub fn global(server: ServerId, number: u64) -> Self {
        Self::of(server, number & (Self::LOCAL - 1))
    }

    /// The id of a session that began without one.
    #[must_use]
    pub fn local(server: ServerId, number: u64) -> Self {
        Self::of(server, number | Self::LOCAL)
    }

    /// Whether it began without a transaction.
    #[must_use]
    pub fn began_as_local(self) -> bool {
        self.0.cast_unsigned() & Self::LOCAL != 0
    }

    /// The first byte says to which server the client came; never 0xff, which stands for a time to live in
    /// the owner of a node.
    fn of(server: ServerId, number: u64) -> Self {
        let number = number & ((1 << 56) - 1);
        Self((((server.0 % 0xff) << 56) | number).cast_signed())
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Somebody, as a scheme knows them. A null scheme is read as the empty string, which no scheme is named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Id {
    /// `world`, `digest`, `ip`, ...
    #[serde(with = "crate::jute::null_is_empty")]
    pub scheme: String,
    /// What the scheme calls them.
    #[serde(with = "crate::jute::null_is_nul")]
    pub id: String,
}

/// Permission bits of an [`Acl`].
pub struct Permissions;

impl Permissions {
    /// Read data, list children.
    pub const READ: i32 = 1;
    /// Write data.
    pub const WRITE: i32 = 2;
    /// Create children.
    pub const CREATE: i32 = 4;
    /// Delete children.
    pub const DELETE: i32 = 8;
    /// Set the list.
    pub const ADMIN: i32 = 16;
    /// All of them.
    pub const ALL: i32 = 31;
}

/// One entry of an access control list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Acl {
    /// [`Permissions`]; unknown bits are kept.
    pub perms: i32,
    /// To whom they are given.
    pub id: Id,
}

/// What a client is shown of a node besides its data (client.md section 11). 68 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    /// The transaction that created the node.
    pub czxid: i64,
    /// The transaction that last changed its data.
    pub mzxid: i64,
    /// When it was created, in milliseconds since the Unix epoch.
    pub ctime: i64,
    /// When its data were last changed.
    pub mtime: i64,
    /// Changes of the data.
    pub version: i32,
    /// Changes of the children: twice the creations that the node stores, less the children present.
    pub cversion: i32,
    /// Changes of the access control list.
    pub aversion: i32,
    /// The session that owns the node, 0 if none does.
    pub ephemeral_owner: i64,
    /// The length of the data in bytes.
    pub data_length: i32,
    /// How many children there are.
    pub num_children: i32,
    /// The transaction that last created or deleted a child.
    pub pzxid: i64,
}

/// What kind of node to create: the flags of a create request (client.md section 12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreateMode {
    /// The node goes with its session.
    pub ephemeral: bool,
    /// The name gets a number.
    pub sequential: bool,
    /// The node goes when its last child has gone.
    pub container: bool,
    /// The node goes when it was not changed for some time.
    pub ttl: bool,
}

impl CreateMode {
    /// The mode that `flags` name in a request of type `op`.
    ///
    /// # Errors
    /// If there is none, or the operation cannot create such nodes: only create and create2 take
    /// all flags, as ZooKeeper's clients send them, and then find out that a time to live is missing.
    /// What createContainer makes is a container, with a number if the flags say so.
    pub fn from_flags(flags: i32, op: OpCode) -> Result<Self, ErrorCode> {
        let container = flags == 4 || op == OpCode::CreateContainer;
        let mode = Self {
            ephemeral: matches!(flags, 1 | 3) && !container,
            sequential: matches!(flags, 2 | 3 | 6),
            container,
            ttl: Self::is_ttl(flags),
        };
        let agreed = match op {
            OpCode::CreateTtl => mode.ttl,
            OpCode::CreateContainer => matches!(flags, 0..=4),
            _ => matches!(flags, 0..=6),
        };
        if agreed { Ok(mode) } else { Err(ErrorCode::BadArguments) }
    }

    /// Whether these flags ask for a time to live.
    #[must_use]
    pub fn is_ttl(flags: i32) -> bool {
        matches!(flags, 5 | 6)
    }
}
