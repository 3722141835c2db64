//! M1, our own beside the rules of invariants.md: the members that a server counts are those of the last
//! reconfig that it has applied (zab.md section 13, client.md section 16).

use std::collections::BTreeSet;

use zabrus_core::Zxid;
use zabrus_core::quorum::Ensemble;
use zabrus_core::wire::OpCode;

use super::{Verdict, ensure};

/// Judges the version of the members of a server whose state is at `applied`.
pub fn version(applied: Zxid, version: u64, expected: u64) -> Verdict {
    ensure(version == expected, || {
        format!(
            "its members are of reconfig {version:x}, but the state at {applied} has those of {expected:x}"
        )
    })
}

/// Judges who they are.
pub fn members(ensemble: &Ensemble, expected: &BTreeSet<u64>) -> Verdict {
    let members: BTreeSet<u64> = ensemble.members.keys().map(|id| id.0).collect();
    ensure(members == *expected, || format!("its members are {members:?}, the state says {expected:?}"))
}

/// Judges that `op` was refused at `zxid` because another reconfig was in flight: the last one, which must be
/// of the same leader.
pub fn pending(op: OpCode, zxid: Zxid, last: u64) -> Verdict {
    let is_so = op == OpCode::Reconfig && Zxid(last).epoch() == zxid.epoch();
    ensure(is_so, || format!("{zxid} ({op:?}) was refused because of a reconfig, but the last was {last:x}"))
}

#[cfg(test)]
mod tests {
    use zabrus_core::Epoch;

    use super::*;

    #[test]
    fn members_of_another_reconfig_than_the_last_one_applied_are_seen() {
        assert!(version(Zxid(9), 7, 7).is_ok());
        assert!(version(Zxid(9), 0, 7).is_err(), "it was not taken");
        assert!(version(Zxid(6), 7, 0).is_err(), "it was taken before it was applied");
    }

    #[test]
    fn a_reconfig_that_was_refused_for_nothing_is_seen() {
        let zxid = |epoch, counter| Zxid::new(Epoch(epoch), counter);
        assert!(pending(OpCode::Reconfig, zxid(2, 9), zxid(2, 3).0).is_ok());
        assert!(pending(OpCode::Reconfig, zxid(2, 9), zxid(1, 3).0).is_err());
        assert!(pending(OpCode::Create, zxid(2, 9), zxid(2, 3).0).is_err());
    }

    #[test]
    fn a_missing_or_an_extra_member_is_seen() {
        let ensemble = Ensemble::plain(3, 1);
        assert!(members(&ensemble, &(1..=4).collect()).is_ok());
        assert!(members(&ensemble, &(1..=3).collect()).is_err());
        assert!(members(&ensemble, &(1..=5).collect()).is_err());
    }
}
