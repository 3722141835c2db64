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
    /// What another server said: they are committed, or were as the next ones. Counts while it is newer than all
    /// that the log says.
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

    /// Another server says that these are here to stay.
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
            self.rumour = Some(next);
            self.count();
        }
        is_news
    }

    /// The role is over, and with it what was heard before. Connections may stay.
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
        // The last ones that are here to stay: known to be committed, or their announcement must be.
        let mut sure = present;
        for (_, is_next, members) in &self.logged {
            match *is_next {
                true if mutated!(M130) => (present, next) = (members, None),
                true if mutated!(M131) => {}
                true => next = Some(members),
                false => {
                    sure = if next.is_some() || mutated!(Z08) { members } else { sure };
                    (present, next) = (members, None);
                }
            }
        }
        let known = [Some(present), next, self.applied.0.as_ref().or(Some(&self.told))];
        // What only others had may have been cut: what was announced since then counts all the same.
        let newest = next.filter(|_| !mutated!(Z08)).unwrap_or(present).ensemble.version;
        let learned = self.learned.as_ref().filter(|learned| learned.ensemble.version > newest);
        if let Some(learned) = learned {
            (present, next, sure) = (learned, None, learned);
        }
        // The first ones know best where somebody is.
        let mut peers = BTreeMap::new();
        for members in [learned].into_iter().chain(known).chain([self.rumour.as_ref()]).flatten() {
            for (id, line) in &members.servers {
                peers.entry(*id).or_insert_with(|| line.clone());
            }
        }
        let ensembles =
            Ensembles { present: present.ensemble.clone(), next: next.map(|next| next.ensemble.clone()) };
        let text =
            |members: &Membership| if members.ensemble.version > 0 { members.text() } else { String::new() };
        let texts = (text(sure), next.map(text).unwrap_or_default());
        let is_new = (&ensembles, &peers, &texts) != (&self.ensembles, &self.peers, &self.texts);
        (self.ensembles, self.peers, self.texts) = (ensembles, peers, texts);
        is_new
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use core::ops::RangeInclusive;

    use super::*;

    /// These servers, each at a host that begins with this letter.
    fn membership(version: u64, letter: char, ids: RangeInclusive<u64>) -> Membership {
        let lines: String = ids.map(|id| format!("server.{id}={letter}{id}:1:2\n")).collect();
        Membership::parse(&lines).expect("valid").with_version(version)
    }

    fn three() -> Members {
        let mut config = Config::new(ServerId(1), Ensemble::plain(3, 0));
        config.service.reconfig_enabled = true;
        config.service.ensemble_text = membership(0, 'a', 1..=3).lines();
        Members::new(&config)
    }

    /// The versions that are counted.
    fn counted(members: &Members) -> (u64, Option<u64>) {
        let Ensembles { present, next } = members.ensembles();
        (present.version, next.as_ref().map(|next| next.version))
    }

    fn hosts(members: &Members) -> String {
        members.peers().values().map(|line| format!("{} ", line.addresses[0].host)).collect()
    }

    #[test]
    fn who_is_known_by_hearsay_is_a_peer_whatever_the_log_says() {
        let mut members = three();
        assert!(members.hear(membership(9, 'b', 2..=4)));
        assert_eq!(hosts(&members), "a1 a2 a3 b4 ", "where the others are is known better");
        assert!(!members.stand(&State::default(), Zxid::ZERO, Zxid::ZERO), "its log is cut");
        assert_eq!(hosts(&members), "a1 a2 a3 b4 ");
        assert!(members.hear(membership(10, 'b', 5..=5)));
        assert_eq!(hosts(&members), "a1 a2 a3 b5 ", "the newest alone");
        assert!(members.forget_rumour());
        members.count();
        assert_eq!(hosts(&members), "a1 a2 a3 ");
    }

    #[test]
    fn where_servers_are_is_said_best_by_those_who_count_a_later_reconfig() {
        let mut members = three();
        assert!(members.learn(membership(9, 'b', 3..=5)));
        assert_eq!(hosts(&members), "a1 a2 b3 b4 b5 ");
    }

    /// Seed 27 of a swarm in which the voters of each world change: server 6 had heard of 1.91, which was cut, and
    /// led; it committed the announcement 2.31 with the old voters alone.
    #[test]
    fn members_of_whom_others_told_do_not_hide_voters_that_are_announced_later() {
        let mut members = three();
        let announced = membership(9, 'a', 3..=5);
        assert!(members.learn(membership(7, 'a', 1..=3)));
        assert_eq!(counted(&members), (7, None));
        assert!(members.logged(Zxid(9), &Change::NextMembers { data: announced.text().into_bytes().into() }));
        assert_eq!(counted(&members), (0, Some(9)));
        assert!(members.learn(announced.with_version(10)), "the change was finished elsewhere");
        assert_eq!(counted(&members), (10, None));
    }

    #[test]
    fn what_may_still_be_cut_is_not_told_to_others() {
        let (mut members, voters) = (three(), |version| membership(version, 'a', 1..=5).text());
        let reconfig = |text: &str| Change::Reconfig { data: text.as_bytes().into() };
        let observers = membership(5, 'a', 1..=3).text();
        assert!(members.logged(Zxid(5), &reconfig(&observers)));
        assert_eq!(counted(&members), (5, None));
        assert_eq!(members.texts(), &(String::new(), String::new()));
        members.logged.clear();
        members.applied = (Some(membership(5, 'a', 1..=3)), None);
        assert!(members.count(), "it is applied: they are told");
        assert_eq!(members.texts(), &(observers.clone(), String::new()));
        assert!(members.logged(Zxid(6), &Change::NextMembers { data: voters(6).as_bytes().into() }));
        assert_eq!(members.texts(), &(observers, voters(6)));
        assert!(members.logged(Zxid(7), &reconfig(&voters(7))));
        assert_eq!(members.texts(), &(voters(7), String::new()), "the announcement is committed");
    }
}
