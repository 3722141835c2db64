//! What can be seen of a replica.

use super::server::Installing;
use super::{Replica, State};
use crate::event::{Phase, Role};
use crate::identity::{Epoch, Position, ServerId, Zxid};
use crate::message::Vote;
use crate::storage::Epochs;

/// What can be seen of a replica from outside, at no cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// This server.
    pub id: ServerId,
    /// Its role.
    pub role: Role,
    /// The phase of the role.
    pub phase: Phase,
    /// Its leader, itself if it leads.
    pub leader: Option<ServerId>,
    /// The epoch of its leader, once known (LEADERINFO).
    pub epoch: Option<Epoch>,
    /// The durable epochs.
    pub epochs: Epochs,
    /// The end of the log in memory.
    pub logged: Position,
    /// Everything up to here is durable.
    pub durable: Zxid,
    /// Everything up to here is known to be committed.
    pub committed: Zxid,
    /// The state is this far.
    pub applied: Position,
    /// The digest of the state.
    pub state_digest: u64,
    /// The election's round.
    pub round: u64,
    /// The present or final vote.
    pub vote: Option<Vote>,
    /// It serves clients.
    pub serving: bool,
    /// It serves reads, to clients that ask for no more.
    pub read_only: bool,
    /// Requests of clients and of learners that wait for something.
    pub waiting: usize,
    /// Open links to learners, or to the leader.
    pub links: usize,
}

impl Replica {
    /// What can be seen from outside.
    #[must_use]
    pub fn status(&self) -> Status {
        let server = &self.server;
        let (role, phase) = self.role();
        let (leader, epoch, serving, links, questions) = match &self.role {
            State::Settling { .. } | State::Looking | State::Halted => (None, None, false, 0, 0),
            State::Learning(learner) => {
                let links = usize::from(learner.is_linked());
                (Some(learner.leader), learner.epoch, learner.serving(), links, 0)
            }
            State::Leading(leader) => {
                (Some(server.id()), Some(leader.epoch), leader.serving(), leader.links(), leader.questions())
            }
        };
        Status {
            id: server.id(),
            role,
            phase,
            leader,
            epoch,
            epochs: server.storage.epochs(),
            logged: server.storage.last(),
            // While a received snapshot replaces the log, the old state is what a crash would leave.
            durable: match server.storage.durable() {
                Zxid::ZERO if !matches!(server.installing, Installing::Nothing) => server.applied.zxid,
                durable => durable,
            },
            committed: server.committed,
            applied: server.applied,
            state_digest: server.state.digest(),
            round: self.election.round(),
            vote: self.election.vote(),
            serving,
            read_only: server.clients.is_read_only(),
            waiting: server.clients.waiting() + questions,
            links,
        }
    }
}
