//! V7 (invariants.md section 9): a leader that is cut off from every quorum steps down within
//! (syncLimit + 2) ticks.

use zabrus_core::Duration;
use zabrus_core::config::Config;

use super::{Verdict, ensure};

/// Judges a serving leader that has been cut off for so long, by its own clock.
pub fn check(config: &Config, cut_off: Duration) -> Verdict {
    let limit = config.tick_time.times(u64::from(config.sync_limit) + 2);
    ensure(cut_off <= limit, || format!("it leads on, cut off from every quorum for {cut_off}"))
}

#[cfg(test)]
mod tests {
    use zabrus_core::ServerId;
    use zabrus_core::quorum::Ensemble;

    use super::*;

    #[test]
    fn a_leader_that_stays_in_the_minority_is_seen() {
        let config = Config::new(ServerId(1), Ensemble::plain(3, 0));
        let ticks = |count| config.tick_time.times(count);
        let limit = u64::from(config.sync_limit) + 2;
        assert!(check(&config, ticks(limit)).is_ok());
        assert!(check(&config, ticks(limit) + Duration(1)).is_err());
    }
}
