//! The operator of a world in which the voters change: what becomes of servers that are no members any more, and
//! a last change when all is well.

use zabrus_core::{Duration, Instant, ServerId};

use super::World;
use crate::clients::{Doing, Wish, members};
use crate::counters::Mark;
use crate::fault::Fault;
use crate::schedule::{Event, Index};
use crate::violation::Violation;

impl World {
    /// Once per tick: a removed server goes on, or is switched off. Then it stays off for good, or gets an empty disk
    /// when everybody has noticed that it is gone: nobody may announce a server that is about to forget
    /// everything. One that was added again after all is switched on.
    pub(super) fn operate(&mut self) -> Result<(), Violation> {
        self.schedule.push(self.now + self.settings.tick_time, Event::Operator);
        for at in 0..self.ids.len() as Index {
            let id = self.ids[usize::from(at)];
            let configs = self.ghost.configs();
            let (is_wanted, was_member) = (configs.is_wanted(id), configs.was_member(id));
            let (now, server) = (self.now, &self.servers[usize::from(at)]);
            match server.retired_until {
                Some(_) if is_wanted => self.switch_on(at),
                Some(until) if until <= now && server.own_disk => {
                    self.ghost.counters_mut().saw(Mark::RenewedServers);
                    self.apply(&Fault::Wipe(id))?;
                    self.switch_on(at);
                }
                Some(_) => {}
                None => {
                    let is_over = server.process.is_some() && server.own_disk && was_member && !is_wanted;
                    if is_over && self.operates && self.operator.chance(150) {
                        self.switch_off(at)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn switch_off(&mut self, at: Index) -> Result<(), Violation> {
        let (now, id) = (self.now, self.ids[usize::from(at)]);
        let noticed = self.settings.tick_time.times(u64::from(self.settings.sync_limit) + 3);
        let for_good = self.operator.chance(600);
        self.trace.note(now, Some(id), if for_good { "is switched off for good" } else { "is switched off" });
        self.ghost.counters_mut().saw_times(Mark::RetiredServers, u64::from(for_good));
        self.crash(id)?;
        self.at(at).retired_until = Some(if for_good { Instant::NEVER } else { now + noticed });
        Ok(())
    }

    fn switch_on(&mut self, at: Index) {
        let now = self.now;
        let server = self.at(at);
        server.retired_until = None;
        let boot = server.boot;
        self.schedule.push(now, Event::Restart { server: at, boot });
    }

    /// Changes who votes once more, when everything is well: that must succeed.
    pub(super) fn change_voters_at_last(&mut self) -> Result<(), Violation> {
        if self.settings.load.voters.is_empty() || !self.settings.liveness_expected {
            return Ok(());
        }
        let Some(leader) = self.leader() else { return Ok(()) };
        let serves = |id: &u64| {
            let replica = self.server(ServerId(*id)).replica();
            replica.is_some_and(|replica| replica.status().serving)
        };
        let ids: Vec<u64> = self.settings.load.voters.iter().copied().filter(serves).collect();
        let hierarchical = self.ghost.present().ensemble.hierarchical;
        let asked = members::change_voters(&ids, hierarchical, &mut self.operator);
        self.direct("operator", &Doing::Connect(leader, None))?;
        self.run_until(self.now + Duration::from_seconds(1))?;
        self.direct("operator", &Doing::Ask { wishes: vec![Wish::Reconfig(asked)], on_old: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{LoadSettings, ServiceChoices, Settings};

    const REMOVED: ServerId = ServerId(1);
    const JOINS: ServerId = ServerId(4);

    fn wait(world: &mut World, ticks: u64) {
        world.run_until(world.now + world.settings.tick_time.times(ticks)).unwrap();
    }

    /// Servers 1 to 3 vote and server 4 may join them, and nobody asks for anything but the operator and a client `a`.
    fn world(seed: u64) -> World {
        let load = LoadSettings { clients: 0, voters: vec![1, 2, 3, 4], ..LoadSettings::default() };
        let service = ServiceChoices { reconfig: true, ..ServiceChoices::default() };
        let settings = Settings { joiners: [JOINS].into(), load, service, ..Settings::default() };
        let mut world = World::new(settings, seed);
        wait(&mut world, 10);
        world
    }

    /// The client asks for other voters, and is told that they vote.
    fn replace(world: &mut World, leaving: &[ServerId], joining: &[ServerId]) {
        let leader = world.leader().expect("somebody leads");
        world.direct("a", &Doing::Connect(leader, None)).unwrap();
        wait(world, 1);
        let wishes = vec![Wish::Reconfig(members::other(leaving, joining))];
        world.direct("a", &Doing::Ask { wishes, on_old: false }).unwrap();
        wait(world, 1);
        assert_eq!(world.heard("a").and_then(|heard| heard.code), Some(0));
    }

    /// Server 4 has taken the place of server 1, which has been switched off just now.
    fn switched_off(seed: u64) -> World {
        let mut world = world(seed);
        replace(&mut world, &[REMOVED], &[JOINS]);
        let removed = world.now;
        while world.server(REMOVED).retired_until.is_none() {
            wait(&mut world, 1);
            assert!(world.now.since(removed) < Duration::from_seconds(200), "it is never switched off");
        }
        world
    }

    #[test]
    fn a_server_is_switched_off_when_it_is_no_member_any_more_and_members_never_are() {
        let mut world = world(1);
        wait(&mut world, 60);
        assert!(world.servers.iter().all(|server| server.process.is_some()), "a joiner is not removed");
        let world = switched_off(1);
        assert!(world.server(REMOVED).process.is_none());
        let members = world.servers.iter().filter(|server| server.id != REMOVED);
        assert!(members.into_iter().all(|server| server.process.is_some() && server.retired_until.is_none()));
    }

    #[test]
    fn what_is_switched_off_for_good_stays_off_and_the_rest_forgets_everything_when_all_have_noticed() {
        let (mut for_good, mut renewed) = (0, 0);
        for seed in 0..8 {
            let mut world = switched_off(seed);
            let noticed = u64::from(world.settings.sync_limit) + 3;
            let is_for_good = world.server(REMOVED).retired_until == Some(Instant::NEVER);
            wait(&mut world, noticed - 1);
            world.apply(&Fault::Start(REMOVED)).unwrap();
            let server = world.server(REMOVED);
            assert!(server.process.is_none() && server.own_disk, "others may still count on it");
            wait(&mut world, 3);
            let server = world.server(REMOVED);
            assert_eq!((server.process.is_none(), server.own_disk), (is_for_good, is_for_good));
            wait(&mut world, 60);
            assert_eq!(world.server(REMOVED).process.is_none(), is_for_good, "nobody switches it off twice");
            for_good += u64::from(is_for_good);
            renewed += u64::from(!is_for_good);
        }
        assert!(for_good > 0 && renewed > 0, "{for_good} for good, {renewed} renewed");
    }

    #[test]
    fn whoever_is_added_again_is_switched_on_with_the_disk_that_it_has() {
        let mut world = switched_off(1);
        replace(&mut world, &[], &[REMOVED]);
        wait(&mut world, 10);
        let server = world.server(REMOVED);
        assert!(server.own_disk && server.retired_until.is_none());
        assert!(server.replica().is_some_and(|replica| replica.status().serving));
    }

    #[test]
    fn the_last_change_is_among_those_who_serve_and_must_succeed() {
        let mut changed = 0;
        for seed in 0..6 {
            let mut world = world(seed);
            world.apply(&Fault::Crash(JOINS)).unwrap();
            wait(&mut world, 5);
            let before = world.ghost.present().ensemble.version;
            world.change_voters_at_last().unwrap();
            wait(&mut world, 5);
            let heard = world.heard("operator").expect("the operator asks");
            assert!(heard.is_answered && heard.code != Some(-13), "seed {seed}: {heard:?}");
            let present = &world.ghost.present().ensemble;
            assert!(!present.members.contains_key(&JOINS), "seed {seed}: it is down");
            changed += u64::from(present.version != before);
        }
        assert!(changed > 1, "{changed} of 6");
    }

    #[test]
    fn nobody_is_replaced_where_voters_stay_what_they_are() {
        let mut world = World::new(Settings::default(), 1);
        wait(&mut world, 10);
        world.change_voters_at_last().unwrap();
        assert!(world.heard("operator").is_none());
    }
}
