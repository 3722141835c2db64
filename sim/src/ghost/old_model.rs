//! The state as a naive second implementation computes it, kept for every committed transaction.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64_with_seed;
use zabrus_core::service::{Answer, Change, Effect, Refusal};
use zabrus_core::{Bytes, Zxid};

/// A node: its data and its version.
type Node = (Bytes, u32);

/// The model tree M of invariants.md section 1: every version of every node, so that the state at any
/// committed zxid can be asked for.
#[derive(Clone, Debug)]
pub struct Model {
    nodes: BTreeMap<String, Vec<(Zxid, Option<Node>)>>,
    /// The digest of the state before the first transaction, and after each.
    digests: Vec<u64>,
}

impl Default for Model {
    fn default() -> Self {
        Self { nodes: BTreeMap::new(), digests: vec![0] }
    }
}

/// The digest of one node as `zabrus_core::service::Tree` defines it; a state's is their sum.
fn digest(path: &str, (data, version): &Node) -> u64 {
    xxh3_64_with_seed(data, xxh3_64_with_seed(path.as_bytes(), u64::from(*version) + 1))
}

impl Model {
    /// The node at `path` after the last transaction up to `zxid`.
    #[must_use]
    pub fn at(&self, path: &str, zxid: Zxid) -> Option<&Node> {
        let versions = self.nodes.get(path)?;
        let later = versions.partition_point(|(since, _)| *since <= zxid);
        versions[..later].last()?.1.as_ref()
    }

    /// The digest of the state after the first `index` transactions.
    #[must_use]
    pub fn digest_at(&self, index: usize) -> u64 {
        self.digests[index]
    }

    /// All nodes that exist now.
    pub fn present(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().filter_map(|(path, versions)| {
            let node = versions.last()?.1.as_ref()?;
            Some((path.as_str(), node))
        })
    }

    /// What a read of `path` gives at `zxid`.
    ///
    /// # Errors
    /// As the read would be refused.
    pub fn read(&self, path: &str, zxid: Zxid) -> Result<Answer, Refusal> {
        let (data, version) = self.at(path, zxid).ok_or(Refusal::NoNode)?;
        Ok(Answer::Data { data: data.clone(), version: *version })
    }

    /// What a change means in the present state.
    #[must_use]
    pub fn execute(&self, change: &Change) -> Effect {
        let present = |path: &str| self.at(path, Zxid(u64::MAX)).map(|(_, version)| *version);
        let refused = |path: &str, wanted: Option<u32>| match present(path) {
            None => Some(Refusal::NoNode),
            Some(version) if wanted.is_some_and(|wanted| wanted != version) => Some(Refusal::BadVersion),
            Some(_) => None,
        };
        match change {
            Change::Create { path, .. } if present(path).is_some() => Effect::Refused(Refusal::NodeExists),
            Change::Create { path, data } => {
                Effect::Put { path: path.clone(), data: data.clone(), version: 0 }
            }
            Change::Set { path, data, version } => match refused(path, *version) {
                Some(why) => Effect::Refused(why),
                None => {
                    let version = present(path).map_or(0, |version| version.wrapping_add(1));
                    Effect::Put { path: path.clone(), data: data.clone(), version }
                }
            },
            Change::Delete { path, version } => match refused(path, *version) {
                Some(why) => Effect::Refused(why),
                None => Effect::Remove { path: path.clone() },
            },
        }
    }

    /// Advances by one committed transaction.
    pub fn apply(&mut self, zxid: Zxid, effect: &Effect) {
        let (path, node) = match effect {
            Effect::Put { path, data, version } => (path, Some((data.clone(), *version))),
            Effect::Remove { path } => (path, None),
            Effect::Refused(_) => {
                self.digests.push(self.digest());
                return;
            }
        };
        let old = self.at(path, zxid).map_or(0, |node| digest(path, node));
        let new = node.as_ref().map_or(0, |node| digest(path, node));
        self.digests.push(self.digest().wrapping_sub(old).wrapping_add(new));
        self.nodes.entry(path.clone()).or_default().push((zxid, node));
    }

    /// The digest of the present state.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digests.last().copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use zabrus_core::io::ClientId;
    use zabrus_core::service::{Origin, Transaction, Tree};
    use zabrus_core::{Epoch, ServerId};

    use super::*;

    #[test]
    fn the_model_agrees_with_the_tree_and_remembers_every_state() {
        let data = |text: &[u8]| Bytes::from(text);
        let changes = [
            Change::Create { path: "/a".into(), data: data(b"1") },
            Change::Create { path: "/a".into(), data: data(b"2") },
            Change::Set { path: "/a".into(), data: data(b"3"), version: Some(0) },
            Change::Set { path: "/a".into(), data: data(b"4"), version: Some(0) },
            Change::Set { path: "/b".into(), data: data(b"5"), version: None },
            Change::Create { path: "/b".into(), data: data(b"6") },
            Change::Delete { path: "/a".into(), version: Some(1) },
        ];
        let (mut model, mut tree) = (Model::default(), Tree::default());
        for (place, change) in changes.iter().enumerate() {
            let zxid = Zxid::new(Epoch(1), place as u32 + 1);
            let effect = model.execute(change);
            model.apply(zxid, &effect);
            let origin = Origin { server: ServerId(1), boot: 1, client: ClientId(1), xid: 1 };
            tree.apply(&Transaction { origin, wall_millis: 0, effect });
            assert_eq!(model.digest(), tree.digest());
        }
        let at = |path, counter| model.at(path, Zxid::new(Epoch(1), counter)).cloned();
        assert_eq!(at("/a", 1), Some((data(b"1"), 0)));
        assert_eq!(at("/a", 6), Some((data(b"3"), 1)));
        assert_eq!(at("/a", 7), None);
        assert_eq!(model.present().collect::<Vec<_>>(), [("/b", &(data(b"6"), 0))]);
        assert_ne!(model.digest_at(1), model.digest_at(7));
    }
}
