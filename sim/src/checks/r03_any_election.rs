//! R3 (invariants.md section 5): a fork of the world, in which everything lost power and a random quorum
//! came back without faults, delivers everything that was committed here. Sampled: it costs a world.

use zabrus_core::Position;

use super::{Verdict, ensure};

/// How the fork ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fork {
    /// A leader served.
    Led {
        /// The parent's committed end as the fork's leader has it: the position in its history at
        /// that zxid.
        at_committed: Option<Position>,
    },
    /// Nobody could lead: enough servers admitted that they may lack something. Safe.
    Leaderless,
}

/// Judges a fork. `run` builds the fork from the disks, runs it until a leader serves or the time is
/// over, and tells what it came to.
pub fn check(committed: Position, run: impl FnOnce(Position) -> Fork) -> Verdict {
    match run(committed) {
        Fork::Leaderless => Ok(()),
        Fork::Led { at_committed } => ensure(at_committed == Some(committed), || {
            format!(
                "after a power loss of all a quorum led with {at_committed:?} in the place of {committed}"
            )
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ghost::history::testing::{at, history};

    #[test]
    fn a_fork_that_lost_a_committed_transaction_is_seen() {
        let history = history(&[(1, 1), (1, 2)], 2);
        let committed = history.committed();
        assert!(check(committed, |at| Fork::Led { at_committed: Some(at) }).is_ok());
        assert!(check(committed, |_| Fork::Leaderless).is_ok());
        assert!(check(committed, |_| Fork::Led { at_committed: None }).is_err());
        let other = at(&history, 1, 1);
        assert!(check(committed, |_| Fork::Led { at_committed: Some(other) }).is_err());
    }
}
