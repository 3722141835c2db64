//! R9 (invariants.md section 5): removing old files never changes what recovery gives (ZOOKEEPER-3231).

use super::{Verdict, ensure};
use crate::ghost::durable::Durable;

/// Judges a directory sync before which only files were removed.
pub fn check(before: &Durable, after: &Durable) -> Verdict {
    ensure(before == after, || {
        format!("removing files changed its disk from {} to {}", before.last, after.last)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ghost::durable::testing::sound;
    use crate::ghost::history::testing::{at, history};

    #[test]
    fn a_purge_that_loses_something_is_seen() {
        let history = history(&[(1, 1), (1, 2)], 0);
        let (short, full) = (sound(1, 1, at(&history, 1, 1)), sound(1, 1, at(&history, 1, 2)));
        assert!(check(&full, &full).is_ok());
        assert!(check(&full, &short).is_err());
    }
}
