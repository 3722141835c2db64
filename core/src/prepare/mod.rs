//! Turning requests into transactions, at the leader (zab.md section 6, "Prep").
//!
//! A write is decided once, by the leader, against the applied state and everything in flight. What
//! it decided is a [`Transaction`], which every server applies without deciding anything. A write
//! that is refused is a transaction too: it changes nothing, and whoever waits gets the error in
//! the order of all writes (client.md section 5).

mod nodes;
mod outstanding;
mod quotas;
mod reconfig;
mod record;
mod sessions;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use self::outstanding::Outstanding;
use self::quotas::{Charge, QuotaRecord};
use self::record::Record;
use crate::config::ServiceSettings;
use crate::identity::{Bytes, ServerId, Zxid};
use crate::mutated;
use crate::state::State;
use crate::wire::{Change, ErrorCode, Id, OpCode, Origin, SessionId, Transaction, Write};

/// A write on its way to the leader. The server at which it arrived does not read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteRequest {
    /// Who waits for it.
    pub origin: Origin,
    /// The session that asks; 0 for a new session and for what the leader asks of itself.
    pub session: SessionId,
    /// The session is known to the server of the origin alone, which vouches for it. Only what needs no
    /// other session is done for it; its own createSession makes it a global one.
    pub local: bool,
    /// The client's number for it.
    pub cxid: i32,
    /// An [`OpCode`], or not.
    pub op: i32,
    /// The body of the request.
    #[serde(with = "crate::codec::bytes")]
    pub body: Bytes,
    /// Who the client has proved to be.
    pub identities: Vec<Id>,
}

/// The leader's speculative state: what proposals in flight will have changed, over the applied
/// state. Lives as long as one leadership (bugs.md F11).
#[derive(Debug)]
pub struct Preparer {
    settings: ServiceSettings,
    /// Nodes by path; `None` for one that will be gone.
    nodes: Outstanding<Arc<str>, Option<Record>>,
    /// Sessions and their timeouts; `None` for one that will have ended.
    sessions: Outstanding<SessionId, Option<i32>>,
    /// Quotas by the topmost node of their subtree; `None` for one that will be gone. Only if they
    /// are enforced.
    quotas: Outstanding<Arc<str>, Option<QuotaRecord>>,
    /// The digest of the state when everything in flight is applied, if anything is.
    digest: Option<u64>,
    /// The step of a reconfig that is in flight; there is one at most.
    reconfig: Option<Zxid>,
    /// This server and the learners that have what it has: a quorum of new voters must be among them.
    pub in_sync: BTreeSet<ServerId>,
}

impl Preparer {
    /// With nothing in flight: whoever leads has applied all that was before.
    #[must_use]
    pub fn new(settings: ServiceSettings) -> Self {
        let (nodes, sessions, quotas) = Default::default();
        Self { settings, nodes, sessions, quotas, digest: None, reconfig: None, in_sync: BTreeSet::new() }
    }

    /// Executes `request` as transaction `zxid` at `time`, in milliseconds since the Unix epoch,
    /// against `state` and everything prepared before. `refused` says why the session may not write
    /// now, if it may not.
    pub fn prepare(
        &mut self,
        state: &State,
        request: &WriteRequest,
        refused: Option<ErrorCode>,
        zxid: Zxid,
        time: i64,
    ) -> Transaction {
        let mut step = Step { preparer: self, state, request, zxid, time, charges: Vec::new(), acl_bytes: 0 };
        let change = refused.map_or_else(|| step.run(), Err);
        let change = change.unwrap_or_else(|error| Change::Error(error.code()));
        let (mut origin, mut cxid) = (request.origin, request.cxid);
        let session = match change {
            Change::CreateSession { .. } => step.new_session(),
            // The client waits for what follows.
            Change::NextMembers { .. } => {
                (origin.client, origin.number, cxid) = (0, 0, 0);
                SessionId::default()
            }
            _ => request.session,
        };
        let changed = self.nodes.changed_by(zxid) || self.sessions.changed_by(zxid);
        let digest = self.digest.filter(|_| changed);
        Transaction { origin, session, cxid, zxid, time, change, digest }
    }

    /// The state has caught up to `zxid`.
    pub fn applied(&mut self, zxid: Zxid) {
        self.nodes.applied(zxid);
        self.sessions.applied(zxid);
        self.quotas.applied(zxid);
        self.reconfig = self.reconfig.filter(|reconfig| *reconfig > zxid);
        if self.nodes.is_empty() && self.sessions.is_empty() {
            self.digest = None;
        }
    }

    /// No step of a reconfig is in flight.
    #[must_use]
    pub fn has_no_reconfig(&self) -> bool {
        self.reconfig.is_none()
    }

    /// The digest of the state when everything in flight is applied to `state` (invariants.md B16).
    #[must_use]
    pub fn digest(&self, state: &State) -> u64 {
        self.digest.unwrap_or_else(|| state.digest())
    }
}

/// One request being prepared.
struct Step<'a> {
    preparer: &'a mut Preparer,
    state: &'a State,
    request: &'a WriteRequest,
    zxid: Zxid,
    time: i64,
    /// What it has done so far that quotas count.
    charges: Vec<Charge>,
    /// The size of its access control lists so far.
    acl_bytes: usize,
}

impl Step<'_> {
    fn run(&mut self) -> Result<Change, ErrorCode> {
        let op = OpCode::from_code(self.request.op).ok_or(ErrorCode::Unimplemented)?;
        let is_of_a_session = self.request.session != SessionId::default();
        let allowed = match op {
            OpCode::CreateSession => is_of_a_session == self.request.local,
            OpCode::DeleteContainer => !is_of_a_session,
            // The leader's own is the first one.
            OpCode::Reconfig => true,
            // Alone it would be a transaction that changes nothing but that is no error either
            // (ZOOKEEPER-2623).
            OpCode::Check => mutated!(M95),
            _ => op.is_write() && is_of_a_session,
        };
        if !allowed {
            return Err(ErrorCode::Unimplemented);
        }
        // Nobody vouches for a session that everybody knows.
        if is_of_a_session && self.session_timeout().is_some() == self.request.local {
            return Err(ErrorCode::SessionExpired);
        }
        let change = match Write::decode(op, &self.request.body)? {
            Write::Multi(writes) => self.multi(writes)?,
            write => self.write(write)?,
        };
        self.settle_quotas();
        Ok(change)
    }

    fn write(&mut self, write: Write) -> Result<Change, ErrorCode> {
        match write {
            Write::Create { op, create, ttl } => self.create(op, create, ttl),
            Write::Delete(delete) => self.delete(delete),
            Write::DeleteContainer(path) => self.delete_container(path),
            Write::SetData(set) => self.set_data(set),
            Write::SetAcl(set) => self.set_acl(set),
            Write::Check(check) => self.check(check),
            Write::Reconfig(request) => self.reconfig(&request),
            Write::CreateSession(timeout) => Ok(self.create_session(timeout)),
            Write::CloseSession => Ok(self.close_session()),
            Write::Multi(_) => Err(ErrorCode::MarshallingError),
        }
    }

    /// All of `writes`, each seeing what those before it do, or none (client.md section 7).
    ///
    /// # Errors
    /// [`ErrorCode::MarshallingError`] of one is that of all; other errors are results.
    fn multi(&mut self, writes: Vec<Write>) -> Result<Change, ErrorCode> {
        let digest = self.preparer.digest;
        let count = writes.len();
        let mut changes = Vec::with_capacity(count);
        for write in writes {
            match self.write(write) {
                Ok(change) => changes.push(change),
                Err(error) => {
                    self.preparer.nodes.take_back(self.zxid);
                    self.charges.clear();
                    self.preparer.digest = digest;
                    if error == ErrorCode::MarshallingError {
                        return Err(error);
                    }
                    let failed = changes.len();
                    changes = vec![Change::Error(0); count];
                    changes[failed] = Change::Error(error.code());
                    changes[failed + 1..].fill(Change::Error(ErrorCode::RuntimeInconsistency.code()));
                    break;
                }
            }
        }
        Ok(Change::Multi(changes))
    }

    /// Adjusts the digest: something that added `before` to it adds `after` from now on.
    fn adjust_digest(&mut self, before: u64, after: u64) {
        let digest = self.preparer.digest(self.state);
        self.preparer.digest = Some(digest.wrapping_sub(before).wrapping_add(after));
    }
}
