//! Y3 (invariants.md section 3, Remix LeaderLogCompleteness): the initial history of an epoch extends
//! everything committed when the epoch is established. What can still be committed in an older
//! epoch is judged when it is, by B6 and R1.

use zabrus_core::{Epoch, Position};

use super::{Verdict, ensure};
use crate::ghost::history::History;

/// Judges the initial history of `epoch`.
pub fn check(history: &History, epoch: Epoch, initial: Position) -> Verdict {
    let committed = history.committed();
    ensure(history.is_prefix(committed, initial), || {
        format!("epoch {epoch} starts from {initial} without the committed {committed}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ghost::history::testing::{at, history};

    #[test]
    fn an_epoch_that_starts_without_a_committed_transaction_is_seen() {
        let history = history(&[(1, 1), (1, 2), (1, 3)], 2);
        assert!(check(&history, Epoch(2), at(&history, 1, 3)).is_ok());
        assert!(check(&history, Epoch(2), at(&history, 1, 1)).is_err());
    }
}
