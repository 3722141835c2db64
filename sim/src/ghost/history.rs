//! Every transaction ever seen, and the one committed history.

use std::collections::BTreeMap;

use zabrus_core::identity::HistoryDigest;
use zabrus_core::{Bytes, Epoch, Position, Zxid};

/// One transaction, as it was first seen.
#[derive(Clone, Debug)]
pub struct Known {
    /// The digest of the history that ends with it.
    pub digest: HistoryDigest,
    /// The position before it.
    pub previous: Position,
    /// Its bytes.
    pub payload: Bytes,
}

/// All transactions by zxid, and which of them are committed. A position names its whole history
/// by the chained digest, so that "is a prefix of" costs a lookup.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The transactions of each epoch by counter, from 1.
    epochs: BTreeMap<Epoch, Vec<Option<Known>>>,
    /// The committed history, in ascending order.
    committed: Vec<Position>,
}

/// Why a position does not extend the committed history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Nobody ever proposed or stored this transaction.
    Unknown(Zxid),
    /// The history that ends here left the committed one at or before this zxid.
    Diverged(Zxid),
}

/// Counters are far below this in every run; a larger one is a bug of its own (B11).
const COUNTER_BOUND: u32 = 1 << 24;

impl History {
    /// The transaction `zxid`, if it was ever seen.
    #[must_use]
    pub fn known(&self, zxid: Zxid) -> Option<&Known> {
        let place = usize::try_from(zxid.counter().checked_sub(1)?).ok()?;
        self.epochs.get(&zxid.epoch())?.get(place)?.as_ref()
    }

    /// The position of the transaction `zxid`.
    #[must_use]
    pub fn position(&self, zxid: Zxid) -> Option<Position> {
        if zxid == Zxid::ZERO {
            return Some(Position::EMPTY);
        }
        self.known(zxid).map(|known| Position { zxid, digest: known.digest })
    }

    /// Takes note of a transaction after `previous`. The first sight counts: true.
    ///
    /// # Errors
    /// If the zxid was used for another transaction, or after another history (B11).
    pub fn learn(
        &mut self,
        previous: Position,
        at: Position,
        payload: impl FnOnce() -> Bytes,
    ) -> Result<bool, String> {
        let zxid = at.zxid;
        if zxid.counter() == 0 || zxid.counter() > COUNTER_BOUND {
            return Err(format!("{zxid} is no name for a transaction"));
        }
        let slots = self.epochs.entry(zxid.epoch()).or_default();
        let place = zxid.counter() as usize - 1;
        if slots.len() <= place {
            slots.resize_with(place + 1, || None);
        }
        match &slots[place] {
            None => {
                slots[place] = Some(Known { digest: at.digest, previous, payload: payload() });
                Ok(true)
            }
            Some(known) if known.digest == at.digest && known.previous == previous => Ok(false),
            Some(known) => Err(format!(
                "{zxid} names two transactions: one after {}, another after {previous}",
                known.previous
            )),
        }
    }

    /// The end of the committed history.
    #[must_use]
    pub fn committed(&self) -> Position {
        self.committed.last().copied().unwrap_or(Position::EMPTY)
    }

    /// The committed history, from the first transaction.
    #[must_use]
    pub fn committed_list(&self) -> &[Position] {
        &self.committed
    }

    /// The place of a position in the committed history: 0 is the empty one.
    #[must_use]
    pub fn committed_index(&self, position: Position) -> Option<usize> {
        if position == Position::EMPTY {
            return Some(0);
        }
        let found = match self.committed.last() {
            Some(last) if last.zxid == position.zxid => self.committed.len() - 1,
            _ => self.committed.binary_search_by_key(&position.zxid, |p| p.zxid).ok()?,
        };
        (self.committed[found].digest == position.digest).then_some(found + 1)
    }

    /// Whether the history that ends at `position` is a prefix of the committed one.
    #[must_use]
    pub fn is_committed(&self, position: Position) -> bool {
        self.committed_index(position).is_some()
    }

    /// The transactions between the committed history and `upto`, in order; empty if `upto` is
    /// committed already.
    ///
    /// # Errors
    /// If `upto` does not extend the committed history.
    pub fn path(&self, upto: Position) -> Result<Vec<Position>, Broken> {
        let mut path = Vec::new();
        let end = self.committed();
        let mut cursor = upto;
        while cursor != end {
            if cursor.zxid <= end.zxid {
                return if path.is_empty() && self.is_committed(cursor) {
                    Ok(path)
                } else {
                    Err(Broken::Diverged(cursor.zxid))
                };
            }
            let known = self.known(cursor.zxid).ok_or(Broken::Unknown(cursor.zxid))?;
            if known.digest != cursor.digest {
                return Err(Broken::Diverged(cursor.zxid));
            }
            path.push(cursor);
            cursor = known.previous;
        }
        path.reverse();
        Ok(path)
    }

    /// Appends one transaction of [`History::path`].
    pub fn commit(&mut self, next: Position) {
        debug_assert!(next.zxid > self.committed().zxid);
        self.committed.push(next);
    }

    /// Whether the history that ends at `prefix` is a prefix of the one that ends at `end`. Walks
    /// only over what is not committed.
    #[must_use]
    pub fn is_prefix(&self, prefix: Position, end: Position) -> bool {
        let mut cursor = end;
        loop {
            if cursor.zxid <= prefix.zxid {
                return cursor == prefix;
            }
            if self.is_committed(cursor) {
                return self.is_committed(prefix);
            }
            match self.known(cursor.zxid) {
                Some(known) if known.digest == cursor.digest => cursor = known.previous,
                _ => return false,
            }
        }
    }

    /// The longest common prefix of the histories that end at `one` and at `other`.
    #[must_use]
    pub fn common(&self, one: Position, other: Position) -> Position {
        let mut cursor = one;
        while !self.is_prefix(cursor, other) {
            match self.known(cursor.zxid) {
                Some(known) => cursor = known.previous,
                None => return Position::EMPTY,
            }
        }
        cursor
    }

    /// The committed part of the history that ends at `end`; the rest, newest first, goes to
    /// `uncommitted`.
    pub fn committed_part(&self, end: Position, mut uncommitted: impl FnMut(Position)) -> Position {
        let mut cursor = end;
        while !self.is_committed(cursor) {
            uncommitted(cursor);
            match self.known(cursor.zxid) {
                Some(known) => cursor = known.previous,
                None => return Position::EMPTY,
            }
        }
        cursor
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A history of these zxids as (epoch, counter), one after the other, of which the first
    /// `committed` are committed.
    pub(crate) fn history(zxids: &[(u32, u32)], committed: usize) -> History {
        let mut history = History::default();
        let mut last = Position::EMPTY;
        for (place, (epoch, counter)) in zxids.iter().enumerate() {
            last = add(&mut history, last, *epoch, *counter);
            if place < committed {
                history.commit(last);
            }
        }
        history
    }

    /// Adds one transaction after `previous`.
    pub(crate) fn add(history: &mut History, previous: Position, epoch: u32, counter: u32) -> Position {
        let payload: Bytes = Bytes::from(&b"payload"[..]);
        let at = previous.extend(Zxid::new(Epoch(epoch), counter), &payload);
        history.learn(previous, at, || payload).expect("a new transaction");
        at
    }

    /// The zxid (epoch, counter) in `history`.
    pub(crate) fn at(history: &History, epoch: u32, counter: u32) -> Position {
        history.position(Zxid::new(Epoch(epoch), counter)).expect("a known transaction")
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{add, at, history};
    use super::*;

    #[test]
    fn prefixes_are_seen_across_committed_and_uncommitted_parts() {
        let mut history = history(&[(1, 1), (1, 2), (1, 3), (2, 1)], 2);
        let (old, end) = (at(&history, 1, 1), at(&history, 2, 1));
        let fork = add(&mut history, old, 3, 1);
        assert!(history.is_prefix(old, end) && history.is_prefix(Position::EMPTY, fork));
        assert!(history.is_prefix(old, fork) && !history.is_prefix(fork, end));
        assert!(!history.is_prefix(at(&history, 1, 2), fork));
        assert!(!history.is_prefix(end, old));
        assert_eq!(history.common(end, fork), old);
        assert_eq!(history.common(fork, fork), fork);
    }

    #[test]
    fn a_fork_below_the_committed_end_has_no_path() {
        let mut history = history(&[(1, 1), (1, 2), (1, 3)], 2);
        let first = at(&history, 1, 1);
        let fork = add(&mut history, first, 2, 1);
        assert_eq!(history.path(fork), Err(Broken::Diverged(first.zxid)));
        assert_eq!(history.path(at(&history, 1, 3)).map(|path| path.len()), Ok(1));
        assert_eq!(history.path(first), Ok(Vec::new()));
        let nobody = Position { zxid: Zxid::new(Epoch(9), 9), digest: HistoryDigest(1) };
        assert_eq!(history.path(nobody), Err(Broken::Unknown(nobody.zxid)));
    }

    #[test]
    fn one_zxid_cannot_name_two_transactions() {
        let mut history = history(&[(1, 1)], 0);
        let other: Bytes = Bytes::from(&b"other"[..]);
        let at = Position::EMPTY.extend(Zxid::new(Epoch(1), 1), &other);
        assert!(history.learn(Position::EMPTY, at, || other).is_err());
    }
}
