//! L1 to L8 (invariants.md section 8), as far as the minimal tree goes: what clients were told against
//! the model at the zxid that they were told.

use zabrus_core::Zxid;
use zabrus_core::service::{Answer, Refusal};

use super::{Verdict, ensure};

/// L1: a change was answered; `committed` is its transaction and the answer that follows from it.
pub fn change(
    result: &Result<Answer, Refusal>,
    header: Zxid,
    committed: Option<&(Zxid, Result<Answer, Refusal>)>,
) -> Verdict {
    let Some((zxid, expected)) = committed else {
        return Err(format!("a client was told {result:?}, but its request is not committed"));
    };
    ensure(result == expected, || format!("a client was told {result:?}, but {zxid} means {expected:?}"))?;
    ensure(header >= *zxid, || format!("a change that is {zxid} was answered at {header}"))
}

/// L2: a read answered at `header` against the model there.
pub fn read(
    path: &str,
    header: Zxid,
    result: &Result<Answer, Refusal>,
    expected: &Result<Answer, Refusal>,
) -> Verdict {
    ensure(result == expected, || {
        format!("a read of {path} at {header} gave {result:?}, but the state there is {expected:?}")
    })
}

/// L3: a change that was asked after `answered_before` was acknowledged to anybody comes later.
pub fn linearizable(zxid: Zxid, answered_before: Zxid) -> Verdict {
    ensure(zxid > answered_before, || {
        format!("a change became {zxid}, although it was asked after {answered_before} was acknowledged")
    })
}

/// L4: answers on one connection come in the order of the requests.
pub fn order(before: Option<u64>, xid: u64) -> Verdict {
    ensure(before.is_none_or(|before| before < xid), || {
        format!("a client got the answer to request {xid} after that to {before:?}")
    })
}

/// L6: one request becomes at most one transaction.
pub fn once(earlier: Option<Zxid>, zxid: Zxid) -> Verdict {
    ensure(earlier.is_none(), || format!("one request became two transactions: {earlier:?} and {zxid}"))
}

/// L7: what one connection sees never goes back.
pub fn monotonic(before: Zxid, header: Zxid) -> Verdict {
    ensure(header >= before, || format!("a client that had seen {before} got an answer at {header}"))
}

/// L8: after a sync a server has everything acknowledged to anybody before it was asked.
pub fn synced(header: Zxid, answered_before: Zxid) -> Verdict {
    ensure(header >= answered_before, || {
        format!(
            "a sync was answered at {header}, although {answered_before} was acknowledged before it was asked"
        )
    })
}

#[cfg(test)]
mod tests {
    use zabrus_core::Epoch;

    use super::*;

    fn z(counter: u32) -> Zxid {
        Zxid::new(Epoch(1), counter)
    }

    #[test]
    fn a_lost_or_wrongly_answered_change_is_seen() {
        let right = Ok(Answer::Changed { zxid: z(2), version: 1 });
        let committed = (z(2), right.clone());
        assert!(change(&right, z(2), Some(&committed)).is_ok());
        assert!(change(&right, z(2), None).is_err());
        assert!(change(&right, z(1), Some(&committed)).is_err());
        assert!(change(&Err(Refusal::NoNode), z(2), Some(&committed)).is_err());
    }

    #[test]
    fn a_read_that_is_not_the_state_at_its_zxid_is_seen() {
        let one = Err(Refusal::NoNode);
        assert!(read("/a", z(1), &one, &one).is_ok());
        assert!(read("/a", z(1), &one, &Ok(Answer::Synced)).is_err());
    }

    #[test]
    fn orders_that_clients_rely_on_are_checked() {
        assert!(linearizable(z(3), z(2)).is_ok() && linearizable(z(2), z(2)).is_err());
        assert!(order(Some(1), 2).is_ok() && order(Some(2), 2).is_err());
        assert!(once(None, z(1)).is_ok() && once(Some(z(1)), z(2)).is_err());
        assert!(monotonic(z(1), z(1)).is_ok() && monotonic(z(2), z(1)).is_err());
        assert!(synced(z(2), z(2)).is_ok() && synced(z(1), z(2)).is_err());
    }
}
