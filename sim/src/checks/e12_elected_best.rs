//! E12 (invariants.md section 2): the elected leader is at least as recent as every voter that
//! elected it. A diagnosis, not a rule: it is counted, never fatal, since discovery re-checks (E11).

use zabrus_core::ServerId;
use zabrus_core::message::Notification;

/// Whether nobody heard in the election was better than the elected leader's own best vote.
#[must_use]
pub fn holds(leader: ServerId, heard: &[(ServerId, Notification)]) -> bool {
    let votes = || heard.iter().filter_map(|(_, notification)| notification.vote);
    let best = votes().filter(|vote| vote.leader == leader).max();
    best.is_none_or(|best| votes().all(|vote| vote <= best))
}

#[cfg(test)]
mod tests {
    use zabrus_core::message::SenderState;

    use super::*;
    use crate::checks::testing::{says, vote};

    #[test]
    fn a_better_candidate_that_was_heard_is_noticed() {
        let says = |leader| says(1, SenderState::Looking, vote(1, (1, leader), u64::from(leader)));
        assert!(holds(ServerId(3), &[says(2), says(3)]));
        assert!(!holds(ServerId(2), &[says(2), says(3)]));
    }
}
