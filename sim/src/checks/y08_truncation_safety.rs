//! Y8 (invariants.md section 3): no structural change of a disk (TRUNC, an installed snapshot) removes
//! a committed transaction (ZOOKEEPER-1156, -1549, -4837, -3526). A snapshot with a label below
//! what it replaces counts too: the server acknowledged the rest.

use zabrus_core::Position;

use super::{Verdict, ensure};

/// Judges a change of a disk that held the committed history up to `before`, and then `after`.
pub fn check(before: Position, after: Position) -> Verdict {
    ensure(after.zxid >= before.zxid, || {
        format!("its disk held the committed history up to {before} and was cut to {after}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ghost::history::testing::{at, history};

    #[test]
    fn cutting_a_committed_transaction_is_seen() {
        let history = history(&[(1, 1), (1, 2)], 2);
        let (short, full) = (at(&history, 1, 1), at(&history, 1, 2));
        assert!(check(full, full).is_ok() && check(short, full).is_ok());
        assert!(check(full, short).is_err());
    }
}
