//! N1 (invariants.md section 6): no session id is given out twice (the mutant M111 counts from the
//! beginning after a restart).

use zabrus_core::Zxid;
use zabrus_core::wire::SessionId;

use super::{Verdict, ensure};

/// A transaction creates `session`; `earlier` is one that did so before.
pub fn check(session: SessionId, earlier: Option<Zxid>) -> Verdict {
    ensure(session.0 != 0, || "a session has the id 0".into())?;
    ensure(earlier.is_none(), || format!("session {session} is created again, after {earlier:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_given_out_twice_is_seen() {
        assert!(check(SessionId(1), None).is_ok());
        assert!(check(SessionId(1), Some(Zxid(5))).is_err());
        assert!(check(SessionId(0), None).is_err());
    }
}
