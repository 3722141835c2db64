//! Which ensembles a server counts: what its state and its log say, and nothing else (zab.md section 13).
//!
//! A change of who votes is two transactions. From the first in its log on, a server counts quorums of the
//! present voters and of the next ones; from the second on, of these alone. The second is proposed when the
//! first is committed, by a quorum of each. So whoever lacks the first needs a quorum of the old voters, where
//! somebody has it; whoever has the second needs no more than the new ones; and who is cut back counts what is
//! left. Nothing must be remembered beside the log, and a reconfig of which a client hears is one that the new
//! voters can go on with, though all others are gone.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;

use crate::config::Config;
use crate::identity::{ServerId, Zxid};
use crate::membership::{Membership, ServerLine};
use crate::mutated;
use crate::quorum::{Ensemble, Ensembles};
use crate::state::State;
use crate::wire::Change;

/// The members as a server knows them.
pub(super) struct Members {
    /// Without reconfig what the operator wrote counts, whatever log and state say.
    is_fixed: bool,
    /// What the operator wrote.
    told: Membership,
    /// What the state says: the members, and those that are to follow.
    applied: (Option<Membership>, Option<Membership>),
    /// What the log says beyond the state, oldest first, and whether it only announces.
    logged: VecDeque<(Zxid, bool, Membership)>,
    /// What another server said. It counts those alone, so they were committed as the next ones.
    learned: Option<Membership>,
    /// Announced ones of which another server has heard and this one has not. They are not counted; but this
    /// server lets itself be counted by those that do, and votes for them, until its log says more.
    rumour: Option<Membership>,
    /// The outcome.
    ensembles: Ensembles,
    peers: BTreeMap<ServerId, ServerLine>,
    texts: (String, String),
}

impl Members {
    pub(super) fn new(config: &Config) -> Self {
        let told = Membership::parse(&config.service.ensemble_text)
            .map_or_else(|_| BTreeMap::new(), |told| told.servers);
        let told = Membership { ensemble: config.ensemble.clone(), servers: told };
        let mut members = Self {
            is_fixed: !config.service.reconfig_enabled,
            ensembles: told.ensemble.clone().into(),
            peers: told.servers.clone(),
            told,
            applied: (None, None),
            logged: VecDeque::new(),
            learned: None,
            rumour: None,
            texts: (String::new(), String::new()),
        };
        members.count();
        members
    }

    pub(super) fn ensembles(&self) -> &Ensembles {
        &self.ensembles
    }

    /// The present members and the next ones, for servers that have not heard of them.
    pub(super) fn texts(&self) -> &(String, String) {
        &self.texts
    }

    pub(super) fn rumour(&self) -> Option<&Ensemble> {
        self.rumour.as_ref().map(|rumour| &rumour.ensemble)
    }

    /// Everybody who is to be reached, and where.
    pub(super) fn peers(&self) -> &BTreeMap<ServerId, ServerLine> {
        &self.peers
    }

    /// Whether the log ends a change or begins one that is not applied.
    pub(super) fn is_changing(&self) -> bool {
        !self.logged.is_empty()
    }

    /// The log has one transaction more.
    pub(super) fn logged(&mut self, zxid: Zxid, change: &Change) -> bool {
        let (is_next, data) = match change {
            Change::NextMembers { data } => (true, data),
            Change::Reconfig { data } => (false, data),
            _ => return false,
        };
        let Some(members) = Membership::from_bytes(data) else { return false };
        self.logged.push_back((zxid, is_next, members));
        self.count()
    }

    /// The log ends at `last`, and the state has everything up to `upto`.
    pub(super) fn stand(&mut self, state: &State, upto: Zxid, last: Zxid) -> bool {
        self.logged.retain(|(zxid, ..)| *zxid > upto && *zxid <= last);
        self.applied = (state.membership(), state.next_members());
        self.count()
    }

    /// Another server counts these alone.
    pub(super) fn learn(&mut self, members: Membership) -> bool {
        let is_news = !self.is_fixed && members.ensemble.version > self.ensembles.present.version;
        if is_news {
            self.learned = Some(members);
        }
        is_news && self.count()
    }

    /// Another server counts these too. Returns whether that is news.
    pub(super) fn hear(&mut self, next: Membership) -> bool {
        let known =
            [self.ensembles.next.as_ref(), self.rumour()].into_iter().flatten().map(|next| next.version);
        let newest = known.chain([self.ensembles.present.version]).max().unwrap_or_default();
        let is_news = !self.is_fixed && next.ensemble.version > newest;
        if is_news {
            self.peers.extend(next.servers.clone());
            self.rumour = Some(next);
        }
        is_news
    }

    /// The role is over, and with it what was heard before.
    pub(super) fn forget_rumour(&mut self) -> bool {
        self.rumour.take().is_some()
    }

    /// Returns whether something is different now.
    fn count(&mut self) -> bool {
        if self.is_fixed {
            return false;
        }
        let mut present = self.applied.0.as_ref().unwrap_or(&self.told);
        let mut next = self.applied.1.as_ref();
        for (_, is_next, members) in &self.logged {
            match *is_next {
                true if mutated!(M130) => (present, next) = (members, None),
                true if mutated!(M131) => {}
                true => next = Some(members),
                false => (present, next) = (members, None),
            }
        }
        let mut peers = self.peers_of([Some(present), next, self.applied.0.as_ref().or(Some(&self.told))]);
        // A reconfig that only others had may have been cut: what was announced since then counts all the same.
        let newest = next.filter(|_| !mutated!(Z08)).unwrap_or(present).ensemble.version;
        if let Some(learned) = &self.learned
            && learned.ensemble.version > newest
        {
            peers.extend(learned.servers.clone());
            (present, next) = (learned, None);
        }
        let ensembles =
            Ensembles { present: present.ensemble.clone(), next: next.map(|next| next.ensemble.clone()) };
        let is_new = (&ensembles, &peers) != (&self.ensembles, &self.peers);
        let text =
            |members: &Membership| if members.ensemble.version > 0 { members.text() } else { String::new() };
        self.texts = (text(present), next.map(text).unwrap_or_default());
        (self.ensembles, self.peers) = (ensembles, peers);
        is_new
    }

    fn peers_of(&self, members: [Option<&Membership>; 3]) -> BTreeMap<ServerId, ServerLine> {
        let lines = members.into_iter().flatten().flat_map(|members| &members.servers);
        // The earlier ones know better.
        let mut peers = BTreeMap::new();
        for (id, line) in lines {
            peers.entry(*id).or_insert_with(|| line.clone());
        }
        peers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Bytes;

    /// The text of members of whom these vote.
    fn text(version: u64, voters: &[u64]) -> String {
        let lines = voters.iter().map(|id| alloc::format!("server.{id}=s{id}:1:2:participant;3\n"));
        alloc::format!("{}version={version:x}", lines.collect::<String>())
    }

    fn read(version: u64, voters: &[u64]) -> Membership {
        Membership::parse(&text(version, voters)).expect("members")
    }

    fn members(told: &[u64]) -> Members {
        let told = read(0, told);
        let mut config = Config::new(ServerId(1), told.ensemble.clone());
        config.service.reconfig_enabled = true;
        config.service.ensemble_text = told.text();
        Members::new(&config)
    }

    /// The versions that are counted.
    fn counted(members: &Members) -> (u64, Option<u64>) {
        let Ensembles { present, next } = members.ensembles();
        (present.version, next.as_ref().map(|next| next.version))
    }

    /// Seed 27 of a swarm in which the voters of each world change: server 6 had heard of 1.91, which was cut, and
    /// led; it committed the announcement 2.31 with the old voters alone.
    #[test]
    fn members_of_whom_others_told_do_not_hide_voters_that_are_announced_later() {
        let mut members = members(&[1, 2, 3]);
        let announce = Change::NextMembers { data: Bytes::from(text(9, &[3, 4, 5]).as_bytes()) };
        assert!(members.learn(read(7, &[1, 2, 3])));
        assert_eq!(counted(&members), (7, None));
        assert!(members.logged(Zxid(9), &announce));
        assert_eq!(counted(&members), (0, Some(9)));
        assert!(members.learn(read(10, &[3, 4, 5])), "the change was finished elsewhere");
        assert_eq!(counted(&members), (10, None));
    }
}
