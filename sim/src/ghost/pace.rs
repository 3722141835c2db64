//! How far followers are behind their leader (V12).

use std::collections::{BTreeMap, VecDeque};

use zabrus_core::message::LinkIncarnation;
use zabrus_core::{Duration, Instant, ServerId, Zxid};

/// What followers owe a leader, by its own clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    /// Its last step.
    at: Instant,
    /// Where its log ended since when, from the last end that is due on.
    ends: VecDeque<(Instant, Zxid)>,
    owing: BTreeMap<ServerId, Owing>,
}

#[derive(Clone, Copy, Debug)]
struct Owing {
    link: LinkIncarnation,
    /// The leader expects what comes behind this.
    from: Option<Zxid>,
    acknowledged: Zxid,
}

impl Pace {
    /// A follower may serve: from now on it is expected to keep pace.
    pub(super) fn welcomed(&mut self, follower: ServerId, link: LinkIncarnation) {
        self.owing.insert(follower, Owing { link, from: None, acknowledged: Zxid::ZERO });
    }

    /// An acknowledgement arrived.
    pub(super) fn acknowledged(&mut self, follower: ServerId, link: LinkIncarnation, zxid: Zxid) {
        if let Some(owing) = self.owing.get_mut(&follower).filter(|owing| owing.link == link) {
            owing.acknowledged = owing.acknowledged.max(zxid);
        }
    }

    /// The leader did a step, and its log ends here. Whoever does not follow it any more, or has no vote, owes it
    /// nothing. A leader that stood still for longer than `longest` hears of what came meanwhile first.
    pub(super) fn step(
        &mut self,
        now: Instant,
        longest: Duration,
        end: Zxid,
        follows: impl Fn(ServerId, LinkIncarnation) -> bool,
        votes: impl Fn(ServerId) -> bool,
    ) {
        if now.since(self.at) > longest {
            self.ends.clear();
        }
        self.at = now;
        if self.ends.back().is_none_or(|(_, last)| *last < end) {
            self.ends.push_back((now, end));
        }
        self.owing.retain(|follower, owing| follows(*follower, owing.link));
        for (follower, owing) in &mut self.owing {
            owing.from = owing.from.filter(|_| votes(*follower)).or(Some(end));
        }
    }

    /// Who owes what was proposed longer than `limit` ago: the follower, what it has acknowledged, and what is due.
    pub(super) fn due(&mut self, limit: Duration) -> Vec<(ServerId, Zxid, Zxid)> {
        let now = self.at;
        let is_due = |(at, _): &(Instant, Zxid)| now.since(*at) > limit;
        while self.ends.get(1).is_some_and(is_due) {
            self.ends.pop_front();
        }
        let Some((_, due)) = self.ends.front().copied().filter(is_due) else { return Vec::new() };
        let owes = |owing: &Owing| owing.from.is_some_and(|from| from < due);
        let owing = self.owing.iter().filter(|(_, owing)| owes(owing));
        owing.map(|(follower, owing)| (*follower, owing.acknowledged, due)).collect()
    }
}

#[cfg(test)]
mod tests {
    use zabrus_core::Epoch;

    use super::*;

    const LINK: LinkIncarnation = LinkIncarnation { boot: 1, attempt: 1 };
    const FOLLOWER: ServerId = ServerId(2);
    const LIMIT: Duration = Duration(10);

    fn zxid(counter: u32) -> Zxid {
        Zxid::new(Epoch(1), counter)
    }

    /// The leader logs a transaction at each moment, and its follower is so far behind.
    fn owed(behind: u32, votes: impl Fn(u64) -> bool, steps: impl Iterator<Item = u64>) -> Vec<(Zxid, Zxid)> {
        let mut pace = Pace::default();
        pace.welcomed(FOLLOWER, LINK);
        let mut owed = Vec::new();
        for moment in steps {
            let counter = moment as u32;
            pace.acknowledged(FOLLOWER, LINK, zxid(counter.saturating_sub(behind)));
            pace.step(Instant(moment), Duration(5), zxid(counter), |_, link| link == LINK, |_| votes(moment));
            let late = pace.due(LIMIT).into_iter().filter(|(_, acknowledged, due)| acknowledged < due);
            owed.extend(late.map(|(_, acknowledged, due)| (acknowledged, due)));
        }
        owed
    }

    #[test]
    fn a_follower_that_acknowledges_all_the_time_and_always_too_late_is_found() {
        assert!(owed(10, |_| true, 1..100).is_empty());
        let first = owed(20, |_| true, 1..100).first().copied();
        assert_eq!(first, Some((zxid(0), zxid(2))), "1.1 was there before the follower");
    }

    #[test]
    fn whoever_has_no_vote_for_a_while_owes_what_came_afterwards() {
        assert!(owed(20, |_| false, 1..100).is_empty());
        let first = owed(20, |moment| moment > 50, 1..100).first().copied();
        assert_eq!(first, Some((zxid(42), zxid(51))));
    }

    #[test]
    fn a_leader_that_stood_still_hears_first_what_came_meanwhile() {
        assert!(owed(20, |_| true, (1..8).chain(40..50)).is_empty());
        assert!(!owed(20, |_| true, (1..8).chain(40..52)).is_empty());
    }

    #[test]
    fn a_link_that_is_gone_owes_nothing() {
        let mut pace = Pace::default();
        pace.welcomed(FOLLOWER, LINK);
        for moment in 1..50 {
            pace.step(Instant(moment), Duration(5), zxid(moment as u32), |_, _| moment < 5, |_| true);
        }
        assert!(pace.due(LIMIT).is_empty());
    }
}
