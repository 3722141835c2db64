//! B13 (invariants.md section 4): within one life what a server delivered and knows to be committed
//! never goes back, and the watermarks stay in order: applied <= committed, applied <= durable <=
//! logged (design.md, "The core's contract").

use zabrus_core::event::{Phase, Role};
use zabrus_core::replica::Status;

use super::{Verdict, ensure};

/// Judges a server before and after one step of the same life.
pub fn check(before: Option<&Status>, after: &Status) -> Verdict {
    let applied = after.applied.zxid;
    // What was recovered counts as durable only when it was synced again (zab.md section 17, R1), and
    // while a snapshot takes the place of a log nothing does.
    let unsettled = after.role == Role::Settling || after.phase == Phase::Synchronization;
    let durable = applied <= after.durable || unsettled;
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
        assert!(check(None, &one).is_ok() && check(Some(&one), &two).is_ok());
        assert!(check(Some(&two), &one).is_err());
        let mut ahead = one;
        ahead.applied = two.applied;
        assert!(check(Some(&one), &ahead).is_err());
        let mut claims = one;
        claims.durable = two.durable;
        assert!(check(Some(&one), &claims).is_err());
    }
}
