//! The checks: one rule of `invariants.md` per file, each a pure function of what the observer knows
//! ([`crate::ghost`]), each tested on a hand-made bad history. Checks read state, draw no
//! randomness and cannot change a run.
//!
//! E11 (everything holds with an adversarial election) is a way to run, not a check: the setting
//! [`zabrus_core::config::ElectionAlgorithm::External`]. B2, B3 follow from B7, B12 from B11. W8 (a watch is
//! armed in the state that its read showed) is W3 behind that state and W4 before it, W9 (persistent
//! watches) is W1 and W2, and L11 (conditional writes) is B16 and L1.

pub mod b01_integrity;
pub mod b04_primary_order;
pub mod b06_primary_integrity;
pub mod b07_prefix_consistency;
pub mod b08_commit_justification;
pub mod b09_ack_truth;
pub mod b10_follower_commit;
pub mod b11_zxid_discipline;
pub mod b13_monotone_commit;
pub mod b14_leader_silence;
pub mod b15_equal_states;
pub mod b16_speculative_state;
pub mod e01_vote_monotonicity;
pub mod e02_vote_honesty;
pub mod e03_justified_decision;
pub mod e04_no_blank_voter;
pub mod e05_no_foreign_voter;
pub mod e06_unique_leader;
pub mod e07_one_promise;
pub mod e08_promise_quorum;
pub mod e09_epoch_freshness;
pub mod e10_epoch_monotonicity;
pub mod e12_elected_best;
pub mod l_clients;
pub mod m01_members;
pub mod n01_unique_sessions;
pub mod n02_life_cycle;
pub mod n03_ephemeral_owners;
pub mod n04_atomic_cleanup;
pub mod n05_no_early_expiry;
pub mod n06_eventual_expiry;
pub mod n07_expired_is_final;
pub mod n08_closing_fence;
pub mod n09_single_owner;
pub mod n10_password;
pub mod n11_leader_change;
pub mod n12_equal_sessions;
pub mod p01_fencing;
pub mod p03_counter;
pub mod p04_queue;
pub mod p05_barrier;
pub mod p06_group;
pub mod r01_recoverability;
pub mod r02_durable_quorum;
pub mod r03_any_election;
pub mod r04_recover_is_pure;
pub mod r05_no_resurrection;
pub mod r06_never_shrink_silently;
pub mod r09_purge_safety;
pub mod r10_no_ack_after_error;
pub mod v07_minority_leader;
pub mod v12_late_follower;
pub mod w01_events;
pub mod w07_rearmed;
pub mod w10_true_stats;
pub mod y01_persist_before_send;
pub mod y02_leader_most_recent;
pub mod y03_initial_history;
pub mod y04_newleader_ack_truth;
pub mod y05_epoch_after_log;
pub mod y06_process_consistency;
pub mod y07_serving_quorum;
pub mod y08_truncation_safety;
pub mod y10_sync_continuity;
pub mod y11_window_continuity;
pub mod y12_stale_input;
pub mod y13_no_ack_inversion;
pub mod y14_memory_equals_disk;
pub mod y15_snapshot_truth;

/// A rule holds, or one sentence for a person says how it does not.
pub type Verdict = Result<(), String>;

/// A verdict from a condition.
pub(crate) fn ensure(holds: bool, sentence: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(sentence()) }
}

macro_rules! rules {
    ($($name:ident $citation:literal,)*) => {
        /// A rule of `invariants.md`, by its name there.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "the citation says it")]
        pub enum Rule { $($name,)* }

        impl Rule {
            /// All rules.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// Where it is written, in a few words.
            #[must_use]
            pub fn citation(self) -> &'static str {
                match self { $(Self::$name => $citation,)* }
            }
        }
    };
}

rules! {
    E1 "invariants.md E1, vote monotonicity",
    E2 "invariants.md E2, vote honesty",
    E3 "invariants.md E3, justified decision; ZOOKEEPER-569, -975, -3537",
    E4 "invariants.md E4, no blank voter; ZOOKEEPER-2325",
    E5 "invariants.md E5, no foreign voter; ZOOKEEPER-2959",
    E6 "invariants.md E6, unique established leader; ZOOKEEPER-1291",
    E7 "invariants.md E7, one promise per epoch; zab.md section 4.3",
    E8 "invariants.md E8, promise quorum; ZOOKEEPER-1270, -1192",
    E9 "invariants.md E9, epoch freshness",
    E10 "invariants.md E10, epoch monotonicity; ZOOKEEPER-1653, -2307, -4269",
    Y1 "invariants.md Y1, persist before send; ZOOKEEPER-1291",
    Y2 "invariants.md Y2, leader is most recent; zab.md section 4.4",
    Y3 "invariants.md Y3, initial history; Remix LeaderLogCompleteness",
    Y4 "invariants.md Y4, NEWLEADER ack truth; ZOOKEEPER-3911, -4643, -4646, -4785",
    Y5 "invariants.md Y5, order of durable effects; ZOOKEEPER-4643",
    Y6 "invariants.md Y6, process consistency",
    Y7 "invariants.md Y7, serving implies quorum; ZOOKEEPER-790",
    Y8 "invariants.md Y8, truncation safety; ZOOKEEPER-1156, -1549, -4837, -3526",
    Y9 "invariants.md Y9, truncation completeness; ZOOKEEPER-1154, -2832, -2845, -5010",
    Y10 "invariants.md Y10, DIFF continuity; ZOOKEEPER-2418, -2846, -4352, -4925",
    Y11 "invariants.md Y11, window continuity; ZOOKEEPER-4925",
    Y12 "invariants.md Y12, legal messages",
    Y13 "invariants.md Y13, no ack inversion; ZOOKEEPER-4685",
    Y14 "invariants.md Y14, aborted sync; ZOOKEEPER-3642, -5094",
    Y15 "invariants.md Y15, snapshot label truth; ZOOKEEPER-3104, -3127, -3144",
    B1 "invariants.md B1, integrity",
    B4 "invariants.md B4, local primary order",
    B6 "invariants.md B6, primary integrity",
    B7 "invariants.md B7, prefix consistency",
    B8 "invariants.md B8, commit justification",
    B9 "invariants.md B9, ack truth",
    B10 "invariants.md B10, follower commit",
    B11 "invariants.md B11, zxid discipline; ZOOKEEPER-1277, -1046",
    B13 "invariants.md B13, monotone commit",
    B14 "invariants.md B14, leader silence",
    B15 "invariants.md B15, determinism of transactions",
    B16 "invariants.md B16, speculative state; ZOOKEEPER-1624",
    R1 "invariants.md R1, recoverability",
    R2 "invariants.md R2, durable quorum",
    R3 "invariants.md R3, any-election safety",
    R4 "invariants.md R4, recover is pure",
    R5 "invariants.md R5, no resurrection; ZOOKEEPER-2832",
    R6 "invariants.md R6, torn or corrupt tail; ZOOKEEPER-2325, -3231, -3644, -2332",
    R7 "invariants.md R7, memory equals disk at role change; ZOOKEEPER-2845, -4712, -4882",
    R8 "invariants.md R8, stale I/O; ZOOKEEPER-4541",
    R9 "invariants.md R9, purge safety; ZOOKEEPER-3231",
    R10 "invariants.md R10, no ack loss after an error; ZOOKEEPER-2247, -3701, -4882",
    N1 "invariants.md N1, unique session ids",
    N2 "invariants.md N2, life cycle of sessions; ZOOKEEPER-1208, -1496",
    N3 "invariants.md N3, owners of ephemeral nodes; ZOOKEEPER-1367, -2355, -3144, -5010",
    N4 "invariants.md N4, atomic cleanup of sessions",
    N5 "invariants.md N5, no early expiry",
    N6 "invariants.md N6, eventual expiry",
    N7 "invariants.md N7, expired is final; ClickHouse 116690",
    N8 "invariants.md N8, closing fence; ZOOKEEPER-1208",
    N9 "invariants.md N9, a session has a single owner",
    N10 "invariants.md N10, sessions are for those with the password",
    N11 "invariants.md N11, a new leader gives every session its full timeout",
    N12 "invariants.md N12, equal sessions; ZOOKEEPER-2926, -3144",
    N13 "invariants.md N13, derived tables; ZOOKEEPER-3306, -4846, -2808",
    W1 "invariants.md W1 and W9, events follow the table; ZOOKEEPER-4475, -4466",
    W2 "invariants.md W2, no event is lost",
    W3 "invariants.md W3, events come before data",
    W4 "invariants.md W4, events in the order of zxids",
    W5 "invariants.md W5, standard watches fire once",
    W6 "invariants.md W6, no ghost events; ZOOKEEPER-1382",
    W7 "invariants.md W7, watches armed again; ZOOKEEPER-1412, -1667, -3145, -3125",
    W10 "invariants.md W10, true stats; ZOOKEEPER-3125, -3249, -3145, -1046",
    L1 "invariants.md L1 and L11, write correctness; ZOOKEEPER-2623, -3472",
    L2 "invariants.md L2, read correctness; ZOOKEEPER-1412",
    L3 "invariants.md L3, linearizable writes",
    L4 "invariants.md L4, FIFO client order; ZOOKEEPER-1863",
    L5 "invariants.md L5, no skip",
    L6 "invariants.md L6, at most once",
    L7 "invariants.md L7, monotonic session",
    L8 "invariants.md L8, sync; ZOOKEEPER-1675, -3600",
    L9 "invariants.md L9, errors change nothing",
    L10 "invariants.md L10, multis as a whole; ZOOKEEPER-3127",
    L12 "invariants.md L12, reserved request numbers; ZOOKEEPER-3253, -2775",
    M1 "zab.md section 13, who is counted follows from the log",
    P1 "ZooKeeper's recipes: a lock with fencing",
    P2 "ZooKeeper's recipes: a leader election",
    P3 "ZooKeeper's recipes: a counter by version",
    P4 "ZooKeeper's recipes: a queue",
    P5 "ZooKeeper's recipes: a double barrier",
    P6 "ZooKeeper's recipes: membership of a group",
    V1 "invariants.md V1, a leader serves with a quorum",
    V2 "invariants.md V2, the leader is stable",
    V3 "invariants.md V3, every server rejoins; ZOOKEEPER-1514, -1732, -1818",
    V4 "invariants.md V4, every request is answered; ZOOKEEPER-4537",
    V5 "invariants.md V5, all states become equal",
    V7 "invariants.md V7, a leader cut off from a quorum steps down",
    V8 "invariants.md V8, no endless elections",
    V11 "invariants.md V11, nothing is left over; ZOOKEEPER-880, -4712",
    V12 "zab.md section 8, a follower that acknowledges too late is dropped",
}

#[cfg(test)]
pub(crate) mod testing {
    use zabrus_core::event::{Phase, Role};
    use zabrus_core::message::{Notification, SenderState, Vote};
    use zabrus_core::replica::Status;
    use zabrus_core::{Epoch, Position, ServerId, Zxid};

    use crate::ghost::durable::testing::sound;

    pub(crate) fn vote(peer_epoch: u32, zxid: (u32, u32), leader: u64) -> Vote {
        let zxid = Zxid::new(Epoch(zxid.0), zxid.1);
        Vote { peer_epoch: Epoch(peer_epoch), zxid, leader: ServerId(leader) }
    }

    /// What `server` says in round 1.
    pub(crate) fn says(server: u64, state: SenderState, vote: Vote) -> (ServerId, Notification) {
        let notification = Notification {
            state,
            vote: Some(vote),
            round: 1,
            config_version: 0,
            members: String::new(),
            next_members: String::new(),
            query: false,
        };
        (ServerId(server), notification)
    }

    /// A server that looks for a leader, with everything logged, durable, committed and applied.
    pub(crate) fn status(id: u64, last: Position) -> Status {
        Status {
            id: ServerId(id),
            role: Role::Looking,
            phase: Phase::Election,
            leader: None,
            epoch: None,
            epochs: sound(id, last.zxid.epoch().0, last).epochs,
            logged: last,
            durable: last.zxid,
            committed: last.zxid,
            applied: last,
            state_digest: 0,
            round: 1,
            vote: None,
            serving: false,
            read_only: false,
            waiting: 0,
            links: 0,
        }
    }
}
