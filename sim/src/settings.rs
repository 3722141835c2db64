//! What defines a run apart from its seed.
//!
//! Ranges are pairs of a smallest and a largest value, both possible. Rates are integers per
//! mille.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use zabrus_core::config::{Config, ElectionAlgorithm, ServiceSettings};
use zabrus_core::membership::{Membership, parse_line};
use zabrus_core::quorum::{Ensemble, Member, MemberKind};
use zabrus_core::{Duration, ServerId};

use crate::clients::recipes::Recipe;
use crate::fault::FaultKind;

/// Everything that defines a run apart from the seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The servers.
    pub ensemble: Ensemble,
    /// Servers that are no members at first: each was told of the members and of itself.
    pub joiners: BTreeSet<ServerId>,
    /// How they elect.
    pub election: ElectionAlgorithm,
    /// [`Config::tick_time`].
    pub tick_time: Duration,
    /// [`Config::init_limit`].
    pub init_limit: u32,
    /// [`Config::sync_limit`].
    pub sync_limit: u32,
    /// [`Config::sync_window`].
    pub sync_window: usize,
    /// [`Config::disk_sync_percent`].
    pub disk_sync_percent: u32,
    /// [`Config::snapshot_interval`].
    pub snapshot_interval: u64,
    /// [`Config::segment_bytes`].
    pub segment_bytes: u64,
    /// [`Config::preallocate_bytes`].
    pub preallocate_bytes: u64,
    /// [`Config::chunk_bytes`].
    pub chunk_bytes: usize,
    /// [`Config::counter_limit`].
    pub counter_limit: u32,
    /// [`Config::service`], without what follows from the tick.
    pub service: ServiceChoices,
    /// [`Config::link_checks`].
    pub link_checks: bool,
    /// The connections between servers.
    pub network: NetworkSettings,
    /// The disks.
    pub disk: DiskSettings,
    /// The clocks.
    pub clock: ClockSettings,
    /// The clients.
    pub load: LoadSettings,
    /// Time from the end of a process to its restart, where the process ended by itself.
    pub restart_micros: (u64, u64),
    /// All servers start at the beginning. Otherwise each waits for its `Start`.
    pub start_all: bool,
    /// The faults that may happen, and how often each compared with the others.
    pub faults: Vec<FaultRate>,
    /// Time between one fault and the next.
    pub fault_gap_micros: (u64, u64),
    /// How long the faults go on.
    pub duration: Duration,
    /// Time after the faults until everything must be well again.
    pub settle: Duration,
    /// The faults leave the ensemble recoverable: after them it must recover. Otherwise only
    /// safety is checked.
    pub liveness_expected: bool,
}

/// A kind of fault and its weight among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRate {
    /// The kind.
    pub kind: FaultKind,
    /// Its weight.
    pub weight: u32,
}

/// What an operator may choose of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceChoices {
    /// [`ServiceSettings::outstanding_limit`].
    pub outstanding_limit: usize,
    /// [`ServiceSettings::extended_types`].
    pub extended_types: bool,
    /// [`ServiceSettings::enforce_quota`].
    pub enforce_quota: bool,
    /// [`ServiceSettings::sweep_interval`].
    pub sweep_interval: u64,
    /// [`ServiceSettings::container_never_used`].
    pub container_never_used: i64,
    /// [`ServiceSettings::linearizable_reads`].
    pub linearizable_reads: bool,
    /// [`ServiceSettings::local_sessions`].
    pub local_sessions: bool,
    /// [`ServiceSettings::upgrade_local_sessions`].
    pub upgrade_local_sessions: bool,
    /// [`ServiceSettings::read_only_mode`].
    pub read_only_mode: bool,
    /// [`ServiceSettings::reconfig_enabled`], for everybody.
    pub reconfig: bool,
    /// [`ServiceSettings::standalone_enabled`], if there are several voters at first.
    pub standalone: bool,
}

impl Default for ServiceChoices {
    fn default() -> Self {
        Self {
            outstanding_limit: 1_000,
            extended_types: false,
            enforce_quota: false,
            sweep_interval: 60_000,
            container_never_used: 0,
            linearizable_reads: false,
            local_sessions: false,
            upgrade_local_sessions: false,
            read_only_mode: false,
            reconfig: false,
            standalone: true,
        }
    }
}

impl ServiceChoices {
    fn settings(&self, tick_time: Duration) -> ServiceSettings {
        let Self { outstanding_limit, extended_types, enforce_quota, .. } = *self;
        let Self { sweep_interval, container_never_used, linearizable_reads, reconfig, .. } = *self;
        let Self { local_sessions, upgrade_local_sessions, read_only_mode, .. } = *self;
        ServiceSettings {
            outstanding_limit,
            extended_types,
            enforce_quota,
            sweep_interval,
            container_never_used,
            linearizable_reads,
            local_sessions,
            upgrade_local_sessions,
            read_only_mode,
            reconfig_enabled: reconfig,
            skip_acl: reconfig,
            ..ServiceSettings::new(tick_time)
        }
    }
}

/// What carries frames between servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transport {
    /// Connections like TCP, as harsh as zab.md section 15 asks: in order, but a break loses a
    /// suffix, and each end learns of it at its own time.
    Stream,
    /// Single frames that are lost, delayed, duplicated and reordered.
    Datagram,
}

/// The connections between servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkSettings {
    /// What carries frames.
    pub mode: Transport,
    /// Each direction of each link draws its own range of latencies within this one.
    pub latency_micros: (u64, u64),
    /// Frames that take much longer than their link's latency.
    pub slow_per_mille: u32,
    /// How much longer these take.
    pub slow_micros: (u64, u64),
    /// Datagrams that vanish.
    pub loss_per_mille: u32,
    /// Datagrams that arrive twice.
    pub duplicate_per_mille: u32,
    /// Datagrams that are overtaken by later ones.
    pub reorder_per_mille: u32,
    /// Time until a broken connection is opened again.
    pub reconnect_micros: (u64, u64),
    /// Time until an end notices a break.
    pub notice_micros: (u64, u64),
    /// Ends that notice late (half-open connections).
    pub late_notice_per_mille: u32,
    /// Time until these notice.
    pub late_notice_micros: (u64, u64),
    /// Time until traffic that cannot pass counts as a break.
    pub stall_micros: (u64, u64),
}

/// The disks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiskSettings {
    /// Time for everything that only reaches the page cache.
    pub write_micros: (u64, u64),
    /// Time for a sync.
    pub sync_micros: (u64, u64),
    /// Operations that stall.
    pub stall_per_mille: u32,
    /// How long.
    pub stall_micros: (u64, u64),
    /// After a failed sync the page cache shows what will never reach the disk, as on ext4;
    /// otherwise it shows what the disk holds, as on btrfs.
    pub failed_sync_keeps_cache: bool,
    /// Creations, renames and removals that were not synced survive a power loss in any
    /// combination; otherwise in order, as a journalling file system has it.
    pub names_reorder: bool,
}

/// The clocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClockSettings {
    /// The largest drift of a monotonic clock in either direction, per million.
    pub drift_per_million: u32,
    /// The largest difference of a wall clock from the right time at the start, in either
    /// direction.
    pub wall_skew_millis: u64,
}

/// The clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoadSettings {
    /// How many.
    pub clients: u32,
    /// Time between two requests of one client.
    pub interval_micros: (u64, u64),
    /// Requests of one client that may wait for an answer at the same time.
    pub pipeline: u32,
    /// The size of the data of a node; at least the 8 bytes that make each value unique.
    pub value_bytes: (u64, u64),
    /// Values in a thousand that are larger than that, and how large they are.
    pub large_per_mille: u32,
    /// See there.
    pub large_bytes: (u64, u64),
    /// How many different nodes there may be.
    pub keys: u32,
    /// Reads among the requests.
    pub reads_percent: u32,
    /// Syncs among the requests.
    pub sync_percent: u32,
    /// Changes that demand a version.
    pub versioned_percent: u32,
    /// Time between client and server.
    pub latency_micros: (u64, u64),
    /// Time without an answer after which a client tries another server.
    pub patience_micros: (u64, u64),
    /// Time of load between two quiet periods.
    pub busy_micros: (u64, u64),
    /// How long a quiet period lasts; (0, 0) for none.
    pub quiet_micros: (u64, u64),
    /// The session timeout that a client asks for, in milliseconds.
    pub session_millis: (u64, u64),
    /// Moments of one client at which it does something to its session or its connection.
    pub trouble_per_mille: u32,
    /// Requests that no good client sends.
    pub odd_per_mille: u32,
    /// Reads that arm a watch, or are about watches.
    pub watch_percent: u32,
    /// Clients that arm their watches again on a new connection.
    pub rearm_percent: u32,
    /// Writes that are several.
    pub multi_percent: u32,
    /// Access control lists that do not let everybody do everything.
    pub acl_percent: u32,
    /// Quotas are set.
    pub quotas: bool,
    /// Observers that clients take out of the ensemble and put back, while there are faults.
    pub movable: Vec<u64>,
    /// Servers to which clients give votes, and from which they take them, while there are faults.
    pub voters: Vec<u64>,
    /// Writes that change the ensemble, if that may change.
    pub reconfig_per_mille: u32,
    /// Times to live.
    pub ttl_millis: (u64, u64),
    /// The recipe that further clients play.
    pub recipe: Option<Recipe>,
    /// How many play it.
    pub players: u32,
    /// Sessions of one process: they share its address, and rest when it does.
    pub sessions_per_process: u32,
    /// Creations that make the list of children of one node longer and longer.
    pub crowd_percent: u32,
    /// Clients that take a server that only reads.
    pub read_only_percent: u32,
    /// Ends of sessions that come right behind the creation of a node of their own.
    pub parting_per_mille: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ensemble: Ensemble::plain(3, 0),
            joiners: BTreeSet::new(),
            election: ElectionAlgorithm::Fast,
            tick_time: Duration::from_millis(2_000),
            init_limit: 10,
            sync_limit: 5,
            sync_window: 500,
            disk_sync_percent: 33,
            snapshot_interval: 200,
            segment_bytes: 64 << 10,
            preallocate_bytes: 16 << 10,
            chunk_bytes: 4 << 10,
            counter_limit: u32::MAX,
            service: ServiceChoices::default(),
            link_checks: true,
            network: NetworkSettings::default(),
            disk: DiskSettings::default(),
            clock: ClockSettings::default(),
            load: LoadSettings::default(),
            restart_micros: (100_000, 3_000_000),
            start_all: true,
            faults: Vec::new(),
            fault_gap_micros: (200_000, 5_000_000),
            duration: Duration::from_seconds(60),
            settle: Duration::from_seconds(120),
            liveness_expected: true,
        }
    }
}

impl Default for NetworkSettings {
    fn default() -> Self {
        Self {
            mode: Transport::Stream,
            latency_micros: (200, 2_000),
            slow_per_mille: 1,
            slow_micros: (10_000, 200_000),
            loss_per_mille: 0,
            duplicate_per_mille: 0,
            reorder_per_mille: 0,
            reconnect_micros: (1_000, 500_000),
            notice_micros: (0, 5_000),
            late_notice_per_mille: 200,
            late_notice_micros: (500_000, 10_000_000),
            stall_micros: (2_000_000, 15_000_000),
        }
    }
}

impl Default for DiskSettings {
    fn default() -> Self {
        Self {
            write_micros: (20, 200),
            sync_micros: (1_000, 10_000),
            stall_per_mille: 0,
            stall_micros: (50_000, 2_000_000),
            failed_sync_keeps_cache: true,
            names_reorder: false,
        }
    }
}

impl Default for ClockSettings {
    fn default() -> Self {
        Self { drift_per_million: 50, wall_skew_millis: 1_000 }
    }
}

impl Default for LoadSettings {
    fn default() -> Self {
        Self {
            clients: 3,
            interval_micros: (50_000, 500_000),
            pipeline: 4,
            value_bytes: (8, 100),
            large_per_mille: 0,
            large_bytes: (2_000, 20_000),
            keys: 50,
            reads_percent: 30,
            sync_percent: 3,
            versioned_percent: 20,
            latency_micros: (100, 1_000),
            patience_micros: (5_000_000, 20_000_000),
            busy_micros: (5_000_000, 30_000_000),
            quiet_micros: (2_000_000, 10_000_000),
            session_millis: (4_000, 20_000),
            trouble_per_mille: 5,
            odd_per_mille: 3,
            watch_percent: 30,
            rearm_percent: 70,
            multi_percent: 10,
            acl_percent: 5,
            quotas: false,
            movable: Vec::new(),
            voters: Vec::new(),
            reconfig_per_mille: 30,
            ttl_millis: (1_000, 5_000),
            recipe: None,
            players: 3,
            sessions_per_process: 1,
            crowd_percent: 0,
            read_only_percent: 0,
            parting_per_mille: 0,
        }
    }
}

impl Settings {
    /// All servers of the world, in ascending order.
    pub fn servers(&self) -> impl Iterator<Item = ServerId> + use<> {
        let members: BTreeSet<ServerId> = self.ensemble.members.keys().copied().collect();
        (&members | &self.joiners).into_iter()
    }

    /// What the server `id` is told at its start. Its disk is new, or was never taken away from
    /// it, if `empty_is_expected`.
    #[must_use]
    pub fn config(&self, id: ServerId, empty_is_expected: bool) -> Config {
        let mut service = self.service.settings(self.tick_time);
        let mut ensemble = self.ensemble.clone();
        if self.joiners.contains(&id) {
            // With groups it does not know its own.
            let kind = if ensemble.hierarchical { MemberKind::Observer } else { MemberKind::Participant };
            ensemble.members.entry(id).or_insert(Member { kind, group: 0, weight: 1 });
        }
        if self.service.reconfig {
            service.ensemble_text = members(&ensemble);
            service.standalone_enabled = self.service.standalone && self.ensemble.voters().count() > 1;
        }
        Config {
            election: self.election,
            tick_time: self.tick_time,
            init_limit: self.init_limit,
            sync_limit: self.sync_limit,
            sync_window: self.sync_window,
            disk_sync_percent: self.disk_sync_percent,
            snapshot_interval: self.snapshot_interval,
            segment_bytes: self.segment_bytes,
            preallocate_bytes: self.preallocate_bytes,
            chunk_bytes: self.chunk_bytes,
            counter_limit: self.counter_limit,
            link_checks: self.link_checks,
            service,
            empty_is_expected,
            ..Config::new(id, ensemble)
        }
    }
}

/// What `/zookeeper/config` says at first.
fn members(ensemble: &Ensemble) -> String {
    let line = |(id, member): (&ServerId, &Member)| {
        let line = member_line(id.0, member.kind == MemberKind::Observer);
        let (_, place) = line.split_once('=').expect("a line");
        (*id, parse_line(place).expect("a line"))
    };
    let servers = ensemble.members.iter().map(line).collect();
    Membership { ensemble: ensemble.clone(), servers }.text()
}

/// Where server `id` is: somewhere of its own.
#[must_use]
pub fn member_line(id: u64, observer: bool) -> String {
    let kind = if observer { "observer" } else { "participant" };
    format!("server.{id}=s{id}:1:2:{kind};0.0.0.0:3")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_a_round_trip_and_missing_keys_are_defaults() {
        let settings = Settings::default();
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings);
        assert_eq!(serde_json::from_str::<Settings>("{}").unwrap(), settings);
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(serde_json::from_str::<Settings>(r#"{"load": {"customers": 3}}"#).is_err());
    }

    #[test]
    fn every_server_is_told_the_settings() {
        let settings = Settings { sync_window: 7, ..Settings::default() };
        let config = settings.config(ServerId(2), false);
        assert_eq!((config.id, config.sync_window, config.empty_is_expected), (ServerId(2), 7, false));
    }
}
