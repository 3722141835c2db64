//! B4, B5 and B11 (invariants.md section 4): the committed history consists of whole epochs in order.
//! An epoch e contributes (e,1), (e,2), … without a gap, on top of its initial history; no later
//! transaction belongs to an earlier epoch (ZOOKEEPER-1277, -1046).

use zabrus_core::Position;

use super::{Verdict, ensure};

/// Judges that `next` comes right after `previous`; `initial` is the initial history of its epoch.
pub fn check(previous: Position, next: Position, initial: Option<Position>) -> Verdict {
    let (old, new) = (previous.zxid, next.zxid);
    if old.epoch() == new.epoch() {
        return ensure(Some(new.counter()) == old.counter().checked_add(1), || {
            format!("{new} follows {old}")
        });
    }
    ensure(new.epoch() > old.epoch() && new.counter() == 1, || format!("{new} follows {old}"))?;
    ensure(initial.is_none_or(|initial| initial == previous), || {
        format!("epoch {} starts after {previous}, not after its initial history {initial:?}", new.epoch())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ghost::history::testing::{add, at, history};

    #[test]
    fn gaps_and_steps_back_are_seen() {
        let mut history = history(&[(1, 1), (1, 2), (2, 1)], 0);
        let (one, two, next) = (at(&history, 1, 1), at(&history, 1, 2), at(&history, 2, 1));
        assert!(check(one, two, None).is_ok());
        assert!(check(two, next, Some(two)).is_ok());
        assert!(check(one, next, Some(two)).is_err());
        assert!(check(next, two, None).is_err());
        let gap = add(&mut history, one, 1, 4);
        assert!(check(one, gap, None).is_err());
        let second = add(&mut history, two, 3, 2);
        assert!(check(two, second, None).is_err());
    }
}
