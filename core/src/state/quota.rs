//! Quotas (client.md section 15). Which ones there are is a matter of nodes below `/zookeeper/quota`;
//! usage is kept beside the tree, always equal to a count of the subtree.
//!
//! ZooKeeper writes usage into the stats node, and only that of the nearest quota above a change.
//! Here every quota above is charged, so that usage means the same before and after a restart, and a
//! stats node is shown with its quota's figures.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use super::path;
use super::tree::{Slot, Tree};
use crate::identity::Bytes;

pub(super) const ROOT: &str = "/zookeeper/quota";
const LIMITS: &str = "zookeeper_limits";
const STATS: &str = "zookeeper_stats";

/// What the subtree below a quota may hold. `None`: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuotaLimits {
    /// Nodes; beyond it there is a warning.
    pub count: Option<i64>,
    /// Bytes of data; beyond it there is a warning.
    pub bytes: Option<i64>,
    /// Nodes; no more can be created if quotas are enforced.
    pub count_hard: Option<i64>,
    /// Bytes of data; no more can be written if quotas are enforced.
    pub bytes_hard: Option<i64>,
    /// The text holds something else than limits.
    pub unreadable: bool,
}

/// What a subtree holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuotaUsage {
    /// Nodes, the topmost included.
    pub count: i64,
    /// Bytes of data.
    pub bytes: i64,
}

/// A quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota<'a> {
    /// The topmost node of the subtree.
    pub path: &'a str,
    /// What it may hold.
    pub limits: QuotaLimits,
    /// What it holds.
    pub usage: QuotaUsage,
}

impl QuotaLimits {
    /// The limits in the data of a limits node: `count=5,bytes=-1=;byteHardLimit=9`. -1 is no limit.
    #[must_use]
    pub fn parse(data: &[u8]) -> Self {
        let mut limits = Self::default();
        let text = String::from_utf8_lossy(data);
        for entry in text.split([',', ';']).filter(|entry| !entry.is_empty()) {
            // ZooKeeper writes a second `=` before the first semicolon, to please older servers.
            let limit = entry.trim_end_matches('=').split_once('=');
            let Some((key, Ok(value))) = limit.map(|(key, value)| (key, value.parse::<i64>())) else {
                limits.unreadable = true;
                continue;
            };
            let value = (value >= 0).then_some(value);
            match key {
                "count" => limits.count = value,
                "bytes" => limits.bytes = value,
                "countHardLimit" => limits.count_hard = value,
                "byteHardLimit" => limits.bytes_hard = value,
                _ => {}
            }
        }
        limits
    }
}

/// The subtree of whose quota the node at `path` is the limits or stats node.
fn subject(node: &str) -> Option<&str> {
    let parent = path::parent(node)?;
    let subject = parent.strip_prefix(ROOT)?;
    (matches!(path::name(node), LIMITS | STATS) && subject.starts_with('/')).then_some(subject)
}

/// Usage, by the topmost node of each subtree with a limits or stats node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Quotas {
    usage: BTreeMap<String, QuotaUsage>,
}

impl Quotas {
    /// Nodes came or went, or data grew or shrank, at `path`.
    pub(super) fn charge(&mut self, path: &str, count: i64, bytes: i64) {
        if self.usage.is_empty() {
            return;
        }
        for above in path::upwards(path) {
            if let Some(usage) = self.usage.get_mut(above) {
                usage.count += count;
                usage.bytes += bytes;
            }
        }
    }

    /// The node at `path` was created or deleted: perhaps that begins or ends a quota.
    pub(super) fn changed(&mut self, tree: &Tree, path: &str) {
        let Some(subject) = subject(path) else { return };
        let exists = |name| tree.find(&format!("{ROOT}{subject}/{name}")).is_some();
        if !exists(LIMITS) && !exists(STATS) {
            self.usage.remove(subject);
        } else if !self.usage.contains_key(subject) {
            self.usage.insert(subject.into(), measured(tree, subject));
        }
    }

    /// The nearest quota above a node, or of the node itself.
    pub(super) fn above<'a>(&'a self, tree: &Tree, path: &str) -> Option<Quota<'a>> {
        if self.usage.is_empty() {
            return None;
        }
        path::upwards(path).find_map(|above| {
            let (path, usage) = self.usage.get_key_value(above)?;
            let limits = tree.find(&format!("{ROOT}{path}/{LIMITS}"))?;
            Some(Quota { path, limits: QuotaLimits::parse(tree.get(limits).data()), usage: *usage })
        })
    }

    /// What is read of a stats node: not what somebody wrote there.
    pub(super) fn shown(&self, tree: &Tree, slot: u32) -> Option<Bytes> {
        if self.usage.is_empty() || *tree.get(slot).name != *STATS {
            return None;
        }
        let QuotaUsage { count, bytes } = self.usage.get(subject(&tree.path(slot))?)?;
        Some(format!("count={count},bytes={bytes}").as_bytes().into())
    }

    /// All of it from nothing but the tree (invariants.md N13).
    pub(super) fn recomputed(tree: &Tree) -> Self {
        let mut quotas = Self::default();
        for slot in tree.find(ROOT).into_iter().flat_map(|root| tree.subtree(root)) {
            if matches!(&*tree.get(slot).name, LIMITS | STATS) {
                quotas.changed(tree, &tree.path(slot));
            }
        }
        quotas
    }
}

/// What a subtree holds, counted.
pub(super) fn measured(tree: &Tree, path: &str) -> QuotaUsage {
    let slots = tree.find(path).into_iter().flat_map(|top| tree.subtree(top));
    slots.fold(QuotaUsage::default(), |sum, slot| QuotaUsage {
        count: sum.count + 1,
        bytes: sum.bytes + length(tree.get(slot)),
    })
}

/// The length of a node's data.
pub(super) fn length(slot: &Slot) -> i64 {
    i64::try_from(slot.data().len()).expect("data fit into memory")
}
