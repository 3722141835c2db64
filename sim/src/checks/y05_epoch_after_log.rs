//! Y5 (invariants.md section 3): in every crash image, current epoch e means that the initial history
//! of e is there (ZOOKEEPER-4643).
//!
//! One thing may take it away again: TRUNC by the established leader of a later epoch, which this
//! server promised. That leader's initial history holds all that is or can be committed in earlier
//! epochs (Y3). If it lacks the initial history of e, nothing was committed in e; whatever was
//! committed before is common to both histories, so a cut leaves it there; and whatever this server
//! lacks is, or will be, committed by a quorum with a later current epoch, which wins every election
//! against it. A crash may leave such a cut half done.
//! R1 judges the same states without this argument.

use zabrus_core::storage::Standing;
use zabrus_core::{Epoch, Position};

use super::{Verdict, ensure};
use crate::ghost::durable::Durable;
use crate::ghost::history::History;

/// Judges D_i against the initial history of its current epoch. `later` are the initial histories of
/// the established epochs after it that the server promised. A server that admits damage is exempt:
/// it says itself that its log does not reach its epoch.
pub fn check(
    history: &History,
    epoch: Epoch,
    initial: Position,
    later: impl Iterator<Item = Position>,
    durable: &Durable,
) -> Verdict {
    let sound = durable.usable && durable.epochs.standing == Standing::Sound;
    let cut = || {
        let common = later.filter_map(|later| history.common(initial, later));
        common.filter(|common| *common != initial).any(|common| durable.holds(history, common))
    };
    ensure(!sound || durable.holds(history, initial) || cut(), || {
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
    use crate::ghost::history::testing::{add, at, history};

    #[test]
    fn the_epoch_is_never_durable_before_its_history() {
        let history = history(&[(1, 1), (1, 2)], 0);
        let (short, full) = (at(&history, 1, 1), at(&history, 1, 2));
        let judge = |durable| check(&history, Epoch(2), full, [].into_iter(), &durable);
        assert!(judge(sound(1, 2, full)).is_ok());
        assert!(judge(sound(1, 2, short)).is_err());
        assert!(judge(standing(sound(1, 2, short), Standing::Damaged(full.zxid))).is_ok());
    }

    #[test]
    fn only_what_a_later_leader_does_not_have_may_be_cut() {
        let mut history = history(&[(1, 1), (1, 2), (2, 1)], 0);
        let (base, common, tail) = (at(&history, 1, 1), at(&history, 1, 2), at(&history, 2, 1));
        let later = add(&mut history, common, 3, 1);
        let judge =
            |later: Position, last| check(&history, Epoch(2), tail, [later].into_iter(), &sound(1, 2, last));
        assert!(judge(later, common).is_ok() && judge(later, later).is_ok());
        assert!(judge(later, base).is_err(), "the later leader has more of it");
        assert!(judge(tail, common).is_err(), "the later leader has all of it");
    }
}
