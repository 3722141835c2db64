//! A state out of the sessions and nodes that another server's snapshot lists.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;

use super::digest::{StoredStat, digest_prefix};
use super::tree::{ROOT, Slot};
use super::{FuzzyState, State, path};
use crate::identity::Bytes;
use crate::wire::{Acl, Id, SessionId};

/// Puts a state together, node by node. It ends in a state whose parts agree, or in an error.
#[derive(Debug)]
pub struct StateLoader {
    state: State,
    without_acl: BTreeSet<String>,
}

impl Default for StateLoader {
    fn default() -> Self {
        Self { state: State::without_nodes(), without_acl: BTreeSet::new() }
    }
}

impl StateLoader {
    /// Adds a session and its timeout in milliseconds.
    pub fn session(&mut self, session: SessionId, timeout: i32) {
        let old = self.state.sessions.insert(session, timeout);
        self.state.account_session(session, old, Some(timeout));
    }

    /// Adds a node: the root first, every other one after its parent. Without an access control list
    /// nobody may use it until the log says who.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn node(
        &mut self,
        path: &str,
        data: Option<Bytes>,
        acl: Option<&[Acl]>,
        stat: StoredStat,
    ) -> Result<(), String> {
        let nobody = [Acl { perms: 0, id: Id { scheme: "missing".into(), id: "missing".into() } }];
        if acl.is_none() {
            self.without_acl.insert(path.into());
        }
        let acl = acl.unwrap_or(&nobody);
        let state = &mut self.state;
        if path == "/" && state.tree.len() == 0 {
            let prefix = digest_prefix("/", data.as_deref().unwrap_or_default());
            let acl = state.acls.take(acl);
            state.tree.insert(Slot::new("".into(), prefix, data, acl, stat));
            state.account("/", ROOT, true);
            return Ok(());
        }
        if path::name(path).is_empty() || state.tree.len() == 0 {
            return Err(format!("{path:?} is no path, or comes before the root"));
        }
        let parent = path::parent(path).and_then(|parent| state.tree.find(parent));
        let parent = parent.ok_or_else(|| format!("{path:?} has no parent"))?;
        if state.tree.child(parent, path::name(path)).is_some() {
            return Err(format!("{path:?} occurs twice"));
        }
        state.insert(parent, path, data, acl, stat);
        Ok(())
    }

    /// The state. System nodes that are not there, because an old server wrote the snapshot, are added.
    ///
    /// # Errors
    /// If there is no root.
    pub fn finish(self) -> Result<FuzzyState, String> {
        let mut state = self.state;
        if state.tree.len() == 0 {
            return Err("it has no root".into());
        }
        let fresh = State::default();
        for (path, node) in fresh.nodes() {
            if state.tree.find(&path).is_none()
                && let Some(parent) = path::parent(&path).and_then(|parent| state.tree.find(parent))
            {
                state.insert(parent, &path, node.data(), node.acl(), *node.stored());
            }
        }
        Ok(FuzzyState::new(state, self.without_acl))
    }
}
