//! P4 (ZooKeeper's recipes): what a queue of nodes with numbers promises: an item is taken at most once, none that was put is
//! lost, and those of one producer are taken in the order in which they were put.

use std::collections::{BTreeMap, BTreeSet};

use super::{Verdict, ensure};

/// An item, by its producer and its number there.
type Item = (u32, u64);

/// One queue.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    /// Perhaps they are there.
    asked: BTreeSet<Item>,
    /// Those that are there for sure, by their places.
    put: BTreeMap<i64, Item>,
    /// The last place of each producer.
    last: BTreeMap<u32, i64>,
    /// What players try to take, with the last item of each producer that had been taken before.
    attempts: BTreeMap<u32, (i64, BTreeMap<u32, u64>)>,
    /// Places at which somebody has tried.
    tried: BTreeSet<i64>,
    taken: BTreeSet<Item>,
    newest: BTreeMap<u32, u64>,
}

impl Queue {
    /// A producer puts an item.
    pub fn asked(&mut self, producer: u32, number: u64) {
        self.asked.insert((producer, number));
    }

    /// It was told the item's place.
    pub fn put(&mut self, producer: u32, number: u64, place: i64) -> Verdict {
        let last = self.last.insert(producer, place);
        ensure(last.is_none_or(|last| last < place), || {
            format!("item {number} of player {producer} is at place {place}, an earlier one at {last:?}")
        })?;
        let other = self.put.insert(place, (producer, number));
        ensure(other.is_none(), || format!("two items are at place {place}"))
    }

    /// A player tries to take what is at a place.
    pub fn tries(&mut self, player: u32, place: i64) {
        self.tried.insert(place);
        self.attempts.insert(player, (place, self.newest.clone()));
    }

    /// A player was told that it has taken an item.
    pub fn took(&mut self, player: u32, (producer, number): Item, place: i64) -> Verdict {
        let words = format!("player {player} took item {number} of player {producer}");
        ensure(self.asked.contains(&(producer, number)), || format!("{words}, which nobody has put"))?;
        ensure(self.taken.insert((producer, number)), || format!("{words}, which was taken before"))?;
        let before = self.attempts.remove(&player).filter(|(tried, _)| *tried == place);
        let Some((_, newest)) = before else { return Err(format!("{words} without trying")) };
        let newer = newest.get(&producer).filter(|newer| **newer > number);
        ensure(newer.is_none(), || format!("{words} after {newer:?} was taken"))?;
        let newest = self.newest.entry(producer).or_default();
        *newest = number.max(*newest);
        Ok(())
    }

    /// These places are still there at the end.
    pub fn ended(&self, left: &BTreeSet<i64>) -> Verdict {
        let lost = self.put.iter().find(|(place, _)| !left.contains(place) && !self.tried.contains(place));
        ensure(lost.is_none(), || format!("the item {lost:?} is gone, and nobody has tried to take it"))?;
        let twice = self.put.iter().find(|(place, item)| left.contains(place) && self.taken.contains(item));
        ensure(twice.is_none(), || format!("the item {twice:?} was taken, and is there again"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Player 1 has put three items, and player 2 has taken the first.
    fn course() -> Queue {
        let mut queue = Queue::default();
        for (number, place) in [(1, 10), (2, 11), (3, 13)] {
            queue.asked(1, number);
            assert_eq!(queue.put(1, number, place), Ok(()));
        }
        queue.tries(2, 10);
        assert_eq!(queue.took(2, (1, 1), 10), Ok(()));
        queue
    }

    #[test]
    fn an_item_that_is_taken_twice_or_comes_from_nowhere_is_seen() {
        let mut queue = course();
        queue.tries(3, 10);
        assert!(queue.clone().took(3, (1, 1), 10).is_err(), "twice");
        assert!(queue.clone().took(3, (1, 9), 10).is_err(), "from nowhere");
        assert!(queue.clone().took(4, (1, 2), 11).is_err(), "without trying");
    }

    #[test]
    fn items_of_one_producer_out_of_order_are_seen() {
        let mut queue = course();
        let mut late = queue.clone();
        late.tries(2, 11);
        queue.tries(3, 13);
        assert_eq!(queue.took(3, (1, 3), 13), Ok(()));
        queue.tries(2, 11);
        assert!(queue.took(2, (1, 2), 11).is_err(), "the third was taken before");
        late.tries(3, 13);
        assert_eq!(late.took(3, (1, 3), 13), Ok(()));
        assert_eq!(late.took(2, (1, 2), 11), Ok(()), "both tried at the same time");
        assert!(course().put(1, 4, 12).is_err(), "before an earlier one");
        assert!(course().put(2, 1, 13).is_err(), "at the place of another");
    }

    #[test]
    fn an_item_that_is_lost_or_comes_back_is_seen() {
        let queue = course();
        assert_eq!(queue.ended(&[11, 13].into()), Ok(()));
        assert!(queue.ended(&[11].into()).is_err(), "lost");
        assert!(queue.ended(&[10, 11, 13].into()).is_err(), "back again");
    }
}
