//! E8 (invariants.md section 2): a leader establishes an epoch only with the promises of a quorum
//! that contains itself (ZOOKEEPER-1270, -1192).

use zabrus_core::{Epoch, ServerId};

use super::{Verdict, ensure};
use crate::ghost::quorums::{Quorums, Servers};

/// Judges that `leader` establishes `epoch`; `promised` are the voters that sent it their promise.
pub fn check(quorums: &Quorums, epoch: Epoch, leader: ServerId, promised: Servers) -> Verdict {
    let promised = promised | quorums.bit(leader);
    ensure(quorums.may_lead(leader) && quorums.is_quorum(promised), || {
        format!("server {leader} established epoch {epoch} with promises of {} only", quorums.names(promised))
    })
}

#[cfg(test)]
mod tests {
    use zabrus_core::quorum::Ensemble;

    use super::*;
    use crate::ghost::quorums::testing::joint;

    #[test]
    fn an_epoch_needs_a_quorum_of_voters_with_the_leader() {
        let quorums = Quorums::new(&Ensemble::plain(3, 1));
        assert!(check(&quorums, Epoch(1), ServerId(1), 0b010).is_ok());
        assert!(check(&quorums, Epoch(1), ServerId(1), 0b001).is_err());
        assert!(check(&quorums, Epoch(1), ServerId(4), 0b011).is_err());
    }

    #[test]
    fn an_epoch_needs_a_quorum_of_each_ensemble_that_counts() {
        let quorums = joint(3, &[3, 4, 5]);
        assert!(check(&quorums, Epoch(1), ServerId(3), 0b10010).is_ok());
        assert!(check(&quorums, Epoch(1), ServerId(3), 0b00011).is_err());
        assert!(check(&quorums, Epoch(1), ServerId(3), 0b11000).is_err());
    }
}
