//! Y6 and Y9 (invariants.md section 3): once a learner has accepted NEWLEADER(e), its log is a prefix
//! of what the leader of e has: the initial history of e and then proposals of e. So nothing else
//! survives a synchronization (ZOOKEEPER-1154, -2832, -2845, -5010).

use zabrus_core::{Epoch, Position};

use super::{Verdict, ensure};
use crate::ghost::history::History;

/// Judges the log end `last` of a learner in `epoch`, which began with `initial`.
pub fn check(history: &History, epoch: Epoch, initial: Position, last: Position) -> Verdict {
    let own = last.zxid.epoch() == epoch;
    let consistent = if own {
        history.position(last.zxid) == Some(last) && history.is_prefix(initial, last)
    } else {
        history.is_prefix(last, initial)
    };
    ensure(consistent, || {
        format!("its log ends at {last}, which is not part of what epoch {epoch} consists of")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ghost::history::testing::{add, at, history};

    #[test]
    fn a_learner_with_something_of_its_own_is_seen() {
        let mut history = history(&[(1, 1), (1, 2), (3, 1)], 0);
        let initial = at(&history, 1, 2);
        let stray = add(&mut history, initial, 2, 1);
        let judge = |last| check(&history, Epoch(3), initial, last);
        assert!(judge(at(&history, 3, 1)).is_ok());
        assert!(judge(at(&history, 1, 1)).is_ok());
        assert!(judge(stray).is_err());
        let after_stray = stray.extend(at(&history, 3, 1).zxid, b"payload");
        assert!(judge(after_stray).is_err());
    }
}
