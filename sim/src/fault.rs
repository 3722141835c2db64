//! Placeholder of the fault owner's module: the shape that the world needs.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use zabrus_core::{Duration, ServerId};

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FaultKind {
    /// Placeholder.
    Crash,
}

/// One concrete fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// The process ends; what it wrote stays in the page cache.
    Crash(ServerId),
    /// The machines lose power: what was not synced is lost or torn.
    PowerLoss(BTreeSet<ServerId>),
    /// The process starts, if it is down.
    Start(ServerId),
    /// The process stands still; its clock does not.
    Pause(ServerId),
    /// It goes on.
    Resume(ServerId),
    /// The process ends and its disk is empty.
    Wipe(ServerId),
    /// Both processes end and their disks change places.
    SwapDisks(ServerId, ServerId),
    /// Nothing passes in these directions.
    Block(Vec<(ServerId, ServerId)>),
    /// It passes again.
    Unblock(Vec<(ServerId, ServerId)>),
    /// All blocks and clogs are gone.
    Heal,
    /// The connection between two servers breaks.
    BreakLink(ServerId, ServerId),
    /// Traffic in one direction takes this much longer.
    Clog {
        /// From this server.
        from: ServerId,
        /// To this one.
        to: ServerId,
        /// By so much; zero for as usual.
        extra: Duration,
    },
    /// The wall clock jumps.
    WallJump {
        /// Of this server.
        server: ServerId,
        /// By so much.
        millis: i64,
    },
    /// The monotonic clock runs at another rate from now on.
    Drift {
        /// Of this server.
        server: ServerId,
        /// Faster or slower by this much.
        per_million: i32,
    },
    /// The external election names a leader.
    Elect {
        /// To this server.
        server: ServerId,
        /// This one.
        leader: ServerId,
    },
}
