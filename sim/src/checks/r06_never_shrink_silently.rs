//! R6 (invariants.md section 5): whatever happens to a disk, a server recovers what it owed, or says that
//! it may lack it (ZOOKEEPER-2325, -3231, -3644, -2332).

use zabrus_core::storage::Standing;
use zabrus_core::{Epoch, Position};

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

/// Judges the same for the highest epoch that this server promised or led.
pub fn promise(promised: Epoch, after: &Durable) -> Verdict {
    let epochs = after.epochs;
    let admitted = !after.usable || epochs.standing == Standing::Blank;
    ensure(epochs.accepted_epoch >= promised || admitted, || {
        format!(
            "it promised epoch {promised}, but its disk has accepted epoch {} and counts as {:?}",
            epochs.accepted_epoch, epochs.standing
        )
    })
}

#[cfg(test)]
mod tests {
    use zabrus_core::Zxid;

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

    #[test]
    fn a_forgotten_promise_is_seen() {
        let durable = sound(1, 3, Position::EMPTY);
        assert!(promise(Epoch(3), &durable).is_ok());
        assert!(promise(Epoch(4), &durable).is_err());
        assert!(promise(Epoch(4), &standing(durable, Standing::Damaged(Zxid::ZERO))).is_err());
        assert!(promise(Epoch(4), &standing(durable, Standing::Blank)).is_ok());
    }
}
