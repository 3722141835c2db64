//! Y4 (invariants.md section 3): ACK(NEWLEADER e) leaves only when the history before NEWLEADER and
//! current epoch e are durable (ZOOKEEPER-3911, -4643, -4646, -4785).

use zabrus_core::storage::Standing;
use zabrus_core::{Epoch, Position};

use super::{Verdict, ensure};
use crate::ghost::durable::Durable;
use crate::ghost::history::History;

/// Judges the acknowledgement of `epoch` whose history must include each of `needed`.
pub fn check(history: &History, epoch: Epoch, needed: &[Position], durable: &Durable) -> Verdict {
    for end in needed {
        ensure(durable.holds(history, *end), || {
            format!("it acknowledges NEWLEADER of epoch {epoch} up to {end}, but durable is {}", durable.last)
        })?;
    }
    let epochs = durable.epochs;
    ensure(epochs.current_epoch == epoch, || {
        format!(
            "it acknowledges NEWLEADER of epoch {epoch}, but durable is current epoch {}",
            epochs.current_epoch
        )
    })?;
    ensure(epochs.standing == Standing::Sound, || {
        format!("it acknowledges NEWLEADER of epoch {epoch} while its log counts as {:?}", epochs.standing)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ghost::durable::testing::{sound, standing};
    use crate::ghost::history::testing::{at, history};

    #[test]
    fn newleader_is_acknowledged_only_when_log_and_epoch_are_durable() {
        let history = history(&[(1, 1), (1, 2)], 0);
        let end = at(&history, 1, 2);
        let judge = |durable: &Durable| check(&history, Epoch(2), &[end], durable);
        assert!(judge(&sound(1, 2, end)).is_ok());
        assert!(judge(&sound(1, 2, at(&history, 1, 1))).is_err());
        assert!(judge(&sound(1, 1, end)).is_err());
        assert!(judge(&standing(sound(1, 2, end), Standing::Torn(end.zxid))).is_err());
    }
}
