//! Y10 (invariants.md section 3): what a leader sends on one link is contiguous: each transaction names
//! the one before it, which is where the link stands (ZOOKEEPER-2418, -2846, -4352, -4925), and
//! NEWLEADER names the end of what was sent before it (ZOOKEEPER-3104). A transaction that the
//! learner has already may be sent once more (zab.md section 5.1).

use zabrus_core::Zxid;

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
pub fn new_leader(sent: Zxid, end: Zxid) -> Verdict {
    ensure(sent == end, || {
        format!("NEWLEADER names {end} as the end of the history, but {sent} was sent before it")
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
    fn newleader_names_the_end_of_what_was_sent() {
        let history = history(&[(1, 1), (1, 2)], 0);
        let (short, full) = (at(&history, 1, 1).zxid, at(&history, 1, 2).zxid);
        assert!(new_leader(full, full).is_ok());
        assert!(new_leader(short, full).is_err() && new_leader(full, short).is_err());
    }
}
