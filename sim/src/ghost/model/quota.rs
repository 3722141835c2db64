//! Quotas (client.md section 15).

use zabrus_core::Zxid;
use zabrus_core::wire::ErrorCode;

use super::Model;
use super::draft::Draft;
use super::node::parent;

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
/// itself; also what shrinks, while there is too much. It goes by what there was before the
/// transaction, and needs a node for the usage: both as recorded from ZooKeeper.
pub(super) fn check(draft: &Draft<'_>, path: &str, nodes: i64, bytes: i64) -> Result<(), ErrorCode> {
    if !draft.model.settings.enforce_quota {
        return Ok(());
    }
    let mut ancestor = path;
    let limits = loop {
        if ancestor == "/" {
            return Ok(());
        }
        if let Some(node) = draft.model.now(&format!("{ROOT}{ancestor}{LIMITS}")) {
            break node;
        }
        ancestor = parent(ancestor);
    };
    let text = limits.data.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
    let readable = |part: &str| {
        part.trim_end_matches('=').split_once('=').is_some_and(|(_, value)| value.parse::<i64>().is_ok())
    };
    if !text.split([',', ';']).filter(|part| !part.is_empty()).all(readable) {
        return Err(ErrorCode::MarshallingError);
    }
    let (count, size) = usage(draft.model, ancestor, Zxid(u64::MAX));
    let exceeds =
        |key, used: i64, more: i64| more != 0 && limit(&text, key).is_some_and(|limit| used + more > limit);
    let exceeded = exceeds("countHardLimit", count, nodes) || exceeds("byteHardLimit", size, bytes);
    if exceeded && draft.node(&format!("{ROOT}{ancestor}{USAGE}")).is_some() {
        return Err(ErrorCode::QuotaExceeded);
    }
    Ok(())
}

/// The data of a node in which the server keeps the usage of a quota, if `path` is one.
pub(super) fn shown(model: &Model, path: &str, zxid: Zxid) -> Option<Vec<u8>> {
    let root = path.strip_prefix(ROOT)?.strip_suffix(USAGE)?;
    if root.is_empty() {
        return None;
    }
    let (nodes, bytes) = usage(model, root, zxid);
    Some(format!("count={nodes},bytes={bytes}").into_bytes())
}
