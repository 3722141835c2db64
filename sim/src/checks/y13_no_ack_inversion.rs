//! Y13 (invariants.md section 3): on one link ACK(NEWLEADER) precedes every ACK of a proposal
//! (ZOOKEEPER-4685).

use zabrus_core::{Epoch, Zxid};

use super::{Verdict, ensure};

/// Judges an ACK of `zxid` in `epoch` on a link on which NEWLEADER was acknowledged or not.
pub fn check(epoch: Epoch, zxid: Zxid, new_leader_acknowledged: bool) -> Verdict {
    ensure(new_leader_acknowledged, || format!("it acknowledges {zxid} in epoch {epoch} before NEWLEADER"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ack_before_that_of_newleader_is_seen() {
        assert!(check(Epoch(2), Zxid::new(Epoch(2), 1), true).is_ok());
        assert!(check(Epoch(2), Zxid::new(Epoch(2), 1), false).is_err());
    }
}
