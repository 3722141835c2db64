//! What can be counted of a replica from what it says: elections, proposals, commits, snapshots.

use std::collections::VecDeque;

use zabrus_core::event::{Event, Phase, Role, SyncAction};
use zabrus_core::message::{Frame, Message};
use zabrus_core::storage::{DiskOperation, FileOperation};
use zabrus_core::{Instant, Now, Output, Zxid};

use crate::figures::{Summary, Tally};

/// Moments at which the log grew that are remembered. More wait only when nothing commits any more.
const MARKS: usize = 10_000;

/// The file into which a snapshot is written before it has its name.
const SNAPSHOT: &str = "snapshot.tmp";

/// The figures of the replicas that ran in this process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    /// The sizes of proposals to followers, in bytes.
    pub(crate) proposals: Tally,
    pub(crate) committed: u64,
    /// From the moment at which a transaction is in this server's log to that at which it is applied.
    pub(crate) commits: Summary,
    pub(crate) lookings: u64,
    pub(crate) elections: Summary,
    /// Learners that were synchronized from the log, and with a snapshot.
    pub(crate) diffs: u64,
    pub(crate) snaps: u64,
    /// How long snapshots took, and recoveries from the disk, with the transactions that they read.
    pub(crate) snapshots: Summary,
    pub(crate) recoveries: Summary,
    pub(crate) recovered: Tally,
    /// The same as `commits`, at a leader.
    pub(crate) quorums: Summary,
    /// From the loss of a leader, or of the lead, to service, in microseconds; and where this server then leads.
    pub(crate) unavailable: Tally,
    pub(crate) leader_unavailable: Tally,
    /// From a leader's choice how to synchronize this server to service, as a follower and as an observer.
    pub(crate) follower_syncs: Tally,
    pub(crate) observer_syncs: Tally,
    /// Sessions that came to this server from others, about which it asked its leader.
    pub(crate) revalidated: u64,
    /// What the last snapshot of this process covers, and when it was done, in milliseconds.
    pub(crate) last_snapshot: Option<(Zxid, u64)>,
    pub(crate) leading_since: Option<Instant>,
    pub(crate) disk_failures: u64,
    looking_since: Option<Instant>,
    unavailable_since: Option<Instant>,
    syncing_since: Option<Instant>,
    saving_since: Option<Instant>,
    last_proposed: Zxid,
    last_committed: Zxid,
    /// The end of the log.
    logged: Zxid,
    /// Where it was before the state was there too, and since when, oldest first.
    marks: VecDeque<(Zxid, Instant)>,
}

impl Progress {
    /// Begins to count anew (`srst`).
    pub(crate) fn reset(&mut self) {
        (self.proposals, self.committed, self.commits) = <_>::default();
        (self.lookings, self.elections, self.diffs, self.snaps) = <_>::default();
        (self.snapshots, self.recoveries, self.disk_failures) = <_>::default();
        (self.recovered, self.quorums, self.revalidated) = <_>::default();
        (self.unavailable, self.leader_unavailable) = <_>::default();
        (self.follower_syncs, self.observer_syncs) = <_>::default();
    }

    /// A replica starts, with a log that ends here.
    pub(crate) fn started(&mut self, last: Zxid) {
        self.logged = last;
        self.marks.clear();
    }

    /// The log ends here now.
    pub(crate) fn logged(&mut self, last: Zxid, now: Instant) {
        // A log that was cut ends before its last mark.
        while self.marks.back().is_some_and(|(zxid, _)| *zxid > last) {
            self.marks.pop_back();
        }
        if self.logged < last && self.marks.len() < MARKS {
            self.marks.push_back((last, now));
        }
        self.logged = last;
    }

    /// The replica says something.
    pub(crate) fn observe(&mut self, output: &Output, now: Now) {
        match output {
            Output::Send { frame: Frame::Data { message, .. }, .. } => match message {
                // The same goes to every follower, and what is older to those that catch up.
                Message::Proposal { epoch, zxid, payload, .. }
                    if zxid.epoch() == *epoch && *zxid > self.last_proposed =>
                {
                    self.last_proposed = *zxid;
                    self.proposals.record(payload.len() as u64);
                }
                Message::Revalidate { lives: None, .. } => self.revalidated += 1,
                _ => {}
            },
            Output::Event(event) => self.happened(event, now),
            Output::Disk(DiskOperation { operation: FileOperation::Create { file }, .. })
                if file.0 == SNAPSHOT =>
            {
                self.saving_since = Some(now.monotonic);
            }
            _ => {}
        }
    }

    fn happened(&mut self, event: &Event, now: Now) {
        match event {
            Event::RoleChanged { role, phase, .. } => {
                let leads = (*role, *phase) == (Role::Leading, Phase::Broadcast);
                self.leading_since = leads.then_some(self.leading_since.unwrap_or(now.monotonic));
                match phase {
                    _ if *role == Role::Looking => {
                        self.lookings += 1;
                        self.looking_since = Some(now.monotonic);
                        self.unavailable_since.get_or_insert(now.monotonic);
                        self.syncing_since = None;
                    }
                    Phase::Synchronization => self.syncing_since = Some(now.monotonic),
                    Phase::Broadcast => self.serves(*role, now.monotonic),
                    Phase::Election | Phase::Discovery => {}
                }
            }
            Event::Decided { .. } => {
                if let Some(since) = self.looking_since.take() {
                    self.elections.record(now.monotonic.since(since));
                }
            }
            Event::SyncChosen { action: SyncAction::Snap, .. } => self.snaps += 1,
            Event::SyncChosen { .. } => self.diffs += 1,
            Event::Committed { upto } => {
                let (last, upto) = (self.last_committed, upto.zxid);
                let before = if last.epoch() == upto.epoch() { last.counter() } else { 0 };
                self.committed += u64::from(upto.counter().saturating_sub(before));
                self.last_committed = upto;
            }
            Event::Delivered { upto } => {
                while let Some((_, since)) = self.marks.front().filter(|(zxid, _)| *zxid <= upto.zxid) {
                    let span = now.monotonic.since(*since);
                    self.commits.record(span);
                    if self.leading_since.is_some() {
                        self.quorums.record(span);
                    }
                    self.marks.pop_front();
                }
            }
            Event::SnapshotSaved { label } => {
                self.last_snapshot = Some((label.zxid, now.wall_millis));
                if let Some(since) = self.saving_since.take() {
                    self.snapshots.record(now.monotonic.since(since));
                }
            }
            Event::DiskFailed { .. } => self.disk_failures += 1,
            _ => {}
        }
    }

    fn serves(&mut self, role: Role, now: Instant) {
        let since = |moment: Option<Instant>| moment.map(|moment| now.since(moment).0);
        if let Some(span) = since(self.unavailable_since.take()) {
            self.unavailable.record(span);
            if role == Role::Leading {
                self.leader_unavailable.record(span);
            }
        }
        match (role, since(self.syncing_since.take())) {
            (Role::Following, Some(span)) => self.follower_syncs.record(span),
            (Role::Observing, Some(span)) => self.observer_syncs.record(span),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use zabrus_core::io::ConnectionId;
    use zabrus_core::message::LinkIncarnation;
    use zabrus_core::{Duration, Epoch, Position, ServerId};

    use super::*;

    fn at(millis: u64) -> Now {
        Now { monotonic: Instant(millis * 1_000), wall_millis: millis }
    }

    fn zxid(epoch: u32, counter: u32) -> Zxid {
        Zxid::new(Epoch(epoch), counter)
    }

    fn proposal(epoch: u32, zxid: Zxid, bytes: usize) -> Output {
        let (epoch, payload) = (Epoch(epoch), vec![0; bytes].into());
        let message = Message::Proposal { epoch, previous: Zxid::ZERO, zxid, payload };
        let link = LinkIncarnation { boot: 1, attempt: 1 };
        let frame = Frame::Data { link, boot: 1, sequence: 1, message };
        Output::Send { peer: ServerId(2), connection: ConnectionId(1), frame }
    }

    fn upto(zxid: Zxid) -> Position {
        Position { zxid, ..Position::EMPTY }
    }

    #[test]
    fn a_proposal_counts_once_and_history_not_at_all() {
        let mut progress = Progress::default();
        for (zxid, bytes) in [(zxid(1, 9), 500), (zxid(2, 1), 50), (zxid(2, 1), 50), (zxid(2, 2), 70)] {
            progress.observe(&proposal(2, zxid, bytes), at(0));
        }
        assert_eq!(progress.proposals.sizes(), [70, 50, 70]);
        progress.reset();
        assert_eq!(progress.proposals.sizes(), [-1; 3]);
        progress.observe(&proposal(2, zxid(2, 2), 70), at(0));
        assert_eq!(progress.proposals.count, 0, "it was counted before");
    }

    #[test]
    fn a_commit_takes_from_the_log_to_the_state() {
        let mut progress = Progress::default();
        progress.started(zxid(1, 1));
        progress.logged(zxid(1, 1), at(0).monotonic);
        progress.logged(zxid(1, 3), at(1).monotonic);
        progress.logged(zxid(1, 3), at(2).monotonic);
        progress.logged(zxid(1, 5), at(2).monotonic);
        progress.observe(&Output::Event(Event::Delivered { upto: upto(zxid(1, 4)) }), at(4));
        assert_eq!(progress.commits.tally.sizes(), [3_000; 3]);
        progress.logged(zxid(1, 4), at(5).monotonic);
        progress.logged(zxid(1, 4), at(7).monotonic);
        progress.observe(&Output::Event(Event::Delivered { upto: upto(zxid(1, 5)) }), at(9));
        assert_eq!(progress.commits.tally.count, 1, "what was cut from the log never counts");
    }

    #[test]
    fn commits_are_counted_within_their_epoch() {
        let mut progress = Progress::default();
        for zxid in [zxid(1, 3), zxid(1, 5), zxid(2, 2)] {
            progress.observe(&Output::Event(Event::Committed { upto: upto(zxid) }), at(0));
        }
        assert_eq!(progress.committed, 7);
    }

    #[test]
    fn an_election_takes_from_looking_to_its_decision() {
        let mut progress = Progress::default();
        let role = |role, phase| Output::Event(Event::RoleChanged { role, phase, leader: None, epoch: None });
        progress.observe(&role(Role::Looking, Phase::Election), at(1));
        let leader = ServerId(1);
        let decided = Event::Decided { leader, round: 1, through_settled: false, round_moved_back: false };
        progress.observe(&Output::Event(decided), at(5));
        assert_eq!((progress.lookings, progress.elections.tally.last), (1, Duration::from_millis(4).0));
        progress.observe(&role(Role::Leading, Phase::Broadcast), at(7));
        assert_eq!(progress.leading_since, Some(at(7).monotonic));
        progress.observe(&role(Role::Settling, Phase::Election), at(8));
        assert_eq!(progress.leading_since, None);
        assert_eq!(progress.unavailable.sizes(), [6_000; 3], "from looking to serving");
        assert_eq!(progress.leader_unavailable.count, 1);
        for (role_then, phase, millis) in [
            (Role::Looking, Phase::Election, 10),
            (Role::Looking, Phase::Election, 11),
            (Role::Following, Phase::Discovery, 12),
            (Role::Following, Phase::Synchronization, 14),
            (Role::Following, Phase::Broadcast, 19),
        ] {
            progress.observe(&role(role_then, phase), at(millis));
        }
        assert_eq!((progress.unavailable.last, progress.unavailable.count), (9_000, 2));
        assert_eq!((progress.follower_syncs.sum, progress.observer_syncs.count), (5_000, 0));
        assert_eq!(progress.leader_unavailable.count, 1);
    }
}
