//! Y12 and R8 (invariants.md sections 3 and 5): a message of another epoch, and the completion of a
//! disk operation of an earlier life, have no effect (ZOOKEEPER-4541; zab.md section 17 R12).

use zabrus_core::replica::Status;

use super::{Verdict, ensure};

/// Judges what a server looks like before and after such an input.
pub fn check(before: &Status, after: &Status) -> Verdict {
    let state = |s: &Status| (s.epochs, s.logged, s.durable, s.committed, s.applied);
    ensure(state(before) == state(after), || {
        format!(
            "an input that should have had no effect moved it from logged {}, durable {}, committed {} to {}, {}, {}",
            before.logged, before.durable, before.committed, after.logged, after.durable, after.committed
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::status;
    use crate::ghost::history::testing::{at, history};

    #[test]
    fn a_stale_input_that_moves_a_watermark_is_seen() {
        let history = history(&[(1, 1), (1, 2)], 0);
        let before = status(1, at(&history, 1, 1));
        assert!(check(&before, &before).is_ok());
        assert!(check(&before, &status(1, at(&history, 1, 2))).is_err());
        let mut committed = before;
        committed.committed = at(&history, 1, 2).zxid;
        assert!(check(&before, &committed).is_err());
    }
}
