//! N8 (invariants.md section 6): a server that has applied the end of a session answers nothing more to it
//! but that end. That nothing more is done for it is N2.

use zabrus_core::Zxid;
use zabrus_core::wire::SessionId;

use super::{Verdict, ensure};

/// A request of a session was done at `zxid`; the session was closed by the transaction `closed`.
pub fn check(session: SessionId, closed: Option<Zxid>, zxid: Zxid) -> Verdict {
    ensure(closed.is_none_or(|closed| zxid < closed), || {
        format!("session {session}, closed by {closed:?}, was answered at {zxid} as if it were there")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_to_a_closed_session_is_seen() {
        assert!(check(SessionId(1), None, Zxid(5)).is_ok());
        assert!(check(SessionId(1), Some(Zxid(6)), Zxid(5)).is_ok());
        assert!(check(SessionId(1), Some(Zxid(5)), Zxid(5)).is_err());
    }
}
