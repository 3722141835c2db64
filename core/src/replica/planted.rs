//! Memory that only planted bugs need; see [`crate::mutation`].

use alloc::collections::BTreeSet;

use crate::identity::Zxid;

/// What a mutant remembers wrongly.
#[derive(Debug, Default)]
pub(super) struct Planted {
    /// A position that this server believes to have, and has not (M14, M17).
    pub(super) claimed_last: Option<Zxid>,
    /// Transactions that came in a synchronization and are missing in the window (M11).
    pub(super) window_holes: BTreeSet<Zxid>,
}
