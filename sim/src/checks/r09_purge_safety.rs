//! R9 (invariants.md section 5): removing old files never changes what recovery gives, and spare snapshots are
//! counted only if they are whole (ZOOKEEPER-3231).

use zabrus_core::Zxid;

use super::{Verdict, ensure};
use crate::ghost::durable::Durable;

/// Judges a directory sync before which only files were removed.
pub fn check(before: &Durable, after: &Durable) -> Verdict {
    ensure(before == after, || {
        format!("removing files changed its disk from {} to {}", before.last, after.last)
    })
}

/// Judges the removal of a whole snapshot because `newer` ones take its place.
pub fn spares(label: Zxid, newer: usize, kept: usize) -> Verdict {
    ensure(newer >= kept, || {
        format!(
            "its snapshot {label} is removed, but only {newer} newer ones are whole, and {kept} are to be kept"
        )
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

    #[test]
    fn a_snapshot_goes_only_when_enough_newer_ones_are_whole() {
        assert!(spares(Zxid(5), 3, 3).is_ok());
        assert!(spares(Zxid(5), 2, 3).is_err());
    }
}
