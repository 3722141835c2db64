//! What a client says and hears.
#![allow(dead_code, reason = "each test takes what it needs")]

use serde::Serialize;
use serde::de::DeserializeOwned;
use zabrus_core::jute::{self, Decoder};
use zabrus_core::wire::{
    Acl, ConnectRequest, Create, Id, OpCode, PathWatch, Permissions, ReplyHeader, RequestHeader, SessionId,
};

/// The first frame of a client without a session.
pub fn hello() -> Vec<u8> {
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 0,
        timeout: 30_000,
        session: SessionId(0),
        password: Some([0; 16][..].into()),
        read_only: Some(false),
    };
    request.encode()
}

/// A request.
pub fn request(xid: i32, op: OpCode, body: &impl Serialize) -> Vec<u8> {
    let mut bytes = jute::encode(&RequestHeader { xid, op: op.code() });
    jute::encode_into(&mut bytes, body);
    bytes
}

pub fn open_acl() -> Vec<Acl> {
    vec![Acl { perms: Permissions::ALL, id: Id { scheme: "world".into(), id: "anyone".into() } }]
}

pub fn create(xid: i32, path: &str, data: &[u8]) -> Vec<u8> {
    let body = Create { path: path.into(), data: Some(data.into()), acl: Some(open_acl()), flags: 0 };
    request(xid, OpCode::Create, &body)
}

pub fn get_data(xid: i32, path: &str) -> Vec<u8> {
    request(xid, OpCode::GetData, &PathWatch { path: path.into(), watch: false })
}

pub fn sync(xid: i32) -> Vec<u8> {
    request(xid, OpCode::Sync, &"/")
}

/// What a server answered, from a frame with its length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub header: ReplyHeader,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn read(frame: &[u8]) -> Self {
        let mut decoder = Decoder::new(&frame[4..]);
        let header = decoder.read().expect("a header");
        Self { header, body: decoder.remaining().to_vec() }
    }

    pub fn is_ok(&self) -> bool {
        self.header.err == 0
    }

    pub fn body<T: DeserializeOwned>(&self) -> T {
        jute::decode(&self.body).expect("the body of the answer")
    }
}
