//! E9 (invariants.md section 2): a server promises only epochs above every epoch that it promised
//! or led before; a repeated promise of the same one is not new (zab.md sections 4.2 and 4.3).

use zabrus_core::Epoch;

use super::{Verdict, ensure};

/// Judges the promise of `epoch` by a server that promised or led `highest` before.
pub fn check(epoch: Epoch, highest: Epoch) -> Verdict {
    ensure(epoch >= highest, || {
        format!("it promises epoch {epoch} although it promised or led epoch {highest} before")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promises_never_go_back() {
        assert!(check(Epoch(4), Epoch(3)).is_ok());
        assert!(check(Epoch(3), Epoch(3)).is_ok());
        assert!(check(Epoch(2), Epoch(3)).is_err());
    }
}
