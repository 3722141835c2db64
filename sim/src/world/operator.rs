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
