//! A state out of another server's snapshot that was taken while transactions went on, and the log
//! after it: each node may be from another moment, and any of those transactions may be in it already
//! (`bugs.md` E01 to E07). The end of the log makes it right.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::State;
use crate::identity::{ServerId, Zxid};
use crate::wire::{Change, Origin, SessionId, Transaction};

/// Nobody waits for what is read from files.
const NOBODY: Origin = Origin { server: ServerId(0), boot: 0, client: 0, number: 0 };

/// A state on its way to that of one moment.
#[derive(Debug)]
pub struct FuzzyState {
    state: State,
    /// The nodes whose access control list is missing in the snapshot, because it was new when that was
    /// taken (ZOOKEEPER-4846). The log has it. Until then nobody may use them.
    without_acl: BTreeSet<String>,
}

impl FuzzyState {
    pub(super) fn new(state: State, without_acl: BTreeSet<String>) -> Self {
        Self { state, without_acl }
    }

    /// What it is now.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// As the snapshot has it, for those who only look.
    #[must_use]
    pub fn into_state(self) -> State {
        self.state
    }

    /// A node whose access control list has not come yet.
    #[must_use]
    pub fn without_acl(&self) -> Option<&str> {
        self.without_acl.first().map(String::as_str)
    }

    /// Applies the next transaction of the log.
    pub fn apply(&mut self, mut transaction: Transaction) {
        if let Change::CloseSession { paths } = &mut transaction.change {
            // Older servers do not list them, and delete whatever the session has.
            let all: BTreeSet<String> =
                paths.drain(..).chain(self.state.ephemerals(transaction.session)).collect();
            paths.extend(all);
        }
        self.restore_acls(&transaction);
        self.state.apply(&transaction, &mut |_| ());
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
            change => core::slice::from_ref(change),
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

    /// The state after `last`, the end of the log, and the sessions of which only ephemeral nodes were
    /// left, with how many: these are deleted, as Apache's server does when it starts.
    #[must_use]
    pub fn finish(mut self, last: Zxid) -> (State, Vec<(SessionId, usize)>) {
        let dead = self.state.owners().filter(|owner| self.state.session_timeout(*owner).is_none());
        let mut ended = Vec::new();
        for session in dead.collect::<Vec<_>>() {
            let paths: Vec<String> = self.state.ephemerals(session).collect();
            ended.push((session, paths.len()));
            let change = Change::CloseSession { paths };
            let close =
                Transaction { origin: NOBODY, session, cxid: 0, zxid: last, time: 0, change, digest: None };
            self.state.apply(&close, &mut |_| ());
        }
        (self.state, ended)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::super::tests::{SESSION, acl, create, transaction};
    use super::super::{StateLoader, StoredStat};
    use super::*;
    use crate::wire::{Acl, ErrorCode};

    /// Root, and nodes below it without access control lists, or with one that is open; each with its owner.
    fn loaded(nodes: &[(&str, Option<&[Acl]>, SessionId)]) -> FuzzyState {
        let mut loader = StateLoader::default();
        loader.node("/", None, Some(&acl(31)), StoredStat::default()).expect("the root");
        for (path, acl, owner) in nodes {
            let stat = StoredStat { ephemeral_owner: owner.0, aversion: 4, ..StoredStat::default() };
            loader.node(path, None, *acl, stat).expect("below the root");
        }
        loader.finish().expect("it has a root")
    }

    const NOBODYS: SessionId = SessionId(0);

    #[test]
    fn a_list_that_is_missing_in_the_snapshot_comes_with_the_creation_in_the_log() {
        let mut fuzzy = loaded(&[("/a", None, NOBODYS), ("/b", None, NOBODYS), ("/c", None, NOBODYS)]);
        let list = |fuzzy: &FuzzyState, path| fuzzy.state().node(path).expect("there").acl().to_vec();
        assert_eq!(list(&fuzzy, "/a")[0].perms, 0, "nobody may use it yet");
        fuzzy.apply(transaction(5, create("/a", b"", 1)));
        assert_eq!((list(&fuzzy, "/a"), fuzzy.without_acl()), (acl(31), Some("/b")));
        let version = fuzzy.state().node("/a").expect("there").stored().aversion;
        assert_eq!(version, 4, "the version is that of the snapshot");
        let refused = Change::Multi(vec![create("/b", b"", 2), Change::Error(ErrorCode::NoNode.code())]);
        fuzzy.apply(transaction(6, refused));
        assert_eq!(fuzzy.without_acl(), Some("/b"), "what was refused says nothing");
        fuzzy.apply(transaction(
            7,
            Change::Multi(vec![Change::SetAcl { path: "/b".into(), acl: acl(1), version: 5 }]),
        ));
        assert_eq!((list(&fuzzy, "/b"), fuzzy.without_acl()), (acl(1), Some("/c")));
        fuzzy.apply(transaction(8, Change::Delete { op: crate::wire::OpCode::Delete, path: "/c".into() }));
        assert_eq!(fuzzy.without_acl(), None);
        assert!(fuzzy.finish(Zxid(8)).0.is_consistent());
    }

    #[test]
    fn the_end_of_a_session_takes_its_nodes_whether_the_log_lists_them_or_not() {
        let open = acl(31);
        let mut fuzzy = loaded(&[("/listed", Some(&open), NOBODYS), ("/own", Some(&open), SESSION)]);
        fuzzy.apply(transaction(5, Change::CloseSession { paths: vec!["/listed".into()] }));
        assert!(fuzzy.state().node("/listed").is_none() && fuzzy.state().node("/own").is_none());
        assert_eq!(fuzzy.finish(Zxid(5)).1, []);
    }

    #[test]
    fn ephemeral_nodes_of_sessions_that_are_gone_end_with_the_log() {
        let (open, dead) = (acl(31), SessionId(9));
        let nodes =
            [("/alive", Some(&open[..]), SESSION), ("/x", Some(&open), dead), ("/y", Some(&open), dead)];
        let mut fuzzy = loaded(&nodes);
        fuzzy.apply(transaction(5, Change::CreateSession { timeout: 4_000 }));
        let (state, ended) = fuzzy.finish(Zxid(5));
        assert_eq!(ended, [(dead, 2)]);
        assert!(state.node("/alive").is_some() && state.node("/x").is_none() && state.node("/y").is_none());
        assert!(state.is_consistent());
    }
}
