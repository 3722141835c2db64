//! E1 (invariants.md section 2): while a server looks for a leader and stays in one round, its vote
//! never decreases in the order (peer epoch, zxid, id). Among equals any fixed order is as safe as
//! that of the ids (mutant M61 is a control), so only this is judged: that it stays the same. That
//! it is the order of the ids is for the election's own tests.

use std::cmp::Ordering;

use zabrus_core::message::Vote;

use super::{Verdict, ensure};

/// Compares the vote of a server with its earlier one of the same look and round. `among_equals` is
/// how it moved from id to id so far, and then how it does.
pub fn check(before: Option<Vote>, after: Option<Vote>, among_equals: &mut Ordering) -> Verdict {
    let rank = |vote: Vote| (vote.peer_epoch, vote.zxid);
    let direction = match (before, after) {
        (Some(before), Some(after)) if rank(before) == rank(after) => after.leader.cmp(&before.leader),
        _ => Ordering::Equal,
    };
    let turns = direction != Ordering::Equal && *among_equals == direction.reverse();
    if direction != Ordering::Equal {
        *among_equals = direction;
    }
    ensure(before.is_none() || !turns && after.map(rank) >= before.map(rank), || {
        format!("within one round the vote went back from {before:?} to {after:?}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::vote;

    fn judge(votes: &[Option<Vote>]) -> bool {
        let mut among_equals = Ordering::Equal;
        votes.windows(2).all(|pair| check(pair[0], pair[1], &mut among_equals).is_ok())
    }

    #[test]
    fn a_vote_may_only_rise_within_a_round() {
        assert!(judge(&[Some(vote(1, (1, 2), 1)), Some(vote(1, (1, 2), 3))]));
        assert!(judge(&[None, Some(vote(1, (1, 2), 3))]));
        assert!(!judge(&[Some(vote(2, (1, 2), 1)), Some(vote(1, (1, 9), 3))]));
        assert!(!judge(&[Some(vote(2, (1, 2), 1)), None]));
    }

    #[test]
    fn a_vote_that_turns_back_among_equals_is_seen() {
        let id = |id| Some(vote(1, (1, 2), id));
        assert!(judge(&[id(3), id(2), id(1)]) && judge(&[id(1), id(2), id(3)]));
        assert!(!judge(&[id(1), id(3), id(2)]));
        assert!(!judge(&[id(1), id(3), Some(vote(1, (1, 3), 2)), Some(vote(1, (1, 3), 1))]));
    }
}
