//! What servers answer (client.md sections 4, 5 and 9).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Acl, ErrorCode, Stat};
use crate::identity::Bytes;
use crate::jute;

/// Reserved request numbers.
pub mod xid {
    /// A watch event.
    pub const NOTIFICATION: i32 = -1;
    /// Every answer to a ping.
    pub const PING: i32 = -2;
    /// auth, from the Java client.
    pub const AUTH: i32 = -4;
    /// setWatches, from the Java client.
    pub const SET_WATCHES: i32 = -8;
}

/// Begins every frame of a server after the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyHeader {
    /// The request's number, or one of [`xid`].
    pub xid: i32,
    /// The last transaction that this server had applied; for an event the one that caused it.
    pub zxid: i64,
    /// 0, or an [`ErrorCode`]: then no body follows, except that of a multiRead.
    pub err: i32,
}

/// What happened to a node that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i32)]
pub enum EventType {
    /// It was created.
    NodeCreated = 1,
    /// It was deleted.
    NodeDeleted = 2,
    /// Its data changed.
    NodeDataChanged = 3,
    /// A child was created or deleted.
    NodeChildrenChanged = 4,
}

/// What a client is told of its session with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum KeeperState {
    /// Connected: the only one that servers send.
    SyncConnected = 3,
}

/// The body of a notification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatcherEvent<'a> {
    /// An [`EventType`].
    pub event: i32,
    /// A [`KeeperState`].
    pub state: i32,
    /// The node.
    #[serde(borrow)]
    pub path: Cow<'a, str>,
}

impl<'a> WatcherEvent<'a> {
    /// `event` at `path`.
    #[must_use]
    pub fn new(event: EventType, path: &'a str) -> Self {
        Self { event: event as i32, state: KeeperState::SyncConnected as i32, path: Cow::Borrowed(path) }
    }
}

/// The answer to getData.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetDataResponse {
    /// The data.
    #[serde(with = "jute::buffer")]
    pub data: Option<Bytes>,
    /// The node.
    pub stat: Stat,
}

/// The answer to getChildren2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetChildren2Response {
    /// Names, not paths, in no particular order.
    pub children: Vec<String>,
    /// The node.
    pub stat: Stat,
}

/// The answer to getACL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetAclResponse {
    /// The list.
    pub acl: Vec<Acl>,
    /// The node.
    pub stat: Stat,
}

/// A frame with its length, ready for the socket; `write` appends what is in it.
pub(super) fn framed(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    bytes.extend_from_slice(&[0; 4]);
    write(&mut bytes);
    let length = i32::try_from(bytes.len() - 4).expect("an answer is smaller than two gigabytes");
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    bytes
}

/// The frame, with its length, of a successful answer with this body.
#[must_use]
pub fn reply<T: Serialize + ?Sized>(xid: i32, zxid: i64, body: &T) -> Vec<u8> {
    reply_with(xid, zxid, |bytes| jute::encode_into(bytes, body))
}

/// As [`reply`]; `write` appends the body.
#[must_use]
pub fn reply_with(xid: i32, zxid: i64, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    answer(ReplyHeader { xid, zxid, err: 0 }, write)
}

/// The frame, with its length, of any answer; `write` appends the body.
#[must_use]
pub fn answer(header: ReplyHeader, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    framed(|bytes| {
        jute::encode_into(bytes, &header);
        write(bytes);
    })
}

/// The frame, with its length, that tells of an event which the transaction `zxid` caused, -1 if that is
/// not known.
#[must_use]
pub fn notification(zxid: i64, event: EventType, path: &str) -> Vec<u8> {
    reply(xid::NOTIFICATION, zxid, &WatcherEvent::new(event, path))
}

/// The frame, with its length, of a refusal.
#[must_use]
pub fn reply_error(xid: i32, zxid: i64, error: ErrorCode) -> Vec<u8> {
    framed(|bytes| jute::encode_into(bytes, &ReplyHeader { xid, zxid, err: error.code() }))
}
