//! B9 (invariants.md section 4): ACK(z) in epoch e leaves only when the disk has what the leader of e
//! has up to z, and current epoch e (bugs.md D01).

use zabrus_core::{Epoch, Position, Zxid};

use super::{Verdict, ensure};
use crate::ghost::durable::Durable;
use crate::ghost::history::History;

/// Judges the acknowledgement of `zxid`, which is at `position` in the history of `epoch`.
pub fn check(
    history: &History,
    epoch: Epoch,
    zxid: Zxid,
    position: Option<Position>,
    durable: &Durable,
) -> Verdict {
    ensure(position.is_some_and(|position| durable.holds(history, position)), || {
        format!("it acknowledges {zxid} in epoch {epoch}, but durable is {}", durable.last)
    })?;
    let current = durable.epochs.current_epoch;
    ensure(current == epoch, || {
        format!("it acknowledges {zxid} in epoch {epoch}, but durable is current epoch {current}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ghost::durable::testing::sound;
    use crate::ghost::history::testing::{at, history};

    #[test]
    fn an_acknowledgement_before_the_sync_is_seen() {
        let history = history(&[(1, 1), (1, 2)], 0);
        let (one, two) = (at(&history, 1, 1), at(&history, 1, 2));
        let judge = |durable: &Durable| check(&history, Epoch(1), two.zxid, Some(two), durable);
        assert!(judge(&sound(1, 1, two)).is_ok());
        assert!(judge(&sound(1, 1, one)).is_err());
        assert!(judge(&sound(1, 0, two)).is_err());
        assert!(check(&history, Epoch(1), two.zxid, None, &sound(1, 1, two)).is_err());
    }
}
