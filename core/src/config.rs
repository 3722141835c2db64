//! What a server is told at its start.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::codec::RECORD_LIMIT;
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

/// The largest [`Config::chunk_bytes`]: what surrounds a chunk in a frame needs far less than the rest of
/// what a frame can carry.
pub const CHUNK_LIMIT: usize = RECORD_LIMIT / 4;

/// The settings of one server. Times are spans; limits called `*_limit` count ticks. Whoever takes them from
/// an operator asks [`Config::validate`] before the server starts.
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
    /// The longest silence before votes are sent again; not below `finalize_wait`.
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
    /// Log space that is allocated ahead, in bytes (`preAllocSize`), at most a segment; 0 switches it off.
    pub preallocate_bytes: u64,
    /// The largest chunk of a snapshot, in bytes, at most [`CHUNK_LIMIT`].
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

/// The hash in the identities of the scheme `digest`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DigestAlgorithm {
    /// SHA-1, ZooKeeper's default.
    #[default]
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl DigestAlgorithm {
    /// The algorithm that Java knows by this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match &*name.to_ascii_uppercase() {
            "SHA1" | "SHA-1" | "SHA" => Some(Self::Sha1),
            "SHA-256" => Some(Self::Sha256),
            "SHA-512" => Some(Self::Sha512),
            _ => None,
        }
    }
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
    /// Paths that one connection may watch. A watch beyond is refused with
    /// [`crate::wire::ErrorCode::QuotaExceeded`].
    pub watch_limit: usize,
    /// Nodes with a time to live may be created (`extendedTypesEnabled`).
    pub extended_types: bool,
    /// Hard quotas are enforced (`enforceQuota`).
    pub enforce_quota: bool,
    /// Access control lists are not looked at (`skipACL`).
    pub skip_acl: bool,
    /// Who may do everything, as `user:hash` (`DigestAuthenticationProvider.superDigest`).
    pub super_digest: Option<String>,
    /// How the scheme `digest` calls somebody (`DigestAuthenticationProvider.digestAlg`); `None` if there is
    /// no such scheme (`DigestAuthenticationProvider.enabled`).
    pub digest: Option<DigestAlgorithm>,
    /// A client that has proved no identity of one of these schemes is sent away at its first request
    /// (`enforce.auth.enabled`, `enforce.auth.schemes`).
    pub enforced_schemes: Option<Vec<String>>,
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
    /// New sessions are local: known to their server alone (`localSessionsEnabled`, client.md section 17.4).
    pub local_sessions: bool,
    /// A local session becomes a global one before it creates an ephemeral node
    /// (`localSessionsUpgradingEnabled`).
    pub upgrade_local_sessions: bool,
    /// A server without a quorum answers reads of clients that ask for no more (`readonlymode.enabled`,
    /// client.md section 17.5). Never with `linearizable_reads`, which it could not keep.
    pub read_only_mode: bool,
    /// What `/zookeeper/config` says until a reconfig was applied (client.md section 16); empty for a
    /// server alone.
    pub ensemble_text: String,
    /// Clients may change the ensemble (`reconfigEnabled`). Then its members are those of the last
    /// reconfig that was applied, once there was one, and [`Config::ensemble`] is where this server starts.
    pub reconfig_enabled: bool,
    /// One voter alone is no ensemble, so reconfig leaves at least two (`standaloneEnabled`).
    pub standalone_enabled: bool,
}

impl ServiceSettings {
    /// ZooKeeper's defaults for this tick time, and a generous limit on watches, which it has not.
    #[must_use]
    pub fn new(tick_time: Duration) -> Self {
        let tick = i32::try_from(tick_time.as_millis()).unwrap_or(i32::MAX);
        Self {
            min_session_timeout: tick.saturating_mul(2),
            max_session_timeout: tick.saturating_mul(20),
            frame_limit: crate::wire::FRAME_LIMIT,
            outstanding_limit: 1_000,
            watch_limit: 1_000_000,
            extended_types: false,
            enforce_quota: false,
            skip_acl: false,
            super_digest: None,
            digest: Some(DigestAlgorithm::Sha1),
            enforced_schemes: None,
            sweep_interval: 60_000,
            container_never_used: 0,
            sweeps_per_minute: 10_000,
            linearizable_reads: false,
            local_sessions: false,
            upgrade_local_sessions: false,
            read_only_mode: false,
            ensemble_text: String::new(),
            reconfig_enabled: false,
            standalone_enabled: true,
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
    /// Whether a server can work with these settings.
    ///
    /// # Errors
    /// The first setting with which it cannot.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !self.ensemble.members.contains_key(&self.id) {
            return Err(ConfigError::NotAMember(self.id));
        }
        if !self.ensemble.voters().any(|voter| self.ensemble.may_lead(voter)) {
            return Err(ConfigError::NobodyMayLead);
        }
        let finalize_wait = self.finalize_wait.as_millis();
        let any = 1..=u64::MAX;
        let ranges: [(&'static str, u64, RangeInclusive<u64>); 10] = [
            ("tick_time", self.tick_time.as_millis(), any.clone()),
            ("init_limit", self.init_limit.into(), any.clone()),
            ("sync_limit", self.sync_limit.into(), any.clone()),
            ("finalize_wait", finalize_wait, any.clone()),
            ("election_backoff_max", self.election_backoff_max.as_millis(), finalize_wait..=u64::MAX),
            ("snapshot_interval", self.snapshot_interval, any.clone()),
            ("snapshots_kept", self.snapshots_kept as u64, any.clone()),
            // Recovery reads a segment as a whole.
            ("segment_bytes", self.segment_bytes, 1..=u64::from(u32::MAX)),
            ("chunk_bytes", self.chunk_bytes as u64, 1..=CHUNK_LIMIT as u64),
            ("counter_limit", self.counter_limit.into(), any),
        ];
        match ranges.into_iter().find(|(_, value, range)| !range.contains(value)) {
            None => Ok(()),
            Some((setting, value, range)) => Err(ConfigError::OutOfRange { setting, value, range }),
        }
    }
}

/// A setting with which no server can work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// The server does not belong to its own ensemble.
    NotAMember(ServerId),
    /// The ensemble has no voter, or none with weight.
    NobodyMayLead,
    /// A number is too small or too large.
    OutOfRange {
        /// The field of [`Config`].
        setting: &'static str,
        /// What it is; times in milliseconds.
        value: u64,
        /// What it may be.
        range: RangeInclusive<u64>,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAMember(server) => write!(f, "server {server} is not in its ensemble: add it"),
            Self::NobodyMayLead => f.write_str("nobody may lead; expected a voter with a weight above 0"),
            Self::OutOfRange { setting, value, range } => {
                write!(f, "`{setting}` is {value}; expected ")?;
                match (range.start(), range.end()) {
                    (least, &u64::MAX) => write!(f, "at least {least}"),
                    (least, most) => write!(f, "{least} to {most}"),
                }
            }
        }
    }
}

impl core::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::identity::{Epoch, Zxid};
    use crate::message::{Frame, LinkIncarnation, Message};

    /// What is said about the defaults of one server of three after `change`.
    fn complaint(change: impl FnOnce(&mut Config)) -> Option<String> {
        let mut config = Config::new(ServerId(1), Ensemble::plain(3, 1));
        change(&mut config);
        config.validate().err().map(|error| error.to_string())
    }

    #[test]
    fn the_defaults_and_the_ends_of_each_range_are_accepted() {
        assert_eq!(complaint(|_| {}), None);
        assert_eq!(complaint(|config| config.id = ServerId(4)), None, "an observer");
        assert_eq!(
            complaint(|config| {
                config.tick_time = Duration::from_millis(1);
                (config.init_limit, config.sync_limit) = (1, 1);
                (config.finalize_wait, config.election_backoff_max) = (config.tick_time, config.tick_time);
                (config.sync_window, config.disk_sync_percent) = (0, 0);
                (config.snapshot_interval, config.snapshots_kept) = (1, 1);
                (config.segment_bytes, config.preallocate_bytes) = (1, 0);
                (config.chunk_bytes, config.counter_limit) = (1, 1);
            }),
            None
        );
        assert_eq!(
            complaint(|config| {
                config.tick_time = Duration(u64::MAX);
                (config.init_limit, config.sync_limit) = (u32::MAX, u32::MAX);
                (config.finalize_wait, config.election_backoff_max) = (config.tick_time, config.tick_time);
                (config.sync_window, config.disk_sync_percent) = (usize::MAX, u32::MAX);
                (config.snapshot_interval, config.snapshots_kept) = (u64::MAX, usize::MAX);
                (config.segment_bytes, config.preallocate_bytes) = (u32::MAX.into(), u64::MAX);
                (config.chunk_bytes, config.counter_limit) = (CHUNK_LIMIT, u32::MAX);
            }),
            None
        );
    }

    #[test]
    fn every_mistake_is_told_with_what_was_expected() {
        let told = |change: &dyn Fn(&mut Config), expected: &str| {
            assert_eq!(complaint(|config| change(config)).as_deref(), Some(expected));
        };
        told(&|c| c.id = ServerId(5), "server 5 is not in its ensemble: add it");
        let nobody = "nobody may lead; expected a voter with a weight above 0";
        told(&|c| (c.id, c.ensemble) = (ServerId(1), Ensemble::plain(0, 1)), nobody);
        let weightless = |c: &mut Config| {
            c.ensemble.hierarchical = true;
            c.ensemble.members.values_mut().for_each(|member| member.weight = 0);
        };
        told(&weightless, nobody);
        told(&|c| c.tick_time = Duration(999), "`tick_time` is 0; expected at least 1");
        told(&|c| c.init_limit = 0, "`init_limit` is 0; expected at least 1");
        told(&|c| c.sync_limit = 0, "`sync_limit` is 0; expected at least 1");
        told(&|c| c.finalize_wait = Duration::ZERO, "`finalize_wait` is 0; expected at least 1");
        let backoff = "`election_backoff_max` is 199; expected at least 200";
        told(&|c| c.election_backoff_max = Duration::from_millis(199), backoff);
        told(&|c| c.snapshot_interval = 0, "`snapshot_interval` is 0; expected at least 1");
        told(&|c| c.snapshots_kept = 0, "`snapshots_kept` is 0; expected at least 1");
        told(&|c| c.segment_bytes = 0, "`segment_bytes` is 0; expected 1 to 4294967295");
        told(&|c| c.segment_bytes = 1 << 32, "`segment_bytes` is 4294967296; expected 1 to 4294967295");
        told(&|c| c.chunk_bytes = 0, "`chunk_bytes` is 0; expected 1 to 16777216");
        told(&|c| c.chunk_bytes = CHUNK_LIMIT + 1, "`chunk_bytes` is 16777217; expected 1 to 16777216");
        told(&|c| c.counter_limit = 0, "`counter_limit` is 0; expected at least 1");
    }

    #[test]
    fn a_frame_carries_the_largest_chunk() {
        let (label, bytes) = (Zxid(u64::MAX), alloc::vec![0; CHUNK_LIMIT].into());
        let message =
            Message::SnapChunk { epoch: Epoch(u32::MAX), label, index: u64::MAX, bytes, last: true };
        let link = LinkIncarnation { boot: u64::MAX, attempt: u64::MAX };
        let frame = Frame::Data { link, boot: u64::MAX, sequence: u64::MAX, message };
        assert!(Frame::decode(&frame.encode()) == Ok(frame));
    }
}
