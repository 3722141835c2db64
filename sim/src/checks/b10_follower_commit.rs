//! B10 (invariants.md section 4): a learner delivers z only after the leader of its epoch committed z.

use zabrus_core::{Epoch, Zxid};

use super::{Verdict, ensure};

/// Judges that a learner in `epoch` delivered up to `applied`.
pub fn check(epoch: Epoch, applied: Zxid, leader_committed: Zxid) -> Verdict {
    ensure(applied <= leader_committed, || {
        format!("it delivered {applied} in epoch {epoch}, whose leader has committed {leader_committed} only")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_learner_ahead_of_its_leader_is_seen() {
        let zxid = |counter| Zxid::new(Epoch(1), counter);
        assert!(check(Epoch(1), zxid(2), zxid(2)).is_ok());
        assert!(check(Epoch(1), zxid(3), zxid(2)).is_err());
    }
}
