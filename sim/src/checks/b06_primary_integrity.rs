//! B6 (invariants.md section 4): once epoch e is established, no transaction of an earlier epoch that is
//! not in the initial history of e is ever committed.

use zabrus_core::{Epoch, Position};

use super::{Verdict, ensure};
use crate::ghost::history::History;

/// Judges the commit of `next` against the latest established epoch and its initial history.
pub fn check(history: &History, next: Position, epoch: Epoch, initial: Position) -> Verdict {
    ensure(next.zxid.epoch() >= epoch || history.is_prefix(next, initial), || {
        format!("{next} is committed although epoch {epoch} was established without it, from {initial}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ghost::history::testing::{at, history};

    #[test]
    fn a_late_commit_of_an_old_epoch_is_seen() {
        let history = history(&[(1, 1), (1, 2), (1, 3), (2, 1)], 1);
        let initial = at(&history, 1, 2);
        assert!(check(&history, at(&history, 1, 2), Epoch(2), initial).is_ok());
        assert!(check(&history, at(&history, 2, 1), Epoch(2), initial).is_ok());
        assert!(check(&history, at(&history, 1, 3), Epoch(2), initial).is_err());
    }
}
