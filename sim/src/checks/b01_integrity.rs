//! B1 (invariants.md section 4): only what a leader proposed is ever stored or delivered. B11 adds that
//! its content is the one that was proposed, B13 that it is delivered once.

use zabrus_core::{ServerId, Zxid};

use super::{Verdict, ensure};

/// Judges a transaction found on the disk of `server` that nobody was sent before: then only the
/// leader of its epoch may have it.
pub fn check(zxid: Zxid, server: ServerId, leader: Option<ServerId>) -> Verdict {
    ensure(leader == Some(server), || format!("its disk has {zxid}, which no leader ever proposed"))
}

#[cfg(test)]
mod tests {
    use zabrus_core::Epoch;

    use super::*;

    #[test]
    fn a_transaction_out_of_nowhere_is_seen() {
        let zxid = Zxid::new(Epoch(1), 1);
        assert!(check(zxid, ServerId(1), Some(ServerId(1))).is_ok());
        assert!(check(zxid, ServerId(1), Some(ServerId(2))).is_err());
        assert!(check(zxid, ServerId(1), None).is_err());
    }
}
