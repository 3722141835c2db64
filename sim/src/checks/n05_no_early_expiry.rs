//! N5 (invariants.md section 6): a leader ends a session only when it heard nothing of it for
//! its timeout, counted from its own beginning at the earliest (the mutants M105 to M107).

use zabrus_core::Duration;
use zabrus_core::wire::SessionId;

use super::{Verdict, ensure};

/// Clocks go wrong by up to 50 per thousand ([`crate::plan`]).
const DRIFT: u64 = 55;

/// The least time of a right clock that a timeout is on any other.
pub(super) fn least(timeout_millis: i32) -> Duration {
    Duration(u64::from(timeout_millis.unsigned_abs()) * (1_000 - DRIFT))
}

/// A session with this timeout is expired, `silence` after the last word that its leader had of it
/// or after the leader's beginning.
pub fn check(session: SessionId, timeout_millis: i32, silence: Duration) -> Verdict {
    ensure(silence >= least(timeout_millis), || {
        format!("session {session} of {timeout_millis} ms is expired after a silence of {silence}")
    })
}

/// The same, as a client sees it: servers have heard of the session at least twice in each timeout for
/// the span `heard`, in which nothing else was wrong.
pub fn kept(session: SessionId, timeout_millis: i32, heard: Option<Duration>) -> Verdict {
    let enough = Duration::from_millis(u64::from(timeout_millis.unsigned_abs())).times(2);
    ensure(heard.is_none_or(|heard| heard <= enough), || {
        format!(
            "session {session} of {timeout_millis} ms is expired, although servers have heard of it all the time"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_is_expired_too_early_is_seen() {
        assert!(check(SessionId(1), 4_000, Duration::from_seconds(4)).is_ok());
        assert!(check(SessionId(1), 4_000, Duration::from_seconds(3)).is_err());
        assert!(kept(SessionId(1), 4_000, None).is_ok());
        assert!(kept(SessionId(1), 4_000, Some(Duration::from_seconds(8))).is_ok());
        assert!(kept(SessionId(1), 4_000, Some(Duration::from_seconds(9))).is_err());
    }
}
