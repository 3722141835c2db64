//! L1 to L12 (invariants.md section 8): what clients were told, against the model at the zxid that they
//! were told. L11 (conditional writes) is a case of L1 and B16: the answer and the
//! transaction are those of the model, against the state at the commit.

use zabrus_core::Zxid;
use zabrus_core::wire::{Change, ErrorCode};

use super::{Verdict, ensure};

/// A code and a body in words.
fn told(code: i32, body: &[u8]) -> String {
    match ErrorCode::from_code(code) {
        Some(error) => format!("{error:?}"),
        None if code == 0 => format!("success with {:02x?}", &body[..body.len().min(96)]),
        None => format!("the unknown error {code}"),
    }
}

/// L1 and L2: an answer at `header` against what the model says; `words` names the request.
pub fn answer(words: &str, header: Zxid, code: i32, body: &[u8], expected: (i32, &[u8], bool)) -> Verdict {
    let (expected_code, expected_body, same) = expected;
    ensure(code == expected_code && same, || {
        let (told, should) = (told(code, body), told(expected_code, expected_body));
        format!("{words} at {header} was answered by {told}, but the model says {should}")
    })
}

/// L1: a write was answered; `committed` is its transaction.
pub fn committed(words: &str, header: Zxid, committed: Option<Zxid>) -> Verdict {
    let Some(zxid) = committed else {
        return Err(format!("{words} was answered, but is not committed"));
    };
    ensure(header >= zxid, || format!("{words}, which is {zxid}, was answered at {header}"))
}

/// L10: a multi is done as a whole or not at all.
pub fn multi(zxid: Zxid, changes: &[Change]) -> Verdict {
    let failed = changes.iter().filter(|change| matches!(change, Change::Error(_))).count();
    ensure(failed == 0 || failed == changes.len(), || {
        format!("of the multi {zxid}, {failed} parts of {} have failed", changes.len())
    })
}

/// L2: what a server shows is committed.
pub fn shown(header: Zxid, committed: Zxid) -> Verdict {
    let real = header == Zxid::ZERO || header.counter() != 0;
    ensure(header <= committed && real, || {
        format!("a client was shown {header}, but only {committed} is committed")
    })
}

/// L3: a write that was asked after `answered_before` was acknowledged to anybody comes later.
pub fn linearizable(zxid: Zxid, answered_before: Zxid) -> Verdict {
    ensure(zxid > answered_before, || {
        format!("a change became {zxid}, although it was asked after {answered_before} was acknowledged")
    })
}

/// L4: answers on one connection come in the order of the requests; the next is to `expected`.
pub fn order(expected: Option<i32>, xid: i32) -> Verdict {
    ensure(expected == Some(xid), || match expected {
        Some(expected) => format!("request {xid} was answered, but {expected} is the next"),
        None => format!("request {xid} was answered, but nothing waits for an answer"),
    })
}

/// L4: what is asked is answered in the state before whatever its client asked later; the first such
/// write is `later`.
pub fn not_ahead(words: impl FnOnce() -> String, header: Zxid, later: Option<Zxid>) -> Verdict {
    ensure(later.is_none_or(|later| header < later), || {
        format!("{} was answered at {header}, which shows the client's own later write {later:?}", words())
    })
}

/// L5 and L6: the writes of a connection are executed in their order, each once; the next is
/// `expected`, and `done` were executed before.
pub fn next_write(expected: Option<i32>, xid: i32) -> Verdict {
    ensure(expected == Some(xid), || match expected {
        Some(expected) => format!("write {xid} was executed, but {expected} was asked before it"),
        None => format!("write {xid} was executed, but the connection has asked for no more"),
    })
}

/// L7: what one connection sees never goes back, nor behind what its client had seen before.
pub fn monotonic(before: Zxid, header: Zxid) -> Verdict {
    ensure(header >= before, || format!("a client that had seen {before} got an answer at {header}"))
}

/// L8: what is answered after a quorum was asked shows everything acknowledged to anybody before.
pub fn synced(words: &str, header: Zxid, answered_before: Zxid) -> Verdict {
    ensure(header >= answered_before, || {
        format!(
            "{words} was answered at {header}, although {answered_before} was acknowledged before it was asked"
        )
    })
}

/// L8: a leader answers a learner's `sync` when all that it had `proposed` by then is committed
/// (client.md section 10).
pub fn flushed(committed: Zxid, proposed: Zxid) -> Verdict {
    ensure(committed >= proposed, || {
        format!("it answers a sync at {committed}, but had proposed {proposed} when it came")
    })
}

/// L12: a reserved number answers only what was asked under it.
pub fn reserved(xid: i32, asked: bool) -> Verdict {
    ensure(asked, || format!("an answer with the number {xid} came, but nobody asked"))
}

#[cfg(test)]
mod tests {
    use zabrus_core::Epoch;

    use super::*;

    fn z(counter: u32) -> Zxid {
        Zxid::new(Epoch(1), counter)
    }

    #[test]
    fn a_lost_or_wrongly_answered_request_is_seen() {
        assert!(answer("it", z(1), 0, b"a", (0, b"a", true)).is_ok());
        assert!(answer("it", z(1), 0, b"a", (0, b"b", false)).is_err());
        assert!(answer("it", z(1), -101, b"", (0, b"", true)).is_err());
        assert!(committed("it", z(2), Some(z(2))).is_ok());
        assert!(committed("it", z(1), Some(z(2))).is_err());
        assert!(committed("it", z(1), None).is_err());
        assert!(shown(z(1), z(1)).is_ok() && shown(z(2), z(1)).is_err() && shown(z(0), z(1)).is_err());
    }

    #[test]
    fn half_of_a_multi_is_seen() {
        let (failed, done) = (Change::Error(-101), Change::CloseSession { paths: Vec::new() });
        assert!(multi(z(1), &[]).is_ok() && multi(z(1), &[done.clone(), done.clone()]).is_ok());
        assert!(multi(z(1), &[failed.clone(), failed.clone()]).is_ok());
        assert!(multi(z(1), &[done, failed]).is_err());
    }

    #[test]
    fn orders_that_clients_rely_on_are_checked() {
        assert!(linearizable(z(3), z(2)).is_ok() && linearizable(z(2), z(2)).is_err());
        assert!(order(Some(2), 2).is_ok() && order(Some(1), 2).is_err() && order(None, 2).is_err());
        assert!(next_write(Some(1), 1).is_ok() && next_write(Some(1), 2).is_err());
        assert!(next_write(None, 1).is_err());
        assert!(
            not_ahead(String::new, z(1), Some(z(2))).is_ok() && not_ahead(String::new, z(2), None).is_ok()
        );
        assert!(not_ahead(String::new, z(2), Some(z(2))).is_err());
        assert!(monotonic(z(1), z(1)).is_ok() && monotonic(z(2), z(1)).is_err());
        assert!(synced("it", z(2), z(2)).is_ok() && synced("it", z(1), z(2)).is_err());
        assert!(flushed(z(2), z(2)).is_ok() && flushed(z(1), z(2)).is_err());
        assert!(reserved(-2, true).is_ok() && reserved(-2, false).is_err());
    }
}
