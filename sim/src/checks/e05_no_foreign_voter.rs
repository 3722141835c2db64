//! E5 (invariants.md section 2): only voters vote, and only for servers that may lead; observers and
//! servers of weight 0 never count (ZOOKEEPER-2959). That nobody counts them is part of E3, E8, Y7
//! and B8, whose sets hold voters only.

use zabrus_core::ServerId;
use zabrus_core::message::Vote;

use super::{Verdict, ensure};
use crate::ghost::quorums::Quorums;

/// Judges a vote that `sender` sends.
pub fn check(quorums: &Quorums, sender: ServerId, vote: Vote) -> Verdict {
    ensure(quorums.is_voter(sender), || "it votes, but has no vote".into())?;
    ensure(quorums.may_lead(vote.leader), || {
        format!("it votes for server {}, which may not lead", vote.leader)
    })
}

#[cfg(test)]
mod tests {
    use zabrus_core::quorum::Ensemble;

    use super::*;
    use crate::checks::testing::vote;
    use crate::ghost::quorums::testing::joint;

    #[test]
    fn observers_neither_vote_nor_lead() {
        let quorums = Quorums::new(&Ensemble::plain(3, 1));
        assert!(check(&quorums, ServerId(1), vote(1, (1, 1), 2)).is_ok());
        assert!(check(&quorums, ServerId(4), vote(1, (1, 1), 2)).is_err());
        assert!(check(&quorums, ServerId(1), vote(1, (1, 1), 4)).is_err());
    }

    #[test]
    fn both_ensembles_vote_while_one_gives_way_to_the_other() {
        let quorums = joint(3, &[3, 4, 5]);
        assert!(check(&quorums, ServerId(1), vote(1, (1, 1), 5)).is_ok());
        assert!(check(&quorums, ServerId(6), vote(1, (1, 1), 5)).is_err());
        assert!(check(&quorums, ServerId(5), vote(1, (1, 1), 6)).is_err());
    }
}
