//! Y10 (invariants.md section 3): what a leader sends on one link is contiguous: each transaction names
//! the one before it, which is where the link stands (ZOOKEEPER-2418, -2846, -4352, -4925). NEWLEADER
//! names an end that was sent before it and includes the initial history of the epoch
//! (ZOOKEEPER-3104). A transaction that the learner has already may be sent once more, and
//! proposals in flight may precede NEWLEADER (zab.md section 5.1).

use zabrus_core::{Position, Zxid};

use super::{Verdict, ensure};
use crate::ghost::history::History;

/// Judges a transaction `zxid` after `previous` on a link that stands at `sent`.
pub fn transaction(history: &History, sent: Zxid, previous: Zxid, zxid: Zxid) -> Verdict {
    ensure(previous <= sent && previous < zxid, || {
        format!("on one link {zxid} follows {sent}, but its predecessor is {previous}")
    })?;
    let truth = history.known(zxid).map(|known| known.previous.zxid);
    ensure(truth.is_none_or(|truth| truth == previous), || {
        format!("{zxid} is sent as the successor of {previous}, but was proposed after {truth:?}")
    })
}

/// Judges NEWLEADER with this `end` on a link that stands at `sent`.
pub fn new_leader(history: &History, initial: Option<Position>, sent: Zxid, end: Position) -> Verdict {
    ensure(end.zxid <= sent, || {
        format!("NEWLEADER names {end} as the end of what was sent, but that is {sent}")
    })?;
    ensure(initial.is_some_and(|initial| history.is_prefix(initial, end)), || {
        format!("NEWLEADER names {end}, without the initial history of its epoch up to {initial:?}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ghost::history::testing::{at, history};

    #[test]
    fn a_gap_on_a_link_is_seen() {
        let history = history(&[(1, 1), (1, 2), (1, 3)], 0);
        let z = |counter| at(&history, 1, counter).zxid;
        assert!(transaction(&history, z(1), z(1), z(2)).is_ok());
        assert!(transaction(&history, z(3), z(1), z(2)).is_ok());
        assert!(transaction(&history, z(1), z(2), z(3)).is_err());
        assert!(transaction(&history, z(1), z(1), z(3)).is_err());
    }

    #[test]
    fn newleader_names_what_was_sent_with_the_whole_initial_history() {
        let history = history(&[(1, 1), (1, 2), (2, 1)], 0);
        let (short, full, next) = (at(&history, 1, 1), at(&history, 1, 2), at(&history, 2, 1));
        let judge = |sent: Position, end| new_leader(&history, Some(full), sent.zxid, end);
        assert!(judge(full, full).is_ok() && judge(next, full).is_ok() && judge(next, next).is_ok());
        assert!(judge(short, full).is_err(), "not sent");
        assert!(judge(full, short).is_err(), "too short");
        assert!(new_leader(&history, None, full.zxid, full).is_err(), "before the epoch is established");
    }
}
