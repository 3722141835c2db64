//! Y5 (invariants.md section 3): in every crash image, current epoch e means that the initial history
//! of e is there (ZOOKEEPER-4643).
//!
//! One thing may take it away again: TRUNC by the established leader of a later epoch, which this
//! server promised, or follows uncounted. That leader's initial history holds all that is or can be committed in earlier
//! epochs (Y3). If it lacks the initial history of e, nothing was committed in e; whatever was
//! committed before is in both histories, so it was not cut; and whatever this server lacks is, or
//! will be, committed by a quorum with a later current epoch, which wins every election against it.
//! A loss of power may leave any part of what was to be cut. R1 judges the same states without this argument.

use zabrus_core::storage::Standing;
use zabrus_core::{Epoch, Position};

use super::{Verdict, ensure};
use crate::ghost::durable::Durable;
use crate::ghost::history::History;

/// Judges D_i against the initial history of its current epoch. `later` are the initial histories of
/// the established epochs after it that the server promised or follows. A server that admits damage is exempt:
/// it says itself that its log does not reach its epoch.
pub fn check(
    history: &History,
    epoch: Epoch,
    initial: Position,
    mut later: impl Iterator<Item = Position>,
    durable: &Durable,
) -> Verdict {
    let sound = durable.usable && durable.epochs.standing == Standing::Sound;
    let cut_by = |later: Position| {
        let half_way = || {
            !history.is_prefix(initial, later)
                && history.is_prefix(durable.last, initial)
                && durable.holds(history, history.common(initial, later))
        };
        history.is_prefix(durable.last, later) || half_way()
    };
    let mut cut = || later.any(cut_by);
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
        let cut = |later: Position| check(&history, Epoch(2), full, [later].into_iter(), &sound(1, 2, short));
        assert!(cut(short).is_ok(), "the leader of a later epoch cut it");
        assert!(cut(Position::EMPTY).is_ok(), "it was about to cut that, too");
    }

    #[test]
    fn a_cut_below_what_the_later_leader_has_is_seen() {
        let mut history = history(&[(1, 1), (1, 2), (1, 3), (1, 4)], 0);
        let fork = |counter| at(&history, 1, counter);
        let (one, two, three, four) = (fork(1), fork(2), fork(3), fork(4));
        let later = add(&mut history, two, 3, 1);
        let other = add(&mut history, one, 4, 1);
        let judge = |last| check(&history, Epoch(2), four, [later].into_iter(), &sound(1, 2, last));
        assert!(judge(two).is_ok() && judge(three).is_ok() && judge(later).is_ok());
        assert!(judge(other).is_err(), "neither its old history nor the later leader's");
        let grows = |last| check(&history, Epoch(2), three, [four].into_iter(), &sound(1, 2, last));
        assert!(grows(three).is_ok());
    }
}
