//! B16 (invariants.md section 4), L1 and L10 (section 8): what a leader prepared for a write is what the
//! model makes of it after everything committed before (ZOOKEEPER-1624, bugs.md F11).

use zabrus_core::Zxid;
use zabrus_core::wire::Change;

use super::{Verdict, ensure};

/// Judges the change of the transaction `zxid`.
pub fn check(zxid: Zxid, change: &Change, expected: &Change) -> Verdict {
    ensure(change == expected, || {
        format!("transaction {zxid} does {change:?}, but its request means {expected:?}")
    })
}

#[cfg(test)]
mod tests {
    use zabrus_core::Epoch;
    use zabrus_core::wire::{ErrorCode, OpCode};

    use super::*;

    #[test]
    fn a_change_that_the_request_does_not_mean_is_seen() {
        let zxid = Zxid::new(Epoch(1), 1);
        let delete = Change::Delete { op: OpCode::Delete, path: "/a".into() };
        assert!(check(zxid, &delete, &delete).is_ok());
        assert!(check(zxid, &delete, &Change::Error(ErrorCode::NoNode.code())).is_err());
    }
}
