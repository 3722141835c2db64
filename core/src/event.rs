//! Things worth seeing, as types. Drivers log them through `tracing`; the simulator hashes them,
//! prints them as a grid, and counts them (invariants.md section 10).

use alloc::string::String;

use serde::Serialize;

use crate::identity::{Epoch, Position, ServerId, Zxid};
use crate::message::Vote;
use crate::storage::Standing;
use crate::wire::SessionId;

/// The role of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Role {
    /// Not in the protocol yet: repairing its disk after the start, or waiting for the log of its
    /// last role to reach the disk.
    Settling,
    /// Looking for a leader.
    Looking,
    /// Following a leader.
    Following,
    /// Leading.
    Leading,
    /// Observing a leader.
    Observing,
    /// Its disk failed; it waits for its driver.
    Halted,
}

/// The phase of a role (zab.md section 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Phase {
    /// Electing.
    Election,
    /// Establishing an epoch.
    Discovery,
    /// Bringing learners to the initial history.
    Synchronization,
    /// Serving.
    Broadcast,
}

/// How a leader synchronizes one learner: the row of the table in zab.md section 5.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum SyncAction {
    /// The learner's log is a prefix of the leader's.
    Diff,
    /// The learner's log is too long.
    Trunc,
    /// The learner's log is too long, and something else follows.
    TruncDiff,
    /// The learner gets the whole state.
    Snap,
}

/// Why a server left its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Departure {
    /// A learner heard nothing from its leader for too long, or never got through to it.
    LeaderSilent,
    /// The link to the leader broke.
    LinkBroken,
    /// The leader offered an epoch below the promised one (zab.md section 4.3).
    EpochTooOld,
    /// What the leader sent does not continue this server's log (R4, R10).
    HistoryMismatch,
    /// The peer sent a message that is illegal in this phase.
    ProtocolError,
    /// A leader lost contact to a quorum (zab.md section 8).
    QuorumLost,
    /// A leader did not get its quorum in time.
    EstablishmentTimedOut,
    /// A follower's history is more recent than the leader's (zab.md section 4.4).
    FollowerMoreRecent,
    /// The zxid counter is used up (zab.md section 11).
    Rollover,
    /// A leader has no vote any more, or no weight, since a reconfig.
    Removed,
    /// The disk failed.
    DiskFailed,
}

/// Something worth seeing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum Event {
    /// The start: what recovery found.
    Recovered {
        /// The end of the log.
        last: Position,
        /// The label of the snapshot below it.
        snapshot: Zxid,
        /// The highest promised epoch.
        accepted_epoch: Epoch,
        /// The highest accepted epoch.
        current_epoch: Epoch,
        /// The data directory was empty.
        empty: bool,
        /// Bytes of a torn tail that were cut.
        cut_bytes: u64,
    },
    /// The log may lack transactions that this server acknowledged: it has no free vote until it
    /// was synchronized.
    InDoubt {
        /// How much is in doubt.
        standing: Standing,
        /// What was found where, for the operator.
        reason: String,
    },
    /// Role or phase changed.
    RoleChanged {
        /// The new role.
        role: Role,
        /// The new phase.
        phase: Phase,
        /// Its leader, if it has one.
        leader: Option<ServerId>,
        /// The epoch, if one is established.
        epoch: Option<Epoch>,
    },
    /// A server proposes a candidate.
    Voted {
        /// The round.
        round: u64,
        /// The vote.
        vote: Option<Vote>,
    },
    /// The election is over for this server.
    Decided {
        /// The leader.
        leader: ServerId,
        /// The round.
        round: u64,
        /// Decided by the votes of settled servers, whatever their round.
        through_settled: bool,
        /// The round moved backwards.
        round_moved_back: bool,
    },
    /// A link between learner and leader was opened.
    LinkOpened {
        /// The other end.
        peer: ServerId,
    },
    /// A link was broken by its checks: a gap, an illegal message, an unreadable frame.
    LinkBroken {
        /// The other end.
        peer: ServerId,
        /// Why.
        reason: &'static str,
    },
    /// A frame of a dead connection, incarnation, boot or epoch was dropped.
    StaleFrame {
        /// The sender.
        peer: ServerId,
    },
    /// A leader has the quorum of promises: the epoch is established.
    EpochEstablished {
        /// The epoch.
        epoch: Epoch,
        /// The end of its initial history.
        initial: Position,
        /// Transactions of the initial history that the leader did not know to be committed.
        uncommitted: u64,
    },
    /// A leader chose how to synchronize a learner.
    SyncChosen {
        /// The learner.
        learner: ServerId,
        /// The row of the table, 1 to 5.
        row: u8,
        /// The choice.
        action: SyncAction,
        /// Where the learner's log ended.
        from: Zxid,
        /// Transactions sent for it.
        transactions: u64,
        /// Proposals in flight at that moment.
        outstanding: u64,
    },
    /// A leader that synchronizes a learner waits until it has stored a part of what it was sent.
    SyncPaused {
        /// The learner.
        learner: ServerId,
        /// It was sent everything up to here.
        sent: Zxid,
    },
    /// A learner cut its log.
    Truncated {
        /// The new end.
        to: Position,
        /// Transactions removed.
        removed: u64,
    },
    /// A learner replaced its state.
    SnapshotInstalled {
        /// The label.
        label: Position,
    },
    /// A server wrote a snapshot of its own.
    SnapshotSaved {
        /// The label.
        label: Position,
    },
    /// A learner acknowledges NEWLEADER.
    NewLeaderAcknowledged {
        /// The epoch.
        epoch: Epoch,
        /// The end of the history that it has.
        last: Position,
        /// Proposals that arrived in the synchronization and are not part of that history.
        pending: u64,
    },
    /// A leader decided that everything up to here is committed.
    Committed {
        /// The end.
        upto: Position,
    },
    /// A server delivered transactions to its state.
    Delivered {
        /// The last of them.
        upto: Position,
    },
    /// A commit arrived before the local disk was done.
    CommitAheadOfDisk {
        /// The commit.
        zxid: Zxid,
    },
    /// A server without a leader began to serve reads.
    ReadOnly {
        /// What it shows.
        applied: Zxid,
    },
    /// A leader ends a session of which nobody has heard for its timeout.
    SessionExpired {
        /// Whose.
        session: SessionId,
        /// In milliseconds.
        timeout: i32,
    },
    /// A server left its role.
    Left {
        /// The role that it left.
        role: Role,
        /// Why.
        why: Departure,
    },
    /// A disk operation failed.
    DiskFailed {
        /// What failed and how, for the operator.
        reason: String,
    },
}
