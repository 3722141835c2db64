//! Values in numbered slots, on small pages that a snapshot shares with the living state.
//!
//! Freezing copies one pointer per page. A later change copies the page that it touches, and only if a
//! snapshot still holds it.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Small, because a change may have to copy one; at most 32, because a bitmap counts its slots.
const PAGE_SLOTS: usize = 32;

type Page<T> = [Option<T>; PAGE_SLOTS];

/// The living values.
#[derive(Clone, Debug)]
pub(super) struct Slab<T> {
    pages: Vec<Arc<Page<T>>>,
    /// For each page, the slots in use.
    used: Vec<u32>,
    vacant: Vec<u32>,
    len: usize,
}

/// The values at one point in time, numbered without gaps.
#[derive(Clone, Debug)]
pub(super) struct Frozen<T> {
    /// Without those that were released.
    pages: VecDeque<Arc<Page<T>>>,
    used: Vec<u32>,
    /// For each page, how many values lie on the pages before it.
    before: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { pages: Vec::new(), used: Vec::new(), vacant: Vec::new(), len: 0 }
    }
}

fn place(slot: u32) -> (usize, usize) {
    (slot as usize / PAGE_SLOTS, slot as usize % PAGE_SLOTS)
}

impl<T: Clone> Slab<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The value in a slot that is in use.
    pub(super) fn get(&self, slot: u32) -> &T {
        let (page, offset) = place(slot);
        self.pages[page][offset].as_ref().expect("only slots in use are named")
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> &mut T {
        let (page, offset) = place(slot);
        Arc::make_mut(&mut self.pages[page])[offset].as_mut().expect("only slots in use are named")
    }

    pub(super) fn insert(&mut self, value: T) -> u32 {
        let slot = self.vacant.pop().unwrap_or_else(|| {
            let slot = u32::try_from(self.len).expect("memory ends before the slots do");
            if self.len.is_multiple_of(PAGE_SLOTS) {
                self.pages.push(Arc::new(core::array::from_fn(|_| None)));
                self.used.push(0);
            }
            slot
        });
        let (page, offset) = place(slot);
        Arc::make_mut(&mut self.pages[page])[offset] = Some(value);
        self.used[page] |= 1 << offset;
        self.len += 1;
        slot
    }

    pub(super) fn remove(&mut self, slot: u32) -> T {
        let (page, offset) = place(slot);
        let value = Arc::make_mut(&mut self.pages[page])[offset].take();
        self.used[page] &= !(1 << offset);
        self.vacant.push(slot);
        self.len -= 1;
        value.expect("only slots in use are named")
    }

    /// The values and their slots, in the order of the slots.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let slots = self.pages.iter().flat_map(|page| page.iter());
        slots.zip(0..).filter_map(|(value, slot)| Some((slot, value.as_ref()?)))
    }

    /// The values as they are now.
    pub(super) fn freeze(&self) -> Frozen<T> {
        let mut sum = 0;
        let before = self.used.iter().map(|used| {
            let before = sum;
            sum += used.count_ones();
            before
        });
        let before = before.collect();
        Frozen { pages: self.pages.clone().into(), used: self.used.clone(), before }
    }
}

impl<T> Frozen<T> {
    /// The number that the value in this slot has among all.
    pub(super) fn number(&self, slot: u32) -> u32 {
        let (page, offset) = place(slot);
        self.before[page] + (self.used[page] & ((1 << offset) - 1)).count_ones()
    }

    /// The values from this slot on, with the slots after them, in the order of their numbers.
    pub(super) fn iter_from(&self, slot: u32) -> impl Iterator<Item = (u32, &T)> {
        let (page, offset) = place(slot);
        let pages = self.pages.iter().skip(page - self.released());
        let slots = pages.flat_map(|page| page.iter()).skip(offset);
        slots.zip(slot + 1..).filter_map(|(value, next)| Some((next, value.as_ref()?)))
    }

    /// Lets go of the pages before this slot. Nobody copies them any more for a change, and what
    /// was copied is freed little by little.
    pub(super) fn release_before(&mut self, slot: u32) {
        let (page, _) = place(slot);
        self.pages.drain(..page - self.released());
    }

    fn released(&self) -> usize {
        self.used.len() - self.pages.len()
    }
}
