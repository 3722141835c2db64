//! E1 (invariants.md section 2): while a server looks for a leader and stays in one round, its vote
//! never decreases in the order (peer epoch, zxid, id).

use zabrus_core::message::Vote;

use super::{Verdict, ensure};

/// Compares the vote of a server with its earlier one of the same look and round.
pub fn check(before: Option<Vote>, after: Option<Vote>) -> Verdict {
    ensure(before.is_none() || after >= before, || {
        format!("within one round the vote went back from {before:?} to {after:?}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::vote;

    #[test]
    fn a_vote_may_only_rise_within_a_round() {
        assert!(check(Some(vote(1, (1, 2), 1)), Some(vote(1, (1, 2), 3))).is_ok());
        assert!(check(None, Some(vote(1, (1, 2), 3))).is_ok());
        assert!(check(Some(vote(2, (1, 2), 1)), Some(vote(1, (1, 9), 3))).is_err());
        assert!(check(Some(vote(2, (1, 2), 1)), None).is_err());
    }
}
