mod create;
mod model;
mod multi;
mod nodes;
mod quotas;
mod random;
mod reconfig;
mod sessions;

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use serde::Serialize;

use super::{Preparer, WriteRequest};
use crate::config::ServiceSettings;
use crate::identity::{Epoch, ServerId, Zxid};
use crate::jute;
use crate::state::State;
use crate::time::Duration;
use crate::wire::{
    Acl, Change, CheckVersion, Create, CreateTtl, Delete, ErrorCode, Id, MultiHeader, OpCode, Origin,
    Permissions, SessionId, SetAcl, SetData, Transaction,
};

/// A leader without followers: its state, what it prepares, and what is prepared and not applied.
struct Leader {
    state: State,
    preparer: Preparer,
    in_flight: VecDeque<Transaction>,
    counter: u32,
    time: i64,
    identities: Vec<Id>,
}

fn settings() -> ServiceSettings {
    ServiceSettings { extended_types: true, ..ServiceSettings::new(Duration::from_millis(2_000)) }
}

impl Default for Leader {
    fn default() -> Self {
        Self::new(settings())
    }
}

impl Leader {
    fn new(settings: ServiceSettings) -> Self {
        Self {
            state: State::default(),
            preparer: Preparer::new(settings),
            in_flight: VecDeque::new(),
            counter: 0,
            time: 1_000,
            identities: vec![Id { scheme: "ip".into(), id: "127.0.0.1".into() }],
        }
    }

    fn request(&self, session: SessionId, op: OpCode, body: Vec<u8>) -> WriteRequest {
        let origin = Origin { server: ServerId(3), boot: 1, client: 1, number: 1 };
        let (op, identities) = (op.code(), self.identities.clone());
        WriteRequest { origin, session, local: false, cxid: 7, op, body: body.into(), identities }
    }

    /// Prepares a request, and does not apply it.
    fn prepare(&mut self, request: &WriteRequest) -> Transaction {
        self.counter += 1;
        let zxid = Zxid::new(Epoch(2), self.counter);
        let transaction = self.preparer.prepare(&self.state, request, None, zxid, self.time);
        self.in_flight.push_back(transaction.clone());
        transaction
    }

    /// Prepares an operation, and does not apply it.
    fn write(&mut self, session: SessionId, (op, body): Operation) -> Result<Change, ErrorCode> {
        let request = self.request(session, op, body);
        match self.prepare(&request).change {
            Change::Error(code) => Err(ErrorCode::from_code(code).expect("an error has a code")),
            change => Ok(change),
        }
    }

    /// Applies the oldest transaction in flight. The leader foresaw what the state would be.
    fn apply_one(&mut self) {
        let transaction = self.in_flight.pop_front().expect("something is in flight");
        let before = self.state.digest();
        self.state.apply(&transaction, &mut |_| ());
        self.preparer.applied(transaction.zxid);
        assert_eq!(self.state.digest(), transaction.digest.unwrap_or(before), "{transaction:?}");
    }

    /// Applies everything in flight.
    fn apply(&mut self) {
        while !self.in_flight.is_empty() {
            self.apply_one();
        }
        assert_eq!(self.preparer.digest(&self.state), self.state.digest());
        assert_eq!(self.state.recomputed_digest(), self.state.digest());
    }

    /// A new session, applied.
    fn session(&mut self) -> SessionId {
        let request = self.request(SessionId(0), OpCode::CreateSession, jute::encode(&10_000));
        let session = self.prepare(&request).session;
        self.apply();
        session
    }

    /// Does all of this, which must succeed, and applies it.
    fn done(&mut self, session: SessionId, operations: impl IntoIterator<Item = Operation>) {
        for operation in operations {
            self.write(session, operation).expect("it is possible");
        }
        self.apply();
    }

    /// Tries this, which must fail.
    fn refuses(&mut self, session: SessionId, operation: Operation, error: ErrorCode) {
        assert_eq!(self.write(session, operation), Err(error));
    }
}

type Operation = (OpCode, Vec<u8>);

fn op<T: Serialize>(op: OpCode, body: &T) -> Operation {
    (op, jute::encode(body))
}

fn acl(perms: i32, scheme: &str, id: &str) -> Acl {
    Acl { perms, id: Id { scheme: scheme.into(), id: id.into() } }
}

fn open() -> Option<Vec<Acl>> {
    Some(vec![acl(Permissions::ALL, "world", "anyone")])
}

fn create_with(path: &str, flags: i32, data: &str, acl: Option<Vec<Acl>>) -> Create {
    Create { path: path.into(), data: Some(data.as_bytes().into()), acl, flags }
}

fn create(path: &str, flags: i32) -> Operation {
    op(OpCode::Create, &create_with(path, flags, "", open()))
}

fn create_ttl(path: &str, flags: i32, ttl: i64) -> Operation {
    op(OpCode::CreateTtl, &CreateTtl { create: create_with(path, flags, "", open()), ttl })
}

fn delete(path: &str, version: i32) -> Operation {
    op(OpCode::Delete, &Delete { path: path.into(), version })
}

fn set_data(path: &str, data: &str, version: i32) -> Operation {
    op(OpCode::SetData, &SetData { path: path.into(), data: Some(data.as_bytes().into()), version })
}

fn set_acl(path: &str, acl: Option<Vec<Acl>>, version: i32) -> Operation {
    op(OpCode::SetAcl, &SetAcl { path: path.into(), acl, version })
}

fn check(path: &str, version: i32) -> Operation {
    op(OpCode::Check, &CheckVersion { path: path.into(), version })
}

fn multi(operations: impl IntoIterator<Item = Operation>) -> Operation {
    let mut bytes = Vec::new();
    for (op, body) in operations {
        jute::encode_into(&mut bytes, &MultiHeader { op: op.code(), done: false, err: -1 });
        bytes.extend(body);
    }
    jute::encode_into(&mut bytes, &MultiHeader::END);
    (OpCode::Multi, bytes)
}

fn delete_container(path: &str) -> Operation {
    (OpCode::DeleteContainer, jute::encode(path))
}

/// The path of a creation.
fn created(change: Result<Change, ErrorCode>) -> String {
    match change {
        Ok(Change::Create { path, .. }) => path,
        other => panic!("no creation: {other:?}"),
    }
}

/// The session that the leader itself has.
const LEADER: SessionId = SessionId(0);
