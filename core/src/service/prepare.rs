//! Turning changes into transactions, at the leader (zab.md section 6, "Prep").

use alloc::collections::BTreeMap;
use alloc::collections::VecDeque;
use alloc::string::String;

use super::{Change, Effect, Refusal, Transaction, Tree, Write};
use crate::identity::Zxid;

/// The leader's speculative state: what proposals in flight will have changed, over the applied
/// state. Lives as long as one leadership.
#[derive(Debug, Default)]
pub struct Preparer {
    /// The version that each touched node will have, `None` for one that will be gone, and the
    /// proposal that last touched it.
    outstanding: BTreeMap<String, (Option<u32>, Zxid)>,
    /// The touched nodes in the order of their proposals.
    order: VecDeque<(Zxid, String)>,
}

impl Preparer {
    /// Executes `write` as transaction `zxid` against `tree` plus everything prepared before.
    pub fn prepare(&mut self, tree: &Tree, write: Write, zxid: Zxid, wall_millis: u64) -> Transaction {
        let effect = self.execute(tree, write.change).unwrap_or_else(Effect::Refused);
        let touched = match &effect {
            Effect::Put { path, version, .. } => Some((path.clone(), Some(*version))),
            Effect::Remove { path } => Some((path.clone(), None)),
            Effect::Refused(_) => None,
        };
        if let Some((path, version)) = touched {
            self.outstanding.insert(path.clone(), (version, zxid));
            self.order.push_back((zxid, path));
        }
        Transaction { origin: write.origin, wall_millis, effect }
    }

    /// The state has caught up to `zxid`.
    pub fn applied(&mut self, zxid: Zxid) {
        while self.order.front().is_some_and(|(touched, _)| *touched <= zxid) {
            let Some((touched, path)) = self.order.pop_front() else { break };
            if self.outstanding.get(&path).is_some_and(|(_, last)| *last == touched) {
                self.outstanding.remove(&path);
            }
        }
    }

    fn version(&self, tree: &Tree, path: &str) -> Option<u32> {
        match self.outstanding.get(path) {
            Some((version, _)) => *version,
            None => tree.get(path).map(|(_, version)| version),
        }
    }

    fn execute(&self, tree: &Tree, change: Change) -> Result<Effect, Refusal> {
        match change {
            Change::Create { path, data } => match self.version(tree, &path) {
                Some(_) => Err(Refusal::NodeExists),
                None => Ok(Effect::Put { path, data, version: 0 }),
            },
            Change::Set { path, data, version } => {
                let present = self.expect(tree, &path, version)?;
                Ok(Effect::Put { path, data, version: present.wrapping_add(1) })
            }
            Change::Delete { path, version } => {
                self.expect(tree, &path, version)?;
                Ok(Effect::Remove { path })
            }
        }
    }

    fn expect(&self, tree: &Tree, path: &str, wanted: Option<u32>) -> Result<u32, Refusal> {
        let present = self.version(tree, path).ok_or(Refusal::NoNode)?;
        match wanted {
            Some(wanted) if wanted != present => Err(Refusal::BadVersion),
            _ => Ok(present),
        }
    }
}
