//! R6 (invariants.md section 5): whatever happens to a disk, a server recovers what it owed, or says that
//! it may lack it (ZOOKEEPER-2325, -3231, -3644, -2332).

use zabrus_core::Position;

use super::{Verdict, ensure};
use crate::ghost::durable::Durable;
use crate::ghost::history::History;

/// Judges a disk after a crash or a fault; `owed` is what this server acknowledged, or held of the
/// committed history.
pub fn check(history: &History, owed: Position, after: &Durable) -> Verdict {
    ensure(after.holds(history, owed) || after.admits_lacking(owed.zxid), || {
        let standing = after.epochs.standing;
        format!("it owed {owed}, but its disk gives {} and counts as {standing:?}", after.last)
    })
}

#[cfg(test)]
mod tests {
    use zabrus_core::storage::Standing;

    use super::*;
    use crate::ghost::durable::testing::{sound, standing};
    use crate::ghost::history::testing::{at, history};

    #[test]
    fn a_silent_loss_is_seen_and_an_admitted_one_is_not() {
        let history = history(&[(1, 1), (1, 2)], 0);
        let (one, two) = (at(&history, 1, 1), at(&history, 1, 2));
        let short = sound(1, 1, one);
        assert!(check(&history, two, &sound(1, 1, two)).is_ok());
        assert!(check(&history, two, &short).is_err());
        assert!(check(&history, two, &standing(short, Standing::Blank)).is_ok());
        assert!(check(&history, two, &standing(short, Standing::Torn(two.zxid))).is_ok());
        assert!(check(&history, two, &standing(short, Standing::Torn(one.zxid))).is_err());
    }
}
