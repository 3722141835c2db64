//! The log on top of a snapshot, which may be fuzzy: it was taken while transactions went on, so any
//! of those after its name may be in it already (`bugs.md` E01 to E07).

use std::collections::BTreeSet;

use zabrus_core::identity::Zxid;
use zabrus_core::state::State;
use zabrus_core::storage::segment::follows;
use zabrus_core::wire::{Change, SessionId, Transaction};

use super::super::hexadecimal;
use super::snapshot::Loaded;

#[derive(Debug)]
pub(super) struct Replay {
    state: State,
    last: Zxid,
    count: u64,
    without_acl: BTreeSet<String>,
    /// The digest of the snapshot, until the tree should have it.
    expected: Option<(Zxid, u64)>,
    /// From here on the tree is that of one moment.
    exact_from: Option<Zxid>,
    /// The first transaction after which the tree has another digest than it had in Apache's server.
    mismatch: Option<Zxid>,
    force: bool,
    notes: Vec<String>,
}

impl Replay {
    pub(super) fn new(label: Zxid, loaded: Loaded, force: bool) -> Self {
        let Loaded { state, without_acl, digest } = loaded;
        // Between the last transaction and the name there may be ends of epochs, which change nothing.
        let digest = digest.map(|(zxid, digest)| (zxid.max(label), digest));
        let mut replay = Self {
            state,
            last: label,
            count: 0,
            without_acl,
            expected: digest,
            exact_from: digest.map(|(zxid, _)| zxid),
            mismatch: None,
            force,
            notes: Vec::new(),
        };
        replay.compare(label, None);
        replay
    }

    /// How many transactions were applied.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// What the operator must decide.
    fn doubt(&mut self, what: String) -> Result<(), String> {
        if !self.force {
            return Err(format!("{what}; with --force this is ignored"));
        }
        self.notes.push(format!("{what}; ignored"));
        Ok(())
    }

    /// Applies a transaction of the log, unless the snapshot or an earlier file has it for sure.
    pub(super) fn apply(&mut self, mut transaction: Transaction) -> Result<(), String> {
        let zxid = transaction.zxid;
        if zxid <= self.last {
            return Ok(());
        }
        if !follows(self.last, zxid) {
            let (after, before) = (hexadecimal(self.last), hexadecimal(zxid));
            self.doubt(format!("there is nothing between {after} and {before}: a log file is missing"))?;
        }
        if let Change::CloseSession { paths } = &mut transaction.change {
            // Older servers do not list them, and delete whatever the session has.
            let all = paths.drain(..).chain(self.state.ephemerals(transaction.session));
            let all: BTreeSet<String> = all.collect();
            paths.extend(all);
        }
        self.restore_acls(&transaction);
        self.state.apply(&transaction, &mut |_| ());
        self.last = zxid;
        self.count += 1;
        self.compare(zxid, transaction.digest);
        Ok(())
    }

    /// Gives the nodes without access control list the one with which they are created here, although
    /// they are there already.
    fn restore_acls(&mut self, transaction: &Transaction) {
        if self.without_acl.is_empty() {
            return;
        }
        let changes = match &transaction.change {
            Change::Multi(changes) if changes.iter().any(|change| matches!(change, Change::Error(_))) => &[],
            Change::Multi(changes) => &changes[..],
            change => std::slice::from_ref(change),
        };
        for change in changes {
            let (path, acl) = match change {
                Change::Create { path, acl, .. } | Change::SetAcl { path, acl, .. } => (path, acl),
                Change::Delete { path, .. } => {
                    self.without_acl.remove(path);
                    continue;
                }
                _ => continue,
            };
            if self.without_acl.remove(path)
                && let Some(node) = self.state.node(path)
            {
                let version = node.stored().aversion;
                let change = Change::SetAcl { path: path.clone(), acl: acl.clone(), version };
                self.state.apply(&Transaction { change, ..transaction.clone() }, &mut |_| ());
            }
        }
    }

    /// Compares the digest of the tree with what Apache's server had after `zxid`: not before the
    /// snapshot's own, and without one only at the end.
    fn compare(&mut self, zxid: Zxid, logged: Option<u64>) {
        let digest = self.state.node_digest();
        if let Some((_, expected)) = self.expected.take_if(|(at, _)| *at == zxid)
            && digest != expected
        {
            self.mismatch.get_or_insert(zxid);
        }
        if let Some(logged) = logged {
            match self.exact_from {
                None => self.mismatch = (logged != digest).then_some(zxid),
                Some(from) if zxid >= from && logged != digest => {
                    self.mismatch.get_or_insert(zxid);
                }
                Some(_) => {}
            }
        }
    }

    /// The state after the last transaction, and which that is.
    pub(super) fn finish(mut self, notes: &mut Vec<String>) -> Result<(Zxid, State), String> {
        if let Some((zxid, _)) = self.expected {
            let (zxid, last) = (hexadecimal(zxid), hexadecimal(self.last));
            self.doubt(format!("the snapshot reaches to {zxid}, but the log ends at {last}"))?;
        }
        if let Some(path) = self.without_acl.first() {
            self.doubt(format!("the access control list of {path} is missing, nobody could use it"))?;
        }
        if let Some(zxid) = self.mismatch {
            self.doubt(format!("after {} the digest of the tree is another one", hexadecimal(zxid)))?;
        }
        // Apache's server does the same when it starts.
        let dead: Vec<SessionId> =
            self.state.owners().filter(|owner| self.state.session_timeout(*owner).is_none()).collect();
        for session in dead {
            let paths: Vec<String> = self.state.ephemerals(session).collect();
            self.notes.push(format!(
                "session {session} is gone, but not its {} ephemeral nodes: deleted",
                paths.len()
            ));
            let transaction = super::log::closing(session, self.last, paths);
            self.state.apply(&transaction, &mut |_| ());
        }
        notes.append(&mut self.notes);
        Ok((self.last, self.state))
    }
}
