//! B11 and B12 (invariants.md section 4): the leader of e proposes (e,1), (e,2), … without a gap, the
//! first on top of its initial history, and never beyond the counter's limit (ZOOKEEPER-1277). That
//! a zxid names one transaction after one history, on every disk and on every link, is
//! [`crate::ghost::history::History::learn`]: so a follower appends only the successor (B12).

use zabrus_core::{Position, Zxid};

use super::{Verdict, ensure};

/// Judges a proposal of the leader's own epoch.
pub fn check(previous: Zxid, zxid: Zxid, initial: Option<Position>, counter_limit: u32) -> Verdict {
    let expected = match zxid.counter() {
        0 => None,
        1 => initial.map(|initial| initial.zxid),
        counter => Some(Zxid::new(zxid.epoch(), counter - 1)),
    };
    ensure(expected == Some(previous), || {
        format!("it proposes {zxid} after {previous}, but its predecessor is {expected:?}")
    })?;
    ensure(zxid.counter() <= counter_limit, || format!("it proposes {zxid} beyond the limit {counter_limit}"))
}

#[cfg(test)]
mod tests {
    use zabrus_core::Epoch;

    use super::*;
    use crate::ghost::history::testing::{at, history};

    #[test]
    fn gaps_wrong_starts_and_overflow_are_seen() {
        let history = history(&[(1, 1), (1, 2)], 0);
        let initial = at(&history, 1, 2);
        let zxid = |counter| Zxid::new(Epoch(2), counter);
        let judge = |previous, next| check(previous, next, Some(initial), 3);
        assert!(judge(initial.zxid, zxid(1)).is_ok() && judge(zxid(1), zxid(2)).is_ok());
        assert!(judge(zxid(1), zxid(3)).is_err());
        assert!(judge(at(&history, 1, 1).zxid, zxid(1)).is_err());
        assert!(judge(zxid(3), zxid(4)).is_err());
        assert!(check(initial.zxid, zxid(1), None, 3).is_err(), "proposed before the epoch is established");
    }
}
