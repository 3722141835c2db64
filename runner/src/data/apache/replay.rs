//! The log on top of a snapshot, and whether they fit.

use zabrus_core::identity::Zxid;
use zabrus_core::state::{FuzzyState, State};
use zabrus_core::storage::segment::follows;
use zabrus_core::wire::Transaction;

use super::super::hexadecimal;
use super::snapshot::Loaded;

#[derive(Debug)]
pub(super) struct Replay {
    state: FuzzyState,
    last: Zxid,
    count: u64,
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
        let Loaded { state, digest } = loaded;
        // Between the last transaction and the name there may be ends of epochs, which change nothing.
        let digest = digest.map(|(zxid, digest)| (zxid.max(label), digest));
        let mut replay = Self {
            state,
            last: label,
            count: 0,
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
    pub(super) fn apply(&mut self, transaction: Transaction) -> Result<(), String> {
        let zxid = transaction.zxid;
        if zxid <= self.last {
            return Ok(());
        }
        if !follows(self.last, zxid) {
            let (after, before) = (hexadecimal(self.last), hexadecimal(zxid));
            self.doubt(format!("there is nothing between {after} and {before}: a log file is missing"))?;
        }
        let digest = transaction.digest;
        self.state.apply(transaction);
        self.last = zxid;
        self.count += 1;
        self.compare(zxid, digest);
        Ok(())
    }

    /// Compares the digest of the tree with what Apache's server had after `zxid`: not before the
    /// snapshot's own, and without one only at the end.
    fn compare(&mut self, zxid: Zxid, logged: Option<u64>) {
        let digest = self.state.state().node_digest();
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
        if let Some(path) = self.state.without_acl() {
            let what = format!("the access control list of {path} is missing, nobody could use it");
            self.doubt(what)?;
        }
        if let Some(zxid) = self.mismatch {
            self.doubt(format!("after {} the digest of the tree is another one", hexadecimal(zxid)))?;
        }
        let (state, ended) = self.state.finish(self.last);
        notes.append(&mut self.notes);
        notes.extend(ended.into_iter().map(|(session, count)| {
            format!("session {session} is gone, but not its {count} ephemeral nodes: deleted")
        }));
        Ok((self.last, state))
    }
}
