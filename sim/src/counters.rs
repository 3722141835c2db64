//! What was seen how often in a run or a campaign: a rule that never had a case proves nothing
//! (invariants.md section 10).

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::checks::Rule;

macro_rules! marks {
    ($($name:ident $surprise:literal $description:literal,)*) => {
        /// Something that is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "the description says it")]
        pub enum Mark { $($name,)* }

        impl Mark {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What it counts, in one line.
            #[must_use]
            pub fn description(self) -> &'static str {
                match self { $(Self::$name => $description,)* }
            }

            /// Whether a campaign must have seen it (invariants.md section 10).
            #[must_use]
            pub fn is_surprise(self) -> bool {
                match self { $(Self::$name => $surprise,)* }
            }
        }
    };
}

marks! {
    Boots false "servers started",
    Crashes false "servers that lost their process or their power",
    Decisions false "elections decided by a server",
    DecisionsThroughSettled true "elections decided by the votes of settled servers",
    RoundsBack true "elections in which the round moved backwards",
    ElectedNotBest true "servers that decided for a leader although they had heard of a better one (E12)",
    Epochs false "epochs established",
    EpochsWithTail true "epochs established with an initial history that was not known to be committed",
    EpochsWithoutPromise true "ACKEPOCH that did not count as a promise",
    PromisesRepeated true "promises repeated to the same leader",
    FollowerMoreRecent true "leaders that gave up because a follower was more recent",
    TwoLeaders true "times a second server became LEADING while another still was",
    DeposedLeaderServing true "commits while a leader of an older epoch was still serving",
    SyncRow1 true "learners synchronized by row 1 of the table: nothing missing",
    SyncRow2 true "learners synchronized by row 2 of the table: log too long",
    SyncRow3 true "learners synchronized by row 3 of the table: from memory",
    SyncRow4 true "learners synchronized by row 4 of the table: from the disk log",
    SyncRow5 true "learners synchronized by row 5 of the table: SNAP",
    SyncDiff true "synchronizations by DIFF",
    SyncTrunc true "synchronizations by TRUNC",
    SyncTruncDiff true "synchronizations by TRUNC and something after it",
    SyncSnap true "synchronizations by SNAP",
    SyncPaused true "times a leader waited before it sent a learner more of what it lacks",
    SyncWithOutstanding true "synchronizations with proposals in flight",
    SnapWithCommits true "commits while a snapshot was on its way to a learner",
    Truncations true "truncations that removed at least one transaction",
    Installs true "received snapshots installed",
    Snapshots true "own snapshots saved",
    NewLeaderWithPending true "NEWLEADER with proposals after it in the synchronization",
    NewLeaderWithHistory true "NEWLEADER with transactions before it in the synchronization",
    CommitAheadOfDisk true "COMMIT that overtook the local disk",
    Commits false "transactions committed",
    Refusals false "committed transactions that refused their change",
    Rollovers true "leaders that stepped down because the counter was used up",
    QuorumsLost true "leaders that stepped down because they lost their quorum",
    StaleFrames true "frames of a dead connection, link, boot or epoch",
    LinksBroken true "links broken by their own checks",
    StaleCompletions true "disk completions of an earlier life of a server",
    DiskFailures true "servers that gave up because of their disk",
    RecoveredEmpty false "recoveries from an empty directory",
    RecoveredSnapshot true "recoveries from a snapshot",
    RecoveredTail true "recoveries that cut a torn tail",
    RecoveredUnsynced true "recoveries that found more than was synced",
    StandingTorn true "recoveries with a torn mark: perhaps something acknowledged is missing",
    StandingDamaged true "recoveries with damage below what was durable",
    StandingBlank true "recoveries that know nothing of their past",
    Unusable false "directories that recovery refused",
    CrashBetweenWrites true "crashes with something written and not synced",
    SyncsFull false "durable states recomputed from all bytes",
    SyncsIncremental false "durable states followed by the new bytes only",
    ReadsAnswered false "reads answered",
    ChangesAnswered false "changes answered",
    SyncsAnswered true "client syncs answered",
    PingsAnswered false "pings answered",
    RequestsRefused false "requests answered by an error",
    MultisAnswered true "multis that were done",
    MultisFailed true "multis that failed in the middle",
    SessionsOpened false "sessions given to clients",
    SessionsKept true "sessions that clients took to another connection",
    SessionsGone true "clients that were told that their session is gone",
    LocalSessions false "local sessions given to clients",
    LocalSessionsClosed true "local sessions closed by their clients, without a transaction",
    SessionsUpgraded true "local sessions that became global ones",
    UpgradesBeforeClose true "local sessions that became global ones while their end was asked for",
    ReadOnlyServers true "servers without a quorum that began to serve reads",
    ReadOnlyReplies true "answers of servers that only read",
    ReadOnlyRefusals true "writes and sessions refused by servers that only read",
    ReadOnlyEnds true "servers that only read and found a leader, with clients connected",
    SessionsForged true "clients refused because of their password",
    SessionsMoved true "writes of a connection whose session had moved",
    SessionsClosed true "sessions closed by their clients",
    SessionsExpired true "sessions expired by the leader",
    WritesAfterEnd true "writes behind the end of their session",
    EphemeralsClosed true "ends of sessions that removed ephemeral nodes",
    NodesSwept true "containers and nodes past their time that were swept",
    QuotasExceeded true "writes refused by a quota",
    Reconfigs true "changes of the ensemble",
    ReconfigsRefused true "changes of the ensemble that were refused",
    ReconfigsPending true "changes of the ensemble refused because another one was in flight",
    VotersChanged true "changes of who votes",
    VotersRefused true "changes of who votes refused for want of a new quorum in sync",
    VotersReplaced true "changes of who votes after which none of the old voters votes",
    LeadersRemoved true "leaders that took their own vote away",
    AnnouncementsTruncated true "announcements of other voters that were truncated",
    AnnouncementsFinished true "announcements of other voters that a later leader finished",
    DecisionsOfTwo true "elections decided by servers that counted two ensembles",
    EpochsOfTwo true "epochs established by leaders that counted two ensembles",
    EnsemblesTaught true "servers that learned of other members from somebody's vote",
    RetiredServers true "removed servers that were switched off for good",
    RenewedServers true "removed servers that came back with an empty disk",
    WatchEvents false "watch events",
    WatchEventsOfClose true "watch events because a session ended",
    WatchEventsHidden true "watch events kept from somebody who may not read",
    RearmedUnchanged true "watches armed again, with nothing missed",
    RearmedCreated true "watches armed again and told of a creation at once",
    RearmedDeleted true "watches armed again and told of a deletion at once",
    RearmedChanged true "watches armed again and told of changed data at once",
    RearmedChildren true "watches armed again and told of changed children at once",
    LocksGranted true "locks granted",
    LocksLost true "holders of a lock that lost their session",
    LockWritesRefused true "writes refused because their lock was lost",
    LeadersElected true "leaders elected by the recipe",
    LeadersLost true "leaders elected by the recipe that lost their session",
    LeaderWritesRefused true "writes refused because another leader, or another write, came before",
    FencedLate true "writes under a token that were answered after a newer one was granted",
    CountsDone true "increases of a counter",
    CountsRefused true "increases of a counter for which somebody else was faster",
    ItemsTaken true "items taken from a queue",
    ItemsTakenBefore true "items of a queue that somebody else had",
    BarriersPassed true "players that passed a barrier",
    BarriersLeft true "players that left a barrier",
    GroupViews true "looks at the members of a group",
    LeaderLostWithSyncs true "leaders that were lost while a sync waited",
    LeaderLostWithSessions true "leaders that were lost while a handshake waited",
    LeaderLostWithClosing true "leaders that were lost while the end of a session waited",
    LivenessJudged false "runs that had to get well after the faults, and were judged",
    LivenessUnexpected false "runs of which only safety was expected",
    LivenessUnclear false "runs whose last disturbance came too late to judge them",
    EndedEarly false "runs that ended early, with a quorum on damaged disks",
}

/// The counts of one run, or of many together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    marks: Vec<u64>,
    checks: Vec<u64>,
    /// Faults injected, by kind.
    pub faults: BTreeMap<&'static str, u64>,
}

impl Default for Counters {
    fn default() -> Self {
        Self { marks: vec![0; Mark::ALL.len()], checks: vec![0; Rule::ALL.len()], faults: BTreeMap::new() }
    }
}

impl Counters {
    /// Counts something once.
    pub fn saw(&mut self, mark: Mark) {
        self.marks[mark as usize] += 1;
    }

    /// Counts something `times` times.
    pub fn saw_times(&mut self, mark: Mark, times: u64) {
        self.marks[mark as usize] += times;
    }

    /// How often something was seen.
    #[must_use]
    pub fn seen(&self, mark: Mark) -> u64 {
        self.marks[mark as usize]
    }

    /// Counts one evaluation of a rule.
    pub fn checked(&mut self, rule: Rule) {
        self.checks[rule as usize] += 1;
    }

    /// How often a rule was evaluated.
    #[must_use]
    pub fn checks(&self, rule: Rule) -> u64 {
        self.checks[rule as usize]
    }

    /// The surprises that were never seen.
    pub fn never_seen(&self) -> impl Iterator<Item = Mark> + '_ {
        Mark::ALL.iter().copied().filter(|mark| mark.is_surprise() && self.seen(*mark) == 0)
    }

    /// Adds the counts of another run.
    pub fn merge(&mut self, other: &Self) {
        let add = |to: &mut [u64], from: &[u64]| to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        add(&mut self.marks, &other.marks);
        add(&mut self.checks, &other.checks);
        for (kind, count) in &other.faults {
            *self.faults.entry(kind).or_default() += count;
        }
    }
}

struct Named<T>(T);

impl<F: Fn() -> I, I: Iterator<Item = (&'static str, u64)>> Serialize for Named<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map((self.0)())
    }
}

impl Serialize for Counters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        let marks = || Mark::ALL.iter().map(|mark| (mark.name(), self.seen(*mark)));
        let checks = || Rule::ALL.iter().map(|rule| (rule.name(), self.checks(*rule)));
        map.serialize_entry("seen", &Named(marks))?;
        map.serialize_entry("checks", &Named(checks))?;
        map.serialize_entry("faults", &self.faults)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_over_runs_and_unseen_surprises_are_listed() {
        let (mut one, mut two) = (Counters::default(), Counters::default());
        one.saw(Mark::Epochs);
        two.saw_times(Mark::Epochs, 2);
        two.saw(Mark::SyncSnap);
        two.checked(Rule::R1);
        two.faults.insert("crash", 3);
        one.merge(&two);
        assert_eq!((one.seen(Mark::Epochs), one.checks(Rule::R1), one.faults["crash"]), (3, 1, 3));
        let unseen: Vec<Mark> = one.never_seen().collect();
        assert!(unseen.contains(&Mark::SyncTrunc) && !unseen.contains(&Mark::SyncSnap));
        assert!(!unseen.contains(&Mark::Boots), "no surprise");
    }

    #[test]
    fn counts_are_written_by_name() {
        let mut counters = Counters::default();
        counters.saw(Mark::Truncations);
        let json = serde_json::to_value(&counters).expect("plain data");
        assert_eq!(json["seen"]["Truncations"], 1);
        assert_eq!(json["checks"]["R1"], 0);
    }
}
