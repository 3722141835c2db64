//! Who belongs to the ensemble, and which sets of servers are a quorum (zab.md section 12).

use alloc::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::identity::ServerId;

/// Whether a member votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberKind {
    /// Votes in elections, promises epochs, acknowledges proposals.
    Participant,
    /// Follows the leader, is never counted (zab.md section 7).
    Observer,
}

/// One member of the ensemble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Whether it votes.
    pub kind: MemberKind,
    /// Its group, if the ensemble is hierarchical.
    pub group: u32,
    /// Its weight within its group; 0 is never elected and adds nothing.
    pub weight: u32,
}

/// The members and the rule by which sets of them are quorums.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ensemble {
    /// The version of this configuration.
    pub version: u64,
    /// All members.
    pub members: BTreeMap<ServerId, Member>,
    /// Quorums by groups and weights instead of plain majorities.
    pub hierarchical: bool,
}

impl Ensemble {
    /// Participants 1 to `voters` and `observers` observers after them; plain majorities.
    #[must_use]
    pub fn plain(voters: u64, observers: u64) -> Self {
        let member = |id| {
            let kind = if id <= voters { MemberKind::Participant } else { MemberKind::Observer };
            (ServerId(id), Member { kind, group: 0, weight: 1 })
        };
        Self { version: 0, members: (1..=voters + observers).map(member).collect(), hierarchical: false }
    }

    /// Whether `server` is a member with a vote.
    #[must_use]
    pub fn is_voter(&self, server: ServerId) -> bool {
        self.members.get(&server).is_some_and(|m| m.kind == MemberKind::Participant)
    }

    /// Whether `server` may lead: a voter whose weight is not 0.
    #[must_use]
    pub fn may_lead(&self, server: ServerId) -> bool {
        self.is_voter(server) && (!self.hierarchical || self.members[&server].weight > 0)
    }

    /// All voters, in ascending order.
    pub fn voters(&self) -> impl Iterator<Item = ServerId> + '_ {
        self.members.iter().filter(|(_, m)| m.kind == MemberKind::Participant).map(|(id, _)| *id)
    }

    /// Whether the voters among `servers` are a quorum. Non-voters add nothing (ZOOKEEPER-2959).
    #[must_use]
    pub fn is_quorum(&self, servers: &BTreeSet<ServerId>) -> bool {
        self.is_quorum_of(|id| servers.contains(&id))
    }

    /// Whether the voters that `has` accepts are a quorum.
    #[must_use]
    pub fn is_quorum_of(&self, has: impl Fn(ServerId) -> bool) -> bool {
        if !self.hierarchical {
            let (present, total) = self
                .voters()
                .fold((0, 0), |(present, total), id| (present + usize::from(has(id)), total + 1));
            return present > total / 2;
        }
        let mut groups: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
        for (id, member) in self.members.iter().filter(|(_, m)| m.kind == MemberKind::Participant) {
            let (present, total) = groups.entry(member.group).or_default();
            *total += u64::from(member.weight);
            if has(*id) {
                *present += u64::from(member.weight);
            }
        }
        groups.retain(|_, (_, total)| *total > 0);
        let satisfied = groups.values().filter(|(present, total)| present * 2 > *total).count();
        satisfied > groups.len() / 2
    }
}
