//! R5 (invariants.md section 5): what was cut from a disk durably does not come back with a restart
//! (ZOOKEEPER-2832; bugs.md A24).

use zabrus_core::Position;

use super::{Verdict, ensure};
use crate::ghost::history::History;

/// Judges a log that ends at `last` after a restart; `removed` was cut from it durably.
pub fn check(history: &History, removed: &[Position], last: Position) -> Verdict {
    let back = removed.iter().find(|position| history.is_prefix(**position, last));
    ensure(back.is_none(), || format!("after the restart its log has {back:?} again, which it had cut"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ghost::history::testing::{at, history};

    #[test]
    fn a_transaction_back_from_the_dead_is_seen() {
        let history = history(&[(1, 1), (1, 2), (1, 3)], 1);
        let (one, two, three) = (at(&history, 1, 1), at(&history, 1, 2), at(&history, 1, 3));
        assert!(check(&history, &[two, three], one).is_ok());
        assert!(check(&history, &[two, three], two).is_err());
    }
}
