//! Y5 (invariants.md section 3): in every crash image, current epoch e means that the initial history
//! of e is there (ZOOKEEPER-4643).

use zabrus_core::storage::Standing;
use zabrus_core::{Epoch, Position};

use super::{Verdict, ensure};
use crate::ghost::durable::Durable;
use crate::ghost::history::History;

/// Judges D_i against the initial history of its current epoch. A server that admits damage is
/// exempt: it says itself that its log does not reach its epoch.
pub fn check(history: &History, epoch: Epoch, initial: Position, durable: &Durable) -> Verdict {
    let sound = durable.usable && durable.epochs.standing == Standing::Sound;
    ensure(!sound || durable.holds(history, initial), || {
        format!(
            "its disk has current epoch {epoch} but only {}, without the epoch's initial history up to {initial}",
            durable.last
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ghost::durable::testing::{sound, standing};
    use crate::ghost::history::testing::{at, history};

    #[test]
    fn the_epoch_is_never_durable_before_its_history() {
        let history = history(&[(1, 1), (1, 2)], 0);
        let (short, full) = (at(&history, 1, 1), at(&history, 1, 2));
        assert!(check(&history, Epoch(2), full, &sound(1, 2, full)).is_ok());
        assert!(check(&history, Epoch(2), full, &sound(1, 2, short)).is_err());
        let admits = standing(sound(1, 2, short), Standing::Damaged(full.zxid));
        assert!(check(&history, Epoch(2), full, &admits).is_ok());
    }
}
