//! E10 (invariants.md section 2): for every possible crash image, the durable epochs never
//! decrease, and epoch(last) <= current epoch <= accepted epoch (ZOOKEEPER-1653, -2307, -4269).

use super::{Verdict, ensure};
use crate::ghost::durable::Durable;

/// Judges a change of D_i. `before` is `None` when a fault destroyed what was there.
pub fn check(before: Option<&Durable>, after: &Durable) -> Verdict {
    let (epochs, last) = (after.epochs, after.last.zxid);
    ensure(last.epoch() <= epochs.current_epoch && epochs.current_epoch <= epochs.accepted_epoch, || {
        let (current, accepted) = (epochs.current_epoch, epochs.accepted_epoch);
        format!("its disk has last zxid {last}, current epoch {current}, accepted epoch {accepted}")
    })?;
    let Some(before) = before.filter(|before| before.usable && after.usable) else { return Ok(()) };
    let old = before.epochs;
    ensure(epochs.accepted_epoch >= old.accepted_epoch && epochs.current_epoch >= old.current_epoch, || {
        format!(
            "its durable epochs went back from current {} and accepted {} to {} and {}",
            old.current_epoch, old.accepted_epoch, epochs.current_epoch, epochs.accepted_epoch
        )
    })
}

#[cfg(test)]
mod tests {
    use zabrus_core::Epoch;

    use super::*;
    use crate::ghost::durable::testing::sound;
    use crate::ghost::history::testing::{at, history};

    #[test]
    fn durable_epochs_are_ordered_and_never_go_back() {
        let history = history(&[(1, 1), (2, 1)], 0);
        let old = sound(1, 1, at(&history, 1, 1));
        let new = sound(1, 2, at(&history, 2, 1));
        assert!(check(Some(&old), &new).is_ok());
        assert!(check(Some(&sound(1, 3, new.last)), &new).is_err());
        assert!(check(Some(&new), &old).is_err());
        assert!(check(None, &old).is_ok());
        assert!(check(None, &sound(1, 1, at(&history, 2, 1))).is_err());
        let mut accepted_lost = new;
        accepted_lost.epochs.accepted_epoch = Epoch(1);
        assert!(check(None, &accepted_lost).is_err());
    }
}
