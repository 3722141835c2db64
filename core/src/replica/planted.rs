//! Memory that only planted bugs need; see [`crate::mutation`].

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::identity::Zxid;
use crate::prepare::{Preparer, WriteRequest};

/// What a mutant remembers wrongly.
#[derive(Debug, Default)]
pub(super) struct Planted {
    /// A position that this server believes to have, and has not (M14, M17).
    pub(super) claimed_last: Option<Zxid>,
    /// Transactions that came in a synchronization and are missing in the window (M11).
    pub(super) window_holes: BTreeSet<Zxid>,
    /// Proposals after the first and up to the second were pending at NEWLEADER, and cleared (M05).
    pub(super) cleared: Option<(Zxid, Zxid)>,
    /// What was forwarded to a leader and has not become a transaction (M127).
    pub(super) forwarded: Vec<WriteRequest>,
    /// What an earlier leadership had in flight (M112).
    pub(super) speculative: Option<Preparer>,
}

impl Planted {
    /// Whether a commit of `zxid` needs a proposal that was cleared.
    pub(super) fn is_cleared(&self, zxid: Zxid, committed: Zxid) -> bool {
        self.cleared.is_some_and(|(after, upto)| zxid > after && committed < upto)
    }
}
