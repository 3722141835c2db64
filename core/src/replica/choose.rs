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

/// Chooses for a learner whose log ends at `learner`. `end` is the end of what the leader regards
/// as committed: of its initial history, later of what has a quorum.
///
/// One row differs from Apache's: a learner that holds proposals still in flight, and the leader's
/// own ones at that, keeps them (row 3 instead of 2). So no server ever cuts, within an epoch,
/// what it acknowledged in that epoch.
pub(super) fn choose(
    log: &Storage,
    end: Position,
    learner: Position,
    needs_snapshot: bool,
    disk_sync: bool,
) -> Choice {
    let snap = |row| Choice { row, method: Method::Snap };
    if needs_snapshot {
        return snap(0);
    }
    if learner == end {
        return Choice { row: 1, method: Method::Diff(learner) };
    }
    if log.position_at(learner.zxid) == Some(learner) {
        return Choice { row: 3, method: Method::Diff(learner) };
    }
    if learner.zxid > end.zxid {
        return Choice { row: 2, method: Method::Trunc(end) };
    }
    let base = log.base();
    if learner.zxid < base.zxid {
        let method = if disk_sync { Method::ReadLog } else { Method::Snap };
        return Choice { row: if disk_sync { 4 } else { 5 }, method };
    }
    if mutated!(M21) {
        return Choice { row: 3, method: Method::Diff(learner) };
    }
    // The learner has a transaction that the leader has not, among those that memory holds.
    let following = log.entries_after(learner.zxid);
    let preceding = log.entries_after(base.zxid).len() - following.len();
    let next_epoch = log.entries_after(learner.zxid).next().map(|entry| entry.position.zxid.epoch());
    if next_epoch != Some(learner.zxid.epoch()) || log.position_at(learner.zxid).is_some() {
        // The learner would have nothing to cut to.
        return snap(3);
    }
    let previous = match preceding.checked_sub(1) {
        None => base,
        Some(index) => log.entries_after(base.zxid).nth(index).map_or(base, |entry| entry.position),
    };
    Choice { row: 3, method: Method::Trunc(previous) }
}
