//! Which ensembles count for whom (zab.md section 13): derived from transactions and commits alone, never from
//! what a replica says.
//!
//! A change from the voters of C to those of C' is two transactions. From the first in its log on a server counts
//! C and C', from the second on C' alone. The second is proposed when the first is committed. A
//! change that leaves the voters as they are is the second alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use zabrus_core::quorum::Ensemble;
use zabrus_core::wire::{Change, Transaction};
use zabrus_core::{Position, ServerId, Zxid};

use super::history::History;
use super::model;
use super::quorums::{Quorums, Servers};
use crate::checks::{Verdict, m01_members};

/// One ensemble, from its transaction on.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who belongs to it.
    pub ensemble: Ensemble,
    /// Its quorums.
    pub quorums: Quorums,
    /// It is announced: the one before it counts, too.
    pub is_next: bool,
    /// The change before it in the log, zero if there is none.
    pub before: Zxid,
}

/// All ensembles that were ever proposed.
#[derive(Clone, Debug)]
pub struct Configs {
    servers: Arc<[ServerId]>,
    /// What the servers' operators wrote.
    files: BTreeMap<ServerId, Config>,
    /// By transaction.
    proposed: BTreeMap<Zxid, Config>,
    /// Those that are committed, in ascending order.
    committed: Vec<Zxid>,
    /// Who ever had a vote in an ensemble that was proposed or written.
    ever: Servers,
}

impl Configs {
    /// At first each server counts what its operator wrote.
    #[must_use]
    pub fn new(files: BTreeMap<ServerId, Ensemble>) -> Self {
        let servers: Arc<[ServerId]> = files.keys().copied().collect();
        let config = |ensemble: Ensemble| {
            let quorums = Quorums::among(&servers, &ensemble);
            Config { ensemble, quorums, is_next: false, before: Zxid::ZERO }
        };
        let files: BTreeMap<_, _> = files.into_iter().map(|(id, file)| (id, config(file))).collect();
        let ever = files.values().fold(0, |ever, file| ever | file.quorums.voters());
        Self { servers, files, proposed: BTreeMap::new(), committed: Vec::new(), ever }
    }

    /// All servers of the world.
    #[must_use]
    pub fn servers(&self) -> &Arc<[ServerId]> {
        &self.servers
    }

    /// Takes note of a transaction after `previous`, which was seen for the first time.
    ///
    /// # Errors
    /// If it changes the ensemble, and must not do that there.
    pub fn learn(&mut self, history: &History, previous: Position, at: Position) -> Verdict {
        let payload = history.known(at.zxid).map(|known| known.payload.clone()).unwrap_or_default();
        let Ok(Transaction { change, .. }) = Transaction::decode(&payload) else { return Ok(()) };
        let Some((is_next, text)) = changed(&change) else { return Ok(()) };
        let ensemble = model::ensemble(std::str::from_utf8(text).unwrap_or_default());
        let before = self.last(history, previous);
        let leader = self.servers[0];
        let verdict = self.get(leader, before).map_or(Ok(()), |earlier| {
            let present = &self.present_of(leader, before).ensemble;
            let is_committed = before == Zxid::ZERO || self.is_committed(before);
            m01_members::order(at.zxid, (is_next, &ensemble), present, earlier, is_committed)
        });
        let quorums = Quorums::among(&self.servers, &ensemble);
        self.ever |= quorums.voters();
        self.proposed.insert(at.zxid, Config { ensemble, quorums, is_next, before });
        verdict
    }

    /// This transaction is committed.
    pub fn commit(&mut self, zxid: Zxid) {
        if self.proposed.contains_key(&zxid) {
            self.committed.push(zxid);
        }
    }

    /// The last change in the history that ends here, zero if there is none.
    #[must_use]
    pub fn last(&self, history: &History, end: Position) -> Zxid {
        let mut found = Zxid::ZERO;
        let committed = history.committed_part(end, |position| {
            if self.proposed.contains_key(&position.zxid) {
                found = found.max(position.zxid);
            }
        });
        let place = self.committed.partition_point(|zxid| *zxid <= committed.zxid);
        found.max(place.checked_sub(1).map_or(Zxid::ZERO, |place| self.committed[place]))
    }

    /// Whether this change is committed.
    #[must_use]
    pub fn is_committed(&self, change: Zxid) -> bool {
        self.committed.binary_search(&change).is_ok()
    }

    /// The ensemble of a change, as `server` has it; `None` if nobody proposed that.
    #[must_use]
    pub fn get(&self, server: ServerId, change: Zxid) -> Option<&Config> {
        if change == Zxid::ZERO { self.files.get(&server) } else { self.proposed.get(&change) }
    }

    /// The one that rules behind a change that was seen, announced ones left out.
    fn present_of(&self, server: ServerId, change: Zxid) -> &Config {
        let config = self.get(server, change).expect("it was seen");
        if config.is_next { self.get(server, config.before).expect("it was seen") } else { config }
    }

    /// The ensembles that `server` counts with a log that ends here.
    #[must_use]
    pub fn counted(&self, history: &History, server: ServerId, end: Position) -> Vec<&Config> {
        let last = self.last(history, end);
        let present = self.present_of(server, last);
        let next = self.get(server, last).filter(|config| config.is_next);
        [present].into_iter().chain(next).collect()
    }

    /// The quorums of those.
    #[must_use]
    pub fn quorums(&self, history: &History, server: ServerId, end: Position) -> Quorums {
        let counted = self.counted(history, server, end).into_iter().map(|config| config.quorums.clone());
        counted.reduce(|one, other| one.and(&other)).expect("at least one counts")
    }

    /// The quorums without which this transaction cannot be committed: an announcement needs both ensembles, and
    /// all that follows it needs the new one.
    #[must_use]
    pub fn deciding(&self, history: &History, leader: ServerId, at: Position) -> Quorums {
        if self.proposed.contains_key(&at.zxid) {
            return self.quorums(history, leader, at);
        }
        self.get(leader, self.last(history, at)).expect("it was seen").quorums.clone()
    }

    /// The ensemble that rules after everything that is committed; `server` names the file that counts before all.
    #[must_use]
    pub fn present(&self, server: ServerId) -> &Config {
        self.present_of(server, self.committed.last().copied().unwrap_or_default())
    }

    /// What a server may hear of from others: ensembles that are here to stay, because they are committed, or
    /// their announcement is.
    pub fn teachable(&self) -> impl DoubleEndedIterator<Item = &Config> {
        let is_sure = |(zxid, config): &(&Zxid, &Config)| {
            let announced = self.proposed.get(&config.before).is_some_and(|before| before.is_next);
            !config.is_next && self.is_committed(if announced { config.before } else { **zxid })
        };
        self.proposed.iter().filter(is_sure).map(|(_, config)| config)
    }

    /// Announcements and what came of them behind `zxid`.
    pub fn announced_since(&self, zxid: Zxid) -> impl Iterator<Item = &Config> {
        self.proposed.range(zxid..).map(|(_, config)| config)
    }

    /// Whether a server was in an ensemble that ruled.
    #[must_use]
    pub fn was_member(&self, server: ServerId) -> bool {
        let earlier = self.committed.iter().filter_map(|zxid| self.proposed.get(zxid));
        let all = self.files.get(&self.servers[0]).into_iter().chain(earlier);
        all.into_iter().any(|config| !config.is_next && config.ensemble.members.contains_key(&server))
    }

    /// Whether an ensemble wants this server that rules, or may still do so.
    #[must_use]
    pub fn is_wanted(&self, server: ServerId) -> bool {
        self.open().iter().any(|ensemble| ensemble.members.contains_key(&server))
    }

    /// The ensemble that rules, and those that may still come to rule.
    #[must_use]
    pub fn open(&self) -> Vec<Ensemble> {
        let rules = self.committed.iter().rfind(|zxid| !self.proposed[zxid].is_next);
        let first = rules.is_none().then(|| &self.files[&self.servers[0]]);
        let open = self.proposed.range(rules.copied().unwrap_or_default()..).map(|(_, config)| config);
        first.into_iter().chain(open).map(|config| config.ensemble.clone()).collect()
    }

    /// Whether a server ever could have a vote.
    #[must_use]
    pub fn ever_voted(&self, server: ServerId) -> bool {
        self.servers.binary_search(&server).is_ok_and(|bit| self.ever >> bit & 1 == 1)
    }
}

/// The text of a change of the ensemble, and whether it announces one.
fn changed(change: &Change) -> Option<(bool, &[u8])> {
    match change {
        Change::NextMembers { data } => Some((true, data)),
        Change::Reconfig { data } => Some((false, data)),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use zabrus_core::wire::{Origin, SessionId};

    use super::*;
    use crate::settings::member_line;

    /// What a transaction says of the members: these vote, and nobody else belongs to them.
    pub(crate) fn text(version: Zxid, voters: &[u64]) -> zabrus_core::Bytes {
        let lines: String = voters.iter().map(|id| member_line(*id, false) + "\n").collect();
        zabrus_core::Bytes::from(format!("{lines}version={:x}", version.0).as_bytes())
    }

    /// The bytes of a transaction.
    pub(crate) fn payload(zxid: Zxid, change: Change) -> zabrus_core::Bytes {
        let origin = Origin { server: ServerId(3), boot: 1, client: 0, number: 0 };
        let session = SessionId(0);
        Transaction { origin, session, cxid: 0, zxid, time: 0, change, digest: None }.encode().into()
    }

    /// These voters are announced.
    pub(crate) fn announce(zxid: Zxid, voters: &[u64]) -> Change {
        Change::NextMembers { data: text(zxid, voters) }
    }

    /// These voters rule.
    pub(crate) fn reconfig(zxid: Zxid, voters: &[u64]) -> Change {
        Change::Reconfig { data: text(zxid, voters) }
    }
}

#[cfg(test)]
mod tests;
