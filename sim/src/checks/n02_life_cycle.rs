//! N2 (invariants.md section 6): nothing is done for a session before its beginning or after its
//! end, and it ends once (ZOOKEEPER-1208, -1496).

use zabrus_core::wire::{Change, ErrorCode, SessionId};

use super::{Verdict, ensure};

/// A transaction of a session that does not exist when it comes.
pub fn check(session: SessionId, change: &Change) -> Verdict {
    let refused = *change == Change::Error(ErrorCode::SessionExpired.code());
    ensure(refused, || format!("session {session}, which does not exist, does {change:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_session_does_after_its_end_is_seen() {
        assert!(check(SessionId(1), &Change::Error(ErrorCode::SessionExpired.code())).is_ok());
        assert!(check(SessionId(1), &Change::CloseSession { paths: Vec::new() }).is_err());
        assert!(check(SessionId(1), &Change::Error(ErrorCode::NoNode.code())).is_err());
    }
}
