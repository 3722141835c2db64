//! One server: role, phases, links, log, state.

use crate::config::Config;
use crate::event::{Phase, Role};
use crate::identity::{Epoch, Position, ServerId, Zxid};
use crate::io::{Input, Output};
use crate::message::Vote;
use crate::service::Tree;
use crate::storage::{Epochs, Recovered, Storage};
use crate::time::{Instant, Now};

/// One server of an ensemble. Feed it with [`Replica::handle`], and **drain [`Replica::poll`] to
/// `None` before the next input**.
pub struct Replica {}

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
    /// Requests of clients and of learners that wait for something.
    pub waiting: usize,
    /// Open links to learners, or to the leader.
    pub links: usize,
}

impl Replica {
    /// A server at its start, with what [`crate::storage::recover`] found on its disk. `seed` is
    /// all the entropy that it ever has.
    #[must_use]
    pub fn new(_config: Config, _recovered: Recovered, _seed: [u8; 32], _now: Now) -> Self {
        unimplemented!()
    }

    /// Takes one input.
    pub fn handle(&mut self, _now: Now, _input: Input) {
        unimplemented!()
    }

    /// The next thing for the driver to do.
    pub fn poll(&mut self) -> Option<Output> {
        unimplemented!()
    }

    /// When [`Input::Tick`] is needed, [`Instant::NEVER`] if it is not.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        unimplemented!()
    }

    /// What can be seen from outside.
    #[must_use]
    pub fn status(&self) -> Status {
        unimplemented!()
    }

    /// The log, for checkers.
    #[must_use]
    pub fn storage(&self) -> &Storage {
        unimplemented!()
    }

    /// The state, for checkers.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        unimplemented!()
    }
}
