//! N5 and N11 (invariants.md section 6): a leader ends a session only when it heard nothing of it for
//! its timeout, counted from its own beginning at the earliest (the mutants M105 to M107).

use zabrus_core::Duration;
use zabrus_core::wire::SessionId;

use super::{Verdict, ensure};

/// Clocks may go wrong by so much, per thousand.
const DRIFT: u64 = 20;

/// A session with this timeout is expired, `silence` after the last word that its leader had of it
/// or after the leader's beginning.
pub fn check(session: SessionId, timeout_millis: i32, silence: Duration) -> Verdict {
    let timeout = u64::from(timeout_millis.unsigned_abs()) * (1_000 - DRIFT);
    ensure(silence.0 >= timeout, || {
        format!("session {session} of {timeout_millis} ms is expired after a silence of {silence}")
    })
}

/// A session is expired although its client is connected and pings, and all is well for so long.
pub fn kept(session: SessionId, well_for: Duration) -> Verdict {
    Err(format!("session {session} is expired, although its client was connected and all was well for {well_for}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_is_expired_too_early_is_seen() {
        assert!(check(SessionId(1), 4_000, Duration::from_seconds(4)).is_ok());
        assert!(check(SessionId(1), 4_000, Duration::from_seconds(3)).is_err());
        assert!(kept(SessionId(1), Duration::from_seconds(60)).is_err());
    }
}
