//! E3 (invariants.md section 2): a server leaves LOOKING for a leader only if notifications that it
//! received, its own vote among them, name that leader by a quorum of voters. If settled servers
//! decided it, the leader itself must have said that it leads (ZOOKEEPER-569, -975, -3537).

use zabrus_core::ServerId;
use zabrus_core::message::{Notification, SenderState};

use super::{Verdict, ensure};
use crate::ghost::quorums::Quorums;

/// What a server decided.
#[derive(Clone, Copy, Debug)]
pub struct Decision {
    /// For whom.
    pub leader: ServerId,
    /// In which round.
    pub round: u64,
    /// Because of servers that had settled.
    pub through_settled: bool,
}

/// Judges the decision of `server` by what it `heard` since its last role. Votes count in their round, and
/// those of settled servers in any.
pub fn check(
    quorums: &Quorums,
    server: ServerId,
    decision: Decision,
    heard: &[(ServerId, Notification)],
) -> Verdict {
    let Decision { leader, round, through_settled } = decision;
    let counts = |n: &Notification| n.round == round || through_settled && n.state != SenderState::Looking;
    let named = |n: &Notification| n.vote.is_some_and(|vote| vote.leader == leader) && counts(n);
    let own = quorums.bit(server);
    let agree = heard.iter().filter(|(_, n)| named(n)).fold(own, |set, (id, _)| set | quorums.bit(*id));
    // Whoever alone has the announcement of other voters joins a leader that counts the old ones only.
    let is_quorum = if through_settled { quorums.is_quorum_of_one(agree) } else { quorums.is_quorum(agree) };
    ensure(is_quorum, || {
        format!("it decided for leader {leader} with the votes of {} only", quorums.names(agree))
    })?;
    let confirmed = heard.iter().any(|(id, n)| *id == leader && n.state == SenderState::Leading);
    ensure(!through_settled || leader == server || confirmed, || {
        format!("it joined leader {leader}, which never told it that it leads")
    })
}

#[cfg(test)]
mod tests {
    use zabrus_core::quorum::Ensemble;

    use super::*;
    use crate::checks::testing;
    use crate::ghost::quorums::testing::joint;

    fn decision(round: u64, through_settled: bool) -> Decision {
        Decision { leader: ServerId(3), round, through_settled }
    }

    fn says(server: u64, state: SenderState, leader: u64) -> (ServerId, Notification) {
        testing::says(server, state, testing::vote(1, (1, 1), leader))
    }

    #[test]
    fn a_decision_needs_a_quorum_that_names_the_leader() {
        let quorums = Quorums::new(&Ensemble::plain(3, 1));
        let two = [says(2, SenderState::Looking, 3)];
        assert!(check(&quorums, ServerId(1), decision(1, false), &two).is_ok());
        assert!(check(&quorums, ServerId(1), decision(2, false), &two).is_err(), "of an old round");
        let other = [says(2, SenderState::Looking, 2), says(4, SenderState::Observing, 3)];
        assert!(check(&quorums, ServerId(1), decision(1, false), &other).is_err());
    }

    #[test]
    fn a_decision_needs_a_quorum_of_each_ensemble_that_counts() {
        let quorums = joint(3, &[3, 4, 5]);
        let votes = [2, 5].map(|server| says(server, SenderState::Looking, 3));
        let judge = |heard| check(&quorums, ServerId(3), decision(1, false), heard);
        assert!(judge(&votes).is_ok());
        assert!(judge(&votes[..1]).is_err() && judge(&votes[1..]).is_err());
    }

    #[test]
    fn joining_a_settled_ensemble_needs_the_word_of_the_leader() {
        let quorums = Quorums::new(&Ensemble::plain(3, 0));
        let mut heard = vec![says(2, SenderState::Following, 3)];
        assert!(check(&quorums, ServerId(1), decision(2, true), &heard).is_err());
        heard.push(says(3, SenderState::Leading, 3));
        assert!(check(&quorums, ServerId(1), decision(2, true), &heard).is_ok());
    }
}
