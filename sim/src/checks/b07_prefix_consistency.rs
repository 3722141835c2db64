//! B7 (invariants.md section 4): what a server delivered is a prefix of the one committed history. It
//! implies total order (B2) and agreement (B3).

use zabrus_core::{Position, Zxid};

use super::{Verdict, ensure};
use crate::ghost::history::History;

/// Judges the state of a server at `applied`.
pub fn delivered(history: &History, applied: Position) -> Verdict {
    ensure(history.is_committed(applied), || {
        format!("it delivered {applied}, but committed at that place is {:?}", history.position(applied.zxid))
    })
}

/// The sentence for a commit of `upto` that does not extend the committed history.
#[must_use]
pub fn diverged(history: &History, upto: Position, fork: Zxid) -> String {
    format!(
        "{upto} is taken for committed, but it leaves the committed history {} at {fork}",
        history.committed()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ghost::history::testing::{add, at, history};

    #[test]
    fn a_server_off_the_committed_history_is_seen() {
        let mut history = history(&[(1, 1), (1, 2)], 2);
        let one = at(&history, 1, 1);
        let fork = add(&mut history, one, 2, 1);
        assert!(delivered(&history, one).is_ok() && delivered(&history, Position::EMPTY).is_ok());
        assert!(delivered(&history, fork).is_err());
    }
}
