//! What the core shows, as lines of the log.

use tracing::{debug, error, info, trace, warn};
use zabrus_core::event::{Event, Phase, Role};

/// Writes one event to the log, as loud as it deserves.
pub(crate) fn log(event: &Event) {
    match event {
        Event::Recovered { last, snapshot, current_epoch, empty, cut_bytes, .. } => {
            if *empty {
                info!("the data directory is empty: this is a first start");
            } else {
                info!(%last, %snapshot, epoch = %current_epoch, cut_bytes, "recovered");
            }
        }
        Event::InDoubt { standing, reason } => {
            warn!(?standing, "this server has no free vote until it was synchronized: {reason}");
        }
        Event::RoleChanged { role, phase, leader, epoch } => {
            let leader = leader.map(|leader| leader.0);
            let epoch = epoch.map(|epoch| epoch.0);
            match (role, phase) {
                (Role::Settling, _) => debug!("settling"),
                (Role::Halted, _) => error!("halted"),
                (role, Phase::Election) => info!("{}", role_name(*role)),
                (role, phase) => info!(leader, epoch, "{}: {}", role_name(*role), phase_name(*phase)),
            }
        }
        Event::Decided { leader, round, .. } => info!(%leader, round, "the election is over"),
        Event::LinkBroken { peer, reason } => warn!(%peer, "the link is broken: {reason}"),
        Event::EpochEstablished { epoch, initial, uncommitted } => {
            info!(%epoch, %initial, uncommitted, "a new epoch begins");
        }
        Event::SyncChosen { learner, action, from, transactions, .. } => {
            info!(%learner, ?action, %from, transactions, "a learner is synchronized");
        }
        Event::Truncated { to, removed } => info!(%to, removed, "the end of the log was cut"),
        Event::SnapshotInstalled { label } => info!(%label, "the leader's snapshot is in place"),
        Event::SnapshotSaved { label } => info!(%label, "a snapshot was written"),
        Event::Left { role, why } => info!(?why, "no longer {}", role_name(*role)),
        Event::ReadOnly { applied } => {
            warn!(%applied, "there is no quorum: reads are served, to clients that ask for no more");
        }
        // As ZooKeeper words it, since operators look for that.
        Event::SessionExpired { session, timeout } => {
            info!("Expiring session {session}, timeout of {timeout}ms exceeded");
        }
        Event::DiskFailed { reason } => error!("the disk failed: {reason}"),
        Event::Committed { .. } | Event::Delivered { .. } | Event::CommitAheadOfDisk { .. } => trace!(?event),
        _ => debug!(?event),
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Settling => "settling",
        Role::Looking => "looking",
        Role::Following => "following",
        Role::Leading => "leading",
        Role::Observing => "observing",
        Role::Halted => "halted",
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
