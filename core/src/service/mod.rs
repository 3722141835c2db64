//! The replicated state. For now a minimal tree with create, set and delete; its interfaces are
//! those of the whole service: transactions are idempotent results that the leader encodes once,
//! a snapshot is a point-in-time view handed out in chunks.

mod prepare;
mod tree;

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::identity::{Bytes, ServerId, Zxid};
use crate::io::ClientId;

pub use prepare::Preparer;
pub use tree::{Tree, TreeBuilder, TreeSnapshot};

/// The largest request of a client, in bytes, as ZooKeeper's `jute.maxbuffer` bounds it. What its
/// transaction becomes on the way, in a frame or in a chunk of a snapshot, stays far below
/// [`crate::codec::RECORD_LIMIT`]: one that no frame can carry would stop the ensemble for ever.
pub const REQUEST_LIMIT: usize = 1 << 20;

/// The largest [`Write`] that such a request becomes, in bytes.
pub const WRITE_LIMIT: usize = REQUEST_LIMIT + 64;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The client's number for it, increasing on one connection.
    pub xid: u64,
    /// What to do.
    pub operation: Operation,
}

/// What a client may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// A change, ordered by the leader.
    Change(Change),
    /// The data and version of a node, from this server's state.
    Get {
        /// The node.
        path: String,
    },
    /// Wait until this server has everything that was committed when it was asked.
    Sync,
}

/// A change of the state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Make a new node.
    Create {
        /// The node.
        path: String,
        /// Its data.
        #[serde(with = "crate::codec::bytes")]
        data: Bytes,
    },
    /// Replace the data of a node.
    Set {
        /// The node.
        path: String,
        /// The new data.
        #[serde(with = "crate::codec::bytes")]
        data: Bytes,
        /// The version that it must have.
        version: Option<u32>,
    },
    /// Remove a node.
    Delete {
        /// The node.
        path: String,
        /// The version that it must have.
        version: Option<u32>,
    },
}

/// What a client is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// The request's number.
    pub xid: u64,
    /// The last transaction applied on this server when it answered (ZOOKEEPER-1412).
    pub zxid: Zxid,
    /// The result.
    pub result: Result<Answer, Refusal>,
}

/// A result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The change was committed as the transaction `zxid`; `version` is the node's, 0 for a
    /// deleted one.
    Changed {
        /// The transaction.
        zxid: Zxid,
        /// The node's version after it.
        version: u32,
    },
    /// The node's data.
    Data {
        /// The data.
        #[serde(with = "crate::codec::bytes")]
        data: Bytes,
        /// The version.
        version: u32,
    },
    /// The server was up to date when it was asked.
    Synced,
}

/// Why a request was not done. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// No such node.
    NoNode,
    /// The node exists.
    NodeExists,
    /// The node has another version.
    BadVersion,
}

/// Who waits for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The server to which the client is connected.
    pub server: ServerId,
    /// That server's boot: client numbers start again with each.
    pub boot: u64,
    /// The client's connection there.
    pub client: ClientId,
    /// The client's number for the request.
    pub xid: u64,
}

/// A change on its way to the leader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// Who waits for it.
    pub origin: Origin,
    /// What to do.
    pub change: Change,
}

/// A transaction: the result of executing a change, ready to be applied anywhere any number of
/// times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// Who waits for it.
    pub origin: Origin,
    /// The leader's wall clock when it prepared it, in milliseconds since the Unix epoch.
    pub wall_millis: u64,
    /// What it does.
    pub effect: Effect,
}

/// What a transaction does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// The node has this data and version from now on.
    Put {
        /// The node.
        path: String,
        /// Its data.
        #[serde(with = "crate::codec::bytes")]
        data: Bytes,
        /// Its version.
        version: u32,
    },
    /// The node is gone.
    Remove {
        /// The node.
        path: String,
    },
    /// The change was refused: this transaction changes nothing.
    Refused(Refusal),
}

impl Transaction {
    /// The bytes that log, network and followers carry.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        crate::codec::encode(self)
    }

    /// The transaction that these bytes are.
    ///
    /// # Errors
    /// If they are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, crate::codec::DecodeError> {
        crate::codec::decode(bytes)
    }

    /// What its client is answered.
    pub fn answer(&self, zxid: Zxid) -> Result<Answer, Refusal> {
        match &self.effect {
            Effect::Put { version, .. } => Ok(Answer::Changed { zxid, version: *version }),
            Effect::Remove { .. } => Ok(Answer::Changed { zxid, version: 0 }),
            Effect::Refused(why) => Err(*why),
        }
    }
}
