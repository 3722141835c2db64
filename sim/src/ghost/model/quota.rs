//! Quotas (client.md section 15).

use zabrus_core::wire::ErrorCode;

use super::Model;
use super::draft::Draft;
use super::node::parent;
use zabrus_core::Zxid;

const ROOT: &str = "/zookeeper/quota";
const LIMITS: &str = "/zookeeper_limits";
const USAGE: &str = "/zookeeper_stats";

/// The number behind `key=` in a text of limits, if it sets one.
fn limit(text: &str, key: &str) -> Option<i64> {
    let mut parts = text.split([',', ';']).map(|part| part.trim_start_matches('='));
    let value = parts.find_map(|part| part.strip_prefix(key)?.strip_prefix('='))?;
    value.trim_end_matches('=').parse().ok().filter(|limit| *limit >= 0)
}

/// The nodes and the bytes of a subtree.
fn usage(model: &Model, root: &str, zxid: Zxid) -> (i64, i64) {
    model.subtree(root, zxid).fold((0, 0), |(nodes, bytes), (_, node)| (nodes + 1, bytes + node.length()))
}

/// Refuses what goes beyond the hard limits of the nearest node above `path` that has any, or of
/// itself. The usage is that before the transaction.
pub(super) fn check(draft: &Draft<'_>, path: &str, nodes: i64, bytes: i64) -> Result<(), ErrorCode> {
    if !draft.model.settings.enforce_quota || path.starts_with("/zookeeper/") {
        return Ok(());
    }
    let mut ancestor = path;
    let limits = loop {
        let below = if ancestor == "/" { "" } else { ancestor };
        if let Some(node) = draft.model.now(&format!("{ROOT}{below}{LIMITS}")) {
            break node.clone();
        }
        if ancestor == "/" {
            return Ok(());
        }
        ancestor = parent(ancestor);
    };
    let text = limits.data.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
    let (count, size) = usage(draft.model, ancestor, Zxid(u64::MAX));
    let exceeds = |key, used: i64, more: i64| {
        more > 0 && limit(&text, key).is_some_and(|limit| used + more > limit)
    };
    if exceeds("countHardLimit", count, nodes) || exceeds("byteHardLimit", size, bytes) {
        return Err(ErrorCode::QuotaExceeded);
    }
    Ok(())
}

/// The data of a node in which the server keeps the usage of a quota, if `path` is one.
pub(super) fn shown(model: &Model, path: &str, zxid: Zxid) -> Option<Vec<u8>> {
    let root = path.strip_prefix(ROOT)?.strip_suffix(USAGE)?;
    let root = if root.is_empty() { "/" } else { root };
    let (nodes, bytes) = usage(model, root, zxid);
    Some(format!("count={nodes},bytes={bytes}").into_bytes())
}
