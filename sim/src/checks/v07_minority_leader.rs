//! V7 (invariants.md section 9): a leader that is cut off from every quorum steps down within
//! (syncLimit + 2) ticks.

use zabrus_core::config::Config;
use zabrus_core::quorum::Ensemble;
use zabrus_core::{Duration, Instant, ServerId};

use super::{Verdict, ensure};

/// Judges a serving leader that has been cut off for so long, by its own clock.
pub fn check(config: &Config, cut_off: Duration) -> Verdict {
    let limit = config.tick_time.times(u64::from(config.sync_limit) + 2);
    ensure(cut_off <= limit, || format!("it leads on, cut off from every quorum for {cut_off}"))
}

/// When a quorum of each ensemble that a leader counts could last reach it, one server after the other; `reached`
/// says when each could. `None` if there never was one.
pub fn last_quorum(counted: &[&Ensemble], reached: &[(ServerId, Instant)]) -> Option<Instant> {
    let since = |at: Instant| {
        let could = |member| reached.iter().any(|(id, last)| *id == member && *last >= at);
        counted.iter().all(|ensemble| ensemble.is_quorum_of(could))
    };
    let mut times: Vec<Instant> = reached.iter().map(|(_, last)| *last).collect();
    times.sort_unstable();
    times.into_iter().rev().find(|at| since(*at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_voters_change_a_leader_needs_a_quorum_of_each_ensemble() {
        let (old, mut new) = (Ensemble::plain(3, 0), Ensemble::plain(5, 0));
        new.members.retain(|id, _| id.0 >= 3);
        // Server 3 leads; the others could reach it one after the other.
        let reached =
            [(1, 50), (2, 40), (3, 60), (4, 20), (5, 10)].map(|(id, at)| (ServerId(id), Instant(at)));
        assert_eq!(last_quorum(&[&old], &reached), Some(Instant(50)));
        assert_eq!(last_quorum(&[&new], &reached), Some(Instant(20)));
        assert_eq!(last_quorum(&[&old, &new], &reached), Some(Instant(20)), "the new voters are gone");
        assert_eq!(last_quorum(&[&new], &reached[..3]), None);
    }

    #[test]
    fn a_leader_that_stays_in_the_minority_is_seen() {
        let config = Config::new(ServerId(1), Ensemble::plain(3, 0));
        let ticks = |count| config.tick_time.times(count);
        let limit = u64::from(config.sync_limit) + 2;
        assert!(check(&config, ticks(limit)).is_ok());
        assert!(check(&config, ticks(limit) + Duration(1)).is_err());
    }
}
