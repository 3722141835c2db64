//! Randomness that is the same on every machine: named streams of ChaCha8, sampled by our own few
//! lines, because the values that sampling crates produce may change with their versions.

use std::ops::RangeInclusive;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// One stream of random numbers. Each part of a world has its own, so that a new draw in one
/// place leaves all others alone.
#[derive(Clone, Debug)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// The stream called `name` of the run with this root seed.
    #[must_use]
    pub fn stream(root_seed: u64, name: &str) -> Self {
        let mut key = [0; 32];
        for (lane, bytes) in (0u64..).zip(key.chunks_exact_mut(8)) {
            let seed = root_seed.wrapping_add(lane.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            bytes.copy_from_slice(&xxh3_64_with_seed(name.as_bytes(), seed).to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `limit`, or 0 if `limit` is 0. The bias is below 2^-32 for limits that fit
    /// 32 bits.
    pub fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(limit)) >> 64) as u64
    }

    /// A number of the range, its lower end if the range is empty.
    pub fn range(&mut self, range: RangeInclusive<u64>) -> u64 {
        let span = range.end().saturating_sub(*range.start());
        match span.checked_add(1) {
            Some(count) => range.start() + self.below(count),
            None => self.next_u64(),
        }
    }

    /// A number between the two, both included: how settings write a range.
    pub fn between(&mut self, (low, high): (u64, u64)) -> u64 {
        self.range(low..=high)
    }

    /// True in `per_mille` of 1,000 cases.
    pub fn chance(&mut self, per_mille: u32) -> bool {
        per_mille > 0 && self.below(1_000) < u64::from(per_mille)
    }

    /// One of `items`.
    ///
    /// # Panics
    /// If there is none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }

    /// Puts `items` into a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }

    /// Entropy for one replica.
    pub fn seed32(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.0.fill_bytes(&mut seed);
        seed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_defined_by_its_seed_and_name() {
        let draw = |seed, name| Random::stream(seed, name).next_u64();
        assert_eq!(draw(7, "net"), draw(7, "net"));
        assert_ne!(draw(7, "net"), draw(7, "disk/1"));
        assert_ne!(draw(7, "net"), draw(8, "net"));
    }

    #[test]
    fn the_streams_never_change_between_versions_and_machines() {
        let mut random = Random::stream(1, "net");
        let first: Vec<u64> = (0..3).map(|_| random.below(1_000)).collect();
        assert_eq!(first, [614, 737, 413]);
    }

    #[test]
    fn draws_stay_in_their_ranges_and_reach_both_ends() {
        let mut random = Random::stream(1, "range");
        let drawn: Vec<u64> = (0..200).map(|_| random.range(3..=7)).collect();
        assert!(drawn.iter().all(|n| (3..=7).contains(n)));
        assert!((3..=7).all(|n| drawn.contains(&n)));
        assert_eq!(random.between((5, 5)), 5);
        assert_eq!(random.between((9, 5)), 9);
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn chances_of_nothing_and_of_everything_are_certain() {
        let mut random = Random::stream(1, "chance");
        assert!((0..1_000).all(|_| !random.chance(0)));
        assert!((0..1_000).all(|_| random.chance(1_000)));
        let hits = (0..10_000).filter(|_| random.chance(250)).count();
        assert!((2_200..2_800).contains(&hits), "{hits}");
    }

    #[test]
    fn a_shuffle_keeps_all_items() {
        let mut items: Vec<u32> = (0..50).collect();
        Random::stream(1, "shuffle").shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
