//! Y11 (invariants.md section 3): the transactions that a server keeps in memory are one contiguous
//! slice of its history, whose applied part is committed (ZOOKEEPER-4925).

use zabrus_core::Position;
use zabrus_core::storage::Entry;

use super::{Verdict, ensure};
use crate::ghost::history::History;

/// Judges the entries in memory after `base`, applied up to `applied`.
pub fn check<'a>(
    history: &History,
    base: Position,
    entries: impl Iterator<Item = &'a Entry>,
    applied: Position,
) -> Verdict {
    let mut last = base;
    for entry in entries {
        let at = entry.position;
        ensure(at == last.extend(at.zxid, &entry.payload), || {
            format!("in memory {at} does not follow {last}")
        })?;
        ensure(at.zxid > applied.zxid || history.is_committed(at), || {
            format!("in memory {at} counts as applied, but was never committed")
        })?;
        last = at;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use zabrus_core::Bytes;

    use super::*;
    use crate::ghost::history::testing::{add, at, history};

    fn entry(position: Position) -> Entry {
        Entry { position, payload: Bytes::from(&b"payload"[..]) }
    }

    #[test]
    fn a_hole_or_a_stranger_in_memory_is_seen() {
        let mut history = history(&[(1, 1), (1, 2), (1, 3)], 3);
        let (one, two, three) = (at(&history, 1, 1), at(&history, 1, 2), at(&history, 1, 3));
        let whole = [entry(one), entry(two), entry(three)];
        assert!(check(&history, Position::EMPTY, whole.iter(), three).is_ok());
        let hole = [entry(one), entry(three)];
        assert!(check(&history, Position::EMPTY, hole.iter(), three).is_err());
        let fork = entry(add(&mut history, two, 2, 1));
        assert!(check(&history, two, [fork.clone()].iter(), two).is_ok());
        assert!(check(&history, two, [fork.clone()].iter(), fork.position).is_err());
    }
}
