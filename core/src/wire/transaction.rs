//! Transactions as ZooKeeper's log has them (client.md section 23.2), behind the name of whoever
//! waits for the answer.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Acl, OpCode, SessionId};
use crate::identity::{Bytes, ServerId, Zxid};
use crate::jute::{self, Decoder, Error};
use crate::membership::{CONFIG_PATH, NEXT_PATH};

/// Who waits for a write: ZooKeeper finds them by session and cxid, which a client that counts
/// from 1 again on each connection uses twice (invariants.md L12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The server to which the client is connected; the leader for what it asks of itself.
    pub server: ServerId,
    /// That server's boot: its numbers start again with each.
    pub boot: u64,
    /// The number of the client's connection there, 0 for none.
    pub client: u64,
    /// The number of the write in that boot, 0 if nobody waits.
    pub number: u64,
}

/// The result of executing a write, ready to be applied anywhere any number of times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Who waits for it.
    pub origin: Origin,
    /// The session that asked, 0 for none.
    pub session: SessionId,
    /// The client's number for it.
    pub cxid: i32,
    /// Its place in the history.
    pub zxid: Zxid,
    /// The leader's wall clock when it prepared it, in milliseconds since the Unix epoch.
    pub time: i64,
    /// What it does.
    pub change: Change,
    /// The digest of the state after it; `None` for one that changes nothing.
    pub digest: Option<u64>,
}

/// What a transaction does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A session begins.
    CreateSession {
        /// Its timeout in milliseconds.
        timeout: i32,
    },
    /// A session ends.
    CloseSession {
        /// Its ephemeral nodes, which end with it.
        paths: Vec<String>,
    },
    /// A node begins. Containers and nodes with a time to live have operations of their own; the
    /// owner of an ephemeral one is the transaction's session.
    Create {
        /// create, create2, createContainer or createTTL.
        op: OpCode,
        /// The node.
        path: String,
        /// Its data.
        data: Option<Bytes>,
        /// Its access control list.
        acl: Vec<Acl>,
        /// Whether it is ephemeral.
        ephemeral: bool,
        /// What the parent stores as cversion from now on.
        parent_cversion: i32,
        /// The time to live in milliseconds; of createTTL only.
        ttl: i64,
    },
    /// A node ends.
    Delete {
        /// delete or deleteContainer.
        op: OpCode,
        /// The node.
        path: String,
    },
    /// A node's data are replaced.
    SetData {
        /// The node.
        path: String,
        /// The data.
        data: Option<Bytes>,
        /// The version from now on.
        version: i32,
    },
    /// The ensemble changes: the data of `/zookeeper/config` are replaced.
    Reconfig {
        /// The data.
        data: Bytes,
    },
    /// Who votes is to change to what this says, which no node shows: quorums are of both from now on, until
    /// a [`Change::Reconfig`] makes it the present (zab.md section 13).
    NextMembers {
        /// What `/zookeeper/config` will say, but for the version.
        data: Bytes,
    },
    /// A node's access control list is replaced.
    SetAcl {
        /// The node.
        path: String,
        /// The list.
        acl: Vec<Acl>,
        /// The version of the list from now on.
        version: i32,
    },
    /// A version was as expected; only within a multi.
    Check {
        /// The node.
        path: String,
        /// The version, plus one.
        version: i32,
    },
    /// The write was refused, nothing changes; or, within a multi, was not done.
    Error(
        /// The code: 0 for what would have succeeded in a multi that failed.
        i32,
    ),
    /// Several at once. If one is an error all are, and nothing changes.
    Multi(Vec<Change>),
}

const DIGEST_VERSION: i32 = 2;

#[derive(Serialize, Deserialize)]
struct Header {
    session: SessionId,
    cxid: i32,
    zxid: i64,
    time: i64,
    kind: i32,
}

#[derive(Serialize, Deserialize)]
struct CreateBody<'a> {
    #[serde(borrow)]
    path: Cow<'a, str>,
    #[serde(with = "jute::buffer")]
    data: Option<Bytes>,
    acl: Cow<'a, [Acl]>,
}

#[derive(Serialize, Deserialize)]
struct DataBody<'a> {
    #[serde(borrow)]
    path: Cow<'a, str>,
    #[serde(with = "jute::buffer")]
    data: Option<Bytes>,
    version: i32,
}

#[derive(Serialize, Deserialize)]
struct OriginBody {
    server: i64,
    boot: i64,
    client: i64,
    number: i64,
}

impl Transaction {
    /// The bytes that log, network and followers carry.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Origin { server, boot, client, number } = self.origin;
        let mut bytes = Vec::with_capacity(256);
        let signed = u64::cast_signed;
        let origin = OriginBody {
            server: signed(server.0),
            boot: signed(boot),
            client: signed(client),
            number: signed(number),
        };
        jute::encode_into(&mut bytes, &origin);
        let Self { session, cxid, time, .. } = *self;
        let header = Header { session, cxid, zxid: signed(self.zxid.0), time, kind: self.change.kind() };
        jute::encode_into(&mut bytes, &header);
        self.change.encode(&mut bytes);
        if let Some(digest) = self.digest {
            jute::encode_into(&mut bytes, &(DIGEST_VERSION, signed(digest)));
        }
        bytes
    }

    /// The transaction that these bytes are.
    ///
    /// # Errors
    /// If they are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::new(bytes);
        let origin: OriginBody = decoder.read()?;
        let origin = Origin {
            server: ServerId(origin.server.cast_unsigned()),
            boot: origin.boot.cast_unsigned(),
            client: origin.client.cast_unsigned(),
            number: origin.number.cast_unsigned(),
        };
        Self::decode_entry(origin, decoder.remaining())
    }

    /// The transaction that an entry of ZooKeeper's own log is: the same without the origin.
    ///
    /// # Errors
    /// If the bytes are none.
    pub fn decode_entry(origin: Origin, bytes: &[u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::new(bytes);
        let Header { session, cxid, zxid, time, kind } = decoder.read()?;
        let change = Change::decode(kind, &mut decoder)?;
        let digest = if decoder.remaining().is_empty() {
            None
        } else {
            let (_, digest): (i32, i64) = decoder.read()?;
            Some(digest.cast_unsigned())
        };
        Ok(Self { origin, session, cxid, zxid: Zxid(zxid.cast_unsigned()), time, change, digest })
    }
}

impl Change {
    /// The type in ZooKeeper's transaction header.
    #[must_use]
    pub fn kind(&self) -> i32 {
        match self {
            Self::CreateSession { .. } => OpCode::CreateSession.code(),
            Self::CloseSession { .. } => OpCode::CloseSession.code(),
            Self::Create { op, .. } | Self::Delete { op, .. } => op.code(),
            Self::SetData { .. } => OpCode::SetData.code(),
            Self::Reconfig { .. } | Self::NextMembers { .. } => OpCode::Reconfig.code(),
            Self::SetAcl { .. } => OpCode::SetAcl.code(),
            Self::Check { .. } => OpCode::Check.code(),
            Self::Error(_) => -1,
            Self::Multi(_) => OpCode::Multi.code(),
        }
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::CreateSession { timeout } => jute::encode_into(bytes, timeout),
            Self::CloseSession { paths } => jute::encode_into(bytes, paths),
            Self::Create { op, path, data, acl, ephemeral, parent_cversion, ttl } => {
                let body = CreateBody { path: path.into(), data: data.clone(), acl: acl.into() };
                jute::encode_into(bytes, &body);
                if matches!(op, OpCode::Create | OpCode::Create2) {
                    jute::encode_into(bytes, ephemeral);
                }
                jute::encode_into(bytes, parent_cversion);
                if *op == OpCode::CreateTtl {
                    jute::encode_into(bytes, ttl);
                }
            }
            Self::Delete { path, .. } => jute::encode_into(bytes, path),
            Self::SetData { path, data, version } => {
                let body = DataBody { path: path.into(), data: data.clone(), version: *version };
                jute::encode_into(bytes, &body);
            }
            Self::Reconfig { data } | Self::NextMembers { data } => {
                let is_next = matches!(self, Self::NextMembers { .. });
                let path = if is_next { NEXT_PATH } else { CONFIG_PATH };
                let body = DataBody { path: path.into(), data: Some(data.clone()), version: -1 };
                jute::encode_into(bytes, &body);
            }
            Self::SetAcl { path, acl, version } => jute::encode_into(bytes, &(path, acl, version)),
            Self::Check { path, version } => jute::encode_into(bytes, &(path, version)),
            Self::Error(code) => jute::encode_into(bytes, code),
            Self::Multi(changes) => {
                let count = i32::try_from(changes.len()).expect("a frame bounds the operations");
                jute::encode_into(bytes, &count);
                for change in changes {
                    jute::encode_into(bytes, &change.kind());
                    let at = bytes.len();
                    bytes.extend_from_slice(&[0; 4]);
                    change.encode(bytes);
                    let length = i32::try_from(bytes.len() - at - 4).expect("a frame bounds it");
                    bytes[at..at + 4].copy_from_slice(&length.to_be_bytes());
                }
            }
        }
    }

    fn decode(kind: i32, decoder: &mut Decoder<'_>) -> Result<Self, Error> {
        if kind == -1 {
            return Ok(Self::Error(decoder.read()?));
        }
        let op = OpCode::from_code(kind).ok_or(Error::Unsupported)?;
        Ok(match op {
            OpCode::CreateSession => Self::CreateSession { timeout: decoder.read()? },
            // Older servers, and those told so, leave out the paths; then two empty ones would be no
            // paths either, but are a digest.
            OpCode::CloseSession
                if matches!(decoder.remaining(), [] | [0, 0, 0, 2, _, _, _, _, _, _, _, _]) =>
            {
                Self::CloseSession { paths: Vec::new() }
            }
            OpCode::CloseSession => Self::CloseSession { paths: decoder.read()? },
            OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                let CreateBody { path, data, acl } = decoder.read()?;
                let ephemeral = matches!(op, OpCode::Create | OpCode::Create2) && decoder.read()?;
                let parent_cversion = decoder.read()?;
                let ttl = if op == OpCode::CreateTtl { decoder.read()? } else { 0 };
                let (path, acl) = (path.into_owned(), acl.into_owned());
                Self::Create { op, path, data, acl, ephemeral, parent_cversion, ttl }
            }
            OpCode::Delete | OpCode::DeleteContainer => Self::Delete { op, path: decoder.read()? },
            OpCode::SetData => {
                let DataBody { path, data, version } = decoder.read()?;
                Self::SetData { path: path.into_owned(), data, version }
            }
            OpCode::Reconfig => match decoder.read()? {
                DataBody { path, data: Some(data), version: -1 } if path == CONFIG_PATH => {
                    Self::Reconfig { data }
                }
                DataBody { path, data: Some(data), version: -1 } if path == NEXT_PATH => {
                    Self::NextMembers { data }
                }
                _ => return Err(Error::Unsupported),
            },
            OpCode::SetAcl => {
                let (path, acl, version) = decoder.read()?;
                Self::SetAcl { path, acl, version }
            }
            OpCode::Check => {
                let (path, version) = decoder.read()?;
                Self::Check { path, version }
            }
            OpCode::Multi => {
                let count: i32 = decoder.read()?;
                let mut changes = Vec::new();
                for _ in 0..count {
                    let kind: i32 = decoder.read()?;
                    // Multis do not nest, so neither does this.
                    if kind == OpCode::Multi.code() {
                        return Err(Error::Unsupported);
                    }
                    let body: BorrowedBuffer<'_> = decoder.read()?;
                    changes.push(Self::decode(kind, &mut Decoder::new(body.0))?);
                }
                Self::Multi(changes)
            }
            _ => return Err(Error::Unsupported),
        })
    }
}

#[derive(Deserialize)]
struct BorrowedBuffer<'a>(#[serde(borrow)] &'a [u8]);
