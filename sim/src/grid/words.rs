//! What happened, for somebody who does not know the code.

use zabrus_core::event::{Departure, Event, Phase, Role, SyncAction};
use zabrus_core::message::Vote;
use zabrus_core::storage::Standing;

use super::What;

pub(super) fn of(what: &What) -> String {
    match what {
        What::Event(happened) => event(happened),
        What::Fault(text) => format!("*** {text}"),
        What::Note(text) => text.clone(),
    }
}

pub(super) fn role(role: Role) -> &'static str {
    match role {
        Role::Settling => "SETTLING",
        Role::Looking => "LOOKING",
        Role::Following => "FOLLOWING",
        Role::Leading => "LEADING",
        Role::Observing => "OBSERVING",
        Role::Halted => "HALTED",
    }
}

pub(super) fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Election => "election",
        Phase::Discovery => "discovery",
        Phase::Synchronization => "synchronization",
        Phase::Broadcast => "broadcast",
    }
}

/// A vote as `candidate@its epoch:its last zxid`.
pub(super) fn vote(vote: Vote) -> String {
    format!("{}@{}:{}", vote.leader, vote.peer_epoch, vote.zxid)
}

fn action(action: SyncAction) -> &'static str {
    match action {
        SyncAction::Diff => "DIFF",
        SyncAction::Trunc => "TRUNC",
        SyncAction::TruncDiff => "TRUNC and DIFF",
        SyncAction::Snap => "SNAP",
    }
}

fn departure(why: Departure) -> &'static str {
    match why {
        Departure::LeaderSilent => "its leader was silent for too long",
        Departure::LinkBroken => "the link to its leader broke",
        Departure::EpochTooOld => "the leader offered an epoch below the promised one",
        Departure::HistoryMismatch => "the leader's messages do not continue its log",
        Departure::ProtocolError => "its peer broke the protocol",
        Departure::QuorumLost => "it lost contact to a quorum",
        Departure::EstablishmentTimedOut => "it did not get a quorum in time",
        Departure::FollowerMoreRecent => "a follower's history is more recent",
        Departure::Rollover => "the zxid counter is used up",
        Departure::Removed => "it is no member any more",
        Departure::DiskFailed => "its disk failed",
    }
}

fn event(event: &Event) -> String {
    match event {
        Event::Recovered { last, snapshot, empty, cut_bytes, .. } => {
            let cut = if *cut_bytes > 0 { format!(", {cut_bytes} torn bytes to cut") } else { String::new() };
            match empty {
                true => "starts with an empty disk".into(),
                false => format!("starts: log up to {}, snapshot {snapshot}{cut}", last.zxid),
            }
        }
        Event::InDoubt { standing, reason } => format!("has no free vote ({}): {reason}", doubt(*standing)),
        Event::RoleChanged { role, phase, leader, epoch } => {
            let epoch = epoch.map_or(String::new(), |epoch| format!(" epoch {epoch}"));
            let leader = leader.map_or(String::new(), |leader| format!(" server {leader} in"));
            match (role, phase) {
                (Role::Settling, _) => "waits for its disk".into(),
                (Role::Looking, _) => "looks for a leader".into(),
                (Role::Halted, _) => "halts".into(),
                (Role::Leading, Phase::Broadcast) => format!("leads{epoch} and serves"),
                (Role::Leading, phase) => format!("leads{epoch}: {}", self::phase(*phase)),
                (Role::Following, phase) => format!("follows{leader} {}", self::phase(*phase)),
                (Role::Observing, phase) => format!("observes{leader} {}", self::phase(*phase)),
            }
        }
        Event::Voted { round, vote: Some(v) } => format!("votes for {} in round {round}", v.leader),
        Event::Voted { round, vote: None } => format!("abstains in round {round}"),
        Event::Decided { leader, round, through_settled, round_moved_back } => {
            let through = if *through_settled { ", told by settled servers" } else { "" };
            let back = if *round_moved_back { ", its round moved back" } else { "" };
            format!("takes {leader} for the leader (round {round}{through}{back})")
        }
        Event::LinkOpened { peer } => format!("link to {peer} opened"),
        Event::LinkBroken { peer, reason } => format!("breaks the link to {peer}: {reason}"),
        Event::StaleFrame { peer } => format!("drops a stale frame of {peer}"),
        Event::EpochEstablished { epoch, initial, uncommitted } => {
            format!("establishes epoch {epoch} on {} ({uncommitted} not known to be committed)", initial.zxid)
        }
        Event::SyncChosen { learner, row, action: chosen, from, transactions, .. } => format!(
            "synchronizes {learner} from {from} by {} (row {row}), {transactions} transactions",
            action(*chosen)
        ),
        Event::SyncPaused { learner, sent } => {
            format!("waits for {learner} to store what it was sent up to {sent}")
        }
        Event::Truncated { to, removed } => {
            format!("cut its log to {}: {removed} transactions gone", to.zxid)
        }
        Event::SnapshotInstalled { label } => format!("replaced its state by snapshot {}", label.zxid),
        Event::SnapshotSaved { label } => format!("saved snapshot {}", label.zxid),
        Event::NewLeaderAcknowledged { epoch, last, pending } => {
            format!("acknowledges NEWLEADER of epoch {epoch} at {} ({pending} pending)", last.zxid)
        }
        Event::Committed { upto } => format!("commits up to {}", upto.zxid),
        Event::Delivered { upto } => format!("applies up to {}", upto.zxid),
        Event::CommitAheadOfDisk { zxid } => format!("commit of {zxid} came before the own disk was done"),
        Event::Left { role, why } => format!("stops {}: {}", self::role(*role), departure(*why)),
        Event::ReadOnly { applied } => format!("serves reads alone, at {applied}"),
        Event::SessionExpired { session, timeout } => {
            format!("ends session {session}, unheard of for {timeout} ms")
        }
        Event::DiskFailed { reason } => format!("disk failure: {reason}"),
        other => format!("{other:?}"),
    }
}

fn doubt(standing: Standing) -> String {
    match standing {
        Standing::Sound => "sound".into(),
        Standing::Torn(upto) => format!("torn up to {upto}"),
        Standing::Damaged(upto) => format!("damaged up to {upto}"),
        Standing::Blank => "blank".into(),
    }
}
