//! Who belongs to the ensemble, and which sets of servers are a quorum (zab.md section 12).

use alloc::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::identity::ServerId;
use crate::mutated;

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

    /// Whether `other` has the same quorums by the same voters.
    #[must_use]
    pub fn has_same_voters(&self, other: &Self) -> bool {
        let voters = |ensemble: &Self| -> BTreeMap<ServerId, Member> {
            ensemble.voters().map(|id| (id, ensemble.members[&id])).collect()
        };
        self.hierarchical == other.hierarchical && voters(self) == voters(other)
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
            return present > total / 2 || (present * 2 == total && mutated!(M68));
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

/// The ensembles that a server counts: while the voters change, a quorum is one of the old ones and one of
/// the new ones (zab.md section 13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ensembles {
    /// The one that rules.
    pub present: Ensemble,
    /// The one that is to follow it, if there is one.
    pub next: Option<Ensemble>,
}

impl From<Ensemble> for Ensembles {
    fn from(present: Ensemble) -> Self {
        Self { present, next: None }
    }
}

impl Ensembles {
    /// The one, or both.
    pub fn iter(&self) -> impl Iterator<Item = &Ensemble> {
        core::iter::once(&self.present).chain(&self.next)
    }

    /// Whether `server` is a member of one.
    #[must_use]
    pub fn is_member(&self, server: ServerId) -> bool {
        self.iter().any(|ensemble| ensemble.members.contains_key(&server))
    }

    /// Whether `server` has a vote in one.
    #[must_use]
    pub fn is_voter(&self, server: ServerId) -> bool {
        self.iter().any(|ensemble| ensemble.is_voter(server))
    }

    /// Whether `server` may lead one.
    #[must_use]
    pub fn may_lead(&self, server: ServerId) -> bool {
        self.iter().any(|ensemble| ensemble.may_lead(server))
    }

    /// All voters of both, in ascending order.
    pub fn voters(&self) -> impl Iterator<Item = ServerId> + use<> {
        self.iter().flat_map(Ensemble::voters).collect::<BTreeSet<_>>().into_iter()
    }

    /// Whether `servers` contain a quorum of each.
    #[must_use]
    pub fn is_quorum(&self, servers: &BTreeSet<ServerId>) -> bool {
        self.is_quorum_of(|id| servers.contains(&id))
    }

    /// Whether `servers` contain a quorum of one of them.
    #[must_use]
    pub fn is_quorum_of_one(&self, servers: &BTreeSet<ServerId>) -> bool {
        self.iter().any(|ensemble| ensemble.is_quorum(servers))
    }

    /// Whether the voters that `has` accepts are a quorum of each.
    #[must_use]
    pub fn is_quorum_of(&self, has: impl Fn(ServerId) -> bool) -> bool {
        self.iter().all(|ensemble| ensemble.is_quorum_of(&has))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn set(ids: impl IntoIterator<Item = u64>) -> BTreeSet<ServerId> {
        ids.into_iter().map(ServerId).collect()
    }

    /// Participants 1, 2, ... of these groups and weights.
    fn groups(members: &[(u32, u32)]) -> Ensemble {
        let member = |(id, (group, weight)): (u64, &(u32, u32))| {
            (ServerId(id), Member { kind: MemberKind::Participant, group: *group, weight: *weight })
        };
        Ensemble { version: 0, members: (1..).zip(members).map(member).collect(), hierarchical: true }
    }

    fn any_ensemble() -> impl Strategy<Value = Ensemble> {
        let member = (any::<bool>(), 0..3u32, 0..4u32).prop_map(|(votes, group, weight)| {
            let kind = if votes { MemberKind::Participant } else { MemberKind::Observer };
            Member { kind, group, weight }
        });
        (prop::collection::vec(member, 1..9), any::<bool>()).prop_map(|(members, hierarchical)| {
            let members = (1..).map(ServerId).zip(members).collect();
            Ensemble { version: 0, members, hierarchical }
        })
    }

    /// A subset of the members, and a stranger now and then.
    fn any_set() -> impl Strategy<Value = BTreeSet<ServerId>> {
        prop::collection::vec(any::<bool>(), 10)
            .prop_map(|present| set((1..).zip(present).filter(|(_, present)| *present).map(|(id, _)| id)))
    }

    #[test]
    fn a_majority_is_more_than_half_of_the_voters() {
        for (voters, needed) in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4)] {
            let ensemble = Ensemble::plain(voters, 2);
            assert!(ensemble.is_quorum(&set(1..=needed)));
            assert!(!ensemble.is_quorum(&set(1..needed)));
        }
    }

    #[test]
    fn observers_and_strangers_make_no_majority() {
        let ensemble = Ensemble::plain(3, 3);
        assert!(!ensemble.is_quorum(&set([1, 4, 5, 6, 99])));
    }

    #[test]
    fn groups_need_more_than_half_of_the_weight_in_more_than_half_of_the_groups() {
        let three_by_three =
            groups(&[(0, 1), (0, 1), (0, 1), (1, 1), (1, 1), (1, 1), (2, 1), (2, 1), (2, 1)]);
        assert!(three_by_three.is_quorum(&set([1, 2, 4, 5])), "four of nine are enough");
        assert!(!three_by_three.is_quorum(&set([1, 2, 3, 4, 7])), "five of nine may be too few");
        let weighted = groups(&[(0, 3), (0, 1), (0, 1)]);
        assert!(weighted.is_quorum(&set([1])));
        assert!(!weighted.is_quorum(&set([2, 3])));
        let even = groups(&[(0, 1), (0, 1)]);
        assert!(!even.is_quorum(&set([1])), "half of the weight is not enough");
    }

    #[test]
    fn groups_without_weight_do_not_count() {
        let ensemble = groups(&[(0, 1), (1, 0), (2, 0)]);
        assert!(ensemble.is_quorum(&set([1])));
        assert!(!ensemble.is_quorum(&set([2, 3])));
        assert!(!groups(&[(0, 0)]).is_quorum(&set([1])), "nobody is a quorum of no weight");
    }

    #[test]
    fn only_voters_with_weight_may_lead() {
        let mut ensemble = groups(&[(0, 1), (0, 0), (0, 1)]);
        ensemble.members.get_mut(&ServerId(3)).expect("a member").kind = MemberKind::Observer;
        let leaders = |ensemble: &Ensemble| -> Vec<u64> {
            (1..5).filter(|id| ensemble.may_lead(ServerId(*id))).collect()
        };
        assert_eq!(leaders(&ensemble), [1]);
        ensemble.hierarchical = false;
        assert_eq!(leaders(&ensemble), [1, 2], "weights matter only with groups");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

        #[test]
        fn any_two_quorums_share_a_voter(ensemble in any_ensemble(), one in any_set(), two in any_set()) {
            if ensemble.is_quorum(&one) && ensemble.is_quorum(&two) {
                prop_assert!(one.intersection(&two).any(|id| ensemble.is_voter(*id)));
            }
        }

        #[test]
        fn a_set_and_its_complement_are_not_both_quorums(ensemble in any_ensemble(), one in any_set()) {
            let others = set(1..=10).difference(&one).copied().collect();
            prop_assert!(!(ensemble.is_quorum(&one) && ensemble.is_quorum(&others)));
        }

        #[test]
        fn what_contains_a_quorum_is_a_quorum(ensemble in any_ensemble(), one in any_set(), two in any_set()) {
            prop_assert!(!ensemble.is_quorum(&one) || ensemble.is_quorum(&(&one | &two)));
        }

        #[test]
        fn all_voters_are_a_quorum_if_anybody_may_lead(ensemble in any_ensemble()) {
            let electable = ensemble.voters().any(|id| ensemble.may_lead(id));
            prop_assert_eq!(ensemble.is_quorum(&ensemble.voters().collect()), electable);
        }

        #[test]
        fn a_quorum_of_both_is_one_of_each(one in any_ensemble(), two in any_ensemble(), set in any_set()) {
            let (is_one, is_two) = (one.is_quorum(&set), two.is_quorum(&set));
            let both = Ensembles { present: one, next: Some(two) };
            prop_assert_eq!(both.is_quorum(&set), is_one && is_two);
            prop_assert_eq!(both.is_quorum_of_one(&set), is_one || is_two);
            prop_assert!(both.voters().all(|id| both.is_voter(id)));
        }

        #[test]
        fn who_has_no_weight_or_no_vote_adds_nothing(ensemble in any_ensemble(), one in any_set()) {
            let heavy = one.iter().copied().filter(|id| ensemble.may_lead(*id)).collect();
            prop_assert_eq!(ensemble.is_quorum(&one), ensemble.is_quorum(&heavy));
        }
    }
}
