//! What an operator may ask a server: four-letter words, the admin server's commands, metrics.
//!
//! A question has three steps. The core thread collects [`Facts`], which is quick and bounded
//! (`collect.rs`); another thread makes them a text (`words.rs`, `commands.rs`, `metrics.rs`); whoever
//! asked gets it.

#[cfg(test)]
mod apache;
pub(crate) mod collect;
mod commands;
mod date;
mod http;
mod metrics;
pub(crate) mod serve;
mod snapshot;
#[cfg(test)]
mod tests;
pub(crate) mod words;

use std::net::SocketAddr;
use std::sync::Arc;

use zabrus_core::event::{Phase, Role};
use zabrus_core::replica::{Leading, Status};
use zabrus_core::state::{QuotaLimits, QuotaUsage};
use zabrus_core::watches::WatchFigures;
use zabrus_core::wire::{Acl, SessionId};
use zabrus_core::{Instant, Now, Zxid};

use crate::clients::ClientFigures;
use crate::clients::fired::Fired;
use crate::clients::traffic::Answers;
use crate::figures::Summary;
use crate::progress::Progress;
use crate::zoo_cfg::Settings;

/// The most watches, sessions or ephemeral nodes that are listed. To list more would keep the core
/// thread from its work for too long.
pub(crate) const LISTED_AT_MOST: usize = 50_000;

/// What a question is about, and so what must be collected for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    /// What every answer contains.
    Server,
    Connections,
    /// Sessions, their ephemeral nodes, and connections.
    Sessions,
    Watches,
    Digests,
    /// The access control list of the root, and where the state is.
    Root,
    /// The distributions too.
    Metrics,
    /// Count anew: the server's figures.
    ResetServer,
    /// Count anew: the figures of every connection.
    ResetConnections,
}

/// What a server knows of itself at one moment.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) settings: Arc<Settings>,
    pub(crate) now: Now,
    /// `None` while no replica runs.
    pub(crate) replica: Option<ReplicaFacts>,
    pub(crate) clients: ClientFigures,
    /// Connections that are open now.
    pub(crate) open_connections: usize,
    pub(crate) proposal_sizes: [i64; 3],
    pub(crate) leading_since: Option<Instant>,
    pub(crate) last_snapshot: Option<(Zxid, u64)>,
    pub(crate) detail: Detail,
}

/// What a replica and its disk say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplicaFacts {
    pub(crate) status: Status,
    pub(crate) leading: Option<Leading>,
    /// As ZooKeeper counts: the root twice.
    pub(crate) znodes: usize,
    pub(crate) ephemerals: usize,
    pub(crate) sessions: usize,
    pub(crate) data_size: i64,
    /// Of data watches, as `wchs` has them.
    pub(crate) watches: WatchFigures,
    /// Of data and child watches.
    pub(crate) watch_count: usize,
    pub(crate) data_bytes: u64,
    pub(crate) log_bytes: u64,
    pub(crate) slow_syncs: u64,
}

/// What only some questions need.
#[derive(Debug)]
pub(crate) enum Detail {
    Nothing,
    Connections(Vec<ConnectionFacts>),
    Sessions(SessionFacts),
    Watches(Vec<(SessionId, String)>),
    Digests(Vec<(Zxid, u64)>),
    Root(Vec<Acl>),
    Metrics(Box<MetricFacts>),
    /// There are so many that listing them would take too long.
    TooMany(usize),
}

/// One connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionFacts {
    pub(crate) address: SocketAddr,
    /// What this server waits for: 1 to read, 4 to write.
    pub(crate) interest: u8,
    pub(crate) outstanding: usize,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    /// 0 if it has none.
    pub(crate) session: SessionId,
    pub(crate) timeout: i32,
    pub(crate) established: Instant,
    /// When it would be given up if nothing more were heard.
    pub(crate) expires: Instant,
    pub(crate) answers: Answers,
}

/// Sessions and what belongs to them.
#[derive(Debug)]
pub(crate) struct SessionFacts {
    /// By the moment of their end, if this server leads.
    pub(crate) expiring: Option<Vec<(Instant, Vec<SessionId>)>>,
    /// With their timeouts in milliseconds.
    pub(crate) all: Vec<(SessionId, i32)>,
    pub(crate) ephemerals: Vec<(SessionId, Vec<String>)>,
    pub(crate) connections: Vec<ConnectionFacts>,
}

/// Everything that is measured.
#[derive(Debug)]
pub(crate) struct MetricFacts {
    pub(crate) progress: Progress,
    pub(crate) reads: Summary,
    pub(crate) updates: Summary,
    pub(crate) syncs: Summary,
    pub(crate) fired: Fired,
    /// Of the top level.
    pub(crate) quotas: Vec<QuotaFacts>,
}

/// The quota of everything below one node of the top level.
#[derive(Clone, Debug)]
pub(crate) struct QuotaFacts {
    /// The name of the node.
    pub(crate) name: String,
    pub(crate) limits: QuotaLimits,
    pub(crate) usage: QuotaUsage,
}

impl Facts {
    /// `None` while clients are not served.
    pub(crate) fn mode(&self) -> Option<&'static str> {
        let status = self.replica?.status;
        status.serving.then(|| match status.role {
            _ if self.settings.standalone => "standalone",
            Role::Leading => "leader",
            Role::Observing => "observer",
            _ => "follower",
        })
    }

    pub(crate) fn uptime_millis(&self) -> u64 {
        self.now.monotonic.since(Instant(0)).as_millis()
    }

    /// A moment as wall time, in milliseconds.
    pub(crate) fn wall_millis(&self, moment: Instant) -> u64 {
        let now = self.now;
        let ahead = moment.since(now.monotonic).as_millis();
        (now.wall_millis + ahead).saturating_sub(now.monotonic.since(moment).as_millis())
    }

    /// As ZooKeeper names it: `leading - broadcast`.
    pub(crate) fn peer_state(&self) -> String {
        let looking = "looking".to_owned();
        let Some(ReplicaFacts { status, .. }) = self.replica else { return looking };
        let role = match status.role {
            Role::Leading => "leading",
            Role::Following => "following",
            Role::Observing => "observing",
            Role::Looking | Role::Settling | Role::Halted => return looking,
        };
        format!("{role} - {}", phase_name(status.phase))
    }
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Election => "election",
        Phase::Discovery => "discovery",
        Phase::Synchronization => "synchronization",
        Phase::Broadcast => "broadcast",
    }
}
