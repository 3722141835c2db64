//! Hard quotas (client.md section 15). Whether one would be exceeded depends on what is in flight
//! too: nodes, and quotas themselves.

use alloc::format;
use alloc::string::String;

use super::Step;
use crate::state::{QuotaLimits, QuotaUsage, path};
use crate::wire::ErrorCode;

/// A quota as it will be when everything in flight is applied.
#[derive(Clone, Copy, Debug)]
pub(super) struct QuotaRecord {
    limits: QuotaLimits,
    usage: QuotaUsage,
}

/// What one change of a node does to the quotas above it, and to the one whose limits it holds.
#[derive(Debug)]
pub(super) struct Charge {
    path: String,
    count: i64,
    bytes: i64,
    limits: Option<QuotaLimits>,
}

/// The node and all above it, of which each may have a quota.
fn upwards(path: &str) -> impl Iterator<Item = &str> {
    core::iter::successors(Some(path), |path| path::parent(path))
}

/// The topmost node of the subtree whose limits the node at `path` holds.
fn subject(path: &str) -> Option<&str> {
    let top = path.strip_prefix("/zookeeper/quota")?.strip_suffix("/zookeeper_limits")?;
    (!top.is_empty()).then_some(top)
}

impl Step<'_> {
    /// The quota of the subtree from `top` on.
    fn quota(&self, top: &str) -> Option<QuotaRecord> {
        if let Some(quota) = self.preparer.quotas.get(top) {
            return *quota;
        }
        let quota = self.state.quota_above(top).filter(|quota| quota.path == top)?;
        Some(QuotaRecord { limits: quota.limits, usage: quota.usage })
    }

    /// Whether the nearest quota above `path` allows so many more nodes and bytes. It decides by what
    /// there was before the transaction, so a multi may go beyond it; limits without a stats node
    /// limit nothing; limits that cannot be read refuse everything; and data may not even shrink while
    /// there is too much: as ZooKeeper has it.
    pub(super) fn check_quota(&self, path: &str, count: i64, bytes: i64) -> Result<(), ErrorCode> {
        if !self.preparer.settings.enforce_quota {
            return Ok(());
        }
        let nearest = upwards(path).find_map(|top| Some((top, self.quota(top)?)));
        let Some((top, QuotaRecord { limits, usage })) = nearest else { return Ok(()) };
        if limits.unreadable {
            return Err(ErrorCode::MarshallingError);
        }
        let exceeds = |limit: Option<i64>, used: i64, more: i64| {
            more != 0 && limit.is_some_and(|limit| used + more > limit)
        };
        let exceeded =
            exceeds(limits.count_hard, usage.count, count) || exceeds(limits.bytes_hard, usage.bytes, bytes);
        if exceeded && self.find(&format!("/zookeeper/quota{top}/zookeeper_stats")).is_some() {
            return Err(ErrorCode::QuotaExceeded);
        }
        Ok(())
    }

    /// The node at `path` was changed, so that there are so many more nodes and bytes; `data` is what
    /// it has now, if it still is.
    pub(super) fn charge(&mut self, path: &str, count: i64, bytes: i64, data: Option<&[u8]>) {
        if self.preparer.settings.enforce_quota {
            let limits = data.filter(|_| subject(path).is_some()).map(QuotaLimits::parse);
            self.charges.push(Charge { path: path.into(), count, bytes, limits });
        }
    }

    /// The transaction is complete: quotas change.
    pub(super) fn settle_quotas(&mut self) {
        let charges = core::mem::take(&mut self.charges);
        for Charge { path, count, bytes, .. } in &charges {
            for top in upwards(path) {
                if let Some(QuotaRecord { limits, usage }) = self.quota(top) {
                    let usage = QuotaUsage { count: usage.count + count, bytes: usage.bytes + bytes };
                    self.preparer.quotas.put(self.zxid, top.into(), Some(QuotaRecord { limits, usage }));
                }
            }
        }
        for Charge { path, limits, .. } in &charges {
            if let Some(top) = subject(path) {
                let usage = || self.quota(top).map_or_else(|| self.usage(top), |quota| quota.usage);
                let quota = limits.map(|limits| QuotaRecord { limits, usage: usage() });
                self.preparer.quotas.put(self.zxid, top.into(), quota);
            }
        }
    }

    /// What the subtree from `top` on will hold, counted.
    fn usage(&self, top: &str) -> QuotaUsage {
        let mut usage = self.state.usage(top);
        let is_below =
            |path: &str| path.strip_prefix(top).is_some_and(|rest| matches!(rest.get(..1), None | Some("/")));
        for (path, record) in self.preparer.nodes.iter().filter(|(path, _)| is_below(path)) {
            if let Some(applied) = self.state.node(path) {
                usage.count -= 1;
                usage.bytes -= applied.data_length();
            }
            if let Some(record) = record {
                usage.count += 1;
                usage.bytes += record.length;
            }
        }
        usage
    }
}
