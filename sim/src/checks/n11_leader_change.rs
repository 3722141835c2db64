//! N11 (invariants.md section 6): a new leader gives every session at least its full timeout, because it
//! cannot know what its predecessor heard.

use zabrus_core::Duration;
use zabrus_core::wire::SessionId;

use super::n05_no_early_expiry::least;
use super::{Verdict, ensure};

/// A session with this timeout is expired by a leader that has led for `reign`.
pub fn check(session: SessionId, timeout_millis: i32, reign: Duration) -> Verdict {
    ensure(reign >= least(timeout_millis), || {
        format!("session {session} of {timeout_millis} ms is expired by a leader of {reign}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_that_expires_before_it_could_hear_is_seen() {
        assert!(check(SessionId(1), 4_000, Duration::from_seconds(4)).is_ok());
        assert!(check(SessionId(1), 4_000, Duration::from_seconds(3)).is_err());
    }
}
