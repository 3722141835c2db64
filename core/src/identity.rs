//! The names of servers, epochs, transactions and histories.

use alloc::sync::Arc;
use core::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Bytes that many owners share: a transaction is encoded once, then only pointed at.
pub type Bytes = Arc<[u8]>;

/// The id of a server, as `myid` holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServerId(pub u64);

/// An epoch: the reign of at most one leader (invariants.md E6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch(pub u32);

/// A transaction id: the epoch in the high 32 bits, the counter in the low ones.
/// `(e, 0)` is never a transaction, so no client ever sees it (R16); it names the start of epoch e.
/// [`Zxid::ZERO`] is the empty history.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Zxid(pub u64);

/// A chained 64-bit hash over a whole history: equal digests at equal zxids mean equal histories.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HistoryDigest(pub u64);

/// A point in a history: the last transaction, and the digest over everything up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The last transaction of the history, [`Zxid::ZERO`] if it is empty.
    pub zxid: Zxid,
    /// The digest over the history up to and including `zxid`.
    pub digest: HistoryDigest,
}

impl Epoch {
    /// The next epoch, or `None` when the number space is used up.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

impl Zxid {
    /// The empty history.
    pub const ZERO: Self = Self(0);

    /// The transaction `counter` of `epoch`.
    #[must_use]
    pub const fn new(epoch: Epoch, counter: u32) -> Self {
        Self(((epoch.0 as u64) << 32) | counter as u64)
    }

    /// The epoch in which this transaction was proposed.
    #[must_use]
    pub const fn epoch(self) -> Epoch {
        Epoch((self.0 >> 32) as u32)
    }

    /// The place of this transaction within its epoch, from 1.
    #[must_use]
    pub const fn counter(self) -> u32 {
        self.0 as u32
    }
}

impl Position {
    /// The empty history.
    pub const EMPTY: Self = Self { zxid: Zxid::ZERO, digest: HistoryDigest(0) };

    /// The position after one more transaction.
    #[must_use]
    pub fn extend(self, zxid: Zxid, payload: &[u8]) -> Self {
        let seed = self.digest.0.rotate_left(23) ^ zxid.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self { zxid, digest: HistoryDigest(xxh3_64_with_seed(payload, seed)) }
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch(), self.counter())
    }
}

impl fmt::Debug for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for HistoryDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for HistoryDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{:04x}", self.zxid, self.digest.0 & 0xffff)
    }
}
