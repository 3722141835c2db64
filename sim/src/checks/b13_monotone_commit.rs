//! B13 (invariants.md section 4): within one life what a server delivered and knows to be committed
//! never goes back, and the watermarks stay in order: applied <= committed, applied <= durable <=
//! logged (design.md, "The core's contract").

use zabrus_core::replica::Status;

use super::{Verdict, ensure};

/// Judges a server before and after one step of the same life. What was recovered counts as durable
/// only when it was synced again (zab.md section 17, R1), before the server has its first role:
/// `repaired`.
pub fn check(before: Option<&Status>, after: &Status, repaired: bool) -> Verdict {
    let applied = after.applied.zxid;
    let durable = applied <= after.durable || !repaired;
    ensure(applied <= after.committed && durable && after.durable <= after.logged.zxid, || {
        format!(
            "applied {applied}, committed {}, durable {} and logged {} are out of order",
            after.committed, after.durable, after.logged
        )
    })?;
    let Some(before) = before else { return Ok(()) };
    ensure(applied >= before.applied.zxid && after.committed >= before.committed, || {
        format!(
            "it went back from applied {} and committed {} to {applied} and {}",
            before.applied, before.committed, after.committed
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::status;
    use crate::ghost::history::testing::{at, history};

    #[test]
    fn watermarks_out_of_order_or_going_back_are_seen() {
        let history = history(&[(1, 1), (1, 2)], 0);
        let (one, two) = (status(1, at(&history, 1, 1)), status(1, at(&history, 1, 2)));
        assert!(check(None, &one, true).is_ok() && check(Some(&one), &two, true).is_ok());
        assert!(check(Some(&two), &one, true).is_err());
        let mut ahead = one;
        ahead.applied = two.applied;
        assert!(check(Some(&one), &ahead, true).is_err());
        let mut claims = one;
        claims.durable = two.durable;
        assert!(check(Some(&one), &claims, true).is_err());
        let mut recovered = two;
        recovered.durable = one.durable;
        assert!(check(None, &recovered, false).is_ok());
        assert!(check(None, &recovered, true).is_err());
    }
}
