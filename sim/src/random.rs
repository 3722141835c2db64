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
