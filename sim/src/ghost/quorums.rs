//! Sets of servers as bit masks, with every quorum worked out once.

use std::sync::Arc;

use zabrus_core::ServerId;
use zabrus_core::quorum::Ensemble;

/// A set of servers of the world: bit n is the n-th in ascending order.
pub type Servers = u32;

/// Which sets of servers are quorums of all ensembles that count: of one, or of two while a change from one to
/// the other is not known to be committed (zab.md section 13).
#[derive(Clone, Debug)]
pub struct Quorums {
    servers: Arc<[ServerId]>,
    ensembles: Vec<Arc<Table>>,
}

#[derive(Debug)]
struct Table {
    voters: Servers,
    may_lead: Servers,
    quorum: Vec<bool>,
}

impl Quorums {
    /// The quorums of `ensemble`, in a world of its members alone.
    #[must_use]
    pub fn new(ensemble: &Ensemble) -> Self {
        Self::among(&ensemble.members.keys().copied().collect(), ensemble)
    }

    /// The quorums of `ensemble`, in a world of `servers`.
    #[must_use]
    pub fn among(servers: &Arc<[ServerId]>, ensemble: &Ensemble) -> Self {
        assert!(servers.len() <= 18, "the table of quorums has 2^servers entries");
        let bits = || servers.iter().copied().enumerate();
        let set = |is_in: &dyn Fn(ServerId) -> bool| {
            bits().filter(|(_, id)| is_in(*id)).fold(0, |set: Servers, (bit, _)| set | 1 << bit)
        };
        let has = |mask: Servers, id| servers.binary_search(&id).is_ok_and(|bit| mask >> bit & 1 == 1);
        let quorum = (0..1 << servers.len()).map(|mask| ensemble.is_quorum_of(|id| has(mask, id))).collect();
        let voters = set(&|id| ensemble.is_voter(id));
        let table = Table { voters, may_lead: set(&|id| ensemble.may_lead(id)), quorum };
        Self { servers: servers.clone(), ensembles: vec![Arc::new(table)] }
    }

    /// The sets that are quorums of these and of `others`.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        let ensembles = self.ensembles.iter().chain(&others.ensembles).cloned().collect();
        Self { servers: self.servers.clone(), ensembles }
    }

    /// The bit of a server, 0 if it is none of this world.
    #[must_use]
    pub fn bit(&self, server: ServerId) -> Servers {
        self.servers.binary_search(&server).map_or(0, |place| 1 << place)
    }

    /// Whether the voters among `servers` are a quorum of each ensemble. Observers and strangers add nothing
    /// (E5, ZOOKEEPER-2959).
    #[must_use]
    pub fn is_quorum(&self, servers: Servers) -> bool {
        self.ensembles.iter().all(|table| table.quorum[servers as usize])
    }

    /// Whether they are one of at least one ensemble.
    #[must_use]
    pub fn is_quorum_of_one(&self, servers: Servers) -> bool {
        self.ensembles.iter().any(|table| table.quorum[servers as usize])
    }

    /// All voters.
    #[must_use]
    pub fn voters(&self) -> Servers {
        self.ensembles.iter().fold(0, |set, table| set | table.voters)
    }

    /// Whether `server` has a vote.
    #[must_use]
    pub fn is_voter(&self, server: ServerId) -> bool {
        self.voters() & self.bit(server) != 0
    }

    /// Whether `server` may lead.
    #[must_use]
    pub fn may_lead(&self, server: ServerId) -> bool {
        self.ensembles.iter().any(|table| table.may_lead & self.bit(server) != 0)
    }

    /// All servers of the world, in ascending order.
    #[must_use]
    pub fn servers(&self) -> &[ServerId] {
        &self.servers
    }

    /// The voters in a set, for a message.
    #[must_use]
    pub fn names(&self, servers: Servers) -> String {
        let voters = servers & self.voters();
        let named = self.servers.iter().filter(|id| voters & self.bit(**id) != 0).map(ServerId::to_string);
        format!("{{{}}}", named.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// While voters 1 to `old` give way to `new`, in a world of servers 1 to 9.
    pub(crate) fn joint(old: u64, new: &[u64]) -> Quorums {
        let servers: Arc<[ServerId]> = (1..=9).map(ServerId).collect();
        let mut next = Ensemble::plain(9, 0);
        next.members.retain(|id, _| new.contains(&id.0));
        Quorums::among(&servers, &Ensemble::plain(old, 0)).and(&Quorums::among(&servers, &next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn observers_add_nothing_and_two_of_three_voters_are_a_quorum() {
        let quorums = Quorums::new(&Ensemble::plain(3, 2));
        assert!(!quorums.is_voter(ServerId(4)) && quorums.is_voter(ServerId(3)));
        assert!(!quorums.is_quorum(quorums.bit(ServerId(2)) | quorums.bit(ServerId(4))));
        assert!(quorums.is_quorum(quorums.bit(ServerId(1)) | quorums.bit(ServerId(3))));
        assert_eq!(quorums.voters(), 0b00111);
        assert_eq!(quorums.names(0b10101), "{1, 3}");
    }

    #[test]
    fn two_ensembles_need_a_quorum_each() {
        let quorums = testing::joint(3, &[3, 4, 5]);
        assert!(!quorums.is_quorum(0b00111) && !quorums.is_quorum(0b11100));
        assert!(quorums.is_quorum(0b01101));
        assert_eq!(quorums.voters(), 0b11111);
        assert!(quorums.may_lead(ServerId(1)) && quorums.may_lead(ServerId(5)));
        assert!(!quorums.may_lead(ServerId(6)));
    }
}
