//! What clients ask (client.md section 5). A null path of a read does not decode, which is what
//! ZooKeeper answers to one; that of a write is [`jute::NULL`], because it is refused only when the write
//! is ordered. Everything else that may be null is an `Option`.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Acl, ErrorCode, MultiRequest, OpCode};
use crate::identity::Bytes;
use crate::jute::{self, Decoder};

/// Begins every frame after the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestHeader {
    /// The client's number for the request; any is allowed.
    pub xid: i32,
    /// An [`OpCode`], or not.
    pub op: i32,
}

/// getData, exists, getChildren, getChildren2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathWatch<'a> {
    /// The node.
    #[serde(borrow)]
    pub path: Cow<'a, str>,
    /// Whether to arm a watch.
    pub watch: bool,
}

/// getACL, getAllChildrenNumber, deleteContainer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathOnly<'a> {
    /// The node.
    #[serde(borrow)]
    pub path: Cow<'a, str>,
}

/// create, create2, createContainer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Create {
    /// The node, or the beginning of its name.
    #[serde(with = "jute::null_is_nul")]
    pub path: String,
    /// Its data.
    #[serde(with = "jute::buffer")]
    pub data: Option<Bytes>,
    /// Its access control list.
    pub acl: Option<Vec<Acl>>,
    /// The [`super::CreateMode`].
    pub flags: i32,
}

/// createTTL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateTtl {
    /// As the others.
    pub create: Create,
    /// How long the node may stay unchanged, in milliseconds.
    pub ttl: i64,
}

/// delete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delete {
    /// The node.
    #[serde(with = "jute::null_is_nul")]
    pub path: String,
    /// The version that it must have, -1 for any.
    pub version: i32,
}

/// setData.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetData {
    /// The node.
    #[serde(with = "jute::null_is_nul")]
    pub path: String,
    /// The new data.
    #[serde(with = "jute::buffer")]
    pub data: Option<Bytes>,
    /// The version that it must have, -1 for any.
    pub version: i32,
}

/// setACL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAcl {
    /// The node.
    #[serde(with = "jute::null_is_nul")]
    pub path: String,
    /// The new list.
    pub acl: Option<Vec<Acl>>,
    /// The version of the list that the node must have, -1 for any.
    pub version: i32,
}

/// check, within a multi.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckVersion {
    /// The node.
    #[serde(with = "jute::null_is_nul")]
    pub path: String,
    /// The version that it must have, -1 for any.
    pub version: i32,
}

/// checkWatches, removeWatches: the kind of watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatcherType<'a> {
    /// The node. Any text will do, and null too.
    #[serde(borrow)]
    pub path: Option<Cow<'a, str>>,
    /// 1 children, 2 data, 3 any, 4 persistent, 5 persistent recursive.
    pub kind: i32,
}

/// addWatch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddWatch<'a> {
    /// The node. Any text will do, and null too.
    #[serde(borrow)]
    pub path: Option<Cow<'a, str>>,
    /// 0 persistent, 1 persistent recursive.
    pub mode: i32,
}

/// auth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Auth {
    /// 0.
    pub kind: i32,
    /// The scheme; null is read as one that does not exist.
    #[serde(with = "jute::null_is_empty")]
    pub scheme: String,
    /// What the scheme asks for.
    #[serde(with = "jute::buffer")]
    pub auth: Option<Bytes>,
}

/// setWatches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetWatches {
    /// The last zxid that the client has seen.
    pub relative_zxid: i64,
    /// Nodes with a data watch.
    pub data: Vec<String>,
    /// Nodes with an exist watch.
    pub exist: Vec<String>,
    /// Nodes with a child watch.
    pub child: Vec<String>,
}

/// setWatches2.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetWatches2 {
    /// As the older one.
    pub standard: SetWatches,
    /// Nodes with a persistent watch.
    pub persistent: Vec<String>,
    /// Nodes with a persistent recursive watch.
    pub recursive: Vec<String>,
}

/// reconfig: either all servers, or those that come and go (client.md section 16).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconfig {
    /// Lines of servers that come or change, with commas between them.
    pub joining: Option<String>,
    /// Ids of servers that go, with commas between them.
    pub leaving: Option<String>,
    /// The lines of all servers, with commas or line breaks between them.
    pub members: Option<String>,
    /// The version that is to be changed, -1 for any.
    pub version: i64,
}

/// A write, as the leader's prepare step takes it. The server at which it arrived passes its bytes
/// on unread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// create, create2, createContainer, createTTL.
    Create {
        /// Which of them.
        op: OpCode,
        /// What.
        create: Create,
        /// The time to live, for createTTL.
        ttl: i64,
    },
    /// delete.
    Delete(Delete),
    /// deleteContainer: of the leader itself.
    DeleteContainer(String),
    /// setData.
    SetData(SetData),
    /// setACL.
    SetAcl(SetAcl),
    /// check.
    Check(CheckVersion),
    /// multi.
    Multi(Vec<Write>),
    /// reconfig.
    Reconfig(Reconfig),
    /// A new session with this timeout in milliseconds.
    CreateSession(i32),
    /// The end of the session.
    CloseSession,
}

impl Write {
    /// The write in the body of a request.
    ///
    /// # Errors
    /// What ZooKeeper answers to bytes that hold none.
    pub fn decode(op: OpCode, body: &[u8]) -> Result<Self, ErrorCode> {
        match op {
            OpCode::Multi => match MultiRequest::decode(body)? {
                MultiRequest::Writes(writes) => Ok(Self::Multi(writes)),
                MultiRequest::Reads(_) => Err(ErrorCode::MarshallingError),
            },
            OpCode::CloseSession => Ok(Self::CloseSession),
            OpCode::Reconfig => Ok(Self::Reconfig(Decoder::new(body).read()?)),
            _ => Self::read(op, &mut Decoder::new(body)),
        }
    }

    /// The next write in a row of them.
    pub(super) fn read(op: OpCode, decoder: &mut Decoder<'_>) -> Result<Self, ErrorCode> {
        Ok(match op {
            OpCode::Create | OpCode::Create2 | OpCode::CreateContainer => {
                Self::Create { op, create: decoder.read()?, ttl: 0 }
            }
            OpCode::CreateTtl => {
                let CreateTtl { create, ttl } = decoder.read()?;
                Self::Create { op, create, ttl }
            }
            OpCode::Delete => Self::Delete(decoder.read()?),
            OpCode::DeleteContainer => Self::DeleteContainer(decoder.read()?),
            OpCode::SetData => Self::SetData(decoder.read()?),
            OpCode::SetAcl => Self::SetAcl(decoder.read()?),
            OpCode::Check => Self::Check(decoder.read()?),
            OpCode::CreateSession => Self::CreateSession(decoder.read()?),
            _ => return Err(ErrorCode::MarshallingError),
        })
    }
}
