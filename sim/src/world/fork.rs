//! Other worlds that begin where this one is: what if all lost their power now?

use std::collections::BTreeSet;

use zabrus_core::{Duration, Position, ServerId};

use super::World;
use crate::checks::r03_any_election::{self, Fork};
use crate::fault::{DiskFault, Fault};
use crate::random::Random;
use crate::violation::Violation;

impl World {
    /// R3 (invariants.md section 5): if all lost their power now and a random quorum came back, it
    /// would have everything that is committed here.
    pub(super) fn survives_any_election(&mut self, random: &mut Random) -> Result<(), Violation> {
        // One of an ensemble that rules, or may come to rule, or was there at first.
        let mut ensembles = self.ghost.configs().open();
        if ensembles[0] != self.settings.ensemble {
            ensembles.push(self.settings.ensemble.clone());
        }
        let ensemble = if let [only] = &ensembles[..] { only } else { random.pick(&ensembles) };
        let mut voters: Vec<ServerId> = ensemble.voters().collect();
        random.shuffle(&mut voters);
        let mut members = BTreeSet::new();
        for voter in voters {
            if !ensemble.is_quorum(&members) {
                members.insert(voter);
            }
        }
        let seed = random.next_u64();
        let lived = self.fork(&members, seed).and_then(|mut fork| {
            let led = fork.until_it_serves()?;
            Ok((fork, led))
        });
        let (fork, led) = lived.map_err(|violation| Violation {
            sentence: format!("if all lost power at {}: {}", self.now, violation.sentence),
            ..violation
        })?;
        let verdict = r03_any_election::check(self.ghost.history().committed(), |committed| match led {
            Some(leader) => {
                // Its memory may have forgotten that position; the observer never does. And what it
                // has only in its memory, the observer has not seen.
                let history = fork.ghost.history();
                let durable = fork.server(leader).replica().map(|replica| replica.status().durable);
                let end = durable.and_then(|zxid| history.position(zxid));
                let extends = |end: &Position| history.is_prefix(committed, *end);
                Fork::Led { at_committed: end.filter(extends).map(|_| committed) }
            }
            None => Fork::Leaderless,
        });
        self.ghost.forked(verdict)
    }

    /// A world in which all machines of this one have lost their power at this moment, and only
    /// `members` are started again. No fault happens in it, nobody asks anything of it, and its
    /// observer knows everything that happened here.
    ///
    /// # Errors
    /// If a rule is broken at once.
    pub fn fork(&self, members: &BTreeSet<ServerId>, seed: u64) -> Result<Self, Violation> {
        let mut settings = self.settings.clone();
        (settings.start_all, settings.load.clients, settings.load.recipe) = (false, 0, None);
        settings.load.voters.clear();
        let mut world = Self::new(settings, seed);
        world.now = self.now;
        world.ghost = self.ghost.clone();
        for (server, original) in world.servers.iter_mut().zip(&self.servers) {
            server.disk = original.disk.clone();
            server.own_disk = original.own_disk;
            server.disk.power_loss(&mut server.disk_random);
            server.disk.inject(&DiskFault::Repair, &mut server.disk_random);
            world.ghost.crashed(server.id, &server.disk)?;
        }
        world.calm();
        for id in members {
            world.apply(&Fault::Start(*id))?;
        }
        Ok(world)
    }

    /// Runs until a leader serves, or longer than that could take (invariants.md V1).
    fn until_it_serves(&mut self) -> Result<Option<ServerId>, Violation> {
        let ticks = 3 * u64::from(self.settings.init_limit);
        let end = self.now + self.settings.tick_time.times(ticks) + Duration::from_seconds(10);
        while self.now < end && self.leader().is_none() {
            self.run_until(self.now + Duration::from_millis(100))?;
        }
        Ok(self.leader())
    }
}
