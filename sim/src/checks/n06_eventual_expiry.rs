//! N6 (invariants.md section 6): a session whose client has gone ends; by N7 also one
//! whose client was told that it has.

use zabrus_core::wire::SessionId;
use zabrus_core::{Duration, Instant};

use super::{Verdict, ensure};

/// A session with this timeout exists at `now`. Nobody has asked anything of it since `silent`, and
/// the last disturbance of the ensemble was at `disturbed`.
pub fn check(
    session: SessionId,
    timeout_millis: i32,
    tick: Duration,
    silent: Instant,
    disturbed: Instant,
    now: Instant,
) -> Verdict {
    // Rounded up to a tick, found at the next, with slow clocks, and committed.
    let limit = Duration::from_millis(u64::from(timeout_millis.unsigned_abs())) + tick.times(3);
    let since = silent.max(disturbed);
    ensure(now.since(since) <= limit + Duration::from_seconds(1), || {
        format!("session {session} of {timeout_millis} ms exists at {now}, silent since {silent}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_never_ends_is_seen() {
        let check = |now| {
            let tick = Duration::from_seconds(2);
            check(SessionId(1), 4_000, tick, Instant(5_000_000), Instant(6_000_000), Instant(now))
        };
        assert!(check(16_000_000).is_ok());
        assert!(check(18_000_000).is_err());
    }
}
