//! B8 (invariants.md section 4): a leader commits z only when a quorum has acknowledged z durably in
//! its epoch; its own acknowledgement is its disk (bugs.md D01 to D03).

use zabrus_core::{ServerId, Zxid};

use super::{Verdict, ensure};
use crate::ghost::quorums::{Quorums, Servers};

/// Judges that `leader` takes `zxid` for committed; `acknowledged` sent it an ACK that covers it.
pub fn check(
    quorums: &Quorums,
    leader: ServerId,
    zxid: Zxid,
    acknowledged: Servers,
    own_disk_has_it: bool,
) -> Verdict {
    let own = if own_disk_has_it { quorums.bit(leader) } else { 0 };
    let holders = acknowledged | own;
    ensure(quorums.is_quorum(holders), || {
        format!("it committed {zxid} with the acknowledgement of {} only", quorums.names(holders))
    })
}

#[cfg(test)]
mod tests {
    use zabrus_core::Epoch;
    use zabrus_core::quorum::Ensemble;

    use super::*;
    use crate::ghost::quorums::testing::joint;

    #[test]
    fn a_commit_without_a_durable_quorum_is_seen() {
        let quorums = Quorums::new(&Ensemble::plain(3, 0));
        let zxid = Zxid::new(Epoch(1), 1);
        let judge = |acknowledged, own| check(&quorums, ServerId(1), zxid, acknowledged, own);
        assert!(judge(0b010, true).is_ok());
        assert!(judge(0b110, false).is_ok());
        assert!(judge(0b010, false).is_err());
        assert!(judge(0, true).is_err());
    }

    #[test]
    fn a_reconfig_needs_both_ensembles() {
        let quorums = joint(3, &[3, 4, 5]);
        let judge = |acknowledged| check(&quorums, ServerId(1), Zxid::new(Epoch(1), 1), acknowledged, true);
        assert!(judge(0b10110).is_ok());
        assert!(judge(0b00110).is_err(), "only the old one");
        assert!(judge(0b11000).is_err(), "only the new one");
    }
}
