//! The one step of an answer on the core thread: it takes what is there, and no more than
//! [`LISTED_AT_MOST`] of anything that has no other limit.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use zabrus_core::state::State;
use zabrus_core::{Now, Replica};

use super::{Detail, Facts, LISTED_AT_MOST, MetricFacts, QuotaFacts, ReplicaFacts, SessionFacts, Topic};
use crate::clients::Clients;
use crate::disk::Disk;
use crate::progress::Progress;
use crate::zoo_cfg::Settings;

/// More quotas of the top level than these are not measured.
const QUOTAS_AT_MOST: usize = 1_000;

/// Where the facts are.
pub(crate) struct Sources<'a> {
    pub(crate) settings: &'a Arc<Settings>,
    /// `None` while no replica runs.
    pub(crate) running: Option<(&'a Replica, &'a Disk)>,
    pub(crate) clients: &'a mut Clients,
    pub(crate) progress: &'a mut Progress,
    pub(crate) now: Now,
}

impl Sources<'_> {
    /// What is needed for an answer about `topic`, and does what it asks for.
    pub(crate) fn collect(self, topic: Topic) -> Facts {
        let detail = match topic {
            Topic::Server => Detail::Nothing,
            Topic::Connections => Detail::Connections(self.clients.list().collect()),
            Topic::Sessions => self.sessions(),
            Topic::Watches => self.watches(),
            Topic::Digests => {
                Detail::Digests(self.running.map_or(Vec::new(), |(replica, _)| replica.digests().collect()))
            }
            Topic::Root => {
                let root = self.running.and_then(|(replica, _)| replica.state().node("/"));
                root.map_or(Detail::Nothing, |root| Detail::Root(root.acl().to_vec()))
            }
            Topic::Metrics => Detail::Metrics(Box::new(MetricFacts {
                progress: self.progress.clone(),
                reads: self.clients.reads.clone(),
                updates: self.clients.updates.clone(),
                syncs: self.running.map_or_else(Default::default, |(_, disk)| disk.syncs()),
                fired: self.clients.fired.clone(),
                quotas: self.running.map_or_else(Vec::new, |(replica, _)| quotas(replica.state())),
            })),
            Topic::ResetServer => {
                self.clients.reset();
                self.progress.reset();
                if let Some((_, disk)) = self.running {
                    disk.reset();
                }
                Detail::Nothing
            }
            Topic::ResetConnections => {
                self.clients.reset_connections();
                Detail::Nothing
            }
        };
        Facts {
            settings: Arc::clone(self.settings),
            now: self.now,
            replica: self.running.map(|(replica, disk)| replica_facts(replica, disk)),
            clients: self.clients.figures,
            open_connections: self.clients.open(),
            proposal_sizes: self.progress.proposals.sizes(),
            leading_since: self.progress.leading_since,
            last_snapshot: self.progress.last_snapshot,
            detail,
        }
    }

    fn sessions(&self) -> Detail {
        let Some((replica, _)) = self.running else { return Detail::Nothing };
        let state = replica.state();
        let count = state.session_count() + state.ephemeral_count();
        if count > LISTED_AT_MOST {
            return Detail::TooMany(count);
        }
        let expiring = replica.expiring_sessions().map(|ends| {
            ends.iter().map(|(end, sessions)| (*end, sessions.iter().copied().collect())).collect()
        });
        Detail::Sessions(SessionFacts {
            expiring,
            all: state.sessions().collect(),
            ephemerals: state
                .owners()
                .map(|session| (session, state.ephemerals(session).collect()))
                .collect(),
            connections: self.clients.list().collect(),
        })
    }

    fn watches(&self) -> Detail {
        let Some((replica, _)) = self.running else { return Detail::Nothing };
        let watches = replica.clients().watches();
        let count = watches.figures().watches;
        if count > LISTED_AT_MOST {
            return Detail::TooMany(count);
        }
        let named = |(path, client)| Some((self.clients.session(client)?, str::to_owned(path)));
        Detail::Watches(watches.data_watches().filter_map(named).collect())
    }
}

/// The quotas of the top level, those that ZooKeeper measures.
fn quotas(state: &State) -> Vec<QuotaFacts> {
    let Some(quotas) = state.node("/zookeeper/quota") else { return Vec::new() };
    let of = |name: &str| {
        let path = format!("/{name}");
        let quota = state.quota_above(&path).filter(|quota| quota.path == path)?;
        Some(QuotaFacts { name: name.into(), limits: quota.limits, usage: quota.usage })
    };
    quotas.children().take(QUOTAS_AT_MOST).filter_map(of).collect()
}

fn replica_facts(replica: &Replica, disk: &Disk) -> ReplicaFacts {
    let (state, watches) = (replica.state(), replica.clients().watches());
    ReplicaFacts {
        status: replica.status(),
        leading: replica.leading(),
        znodes: state.node_count() + 1,
        ephemerals: state.ephemeral_count(),
        sessions: state.session_count(),
        data_size: state.data_size(),
        watches: watches.figures(),
        watch_count: watches.count(),
        data_bytes: disk.sizes.data.load(Ordering::Relaxed),
        log_bytes: disk.sizes.log.load(Ordering::Relaxed),
        slow_syncs: disk.sizes.slow_syncs.load(Ordering::Relaxed),
    }
}
