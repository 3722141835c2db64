//! V12, our own beside the rules of invariants.md: a leader drops a follower that acknowledges too late, though it
//! says something all the time (zab.md section 8). As in ZooKeeper, a leader watches one proposal at a time. When that
//! is acknowledged within syncLimit, it watches the last one that it has sent by then; those in between may
//! have waited for nearly twice as long.

use zabrus_core::config::Config;
use zabrus_core::{Duration, ServerId, Zxid};

use super::{Verdict, ensure};

/// What a follower must have acknowledged after so long, by the leader's own clock. The leader looks once per tick,
/// and may stand still for less than another.
#[must_use]
pub fn limit(config: &Config) -> Duration {
    config.tick_time.times(2 * (u64::from(config.sync_limit) + 2))
}

/// Judges a leader that goes on with a follower; `due` was proposed longer ago than [`limit`].
pub fn check(follower: ServerId, acknowledged: Zxid, due: Zxid) -> Verdict {
    ensure(acknowledged >= due, || {
        format!(
            "server {follower} follows on, and has not acknowledged {due} for longer than twice syncLimit"
        )
    })
}

#[cfg(test)]
mod tests {
    use zabrus_core::Epoch;
    use zabrus_core::quorum::Ensemble;

    use super::*;

    #[test]
    fn a_follower_that_is_too_far_behind_and_stays_is_seen() {
        let zxid = |counter| Zxid::new(Epoch(1), counter);
        assert!(check(ServerId(1), zxid(5), zxid(5)).is_ok());
        assert!(check(ServerId(1), zxid(4), zxid(5)).is_err());
        let config = Config::new(ServerId(1), Ensemble::plain(3, 0));
        assert!(limit(&config) > config.tick_time.times(2 * u64::from(config.sync_limit)));
    }
}
