//! How a leader brings one learner to its history: the table of zab.md section 5.1.

use crate::event::SyncAction;
use crate::identity::{Position, Zxid};
use crate::mutated;
use crate::storage::Storage;

/// The choice for one learner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// The row of the table that matched.
    pub(super) row: u8,
    pub(super) method: Method,
}

/// What the learner is sent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// Its log is a prefix of the leader's: send what follows.
    Diff(Position),
    /// Cut its log, then send what follows.
    Trunc(Position),
    /// Read what memory no longer holds from the disk, then send it.
    ReadLog,
    /// Send the whole state.
    Snap,
}

impl Choice {
    /// As an event names it, if the transactions up to `end` follow.
    pub(super) fn action(&self, end: Zxid) -> SyncAction {
        match self.method {
            Method::Diff(_) | Method::ReadLog => SyncAction::Diff,
            Method::Trunc(to) if to.zxid == end => SyncAction::Trunc,
            Method::Trunc(_) => SyncAction::TruncDiff,
            Method::Snap => SyncAction::Snap,
        }
    }
}

/// Chooses for a learner whose log ends at `learner`; `ends` are the ends of the epochs in it,
/// newest first. `end` is the end of what the leader regards as committed: of its initial history,
/// later of what has a quorum.
///
/// Two things differ from Apache's table:
///
/// - A learner that holds proposals still in flight, and the leader's own ones at that, keeps them
///   (row 3 instead of 2). So no server ever cuts, within an epoch, what it acknowledged in it.
/// - TRUNC crosses epochs, because the leader finds the last common transaction exactly. A snapshot
///   is sent only to a learner whose last common transaction lies below the leader's memory, and so
///   below the snapshot's label: nothing that is committed is ever taken from a learner, not even
///   until it is sent again.
pub(super) fn choose(
    log: &Storage,
    end: Position,
    learner: Position,
    ends: &[Position],
    disk_sync: bool,
) -> Choice {
    if learner == end {
        return Choice { row: 1, method: Method::Diff(learner) };
    }
    if log.position_at(learner.zxid) == Some(learner) {
        return Choice { row: 3, method: Method::Diff(learner) };
    }
    if learner.zxid == Zxid::ZERO && log.base().zxid > Zxid::ZERO && mutated!(M20) {
        return Choice { row: 3, method: Method::Diff(learner) };
    }
    if learner.zxid < log.base().zxid {
        return if disk_sync {
            Choice { row: 4, method: Method::ReadLog }
        } else {
            Choice { row: 5, method: Method::Snap }
        };
    }
    if mutated!(M21) {
        return Choice { row: 3, method: Method::Diff(learner) };
    }
    let row = if learner.zxid > end.zxid { 2 } else { 3 };
    let method = last_common(log, ends).map_or(Method::Snap, Method::Trunc);
    Choice { row, method }
}

/// The last transaction that a log with these epoch ends has in common with the leader's, if the
/// leader's memory goes back that far.
fn last_common(log: &Storage, ends: &[Position]) -> Option<Position> {
    ends.iter().find_map(|end| {
        // Whoever has a transaction of an epoch has all before it in that epoch: what the leader
        // has of the epoch up to here, the learner has too.
        let common = log.position_upto(end.zxid)?;
        let is_prefix = common.zxid < end.zxid && common.zxid.epoch() == end.zxid.epoch();
        (common == *end || is_prefix).then_some(common)
    })
}
