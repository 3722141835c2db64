//! Faults, applied.

use zabrus_core::ServerId;
use zabrus_core::io::{Command, Input};

use super::World;
use super::process::End;
use crate::fault::{DiskFault, Fault, FaultKind};
use crate::schedule::Index;
use crate::violation::Violation;

impl World {
    /// Makes a fault happen now, or ends one. What cannot happen (a crash of a process that does
    /// not run, a server that does not exist) has no effect.
    ///
    /// # Errors
    /// If a rule is broken.
    pub fn apply(&mut self, fault: &Fault) -> Result<(), Violation> {
        if let Some(kind) = fault.kind() {
            *self.ghost.counters_mut().faults.entry(kind.name()).or_default() += 1;
        }
        self.trace.fault(self.now, fault);
        self.ghost.clock(self.now);
        match fault {
            Fault::Crash(id) | Fault::Outage(id) => self.crash(*id),
            Fault::PowerLoss(ids) => {
                ids.iter().filter_map(|id| self.index(*id)).collect::<Vec<_>>().into_iter().try_for_each(
                    |at| {
                        self.at(at).boot += 1;
                        self.stop(at, End::Machine)
                    },
                )
            }
            Fault::Start(id) => self.index(*id).map_or(Ok(()), |at| self.start(at)),
            Fault::Pause(id) => {
                if let Some(at) = self.index(*id) {
                    self.pause(at);
                }
                Ok(())
            }
            Fault::Resume(id) => self.index(*id).map_or(Ok(()), |at| self.resume(at)),
            Fault::Wipe(id) => {
                self.crash(*id)?;
                self.with(*id, |world, at| {
                    let server = world.at(at);
                    server.disk.wipe();
                    server.own_disk = false;
                    world.damaged(at)
                })
            }
            Fault::SwapDisks(one, other) => self.swap_disks(*one, *other),
            Fault::Partition { blocked, .. } | Fault::Block(blocked) => {
                self.each_direction(blocked, |world, from, to| {
                    world.network.block(world.now, from, to, &mut world.schedule);
                });
                Ok(())
            }
            Fault::Unblock(blocked) => {
                self.each_direction(blocked, |world, from, to| {
                    world.network.unblock(world.now, from, to, &mut world.schedule);
                });
                Ok(())
            }
            Fault::Heal => {
                self.network.heal(self.now, &mut self.schedule);
                Ok(())
            }
            Fault::BreakLink(one, other) => {
                self.each_direction(&[(*one, *other)], |world, one, other| {
                    world.network.break_connection(world.now, one, other, &mut world.schedule);
                });
                Ok(())
            }
            Fault::Clog { from, to, extra } => {
                self.each_direction(&[(*from, *to)], |world, from, to| world.network.clog(from, to, *extra));
                Ok(())
            }
            Fault::Disk { server, fault } => self.with(*server, |world, at| {
                let server = world.at(at);
                server.disk.inject(fault, &mut server.disk_random);
                server.misdirects |= *fault == DiskFault::MisdirectedWrite;
                if fault.kind().is_some_and(FaultKind::damages) { world.damaged(at) } else { Ok(()) }
            }),
            Fault::WallJump { server, millis } => self.with(*server, |world, at| {
                world.at(at).clock.jump(*millis);
                Ok(())
            }),
            Fault::Drift { server, per_million } => self.with(*server, |world, at| {
                let now = world.now;
                let Self { servers, schedule, .. } = world;
                let server = &mut servers[usize::from(at)];
                server.clock.set_drift(now, *per_million);
                server.set_timer(now, at, schedule);
                Ok(())
            }),
            Fault::Elect { server, leader } => {
                self.with(*server, |world, at| world.feed(at, Input::Command(Command::Elect(*leader))))
            }
        }
    }

    fn with(
        &mut self,
        id: ServerId,
        act: impl FnOnce(&mut Self, Index) -> Result<(), Violation>,
    ) -> Result<(), Violation> {
        self.index(id).map_or(Ok(()), |at| act(self, at))
    }

    fn each_direction(&mut self, directions: &[(ServerId, ServerId)], act: impl Fn(&mut Self, Index, Index)) {
        for (from, to) in directions {
            if let (Some(from), Some(to)) = (self.index(*from), self.index(*to))
                && from != to
            {
                act(self, from, to);
            }
        }
    }

    pub(super) fn crash(&mut self, id: ServerId) -> Result<(), Violation> {
        self.with(id, |world, at| {
            // Also calls off the restart of a process that ended by itself.
            world.at(at).boot += 1;
            if world.at(at).process.is_some() { world.stop(at, End::Process) } else { Ok(()) }
        })
    }

    fn swap_disks(&mut self, one: ServerId, other: ServerId) -> Result<(), Violation> {
        let (Some(first), Some(second)) = (self.index(one), self.index(other)) else { return Ok(()) };
        if first == second {
            return Ok(());
        }
        self.crash(one)?;
        self.crash(other)?;
        if let Ok([first, second]) = self.servers.get_disjoint_mut([usize::from(first), usize::from(second)])
        {
            std::mem::swap(&mut first.disk, &mut second.disk);
        }
        for at in [first, second] {
            self.at(at).own_disk = false;
            self.damaged(at)?;
        }
        Ok(())
    }

    /// What is durable changed, other than by the operations of a process.
    pub(super) fn damaged(&mut self, at: Index) -> Result<(), Violation> {
        let server = &self.servers[usize::from(at)];
        self.ghost.damaged(server.id, &server.disk, server.own_disk)
    }
}
