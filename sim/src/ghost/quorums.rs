//! Sets of voters as bit masks, with every quorum worked out once.

use std::collections::BTreeSet;

use zabrus_core::ServerId;
use zabrus_core::quorum::Ensemble;

/// A set of voters: bit n is the n-th voter in ascending order.
pub type Voters = u32;

/// Which sets of voters are quorums.
#[derive(Clone, Debug)]
pub struct Quorums {
    voters: Vec<ServerId>,
    may_lead: Voters,
    quorum: Vec<bool>,
}

impl Quorums {
    /// The quorums of `ensemble`.
    #[must_use]
    pub fn new(ensemble: &Ensemble) -> Self {
        let voters: Vec<ServerId> = ensemble.voters().collect();
        assert!(voters.len() <= 12, "the table of quorums has 2^voters entries");
        let members = |mask: usize| -> BTreeSet<ServerId> {
            voters.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1).map(|(_, id)| *id).collect()
        };
        let quorum = (0..1 << voters.len()).map(|mask| ensemble.is_quorum(&members(mask))).collect();
        let may_lead = voters
            .iter()
            .enumerate()
            .filter(|(_, id)| ensemble.may_lead(**id))
            .fold(0, |mask, (bit, _)| mask | 1 << bit);
        Self { voters, may_lead, quorum }
    }

    /// The bit of a server, 0 if it has no vote: observers add nothing (E5, ZOOKEEPER-2959).
    #[must_use]
    pub fn bit(&self, server: ServerId) -> Voters {
        self.voters.binary_search(&server).map_or(0, |place| 1 << place)
    }

    /// Whether `voters` is a quorum.
    #[must_use]
    pub fn is_quorum(&self, voters: Voters) -> bool {
        self.quorum[voters as usize]
    }

    /// All voters.
    #[must_use]
    pub fn all(&self) -> Voters {
        (1 << self.voters.len()) - 1
    }

    /// Whether `server` may lead.
    #[must_use]
    pub fn may_lead(&self, server: ServerId) -> bool {
        self.may_lead & self.bit(server) != 0
    }

    /// The voters, in ascending order.
    #[must_use]
    pub fn voters(&self) -> &[ServerId] {
        &self.voters
    }

    /// The members of a set, for a message.
    #[must_use]
    pub fn names(&self, voters: Voters) -> String {
        let named = self.voters.iter().filter(|id| voters & self.bit(**id) != 0).map(ServerId::to_string);
        format!("{{{}}}", named.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn observers_add_nothing_and_two_of_three_voters_are_a_quorum() {
        let quorums = Quorums::new(&Ensemble::plain(3, 2));
        assert_eq!(quorums.bit(ServerId(4)), 0);
        assert!(!quorums.is_quorum(quorums.bit(ServerId(2))));
        assert!(quorums.is_quorum(quorums.bit(ServerId(1)) | quorums.bit(ServerId(3))));
        assert_eq!(quorums.all(), 0b111);
        assert_eq!(quorums.names(0b101), "{1, 3}");
    }
}
