//! Deliberate bugs: each is one branch in the core, taken only in builds with the feature
//! `mutants`, to measure what the simulator sees. The catalogue is the project's list of real
//! bugs of other servers. From Z01 on they are mistakes of our own that the simulator once found; the
//! scenario that kills one tells its story.
//!
//! In a normal build [`mutated!`](crate::mutated) is a constant `false` and nothing of this is left.

/// Whether `mutation` is planted, and so whether its branch is taken. Each branch that asks is
/// counted as reached when the answer is yes.
#[cfg(not(feature = "mutants"))]
#[macro_export]
macro_rules! mutated {
    ($mutation:ident) => {
        false
    };
}
/// Whether `mutation` is planted, and so whether its branch is taken. Each branch that asks is
/// counted as reached when the answer is yes.
#[cfg(feature = "mutants")]
#[macro_export]
macro_rules! mutated {
    ($mutation:ident) => {
        $crate::mutation::reached($crate::mutation::Mutation::$mutation)
    };
}

#[cfg(feature = "mutants")]
mod planted {
    use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    macro_rules! mutations {
        ($(#[doc = $mistake:literal] $name:ident $bug:literal)*) => {
            /// A deliberate bug; the names are the catalogue's.
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub enum Mutation {
                $(#[doc = $mistake] $name),*
            }

            impl Mutation {
                /// All of them, in the catalogue's order.
                pub const ALL: &[Self] = &[$(Self::$name),*];

                /// The bug of the catalogue that it repeats, or `own`.
                #[must_use]
                pub fn bug(self) -> &'static str {
                    match self { $(Self::$name => $bug),* }
                }

                /// What it does wrong, in one sentence.
                #[must_use]
                pub fn mistake(self) -> &'static str {
                    match self { $(Self::$name => $mistake.trim_ascii()),* }
                }
            }
        };
    }

    mutations! {
        /// NEWLEADER is acknowledged before anything is durable.
        M01 "A01"
        /// NEWLEADER is acknowledged when its writes are under way.
        M02 "A02"
        /// The current epoch is written before the history.
        M03 "A03"
        /// Proposals are acknowledged, and their writes dropped at a change of role.
        M04 "A04"
        /// Pending proposals are cleared at NEWLEADER.
        M05 "A05"
        /// A proposal is acknowledged before NEWLEADER is.
        M06 "A06"
        /// UPTODATE commits whatever is logged.
        M07 "A07"
        /// An election starts while writes of the last role are under way.
        M08 "A08"
        /// The vote names what is applied, not what is logged.
        M09 "A09"
        /// What came in a synchronization is missing in the window.
        M11 "A11"
        /// A failed sync counts as done.
        M12 "A12"
        /// Memory is kept after an interrupted TRUNC.
        M13 "A13"
        /// Memory is kept after an interrupted SNAP.
        M14 "A14"
        /// A received snapshot is not synced.
        M15 "A15"
        /// NEWLEADER is chosen before the label of the snapshot.
        M16 "A16"
        /// The DIFF header counts as if its transactions had come.
        M17 "A17"
        /// A gap between disk log and window is not seen.
        M18 "A18"
        /// A log that begins too late is sent all the same.
        M19 "A19"
        /// An empty joiner gets only the window.
        M20 "A20"
        /// A learner with a tail of its own gets DIFF.
        M21 "A21"
        /// TRUNC ends at a wrong offset.
        M22 "A22"
        /// A failed truncation counts as done.
        M23 "A23"
        /// The old log stays under a received snapshot.
        M24 "A24"
        /// TRUNC leaves snapshots beyond the cut.
        M26 "A26"
        /// Proposals between synchronization and NEWLEADER's acknowledgement are not forwarded.
        M28 "A28"
        /// Outstanding proposals are not sent to a joiner.
        M29 "A29"
        /// An observer ignores INFORM before UPTODATE.
        M30 "A30"
        /// Without a valid snapshot a server starts as if nothing were missing.
        M32 "A32"
        /// A purge counts snapshots that nobody validated.
        M33 "A33"
        /// A recovered tail counts as durable without a sync.
        M34 "A34"
        /// The next epoch is derived from the log, not from the promise.
        M35 "B01"
        /// LEADERINFO is sent before the promise is durable.
        M36 "B02"
        /// The current epoch is written at UPTODATE.
        M37 "B03"
        /// An epoch is established without promises.
        M38 "B04"
        /// Observers count in every quorum.
        M40 "B06"
        /// Observers keep a leader in office.
        M41 "B07"
        /// A promise of the same epoch is given to a second leader.
        M42 "B08"
        /// A leader votes with the zxid of its epoch's start.
        M43 "B09"
        /// A server does not start with a log ahead of its epoch.
        M44 "B10"
        /// Epochs change in memory before the disk has them.
        M45 "B11"
        /// Epochs are overwritten in place.
        M46 "B12"
        /// A leader ignores a more recent follower.
        M47 "B13"
        /// Nobody asks whether the elected leader leads.
        M49 "C01"
        /// An old round makes a leader again.
        M51 "C03"
        /// Settled votes must be exactly equal.
        M52 "C04"
        /// The vote is not refreshed with the new epoch.
        M52b "C04"
        /// No finalize wait.
        M53 "C05"
        /// The leader is looked up among the wrong votes.
        M54 "C06"
        /// Lost notifications are not sent again.
        M56 "C08"
        /// Votes compare the zxid before the epoch.
        M59 "C11"
        /// Votes compare the zxid only.
        M60 "C11"
        /// Ties go to the smaller id.
        M61 "C11"
        /// A higher round is compared with the present vote, not the own one.
        M62 "C12"
        /// Votes of older rounds count.
        M63 "C12"
        /// A server without a past votes.
        M64 "C13"
        /// A follower acknowledges before its disk has it.
        M65 "D01"
        /// A leader counts itself before its disk has it.
        M66 "D01"
        /// A change is committed with the acknowledgements of the one before.
        M67 "D02"
        /// Half of the voters are a quorum.
        M68 "D03"
        /// A follower takes a proposal that is not the next.
        M71 "D04"
        /// The counter has no limit.
        M72 "D05"
        /// A server goes on after its disk failed.
        M73 "D06"
        /// A follower waits for initLimit where syncLimit is due.
        M75 "D08"
        /// A leader without quorum stays.
        M76 "D09"
        /// Messages of old epochs and links count.
        M77 "D10"
        /// Members that come with a snapshot are not taken.
        M82 "D13"
        /// Members are taken before their reconfig is committed.
        M83 "D13"
        /// While the voters change, a leader counts the old ones only.
        M84 "D14"
        /// A leader that has no vote any more goes on.
        M85 "D14"
        /// A snapshot is labelled with a multi that it has not.
        M86 "E01"
        /// A snapshot is labelled with a session's begin or end that it has not.
        M87 "E02"
        /// Sequential names come from the number of children.
        M91 "E05"
        /// A shared access control list is not counted again.
        M93 "E07"
        /// A failed multi takes back what others have in flight.
        M94 "E08"
        /// A check alone becomes a transaction.
        M95 "E09"
        /// A version becomes -1.
        M96 "E10"
        /// A server does not start with a log file that has no header.
        M97 "E11"
        /// Nodes get the time of the server that applies.
        M98 "E12"
        /// The end of a session leaves no mark before it is applied.
        M99 "F01"
        /// A client may come back to a session that is ending.
        M100 "F02"
        /// A new leader does not know sessions that were in flight.
        M101 "F03"
        /// A session is in the leader's state before it is committed.
        M102 "F04"
        /// The end of a session that has just become global is not replicated.
        M103 "F05"
        /// The leader removes nodes without a transaction.
        M104 "F06"
        /// Sessions have no time left after a change of leaders.
        M105 "F07"
        /// Reads are no sign of life.
        M106 "F07"
        /// Every second report of signs of life is lost.
        M107 "F07"
        /// An expired session is replaced by a new one.
        M108 "F08"
        /// A new connection does not take over the session.
        M109 "F09"
        /// Every connection of a session may write.
        M110 "F09"
        /// Session ids do not depend on the epoch.
        M111 "F10"
        /// Plans survive the leadership.
        M112 "F11"
        /// Answers to reads have no zxid.
        M113 "G01"
        /// Armed again, a watch of data tells of a created node.
        M114 "G02"
        /// Watches of closed connections stay.
        M115 "G03"
        /// Recursive watches hear of children.
        M116 "G04"
        /// One kind of watch per path.
        M117 "G04"
        /// An answer goes to the request with the same number.
        M118 "G05"
        /// Reads overtake writes.
        M119 "G05"
        /// A commit wakes nobody who waits.
        M120 "G06"
        /// A watch is armed after the next event.
        M121 "G07"
        /// Events are sent behind the answer.
        M123 "G07"
        /// Sync is answered without a quorum.
        M124 "G08"
        /// Sync does not wait for what is in flight.
        M125 "G08"
        /// A server takes clients that have seen more than it.
        M126 "G09"
        /// Requests are sent again to the next leader.
        M127 "G10"
        /// Requests overtake each other.
        M128 "G10"
        /// Announced voters count alone.
        M130 "D14"
        /// Announced voters count only when the announcement is applied.
        M131 "D14"
        /// Elections count the old voters only.
        M132 "D14"
        /// Announced voters of whom a server hears count alone.
        M133 "D14"
        /// Voters are announced that are not there.
        M134 "D14"
        /// A server that lost the end of its log is compared by its new epoch.
        Z01 "own"
        /// A voter without weight keeps torn servers from counting each other.
        Z02 "own"
        /// A leader makes way for a learner that may not lead.
        Z03 "own"
        /// A leader in doubt that could not lead stands again at once.
        Z04 "own"
        /// A server whose abstention has ended has its deadline in the past.
        Z05 "own"
        /// An answer about a session goes to whatever link its server has now.
        Z06 "own"
        /// Every acknowledgement of a learner gives it time for all others.
        Z07 "own"
        /// Members of whom others told hide voters that are announced later.
        Z08 "own"
        /// What others remember of a server passes for its own vote.
        Z09 "own"
        /// A leader that made way for a more recent follower looks again at once.
        Z10 "own"
        /// A learner that lost its vote is sent again what it has of the proposals in flight.
        Z11 "own"
        /// Nobody waits for the votes of those who vote by hearsay.
        Z12 "own"
    }

    static PLANTED: AtomicUsize = AtomicUsize::new(0);
    static REACHED: AtomicU64 = AtomicU64::new(0);

    #[cfg(test)]
    extern crate std;

    #[cfg(test)]
    std::thread_local! {
        static PLANTED_HERE: core::cell::Cell<Option<Mutation>> = const { core::cell::Cell::new(None) };
    }

    /// Asserts that a unit test fails if the bug is planted, for this thread alone.
    #[cfg(test)]
    pub(crate) fn fails(mutation: Mutation, test: fn()) {
        PLANTED_HERE.set(Some(mutation));
        let failed = std::panic::catch_unwind(test).is_err();
        PLANTED_HERE.set(None);
        assert!(failed, "{mutation:?} passes a test that should kill it");
    }

    /// Plants one bug in every replica of this process, or none, and forgets the count.
    pub fn plant(mutation: Option<Mutation>) {
        PLANTED.store(mutation.map_or(0, |m| m as usize + 1), Ordering::SeqCst);
        REACHED.store(0, Ordering::SeqCst);
    }

    /// How often the planted bug's branch was taken.
    #[must_use]
    pub fn times_reached() -> u64 {
        REACHED.load(Ordering::SeqCst)
    }

    #[doc(hidden)]
    #[must_use]
    pub fn reached(mutation: Mutation) -> bool {
        let planted = PLANTED.load(Ordering::Relaxed) == mutation as usize + 1;
        #[cfg(test)]
        let planted = planted || PLANTED_HERE.get() == Some(mutation);
        if planted {
            REACHED.fetch_add(1, Ordering::Relaxed);
        }
        planted
    }
}

#[cfg(feature = "mutants")]
pub use planted::*;
