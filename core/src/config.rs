//! What a server is told at its start.

use alloc::string::String;

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
    /// What clients may do.
    pub service: ServiceSettings,
}

/// The settings of the service, the same on all servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSettings {
    /// The shortest session timeout that is granted, in milliseconds.
    pub min_session_timeout: i32,
    /// The longest.
    pub max_session_timeout: i32,
    /// The longest frame of a client, in bytes (`jute.maxbuffer`).
    pub frame_limit: usize,
    /// Requests under way on this server beyond which it stops reading from those clients that have
    /// any (`globalOutstandingLimit`).
    pub outstanding_limit: usize,
    /// Nodes with a time to live may be created (`extendedTypesEnabled`).
    pub extended_types: bool,
    /// Hard quotas are enforced (`enforceQuota`).
    pub enforce_quota: bool,
    /// Access control lists are not looked at (`skipACL`).
    pub skip_acl: bool,
    /// Who may do everything, as `user:hash` (`DigestAuthenticationProvider.superDigest`).
    pub super_digest: Option<String>,
    /// How often the leader looks for containers and nodes past their time, in milliseconds
    /// (`znode.container.checkIntervalMs`).
    pub sweep_interval: u64,
    /// A container that never had a child goes after so many milliseconds; 0 is never
    /// (`znode.container.maxNeverUsedIntervalMs`).
    pub container_never_used: i64,
    /// At most so many of them go per minute (`znode.container.maxPerMinute`).
    pub sweeps_per_minute: u32,
    /// A read is answered only when a quorum confirmed, after it arrived, that nothing newer was
    /// committed: linearizable, beyond ZooKeeper.
    pub linearizable_reads: bool,
}

impl ServiceSettings {
    /// ZooKeeper's defaults for this tick time.
    #[must_use]
    pub fn new(tick_time: Duration) -> Self {
        let tick = i32::try_from(tick_time.as_millis()).unwrap_or(i32::MAX);
        Self {
            min_session_timeout: tick.saturating_mul(2),
            max_session_timeout: tick.saturating_mul(20),
            frame_limit: crate::wire::FRAME_LIMIT,
            outstanding_limit: 1_000,
            extended_types: false,
            enforce_quota: false,
            skip_acl: false,
            super_digest: None,
            sweep_interval: 60_000,
            container_never_used: 0,
            sweeps_per_minute: 10_000,
            linearizable_reads: false,
        }
    }
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
            service: ServiceSettings::new(Duration::from_millis(2_000)),
        }
    }
}
