//! The operator of a world in which the voters change: what becomes of servers that are no members any more, and
//! a last change when all is well.

use zabrus_core::{Duration, ServerId};

use super::World;
use crate::clients::{Doing, Wish, members};
use crate::counters::Mark;
use crate::fault::Fault;
use crate::schedule::{Event, Index};
use crate::violation::Violation;

impl World {
    /// Once per tick: a removed server goes on, is switched off for good, or gets an empty disk to be added again. One
    /// that was added again after all is switched on.
    pub(super) fn operate(&mut self) -> Result<(), Violation> {
        self.schedule.push(self.now + self.settings.tick_time, Event::Operator);
        for at in 0..self.ids.len() as Index {
            let id = self.ids[usize::from(at)];
            let configs = self.ghost.configs();
            let (is_wanted, was_member) = (configs.is_wanted(id), configs.was_member(id));
            let server = &mut self.servers[usize::from(at)];
            if server.retired && is_wanted {
                server.retired = false;
                let boot = server.boot;
                self.schedule.push(self.now, Event::Restart { server: at, boot });
            }
            let is_over = server.process.is_some() && server.own_disk && was_member && !is_wanted;
            if !is_over || !self.operates {
                continue;
            }
            match self.operator.below(20) {
                0 | 1 => {
                    self.trace.note(self.now, Some(id), "is switched off for good");
                    self.ghost.counters_mut().saw(Mark::RetiredServers);
                    self.crash(id)?;
                    self.at(at).retired = true;
                }
                2 => {
                    self.ghost.counters_mut().saw(Mark::RenewedServers);
                    self.apply(&Fault::Wipe(id))?;
                    let boot = self.at(at).boot;
                    let pause = Duration(self.operator.between(self.settings.restart_micros));
                    self.schedule.push(self.now + pause, Event::Restart { server: at, boot });
                }
                _ => {}
            }
        }
        Ok(())
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
