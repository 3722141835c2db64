//! What goes over a client's connection, and what goes into the log, in ZooKeeper's own records
//! (client.md sections 1 to 9 and 23).
//!
//! A frame is an int length and that many bytes; [`Frames`] cuts a stream into frames. The first
//! frame of a connection is a [`ConnectRequest`], every later one a [`RequestHeader`] and a body
//! that depends on the [`OpCode`]. Decoding is total: any bytes give a record or an error.

mod errors;
mod frames;
mod handshake;
mod layout;
mod multi;
mod opcode;
mod password;
mod records;
mod request;
mod response;
mod transaction;

pub use errors::ErrorCode;
pub use frames::{FRAME_LIMIT, FrameTooLong, Frames};
pub use handshake::{ConnectRequest, ConnectResponse, PASSWORD_BYTES};
pub use layout::is_well_formed;
pub use multi::{MultiHeader, MultiRequest, MultiResult, encode_multi_results};
pub use opcode::OpCode;
pub use password::password;
pub use records::{Acl, CreateMode, Id, Permissions, SessionId, Stat};
pub use request::{
    AddWatch, Auth, CheckVersion, Create, CreateTtl, Delete, PathOnly, PathWatch, Reconfig, RequestHeader,
    SetAcl, SetData, SetWatches, SetWatches2, WatcherType, Write,
};
pub use response::{
    EventType, GetAclResponse, GetChildren2Response, GetDataResponse, KeeperState, ReplyHeader, WatcherEvent,
    answer, notification, reply, reply_error, reply_with, xid,
};
pub use transaction::{Change, Origin, Transaction};

#[cfg(test)]
mod tests;
