//! What a server is told at its start.

use serde::{Deserialize, Serialize};

use crate::identity::ServerId;
use crate::quorum::Ensemble;
use crate::time::Duration;

/// How the members agree on whom to try as leader. Safety never depends on it (E11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ElectionAlgorithm {
    /// Fast leader election, `electionAlg=3` (zab.md sections 1 and 2).
    #[default]
    Fast,
    /// The older basic election, `electionAlg=0`: ask everybody, count, repeat.
    Basic,
    /// The driver names the leader ([`crate::io::Command::Elect`]): the adversarial election of
    /// invariants.md E11.
    External,
}

/// The settings of one server. Times are spans; limits called `*_limit` count ticks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// This server.
    pub id: ServerId,
    /// Everybody.
    pub ensemble: Ensemble,
    /// The election algorithm, the same on all servers.
    pub election: ElectionAlgorithm,
    /// One tick.
    pub tick_time: Duration,
    /// Ticks that connecting and synchronizing may take.
    pub init_limit: u32,
    /// Ticks without a word after which a link counts as dead.
    pub sync_limit: u32,
    /// How long an election waits for better votes once it has a quorum; also the first resend
    /// interval, which doubles up to `election_backoff_max` (R15).
    pub finalize_wait: Duration,
    /// The longest silence before votes are sent again.
    pub election_backoff_max: Duration,
    /// How many committed transactions stay in memory to synchronize learners from.
    pub sync_window: usize,
    /// A learner further behind is synchronized from the disk log while that takes at most this
    /// many percent of the newest snapshot's size; 0 switches it off (`snapshotSizeFactor`).
    pub disk_sync_percent: u32,
    /// Transactions between two snapshots.
    pub snapshot_interval: u64,
    /// Valid snapshots to keep, at least 1.
    pub snapshots_kept: usize,
    /// A log segment is closed when it has grown beyond this many bytes.
    pub segment_bytes: u64,
    /// Log space that is allocated ahead, in bytes (`preAllocSize`).
    pub preallocate_bytes: u64,
    /// The largest chunk of a snapshot, in bytes.
    pub chunk_bytes: usize,
    /// The largest counter of a zxid; the leader that reaches it steps down (R14,
    /// ZOOKEEPER-1277).
    pub counter_limit: u32,
    /// An empty data directory is what the operator expects: the first start of this server, not
    /// a lost disk. Otherwise an empty server has no vote until it was synchronized
    /// (ZOOKEEPER-2325).
    pub empty_is_expected: bool,
    /// Links check connections and sequence numbers (zab.md section 15). Only the simulator
    /// switches this off, to see that safety does not depend on it.
    pub link_checks: bool,
}

impl Config {
    /// ZooKeeper's defaults for a server `id` in `ensemble`.
    #[must_use]
    pub fn new(id: ServerId, ensemble: Ensemble) -> Self {
        Self {
            id,
            ensemble,
            election: ElectionAlgorithm::Fast,
            tick_time: Duration::from_millis(2_000),
            init_limit: 10,
            sync_limit: 5,
            finalize_wait: Duration::from_millis(200),
            election_backoff_max: Duration::from_seconds(5),
            sync_window: 500,
            disk_sync_percent: 33,
            snapshot_interval: 100_000,
            snapshots_kept: 3,
            segment_bytes: 64 << 20,
            preallocate_bytes: 4 << 20,
            chunk_bytes: 64 << 10,
            counter_limit: u32::MAX,
            empty_is_expected: true,
            link_checks: true,
        }
    }
}
