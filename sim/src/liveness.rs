//! The liveness rules V1 to V11 (invariants.md section 9): some time after the last fault everything
//! must be well again. V7 and V12 are judged while the faults go on
//! ([`crate::checks::v07_minority_leader`], [`crate::checks::v12_late_follower`]); V9 (who cannot rejoin says so) is part of V3; V10 (rollover) of V1.

use std::collections::BTreeMap;

use zabrus_core::config::Config;
use zabrus_core::event::{Phase, Role};
use zabrus_core::io::ClientId;
use zabrus_core::replica::Status;
use zabrus_core::{Duration, Instant, ServerId};

use crate::checks::{Rule, Verdict};
use crate::ghost::quorums::Quorums;

/// How often a server may change its role after the last fault until it counts as an endless
/// election (V8).
const ROLE_CHANGES: u32 = 60;

/// What is seen of one server at the end.
#[derive(Clone, Debug)]
pub struct ServerView {
    /// The server.
    pub id: ServerId,
    /// Its state, `None` while it is down.
    pub status: Option<Status>,
    /// What it said when it refused to start or gave up.
    pub why_down: Option<String>,
}

/// A request that waits: its server, its connection, its number, and since when.
pub type Waiting = (ServerId, ClientId, i32, Instant);

/// Watches the time after the last fault.
#[derive(Clone, Debug)]
pub struct Liveness {
    /// Everything must be well this long after the last fault (V1).
    recovery: Duration,
    /// A request must be answered in this time (V4).
    answer: Duration,
    /// The last fault, or the last disturbance after it.
    healed: Option<Instant>,
    last_change: Option<(Instant, ServerId)>,
    changes: BTreeMap<ServerId, u32>,
}

impl Liveness {
    /// The deadlines that follow from the settings.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let limit = |ticks: u32, times: u64| config.tick_time.times(u64::from(ticks)).times(times);
        let election = config.election_backoff_max + config.finalize_wait;
        Self {
            recovery: limit(config.init_limit, 3) + election,
            answer: limit(config.sync_limit, 2),
            healed: None,
            last_change: None,
            changes: BTreeMap::new(),
        }
    }

    /// How long after the last fault everything must be well.
    #[must_use]
    pub fn recovery(&self) -> Duration {
        self.recovery
    }

    /// No fault happens from now on.
    pub fn healed(&mut self, now: Instant) {
        (self.healed, self.last_change) = (Some(now), None);
        self.changes.clear();
    }

    /// The last fault, or what else disturbed the ensemble: also a change of roles.
    #[must_use]
    pub fn last_disturbance(&self) -> Option<Instant> {
        let changed = self.last_change.map_or(Instant(0), |(at, _)| at);
        self.healed.map(|healed| healed.max(changed))
    }

    /// Since when everything must have been well, if that is so by now.
    #[must_use]
    pub fn well_since(&self, now: Instant) -> Option<Instant> {
        let since = self.last_disturbance()? + self.recovery;
        (since <= now).then_some(since)
    }

    /// Something happened that is a disturbance of its own: a process started, a leader used up its
    /// counter.
    pub fn disturbed(&mut self, now: Instant) {
        if self.healed.is_some() {
            self.healed(now);
        }
    }

    /// A server changed its role, its phase, its leader, or whether it serves.
    pub fn changed(&mut self, now: Instant, server: ServerId) {
        if self.healed.is_some() {
            self.last_change = Some((now, server));
            *self.changes.entry(server).or_default() += 1;
        }
    }

    /// Whether there was enough time since the last fault to expect anything.
    #[must_use]
    pub fn can_judge(&self, now: Instant) -> bool {
        self.healed.is_some_and(|healed| now.since(healed) >= self.recovery)
    }

    /// Every rule and what it comes to.
    #[must_use]
    pub fn judge(
        &self,
        now: Instant,
        quorums: &Quorums,
        views: &[ServerView],
        waiting: Option<Waiting>,
    ) -> Vec<(Rule, Verdict)> {
        vec![
            (Rule::V1, leader_with_quorum(quorums, views)),
            (Rule::V3, everybody_is_back(views)),
            (Rule::V2, self.stable()),
            (Rule::V8, self.no_endless_elections()),
            (Rule::V5, equal_states(views)),
            (Rule::V4, self.answered(now, waiting)),
            (Rule::V11, nothing_left(views)),
        ]
    }

    fn stable(&self) -> Verdict {
        let (Some(healed), Some((at, server))) = (self.healed, self.last_change) else { return Ok(()) };
        if at.since(healed) <= self.recovery {
            return Ok(());
        }
        Err(format!("server {server} changed its role at {at}, {} after the last fault", at.since(healed)))
    }

    fn no_endless_elections(&self) -> Verdict {
        match self.changes.iter().find(|(_, changes)| **changes > ROLE_CHANGES) {
            Some((server, changes)) => {
                Err(format!("server {server} changed its role {changes} times after the last fault"))
            }
            None => Ok(()),
        }
    }

    fn answered(&self, now: Instant, waiting: Option<Waiting>) -> Verdict {
        match waiting {
            Some((server, client, xid, since)) if now.since(since) > self.answer => {
                let client = client.0;
                Err(format!("request {xid} of client {client} waits on server {server} since {since}"))
            }
            _ => Ok(()),
        }
    }
}

fn leader_with_quorum(quorums: &Quorums, views: &[ServerView]) -> Verdict {
    let serving = |view: &&ServerView| view.status.is_some_and(|s| s.serving && s.phase == Phase::Broadcast);
    let leader = views.iter().filter(serving).find(|v| v.status.is_some_and(|s| s.role == Role::Leading));
    let Some(leader) = leader else {
        let shapes: Vec<String> = views.iter().map(describe).collect();
        return Err(format!("nobody leads: {}", shapes.join(", ")));
    };
    let behind = |view: &&ServerView| view.status.is_some_and(|s| s.leader == Some(leader.id));
    let set = views.iter().filter(serving).filter(behind).fold(0, |set, view| set | quorums.bit(view.id));
    if quorums.is_quorum(set | quorums.bit(leader.id)) {
        Ok(())
    } else {
        Err(format!("server {} leads, but only {} follow it", leader.id, quorums.names(set)))
    }
}

fn everybody_is_back(views: &[ServerView]) -> Verdict {
    let lost = views.iter().find(|view| match view.status {
        Some(status) => !status.serving || status.phase != Phase::Broadcast,
        None => view.why_down.is_none(),
    });
    lost.map_or(Ok(()), |view| Err(format!("{} has not come back", describe(view))))
}

fn equal_states(views: &[ServerView]) -> Verdict {
    let mut up = views.iter().filter_map(|view| view.status.map(|status| (view.id, status)));
    let Some((first, state)) = up.next() else { return Ok(()) };
    match up.find(|(_, s)| (s.applied, s.state_digest) != (state.applied, state.state_digest)) {
        Some((other, s)) => Err(format!(
            "server {first} is at {} with state {:016x}, server {other} at {} with state {:016x}",
            state.applied, state.state_digest, s.applied, s.state_digest
        )),
        None => Ok(()),
    }
}

fn nothing_left(views: &[ServerView]) -> Verdict {
    let left = views.iter().find(|view| view.status.is_some_and(|status| status.waiting > 0));
    left.map_or(Ok(()), |view| {
        let waiting = view.status.map_or(0, |status| status.waiting);
        Err(format!("server {} still holds {waiting} requests, and no client waits", view.id))
    })
}

fn describe(view: &ServerView) -> String {
    match (view.status, &view.why_down) {
        (Some(s), _) => format!("server {} ({:?}, {:?})", view.id, s.role, s.phase),
        (None, Some(why)) => format!("server {} (down: {why})", view.id),
        (None, None) => format!("server {} (down)", view.id),
    }
}

#[cfg(test)]
mod tests {
    use zabrus_core::Position;
    use zabrus_core::quorum::Ensemble;

    use super::*;
    use crate::checks::testing::status;

    fn well() -> Vec<ServerView> {
        let view = |id, role| {
            let status = Status {
                role,
                phase: Phase::Broadcast,
                leader: Some(ServerId(3)),
                serving: true,
                ..status(id, Position::EMPTY)
            };
            ServerView { id: ServerId(id), status: Some(status), why_down: None }
        };
        vec![view(1, Role::Following), view(2, Role::Following), view(3, Role::Leading)]
    }

    fn broken(liveness: &Liveness, views: &[ServerView], waiting: Option<Waiting>) -> Vec<Rule> {
        let quorums = Quorums::new(&Ensemble::plain(3, 0));
        let verdicts = liveness.judge(Instant(200_000_000), &quorums, views, waiting);
        verdicts.into_iter().filter(|(_, verdict)| verdict.is_err()).map(|(rule, _)| rule).collect()
    }

    fn change(view: &mut ServerView, change: impl FnOnce(&mut Status)) {
        change(view.status.as_mut().expect("it is up"));
    }

    fn liveness() -> Liveness {
        let mut liveness = Liveness::new(&Config::new(ServerId(1), Ensemble::plain(3, 0)));
        liveness.healed(Instant(0));
        liveness
    }

    #[test]
    fn a_well_ensemble_passes_and_time_must_have_been_enough() {
        let liveness = liveness();
        assert_eq!(broken(&liveness, &well(), None), []);
        assert!(!liveness.can_judge(Instant(1_000_000)));
        assert!(liveness.can_judge(Instant(0) + liveness.recovery()));
    }

    #[test]
    fn an_ensemble_without_leader_or_quorum_is_not_live() {
        let mut views = well();
        change(&mut views[2], |status| status.role = Role::Looking);
        assert_eq!(broken(&liveness(), &views, None), [Rule::V1]);
        let mut views = well();
        for view in &mut views[..2] {
            (view.status, view.why_down) = (None, Some("foreign data".into()));
        }
        assert_eq!(broken(&liveness(), &views, None), [Rule::V1]);
    }

    #[test]
    fn a_server_that_is_locked_out_or_behind_is_seen() {
        let mut views = well();
        change(&mut views[0], |status| (status.role, status.serving) = (Role::Looking, false));
        assert_eq!(broken(&liveness(), &views, None), [Rule::V3]);
        let mut views = well();
        change(&mut views[0], |status| status.state_digest = 7);
        assert_eq!(broken(&liveness(), &views, None), [Rule::V5]);
        let mut views = well();
        change(&mut views[0], |status| status.waiting = 2);
        assert_eq!(broken(&liveness(), &views, None), [Rule::V11]);
    }

    #[test]
    fn late_and_endless_role_changes_are_seen() {
        let mut liveness = liveness();
        liveness.changed(Instant(1_000_000), ServerId(1));
        assert_eq!(broken(&liveness, &well(), None), []);
        liveness.changed(Instant(100_000_000), ServerId(1));
        assert_eq!(broken(&liveness, &well(), None), [Rule::V2]);
        for _ in 0..=ROLE_CHANGES {
            liveness.changed(Instant(2_000_000), ServerId(2));
        }
        assert_eq!(broken(&liveness, &well(), None), [Rule::V8]);
    }

    #[test]
    fn a_disturbance_gives_time_once_more() {
        let mut liveness = liveness();
        liveness.changed(Instant(100_000_000), ServerId(1));
        liveness.disturbed(Instant(101_000_000));
        liveness.changed(Instant(102_000_000), ServerId(1));
        assert_eq!(broken(&liveness, &well(), None), []);
        assert!(!liveness.can_judge(Instant(150_000_000)));
    }

    #[test]
    fn a_forgotten_request_is_seen() {
        let waiting = |since| Some((ServerId(1), ClientId(1), 1, Instant(since)));
        assert_eq!(broken(&liveness(), &well(), waiting(199_000_000)), []);
        assert_eq!(broken(&liveness(), &well(), waiting(100_000_000)), [Rule::V4]);
    }
}
