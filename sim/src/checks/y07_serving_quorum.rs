//! Y7 (invariants.md section 3): a leader serves or commits only after a quorum, itself included, has
//! its initial history and its epoch durably (ZOOKEEPER-790).

use zabrus_core::{Epoch, ServerId};

use super::{Verdict, ensure};
use crate::ghost::quorums::{Quorums, Servers};

/// Judges that `leader` serves or commits in `epoch`; `ready` acknowledged NEWLEADER, and
/// `leader_ready` says that the leader's own disk would allow the same.
pub fn check(
    quorums: &Quorums,
    epoch: Epoch,
    leader: ServerId,
    ready: Servers,
    leader_ready: bool,
) -> Verdict {
    ensure(leader_ready, || format!("it serves epoch {epoch} before its own disk has it"))?;
    let ready = ready | quorums.bit(leader);
    ensure(quorums.is_quorum(ready), || {
        format!("it serves epoch {epoch} with the acknowledgement of {} only", quorums.names(ready))
    })
}

#[cfg(test)]
mod tests {
    use zabrus_core::quorum::Ensemble;

    use super::*;
    use crate::ghost::quorums::testing::joint;

    #[test]
    fn a_leader_serves_only_with_a_quorum_that_includes_its_own_disk() {
        let quorums = Quorums::new(&Ensemble::plain(3, 0));
        assert!(check(&quorums, Epoch(1), ServerId(1), 0b010, true).is_ok());
        assert!(check(&quorums, Epoch(1), ServerId(1), 0b010, false).is_err());
        assert!(check(&quorums, Epoch(1), ServerId(1), 0b001, true).is_err());
    }

    #[test]
    fn a_leader_serves_only_with_a_quorum_of_each_ensemble_that_counts() {
        let quorums = joint(3, &[3, 4, 5]);
        assert!(check(&quorums, Epoch(1), ServerId(3), 0b10010, true).is_ok());
        assert!(check(&quorums, Epoch(1), ServerId(3), 0b00011, true).is_err());
        assert!(check(&quorums, Epoch(1), ServerId(3), 0b11000, true).is_err());
    }
}
